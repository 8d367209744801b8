"""A whole desk in processes of its own, as `make run` starts it, for the journeys."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
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


PREPARE = """
import django
django.setup()
from dashboard import prepare
prepare.migrate()
prepare.collect_static()
"""


@cache
def _prepared():
    """Return a data folder with all tables, no rows and the collected static files, made once."""
    folder = Path(tempfile.mkdtemp(prefix="tapeline-ready-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    clean = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
    clean |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "SECRET_KEY": "nobody's"}
    clean |= {"TAPELINE_DATA": str(folder)}
    command = [sys.executable, "-c", PREPARE]
    made = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder


def prepare(data):
    """Spare a desk the seconds in which it makes its tables and collects its static files."""
    shutil.copyfile(_prepared() / "tapeline.sqlite3", Path(data) / "tapeline.sqlite3")
    shutil.copytree(_prepared() / "static", Path(data) / "static")


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
