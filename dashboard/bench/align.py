"""How near alignment comes to the truth, on generated speech whose word times are known.

Several voices, the telephone's band and companding, noise at 15 dB, and a tenth of the words of
the text wrong. Alignment runs as `manage.py align`, so its memory is that of a whole process.
"""

import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from dashboard.bench.figures import percentile, table
from dashboard.bench.phrases import conversation
from dashboard.bench.stage import Broken

NAME = "align"
TARGETS = {"median_ms": 150.0, "p90_ms": 400.0, "worst_confident_ms": 2_000.0, "mb": 200.0}
CONFIDENT = 0.6
RATE = 8_000
BAND_HZ = (300, 3400)
MU = 255
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m3", "en-us+m5")
WRONG = ("basket", "violin", "harvest", "quantum", "lizard", "orchard", "meadow", "thunder")
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
class Sizes:
    """How long the conversations are."""

    minutes: float = 60.0
    clean_minutes: float = 5.0


class Said(NamedTuple):
    """A sentence as written down, when it truly starts, and which of its words are wrong."""

    text: str
    start_ms: int
    words: list[int]  # their true starts
    wrong: list[bool]


@dataclass(frozen=True)
class Outcome:
    """One conversation, aligned."""

    name: str
    minutes: float
    segments: int
    found: int
    confident: int
    median_ms: float
    p90_ms: float
    worst_confident_ms: float
    words_timed: float  # share of the right ones
    wrong_timed: float  # share of the wrong ones
    times_real: float
    mb: float


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Align a noisy and a clean conversation; return the figures."""
    outcomes = []
    for name, minutes, snr_db, wrong in (
        ("clean, text right", sizes.clean_minutes, None, 0.0),
        ("15 dB, a tenth wrong", sizes.minutes, 15.0, 0.1),
    ):
        say(f"{name}: {minutes:g} minutes")
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(_measure(Path(folder), name, minutes, snr_db, wrong))
    return {"outcomes": [asdict(outcome) for outcome in outcomes], "targets": TARGETS}


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures for people."""
    names = [
        *("minutes", "segments", "found", "confident", "median_ms", "p90_ms"),
        *("worst_confident_ms", "words_timed", "wrong_timed", "times_real", "mb"),
    ]
    rows = [[each["name"], *(each[name] for name in names)] for each in figures["outcomes"]]
    missed = [
        f"MISSED: {name} is {each[name]:g} with {each['name']!r}, the target is {target:g}"
        for each in figures["outcomes"]
        for name, target in figures["targets"].items()
        if each[name] > target
    ]
    return [*table(["", *names], rows), *missed]


def _measure(
    folder: Path, name: str, minutes: float, snr_db: float | None, wrong: float
) -> Outcome:
    said = list(_record(folder / "call.wav", minutes, snr_db, wrong))
    (folder / "text.txt").write_text("\n".join(each.text for each in said), encoding="utf-8")
    started = time.perf_counter()
    answer, mb = _align(folder)
    took = time.perf_counter() - started
    if len(answer) != len(said):
        raise Broken(f"{len(said)} sentences came back as {len(answer)}")
    pairs = [(told, true) for told, true in zip(answer, said, strict=True)]
    off = [
        (abs(told["start_ms"] - true.start_ms), told["confidence"] >= CONFIDENT)
        for told, true in pairs
        if told["start_ms"] is not None
    ]
    timed = [
        (is_wrong, word["start_ms"] is not None)
        for told, true in pairs
        for word, is_wrong in zip(told["words"], true.wrong, strict=True)
    ]
    return Outcome(
        name=name,
        minutes=minutes,
        segments=len(said),
        found=len(off),
        confident=sum(sure for _, sure in off),
        median_ms=percentile([ms for ms, _ in off], 50),
        p90_ms=percentile([ms for ms, _ in off], 90),
        worst_confident_ms=max((ms for ms, sure in off if sure), default=0),
        words_timed=_share([is_timed for is_wrong, is_timed in timed if not is_wrong]),
        wrong_timed=_share([is_timed for is_wrong, is_timed in timed if is_wrong]),
        times_real=round(minutes * 60 / took, 1),
        mb=mb,
    )


def _share(values: list[bool]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


def _align(folder: Path) -> tuple[list[dict[str, Any]], float]:
    """Return what `manage.py align` says, and its peak of memory in MB. Raises Broken."""
    with (folder / "out.json").open("w+b") as out:
        process = subprocess.Popen(  # noqa: S603  (our own command line)
            [
                *(sys.executable, "manage.py", "align", "--json"),
                *(str(folder / "call.wav"), str(folder / "text.txt")),
            ],
            cwd=settings.BASE_DIR,
            stdout=out,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Broken(f"alignment ended with code {process.returncode}")
        out.seek(0)
        segments: list[dict[str, Any]] = json.load(out)["segments"]
    return segments, round(used.ru_maxrss * 1024 / 1e6, 1)


def _record(file: Path, minutes: float, snr_db: float | None, wrong: float) -> Iterator[Said]:
    """Write a conversation to a file, sentence by sentence; yield what was said and when."""
    chance = random.Random(7)  # noqa: S311  (the same conversation every time)
    noise = np.random.default_rng(7)
    at = 0
    with wave.open(str(file), "wb") as sound, _reciter() as reciter:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        for text in conversation(chance):
            if at >= minutes * 60 * RATE:
                return
            pause = RATE * chance.randrange(200, 1500) // 1000
            if chance.random() < 0.02:
                pause += RATE * 12  # somebody looks something up
            samples, times = _recite(reciter, text, chance.choice(VOICES))
            whole = np.concatenate((np.zeros(pause, dtype=np.int16), samples))
            sound.writeframes(telephone(whole, snr_db, noise).astype("<i2").tobytes())
            start_ms = (at + pause) * 1000 // RATE
            bad = [chance.random() < wrong for _ in times]
            words = [
                chance.choice(WRONG) if is_wrong else word
                for (word, _, _), is_wrong in zip(times, bad, strict=True)
            ]
            starts = [start_ms + start for _, start, _ in times]
            yield Said(" ".join(words).rstrip(".?!") + ".", starts[0], starts, bad)
            at += len(whole)


def _reciter() -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  (our own command line)
        [sys.executable, "-c", RECITE],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


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


def telephone(samples: Wave, snr_db: float | None, noise: np.random.Generator) -> Wave:
    """Return samples as a telephone gives them: its band, its noise, its companding."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(hz < BAND_HZ[0]) | (hz > BAND_HZ[1])] = 0
    sound = np.fft.irfft(spectrum, len(samples))
    voiced = sound[np.abs(sound) > 200]
    if snr_db is not None and len(voiced):
        level = np.sqrt(np.mean(voiced**2)) / 10 ** (snr_db / 20)
        sound = sound + noise.normal(0, level, len(sound))
    loud = np.clip(sound / 32768, -1, 1)
    steps = np.round(np.sign(loud) * np.log1p(MU * np.abs(loud)) / np.log1p(MU) * 127) / 127
    plain = np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(MU)) / MU
    found: Wave = (plain * 32767).astype(np.int16)
    return found
