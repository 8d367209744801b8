"""Runs the processes of a desk: starts them, shows what they say, restarts what falls, stops all.

Each leads a process group of its own: Ctrl-C reaches the launcher alone, and a stop reaches the
children of children. On Linux the kernel ends them when the launcher itself is killed.
"""

import ctypes
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

FIRST_WAIT_S, LONGEST_REST = 1.0, 32  # before a fallen process starts again; the most is 32 s
STEADY_S = 60.0  # a process that lived this long starts with the first wait again
TAIL = 25  # last lines kept, for saying why a process fell
# Our log format is "2026-11-23 06:54:00,123 INFO name text"; what is below a warning stays unsaid.
CHATTER = re.compile(
    r"[\d-]{10} [\d:,]{12} (INFO|DEBUG) |simulator ready |worker: Warm shutdown|\s*$"
)
PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Ask the kernel to send this process SIGTERM when its parent dies. Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


class Fell(Exception):
    """A vital service ended by itself before the crew had settled."""


@dataclass(frozen=True)
class Service:
    """What to run. A mute one is heard only when it falls; without a vital one, nothing starts."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_mute: bool = False
    is_vital: bool = False


@dataclass
class Process:
    """One service, while it runs and between its lives."""

    service: Service
    popen: subprocess.Popen[bytes]
    started_at: float
    falls: int = 0
    start_at: float | None = None  # when to start it again
    partial: bytes = b""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))


class Crew:
    """All processes of one desk. Everything happens in the thread that calls `tend`: on Linux a
    process ends with the thread that started it.
    """

    def __init__(self, say: Callable[[str], None], *, keep_open: Iterable[int] = ()) -> None:
        self.say = say
        self.keep_open = tuple(keep_open)
        self.processes: dict[str, Process] = {}
        self.selector = selectors.DefaultSelector()
        self.width = 0
        self.is_settled = False

    def start(self, services: Sequence[Service]) -> None:
        """Start services; from now on they are kept running."""
        self.width = max([self.width, *(len(service.name) for service in services)])
        for service in services:
            self.processes[service.name] = Process(service, self._spawn(service), time.monotonic())
            self._listen(self.processes[service.name])

    def tend(self, wait_s: float = 0.2) -> None:
        """Show what was said, notice what fell, start again what is due."""
        self._read(wait_s)
        for process in self.processes.values():
            if process.start_at is None and process.popen.poll() is not None:
                self._fallen(process)
            elif process.start_at is not None and time.monotonic() >= process.start_at:
                process.popen = self._spawn(process.service)
                process.started_at, process.start_at = time.monotonic(), None
                self._listen(process)

    def last_words(self, name: str) -> list[str]:
        """Return the last lines that a service said, the quiet ones too."""
        return list(self.processes[name].tail)

    def stop(self, names: Iterable[str], *, within_s: float) -> None:
        """End services: ask, wait, then kill what is left of their groups."""
        chosen = [process for name, process in self.processes.items() if name in set(names)]
        running = [process for process in chosen if process.start_at is None]
        for process in running:
            process.popen.terminate()
        deadline = time.monotonic() + within_s
        while any(process.popen.poll() is None for process in running):
            if time.monotonic() >= deadline:
                break
            self._read(0.02)
        for process in running:
            if process.popen.poll() is None:
                self.say(f"{process.service.name} did not end within {within_s:.1f} s: killed")
            _kill_group(process.popen)
            with suppress(subprocess.TimeoutExpired):  # stuck in the kernel, gone when it returns
                process.popen.wait(1)
            self._forget(process)
        for process in chosen:
            del self.processes[process.service.name]

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        launcher = os.getpid()
        return subprocess.Popen(  # noqa: S603  (our own command lines)
            service.command,
            env=dict(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.keep_open,
            process_group=0,
            preexec_fn=lambda: end_with_parent(launcher),  # safe: the launcher has one thread
        )

    def _listen(self, process: Process) -> None:
        assert process.popen.stdout  # noqa: S101  (it is a pipe)
        os.set_blocking(process.popen.stdout.fileno(), False)
        self.selector.register(process.popen.stdout, selectors.EVENT_READ, process)

    def _forget(self, process: Process) -> None:
        stream = process.popen.stdout
        if stream and not stream.closed:
            self._hear(process)
            if stream in self.selector.get_map():
                self.selector.unregister(stream)
            stream.close()

    def _read(self, wait_s: float) -> None:
        for key, _ in self.selector.select(wait_s):
            if not self._hear(key.data):
                self.selector.unregister(key.fileobj)

    def _hear(self, process: Process) -> bool:
        """Show the lines that are there; return False at the end of the stream."""
        assert process.popen.stdout  # noqa: S101  (it is a pipe)
        try:
            heard = os.read(process.popen.stdout.fileno(), 65_536)
        except BlockingIOError:
            return True
        *lines, process.partial = (process.partial + heard).split(b"\n")
        if not heard and process.partial:
            lines, process.partial = [process.partial], b""
        for line in lines:
            self._show(process, line.decode(errors="replace").rstrip())
        return bool(heard)

    def _show(self, process: Process, line: str) -> None:
        process.tail.append(line)
        if not process.service.is_mute and not CHATTER.match(line):
            self.say(f"{process.service.name:<{self.width}} | {line}")

    def _fallen(self, process: Process) -> None:
        self._forget(process)
        _kill_group(process.popen)  # whatever it left behind holds its port
        name, end = process.service.name, _end_of(process.popen)
        if process.service.is_vital and not self.is_settled:
            raise Fell(f"{name} {end}, and nothing works without it. What it said is above")
        if process.service.is_mute:
            self.say("\n".join(process.tail))
        lived_s = time.monotonic() - process.started_at
        process.falls = 1 if lived_s >= STEADY_S else process.falls + 1
        wait_s = wait_after(process.falls)
        process.start_at = time.monotonic() + wait_s
        self.say(f"{name} {end} after {lived_s:.0f} s; starting it again in {wait_s:.0f} s")


def wait_after(falls: int) -> float:
    """Return how long a process rests after falling so often in a row, in seconds."""
    return FIRST_WAIT_S * min(1 << (falls - 1), LONGEST_REST)


def _end_of(popen: subprocess.Popen[bytes]) -> str:
    code = popen.returncode
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _kill_group(popen: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(popen.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left; macOS says so with EPERM
