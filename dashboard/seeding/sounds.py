"""A handful of sounds that all seeded recordings share: two people who hum in turn.

Each is a real file of the storage with its waveform, so what is listed as stored can be played.
"""

import hashlib
import math
import wave
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from calls import audio
from dashboard.seeding.rows import Sound
from recordings import storage
from recordings.peaks import peaks

RATE = 8_000
MEDIAN_S, SIGMA = 190, 0.8  # of the lengths of calls, whose logarithm is normal
LONGEST_S = 2_400
COUNT = 24
TURN_S = 5


def lengths_ms(count: int) -> list[int]:
    """Return the lengths of calls as they are in life, as so many equally likely ones."""
    normal = NormalDist(math.log(MEDIAN_S), SIGMA)
    chosen = (math.exp(normal.inv_cdf((place + 0.5) / count)) for place in range(count))
    return [int(1000 * min(seconds, LONGEST_S)) for seconds in chosen]


def silent(count: int = 2_000) -> list[Sound]:
    """Return sounds without files, for a library that nobody listens to."""
    return [
        Sound(f"{place:02}/none.wav", "", "0" * 64, ms * 16, ms)
        for place, ms in enumerate(lengths_ms(count))
    ]


def make(count: int = COUNT) -> Iterator[Sound]:
    """Store sounds with their waveforms; what is there already is only looked up."""
    chance = np.random.default_rng(7)
    for place, ms in enumerate(lengths_ms(count)):
        yield _store(f"seed-{place}", _two_people(ms, chance))


def _two_people(ms: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return 8 bit samples of two channels: hums with the rhythm of syllables, turn by turn."""
    at = np.arange(ms * RATE // 1000) / RATE
    rhythm = np.clip(np.sin(2 * np.pi * 3.1 * at) + 0.6 * np.sin(2 * np.pi * 0.7 * at), 0, 1)
    is_agent = (at // TURN_S).astype(int) % 2 == 0
    channels = []
    for hertz, speaks in ((210, ~is_agent), (120, is_agent)):
        hum = sum(np.sin(2 * np.pi * hertz * n * at) / n for n in (1, 2, 3, 5))
        noise = chance.normal(0, 0.6, len(at))
        channels.append(40 * rhythm * hum * speaks + noise)
    stacked = np.stack(channels, axis=1)
    samples: NDArray[np.uint8] = (np.clip(stacked, -127, 127) + 128).astype(np.uint8)
    return samples


def _store(name: str, samples: NDArray[np.uint8]) -> Sound:
    with storage.draft(name) as (part, file):
        with wave.open(file, "wb") as sound:
            sound.setnchannels(2)
            sound.setsampwidth(1)
            sound.setframerate(RATE)
            sound.writeframes(samples.tobytes())
        file.flush()
        held = audio.probe(part)
        body = part.read_bytes()
        sha256 = hashlib.sha256(body).hexdigest()
        path, waveform = (storage.content_name(sha256, kind) for kind in ("wav", "dat"))
        if not storage.exists(waveform):
            with storage.draft(f"{name}.peaks") as (peaks_part, peaks_file):
                peaks_file.write(peaks(part, held))
                storage.publish(peaks_part, peaks_file, waveform)
        if not storage.exists(path):
            storage.publish(part, file, path)
    return Sound(path, waveform, sha256, len(body), held.duration_ms)
