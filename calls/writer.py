"""Keep webhooks: one raw statement a batch, and the one thread that commits batches.

rows --Writer--> INSERT ... ON CONFLICT DO NOTHING, committed --> "it is there" --> ring
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from calls import passing
from calls.models import Refusal, WebhookEvent
from calls.ring import ring
from calls.skew import skews

logger = logging.getLogger(__name__)

BUDGET_S = 1.0  # then 503: Telnyx gives up after 2 s and asks again
BATCH = 256
LINGER_S = 0.002  # wait for company, and leave SQLite's other writers a gap
LOOK_MS = 5  # SQLite looks thrice in this time
BACKLOG = 10_000  # webhooks waiting for the writer; beyond it the answer is 503 at once


@dataclass(frozen=True, slots=True)
class Row:
    """One webhook as it will be stored."""

    event_id: str
    event_type: str
    occurred_at: datetime | None
    call_leg_id: str
    call_session_id: str
    call_control_id: str
    raw: bytes
    received_at: datetime
    state: str
    error: str
    headers: str = ""  # those that the neighbours need, of a verified webhook


COLUMNS = (
    "event_id, event_type, occurred_at, call_leg_id, call_session_id, call_control_id, raw,"
    " source, received_at, state, attempts, due_at, error"
)
PLACES = "(" + ", ".join(["%s"] * 13) + ")"


def store(batch: Sequence[Row], *, source: str = WebhookEvent.Source.WEBHOOK) -> set[str]:
    """Commit a batch; return the event ids that are durably there, new or known.

    One raw statement on Django's connection: three times the ORM's rate (`make bench`). A batch
    that the database refuses for one row's sake is stored row by row.
    """
    ids = {row.event_id for row in batch}
    new: set[str] = set()
    try:
        new = _insert_all(batch, source)
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as exc:
        if len(batch) == 1:
            logger.error("the database refused event %s: %s", batch[0].event_id, exc)
        else:
            return {kept for row in batch for kept in store([row], source=source)}
    others = ids - new
    return new | _there(others) if others else new


def _there(ids: Collection[str]) -> set[str]:
    """Return which of these events are stored: SQL can drop a row in silence, so look."""
    places = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT event_id FROM calls_webhookevent WHERE event_id IN ({places})",  # noqa: S608
            list(ids),
        )
        return {found for (found,) in cursor.fetchall()}


def _insert_all(batch: Sequence[Row], source: str) -> set[str]:
    """Write the events; and what the neighbours are to hear of them, in the same commit.

    Returns the ids of those that are new.
    """
    statements = [_insert(batch, source)]
    if source == WebhookEvent.Source.WEBHOOK and passing.is_wanted():
        told = [(row.event_id, row.headers) for row in batch if row.headers]
        statements += [passing.insert(told, batch[0].received_at)] if told else []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # at once, so it is one transaction, and one trip
            both = "; ".join(sql for sql, _ in statements)
            cursor.execute(both, [value for _, values in statements for value in values])
            return {new for (new,) in cursor.fetchall()}
        with transaction.atomic() if len(statements) > 1 else nullcontext():
            cursor.execute(*statements[0])
            new = {new for (new,) in cursor.fetchall()}
            for more in statements[1:]:
                cursor.execute(*more)
            return new


def _insert(batch: Sequence[Row], source: str) -> passing.Statement:
    adapt = connection.ops.adapt_datetimefield_value
    values: list[Any] = []
    for row in batch:
        received = adapt(row.received_at)
        occurred = adapt(row.occurred_at) if row.occurred_at else None
        values += [row.event_id, row.event_type, occurred, row.call_leg_id, row.call_session_id]
        values += [row.call_control_id, row.raw, source, received, row.state, 0, received]
        values.append(row.error)
    sql = (
        f"INSERT INTO calls_webhookevent ({COLUMNS})"  # noqa: S608
        f" VALUES {', '.join([PLACES] * len(batch))} ON CONFLICT (event_id) DO NOTHING"
        " RETURNING event_id"
    )
    return sql, values


def ring_for_webhooks() -> None:
    """Have new webhooks looked at by whoever works on them."""
    ring("events")
    if passing.is_wanted.last:
        ring("forward")


class Refusals:
    """Counts what was refused in memory; `flush` adds it to the rows that operators see."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        with self.lock:
            self.counts[reason] += 1

    def flush(self) -> None:
        """Write the counts down. On a database error they stay for the next time."""
        with self.lock:
            counts, self.counts = self.counts, Counter()
        now = datetime.now(UTC)
        hour = now.replace(minute=0, second=0, microsecond=0)
        try:
            for reason in list(counts):
                row, _ = Refusal.objects.get_or_create(
                    reason=reason, hour=hour, defaults={"last_at": now}
                )
                Refusal.objects.filter(pk=row.pk).update(
                    count=F("count") + counts[reason], last_at=now
                )
                del counts[reason]
        except DatabaseError:
            with self.lock:
                self.counts.update(counts)


