"""What supervisors say often, kept for the whole desk."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class Phrase(models.Model):
    """A text to speak into calls; its {variables} are filled when it is sent."""

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        SSML = "ssml", "SSML"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)
    text = models.TextField()
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.TEXT)
    voice = models.CharField(max_length=255, blank=True)  # blank: the desk's
    language = models.CharField(max_length=32, blank=True)
    place = models.PositiveIntegerField(default=0)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["place", "added_at", "pk"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="phrase_name_once"),
            models.CheckConstraint(condition=Q(kind__in=["text", "ssml"]), name="phrase_kind"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """Return how the audit trail names it."""
        return f"phrase {self.pk}"
