"""The rows of recordings, a module for each thought."""

from recordings.models.notes import Comment, Review, Tag, Tagging
from recordings.models.personal import Export, Listening, SavedView
from recordings.models.recording import (
    LENGTHS_MS,
    Recording,
    RecordingQuerySet,
    State,
    first_place,
    length_class,
    moment_of,
    numbers,
    place_of,
)
from recordings.models.search import SearchText
from recordings.models.transcript import Caption, Revision, Transcript

__all__ = [
    "LENGTHS_MS",
    "Caption",
    "Comment",
    "Export",
    "Listening",
    "Recording",
    "RecordingQuerySet",
    "Review",
    "Revision",
    "SavedView",
    "SearchText",
    "State",
    "Tag",
    "Tagging",
    "Transcript",
    "first_place",
    "length_class",
    "moment_of",
    "numbers",
    "place_of",
]
