"""What a text's times are worth: sentences nobody says, what is no speech, where voices start."""

import re

import numpy as np
import pytest

from calls import audio
from recordings.alignment import align, onset, search, sound, text, trust
from recordings.alignment.recogniser import Heard
from recordings.alignment.sound import Track
from simulator import speech
from tests.test_alignment import save

RATE = 8_000
SAID = (
    "Thank you for calling the harbour clinic, how can I help you today?",
    "I would like to move my appointment from Tuesday to Thursday afternoon.",
    "It is Kowalczyk, and I have been waiting for almost twenty minutes.",
)
ANOTHERS = (
    "I left a green umbrella and a folder of drawings on the train to Bristol.",
    "Which carriage were you sitting in, and did you change anywhere?",
    "Mine has a wooden handle that is carved like the head of a duck.",
    "Could you keep it locked away until he returns from Norway?",
)


@pytest.fixture
def recorded(tmp_path):
    if speech._espeak() is None:
        pytest.skip("eSpeak NG is not installed")
    pause = np.zeros(RATE // 2, dtype=np.int16)
    parts = [part for each in SAID for part in (pause, speech.speak(each, "en-us").samples)]
    return save(tmp_path / "call.wav", np.concatenate(parts))


def starts(segments):
    return [segment.start_ms for segment in segments]


def test_the_text_of_another_call_has_no_time_at_all(recorded):
    segments = align(recorded, " ".join(ANOTHERS))
    assert starts(segments) == [None] * 4
    assert {word.start_ms for each in segments for word in each.words} == {None}


def test_a_paragraph_of_another_call_has_no_time_and_moves_nothing(recorded):
    plain = align(recorded, " ".join(SAID))
    mixed = align(recorded, " ".join([*SAID[:2], *ANOTHERS, *SAID[2:]]))
    assert starts(mixed)[2:6] == [None] * 4
    assert [*starts(mixed)[:2], *starts(mixed)[6:]] == pytest.approx(starts(plain), abs=50)


def test_who_speaks_and_what_is_heard_are_written_but_not_said(recorded):
    written = [f"Agent: [noise] {each}" for each in SAID]
    named = align(recorded, "\n".join(written))
    assert [each.text for each in named] == written
    assert {word.start_ms for each in named for word in each.words[:2]} == {None}
    assert starts(named) == pytest.approx(starts(align(recorded, "\n".join(SAID))), abs=50)


@pytest.mark.parametrize("written", ["Null here.", "Call me.", "Guten Tag.", ANOTHERS[0]])
def test_a_short_text_of_another_call_is_never_sure(recorded, written):
    assert not align(recorded, written)[0].is_confident


class Ears:
    """Hears the same words in every stretch."""

    def __init__(self, words):
        self.words, self.turns = words, 0

    def expect(self, keys):
        self.turns += 1

    def hear(self, track, span):
        begin = span.start_ms + 800  # there is voice
        return [
            Heard(word, begin + 250 * at, begin + 250 * (at + 1))
            for at, word in enumerate(self.words)
        ]

    def follow(self, track, span, keys):
        return [None] * len(keys)


@pytest.mark.parametrize(("heard", "turns"), [(5, 1), (7, 2)])
def test_a_text_of_which_next_to_nothing_is_heard_is_not_sought_again(recorded, heard, turns):
    words = [chr(ord("a") + at // 26) + chr(ord("a") + at % 26) for at in range(40)]
    tokens = [text.Token(word, word, 0, 250) for word in words]
    ears = Ears(words[:heard])
    with sound.track(recorded, audio.probe(recorded)) as track:
        search.find(track, tokens, ears)
    assert ears.turns == turns


def test_a_sentence_is_doubted_when_those_beside_it_are_lost():
    together = trust.confidences([8] * 5, [10] * 5)
    alone = trust.confidences([0, 0, 8, 0, 0], [10] * 5)
    assert together[2] == 0.8
    assert alone[2] == 0.53
    assert trust.confidences([8], [10]) == [0.8]  # a text of one sentence has none beside it


@pytest.mark.parametrize(
    ("heard", "spoken", "trusted"), [(0, 0, 0.0), (0, 9, 0.0), (1, 1, 0.5), (2, 2, 0.75)]
)
def test_few_words_are_little_proof(heard, spoken, trusted):
    assert trust.confidences([heard], [spoken]) == [trusted]


def keys(written):
    known = {word: ["T"] for word in re.findall("[a-z]+", written.lower())}
    return [token.key for token in text.tokens(text.sentences(written), known)[0]]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Agent: hello.\nAgent: bye.", ["", "hello", "", "bye"]),
        ("Speaker one: hi.\nSpeaker one: yes.", ["", "", "hi", "", "", "yes"]),
        ("Note: mind the gap.", ["note", "mind", "the", "gap"]),  # once is no name
        ("so [loud noise] then", ["so", "", "", "then"]),
        ("so [loud noise then", ["so", "loud", "noise", "then"]),
        ("[noise] Agent: hi.\n[noise] Agent: bye.", ["", "", "hi", "", "", "bye"]),
    ],
)
def test_names_before_sentences_and_remarks_in_brackets_are_not_said(written, said):
    assert keys(written) == said


def track(*levels):
    """Return a track of stretches, each (ms, loudness)."""
    rows = [level for ms, level in levels for _ in range(ms // sound.FRAME_MS)]
    with open("/dev/null", "rb") as nothing:  # noqa: PTH123
        info = audio.Audio("wav", 1, RATE, 0, proves_length=True)
        return Track(nothing, info, np.array(rows, dtype=np.float32)[:, None])


# a sentence, a pause of 400 ms, two words, a comma's pause of 200 ms, the word that was found
HEARD = track((2_000, 100), (400, 1), (600, 100), (200, 1), (2_000, 100))


@pytest.mark.parametrize(
    ("missing_ms", "not_before_ms", "start_ms"),
    [
        (800, 0, 2_400),  # the two words fit behind the long pause
        (100, 0, 3_200),  # too little is missing for that: the comma's
        (800, 2_500, 3_200),  # the sentence before still sounds in the long pause
        (800, 3_200, 3_200),  # no time is left
    ],
)
def test_a_sentence_starts_after_the_pause_that_fits_its_lost_words(
    missing_ms, not_before_ms, start_ms
):
    assert onset.start_of(HEARD, 3_200, missing_ms, not_before_ms) == start_ms


def test_without_a_pause_a_sentence_starts_where_it_was_heard():
    assert onset.start_of(track((4_000, 100)), 2_000, 600, 0) == 2_000
