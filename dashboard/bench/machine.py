"""What the machine is, and what processes cost on it, from /proc. Linux only."""

import os
import platform
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SYNCS = 50
ADDITIONS = 1_000_000


def about() -> dict[str, str | int | float]:
    """Return what a figure of this machine has to be read with."""
    model = re.search(r"model name\s*:\s*(.+)", (PROC / "cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", (PROC / "meminfo").read_text())
    return {
        "cores": os.cpu_count() or 1,
        "cpu": model[1] if model else platform.machine(),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sync_ms": round(sync_ms(), 2),
        "loop_ms": round(loop_ms()),
    }


def line(about: dict[str, str | int | float]) -> str:
    """Return the machine in one line."""
    return (
        "{cores} cores, {cpu}, {memory_gib} GiB, {system}, Python {python},"
        " a small durable write takes {sync_ms} ms, a million additions {loop_ms} ms"
    ).format(**about)


def sync_ms() -> float:
    """Return how long one small write takes to be durable in the temporary folder."""
    with tempfile.TemporaryFile() as file:
        started = time.perf_counter()
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        return (time.perf_counter() - started) / SYNCS * 1000


def loop_ms() -> float:
    """Return the processor's time for a loop of Python: a shared core is not as quick each day."""
    started, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return (time.process_time() - started) * 1000


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    children = defaultdict(list)
    for pid in _pids():
        if stat := _stat(pid):
            children[int(stat[1])].append(pid)
    found = [root]
    for pid in found:  # grows while it is walked
        found += children[pid]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds that processes have used, with those of their children that ended."""
    return sum(sum(map(int, stat[11:15])) for pid in pids if (stat := _stat(pid))) / TICKS_PER_S


def pss_bytes(pid: int) -> int:
    """Return the memory of a process: its own pages, and its share of those it shares."""
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:  # it ended
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def command(pid: int) -> list[str]:
    """Return the command line of a process, empty if it ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def parent(pid: int) -> int | None:
    """Return who started a process."""
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def name(pid: int) -> str:
    """Return the kernel's name of a process, empty if there is none."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return /proc/PID/stat from the state on; the name before it may hold blanks."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
