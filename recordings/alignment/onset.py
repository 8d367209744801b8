"""Where a sentence starts whose first words were not found: at the pause before its voice."""

from collections.abc import Sequence

import numpy as np

from recordings.alignment.sound import FRAME_MS, Track
from recordings.alignment.text import Token

MS_PER_LETTER = 110  # at most, of the words that were not found
PAUSE_FRAMES = 7  # 140 ms; shorter ones lie inside words
QUIET = 0.12  # of the loudest frame nearby


def start_of(track: Track, first_ms: int, before: Sequence[Token]) -> int:
    """Return where the voice that goes on at `first_ms` started.

    That is `first_ms` itself when there is no pause within the time that the words before it,
    which were not found, can take.
    """
    reach = sum(MS_PER_LETTER * len(token.word) for token in before) + PAUSE_FRAMES * FRAME_MS
    last = first_ms // FRAME_MS
    begin = max(0, last - reach // FRAME_MS)
    loud = track.levels[begin:last].max(axis=1, initial=0)
    if not len(loud):
        return first_ms
    floor = float(np.percentile(loud, 5))
    quiet = loud <= floor + QUIET * (float(loud.max()) - floor)
    row = 0
    for at in range(len(quiet) - 1, -1, -1):
        row = row + 1 if quiet[at] else 0
        if row >= PAUSE_FRAMES:
            return (begin + at + PAUSE_FRAMES) * FRAME_MS
    return first_ms
