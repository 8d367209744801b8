"""What the demo costs while a handful of calls are live: memory and CPU of all its processes.

Memory is PSS: what processes share is counted once. The desk is started as `make run` starts it.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.bench import machine
from dashboard.bench.desk import Desk
from dashboard.bench.figures import table
from dashboard.bench.stage import Stage

NAME = "memory"
TARGETS = {"mb": 700.0, "cores": 0.5}
CALLS = 5
CALLS_WITHIN_S = 90.0  # the demo's people take their time
MB = 1_000_000
ROLES = (  # a word of the command line -> what the process is
    ("granian", "web"),
    ("pump", "pump"),
    ("desk@%h", "worker: control, events"),
    ("media@%h", "worker: media"),
    ("simulator", "simulator"),
    ("run", "launcher"),
)


@dataclass(frozen=True)
class Sizes:
    """How long to look, once the calls are there."""

    seconds: float = 60.0
    calls: int = CALLS


@dataclass(frozen=True)
class Cost:
    """One process."""

    process: str
    pid: int
    mb: float
    cores: float


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Start the demo, wait for calls, look for a while; return the figures."""
    with Stage() as stage:
        desk = Desk(stage, is_quiet=False)
        say(f"waiting for {sizes.calls} live calls")
        stage.wait(
            f"the demo has {sizes.calls} calls",
            lambda: desk.count_live() >= sizes.calls,
            "desk",
            within_s=CALLS_WITHIN_S,
        )
        say(f"looking for {sizes.seconds:g} s")
        before = {pid: machine.cpu_s([pid]) for pid in machine.tree(desk.process.pid)}
        started, load = time.monotonic(), machine.load()
        time.sleep(sizes.seconds)
        passed = time.monotonic() - started
        desk.check()
        costs = [
            Cost(
                name(pid),
                pid,
                round(machine.pss_bytes(pid) / MB, 1),
                round((machine.cpu_s([pid]) - before.get(pid, 0.0)) / passed, 3),
            )
            for pid in machine.tree(desk.process.pid)
        ]
        return figures(costs, before.keys(), desk.count_live(), load)


def name(pid: int) -> str:
    """Return what a process is to the desk."""
    words = machine.command(pid)
    for word, role in ROLES:
        if word in words:
            return role
    return "broker" if machine.name(pid).startswith(("valkey", "redis")) else machine.name(pid)


def figures(
    costs: Sequence[Cost], known: Collection[int], calls: int, load: float
) -> dict[str, Any]:
    """Return the figures, and why they must not be used, if they must not."""
    void = []
    if {cost.pid for cost in costs} != set(known):
        void.append("processes came or went meanwhile")
    if not calls:
        void.append("no call is live any more")
    return {
        "mb": round(sum(cost.mb for cost in costs), 1),
        "cores": round(sum(cost.cores for cost in costs), 3),
        "targets": TARGETS,
        "calls": calls,
        "load": load,
        "processes": [asdict(cost) for cost in costs],
        "void": void,
    }


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as text."""
    rows = [[cost["process"], cost["mb"], cost["cores"]] for cost in figures["processes"]]
    rows.append(["all", figures["mb"], figures["cores"]])
    verdicts = [
        f"{what} {figures[what]:g}, target {limit:g}: "
        + ("met" if figures[what] < limit else "MISSED")
        for what, limit in figures["targets"].items()
    ]
    return [
        "",
        f"the demo with {figures['calls']} calls live",
        *table(["process", "MB (PSS)", "cores"], rows),
        *verdicts,
        *(f"VOID: {reason}" for reason in figures["void"]),
    ]
