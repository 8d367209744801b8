"""Things people should hear of without looking: told once per cause, in the transaction of it.

    tell(kind, ..., cause=...) -> Signal --fan-out, one commit--> Notices, mail due, Deliveries

A kind is one entry of KINDS. Whoever notices something calls `tell` where it writes down what
happened; the cause keeps it from being told twice, however often its code runs.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils import timezone

from access.policies import Right, holders, may
from calls.models import Delivery, Endpoint, Mailbox, Notice, NoticeChoice, Signal
from calls.ring import ring

logger = logging.getLogger(__name__)

BATCH = 50  # signals fanned out in one commit
GATHER = timedelta(seconds=10)  # so long the first mail waits for what comes along
MAIL_GAP = timedelta(minutes=5)  # between two mails to one person, however much happens
KEPT_FOR = timedelta(days=90)
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing to hear of."""

    name: str
    label: str
    explained: str
    right: Right = Right.SEE  # who may hear of it
    in_desk: bool = True  # unless the person chose otherwise


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "call.ended_paused",
            "Call ended while paused",
            "A call ended and nobody had resumed its recording.",
        ),
        Kind(
            "pause.overdue",
            "Pause overdue",
            "The time of a pause was up, and the desk could not have the recording resumed.",
        ),
        Kind(
            "recording.missing",
            "Recording missing",
            "A recording was started, and Telnyx has none.",
        ),
        Kind("recording.failed", "Recording failed", "A recording could not be made or fetched."),
        Kind("recording.damaged", "Recording damaged", "A stored file is not what it was."),
        Kind("recording.stored", "Recording stored", "A file is here and whole.", in_desk=False),
        Kind(
            "webhooks.silent",
            "Webhooks are silent",
            "Something goes on at Telnyx, and no webhook tells of it.",
        ),
        Kind(
            "neighbour.down",
            "Neighbour does not answer",
            "An application behind the desk misses webhooks.",
            Right.OPERATE,
        ),
        Kind(
            "endpoint.gone",
            "Endpoint switched off",
            "A system that was told such things answered 410 Gone.",
            Right.OPERATE,
        ),
    )
}


def tell(kind: str, subject: str, text: str, url: str, *, cause: str, **ids: object) -> None:
    """Write down that something happened, once per kind and cause; ring when it is committed.

    `url` is the path of the page to look at, `ids` what other systems are told besides.
    """
    signal = Signal(
        kind=KINDS[kind].name,
        cause=f"{kind}:{cause}"[:160],
        subject=subject[:200],
        text=text,
        url=url[:300],
        ids={name: str(value) for name, value in ids.items()},
        at=timezone.now(),
    )
    Signal.objects.bulk_create([signal], ignore_conflicts=True)
    transaction.on_commit(partial(ring, "signals"))


def fan_out_due() -> int:
    """Tell everybody who is to hear of what is new; return of how many things."""
    done = 0
    while batch := list(Signal.objects.filter(fanned_at=None).order_by("at")[:BATCH]):
        with transaction.atomic():
            fan_out(batch)
        done += len(batch)
    return done


def fan_out(signals: Sequence[Signal]) -> None:
    """Make the rows of everybody who is to hear of these; twice is the same as once."""
    now = timezone.now()
    fresh = [
        signal
        for signal in signals
        if Signal.objects.filter(pk=signal.pk, fanned_at=None).update(fanned_at=now)
    ]
    endpoints = list(Endpoint.objects.filter(state=Endpoint.State.ACTIVE)) if fresh else []
    wanted = [
        Delivery(endpoint=endpoint, signal=signal, due_at=now)
        for signal in fresh
        for endpoint in endpoints
        if signal.kind in endpoint.kinds
    ]
    Delivery.objects.bulk_create(wanted, ignore_conflicts=True)
    notices = [notice for kind, some in _by_kind(fresh) for notice in _notices(kind, some)]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    _expect_mail({notice.user_id for notice in notices if notice.to_mail}, now)


def _by_kind(signals: Iterable[Signal]) -> Iterable[tuple[str, list[Signal]]]:
    found: defaultdict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.kind in KINDS:  # else of a version of the desk that knew more
            found[signal.kind].append(signal)
    return found.items()


def _notices(kind: str, signals: Sequence[Signal]) -> Iterable[Notice]:
    chosen = {choice.user_id: choice for choice in NoticeChoice.objects.filter(kind=kind)}
    for person in holders(KINDS[kind].right):
        choice = chosen.get(person.pk)
        is_shown = choice.in_desk if choice else KINDS[kind].in_desk
        to_mail = bool(choice and choice.by_mail and person.email and settings.EMAIL_URL)
        if is_shown or to_mail:
            for signal in signals:
                yield Notice(user=person, signal=signal, is_shown=is_shown, to_mail=to_mail)


def _expect_mail(people: set[int], now: datetime) -> None:
    """Let a mail be due for these people, unless one is already."""
    boxes = [Mailbox(user_id=pk) for pk in people]
    Mailbox.objects.bulk_create(boxes, ignore_conflicts=True)
    # held, so that who sends at this moment sees these notices when it writes down that it did
    held = Mailbox.objects.filter(user__in=people).order_by("pk").select_for_update()
    for box in held:
        if box.due_at is not None:
            continue
        due_at = max(now + GATHER, (box.last_sent_at or now - MAIL_GAP) + MAIL_GAP)
        Mailbox.objects.filter(pk=box.pk).update(due_at=due_at)


def unread(user: User | AnonymousUser) -> int:
    """Return how many notices a person has not read."""
    if not user.pk:
        return 0
    return Notice.objects.filter(user_id=user.pk, is_shown=True, read_at=None).count()


def kinds_for(user: User | AnonymousUser) -> list[Kind]:
    """Return what a person may hear of."""
    return [kind for kind in KINDS.values() if may(user, kind.right)]


def sweep() -> int:
    """Forget what happened three months ago, with its notices and deliveries."""
    old = Signal.objects.filter(at__lt=timezone.now() - KEPT_FOR)
    done = 0
    while some := list(old.values_list("pk", flat=True)[:CHUNK]):
        Signal.objects.filter(pk__in=some).delete()
        done += len(some)
    return done
