"""Who speaks: the channel with the energy at the words of a sentence."""

from collections.abc import Sequence

import numpy as np

from recordings.alignment.recogniser import Heard
from recordings.alignment.sound import FRAME_MS, Track

CLEARLY = 4.0  # times the other channel's power


def channel_of(track: Track, words: Sequence[Heard]) -> int | None:
    """Return the index of the channel that says these words; None if neither clearly does."""
    if track.levels.shape[1] < 2:
        return None
    power = sum(
        np.square(_above_noise(track, word), dtype=np.float64).sum(axis=0) for word in words
    )
    first, second = np.asarray(power)
    if max(first, second) < CLEARLY * min(first, second) or first == second:
        return None
    return int(second > first)


def _above_noise(track: Track, word: Heard) -> np.ndarray:
    found = track.levels[word.start_ms // FRAME_MS : -(-word.end_ms // FRAME_MS)]
    return np.maximum(found - track.floor, 0)
