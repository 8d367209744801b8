"""What became of each accepted start of a recording: exactly one row, or it is still open.

    stored | missing | failed, corrupt | deleted          open: it runs, or its file may yet come

A start is a record_start that Telnyx took, or a call recorded from its answer on, once answered.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from calls.models import Call, Command, Kind
from recordings import pairing
from recordings.models import Recording

SOON = timedelta(minutes=10)  # Telnyx saves within seconds; a slow render may take some minutes

FROM_ANSWER = Q(kind__in=[Kind.DIAL, Kind.ANSWER], params__record="record-from-answer")
STARTS = Q(state__in=Command.APPLIED) & (
    Q(kind=Kind.RECORD_START) | FROM_ANSWER & Q(call__answered_at__isnull=False)
)


@dataclass(frozen=True, slots=True)
class Open:
    """An accepted start without a recording yet."""

    start: Command
    started_at: datetime
    ended_at: datetime | None  # by our clock: when we learned that it must have ended

    def is_late(self, now: datetime) -> bool:
        """Say whether its file should have come."""
        return self.ended_at is not None and self.ended_at < now - SOON


def unanswered(*, since: datetime) -> "QuerySet[Command]":
    """Return the accepted starts asked for since a moment that have no recording yet."""
    asked = Command.objects.filter(STARTS, requested_at__gte=since, made=None, call__isnull=False)
    return asked.select_related("call").order_by("requested_at", "id")


def still_open(starts: Iterable[Command]) -> list[Open]:
    """Return what is known of starts without a recording."""
    starts = list(starts)
    stops = _stops({start.call_id for start in starts if start.call_id})
    return [_open(start, stops) for start in starts if start.call]


def _open(start: Command, stops: dict[UUID, list[datetime]]) -> Open:
    call = start.call
    assert call is not None  # noqa: S101  (unanswered() and still_open() see to it)
    began = began_at(start, call)
    ends = [at for at in stops[call.pk] if at > began]
    if call.line == Call.Line.ENDED and call.closed_at:
        ends.append(call.closed_at)
    return Open(start, began, min(ends, default=None))


def _stops(calls: Collection[UUID]) -> dict[UUID, list[datetime]]:
    found: defaultdict[UUID, list[datetime]] = defaultdict(list)
    sent = Command.objects.filter(call__in=calls, kind=Kind.RECORD_STOP, state__in=Command.APPLIED)
    for stop in sent:
        if stop.call_id:
            found[stop.call_id].append(taken_at(stop))
    return found


def taken_at(command: Command) -> datetime:
    """Return when Telnyx took a command, as near as we know."""
    return (
        command.accepted_at
        or command.confirmed_at
        or command.first_sent_at
        or command.requested_at
    )


def began_at(start: Command, call: Call) -> datetime:
    """Return when a start began to record; from the answer on, by Telnyx's clock."""
    if start.kind != Kind.RECORD_START and call.answered_at:
        return call.answered_at
    return taken_at(start)


def match(call: Call) -> None:
    """Give each recording of a call, which is held, the start that it came of."""
    starts = Command.objects.filter(STARTS, call=call, made=None)
    files = Recording.objects.filter(call=call, started_by=None)
    pairs = pairing.pair(
        [
            pairing.Start(
                start.pk, began_at(start, call), str(start.answer.get("recording_id") or "")
            )
            for start in starts
        ],
        [
            pairing.File(file.pk, file.started_at, file.recording_id, file.start_inferred)
            for file in files
        ],
    )
    for start, file in pairs.items():
        Recording.objects.filter(pk=file).update(started_by=start)
