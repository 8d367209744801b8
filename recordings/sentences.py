"""Sentences: what was said, when, by whom, and who told the times. Also as stored in rows.

    Transcript.segments (JSON) <-> [Sentence]          text -> [Sentence] without times

A time is never guessed: it was found in the sound (ALIGNED), told with a live caption (CAPTION,
approximate), or it is None.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recordings.alignment import CONFIDENT, Segment
from recordings.alignment import text as spelling

ALIGNED, CAPTION = "aligned", "caption"
LEAD_MS = 300  # heard before a word, so that its first sound is not cut off


class Word(NamedTuple):
    """A word as written, and when it is said."""

    text: str
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, or one line of a live caption. `words` are those of its text, in order."""

    text: str
    words: tuple[Word, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    confidence: float | None = None
    channel: int | None = None  # 0: this leg, 1: the other side
    origin: str | None = None  # of the times

    @property
    def row(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "text": self.text,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "confidence": self.confidence,
            "channel": self.channel,
            "origin": self.origin,
            "words": [list(word) for word in self.words],
        }

    @property
    def is_doubtful(self) -> bool:
        return self.confidence is not None and self.confidence < CONFIDENT

    @property
    def percent(self) -> str:
        """Return the confidence for people."""
        return "" if self.confidence is None else f"{self.confidence:.0%}"

    @property
    def is_approximate(self) -> bool:
        return self.origin == CAPTION

    @property
    def start_s(self) -> float | None:
        return None if self.start_ms is None else self.start_ms / 1000

    @property
    def end_s(self) -> float | None:
        return None if self.end_ms is None else self.end_ms / 1000

    @property
    def heard_from_s(self) -> float | None:
        """Where to start the player, to hear it whole."""
        return None if self.start_ms is None else max(0, self.start_ms - LEAD_MS) / 1000

    @property
    def word_times(self) -> str:
        """Return "0+310 - 350+90": each word's start after the sentence's, and how long it lasts.

        In milliseconds; a word that was not found is a dash; "" if none was.
        """
        if self.start_ms is None or all(word.start_ms is None for word in self.words):
            return ""
        return " ".join(
            "-"
            if word.start_ms is None or word.end_ms is None
            else f"{word.start_ms - self.start_ms}+{word.end_ms - word.start_ms}"
            for word in self.words
        )


def rows(sentences: Iterable[Sentence]) -> list[dict[str, Any]]:
    """Return sentences as they are stored."""
    return [sentence.row for sentence in sentences]


def read(stored: Iterable[dict[str, Any]]) -> list[Sentence]:
    """Return the sentences of a stored transcript."""
    return [
        Sentence(
            row["text"],
            tuple(Word(*word) for word in row.get("words") or ()),
            row.get("start_ms"),
            row.get("end_ms"),
            row.get("confidence"),
            row.get("channel"),
            row.get("origin"),
        )
        for row in stored
    ]


def split(text: str) -> list[Sentence]:
    """Return the sentences of a text that nobody timed."""
    return [Sentence(sentence) for sentence in spelling.sentences(text)]


def joined(sentences: Sequence[Sentence]) -> str:
    """Return the text of sentences, a line for each."""
    return "\n".join(sentence.text for sentence in sentences)


def aligned(segments: Iterable[Segment]) -> list[Sentence]:
    """Return what the aligner found."""
    return [
        Sentence(
            segment.text,
            tuple(Word(word.word, word.start_ms, word.end_ms) for word in segment.words),
            segment.start_ms,
            segment.end_ms,
            segment.confidence,
            segment.channel,
            None if segment.start_ms is None else ALIGNED,
        )
        for segment in segments
    ]
