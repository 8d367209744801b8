"""Forced alignment: when each word of a text is said in a recording. Offline; no Django.

    text -> tokens; recording -> track -> pieces -> heard words -> anchors -> what lies between

    align(path, text, language="en-US") -> [Segment]        raises audio.NotAudio

What is not found keeps None for its times: no time is ever guessed. A text is heard first with a
language model made of itself and a few common words; runs of two and more words are anchors; what
lies between anchors is heard again, then followed word by word, where each word may be missing. A
sentence of which too little is found, or that stands alone, counts as not found (trust).
"""

# Tried once each on 83 s of generated speech (232 words, 8 kHz; words matched by ear, clean and at
# 15 dB of noise): as it is 30 % and 37 %, for the model has never met an empty upper band; with
# dither of 8 % of the level 80 % and 46 %, of 16 % 75 % and 44 %; then with a discount of 0.1 in
# place of 0.5 87 % and 44 % (0.25 lies between, untried alone), or with a language weight of 10 in
# place of 6.5 85 % and 52 %. Mild spectral subtraction gave 81 % and 50 %, stronger 83 % and 41 %:
# too little for its code. Between anchors, with a tenth of the words wrong, skips time more right
# words than a strict alignment (19 to 10 clean, 30 to 13 noisy) and fewer wrong ones (1 to 3,
# 0 to 1); with a right text the strict one is level or better (7 to 14, 40 to 42).
# Then on 5 minutes with noise, words anchored at once: with 4 Gaussians a frame 47 %, 8 58 %, 16
# 62 % (at 1.7 times the processor's time), 32 63 %; 8 without the second pass over the lattice
# 57 % at three quarters of the time, without looking ahead by phones 4 more. An upper band made by
# mirroring or rectifying the lower one: 43 to 48 %. A check of each word by its acoustic score
# cannot tell wrong words from right ones (medians -5.1 and -4.5, quartiles 1 apart): left out.
# Short texts of another call, 36 sentences: 12 were sure, 1 since the ear knows common words too.

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from calls import audio
from recordings.alignment import onset, sound, speakers, trust
from recordings.alignment.pronouncing import Dictionary
from recordings.alignment.recogniser import COMMON, Heard, Recogniser, dictionary_of, model_for
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
    known = dictionary_of(model) if model else Dictionary()
    found, sounds = tokens(written, known)
    others = {word: known[word] for word in COMMON.split() if word in known}
    with sound.track(path, recorded) as track:
        heard = find(track, found, Recogniser(model, sounds, others)) if model and sounds else {}
        return list(_segments(written, found, heard, track))


def _segments(
    written: list[str], found: list[Token], heard: dict[int, Heard], track: sound.Track
) -> Iterator[Segment]:
    """Yield the sentences with what was heard of them, if that is enough."""
    places: list[list[int]] = [[] for _ in written]
    for place, token in enumerate(found):
        places[token.segment].append(place)
    sure = trust.confidences(
        [sum(heard[place].proof for place in inside if place in heard) for inside in places],
        [sum(bool(found[place].key) for place in inside) for inside in places],
    )
    last_ms = 0  # the end of what was heard before
    for sentence, inside, confidence in zip(written, places, sure, strict=True):
        tokens = [found[place] for place in inside]
        if confidence < trust.LEAST:
            yield Segment(sentence, tuple(Word(token.word) for token in tokens))
            continue
        said = [heard.get(place) for place in inside]
        segment = _segment(sentence, tokens, said, track, last_ms)
        yield replace(segment, confidence=confidence)
        last_ms = segment.end_ms or last_ms


def _segment(
    sentence: str, tokens: list[Token], said: list[Heard | None], track: sound.Track, last_ms: int
) -> Segment:
    """Return a sentence with the words heard of it."""
    timed = [word for word in said if word]
    missing_ms = sum(token.length_ms for token in tokens[: said.index(timed[0])])
    first_ms = timed[0].start_ms
    return Segment(
        sentence,
        tuple(
            Word(token.word, word.start_ms, word.end_ms) if word else Word(token.word)
            for token, word in zip(tokens, said, strict=True)
        ),
        onset.start_of(track, first_ms, missing_ms, last_ms) if missing_ms else first_ms,
        timed[-1].end_ms,
        channel=speakers.channel_of(track, timed),
    )
