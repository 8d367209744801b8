"""The buttons of a call: always the same places, each with what fits the state.

call, its newest commands --slots--> what each place asks for now, or why it cannot
"""

from typing import NamedTuple

from calls import fold, listening
from calls.commands import LANES, why_not
from calls.fragments import NOBODY, href
from calls.models import LISTEN, REASONS, Call, Command, Kind


class Slot(NamedTuple):
    """One place in the row of buttons: what it asks for now, or why it cannot."""

    place: str
    kind: str
    label: str
    way: str  # press: at once; ask: a form first; sure, why: asks back in place
    why_not: str
    pending: bool

    @property
    def href(self) -> str:
        """Return its address, of nobody's call."""
        return href("calls:command", NOBODY, self.kind)

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Return what can be answered to why."""
        return REASONS


def slots(call: Call, commands: list[Command]) -> tuple[Slot, ...]:
    """Return the buttons of a call: always the same places, each with what fits the state."""
    last = _doubted_after(call, commands)
    starts = call.recording == fold.Recording.OFF or (
        last is not None and (last.kind, last.state) == (Kind.RECORD_STOP, Command.State.FAILED)
    )
    is_silent = call.sound == fold.Sound.SILENT
    resumes = call.recording == fold.Recording.PAUSED or (
        last is not None and last.kind == Kind.RECORD_RESUME
    )
    choices = [
        ("record", Kind.RECORD_START, "Record", "ask")
        if starts
        else ("record", Kind.RECORD_STOP, "Stop", "sure"),
        ("pause", Kind.RECORD_RESUME, "Resume", "press")
        if resumes
        else ("pause", Kind.RECORD_PAUSE, "Pause", "why"),
        ("say", Kind.SPEAK, "Say", "ask"),
        ("play", Kind.PLAYBACK_START, "Play", "ask")
        if is_silent
        else ("play", Kind.PLAYBACK_STOP, "Stop sound", "press"),
        ("captions", Kind.TRANSCRIPTION_STOP, "Stop captions", "press")
        if call.transcribing
        else ("captions", Kind.TRANSCRIPTION_START, "Captions", "ask"),
        ("listen", LISTEN, "Listen in", "ask"),
        ("hangup", Kind.HANGUP, "Hang up", "sure"),
    ]
    if call.supervises_id:
        choices = listening.SLOTS
    open_now = {command.kind for command in commands if command.is_open}
    return tuple(
        Slot(place, kind, label, way, why_not(call, kind), kind in open_now)
        for place, kind, label, way in choices
    )


def _doubted_after(call: Call, commands: list[Command]) -> Command | None:
    """Return the recording's last settled command while nobody knows what the recording does.

    After a resume it is resumed again; after a stop that Telnyx refused it may be started anew.
    """
    if call.recording != fold.Recording.DOUBT:
        return None
    settled = [it for it in commands if it.kind in LANES["recording"] and not it.is_open]
    return settled[-1] if settled else None
