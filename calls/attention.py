"""What on the board needs a person, worst first.

    legs + their commands --SOURCES--> Attention: what is wrong now, and when that changes by time

A source names what is wrong with one leg; a need that begins later says when. To add one, write a
function and put it into SOURCES: order, mark, count and filter of the board follow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from calls import fold, wishes
from calls.models import Call, Command, Guard

PAUSED, COMMAND, STUCK, DOUBT, FLAW, CALM = range(6)  # ranks: the smaller, the higher
LONG_PAUSE = timedelta(seconds=120)  # of a pause that no guard watches
STUCK_AFTER = timedelta(minutes=1)  # of asking Telnyx in vain whether a silent call still lives


class Need(NamedTuple):
    """One reason why somebody should look, from a moment on if that is given."""

    rank: int
    words: str
    at: datetime | None = None


class Attention(NamedTuple):
    """What is wrong with a conversation now, and the moment at which time alone changes that."""

    needs: tuple[Need, ...] = ()
    until: datetime | None = None

    @property
    def rank(self) -> int:
        return self.needs[0].rank if self.needs else CALM

    @property
    def words(self) -> str:
        return ", ".join(dict.fromkeys(need.words for need in self.needs))


class Facts(NamedTuple):
    """One leg, and what is known about it."""

    call: Call
    commands: Sequence[Command]
    guard: Guard | None


Source = Callable[[Facts], Iterator[Need]]


def pauses(leg: Facts) -> Iterator[Need]:
    """Tell of a pause that somebody may have forgotten, and of one that the call's end kept."""
    call, guard = leg.call, leg.guard
    if call.ended_while_paused:
        yield Need(FLAW, "Ended while paused")
    elif call.is_live and guard is not None and guard.ended_at is None:
        is_escalated = guard.escalated_at is not None
        yield (
            Need(PAUSED, "Still paused")
            if is_escalated
            else Need(PAUSED, "Pause overdue", guard.overdue_at)
        )
    elif call.is_live and call.recording == fold.Recording.PAUSED and call.recording_since_ours:
        yield Need(PAUSED, "Paused for long", call.recording_since_ours + LONG_PAUSE)


def troubles(leg: Facts) -> Iterator[Need]:
    """Tell of commands that went wrong, until a later one of their kind mends it."""
    if leg.call.is_live:
        for wish in wishes.troubles(leg.commands):
            yield Need(COMMAND, f"{wish.label}: {wish.trouble.lower()}")


def stuck(leg: Facts) -> Iterator[Need]:
    """Tell of a call that fell silent, and of which Telnyx does not say whether it lives."""
    if leg.call.is_live and leg.call.doubted_at:
        yield Need(STUCK, "May have ended", leg.call.doubted_at + STUCK_AFTER)


def doubts(leg: Facts) -> Iterator[Need]:
    """Tell of a recording of which nobody knows whether it runs."""
    if leg.call.is_live and leg.call.recording == fold.Recording.DOUBT:
        yield Need(DOUBT, "Recording in doubt")


SOURCES: list[Source] = [pauses, troubles, stuck, doubts]


def attention(
    legs: Sequence[Call],
    commands: Mapping[object, Sequence[Command]],
    guards: Mapping[object, Guard],
    now: datetime,
) -> Attention:
    """Return what about these legs needs a person."""
    known = [Facts(leg, commands[leg.pk], guards.get(leg.pk)) for leg in legs]
    found = [need for leg in known for source in SOURCES for need in source(leg)]
    return Attention(
        needs=tuple(sorted(need for need in found if need.at is None or need.at <= now)),
        until=min((need.at for need in found if need.at and need.at > now), default=None),
    )
