"""The sentence in which the words of a search were said, with marks and its moment.

Only for the rows of a page: it reads the text as it is, not the index.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from recordings import said
from recordings.models import Caption, Recording
from recordings.search.query import STEM, Clause, Run
from recordings.search.words import spans, stem
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
    best: tuple[int, Sentence, list[Mark]] | None = None
    for sentence in sentences:
        marks, met = _marks(sentence.text, runs)
        if met and (best is None or met > best[0]):
            best = (met, sentence, marks)
        if met == len(runs):
            break
    if best is None:
        return None
    _, sentence, marks = best
    return Extract(_parts(sentence.text, marks), sentence.start_s)


def _marks(text: str, runs: Runs) -> tuple[list[Mark], int]:
    """Return the stretches that meet a clause, and how many clauses are met."""
    spoken = list(spans(text))
    marks: list[Mark] = []
    met = 0
    for alternatives, begins in runs:
        found = [
            (spoken[place][0], spoken[place + len(run) - 1][1])
            for run in alternatives
            for place in range(len(spoken) - len(run) + 1)
            if _is_at([word for _, _, word in spoken[place : place + len(run)]], run, begins)
        ]
        marks += found
        met += bool(found)
    return _joined(marks), met


def _is_at(spoken: list[str], run: Run, begins: bool) -> bool:
    last = len(run) - 1
    return all(
        word == token
        or (token.startswith(STEM) and stem(word) == token[1:])
        or (begins and place == last and word.startswith(token))
        for place, (word, token) in enumerate(zip(spoken, run, strict=True))
    )


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
