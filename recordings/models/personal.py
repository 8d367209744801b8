"""What belongs to one person: saved views of the library, where they stopped, their exports."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from recordings.models.recording import Recording


class SavedView(models.Model):
    """A list worth coming back to: the query of its address, under a name."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    is_shared = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)  # what its owner sees first

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name"),
            models.UniqueConstraint(
                fields=["owner"], name="saved_view_one_default", condition=Q(is_default=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Listening(models.Model):
    """Where a person stopped listening to a recording."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="listenings")
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="listenings")
    at_ms = models.PositiveIntegerField()
    heard_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "recording"], name="listening_once")
        ]

    def __str__(self) -> str:
        return f"{self.recording_id} at {self.at_ms} ms"


class Export(models.Model):
    """A ZIP that is made in the background.

    requested -> working -> ready -> expired        also: failed
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Waiting"
        WORKING = "working", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Removed"

    WANTED = (State.REQUESTED, State.WORKING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="exports")
    query = models.CharField(max_length=2000, blank=True)  # of "all matching"
    chosen = models.JSONField(default=list)  # ids of recordings selected by hand
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    reason = models.TextField(blank=True)
    requested_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)  # when to work on it; while working, the lease's end
    attempts = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    lacking = models.JSONField(default=list)  # [[id, why it is not in the ZIP], ...]
    path = models.CharField(max_length=100, blank=True)
    size_bytes = models.PositiveBigIntegerField(null=True)
    ready_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)  # when its owner was told

    class Meta:
        ordering = ["-requested_at"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="export_due",
                condition=Q(state__in=["requested", "working"]),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["requested", "working", "ready", "failed", "expired"]),
                name="export_state_known",
            )
        ]

    def __str__(self) -> str:
        return f"Export {str(self.pk)[:8]} ({self.state})"
