"""Ask Telnyx what it holds, so that no start ends in silence. The pump does it; pages may ask too.

sweep   every ten minutes over a day, daily over a week: announce what no webhook told
settle  a start whose file should have come and that Telnyx does not list: missing, and why
look    a missing one is looked for again for a day, and whenever a person wants it
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from calls import projection
from calls.line import telnyx
from calls.models import Call, Command
from calls.telnyx.errors import TelnyxError
from recordings import outcomes, strangers, telling
from recordings.handlers import CHANNELS
from recordings.models import FoundBy, Recording, State, Sweep, numbers

logger = logging.getLogger(__name__)

RECENT, WEEK = "recent", "week"
SWEEPS = {  # name -> how often, how far back
    RECENT: (timedelta(minutes=10), timedelta(hours=24)),
    WEEK: (timedelta(days=1), timedelta(days=7)),
}
YOUNG = timedelta(minutes=1)  # its webhook is probably on its way
AGAIN_AFTER = timedelta(minutes=1)  # when Telnyx could not be asked
LOOKS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=17))  # after it was given up
SHOWN = "%-d %b %H:%M"
LACKS = "Telnyx has no recording for this call"


def due() -> int:
    """Do what is due; return how many recordings were found or given up."""
    if not settings.TELNYX_API_KEY:
        return 0
    done = sum(_sweep(name, *times) for name, times in SWEEPS.items())
    return done + look_again_due()


def _sweep(name: str, every: timedelta, back: timedelta) -> int:
    sweep = Sweep.claim(name, every=every)
    if sweep is None:
        return 0
    now = timezone.now()
    try:
        found, lost = ask(since=now - back, now=now)
    except TelnyxError as exc:
        logger.info("Telnyx was not asked what it holds: %s", exc)
        wait = timedelta(seconds=exc.retry_after_s) if exc.retry_after_s else AGAIN_AFTER
        Sweep.objects.filter(pk=sweep.pk).update(due_at=now + wait, error=str(exc)[:500])
        return 0
    Sweep.objects.filter(pk=sweep.pk).update(done_at=now, found=found, error="")
    if found:
        # the first time, most are older than the desk
        level = logging.WARNING if sweep.done_at else logging.INFO
        logger.log(level, "%d recordings were found that no webhook had told", found)
        Sweep.bring_forward(name, now + AGAIN_AFTER)  # for their texts, and their starts
    return found + lost


def ask(*, since: datetime, now: datetime) -> tuple[int, int]:
    """Find what no webhook told, and give up what there is not; return how many of each.

    Raises TelnyxError.
    """
    listed = telnyx().recordings(created_since=since, created_until=now - YOUNG)
    found, lost = strangers.announce(listed, FoundBy.ASKING), 0
    strangers.announce_texts(telnyx().recording_transcriptions(created_since=since))
    legs = outcomes.unanswered(since=since).values_list("call__call_leg_id", flat=True)
    for leg in dict.fromkeys(legs):
        found_here, lost_here = settle(leg, now=now)
        found, lost = found + found_here, lost + lost_here
    return found, lost


def settle(leg: str, *, now: datetime) -> tuple[int, int]:
    """Settle the starts of one leg; return how many were found, how many given up.

    Raises TelnyxError. What is found is settled when its event has been applied.
    """
    if not _late(leg, now):
        return 0, 0
    listed = list(telnyx().recordings(call_leg_id=leg))
    found = strangers.announce(listed, FoundBy.ASKING)
    if strangers.among(listed):  # they will be known in a moment, and settled the next time
        return found, 0
    with transaction.atomic():
        call = projection.locked(leg)
        outcomes.match(call)
        late = _late_of(call, now)
        for each in late:
            _give_up(call, each, now)
        if late:
            projection.touch(call)
    return 0, len(late)


def _late(leg: str, now: datetime) -> list[outcomes.Open]:
    """Match the recordings of a leg to its starts; return the starts that are late."""
    with transaction.atomic():
        call = projection.locked(leg)
        outcomes.match(call)
        return _late_of(call, now)


def _late_of(call: Call, now: datetime) -> list[outcomes.Open]:
    starts = Command.objects.filter(outcomes.STARTS, call=call, made=None).select_related("call")
    return [each for each in outcomes.still_open(starts) if each.is_late(now)]


def _give_up(call: Call, lost: outcomes.Open, now: datetime) -> None:
    """Write down that there is no recording of a start, to be looked for again later."""
    params = lost.start.params
    at = lost.started_at
    while Recording.objects.filter(call=call, recording_id="", started_at=at).exists():
        at += timedelta(microseconds=1)
    missing = Recording.objects.create(
        call=call,
        started_by=lost.start,
        state=State.MISSING,
        found_by=FoundBy.ASKING,
        since=now,
        reason=_reason(now),
        announced_at=now,
        due_at=now + LOOKS[0],
        started_at=at,
        start_inferred=True,
        ended_at=lost.ended_at,
        format=str(params.get("format") or params.get("record_format") or "")[:16],
        channels=CHANNELS.get(str(params.get("channels") or params.get("record_channels"))),
        direction=call.direction,
        **numbers(call.from_number, call.to_number),
    )
    telling.tell(missing, State.MISSING, missing.reason)


def _reason(now: datetime) -> str:
    return f"{LACKS} (checked {timezone.localtime(now).strftime(SHOWN)})."


def look_again_due() -> int:
    """Look again for those given up whose time has come; return how many were found."""
    now = timezone.now()
    silent = Recording.objects.filter(
        state__in=[State.MISSING, State.FAILED], recording_id="", due_at__lte=now
    )
    found = 0
    for recording in silent.select_related("call").order_by("due_at")[:20]:
        mine = silent.filter(pk=recording.pk, due_at=recording.due_at)
        if mine.update(due_at=now + LOOKS[0]):  # a lease, should we not live to plan the next
            found += _look(recording, now)
    return found


def _look(recording: Recording, now: datetime) -> int:
    """Ask Telnyx about one that it never told of; return how many recordings that brought."""
    held = Recording.objects.filter(pk=recording.pk, state=recording.state)
    try:
        listed = list(telnyx().recordings(call_leg_id=recording.call.call_leg_id))
        found = strangers.announce(listed, FoundBy.ASKING)
    except TelnyxError as exc:
        logger.info("recording %s is looked for later: %s", recording.pk, exc)
        held.update(due_at=now + AGAIN_AFTER)
        return 0
    if not found:
        told: dict[str, object] = {}
        if recording.state == State.MISSING:
            told = {"reason": _reason(now)}
        held.change(**told, due_at=_next_look(recording, now), failures=F("failures") + 1)
    return found


def _next_look(recording: Recording, now: datetime) -> datetime | None:
    looks = recording.failures + 1
    return now + LOOKS[looks] if looks < len(LOOKS) else None


def look_again(recordings: Iterable[Recording]) -> int:
    """Let those that Telnyx never told of be looked for at once; return how many."""
    keys = [recording.pk for recording in recordings if recording.is_told_failure]
    return Recording.objects.filter(pk__in=keys).change(due_at=timezone.now())
