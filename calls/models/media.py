"""Sounds for calls: our file, and how far it is kept at Telnyx under a name of its own."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class MediaFile(models.Model):
    """One sound of the library. `due_at` is when the pump next has something to do with it."""

    class State(models.TextChoices):
        UPLOADING = "uploading", "On its way to Telnyx"
        READY = "ready", "Ready at Telnyx"
        FAILED = "failed", "Telnyx refused it"
        DELETING = "deleting", "Being deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)  # people's; Telnyx's is `media_name`, which never moves
    media_name = models.CharField(max_length=80, unique=True)
    path = models.CharField(max_length=120)  # in the desk's storage
    format = models.CharField(max_length=3)
    size_bytes = models.PositiveIntegerField()
    duration_ms = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    origin = models.CharField(max_length=255)  # the name of the file that was given
    treatment = models.CharField(max_length=120)  # what was done to it
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)

    state = models.CharField(max_length=9, choices=State, default=State.UPLOADING)
    since = models.DateTimeField()
    due_at = models.DateTimeField(null=True)  # while at work, when the lease ends
    attempts = models.PositiveIntegerField(default=0)  # fences the outcome of each try
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    error = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)  # as Telnyx tells

    class Meta:
        ordering = ["name", "pk"]
        indexes = [
            models.Index(fields=["due_at"], name="media_due", condition=Q(due_at__isnull=False))
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("name"), name="media_name_once", condition=~Q(state="deleting")
            ),
            models.CheckConstraint(
                condition=Q(state__in=["uploading", "ready", "failed", "deleting"]),
                name="media_state_known",
            ),
            models.CheckConstraint(
                condition=Q(format__in=["wav", "mp3"]), name="media_format_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """Return how the audit trail names it."""
        return f"sound {self.pk}"

    @property
    def duration_s(self) -> float:
        return self.duration_ms / 1000

    def is_expired(self, now: datetime | None = None) -> bool:
        """Say whether Telnyx has deleted it by its own clock."""
        return self.expires_at is not None and self.expires_at <= (now or timezone.now())

    @property
    def is_playable(self) -> bool:
        """Say whether Telnyx holds it now, as far as it has told."""
        return self.state == self.State.READY and not self.is_expired()
