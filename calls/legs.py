"""A leg in the words of the page: who talks, how the line is, what is recorded and what sounds.

What a leg shows comes in two steps: a value that legs share (line_shown), and its HTML (line).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString

from calls import contacts, fold, frames, listening, parties
from calls.buttons import Standing
from calls.clocks import duration, left, ticking
from calls.countdown import Countdown
from calls.fragments import Line, Place, Rec, Sound, filled, href, leg_id
from calls.models import Call
from calls.sounds.names import plain
from calls.wishes import Wish


@dataclass(frozen=True, slots=True)
class Leg:
    """A call leg with everything that is said about it."""

    call: Call
    place: int  # 1 leads
    many: bool  # there are others, so it has to be named
    standing: Standing
    wishes: list[Wish]
    recording_wish: Wish | None
    guard: Countdown | None
    now: datetime

    @property
    def id(self) -> str:
        return leg_id(self.call.pk)

    @property
    def url(self) -> str:
        return href("calls:detail", self.call.pk)

    @property
    def customer(self) -> str:
        """Return the far end: who called us, or whom we called."""
        return parties.theirs(self.call)

    @property
    def ours(self) -> str:
        return parties.ours(self.call)

    @property
    def caller_name(self) -> str:
        return parties.shown_name(self.call)

    @property
    def medium(self) -> str:
        """Return what plays, in the words of people."""
        return plain(self.call.sound_medium)

    @property
    def place_shown(self) -> Place:
        return Place(self.many)

    @property
    def line_shown(self) -> Line:
        return Line(self.call.line, self.call.ended_inferred)

    @property
    def sound_shown(self) -> Sound:
        call = self.call
        return Sound(call.sound, call.sound_medium, self.medium, call.transcribing)

    @property
    def rec_shown(self) -> Rec:
        call, wish, watched = self.call, self.recording_wish, self.watched
        return Rec(
            call.recording,
            call.ended_while_paused,
            call.recording_rule,
            wish.doing.replace(" the recording", "") if wish else "",
            watched.look if watched else "",
        )

    @property
    def controls(self) -> SafeString:
        """Return its buttons, as a group with a name."""
        return filled(
            frames.controls(self.place_shown, self.standing),
            leg=self.id,
            pk=self.call.pk,
            place=self.place,
            customer_name=contacts.known_as(self.customer),
        )

    @property
    def line(self) -> SafeString:
        """Return how the line is."""
        return frames.line(self.line_shown)

    @property
    def answer(self) -> SafeString:
        """Return the button for a call that waits for it."""
        return filled(frames.answer(self.standing), leg=self.id, pk=self.call.pk)

    @property
    def sound(self) -> SafeString:
        """Return what sounds."""
        return filled(frames.sound(self.sound_shown), leg=self.id, pk=self.call.pk)

    @property
    def rec(self) -> SafeString:
        """Return how the recording is."""
        return filled(frames.rec(self.rec_shown), since=self.since, left=self.left)

    @property
    def watched(self) -> Countdown | None:
        """Return the pause that is watched, if it goes on."""
        return self.guard if self.guard and self.guard.is_open else None

    @property
    def since(self) -> str:
        """Return how long the recording has been what it is."""
        call = self.call
        is_on = call.recording == fold.Recording.ON
        return ticking(
            call.recording_started_ours if is_on else call.recording_since_ours, self.now
        )

    @property
    def left(self) -> str:
        """Return how long its pause is still watched."""
        return left(self.watched.guard.deadline, self.now) if self.watched else ""

    @property
    def listener(self) -> listening.Listener | None:
        """Return who listens in on this leg's conversation through it, if it is for that."""
        return listening.listener(self.call)

    @property
    def time(self) -> str:
        """Return how long it has gone on, or took."""
        if self.call.is_live:
            return ticking(self.call.first_heard_at, self.now)
        return "≈ " * self.call.ended_inferred + duration(self.lasted)

    @property
    def lasted(self) -> timedelta | None:
        """Return how long an ended call took, by one clock: Telnyx's if it told both times."""
        call = self.call
        if call.started_at and call.ended_at:
            return call.ended_at - call.started_at
        return call.closed_at - call.first_heard_at if call.closed_at else None
