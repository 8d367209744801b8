"""What on the board needs a person, worst first.

    legs + their commands --SOURCES--> Attention: what is wrong now, and when that changes by time

A source names what is wrong with one leg; a need that begins later says when. To add one, write a
function and put it into SOURCES: order, mark, count and filter of the board follow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from calls import fold, wishes
from calls.models import Call, Command

PAUSED, COMMAND, DOUBT, FLAW, CALM = range(5)  # ranks: the smaller, the higher on the board
LONG_PAUSE = timedelta(seconds=120)  # our choice: a card number takes a minute


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


Source = Callable[[Call, Sequence[Command], datetime], Iterator[Need]]


def pauses(call: Call, commands: Sequence[Command], now: datetime) -> Iterator[Need]:
    """Tell of a pause that somebody may have forgotten, and of one that the call's end kept."""
    if call.ended_while_paused:
        yield Need(FLAW, "Ended while paused")
    elif call.is_live and call.recording == fold.Recording.PAUSED and call.recording_since_ours:
        yield Need(PAUSED, "Paused for long", call.recording_since_ours + LONG_PAUSE)


def troubles(call: Call, commands: Sequence[Command], now: datetime) -> Iterator[Need]:
    """Tell of commands that went wrong, until a later one of their kind mends it."""
    if call.is_live:
        for wish in wishes.troubles(commands):
            yield Need(COMMAND, f"{wish.label}: {wish.trouble.lower()}")


def doubts(call: Call, commands: Sequence[Command], now: datetime) -> Iterator[Need]:
    """Tell of a recording of which nobody knows whether it runs."""
    if call.is_live and call.recording == fold.Recording.DOUBT:
        yield Need(DOUBT, "Recording in doubt")


SOURCES: list[Source] = [pauses, troubles, doubts]


def attention(
    legs: Sequence[Call], commands: Mapping[object, Sequence[Command]], now: datetime
) -> Attention:
    """Return what about these legs needs a person."""
    found = [
        need for leg in legs for source in SOURCES for need in source(leg, commands[leg.pk], now)
    ]
    return Attention(
        needs=tuple(sorted(need for need in found if need.at is None or need.at <= now)),
        until=min((need.at for need in found if need.at and need.at > now), default=None),
    )
