"""Who writes to SQLite when: one process at a time, and none for long.

Left to itself, SQLite sleeps up to 100 ms between two looks, and others come first each time.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import OperationalError, connection, transaction

LOOK_MS = 5  # SQLite looks thrice in this time


@contextmanager
def in_turn(within_s: float) -> Iterator[None]:
    """Open a transaction as soon as no other process writes. Raises OperationalError."""
    with ExitStack() as stack:
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            _begin(stack, within_s)
        else:
            stack.enter_context(transaction.atomic())
        yield


def _begin(stack: ExitStack, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    patience = _patience(LOOK_MS)
    try:
        while True:
            try:
                stack.enter_context(transaction.atomic())
            except OperationalError as exc:
                code = getattr(exc.__cause__, "sqlite_errorcode", None)
                if code != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            else:
                return
    finally:
        _patience(patience)


def _patience(wanted_ms: int) -> int:
    """Set how long SQLite itself waits; return how long it did."""
    connection.ensure_connection()
    file = connection.connection
    ((was,),) = file.execute("PRAGMA busy_timeout")
    if was != wanted_ms:
        file.execute(f"PRAGMA busy_timeout = {wanted_ms}")
    return int(was)
