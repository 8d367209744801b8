"""The rows of recordings, a module for each thought."""

from recordings.models.among import Among
from recordings.models.asking import Backfill, Sweep
from recordings.models.notes import Comment, Review, Tag, Tagging
from recordings.models.personal import Export, Listening, SavedView
from recordings.models.recording import (
    LENGTHS_MS,
    FoundBy,
    Recording,
    RecordingQuerySet,
    State,
    first_place,
    length_class,
    moment_of,
    numbers,
    place_of,
)
from recordings.models.search import SearchText, Spoken
from recordings.models.transcript import Caption, Revision, Transcript

__all__ = [
    "LENGTHS_MS",
    "Among",
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
    "SearchText",
    "Spoken",
    "State",
    "Sweep",
    "Tag",
    "Tagging",
    "Transcript",
    "first_place",
    "length_class",
    "moment_of",
    "numbers",
    "place_of",
]
