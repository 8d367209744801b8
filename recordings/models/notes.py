"""What people write about a recording: comments at a moment, tags, a flag, the reviewed mark."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from recordings.models.recording import Recording


class Tag(models.Model):
    """One word that the desk sorts its recordings by."""

    COLOURS = ("blue", "green", "yellow", "orange", "red", "purple", "grey")

    name = models.CharField(max_length=40, unique=True)  # in lower case
    colour = models.CharField(max_length=8, default="blue")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Tagging(models.Model):
    """A tag on a recording."""

    tag = models.ForeignKey(Tag, models.CASCADE, related_name="taggings")
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="taggings")
    place = models.BigIntegerField()  # the recording's, so that one index finds and sorts
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recording", "tag"], name="tagging_once"),
        ]
        indexes = [models.Index(fields=["tag", "-place"], name="tagging_newest")]

    def __str__(self) -> str:
        return f"{self.tag} on {self.recording_id}"


class Comment(models.Model):
    """What one person wrote about a moment or a span, or in answer to another comment."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="comments")
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="answers")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=150)  # of the person, should the account be deleted
    text = models.TextField()
    start_ms = models.PositiveIntegerField(null=True)  # in the file; None: of the whole of it
    end_ms = models.PositiveIntegerField(null=True)  # None: a moment
    written_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["written_at", "id"]
        indexes = [models.Index(fields=["recording", "written_at"], name="comment_of_recording")]
        constraints = [
            models.CheckConstraint(
                condition=Q(end_ms=None) | Q(end_ms__gt=F("start_ms")), name="comment_span_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"Comment of {self.name} on {self.recording_id}"

    @property
    def is_deleted(self) -> bool:
        """Say whether its author took the text back; the row stays, for answers on their way."""
        return self.text == ""

    @property
    def start_s(self) -> float | None:
        return None if self.start_ms is None else self.start_ms / 1000

    @property
    def end_s(self) -> float | None:
        return None if self.end_ms is None else self.end_ms / 1000


class Review(models.Model):
    """Who flagged a recording and why, and who reviewed it."""

    recording = models.OneToOneField(Recording, models.CASCADE, related_name="review")
    flagged_at = models.DateTimeField(null=True)
    flagged_by = models.CharField(max_length=150, blank=True)
    flag_reason = models.CharField(max_length=200, blank=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return f"Review of {self.recording_id}"
