"""Where a sentence starts whose first words were not found: after the pause that fits best."""

from collections.abc import Iterator

import numpy as np

from recordings.alignment.sound import FRAME_MS, Span, Track

SLOWLY = 2.0  # times as long as words usually take, at most
PAUSE_FRAMES = 7  # 140 ms; shorter ones lie inside words
QUIET = 0.12  # of the way from quiet to the loudest frame nearby


def start_of(track: Track, first_ms: int, missing_ms: int, not_before_ms: int) -> int:
    """Return where the voice that goes on at `first_ms` started.

    The words before it, which were not found, usually take `missing_ms`. That is `first_ms`
    itself when there is no pause in the time that they can take, back to `not_before_ms`.
    """
    reach = round(SLOWLY * missing_ms) + PAUSE_FRAMES * FRAME_MS
    begin = max(0, not_before_ms, first_ms - reach)
    ends = [pause.end_ms for pause in _pauses(track, Span(begin, first_ms))]
    return min(ends, key=lambda end: abs(first_ms - missing_ms - end), default=first_ms)


def _pauses(track: Track, within: Span) -> Iterator[Span]:
    """Yield the stretches of quiet."""
    first = within.start_ms // FRAME_MS
    loud = track.levels[first : within.end_ms // FRAME_MS].max(axis=1, initial=0)
    if not len(loud):
        return
    floor = float(np.percentile(loud, 5))
    quiet = loud <= floor + QUIET * (float(loud.max()) - floor)
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0))
    for start, end in edges.reshape(-1, 2):
        if end - start >= PAUSE_FRAMES:
            yield Span(int(first + start) * FRAME_MS, int(first + end) * FRAME_MS)
