"""What the desk asks Telnyx of its own accord, one question a second at most, commands first.

    board       every minute: which calls live there?  gone from it: probed; strangers: their story
    deliveries  every five minutes: which webhooks could Telnyx not deliver since the last answer?
    leg:<id>    what happened on a leg of which the webhooks tell too little?

Each is a Question row, so a kill costs a page of one answer. What is found becomes a fact by
`found.keep`; whether a call lives is `reconcile`'s business.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from calls import fold, found, projection
from calls.line import telnyx
from calls.models import LIVE, Call, Command, Question
from calls.models.asking import LEG
from calls.telnyx.errors import TelnyxError
from calls.telnyx.readings import ActiveCall, Delivery

logger = logging.getLogger(__name__)

PACE = timedelta(seconds=1)
BOARD_EVERY = timedelta(minutes=1)
DELIVERIES_EVERY = timedelta(minutes=5)
BACK = timedelta(hours=24)  # the first time, and as far as Telnyx's log goes without a leg
FARTHEST = timedelta(days=7)  # our choice: later an import of the recordings tells what matters
OVERLAP = timedelta(minutes=10)  # a delivery is listed when it ended, by when it began
YOUNG = timedelta(seconds=5)  # its webhooks are probably on their way
COMMANDS_FIRST = timedelta(seconds=5)  # for so long a due question waits for due commands
SECOND_LOOK = timedelta(minutes=1)  # at a story that brought nothing new
LOOKS = 2
MOST_DROPPED = 100  # stories in one go that were told meanwhile
ALIVE_FOR_S = 300.0  # a call that Telnyx said lives, though no list of ours has it


def begin() -> None:
    """Ask at once what happened while the desk was down."""
    now = timezone.now()
    for name in _regular():
        Question.want(name, now)
    if Question.BOARD not in _regular():  # nothing tells which calls live but each call itself
        Call.objects.filter(line__in=LIVE).update(probe_at=now)


def want_story(leg: str, *, after: timedelta = timedelta()) -> None:
    """Have Telnyx asked what happened on a leg."""
    if leg:
        Question.want(f"{LEG}{leg}", timezone.now() + after)


def ask_due() -> int:
    """Ask Telnyx the next question; return how many were asked."""
    if not settings.TELNYX_API_KEY:
        return 0
    now = timezone.now()
    question = _next(now)
    if question is None or _commands_go_first(question, now):
        return 0
    if not Question.may_ask(PACE) or not question.claim():
        return 0
    ask = _ANSWERS.get(question.name, _story)
    try:
        ask(question)
    except TelnyxError as exc:
        logger.info("Telnyx does not answer about %s: %s", question, exc)
        if question.leg and exc.permanent:
            Question.objects.filter(pk=question.pk).delete()  # it will not know later either
        else:
            question.failed(str(exc), status=exc.status, wait_s=exc.retry_after_s)
    except ValueError as exc:  # of the settings: nothing was asked
        question.failed(
            f"Check TELNYX_API_KEY and TELNYX_BASE_URL: {exc}.", status=None, wait_s=60
        )
    return 1


def _regular() -> list[str]:
    return [*([Question.BOARD] if settings.TELNYX_CONNECTION_ID else []), Question.DELIVERIES]


def _next(now: datetime) -> Question | None:
    regular = set(_regular())
    there = set(Question.objects.filter(name__in=regular).values_list("name", flat=True))
    for name in regular - there:  # a desk's first minutes, or the database came after the pump
        Question.want(name, now)
    due = Question.objects.filter(due_at__lte=now)
    # first what tells of many calls: after it most stories are told
    if first := due.filter(name__in=regular).order_by("due_at").first():
        return first
    stories = due.filter(name__startswith=LEG).order_by("due_at")
    for story in stories[:MOST_DROPPED]:
        if not _is_told(story.leg):
            return story
        Question.objects.filter(pk=story.pk).delete()
    return None


def _is_told(leg: str) -> bool:
    """Say whether nothing about a leg is left to ask."""
    call = Call.objects.filter(call_leg_id=leg).first()
    return (
        call is not None
        and call.line != fold.Line.UNKNOWN
        and not call.ended_inferred
        and call.doubted_at is None
        and not call.commands.filter(state=Command.State.TIMED_OUT).exists()
    )


def _commands_go_first(question: Question, now: datetime) -> bool:
    if now - question.due_at > COMMANDS_FIRST:
        return False
    return Command.objects.filter(state__in=Command.OPEN, due_at__lte=now).exists()


# The board


def _board(question: Question) -> None:
    """Compare what lives here with what lives at Telnyx."""
    asked_at = timezone.now()
    rows = telnyx().active_calls(settings.TELNYX_CONNECTION_ID)
    there = {row.call_leg_id: row for row in rows}
    gone = _doubt_gone(there, before=asked_at - YOUNG)
    strangers = _meet(there.values(), asked_at)
    if gone or strangers:
        logger.info(
            "board: %d live at Telnyx, %d here only, %d unknown", len(there), gone, strangers
        )
    was_here = question.done_at is not None and asked_at - question.done_at < BOARD_EVERY * 2
    again_at = asked_at + BOARD_EVERY
    question.answered(again_at=again_at, listed=len(there), found=strangers, tells=was_here)


_alive_until: dict[str, float] = {}  # leg -> until when not to doubt it; of this process


def lives_elsewhere(leg: str) -> None:
    """Remember that Telnyx called a leg alive: it runs on a connection that we do not list."""
    if len(_alive_until) > 10_000:
        _alive_until.clear()
    _alive_until[leg] = time.monotonic() + ALIVE_FOR_S


def _doubt_gone(there: Collection[str], *, before: datetime) -> int:
    """Have those that live here only asked about; return how many."""
    here = Call.objects.filter(line__in=LIVE, first_heard_at__lt=before)
    now = time.monotonic()
    gone = [
        key
        for key, leg in here.values_list("pk", "call_leg_id")
        if leg not in there and _alive_until.get(leg, 0.0) < now
    ]
    for at in range(0, len(gone), 500):
        Call.objects.filter(pk__in=gone[at : at + 500], line__in=LIVE).update(
            probe_at=timezone.now()
        )
    return len(gone)


def _meet(rows: Iterable[ActiveCall], now: datetime) -> int:
    """Ask for the stories of calls that live there and are unknown here; return how many."""
    old = [row for row in rows if row.duration_s is None or row.duration_s >= YOUNG.seconds]
    known: set[str] = set()
    for at in range(0, len(old), 500):
        legs = [row.call_leg_id for row in old[at : at + 500]]
        calls = Call.objects.filter(call_leg_id__in=legs)
        known |= set(calls.values_list("call_leg_id", flat=True))
    strangers = [row for row in old if row.call_leg_id not in known]
    for place, row in enumerate(strangers):
        ids = projection.Ids(row.call_leg_id, row.call_session_id, row.call_control_id)
        with transaction.atomic():
            call = projection.all_locked([ids])[row.call_leg_id]
            # its story says more than a probe, and is asked for first
            Call.objects.filter(pk=call.pk, line=fold.Line.UNKNOWN).update(
                probe_at=now + YOUNG * 2 + PACE * place
            )
        want_story(row.call_leg_id)
    return len(strangers)


# The deliveries


def _deliveries(question: Question) -> None:
    """Read a page of the webhooks that Telnyx gave up."""
    now = timezone.now()
    since, until, page = question.since, question.until, question.page
    if until is None or since is None:
        since, until, page = max(since or now - BACK, now - FARTHEST), now, 1
    answer = telnyx().webhook_deliveries_page(page, status="failed", since=since, until=until)
    lost = [row.raw for row in answer.rows if row.raw is not None and is_ours(row)]
    count = found.keep(lost, found.DELIVERIES)
    so_far = (question.found if page > 1 else 0) + count
    if count:
        logger.warning("%d webhooks that Telnyx could not deliver were found again", count)
    if answer.is_last:
        question.answered(
            again_at=now + DELIVERIES_EVERY,
            listed=answer.total or len(answer.rows),
            found=so_far,
            since=until - OVERLAP,
            until=None,
            page=1,
        )
    else:
        found_at = now if count else question.found_at
        place = {"since": since, "until": until, "page": page + 1}
        question.turned(again_at=now + PACE, found=so_far, found_at=found_at, **place)


def is_ours(row: Delivery) -> bool:
    """Say whether a webhook was meant for this desk; an account may have other applications."""
    if not row.event_type.startswith("call."):
        return False
    connection = settings.TELNYX_CONNECTION_ID
    return not connection or row.connection_id == connection or any(map(_is_here, row.urls))


def _is_here(url: str) -> bool:
    return _place(url) == _place(f"{settings.PUBLIC_URL}/webhooks/telnyx")


def _place(url: str) -> tuple[str | None, int | None, str]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None, None, url
    return parts.hostname, port, parts.path.rstrip("/")


# The story of a leg


def _story(question: Question) -> None:
    """Read the log of a leg; what no webhook told is told now."""
    log = telnyx().call_events(call_leg_id=question.leg)
    told = [event.raw for event in log if event.type == "webhook" and event.raw is not None]
    count = found.keep(told, found.LOG)
    if count or question.looks + 1 >= LOOKS:
        Question.objects.filter(pk=question.pk, due_at=question.due_at).delete()
    else:
        again_at = timezone.now() + SECOND_LOOK
        question.answered(again_at=again_at, listed=len(told), found=0)


_ANSWERS: dict[str, Callable[[Question], None]] = {
    Question.BOARD: _board,
    Question.DELIVERIES: _deliveries,
}
