"""When a recording was paused: our accepted commands, told by Telnyx's clock.

    Commands of the leg (our clock) --skew--> [Pause] between the recording's start and its end

Telnyx confirms a pause by its 2xx alone, so the ledger is all there is. Two clocks are bridged by
one act that both saw: Telnyx applied our record_start between our sending it and its answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Q

from calls import wishes
from calls.models import Command, Kind, WebhookEvent
from recordings.filetime import Stretch
from recordings.models import Recording

SAME_ACT = timedelta(seconds=10)  # further apart, a command did not start this recording
STILL = timedelta()


class How(StrEnum):
    """What ended a pause, in the words of the page."""

    PERSON = "a person"
    GUARD = "the desk, when the time was up"
    CALL_END = "the end of the call"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of one recording; times are Telnyx's."""

    start: datetime
    stop: datetime
    by: str
    reason: str
    end: str  # how it ended, as the rest of a sentence
    how: How = How.PERSON

    @property
    def stretch(self) -> Stretch:
        return self.start, self.stop

    @property
    def lasted(self) -> timedelta:
        return self.stop - self.start


def moves(recording: Recording) -> list[Command]:
    """Return what Telnyx accepted on the recording's leg, and what may have ended a pause."""
    accepted = Q(accepted_at__isnull=False)
    in_doubt = Q(state=Command.State.UNKNOWN, kind__in=ENDS)
    found = Command.objects.filter(accepted | in_doubt, call=recording.call_id)
    return list(found.select_related("requested_by").order_by("requested_at", "pk"))


def skew(
    recording: Recording, commands: Iterable[Command], events: Iterable[WebhookEvent]
) -> timedelta:
    """Return how far our clock is ahead of Telnyx's, as exactly as anything tells."""
    lags = [
        event.received_at - event.occurred_at
        for event in events
        if event.occurred_at and event.source == WebhookEvent.Source.WEBHOOK
    ]
    rough = min(lags, default=STILL)  # too much by the quickest webhook's way
    if recording.start_inferred:
        return rough
    starts = [
        applied_at(command) - recording.started_at
        for command in commands
        if command.kind == Kind.RECORD_START and command.accepted_at
    ]
    exact = min(starts, key=lambda start: abs(start - rough), default=None)
    return rough if exact is None or abs(exact - rough) > SAME_ACT else exact


def applied_at(command: Command) -> datetime:
    """Return when, by our clock, Telnyx most likely did what an accepted command says."""
    accepted = command.accepted_at or command.requested_at
    sent = command.last_sent_at or accepted
    return sent + (accepted - sent) / 2


def of(recording: Recording, commands: Sequence[Command], ahead: timedelta) -> list[Pause]:
    """Return the pauses of a recording, from what `moves` found on its leg."""
    found: list[Pause] = []
    opened: Command | None = None
    doubt: Command | None = None  # which may have ended it, or not
    for command in sorted(commands, key=applied_at):
        at = applied_at(command) - ahead
        if not _is_meant(command, recording) or not _is_within(at, recording):
            continue
        if command.kind == Kind.RECORD_PAUSE:
            opened = opened or command
        elif opened is not None and command.accepted_at is None:
            doubt = command
        elif opened is not None:
            how = How.GUARD if command.is_ours else How.PERSON
            end = f"{ENDS[Kind(command.kind)]} {_who(command)}"
            found.append(_pause(opened, at, ahead, end, how))
            opened = doubt = None
    if opened is not None:
        ended_at = recording.ended_at or recording.call.ended_at
        if ended_at is not None:
            found.append(_pause(opened, ended_at, ahead, *_last_end(doubt)))
    return [pause for pause in found if pause.start < pause.stop]


def _last_end(doubt: Command | None) -> tuple[str, How]:
    """Return how a pause ended that nothing ended for certain."""
    if doubt is None:
        return "still paused when the call ended", How.CALL_END
    asked = f"{doubt.get_kind_display()} by {_who(doubt)}"
    return f"nobody knows when it ended: {asked} was not answered", How.UNKNOWN


ENDS = {
    Kind.RECORD_RESUME: "resumed by",
    Kind.RECORD_STOP: "still paused when the recording was stopped by",
}


def _is_meant(command: Command, recording: Recording) -> bool:
    named = command.params.get("recording_id")
    is_move = command.kind == Kind.RECORD_PAUSE or command.kind in ENDS
    return is_move and (not named or named == recording.recording_id)


def _is_within(at: datetime, recording: Recording) -> bool:
    """Say whether a move is this recording's; a stop is accepted a little after it took effect."""
    ended_at = recording.ended_at
    return at >= recording.started_at and (ended_at is None or at <= ended_at + SAME_ACT / 5)


def _pause(command: Command, stop: datetime, ahead: timedelta, end: str, how: How) -> Pause:
    why = str(command.get_why_display())
    return Pause(applied_at(command) - ahead, stop, _who(command), why, end, how)


def _who(command: Command) -> str:
    return wishes.author(command)
