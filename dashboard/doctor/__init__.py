"""Examines the desk: is everything set so that calls appear, and can be controlled and kept?

examine(): every check at once, each with its own limit of time --> findings, as they come

Nothing is changed but a file and a row that are removed again. `manage.py doctor`, `/connect/`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from enum import StrEnum
from time import monotonic

from django.db import connections


class Level(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"  # it works, and something is odd
    WRONG = "wrong"  # it cannot work so
    UNKNOWN = "unknown"  # it could not be checked


WORDS = {
    Level.OK: "ok",
    Level.WARNING: "warning",
    Level.WRONG: "wrong",
    Level.UNKNOWN: "not checked",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` says how to mend it, "" where nothing is to mend."""

    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the desk."""

    name: str
    label: str
    look: Callable[[], Finding]
    limit_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Found:
    """A check and its finding, as they are shown and stored."""

    name: str
    label: str
    level: str
    text: str
    remedy: str

    @property
    def word(self) -> str:
        return WORDS[Level(self.level)]

    def as_json(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


def checks() -> list[Check]:
    """Return every check in the order in which a desk is set up."""
    from dashboard.doctor import door, machine, provider

    return [
        Check("database", "Database", machine.database),
        Check("storage", "Storage", machine.storage_works, 40.0),
        Check("broker", "Broker", machine.broker),
        Check("processes", "Processes", machine.processes),
        Check("address", "Address", door.address),
        Check("key", "API key", provider.key),
        Check("public_keys", "Public keys", provider.public_keys),
        Check("application", "Application", provider.application),
        Check("door", "Webhook door", door.reachable),
        Check("deliveries", "Deliveries", provider.deliveries),
        Check("questions", "Questions", machine.questions),
        Check("clock", "Clock", provider.clock),
    ]


def examine(wanted: list[Check] | None = None) -> Iterator[Found]:
    """Yield what each check found, in the order in which they come to an end."""
    wanted = checks() if wanted is None else wanted
    started = monotonic()
    pool = ThreadPoolExecutor(max(1, len(wanted)), "doctor")
    running = {pool.submit(_look, check): check for check in wanted}
    try:
        while running:
            ends = min(started + check.limit_s for check in running.values())
            done, _ = wait(running, max(0.0, ends - monotonic()), "FIRST_COMPLETED")
            late = {it for it, check in running.items() if monotonic() > started + check.limit_s}
            for future in done or late:
                yield _found(running.pop(future), future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _found(check: Check, future: "Future[Finding]") -> Found:
    if future.done():
        finding = future.result()
    else:
        text = f"It took longer than {check.limit_s:g} s."
        finding = Finding(Level.UNKNOWN, text, "Look at the log, and try again.")
    return Found(check.name, check.label, finding.level.value, finding.text, finding.remedy)


def _look(check: Check) -> Finding:
    try:
        return check.look()
    except Exception as exc:  # one broken check must not hide the others
        text = f"{type(exc).__name__}: {exc}"[:500]
        return Finding(Level.UNKNOWN, f"The check itself failed: {text}", "Look at the log.")
    finally:
        connections.close_all()  # this thread's; no request ends here
