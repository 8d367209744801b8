"""The sentence in which the words of a search were said, with marks and its moment.

Only for the rows of a page: it reads the text as it is, not the index.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, TextField, Value, When

from recordings import texts
from recordings.models import Caption, Recording, Transcript
from recordings.search.query import STEM, Clause, Run
from recordings.search.words import spans, stem

SENTENCE = re.compile(r"[^.!?…\n]+[.!?…]*\s*")
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


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was said in one go, and from when on."""

    text: str
    at_s: float | None


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


def _said(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, Iterator[Sentence]]]:
    newest = _newest(recordings)
    others = [recording for recording in recordings if recording.pk not in newest]
    calls = {recording.call_id for recording in others}
    captioned = set(Caption.objects.filter(call__in=calls).values_list("call", flat=True))
    for recording in recordings:
        if recording.pk in newest:
            yield recording, newest[recording.pk]
        elif unclaimed := texts.written(recording) if not recording.has_transcript else []:
            yield recording, _of_text(unclaimed[-1].text)
        elif recording.call_id in captioned:
            lines = texts.lines(recording)
            yield recording, (Sentence(line.text, line.from_s) for line in lines)


def _newest(recordings: Sequence[Recording]) -> dict[UUID, Iterator[Sentence]]:
    """Return the sentences of the newest text of each; a long one is not read twice."""
    untimed = Case(
        When(segments__isnull=True, then="text"), default=Value(""), output_field=TextField()
    )
    written = Transcript.objects.filter(recording__in=recordings).exclude(text="")
    columns = written.order_by("told_at", "id").values_list("recording", "segments", untimed)
    return {
        pk: _of_segments(segments) if segments else _of_text(text)
        for pk, segments, text in columns
        if pk is not None
    }


def _of_segments(segments: list[dict[str, Any]]) -> Iterator[Sentence]:
    for segment in segments:
        start_ms = segment.get("start_ms")
        yield Sentence(segment["text"], None if start_ms is None else start_ms / 1000)


def _of_text(text: str) -> Iterator[Sentence]:
    for match in SENTENCE.finditer(text):
        yield Sentence(match[0].strip(), None)


Runs = list[tuple[tuple[Run, ...], bool]]


def _best(sentences: Iterator[Sentence], runs: Runs) -> Extract | None:
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
    return Extract(_parts(sentence.text, marks), sentence.at_s)


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
