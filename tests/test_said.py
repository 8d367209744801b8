"""What was said: which text is the best, how its sentences fit together, who speaks."""

import pytest

from recordings import fitting, said, sides
from recordings.sentences import ALIGNED, CAPTION, Sentence, Word, read, rows
from tests.said import caption, make, make_call, row, say, timed

pytestmark = pytest.mark.django_db


def sentence(text, *starts, origin=ALIGNED, **more):
    """Return a sentence whose words last 100 ms; None for a word that was not found."""
    words = tuple(
        Word(word, start, None if start is None else start + 100)
        for word, start in zip(text.split(), starts, strict=True)
    )
    known = [start for start in starts if start is not None]
    if not known:
        return Sentence(text, words)
    return Sentence(text, words, known[0], known[-1] + 100, 0.9, origin=origin, **more)


# Which text


KINDS = [
    ("captions", "untimed", 0),
    ("telnyx", "untimed", 0),
    ("captions", "timed", 0),
    ("telnyx", "timed", 0),
    ("captions", "timed", 1),
    ("telnyx", "timed", 2),
]


@pytest.mark.parametrize("better", range(1, len(KINDS)))
@pytest.mark.parametrize("first", [True, False])
def test_the_better_text_is_the_best_whichever_came_first(better, first):
    recording = make()
    kinds = [KINDS[better - 1], KINDS[better]]
    for source, timing, revision in kinds if first else kinds[::-1]:
        say(recording, f"{source} {timing}", source=source, timing=timing, revision=revision)

    source, timing, _ = KINDS[better]
    assert said.best(recording).text == f"{source} {timing}"


def test_the_best_of_many_recordings_is_one_query(django_assert_num_queries):
    recordings = [make() for _ in range(5)]
    for recording in recordings[:4]:
        say(recording, str(recording.pk))
    with django_assert_num_queries(1):
        found = said.best_of(recordings)
    assert {pk: transcript.text for pk, transcript in found.items()} == {
        recording.pk: str(recording.pk) for recording in recordings[:4]
    }


def test_an_empty_text_is_none(db):
    recording = make()
    say(recording, "")
    assert said.best(recording) is None
    assert said.of(recording) is None


def test_captions_are_read_as_they_come_until_there_is_a_text():
    recording = make(state="announced", ended_at=None)
    caption(recording, "good  morning", 7)
    caption(recording, " ", 8)
    (line,) = said.of(recording).sentences
    assert (line.text, line.start_ms, line.end_ms, line.origin) == (
        "good morning",
        2000,
        7000,
        CAPTION,
    )


# Times of words, put into sentences


def test_stored_sentences_come_back_as_they_were():
    sentences = [sentence("a b", 0, 500, channel=1), Sentence("not found")]
    assert read(rows(sentences)) == sentences


def test_words_found_in_other_sentences_fit_into_ours():
    ours = [Sentence("one two three"), Sentence("four"), Sentence("five six")]
    found = [sentence("one two", 10, 200), sentence("three four five six", 400, None, 900, 1200)]
    first, second, third = fitting.fit(ours, found)
    assert (first.start_ms, first.end_ms, first.origin) == (10, 500, ALIGNED)
    assert (second.start_ms, second.origin) == (None, None)
    assert (third.start_ms, third.end_ms) == (900, 1300)


def test_words_that_are_not_ours_fit_nowhere():
    with pytest.raises(ValueError, match="not the words"):
        fitting.fit([Sentence("one two")], [sentence("one too", 0, 100)])


def test_a_line_that_was_not_found_is_held_between_its_neighbours():
    told = Sentence("told", (), 70_000, 75_000, origin=CAPTION)
    lines = [sentence("before", 10_000), told, sentence("after", 20_000)]
    _, held, _ = fitting.settled(lines)
    assert 10_100 <= held.start_ms < 20_000
    assert held.origin == CAPTION
    assert fitting.settled([told]) == [told]


def test_a_corrected_sentence_keeps_the_times_of_the_words_that_stayed():
    before = sentence("I want a re fund, please", 0, 200, 300, 400, 500, 700)
    after = fitting.reworded(before, "I want a refund please now")
    assert after.words == (
        Word("I", 0, 100),
        Word("want", 200, 300),
        Word("a", 300, 400),
        Word("refund"),
        Word("please", 700, 800),
        Word("now"),
    )
    assert (after.start_ms, after.end_ms) == (before.start_ms, before.end_ms)


# Speakers


@pytest.mark.parametrize(
    ("direction", "names"),
    [
        ("incoming", ("Customer", "Agent")),
        ("outgoing", ("Customer", "Agent")),
        ("", ("This leg", "Other side")),
    ],
)
def test_speakers_are_named_by_the_direction_of_the_leg(direction, names):
    recording = make(direction=direction)
    assert sides.names(recording) == names
    recording.sides_swapped = True
    assert sides.names(recording) == names[::-1]


def test_the_leg_placed_for_a_caller_is_the_agents():
    make_call(direction="incoming", conversation="together")
    recording = make(make_call(direction="outgoing", conversation="together"))
    assert sides.names(recording) == ("Agent", "Customer")


def test_a_sentence_without_a_channel_has_no_speaker():
    recording = make(channels=1)
    timed(recording, row("Hello.", 0, 900, channel=None))
    what = said.of(recording)
    assert what.speaker(what.sentences[0]) == ""
