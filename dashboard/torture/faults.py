"""Who breaks things: kills and freezes processes, and gives the simulator scripts of faults.

No fault lasts as long as Telnyx keeps trying to deliver a webhook, so nothing may be lost.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterable

import requests

from dashboard.bench import machine
from dashboard.bench.desk import Desk
from dashboard.processes import STEADY_S
from dashboard.torture.hands import pick
from dashboard.torture.plan import Act

MARKS = {  # what tells a process of the launcher by its command line
    "broker": "broker.sock",
    "worker": "desk@%h",
    "media": "media@%h",
    "pump": "manage.py pump",
    "web": "dashboard.asgi:application",
}
MOST_FALLS = 3  # in a row: then the launcher waits four seconds, and each time twice as long
HURRIED_S, CALM_S = 0.01, 2.0  # in which Telnyx wants its webhooks answered


class Saboteur:
    """Breaks one desk, and remembers how."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.kills: Counter[str] = Counter()
        self.freezes: Counter[str] = Counter()
        self.scripts: Counter[str] = Counter()
        self.frozen: dict[str, list[int]] = {}
        self.falls: dict[str, tuple[int, float]] = {}  # how many in a row, when the last

    def do(self, act: Act) -> None:
        """Break something."""
        if act.verb == "kill":
            self.kill(act.name, act.draws[0])
        elif act.verb == "freeze":
            self.freeze(act.name)
        elif act.verb == "thaw":
            self.thaw(act.name)
        elif act.verb == "script":
            self.desk.lever("POST", "faults", **(act.script or {}))
        elif act.verb == "hurry":
            self.desk.lever("POST", "settings", delivery_timeout_s=HURRIED_S)
        else:
            self.desk.lever("POST", "settings", delivery_timeout_s=CALM_S)

    def find(self, name: str) -> list[int]:
        """Return the processes of a name, the first one the launcher's child."""
        launcher = self.desk.process.pid
        for pid in machine.tree(launcher):
            if machine.parent(pid) == launcher and MARKS[name] in " ".join(machine.command(pid)):
                return machine.tree(pid)
        return []

    def kill(self, name: str, draw: float) -> None:
        """Kill a process, or the child that does its work; spare one that fell often lately."""
        count, at = self.falls.get(name, (0, 0.0))
        count = 1 if time.monotonic() - at > STEADY_S + 10 else count + 1
        pids = self.find(name)
        if count > MOST_FALLS or not pids:
            return
        self.falls[name] = (count, time.monotonic())
        _signal([pick(pids, draw)], signal.SIGKILL)
        self.kills[name] += 1

    def freeze(self, name: str) -> None:
        """Stop a process without ending it: it holds its connections and answers nobody."""
        self.frozen[name] = self.find(name)
        _signal(self.frozen[name], signal.SIGSTOP)
        self.freezes[name] += bool(self.frozen[name])

    def thaw(self, name: str) -> None:
        """Let a frozen process go on, as if nothing had been."""
        _signal(self.frozen.pop(name, []), signal.SIGCONT)

    def rest(self) -> None:
        """Break nothing any more, and count what the scripts did."""
        for name in list(self.frozen):
            self.thaw(name)
        for kind, rules in self.desk.lever("GET", "faults").items():
            for rule in rules:
                self.scripts[f"{kind}: {rule['do']}"] += rule["used"]
        requests.delete(f"{self.desk.simulator}/_simulator/faults", timeout=10)
        self.desk.lever("POST", "settings", delivery_timeout_s=CALM_S)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it was killed meanwhile
