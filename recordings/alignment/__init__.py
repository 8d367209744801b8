"""Forced alignment: when each word of a text is said in a recording. Offline; no Django.

    text -> tokens; recording -> track -> pieces -> heard words -> anchors -> what lies between

    align(path, text, language="en-US") -> [Segment]        raises audio.NotAudio

What is not found keeps None for its times: no time is ever guessed. A text is heard first with a
language model made of itself; runs of two and more words are anchors; what lies between anchors
is heard again, then followed word by word, where each word may be missing.
"""

# Tried once each on 83 s of generated speech (232 words, 8 kHz; words matched by ear, clean and at
# 15 dB of noise): as it is 30 % and 37 %, for the model has never met an empty upper band; with
# dither of 8 % of the level 80 % and 46 %, of 16 % 75 % and 44 %; then with a discount of 0.1 in
# place of 0.5 87 % and 44 % (0.25 lies between, untried alone), or with a language weight of 10 in
# place of 6.5 85 % and 52 %. Mild spectral subtraction gave 81 % and 50 %, stronger 83 % and 41 %:
# too little for its code. Between anchors, with a tenth of the words wrong, skips time more right
# words than a strict alignment (19 to 10 clean, 30 to 13 noisy) and fewer wrong ones (1 to 3,
# 0 to 1); with a right text the strict one is level or better (7 to 14, 40 to 42).

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recordings import audio
from recordings.alignment import onset, sound, speakers
from recordings.alignment.pronouncing import dictionary
from recordings.alignment.recogniser import Heard, Recogniser, dictionary_of, model_for
from recordings.alignment.search import find
from recordings.alignment.text import Token, sentences, tokens

__all__ = ["CONFIDENT", "Segment", "Word", "align"]

CONFIDENT = 0.6  # segments below are shown as doubtful


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written, and when it is said; None if that was not found."""

    word: str
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence. Its times, confidence (0 to 1) and channel are None if it was not found."""

    text: str
    words: tuple[Word, ...]
    start_ms: int | None = None
    end_ms: int | None = None
    confidence: float | None = None
    channel: int | None = None  # the index of whoever speaks; None if that is not clear either

    @property
    def is_confident(self) -> bool:
        return self.confidence is not None and self.confidence >= CONFIDENT


def align(path: Path, text: str, *, language: str = "en") -> list[Segment]:
    """Return the sentences of a text with the times at which a recording says them.

    Nothing has a time when there is no model for the language. Raises audio.NotAudio.
    """
    recorded = audio.probe(path)
    written = sentences(text)
    model = model_for(language)
    found, sounds = tokens(written, dictionary(dictionary_of(model)) if model else {})
    with sound.track(path, recorded) as track:
        heard = find(track, found, Recogniser(model, sounds)) if model and sounds else {}
        return list(_segments(written, found, heard, track))


def _segments(
    written: list[str], found: list[Token], heard: dict[int, Heard], track: sound.Track
) -> Iterator[Segment]:
    """Yield the sentences with what was heard of them."""
    places: list[list[int]] = [[] for _ in written]
    for place, token in enumerate(found):
        places[token.segment].append(place)
    last_ms = 0  # the end of what was heard before
    for sentence, inside in zip(written, places, strict=True):
        segment = _segment(sentence, inside, found, heard, track, last_ms)
        last_ms = segment.end_ms or last_ms
        yield segment


def _segment(
    sentence: str,
    places: list[int],
    found: list[Token],
    heard: dict[int, Heard],
    track: sound.Track,
    last_ms: int,
) -> Segment:
    """Return a sentence with what was heard of it."""
    words = tuple(
        Word(found[place].word, heard[place].start_ms, heard[place].end_ms)
        if place in heard
        else Word(found[place].word)
        for place in places
    )
    timed = [place for place in places if place in heard]
    if not timed:
        return Segment(sentence, words)
    first_ms = heard[timed[0]].start_ms
    missing_ms = sum(found[place].length_ms for place in range(places[0], timed[0]))
    said = [heard[place] for place in timed]
    return Segment(
        sentence,
        words,
        onset.start_of(track, first_ms, missing_ms, last_ms) if missing_ms else first_ms,
        said[-1].end_ms,
        confidence(said, sum(bool(found[place].key) for place in places)),
        speakers.channel_of(track, said),
    )


def confidence(timed: list[Heard], spoken: int) -> float:
    """Return how sure a sentence's times are: the share of its words heard, less if few were."""
    return round(len(timed) / spoken * (1 - 0.5 ** len(timed)), 2)
