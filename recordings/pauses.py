"""When a recording was paused: our accepted commands, told by Telnyx's clock.

    Commands of the leg (our clock) --skew--> [Pause] between the recording's start and its end

Telnyx confirms a pause by its 2xx alone, so the ledger is all there is. Two clocks are bridged by
one act that both saw: Telnyx applied our record_start between our sending it and its answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calls import wishes
from calls.models import Command, Kind, WebhookEvent
from recordings.filetime import Stretch
from recordings.models import Recording

SAME_ACT = timedelta(seconds=10)  # further apart, a command did not start this recording
STILL = timedelta()


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of one recording; times are Telnyx's."""

    start: datetime
    stop: datetime
    by: str
    reason: str
    end: str  # how it ended, as the rest of a sentence

    @property
    def stretch(self) -> Stretch:
        return self.start, self.stop


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
        if command.kind == Kind.RECORD_START
    ]
    exact = min(starts, key=lambda start: abs(start - rough), default=None)
    return rough if exact is None or abs(exact - rough) > SAME_ACT else exact


def applied_at(command: Command) -> datetime:
    """Return when, by our clock, Telnyx most likely did what an accepted command says."""
    accepted = command.accepted_at or command.requested_at
    sent = command.last_sent_at or accepted
    return sent + (accepted - sent) / 2


def of(recording: Recording, commands: Sequence[Command], ahead: timedelta) -> list[Pause]:
    """Return the pauses of a recording, from all accepted commands of its leg."""
    found: list[Pause] = []
    opened: Command | None = None
    for command in sorted(commands, key=applied_at):
        at = applied_at(command) - ahead
        if not _is_meant(command, recording) or not _is_within(at, recording):
            continue
        if command.kind == Kind.RECORD_PAUSE:
            opened = opened or command
        elif opened is not None:
            found.append(_pause(opened, at, ahead, f"{ENDS[Kind(command.kind)]} {_who(command)}"))
            opened = None
    if opened is not None:
        end = recording.ended_at or recording.call.ended_at
        if end is not None:
            found.append(_pause(opened, end, ahead, "still paused when the call ended"))
    return [pause for pause in found if pause.start < pause.stop]


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


def _pause(command: Command, stop: datetime, ahead: timedelta, end: str) -> Pause:
    reason = command.params.get("reason")
    return Pause(
        applied_at(command) - ahead,
        stop,
        _who(command),
        reason if isinstance(reason, str) else "",
        end,
    )


def _who(command: Command) -> str:
    return wishes.name(command.requested_by)
