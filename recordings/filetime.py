"""Where in a file a moment of the call is: pure arithmetic on Telnyx's times and our pauses.

    moments of the call + pauses --FileTime.at--> seconds in the file

Telnyx does not say whether what was said in a pause is left out of the file or silenced in it, so
the file's length decides: as long as the recording took (silenced), or shorter by the pauses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LEAST_TOLERANCE_S = 0.5  # MP3 frames, and commands on their way
TOLERANCE = 0.002  # of the length: two clocks drift apart
SECOND = timedelta(seconds=1)

Stretch = tuple[datetime, datetime]


class Mode(StrEnum):
    """What a pause did to the file."""

    NONE = "none"  # there was no pause
    OMITTED = "omitted"
    SILENCED = "silenced"
    UNKNOWN = "unknown"


def judge(file_s: float | None, took_s: float | None, paused_s: float) -> Mode:
    """Say from the lengths of the file, of the recording and of its pauses what these did."""
    if not paused_s:
        return Mode.NONE
    if file_s is None or took_s is None:
        return Mode.UNKNOWN
    tolerance = max(LEAST_TOLERANCE_S, TOLERANCE * took_s)
    off = {Mode.OMITTED: abs(file_s - (took_s - paused_s)), Mode.SILENCED: abs(file_s - took_s)}
    best, other = sorted(off, key=off.__getitem__)
    # a pause that is shorter than what the lengths are off by decides nothing
    is_clear = off[other] - off[best] > paused_s / 2
    return best if off[best] <= tolerance and is_clear else Mode.UNKNOWN


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return stretches in order, those that touch as one."""
    found: list[Stretch] = []
    for start, stop in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        elif start < stop:
            found.append((start, stop))
    return found


def total_s(stretches: Iterable[Stretch]) -> float:
    """Return how long stretches are together, in seconds."""
    return sum((stop - start) / SECOND for start, stop in stretches)


@dataclass(frozen=True, slots=True)
class FileTime:
    """The clock of one file. `pauses` are in order and do not touch; times are Telnyx's."""

    started_at: datetime
    length_s: float | None
    pauses: Sequence[Stretch]
    mode: Mode

    @property
    def omits(self) -> bool:
        """Say whether to count as if pauses were left out; in doubt they are, as most do it."""
        return self.mode in (Mode.OMITTED, Mode.UNKNOWN)

    def at(self, moment: datetime) -> float:
        """Return where in the file a moment is, in seconds; the nearest place if it is not in."""
        passed = moment - self.started_at
        if self.omits:  # whole microseconds: in fractions a later moment may come out earlier
            for start, stop in self.pauses:
                passed -= max(timedelta(), min(stop, moment) - start)
        passed_s = passed / SECOND
        return min(max(0.0, passed_s), self.length_s if self.length_s is not None else passed_s)

    def is_approximate(self, moment: datetime) -> bool:
        """Say whether a place is only a guess: the pauses before it may be in the file or not."""
        return self.mode is Mode.UNKNOWN and any(start < moment for start, _ in self.pauses)
