"""The stage of a run: a temporary folder and the processes in it. Leaving it clears all away.

Ctrl-C and SIGTERM leave it too; if this program is killed, the kernel ends what it started.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from dashboard import broker
from dashboard.ports import HERE, Ports
from dashboard.processes import end_with_parent

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "XDG_RUNTIME_DIR")
READY_WITHIN_S = 30.0
FIRST_PORT = 8100
STOP_WITHIN_S = 8.0  # the launcher gives its own processes five
LAST_LINES = 12


class Broken(Exception):
    """A run cannot go on; the message says why."""


class Stage:
    """What one run has started."""

    def __enter__(self) -> Self:
        self.stack = ExitStack()
        self.folder = Path(
            self.stack.enter_context(tempfile.TemporaryDirectory(prefix="tapeline-bench-"))
        )
        self.ports = Ports()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stack.close()

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a process: these settings, none of the user's own."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return kept | {"TAPELINE_DATA": str(self.folder), "SECRET_KEY": "bench" * 10} | settings

    def start(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a process whose words go to a file; it ends with the stage at the latest."""
        us = os.getpid()
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  (our own command lines)
                arguments,
                cwd=settings.BASE_DIR,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=lambda: end_with_parent(us),  # safe: nobody here has a second thread
            )
        self.stack.callback(stop, process)
        return process

    def python(
        self, name: str, *arguments: str, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a process in this interpreter."""
        return self.start(name, [sys.executable, *arguments], environment)

    def run(self, name: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Run a command of manage.py to its end. Raises Broken."""
        process = self.python(name, "manage.py", *arguments, environment=environment)
        if process.wait(READY_WITHIN_S):
            raise Broken(f"manage.py {arguments[0]} failed\n{self.last_words(name)}")

    def wait(
        self,
        what: str,
        ready: Callable[[], object],
        *processes: str,
        within_s: float = READY_WITHIN_S,
    ) -> None:
        """Wait until something is so. Raises Broken with what these processes said last."""
        deadline = time.monotonic() + within_s
        while not ready():
            if time.monotonic() >= deadline:
                said = "\n".join(self.last_words(name) for name in processes)
                raise Broken(f"{what}: not within {within_s:g} s\n{said}")
            time.sleep(0.05)

    def log(self, name: str) -> Path:
        """Return where a process's words go."""
        return self.folder / f"{name}.log"

    def last_words(self, name: str) -> str:
        """Return the last lines a process said."""
        return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-LAST_LINES:])

    def broker(self) -> str:
        """Start a private broker and return its address. Raises Broken if there is no server."""
        server = broker.find_server()
        if server is None:
            raise Broken("no valkey-server or redis-server on this machine")
        path = broker.socket_path(self.folder)
        self.start("broker", broker.command(server, path, self.folder), self.environment())
        self.wait("the broker answers", lambda: broker.answers(path), "broker")
        return broker.url(path)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process and what it started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def listens(port: int) -> bool:
    """Say whether somebody listens on a port."""
    try:
        socket.create_connection((HERE, port), timeout=1).close()
    except OSError:
        return False
    return True
