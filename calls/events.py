"""Facts are applied here: the state of the call by the fold, and whatever else hangs on an event.

    due WebhookEvents --some legs--> fold + handlers, one commit --> applied | ignored | dead

Other packages add handlers with `@handles("call.recording.saved")`, or `@handles_all` where those
of a commit are cheaper looked at together. A handler runs inside the transaction that marks its
event applied, may run twice, and does no network and no file work.
"""

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from calls import fold, projection, recall
from calls.models import Call, WebhookEvent
from calls.telnyx import payloads

logger = logging.getLogger(__name__)

Handler = Callable[[WebhookEvent, payloads.Event, Call], None]


class Told(NamedTuple):
    """What a handler is given: an event, what it says, and its call."""

    row: WebhookEvent
    event: payloads.Event
    call: Call


HandlerOfAll = Callable[[Sequence[Told]], None]

WITHOUT_EFFECT = frozenset(
    {
        "call.dtmf.received",
        "call.machine.detection.ended",
        "call.machine.greeting.ended",
        "call.machine.premium.detection.ended",
        "call.machine.premium.greeting.ended",
        "call.transcription",
        "call.recording.transcription.saved",
    }
)
"""Events of the life of a call that the timeline shows and the fold does not need."""

BATCH = 200
SLICE = 48  # events in one commit; meanwhile SQLite's other writers wait
GAP_S = 0.01  # in which they have their turn: more than the door sleeps between two looks
LINGER_S = 0.02  # after several events more are on their way: together they cost half
LEASE = timedelta(seconds=10)
BACKOFF_S = (1, 5, 30, 120)
MOST_ATTEMPTS = len(BACKOFF_S) + 1

_handlers: defaultdict[str, list[Handler]] = defaultdict(list)
_handlers_of_all: dict[HandlerOfAll, Collection[str]] = {}
_draining = threading.Lock()
_asked = threading.Event()


def handles(event_type: str) -> Callable[[Handler], Handler]:
    """Register a function to be called with every event of a type."""

    def register(handler: Handler) -> Handler:
        _handlers[event_type].append(handler)
        return handler

    return register


def handles_all(*event_types: str) -> Callable[[HandlerOfAll], HandlerOfAll]:
    """Register a function to be called once a commit, with every event of these types in it."""

    def register(handler: HandlerOfAll) -> HandlerOfAll:
        _handlers_of_all[handler] = event_types
        return handler

    return register


def is_known(event_type: str) -> bool:
    """Say whether anything is done with events of this type."""
    return event_type in fold.TYPES or event_type in WITHOUT_EFFECT or _is_handled(event_type)


def _is_handled(event_type: str) -> bool:
    return event_type in _handlers or any(event_type in it for it in _handlers_of_all.values())


def drain() -> None:
    """Apply what is due, in one thread of this process: a second would wait for the first."""
    _asked.set()
    while _asked.is_set() and _draining.acquire(blocking=False):
        try:
            _asked.clear()
            if apply_due() > 1:
                time.sleep(LINGER_S)
        finally:
            _draining.release()


def apply_due(*, overdue: timedelta = timedelta()) -> int:
    """Apply events until none is due (or none is overdue by so much); return how many."""
    done, is_more = 0, True
    while is_more:
        batch, is_more = _claim(timezone.now() - overdue)
        for some in _slices(batch):
            _apply(some)
            if connection.vendor == "sqlite":
                time.sleep(GAP_S)
        done += len(batch)
    return done


def _claim(due_before: datetime) -> tuple[list[WebhookEvent], bool]:
    """Take a batch for ourselves, and say whether more is due: the lease's end is our mark on it.

    The attempt is counted in a commit of its own, so that an event which kills the process still
    runs out of attempts; what was tried before comes alone, so that it takes no other along.
    """
    pending = WebhookEvent.objects.filter(state=WebhookEvent.State.PENDING)
    due = pending.filter(due_at__lte=due_before).order_by("due_at", "id")
    found = list(due[:BATCH])
    mine = [event for event in found if not event.attempts]
    if len(mine) < len(found) == BATCH:  # what was tried may stand before what was not
        mine = list(due.filter(attempts=0)[:BATCH])
    mine = mine or found[:1]
    if not mine:
        return [], False
    is_more = len(found) == BATCH or len(mine) < len(found)
    lease = timezone.now() + LEASE
    same = pending.filter(pk__in=[event.pk for event in mine])
    taken = same.filter(due_at__lte=due_before).update(attempts=F("attempts") + 1, due_at=lease)
    for event in mine:
        event.attempts, event.due_at = event.attempts + 1, lease
    if taken < len(mine):  # others were quicker
        mine = list(same.filter(due_at=lease))
    return sorted(mine, key=lambda event: event.pk), is_more