refusals = Refusals()


@dataclass(slots=True)
class Waiting:
    """A webhook in the writer's queue, and whom to tell."""

    row: Row
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[bool]" = field(init=False)

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()


class Writer:
    """The one thread that commits webhooks. Its connection is its own, durable and impatient."""

    def __init__(self) -> None:
        self.queue: deque[Waiting] = deque()
        self.wanted = threading.Condition()
        self.closing = False
        self.healthy = True
        self.thread = threading.Thread(target=self.run, name="webhook-writer", daemon=True)
        self.thread.start()

    async def write(self, row: Row) -> bool:
        """Return whether the row is durably stored, within the budget."""
        waiting = Waiting(row, asyncio.get_running_loop())
        with self.wanted:
            if len(self.queue) >= BACKLOG or self.closing:
                return False
            self.queue.append(waiting)
            self.wanted.notify()
        budget = waiting.loop.call_later(BUDGET_S, _answer, [(waiting.future, False)])
        try:
            return await waiting.future
        finally:
            budget.cancel()

    def close(self) -> None:
        """Commit what is queued, then end."""
        with self.wanted:
            self.closing = True
            self.wanted.notify()
        self.thread.join(5)

    def run(self) -> None:
        company = False  # whether the last batch held more than one: then more are on their way
        flushed = time.monotonic()
        while True:
            if company:
                time.sleep(LINGER_S)
            with self.wanted:
                self.wanted.wait_for(lambda: self.queue or self.closing, timeout=1.0)
                batch = [self.queue.popleft() for _ in range(min(BATCH, len(self.queue)))]
            if batch:
                self.commit(batch)
            company = len(batch) > 1
            if refusals.counts and time.monotonic() - flushed > 1:
                refusals.flush()
                flushed = time.monotonic()
            skews.flush()
            if self.closing and not batch:
                refusals.flush()
                connection.close()
                return

    def commit(self, batch: Sequence[Waiting]) -> None:
        kept: set[str] = set()
        try:
            kept = self.store_once_more([waiting.row for waiting in batch])
            self.healthy = True
        except Exception as exc:  # the thread must outlive any fault: the sender hears 503
            if self.healthy:
                logger.error("webhooks cannot be stored, answering 503: %s", exc)
            self.healthy = False
            connection.close()
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[bool], bool]]] = {}
        for waiting in batch:
            answer = (waiting.future, waiting.row.event_id in kept)
            by_loop.setdefault(waiting.loop, []).append(answer)
        for loop, answers in by_loop.items():
            loop.call_soon_threadsafe(_answer, answers)
        if kept:
            ring_for_webhooks()

    def store_once_more(self, rows: Sequence[Row]) -> set[str]:
        """Store, and after a lost connection once more on a new one."""
        if connection.connection is None:
            _prepare()
        if connection.vendor == "sqlite":
            return _store_in_turn(rows)
        try:
            return store(rows)
        except (OperationalError, InterfaceError):
            connection.close()
            _prepare()
            return store(rows)


def _store_in_turn(rows: Sequence[Row]) -> set[str]:
    """Store as soon as no other process writes to SQLite, within the budget.

    Left to itself, SQLite sleeps up to 100 ms between two looks, and others come first each time.
    """
    deadline = time.monotonic() + BUDGET_S
    while True:
        try:
            with transaction.atomic():
                return store(rows)
        except OperationalError as exc:
            code = getattr(exc.__cause__, "sqlite_errorcode", None)
            if code != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise


def _prepare() -> None:
    """Make this thread's connection durable at every commit, and impatient."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute(f"PRAGMA busy_timeout={LOOK_MS}")


def _answer(answers: Iterable[tuple["asyncio.Future[bool]", bool]]) -> None:
    for future, kept in answers:
        if not future.done():
            future.set_result(kept)
