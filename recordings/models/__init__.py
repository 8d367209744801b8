"""The rows of recordings, a module for each thought."""

from recordings.models.asking import Backfill, Sweep
from recordings.models.notes import Comment, Review, Tag, Tagging
from recordings.models.personal import Export, Listening, SavedView
from recordings.models.recording import (
    DIGITS,
    FoundBy,
    Recording,
    RecordingQuerySet,
    State,
    numbers,
    place_of,
    reversed_digits,
)
from recordings.models.transcript import Caption, Revision, Transcript

__all__ = [
    "DIGITS",
    "Backfill",
    "Caption",
    "Comment",
    "Export",
    "FoundBy",
    "Listening",
    "Recording",
    "RecordingQuerySet",
    "Review",
    "Revision",
    "SavedView",
    "State",
    "Sweep",
    "Tag",
    "Tagging",
    "Transcript",
    "numbers",
    "place_of",
    "reversed_digits",
]
