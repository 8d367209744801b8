"""The data folder of a run: who holds it, whose it is, and the notes left in it for others.

run.lock          held by the launcher and by every process it started
purpose           "demo" or "account": invented calls and real ones never share a folder
secret.key        SECRET_KEY, when the environment has none
run.json          where the running desk and its simulator answer
demo-people.json  who can sign in to the demo
environment.json  what the launcher set for the running processes, and nobody else could know
"""

import fcntl
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

DEMO, ACCOUNT = "demo", "account"
PATIENCE_S = 10.0  # for the processes of a launcher that was killed


class Taken(Exception):
    """Another run holds the folder."""


def hold(folder: Path) -> IO[str]:
    """Take the folder for this run and return the open lock file. Raises Taken."""
    lock = (folder / "run.lock").open("a+")
    deadline = time.monotonic() + PATIENCE_S
    while not _locked(lock):
        lock.seek(0)
        holder = lock.read().strip()
        if _is_alive(holder):
            raise Taken(f"{folder} is in use by process {holder}{_address(folder)}")
        if time.monotonic() >= deadline:
            raise Taken(f"{folder} is still in use by processes that process {holder} left behind")
        time.sleep(0.1)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError):
        return False
    return True


def _address(folder: Path) -> str:
    try:
        return f", which answers at {json.loads((folder / 'run.json').read_text())['web']}"
    except (OSError, ValueError, KeyError):
        return ""


def purpose(folder: Path) -> str | None:
    """Return whose calls the folder holds, or None if nobody said so yet."""
    with suppress(FileNotFoundError):
        return (folder / "purpose").read_text().strip()
    return None


def dedicate(folder: Path, purpose: str) -> None:
    """Note whose calls the folder will hold."""
    write(folder / "purpose", purpose + "\n")


def secret_key(folder: Path) -> str:
    """Return the folder's own SECRET_KEY, made once."""
    path = folder / "secret.key"
    if not path.exists():
        write(path, secrets.token_urlsafe(50))
    return path.read_text().strip()


def write(path: Path, text: str) -> None:
    """Write a file for the owner alone, so that nobody ever reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def tell(folder: Path, addresses: dict[str, str], people: list[dict[str, str]]) -> None:
    """Leave the notes of a desk that answers."""
    if people:
        write(folder / "demo-people.json", json.dumps(people, indent=2) + "\n")
    write(folder / "run.json", json.dumps(addresses) + "\n")


def lend(folder: Path, environment: dict[str, str]) -> None:
    """Leave the settings that the launcher made, for commands that join the running desk."""
    write(folder / "environment.json", json.dumps(environment) + "\n")


def lent(folder: Path) -> dict[str, str]:
    """Return the settings of the desk that runs on a folder; {} if none was launched."""
    try:
        told = json.loads((folder / "environment.json").read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in told.items()}


def clear(folder: Path) -> None:
    """Take the notes away."""
    for name in ("run.json", "demo-people.json", "environment.json"):
        (folder / name).unlink(missing_ok=True)
