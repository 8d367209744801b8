"""Times of words put into sentences that are already there; none is guessed.

sentences + what the aligner found of the same words -> the sentences, timed
a sentence + its corrected text -> the words that stayed keep their times
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import islice

from recordings.sentences import ALIGNED, Sentence, Word, joined

SHORTEST_MS = 500  # of a line of which only the end is known


def fit(sentences: Sequence[Sentence], found: Iterable[Sentence]) -> list[Sentence]:
    """Return sentences with the times of what was found; the rest keeps what it had.

    What was found are the same words in the same order, cut into sentences elsewhere. Raises
    ValueError if they are not.
    """
    words = [(word, part) for part in found for word in part.words]
    if [word.text for word, _ in words] != joined(sentences).split():
        raise ValueError("What was aligned are not the words of the transcript.")
    rest = iter(words)
    return [
        _timed(sentence, list(islice(rest, len(sentence.text.split())))) for sentence in sentences
    ]


def _timed(sentence: Sentence, words: Sequence[tuple[Word, Sentence]]) -> Sentence:
    """Return a sentence with the times of its words."""
    parts = [part for at, (_, part) in enumerate(words) if not at or words[at - 1][1] is not part]
    starts = [word.start_ms for word, _ in words if word.start_ms is not None]
    ends = [word.end_ms for word, _ in words if word.end_ms is not None]
    if not starts or not ends:
        return sentence
    first = parts[0]
    opens = first.words[0] is words[0][0]  # then its start counts, which was looked for
    sure = [part.confidence or 0.0 for _, part in words]
    channels = [part.channel for part in parts if part.channel is not None]
    told = sentence.channel if sentence.channel is not None else next(iter(channels), None)
    return replace(
        sentence,
        words=tuple(word for word, _ in words),
        start_ms=first.start_ms if opens and first.start_ms is not None else min(starts),
        end_ms=max(ends),
        confidence=round(sum(sure) / len(sure), 2),
        channel=told,
        origin=ALIGNED,
    )


def settled(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return the lines of captions, those not found in the sound held between those that were.

    A pause that the file lacks makes the times told with all captions after it too late.
    """
    latest: list[int | None] = []  # when the next line that was found begins
    upcoming: int | None = None
    for sentence in reversed(sentences):
        latest.append(upcoming)
        upcoming = sentence.start_ms if sentence.origin == ALIGNED else upcoming
    earliest, held = 0, []
    for sentence in sentences:
        held.append(_between(sentence, earliest, latest.pop()))
        if sentence.origin == ALIGNED and sentence.end_ms is not None:
            earliest = sentence.end_ms
    return held


def _between(sentence: Sentence, earliest: int, latest: int | None) -> Sentence:
    if sentence.origin == ALIGNED or sentence.start_ms is None or sentence.end_ms is None:
        return sentence
    start, end = max(sentence.start_ms, earliest), sentence.end_ms
    if latest is not None:
        start, end = min(start, max(0, latest - SHORTEST_MS)), min(end, latest)
    return replace(sentence, start_ms=start, end_ms=max(end, start + SHORTEST_MS))


def reworded(sentence: Sentence, text: str) -> Sentence:
    """Return a sentence with another text: words that stayed keep their times."""
    before = [_bare(word.text) for word in sentence.words]
    wanted = text.split()
    words = [Word(word) for word in wanted]
    matcher = SequenceMatcher(None, before, [_bare(word) for word in wanted], autojunk=False)
    for old, new, length in matcher.get_matching_blocks():
        for step in range(length):
            words[new + step] = sentence.words[old + step]._replace(text=wanted[new + step])
    return replace(sentence, text=text, words=tuple(words))


def _bare(word: str) -> str:
    """Return a word as it sounds, as far as spelling goes."""
    return "".join(filter(str.isalnum, word.lower())) or word
