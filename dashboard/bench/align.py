"""How near alignment comes to the truth, on generated speech whose word times are known.

Several voices, the telephone's band and companding, noise at 15 dB, a tenth of the words wrong;
and texts that are not what is said. It runs as the desk's workers run it, in a child process:
its memory is that of the whole process, and its speed is that of the processor's time it takes.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from dashboard.bench import voices
from dashboard.bench.figures import percentile, table
from dashboard.bench.stage import Broken
from dashboard.bench.voices import Call, Said

NAME = "align"
MOST = {
    "median_ms": 150.0,
    "p90_ms": 400.0,
    "worst_sure_ms": 2_000.0,
    "unsaid_sure": 0.0,
    "mb": 200.0,
}
LEAST = {"times_real": 10.0}
CONFIDENT = 0.6
WATCH = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6]), file=sys.stderr)
sys.exit(code)
"""  # between it and us, who are larger: a child's peak counts from its parent's size at its birth


class Used(NamedTuple):
    """What a process took."""

    cpu_s: float
    mb: float


@dataclass(frozen=True)
class Sizes:
    """How long the conversations are."""

    minutes: float = 60.0
    short_minutes: float = 5.0

    def calls(self) -> dict[str, Call]:
        short = self.short_minutes
        return {
            "clean, text right": Call(short),
            "two channels, 15 dB": Call(short, 15.0, 0.1, channels=2),
            "awkward, 15 dB": Call(short, 15.0, 0.1, is_awkward=True),
            "another call's text": Call(short, 15.0, is_another=True),
            "another's, clean": Call(short, is_another=True),
            "15 dB, a tenth wrong": Call(self.minutes, 15.0, 0.1),
        }


@dataclass(frozen=True)
class Outcome:
    """One conversation, aligned. "Sure" are segments with enough confidence."""

    minutes: float
    said: int  # sentences that somebody says
    timed: float  # share of them
    sure: float
    median_ms: float  # off the true start
    p90_ms: float
    worst_sure_ms: float
    unsaid: int  # sentences of the text that nobody says
    unsaid_timed: int
    unsaid_sure: int
    words: float  # share of the right words timed
    wrong: float  # share of the wrong words timed
    speaker: float  # share of the sure segments with the right channel
    times_real: float
    mb: float


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Align a conversation of each kind; return the figures."""
    outcomes = {}
    for name, call in sizes.calls().items():
        say(f"{name}: {call.minutes:g} minutes")
        with tempfile.TemporaryDirectory() as folder:
            outcomes[name] = asdict(_measure(Path(folder), call))
    return {"outcomes": outcomes, "most": MOST, "least": LEAST}


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures for people."""
    outcomes: dict[str, dict[str, float]] = figures["outcomes"]
    names = list(outcomes)
    rows = [[figure, *(outcomes[name][figure] for name in names)] for figure in outcomes[names[0]]]
    missed = [
        f"MISSED: {figure} is {each[figure]:g} with {name!r}, the target is at {side} {target:g}"
        for side in ("most", "least")
        for figure, target in figures[side].items()
        for name, each in outcomes.items()
        if (each[figure] > target if side == "most" else each[figure] < target)
    ]
    return [*table(["", *names], rows), *missed]


def _measure(folder: Path, call: Call) -> Outcome:
    said = voices.record(folder / "call.wav", call)
    (folder / "text.txt").write_text("\n".join(each.text for each in said), encoding="utf-8")
    answer, used = _align(folder)
    if len(answer) != len(said):
        raise Broken(f"{len(said)} sentences came back as {len(answer)}")
    return judge(call, list(zip(answer, said, strict=True)), used)


def judge(call: Call, pairs: Sequence[tuple[dict[str, Any], Said]], used: Used) -> Outcome:
    """Hold what was told against the truth."""
    spoken = [(told, true) for told, true in pairs if true.start_ms is not None]
    unsaid = [told for told, true in pairs if true.start_ms is None]
    off = [
        (abs(told["start_ms"] - (true.start_ms or 0)), _is_sure(told), told, true)
        for told, true in spoken
        if told["start_ms"] is not None
    ]
    sure = [(told, true) for _, is_sure, told, true in off if is_sure]
    timed = [
        (is_wrong, word["start_ms"] is not None)
        for told, true in spoken
        for word, start, is_wrong in zip(told["words"], true.words, true.wrong, strict=True)
        if start is not None
    ]
    return Outcome(
        minutes=call.minutes,
        said=len(spoken),
        timed=_share([told["start_ms"] is not None for told, _ in spoken]),
        sure=_share([_is_sure(told) for told, _ in spoken]),
        median_ms=percentile([ms for ms, *_ in off], 50),
        p90_ms=percentile([ms for ms, *_ in off], 90),
        worst_sure_ms=max((ms for ms, is_sure, *_ in off if is_sure), default=0),
        unsaid=len(unsaid),
        unsaid_timed=sum(told["start_ms"] is not None for told in unsaid),
        unsaid_sure=sum(_is_sure(told) for told in unsaid),
        words=_share([is_timed for is_wrong, is_timed in timed if not is_wrong]),
        wrong=_share([is_timed for is_wrong, is_timed in timed if is_wrong]),
        speaker=_share([told["channel"] == true.channel for told, true in sure])
        if call.channels > 1
        else 0.0,
        times_real=round(call.minutes * 60 / used.cpu_s, 1),
        mb=round(used.mb, 1),
    )


def _is_sure(told: dict[str, Any]) -> bool:
    return told["confidence"] is not None and told["confidence"] >= CONFIDENT


def _share(values: Sequence[bool]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


def _align(folder: Path) -> tuple[list[dict[str, Any]], Used]:
    """Return what the child process says, and what it used. Raises Broken."""
    with (folder / "out.json").open("w+b") as out:
        done = subprocess.run(  # noqa: S603  (our own command line)
            [
                *(sys.executable, "-c", WATCH, sys.executable, "-m", "recordings.alignment"),
                *(str(folder / "call.wav"), str(folder / "text.txt")),
            ],
            cwd=settings.BASE_DIR,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise Broken(f"alignment ended with code {done.returncode}: {done.stderr}")
        out.seek(0)
        segments: list[dict[str, Any]] = json.load(out)["segments"]
    return segments, Used(*json.loads(done.stderr.splitlines()[-1]))
