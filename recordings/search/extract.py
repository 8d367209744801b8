"""The sentence in which the words of a search were said, with marks and its moment.

Only for the rows of a page: it reads the text as it is, not the index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from recordings.search.document import Line, read_lines
from recordings.search.query import STEM, Clause, Run
from recordings.search.words import spans, stem, words

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


def extracts(lines: Mapping[UUID, str | None], clauses: Sequence[Clause]) -> dict[UUID, Extract]:
    """Return for each recording with lines the sentence that meets most clauses, if one does."""
    runs = [(clause.said, clause.begins) for clause in clauses if clause.is_wanted and clause.said]
    found: dict[UUID, Extract] = {}
    if not runs:
        return found
    for recording, kept in lines.items():
        if kept and (extract := _best(read_lines(kept), runs)):
            found[recording] = extract
    return found


Runs = list[tuple[tuple[Run, ...], bool]]


def _best(lines: Iterable[Line], runs: Runs) -> Extract | None:
    most, best = 0, None
    for line in lines:
        spoken = words(line[0])
        met = sum(any(_found(spoken, *each)) for each in runs)
        if met > most:
            most, best = met, line
        if met == len(runs):
            break
    if best is None:
        return None
    text, start_ms = best
    at_s = None if start_ms is None else start_ms / 1000
    return Extract(_parts(text, _marks(text, runs)), at_s)


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
