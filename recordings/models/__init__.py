"""The rows of recordings, a module for each thought."""

from recordings.models.recording import (
    DIGITS,
    Recording,
    RecordingQuerySet,
    State,
    numbers,
    place_of,
    reversed_digits,
)
from recordings.models.transcript import Caption, Transcript

__all__ = [
    "DIGITS",
    "Caption",
    "Recording",
    "RecordingQuerySet",
    "State",
    "Transcript",
    "numbers",
    "place_of",
    "reversed_digits",
]
