"""A whole desk in processes of its own, as `make run` starts it, for the journeys."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import requests

from tests.ready import ROOT, prepare

OURS = ("TELNYX_", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "SECRET_KEY", "PORT", "DJANGO_")
NAMES = {
    "broker": "valkey-server",
    "worker": "control,events",
    "media": "-Q media,texts",
    "pump": "manage.py pump",
    "web": "dashboard.asgi",
}


def until(condition, *, within_s, what="it"):
    """Wait for a condition; return what it returned. Fails, naming it, when it does not come."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {within_s} s")
        time.sleep(0.02)
    return answer


class Desk:
    """Starts on construction; `stop` ends every process."""

    def __init__(self, data, **environment):
        self.data = Path(data)
        clean = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
        clean |= {"TAPELINE_DATA": str(data), "SIMULATOR_QUIET": "1", **environment}
        prepare(data)
        self.log = Path(data) / "desk.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--end-with-parent"],
                cwd=ROOT,
                env=clean,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            run = until(self._read_run, within_s=60, what="run.json")
        except AssertionError as exc:
            self.stop()
            raise AssertionError(f"{exc}\n{self.log.read_text()}") from exc
        self.web, self.simulator = run["web"], run["simulator"]
        self.people = {
            person["username"]: person["password"]
            for person in json.loads((self.data / "demo-people.json").read_text())
        }
        self.sessions = {}

    def _read_run(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the desk ended with code {self.process.returncode}")
        path = self.data / "run.json"
        return json.loads(path.read_text()) if path.exists() else None

    def lever(self, method, path, body=None):
        """Pull one of the simulator's levers."""
        answer = requests.request(
            method, f"{self.simulator}/_simulator/{path}", json=body, timeout=10
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def rows(self, query, *values):
        """Ask the desk's database."""
        with sqlite3.connect(self.data / "tapeline.sqlite3", timeout=10) as database:
            return database.execute(query, values).fetchall()

    def session(self, name):
        """Return the HTTP session of one of its people, who signs in but once: that is slow."""
        if name not in self.sessions:
            session = self.sessions[name] = requests.Session()
            page = session.get(f"{self.web}/login/", timeout=10)
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
            who = {"username": name, "password": self.people[name]}
            session.post(
                f"{self.web}/login/",
                data=who | {"csrfmiddlewaretoken": token},
                headers={"Referer": f"{self.web}/login/"},
                timeout=10,
            ).raise_for_status()
        return self.sessions[name]

    def cookies(self, name):
        """Return what a browser needs to be signed in as somebody."""
        cookies = self.session(name).cookies
        return [{"name": it.name, "value": it.value, "url": self.web} for it in cookies]

    def pids(self, name):
        """Return the processes of one name below ours."""
        word, found = NAMES[name], []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environ = (entry / "environ").read_bytes()
            except (OSError, NotADirectoryError):
                continue
            if word in command and (
                str(self.data) in command or str(self.data).encode() in environ
            ):
                found.append(int(entry.name))
        return found

    def freeze(self, *names):
        """Stop processes without ending them: they hold their connections and answer nobody."""
        for name in names:
            pids = self.pids(name)
            assert pids, f"no process {name}"
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for name in NAMES:
            for pid in self.pids(name):
                os.kill(pid, signal.SIGCONT)

    def stop(self):
        self.thaw()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
