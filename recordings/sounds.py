"""What can be heard, read off the waveform: silence, people talking at once, who talks how much.

    hear(dat) -> Heard          of(recording) -> Heard, or None where there is no waveform

A side talks where it is clearly louder than its own quiet parts; short gaps between words belong
to the talk. Two hours take some tens of milliseconds, because only the waveform is looked at.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recordings import storage
from recordings.models import Recording
from recordings.peaks import levels

SILENCE_S = 2.0  # shorter ones are how people speak
OVERLAP_S = 0.5  # shorter ones are how people take turns
GAP_S = 0.4  # between words; the talk goes on
BLIP_S = 0.06  # a click is no talk
QUIETEST = 3  # of 128: below is the hiss of an empty line
ABOVE_FLOOR = 3  # talk is so many times louder than the line itself
FLOOR, PEAK = 20, 99  # percentiles of a side's loudness

Flags = NDArray[np.bool_]
Span = tuple[float, float]  # seconds in the file


@dataclass(frozen=True, slots=True)
class Heard:
    """Spans in seconds of the file; `talk_s` is how long each channel talks."""

    silences: tuple[Span, ...]
    overlaps: tuple[Span, ...]
    talk_s: tuple[float, ...]

    @property
    def shares(self) -> tuple[int, ...]:
        """Return how much of the talk is each channel's, in percent; nothing if nobody talks."""
        total = sum(self.talk_s)
        if len(self.talk_s) < 2 or not total:
            return ()
        first = round(100 * self.talk_s[0] / total)
        return (first, 100 - first)


def of(recording: Recording) -> Heard | None:
    """Return what is heard in a stored recording."""
    if not recording.peaks:
        return None
    try:
        return _of_file(recording.peaks)
    except (OSError, ValueError, storage.Trouble):  # the page is of use without it
        return None


@lru_cache(64)
def _of_file(name: str) -> Heard:
    return hear(storage.read(name))  # a name is that of its content, so the answer stays true


def hear(dat: bytes) -> Heard:
    """Return what is heard in a waveform. Raises ValueError for bytes that are none."""
    loudness, pixel_s = levels(dat)
    talks = [_talks(channel, pixel_s) for channel in loudness]
    somebody = np.logical_or.reduce(talks)
    everybody = np.logical_and.reduce(talks) if len(talks) > 1 else np.zeros_like(somebody)
    return Heard(
        _spans(~somebody, pixel_s, SILENCE_S),
        _spans(everybody, pixel_s, OVERLAP_S),
        tuple(float(talk.sum()) * pixel_s for talk in talks),
    )


def _talks(loudness: NDArray[np.uint8], pixel_s: float) -> Flags:
    """Say of every pixel of a channel whether somebody talks there."""
    if not len(loudness):
        return np.zeros(0, dtype=np.bool_)
    floor, peak = np.percentile(loudness, (FLOOR, PEAK))
    # of somebody who never pauses even the quiet parts are loud: they are talk all the same
    loud = loudness >= max(QUIETEST, min(ABOVE_FLOOR * floor, peak / 4))
    starts, stops = _runs(loud)
    long_enough = (stops - starts) * pixel_s >= BLIP_S
    return _joined(starts[long_enough], stops[long_enough], len(loud), GAP_S / pixel_s)


def _runs(flags: Flags) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where runs of True start and stop."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return edges[::2], edges[1::2]


def _joined(starts: NDArray[np.intp], stops: NDArray[np.intp], size: int, gap: float) -> Flags:
    """Return flags with these runs, and with the gaps between them that are short."""
    steps = np.zeros(size + 1, dtype=np.int8)
    apart = starts[1:] - stops[:-1] > gap
    steps[starts[np.concatenate(([True], apart))] if len(starts) else starts] = 1
    steps[stops[np.concatenate((apart, [True]))] if len(stops) else stops] = -1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def _spans(flags: Flags, pixel_s: float, least_s: float) -> tuple[Span, ...]:
    starts, stops = _runs(flags)
    long_enough = (stops - starts) * pixel_s >= least_s
    times = np.stack((starts, stops), axis=1)[long_enough] * pixel_s
    return tuple((round(start, 2), round(stop, 2)) for start, stop in times.tolist())
