"""The sentence in which the words of a search were said, with marks and its moment.

Only for the rows of a page: it reads the text as it is, not the index.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from recordings import said
from recordings.models import Caption, Recording
from recordings.search.query import STEM, Clause, Run
from recordings.search.words import spans, stem, words
from recordings.sentences import Sentence

LONGEST = 220  # characters; of a longer sentence, the part around the first mark
BEFORE = 60


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence in parts, of which some are marked, and when it was said, if anybody knows."""

    parts: tuple[tuple[str, bool], ...]
    at_s: float | None = None

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


Mark = tuple[int, int]


def extracts(recordings: Sequence[Recording], clauses: Sequence[Clause]) -> dict[UUID, Extract]:
    """Return for each recording the sentence that meets most clauses, where one does."""
    runs = [(clause.said, clause.begins) for clause in clauses if clause.is_wanted and clause.said]
    found: dict[UUID, Extract] = {}
    if not runs:
        return found
    for recording, sentences in _said(recordings):
        if extract := _best(sentences, runs):
            found[recording.pk] = extract
    return found


def _said(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, Sequence[Sentence]]]:
    best = said.best_of(recordings, only=said.READ)
    calls = {recording.call_id for recording in recordings if recording.pk not in best}
    captioned = set(Caption.objects.filter(call__in=calls).values_list("call", flat=True))
    for recording in recordings:
        if recording.pk in best:
            yield recording, said.sentences_of(best[recording.pk])
        elif recording.call_id in captioned:
            yield recording, said.lines(recording)


Runs = list[tuple[tuple[Run, ...], bool]]


def _best(sentences: Iterable[Sentence], runs: Runs) -> Extract | None:
    best: tuple[int, Sentence] | None = None
    for sentence in sentences:
        spoken = words(sentence.text)
        met = sum(any(_found(spoken, *each)) for each in runs)
        if met and (best is None or met > best[0]):
            best = (met, sentence)
        if met == len(runs):
            break
    if best is None:
        return None
    _, sentence = best
    return Extract(_parts(sentence.text, _marks(sentence.text, runs)), sentence.start_s)


def _marks(text: str, runs: Runs) -> list[Mark]:
    """Return the stretches that meet a clause."""
    where = list(spans(text))  # takes ten times as long as the words alone
    spoken = [word for _, _, word in where]
    return _joined(
        [
            (where[first][0], where[first + length - 1][1])
            for each in runs
            for first, length in _found(spoken, *each)
        ]
    )


def _found(
    spoken: list[str], alternatives: tuple[Run, ...], begins: bool
) -> Iterator[tuple[int, int]]:
    """Yield where a clause is met, and by how many words."""
    for run in alternatives:
        length = len(run)
        for place in _places(spoken, run[0], begins and length == 1):
            others = spoken[place + 1 : place + length]
            if len(others) == length - 1 and all(
                _is(word, token, begins and at == length)
                for at, (word, token) in enumerate(zip(others, run[1:], strict=True), start=2)
            ):
                yield place, length


def _places(spoken: list[str], token: str, begins: bool) -> Iterable[int]:
    if not (begins or token.startswith(STEM) or token in spoken):  # most sentences, at once
        return ()
    return [place for place, word in enumerate(spoken) if _is(word, token, begins)]


def _is(word: str, token: str, begins: bool) -> bool:
    if token.startswith(STEM):
        return stem(word) == token[1:]
    return word.startswith(token) if begins else word == token


def _joined(marks: list[Mark]) -> list[Mark]:
    """Return the marks in order, those that overlap as one."""
    joined: list[Mark] = []
    for start, end in sorted(marks):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _parts(text: str, marks: list[Mark]) -> tuple[tuple[str, bool], ...]:
    """Cut a sentence at its marks, and a long one down to what surrounds the first."""
    first, last = 0, len(text)
    if last > LONGEST:
        first = max(0, marks[0][0] - BEFORE)
        last = min(last, max(first + LONGEST, marks[0][1]))
    parts: list[tuple[str, bool]] = [("…", False)] if first else []
    at = first
    for start, end in marks:
        if end > last:
            break
        parts += [(text[at:start], False), (text[start:end], True)]
        at = end
    parts.append((text[at:last] + ("…" if last < len(text) else ""), False))
    return tuple(part for part in parts if part[0])
