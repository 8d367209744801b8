"""The processes of a desk, each killed and started on its own; the simulator beside them lives.

The launcher starts again what falls ever more slowly. Here a process is back when a round says so.
"""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

from dashboard import broker, demo
from dashboard.bench.databases import Database
from dashboard.bench.desk import Desk
from dashboard.bench.stage import FIRST_PORT, Broken, Stage, listens
from dashboard.launch import is_healthy, worker
from dashboard.ports import HERE

PREPARE = """
import django, json, pathlib, sys
django.setup()
from dashboard import demo, prepare
prepare.migrate()
prepare.collect_static()
path = pathlib.Path(sys.argv[1])
path.write_text(json.dumps(demo.people(path.with_name("kept.json"))))
"""
PREPARED_WITHIN_S = 120.0
NAMES = ("broker", "web", "worker", "media", "pump")


class Fleet(Desk):
    """A desk whose processes nobody but us starts again."""

    def __init__(self, stage: Stage, **environment: str) -> None:
        self.stage = stage
        self.database = Database(f"sqlite:///{stage.folder / 'tapeline.sqlite3'}")
        self.port = stage.ports.first_free(FIRST_PORT)
        simulator_port = stage.ports.first_free(self.port + 1)
        self.web, self.simulator = f"http://{HERE}:{self.port}", f"http://{HERE}:{simulator_port}"
        self.socket = broker.socket_path(stage.folder)
        key_file = stage.folder / "demo" / "signing.key"
        api_key = f"torture-{secrets.token_urlsafe(16)}"  # never begins like an option
        given = demo.environment(self.simulator, demo.signing_key(key_file), api_key)
        told = {"PUBLIC_URL": self.web, "REDIS_URL": broker.url(self.socket), **environment}
        self.environment = stage.environment(**given | told)
        self._prepare()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        command = demo.simulator_command(simulator_port, self.web, stage.folder, key_file, api_key)
        quiet = {"SIMULATOR_QUIET": "1"}
        self.process = stage.python("simulator", *command, environment=self.environment | quiet)
        stage.wait("the simulator answers", lambda: listens(simulator_port), "simulator")
        for name in NAMES:
            self.start(name)
        stage.wait("the desk answers", self.is_healthy, "web")

    def _prepare(self) -> None:
        """Make the database and the people, as the launcher does before it starts anything."""
        path = self.stage.folder / "demo-people.json"
        given = self.environment | {"DJANGO_SETTINGS_MODULE": "dashboard.settings"}
        process = self.stage.python("prepare", "-c", PREPARE, str(path), environment=given)
        if process.wait(PREPARED_WITHIN_S):
            raise Broken(f"the desk cannot be prepared\n{self.stage.last_words('prepare')}")

    def is_healthy(self) -> bool:
        """Say whether the web process serves pages."""
        return is_healthy(self.port, f"{HERE}:{self.port}")

    def start(self, name: str) -> None:
        """Start a process, as the launcher would."""
        self.processes[name] = self.stage.start(name, self._command(name), self.environment)

    def _command(self, name: str) -> list[str]:
        if name == "broker":
            server = broker.find_server()
            return broker.command(server or Path("valkey-server"), self.socket, self.stage.folder)
        python = [sys.executable]
        if name == "web":
            granian = ("granian", "--interface", "asgi", "--host", HERE, "--port", str(self.port))
            limits = ("--workers", "1", "--workers-kill-timeout", "3", "--log-level", "warning")
            return [*python, "-m", *granian, *limits, "dashboard.asgi:application"]
        if name == "worker":
            return [*python, *worker("desk", "control,events", 4)]
        if name == "media":
            return [*python, *worker("media", "media,texts", 3)]
        return [*python, "manage.py", "pump"]

    def kill(self, name: str) -> None:
        """Kill a process and its children, in the middle of whatever they do."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()
