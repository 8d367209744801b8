"""The buttons of a call: always the same places, each with what fits the state.

call, its newest commands --standing--> what decides --slots--> what each place asks for now,
or why it cannot
"""

from functools import lru_cache
from typing import NamedTuple

from calls import fold, listening
from calls.commands import LANES, why_not
from calls.fragments import NOBODY, href
from calls.models import LISTEN, REASONS, Call, Command, Kind

MOST = 1024  # standings whose buttons are kept; calls without commands share a few dozen


class Standing(NamedTuple):
    """All that decides what the buttons of a call ask for: calls that stand alike share them."""

    line: str
    direction: str
    recording: str
    sound: str
    transcribing: bool
    listens_in: bool
    supervisor_role: str
    doubted_after: tuple[str, str] | None = None  # a kind, and how it ended
    pending: frozenset[str] = frozenset()  # kinds that are open


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


def standing(call: Call, commands: list[Command]) -> Standing:
    """Return how a call stands, with its newest commands."""
    return Standing(
        call.line,
        call.direction,
        call.recording,
        call.sound,
        call.transcribing,
        call.supervises_id is not None,
        call.supervisor_role,
        _doubted_after(call, commands) if commands else None,
        frozenset(it.kind for it in commands if it.is_open) if commands else frozenset(),
    )


def can_answer(standing: Standing) -> bool:
    """Say whether the call waits to be answered."""
    return not why_not(_bare(standing), Kind.ANSWER)


@lru_cache(MOST)
def slots(standing: Standing) -> tuple[Slot, ...]:
    """Return the buttons of a call: always the same places, each with what fits the state."""
    call, last = _bare(standing), standing.doubted_after
    starts = call.recording == fold.Recording.OFF or (
        last == (Kind.RECORD_STOP, Command.State.FAILED)
    )
    is_silent = call.sound == fold.Sound.SILENT
    resumes = call.recording == fold.Recording.PAUSED or (
        last is not None and last[0] == Kind.RECORD_RESUME
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
    if standing.listens_in:
        choices = listening.SLOTS
    return tuple(
        Slot(place, kind, label, way, why_not(call, kind), kind in standing.pending)
        for place, kind, label, way in choices
    )


def _bare(standing: Standing) -> Call:
    """Return a call of which nothing else is known: so nothing else can decide."""
    return Call(
        line=standing.line,
        direction=standing.direction,
        recording=standing.recording,
        sound=standing.sound,
        transcribing=standing.transcribing,
        supervises_id=NOBODY if standing.listens_in else None,
        supervisor_role=standing.supervisor_role,
    )


def _doubted_after(call: Call, commands: list[Command]) -> tuple[str, str] | None:
    """Return the recording's last settled command while nobody knows what the recording does.

    After a resume it is resumed again; after a stop that Telnyx refused it may be started anew.
    """
    if call.recording != fold.Recording.DOUBT:
        return None
    settled = [it for it in commands if it.kind in LANES["recording"] and not it.is_open]
    return (settled[-1].kind, settled[-1].state) if settled else None
