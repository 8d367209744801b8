"""Facts are applied here: the state of the call by the fold, and whatever else hangs on an event.

    due WebhookEvents --by leg--> fold + handlers, one commit --> applied | ignored | dead

Other packages add handlers with `@handles("call.recording.saved")`. A handler runs inside the
transaction that marks its event applied, may run twice, and does no network and no file work.
"""

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from calls import fold, projection
from calls.models import Call, WebhookEvent
from calls.telnyx import payloads

logger = logging.getLogger(__name__)

Handler = Callable[[WebhookEvent, payloads.Event, Call], None]

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
LEASE = timedelta(seconds=10)
BACKOFF_S = (1, 5, 30, 120)
MOST_ATTEMPTS = len(BACKOFF_S) + 1

_handlers: defaultdict[str, list[Handler]] = defaultdict(list)


def handles(event_type: str) -> Callable[[Handler], Handler]:
    """Register a function to be called with every event of a type."""

    def register(handler: Handler) -> Handler:
        _handlers[event_type].append(handler)
        return handler

    return register


def is_known(event_type: str) -> bool:
    """Say whether anything is done with events of this type."""
    return event_type in fold.TYPES or event_type in WITHOUT_EFFECT or event_type in _handlers


def apply_due(*, overdue: timedelta = timedelta()) -> int:
    """Apply events until none is due (or none is overdue by so much); return how many."""
    done = 0
    while batch := _claim(timezone.now() - overdue):
        for leg, events in _by_leg(batch):
            _apply(leg, events)
        done += len(batch)
    return done


def _claim(due_before: datetime) -> list[WebhookEvent]:
    """Take a batch for ourselves: the end of the lease is our mark on it.

    The attempt is counted in a commit of its own, so that an event which kills the process still
    runs out of attempts; what was tried before comes alone, so that it takes no other along.
    """
    pending = WebhookEvent.objects.filter(state=WebhookEvent.State.PENDING)
    due = pending.filter(due_at__lte=due_before).order_by("due_at", "id")
    keys = list(due.filter(attempts=0).values_list("pk", flat=True)[:BATCH])
    keys = keys or list(due.values_list("pk", flat=True)[:1])
    if not keys:
        return []
    lease = timezone.now() + LEASE
    pending.filter(pk__in=keys, due_at__lte=due_before).update(
        attempts=F("attempts") + 1, due_at=lease
    )
    return list(pending.filter(pk__in=keys, due_at=lease).order_by("id"))


def _by_leg(batch: Iterable[WebhookEvent]) -> Iterable[tuple[str, list[WebhookEvent]]]:
    legs: defaultdict[str, list[WebhookEvent]] = defaultdict(list)
    for event in batch:
        legs[event.call_leg_id].append(event)
    return legs.items()


def _apply(leg: str, events: Sequence[WebhookEvent]) -> None:
    if events[0].attempts > MOST_ATTEMPTS:  # nobody lived to write down why
        _fail(events[0], RuntimeError("the process ended each time this event was applied"))
        return
    try:
        with transaction.atomic():
            _apply_together(leg, events)
    except OperationalError as exc:
        logger.warning("events of leg %s wait for the database: %s", leg, exc)
        _excuse(events)
    except Exception as exc:  # an event must outlive whatever its handler raises
        if len(events) > 1:
            for event in events:
                _apply(leg, [event])
        else:
            _fail(events[0], exc)


def _apply_together(leg: str, events: Sequence[WebhookEvent]) -> None:
    known = [event for event in events if leg and is_known(event.event_type)]
    if known:
        call = projection.locked(
            leg,
            session=next((e.call_session_id for e in known if e.call_session_id), ""),
            control=next((e.call_control_id for e in known if e.call_control_id), ""),
        )
        for event in known:
            for handler in _handlers[event.event_type]:
                handler(event, payloads.parse(bytes(event.raw)), call)
        if any(event.event_type in fold.TYPES for event in known):
            projection.refold(call)
        elif any(event.event_type in WITHOUT_EFFECT for event in known):
            projection.touch(call)
    for state, rows in (
        (WebhookEvent.State.APPLIED, known),
        (WebhookEvent.State.IGNORED, [event for event in events if event not in known]),
    ):
        if rows:
            WebhookEvent.objects.filter(pk__in=[row.pk for row in rows]).update(
                state=state, error=""
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
