"""Alignment apart from the desk: the child's answer, its bounds, and its reasons."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from recordings.alignment import Segment, Word, align, child
from recordings.alignment.child import ROOT, NotAligned, align_apart
from simulator import speech
from tests.test_alignment import save

RATE = 8_000
TEXT = "Thank you for calling the harbour clinic, how can I help you today?"
GAPS = """
import re, sys
from pathlib import Path
from calls import audio
from recordings.alignment import sound, text
from recordings.alignment.recogniser import COMMON, Recogniser, dictionary_of

def mb(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e3

path, written = Path(sys.argv[1]), sys.argv[2]
known = dictionary_of("en-us")
words, sounds = text.tokens(text.sentences(written), known)
keys = [word.key for word in words]
with sound.track(path, audio.probe(path)) as track:
    ears = Recogniser("en-us", sounds, {word: known[word] for word in COMMON.split()})
    for gap in range(40):
        ears.expect(keys[gap % 4 :])
        ears.hear(track, sound.Span(500, 1_500))
        ears.follow(track, sound.Span(500, 2_000), keys[:6])
        if gap == 10:
            before_mb = mb("VmRSS")
print(f"{before_mb} MB became {mb('VmRSS')}, {mb('VmHWM')} at most")
assert mb("VmRSS") < before_mb + 4 and mb("VmHWM") < 80
"""


@pytest.fixture
def recorded(tmp_path):
    """Two channels; the second one speaks."""
    if speech._espeak() is None:
        pytest.skip("eSpeak NG is not installed")
    samples = np.concatenate((np.zeros(4_000, np.int16), speech.speak(TEXT, "en-us").samples))
    return save(tmp_path / "call.wav", np.stack((np.zeros_like(samples), samples), axis=1))


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "recordings.alignment", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        **options,
    )


def test_a_child_finds_what_this_process_finds(recorded):
    (segment,) = align_apart(recorded, TEXT, "en-US", 60)
    assert [segment] == align(recorded, TEXT)
    assert abs(segment.start_ms - 500) < 150
    assert segment.channel == 1
    assert segment.words[0].start_ms == segment.start_ms


def test_the_text_may_be_a_file_or_standard_input(recorded, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    by_file = run(recorded, tmp_path / "text.txt", "--language", "en")
    by_input = run(recorded, "-", input=TEXT.encode())
    assert by_file.stdout == by_input.stdout
    (segment,) = json.loads(by_file.stdout)["segments"]
    assert [*segment] == ["text", "start_ms", "end_ms", "confidence", "words", "channel"]
    assert [*segment["words"][0]] == ["word", "start_ms", "end_ms"]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_without_text_there_are_no_sentences_and_no_child(text, tmp_path):
    assert align_apart(tmp_path / "no such file", text, "en", 60) == []


def test_a_language_without_a_model_is_told_in_sentences_without_times(recorded):
    assert align_apart(recorded, "Guten Tag.", "de-DE", 60) == [
        Segment("Guten Tag.", (Word("Guten"), Word("Tag.")))
    ]


@pytest.mark.parametrize(
    "text", ["\ud800 lone", "nul \0 here", "-- --help", "♪ \u202e ?!", "a" * 500]
)
def test_an_odd_text_is_answered(recorded, text):
    assert [each.start_ms for each in align_apart(recorded, text, "en", 60)] == [None]


@pytest.mark.parametrize("language", ["", "-h", "english", "en_GB"])
def test_an_odd_language_has_no_model_or_is_english(recorded, language):
    (segment,) = align_apart(recorded, TEXT, language, 60)
    assert (segment.start_ms is None) == (language != "en_GB")


def test_a_child_that_takes_too_long_is_ended(recorded):
    began = time.monotonic()
    with pytest.raises(NotAligned, match=r"It took longer than 0.01 s and was ended\."):
        align_apart(recorded, TEXT, "en", 0.01)
    assert time.monotonic() - began < 10


def test_a_child_that_wants_too_much_memory_says_so(recorded):
    with pytest.raises(NotAligned, match="needs more than 40 MB of memory"):
        align_apart(recorded, TEXT, "en", 60, memory_mb=40)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "call.wav cannot be read: No such file or directory"),
        (b"", "The file is empty"),
        (b"<html>", "The file is a web page"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "call.wav").write_bytes(content)
    with pytest.raises(NotAligned, match=reason):
        align_apart(tmp_path / "call.wav", TEXT, "en", 60)


def test_a_text_beyond_the_limit_is_refused(recorded):
    with pytest.raises(NotAligned, match="The text has more than 4,000,000 bytes"):
        align_apart(recorded, "word " * 900_000, "en", 60)


@pytest.mark.parametrize(
    ("code", "complaint", "reason"),
    [
        (-9, "", "The alignment was ended by SIGKILL, perhaps for want of memory."),
        (-15, "", "The alignment was ended by SIGTERM."),
        (1, "Traceback\n  File\nValueError: odd\n", "ValueError: odd"),
        (3, "", "The alignment ended with code 3."),
    ],
)
def test_a_child_that_ends_badly_has_a_reason(code, complaint, reason):
    assert child._reason(code, complaint) == reason


def test_alignment_needs_no_django_and_steps_back_for_others(recorded):
    probe = (
        "import os, sys; sys.argv[1:] = [sys.argv[1], '-']\n"
        "from recordings.alignment import __main__ as program, child\n"
        "program.main()\n"
        "assert not any(name.startswith('django') for name in sys.modules)\n"
        "assert os.nice(0) >= 10"
    )
    subprocess.run(
        [sys.executable, "-c", probe, str(recorded)], cwd=ROOT, input=TEXT.encode(), check=True
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
def test_many_gaps_take_no_more_memory_than_a_few(recorded):
    """The decoder keeps every search it was given under a name of its own, and its lattices."""
    subprocess.run(
        [sys.executable, "-c", GAPS, str(recorded), TEXT],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=True,
    )
