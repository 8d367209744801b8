"""The address book: numbers get names."""

import uuid

from django.conf import settings
from django.db import models


class Contact(models.Model):
    """The name of one number."""

    number = models.CharField(max_length=20, unique=True)  # E.164: +12125550100
    name = models.CharField(max_length=80, db_index=True)
    note = models.CharField(max_length=300, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "number"]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """The name under which the audit trail knows it."""
        return f"contact {self.number}"


class ContactBook(models.Model):
    """The mark of the last change: whoever holds a copy of the book knows whether it is old."""

    stamp = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.stamp


class ContactImport(models.Model):
    """A file of contacts between its preview and the yes to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    file_name = models.CharField(max_length=120)
    rows = models.JSONField()  # [[number, name, note], ...]

    def __str__(self) -> str:
        return self.file_name