def _by_leg(batch: Iterable[WebhookEvent]) -> list[list[WebhookEvent]]:
    legs: defaultdict[str, list[WebhookEvent]] = defaultdict(list)
    for event in batch:
        legs[event.call_leg_id].append(event)
    return list(legs.values())


def _slices(batch: Sequence[WebhookEvent]) -> Iterator[list[WebhookEvent]]:
    """Cut a batch into equal parts that one commit each applies; a leg's events stay together."""
    parts = max(1, ceil(len(batch) / SLICE))
    size = ceil(len(batch) / parts)
    some: list[WebhookEvent] = []
    for events in _by_leg(batch):
        some += events
        if len(some) >= size:
            yield some
            some = []
    if some:
        yield some


def _apply(events: Sequence[WebhookEvent]) -> None:
    """Apply events in one commit; if that fails, leg by leg, and at last one by one."""
    if events[0].attempts > MOST_ATTEMPTS:  # nobody lived to write down why
        _fail(events[0], RuntimeError("the process ended each time this event was applied"))
        return
    try:
        recall.remember(events)  # here, where nobody waits for us
        with transaction.atomic():
            _apply_together(events)
    except OperationalError as exc:
        logger.warning("%d events wait for the database: %s", len(events), exc)
        _excuse(events)
    except Exception as exc:  # an event must outlive whatever its handler raises
        if len(events) == 1:
            _fail(events[0], exc)
            return
        legs = _by_leg(events)
        for fewer in legs if len(legs) > 1 else [[event] for event in events]:
            _apply(fewer)


def _apply_together(events: Sequence[WebhookEvent]) -> None:
    known = [event for event in events if event.call_leg_id and is_known(event.event_type)]
    calls = projection.all_locked(_ids(same) for same in _by_leg(known))
    refolded: dict[str, Call] = {}
    touched: dict[str, Call] = {}
    told: list[Told] = []
    for event in known:
        call = calls[event.call_leg_id]
        if _is_handled(event.event_type):
            told.append(Told(event, payloads.parse(bytes(event.raw)), call))
        for handler in _handlers.get(event.event_type, ()):
            handler(*told[-1])
        if event.event_type in fold.TYPES:
            refolded[event.call_leg_id] = call
        elif event.event_type in WITHOUT_EFFECT:
            touched[event.call_leg_id] = call
    for handler_of_all, types in _handlers_of_all.items():
        if some := [it for it in told if it.row.event_type in types]:
            handler_of_all(some)
    projection.refold(*refolded.values())
    for leg in touched.keys() - refolded.keys():
        projection.touch(touched[leg])
    for state, rows in (
        (WebhookEvent.State.APPLIED, known),
        (WebhookEvent.State.IGNORED, [event for event in events if event not in known]),
    ):
        if rows:
            WebhookEvent.objects.filter(pk__in=[row.pk for row in rows]).update(
                state=state, error=""
            )


def _ids(events: Sequence[WebhookEvent]) -> projection.Ids:
    """Return how the events of a leg name their call."""
    return projection.Ids(
        events[0].call_leg_id,
        next((event.call_session_id for event in events if event.call_session_id), ""),
        next((event.call_control_id for event in events if event.call_control_id), ""),
    )


def _excuse(events: Sequence[WebhookEvent]) -> None:
    """Take an attempt back: a busy database is no fault of an event."""
    with contextlib.suppress(DatabaseError):  # still gone: the lease will run out
        WebhookEvent.objects.filter(pk__in=[event.pk for event in events]).update(
            attempts=F("attempts") - 1, due_at=timezone.now() + timedelta(seconds=1)
        )


def _fail(event: WebhookEvent, exc: Exception) -> None:
    """Write down why, and when to try again; an unreadable one is not tried again."""
    hopeless = isinstance(exc, payloads.Unreadable) or event.attempts >= MOST_ATTEMPTS
    logger.warning("event %s failed, attempt %d: %r", event.event_id, event.attempts, exc)
    wait_s = BACKOFF_S[min(event.attempts, len(BACKOFF_S)) - 1]
    WebhookEvent.objects.filter(pk=event.pk, attempts=event.attempts).update(
        state=WebhookEvent.State.DEAD if hopeless else WebhookEvent.State.PENDING,
        error=f"{type(exc).__name__}: {exc}"[:500],
        due_at=timezone.now() + timedelta(seconds=wait_s),
    )


def replay(events: Iterable[WebhookEvent]) -> int:
    """Put events back in the queue, as if they had just come; return how many."""
    return WebhookEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        state=WebhookEvent.State.PENDING, attempts=0, due_at=timezone.now(), error=""
    )
