"""What is heard in a waveform: silences, people at once, shares of the talk."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import sounds
from recordings.peaks import HEADER, peaks
from tests.store import spoken

RATE = 8_000


def hear(folder, *sides, seconds, hiss=8):
    """Return what is heard in a file in which sides talk during spans."""
    path = Path(folder) / "talk.wav"
    path.write_bytes(spoken(seconds, *sides, hiss=hiss))
    return sounds.hear(peaks(path))


def near(found, wanted, within_s=0.1):
    assert len(found) == len(wanted), found
    assert np.allclose(found, wanted, atol=within_s), found


def test_silence_of_both_sides_is_found_where_it_is(tmp_path):
    heard = hear(tmp_path, [(1, 4), (12, 15)], [(5, 7)], seconds=20)
    near(heard.silences, [(7, 12), (15, 20)])


def test_a_short_silence_is_how_people_speak(tmp_path):
    assert hear(tmp_path, [(0, 4), (5.5, 10)], [], seconds=10).silences == ()


def test_people_at_once_are_found_where_they_are(tmp_path):
    heard = hear(tmp_path, [(0, 6), (10, 12)], [(4, 11)], seconds=12)
    near(heard.overlaps, [(4, 6), (10, 11)])


def test_taking_turns_is_not_talking_at_once(tmp_path):
    assert hear(tmp_path, [(0, 4.3)], [(4, 8)], seconds=8).overlaps == ()


def test_shares_are_of_the_talk_not_of_the_time(tmp_path):
    heard = hear(tmp_path, [(0, 9)], [(20, 23)], seconds=60)
    assert heard.shares == (75, 25)


def test_nobody_talks_in_an_empty_file(tmp_path):
    heard = hear(tmp_path, [], [], seconds=10)
    near(heard.silences, [(0, 10)])
    assert heard.shares == ()


def test_a_noisy_line_is_not_talk(tmp_path):
    heard = hear(tmp_path, [(2, 5)], [(9, 12)], seconds=15, hiss=400)
    near(heard.silences, [(0, 2), (5, 9), (12, 15)], within_s=0.2)


def test_one_channel_has_silence_but_nobody_at_once(tmp_path):
    heard = hear(tmp_path, [(0, 3), (8, 10)], seconds=10)
    near(heard.silences, [(3, 8)])
    assert (heard.overlaps, heard.shares) == ((), ())


def test_digital_silence_is_silence(tmp_path):
    near(hear(tmp_path, [(3, 5)], [], seconds=8, hiss=0).silences, [(0, 3), (5, 8)])


def test_a_file_full_of_talk_is_not_taken_for_a_noisy_line(tmp_path):
    heard = hear(tmp_path, [(0, 10)], [(0, 10)], seconds=10)
    assert (heard.silences, heard.shares) == ((), (50, 50))


def test_bytes_that_are_no_waveform_say_so():
    with pytest.raises(ValueError, match="no waveform"):
        sounds.hear(b"RIFF")


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 9))
def test_joining_fills_short_gaps_and_nothing_else(flags, gap):
    flags = np.array(flags, dtype=bool)
    wanted = flags.copy()
    at = np.flatnonzero(flags)
    for before, after in pairwise(at):
        if after - before - 1 <= gap:
            wanted[before:after] = True
    assert (sounds._joined(*sounds._runs(flags), len(flags), gap) == wanted).all()


def test_two_hours_take_a_moment():
    pixels = 2 * 3600 * 50
    chance = np.random.default_rng(1)
    loud = np.repeat(chance.integers(0, 2, (pixels // 50, 2)), 50, axis=0) * 60
    values = np.stack((-loud, loud), axis=2) + chance.integers(-1, 2, (pixels, 2, 2))
    dat = HEADER.pack(2, 1, RATE, 160, pixels, 2) + values.astype(np.int8).tobytes()
    took = []
    for _ in range(3):
        began = time.perf_counter()
        heard = sounds.hear(dat)
        took.append(time.perf_counter() - began)
    assert len(heard.silences) > 100
    assert min(took) < 0.5  # seen: 0.03
