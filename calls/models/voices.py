"""Telnyx's voices as it last listed them, and the desk's own choice."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone


class Voice(models.Model):
    """One voice of the list."""

    voice_id = models.CharField(max_length=255, unique=True)
    provider = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=255, blank=True)
    language = models.CharField(max_length=32, blank=True)
    gender = models.CharField(max_length=16, blank=True)
    words = models.TextField()  # what it is found by, in small letters

    class Meta:
        ordering = ["provider", "language", "voice_id"]

    def __str__(self) -> str:
        return self.voice_id


class VoiceList(models.Model):
    """The one row about the list: when it was fetched, when it is due; and the desk's choice."""

    default_voice = models.CharField(max_length=255, blank=True)
    default_language = models.CharField(max_length=32, blank=True)
    fetched_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return "the voices"

    @classmethod
    def the(cls, now: datetime | None = None) -> Self:
        """Return the row, made if need be: due at once."""
        return cls.objects.get_or_create(pk=1, defaults={"due_at": now or timezone.now()})[0]
