"""Generated telephone calls whose every word's time is known.

Script -> eSpeak voices -> one timeline per channel -> the telephone's noise, band and companding
"""

import base64
import json
import random
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from dashboard.bench.phrases import ANOTHER_CALL, conversation
from dashboard.bench.stage import Broken

RATE = 8_000
BAND_HZ = (300, 3400)
MU = 255
BLOCK = 30 * RATE
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m3", "en-us+m5")
WRONG = ("basket", "violin", "harvest", "quantum", "lizard", "orchard", "meadow", "thunder")
SPEAKERS = ("Agent:", "Customer:")
RECITE = """
import base64, json, sys
from simulator.speech import speak
for line in sys.stdin:
    spoken = speak(*json.loads(line))
    times = [(word.text, word.start_ms, word.end_ms) for word in spoken.words]
    print(json.dumps([base64.b64encode(spoken.samples.tobytes()).decode(), times]), flush=True)
"""  # another process: the simulator is nobody's library

Wave = NDArray[np.int16]


@dataclass(frozen=True)
class Call:
    """A call to generate, and how its text differs from what is said."""

    minutes: float
    snr_db: float | None = None
    wrong: float = 0.0  # share of the words that the text has wrong
    channels: int = 1  # two: agent and customer in turn, now and then at once
    is_awkward: bool = False  # silence, pauses, gaps, speakers' names, signs
    is_another: bool = False  # the text is another call's


@dataclass(frozen=True)
class Said:
    """A sentence as written down: what of it is said, and when."""

    text: str
    start_ms: int | None  # None: nobody says it
    words: Sequence[int | None]  # their true starts
    wrong: Sequence[bool]
    channel: int = 0


def record(file: Path, call: Call) -> list[Said]:
    """Write a call to a WAV file; return its text."""
    chance = random.Random(7)  # noqa: S311  (the same call every time)
    with _reciter() as reciter:
        said, sounds = _perform(call, chance, reciter)
    end = max(at + len(samples) for at, _, samples in sounds)
    timeline = np.zeros((end, call.channels), dtype=np.int16)
    for at, channel, samples in sounds:
        timeline[at : at + len(samples), channel] += samples
    _write(file, timeline, call.snr_db)
    if call.is_another:
        return [_unsaid(text) for text in _some(chance, len(said))]
    return said


def _perform(
    call: Call, chance: random.Random, reciter: subprocess.Popen[str]
) -> tuple[list[Said], list[tuple[int, int, Wave]]]:
    """Return the text, and the sounds: the sample they start at, channel, samples."""
    said: list[Said] = []
    sounds: list[tuple[int, int, Wave]] = []
    at = 0
    for number, text in enumerate(conversation(chance)):
        if at >= call.minutes * 60 * RATE:
            break
        channel = number % 2 * (call.channels - 1)
        samples, times = _recite(reciter, text, chance.choice(VOICES))
        at += _pause(call, chance)
        line = _written(chance, times, at * 1000 // RATE, call.wrong, channel)
        if call.is_awkward:
            said += _awkward(number, line)
            if number % 15 == 14:
                said += [_unsaid(each) for each in _some(chance, 4)]
        else:
            said.append(line)
        if not (call.is_awkward and number % 12 in (7, 8)):  # recording was paused
            sounds.append((at, channel, samples))
            at += len(samples)
    return said, sounds


def _pause(call: Call, chance: random.Random) -> int:
    """Return how many samples pass before the next sentence; fewer than none: at once."""
    if call.channels > 1 and chance.random() < 0.15:
        return -RATE * chance.randrange(100, 700) // 1000
    pause = RATE * chance.randrange(200, 1500) // 1000
    if chance.random() < 0.02:
        pause += RATE * (75 if call.is_awkward else 12)  # somebody looks something up
    return pause


def _written(
    chance: random.Random,
    times: Sequence[tuple[str, int, int]],
    start_ms: int,
    wrong: float,
    channel: int,
) -> Said:
    """Return a sentence as it was written down."""
    bad = [chance.random() < wrong for _ in times]
    words = [
        chance.choice(WRONG) if is_wrong else word
        for (word, _, _), is_wrong in zip(times, bad, strict=True)
    ]
    starts = [start_ms + start for _, start, _ in times]
    return Said(" ".join(words).rstrip(".?!") + ".", starts[0], starts, bad, channel)


def _awkward(number: int, line: Said) -> list[Said]:
    """Return a sentence in odd spelling, unsaid in a pause, or missing from the text."""
    if number % 12 in (7, 8):
        line = _unsaid(line.text)
    if number % 25 == 24:
        return []
    name, sign = SPEAKERS[number % 2], "[inaudible]" if number % 9 == 4 else "\u2014"
    return [
        replace(
            line,
            text=f"{name} {sign} {line.text}",
            words=[None, None, *line.words],
            wrong=[False, False, *line.wrong],
        )
    ]


def _unsaid(text: str) -> Said:
    words = text.split()
    return Said(text, None, [None] * len(words), [True] * len(words))


def _some(chance: random.Random, count: int) -> list[str]:
    """Return sentences of another call."""
    spoken = conversation(chance, ANOTHER_CALL)
    return [next(spoken) for _ in range(count)]


def _write(file: Path, timeline: Wave, snr_db: float | None) -> None:
    noise = np.random.default_rng(7)
    voiced = timeline[np.abs(timeline) > 200].astype(np.float32)
    level = 0.0 if snr_db is None else float(np.sqrt(np.mean(voiced**2))) / 10 ** (snr_db / 20)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(timeline.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        for at in range(0, len(timeline), BLOCK):
            block = telephone(timeline[at : at + BLOCK], level, noise)
            sound.writeframes(block.astype("<i2").tobytes())


def telephone(samples: Wave, noise_level: float, noise: np.random.Generator) -> Wave:
    """Return samples as a telephone gives them: its band, its noise, its companding."""
    spectrum = np.fft.rfft(samples, axis=0)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(hz < BAND_HZ[0]) | (hz > BAND_HZ[1])] = 0
    sound = np.fft.irfft(spectrum, len(samples), axis=0)
    sound += noise.normal(0, noise_level, sound.shape)
    loud = np.clip(sound / 32768, -1, 1)
    steps = np.round(np.sign(loud) * np.log1p(MU * np.abs(loud)) / np.log1p(MU) * 127) / 127
    plain = np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(MU)) / MU
    found: Wave = (plain * 32767).astype(np.int16)
    return found


@contextmanager
def _reciter() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603  (our own command line)
        [sys.executable, "-c", RECITE],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def _recite(
    reciter: subprocess.Popen[str], text: str, voice: str
) -> tuple[Wave, list[tuple[str, int, int]]]:
    """Have a text spoken. Raises Broken."""
    assert reciter.stdin  # noqa: S101  (they are pipes)
    assert reciter.stdout  # noqa: S101
    reciter.stdin.write(json.dumps([text, voice]) + "\n")
    reciter.stdin.flush()
    answer = reciter.stdout.readline()
    if not answer:
        raise Broken("the voice ended")
    samples, times = json.loads(answer)
    return np.frombuffer(base64.b64decode(samples), dtype=np.int16), times
