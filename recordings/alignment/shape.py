"""Segments as JSON, in the shape that others read, and the text of a file; no Django."""

from collections.abc import Mapping, Sequence
from typing import IO, Any

from recordings.alignment import Segment, Word

MOST_BYTES = 4_000_000  # of text: some 70 hours of speech


class NotText(Exception):
    """The file is not the text it should be; the text says why."""


def read(file: IO[bytes]) -> str:
    """Return the text of a file. Raises NotText."""
    found = file.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise NotText(f"has more than {MOST_BYTES:,} bytes, which is the limit")
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise NotText(f"is not UTF-8 text: byte {exc.start} is wrong") from exc
    if not text.strip():
        raise NotText("holds no text")
    return text


def as_json(segment: Segment) -> dict[str, Any]:
    """Return a segment in the shape that others read."""
    return {
        "text": segment.text,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "confidence": segment.confidence,
        "words": [
            {"word": word.word, "start_ms": word.start_ms, "end_ms": word.end_ms}
            for word in segment.words
        ],
    }


def from_json(found: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """Return the segments of that shape, which here has a channel too."""
    return [
        Segment(**{**segment, "words": tuple(Word(**word) for word in segment["words"])})
        for segment in found
    ]
