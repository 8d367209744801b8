"""Pass webhooks on to the neighbours, byte for byte. The rows are the queue.

    Forward due --claim--> POST --> delivered | refused | later | given up after a minute

Order is kept per call leg: only the eldest open row of a leg can be claimed. Whoever fails five
times in a row is left alone for some seconds, then tried with one row. What a neighbour answers
never reaches Telnyx, and what the desk found out by asking is never passed on.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from calls import outbound, signals
from calls.couriers import Couriers
from calls.models import OPENS_AFTER, Forward, Neighbour

logger = logging.getLogger(__name__)

WIDTH = 8  # threads for one neighbour in one process
WINDOW = 300  # open rows looked at for one claim
MOST = 16  # rows claimed at once
LEASE = timedelta(seconds=15)  # longer than a POST can take, and the wait for it
STALE = timedelta(seconds=8)  # so near its end nothing is begun any more
BACKOFF_S = (1, 2, 4, 8, 15)  # the last one again and again, until the minute is over
OPEN_FOR = timedelta(seconds=5)
AGAIN = {408, 409, 425, 429}  # answers of 4xx that ask to be asked again
NOTED_EVERY = timedelta(seconds=5)  # a success need not be written down more often
KEPT_FOR = timedelta(hours=24)
CHUNK = 500  # rows deleted in one commit: meanwhile SQLite's other writers wait
TEST_BODY = json.dumps(
    {
        "data": {
            "record_type": "event",
            "event_type": "tapeline.test",
            "payload": {"text": "A test of the way to this address. It is not signed."},
        }
    }
).encode()

State = Forward.State


@dataclass(frozen=True, slots=True)
class Held:
    """A row that is ours until its lease ends."""

    forward: Forward
    lease: datetime


_held: dict[int, deque[Held]] = {}
_claiming = threading.Lock()


def forward_due(*, overdue: timedelta = timedelta()) -> int:
    """Set threads to what is due (or overdue by so much); return how many rows that is."""
    now = timezone.now()
    found = 0
    for neighbour in Neighbour.objects.filter(is_paused=False):
        _give_up_old(neighbour, now)
        if neighbour.open_until and neighbour.open_until > now:
            continue
        due = _open(neighbour.pk).filter(due_at__lte=now - overdue)
        waiting = len(due.values_list("pk")[:WIDTH])
        if waiting:
            couriers.wake(neighbour.pk, waiting)
            found += waiting
    return found


def _open(neighbour: int) -> "models.QuerySet[Forward]":
    return Forward.objects.filter(neighbour=neighbour, due_at__isnull=False)


def carry(neighbour: int) -> bool:
    """Pass on one row to a neighbour; return whether there was one to be had."""
    forward = _take(neighbour)
    if forward is None:
        return False
    _send(forward)
    return True


couriers = Couriers("forward", WIDTH, carry)


def _take(neighbour: int) -> Forward | None:
    """Return a row that is ours to send, out of the last claim or a new one."""
    with _claiming:
        held = _held.setdefault(neighbour, deque())
        if not held:
            held.extend(_claim(neighbour))
        while held:
            first = held.popleft()
            if first.lease - timezone.now() > STALE:
                return first.forward
    return None


def _claim(pk: int) -> list[Held]:
    """Take the eldest due row of some legs. The attempt is counted before anything can fail."""
    now = timezone.now()
    neighbour = Neighbour.objects.filter(pk=pk, is_paused=False).first()
    if neighbour is None or (neighbour.open_until and neighbour.open_until > now):
        return []
    heads = _heads(pk, now, most=1 if neighbour.is_down else MOST)
    if not heads:
        return []
    lease = timezone.now() + LEASE
    mine = _open(pk).filter(pk__in=heads)
    mine.filter(due_at__lte=now).update(
        state=State.SENDING, attempts=F("attempts") + 1, due_at=lease
    )
    taken = mine.filter(due_at=lease).select_related("event", "neighbour").order_by("id")
    return [Held(forward, lease) for forward in taken]


def _heads(neighbour: int, now: datetime, *, most: int) -> list[int]:
    """Return the rows that may go now: due, and the eldest open one of their leg.

    With one row to be tried, none may be under way.
    """
    rows = _open(neighbour).order_by("id").values_list("pk", "leg", "due_at", "state")[:WINDOW]
    legs: set[str] = set()
    heads: list[int] = []
    for pk, leg, due_at, state in rows:
        if due_at is None or due_at > now:
            if most == 1 and state == State.SENDING:
                return []
        elif leg not in legs or not leg:
            heads.append(pk)
        legs.add(leg)
    return heads[:most]


def _send(forward: Forward) -> None:
    neighbour = forward.neighbour
    try:
        answer = outbound.post(
            neighbour.url, bytes(forward.event.raw), _headers(forward), inside=neighbour.is_inside
        )
    except outbound.Unsent as exc:
        _fail(forward, str(exc))
        return
    if answer.is_success:
        _settle(forward, State.DELIVERED, answer.status)
        _note_success(neighbour)
    elif 400 <= answer.status < 500 and answer.status not in AGAIN:
        _settle(forward, State.REFUSED, answer.status, f"It answered {answer.status}.")
        _note_success(neighbour, refused=f"It refused a webhook with {answer.status}.")
    else:
        _fail(forward, f"It answered {answer.status}.", answer.status)


def _headers(forward: Forward) -> dict[str, str]:
    """Return what Telnyx sent, as far as a receiver checks or reads it."""
    headers: dict[str, str] = json.loads(forward.headers)
    return headers


def _mine(forward: Forward) -> "models.QuerySet[Forward]":
    return Forward.objects.filter(pk=forward.pk, state=State.SENDING, attempts=forward.attempts)


def _settle(forward: Forward, state: str, status: int | None, error: str = "") -> None:
    now = timezone.now()
    _mine(forward).update(
        state=state,
        settled_at=now,
        due_at=None,
        status=status,
        error=error,
        took_ms=max(0, (now - forward.received_at) // timedelta(milliseconds=1)),
    )


def _fail(forward: Forward, error: str, status: int | None = None) -> None:
    """Plan the next try within the minute, else give up; and note how the neighbour does."""
    now = timezone.now()
    wait_s = BACKOFF_S[min(forward.attempts, len(BACKOFF_S)) - 1]
    next_at = now + timedelta(seconds=wait_s)
    if next_at > forward.received_at + Forward.LIFE:
        _settle(forward, State.GIVEN_UP, status, error[:300])
    else:
        _mine(forward).update(state=State.QUEUED, due_at=next_at, status=status, error=error[:300])
    _note_failure(forward.neighbour, error, now)


def _note_success(neighbour: Neighbour, refused: str = "") -> None:
    now = timezone.now()
    same = Neighbour.objects.filter(pk=neighbour.pk)
    if refused:
        same.update(last_failure_at=now, last_error=refused)
    last = neighbour.last_success_at
    if neighbour.failures or last is None or last < now - NOTED_EVERY:
        same.update(last_success_at=now, failures=0, open_until=None, down_since=None)


def _note_failure(neighbour: Neighbour, error: str, now: datetime) -> None:
    """Count it; after some in a row leave the neighbour alone for a while, and say so once."""
    same = Neighbour.objects.filter(pk=neighbour.pk)
    same.update(failures=F("failures") + 1, last_failure_at=now, last_error=error[:300])
    with transaction.atomic():
        down = same.filter(failures__gte=OPENS_AFTER)
        down.update(open_until=now + OPEN_FOR)
        if down.filter(down_since=None).update(down_since=now):
            signals.tell(
                "neighbour.down",
                f"{neighbour.name} does not answer",
                f"{error} What it misses for longer than a minute is not told to it again.",
                reverse("neighbours:list"),
                cause=f"{neighbour.pk}:{now.isoformat()}",
            )
            logger.warning("neighbour %s is down: %s", neighbour.name, error)


def _give_up_old(neighbour: Neighbour, now: datetime) -> int:
    """Give up what waited for a minute: by then its signature would soon be refused."""
    old = _open(neighbour.pk).filter(received_at__lte=now - Forward.LIFE, due_at__lte=now)
    return old.update(
        state=State.GIVEN_UP,
        due_at=None,
        settled_at=now,
        error="It did not answer within a minute.",
    )


def pause(neighbour: Neighbour, *, is_paused: bool) -> None:
    """Let a neighbour hear nothing more, or hear what comes from now on."""
    now = timezone.now()
    with transaction.atomic():
        Neighbour.objects.filter(pk=neighbour.pk).update(
            is_paused=is_paused, failures=0, open_until=None, down_since=None
        )
        if is_paused:
            _open(neighbour.pk).update(
                state=State.GIVEN_UP, due_at=None, settled_at=now, error="It was paused."
            )


def try_out(neighbour: Neighbour) -> outbound.Answer:
    """POST a test that says it is one. Raises outbound.Unsent."""
    headers = {"Content-Type": "application/json", "User-Agent": "Tapeline (test)"}
    return outbound.post(neighbour.url, TEST_BODY, headers, inside=neighbour.is_inside)


def sweep() -> int:
    """Forget what was settled a day ago, and what was for a neighbour that is no more."""
    old = Forward.objects.filter(received_at__lt=timezone.now() - KEPT_FOR)
    lost = Forward.objects.exclude(neighbour__in=Neighbour.objects.values("pk"))
    done = 0
    for rows in (old, lost):
        while some := list(rows.values_list("pk", flat=True)[:CHUNK]):
            done += Forward.objects.filter(pk__in=some).delete()[0]
    return done


@dataclass(frozen=True, slots=True)
class Health:
    """How a neighbour does, from the newest rows."""

    waiting: int
    oldest_at: datetime | None
    delivered: int
    refused: int
    given_up: int
    p95_ms: int | None


NEWEST = 500


def health(neighbour: Neighbour) -> Health:
    """Return how a neighbour did in the last hour, as far as its newest rows tell."""
    waiting = _open(neighbour.pk)
    oldest = waiting.order_by("id").values_list("received_at", flat=True).first()
    since = timezone.now() - timedelta(hours=1)
    lately = Forward.objects.filter(neighbour=neighbour, received_at__gt=since).order_by("-id")
    rows = list(lately.values_list("state", "took_ms")[:NEWEST])
    states = [state for state, _ in rows]
    return Health(
        waiting=waiting.count(),
        oldest_at=oldest,
        delivered=states.count(State.DELIVERED),
        refused=states.count(State.REFUSED),
        given_up=states.count(State.GIVEN_UP),
        p95_ms=_p95(
            [took for state, took in rows if state == State.DELIVERED and took is not None]
        ),
    )


def _p95(values: Sequence[int]) -> int | None:
    """Return what 95 of 100 did not exceed."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)] if values else None
