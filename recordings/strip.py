"""A whole conversation as a strip: each recording a block, and what nobody recorded.

legs + recordings of a conversation --> Strip(blocks, unrecorded stretches, the next recording)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from calls.models import Call
from recordings.filetime import SECOND, Stretch, merged
from recordings.models import Recording
from recordings.pauses import Pause

WIDTH = 1000  # the strip's own unit, whatever its width on the screen
LEAST_WIDTH = 6
LEAST_GAP_S = 1.0  # below it, a command was on its way


@dataclass(frozen=True, slots=True)
class Block:
    """One recording on the strip."""

    recording: Recording
    number: int
    x: float
    width: float
    is_current: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of the conversation that no recording holds."""

    kind: str  # first, last, between, pause, all
    start: datetime
    length_s: float
    x: float
    width: float
    pause: Pause | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """Everything in order of time."""

    blocks: list[Block]
    gaps: list[Gap]
    length_s: float

    @property
    def current(self) -> int | None:
        """Return the number of the recording whose page this is."""
        return next((block.number for block in self.blocks if block.is_current), None)

    @property
    def next(self) -> Recording | None:
        """Return what goes on where this one ends."""
        after = [block for block in self.blocks if block.number == (self.current or 0) + 1]
        return after[0].recording if after else None


def of(
    recording: Recording,
    legs: Sequence[Call],
    recordings: Sequence[Recording],
    pauses: Sequence[Pause],
) -> Strip:
    """Return the strip of a recording's conversation; `recordings` by their start."""
    taken = [(one, _stretch(one)) for one in recordings]
    start, stop = _bounds(legs, [stretch for _, stretch in taken])
    length_s = max((stop - start) / SECOND, 0.001)

    def place(from_: datetime, to: datetime) -> tuple[float, float]:
        x = (from_ - start) / SECOND / length_s * WIDTH
        return round(max(0.0, x), 1), round((to - from_) / SECOND / length_s * WIDTH, 1)

    blocks = []
    for number, (one, (begin, end)) in enumerate(taken, start=1):
        x, width = place(begin, end)
        is_current = one.pk == recording.pk
        blocks.append(
            Block(one, number, min(x, WIDTH - LEAST_WIDTH), max(width, LEAST_WIDTH), is_current)
        )
    gaps = [
        Gap(kind, begin, (end - begin) / SECOND, *place(begin, end), pause)
        for kind, begin, end, pause in _gaps(
            start, stop, [stretch for _, stretch in taken], pauses
        )
        if (end - begin) / SECOND >= LEAST_GAP_S
    ]
    return Strip(blocks, sorted(gaps, key=lambda gap: gap.start), length_s)


def _stretch(recording: Recording) -> Stretch:
    end = recording.ended_at or recording.started_at + SECOND * (recording.duration_s or 0)
    return recording.started_at, max(end, recording.started_at)


def _bounds(legs: Sequence[Call], taken: Sequence[Stretch]) -> Stretch:
    """Return when people first could talk, and when the last hung up, if all told so.

    An end that was inferred is when somebody asked, and may be hours late.
    """
    answered = [leg.answered_at for leg in legs if leg.answered_at]
    began = answered or [leg.started_at for leg in legs if leg.started_at]
    ended = [leg.ended_at for leg in legs if leg.ended_at and not leg.ended_inferred]
    is_over = len(ended) == len(legs)
    starts, stops = [start for start, _ in taken], [stop for _, stop in taken]
    return min([*began, *starts]), max([*(ended if is_over else []), *stops])


def _gaps(
    start: datetime, stop: datetime, taken: Sequence[Stretch], pauses: Sequence[Pause]
) -> list[tuple[str, datetime, datetime, Pause | None]]:
    found: list[tuple[str, datetime, datetime, Pause | None]] = [
        ("pause", pause.start, pause.stop, pause) for pause in pauses
    ]
    covered = merged(taken)
    if not covered:
        return found
    found.append(("first", start, covered[0][0], None))
    for (_, end), (begin, _) in pairwise(covered):
        found.append(("between", end, begin, None))
    found.append(("last", covered[-1][1], stop, None))
    return found
