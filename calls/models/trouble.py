"""What people did about problems: looked away from one, with a reason; had the desk examined."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models


class Dismissal(models.Model):
    """A problem that somebody needs not see again, unless it happens anew."""

    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=64)  # of its row: a number, or the digits of a UUID
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="dismissal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Checkup(models.Model):
    """One examination of the desk, filled check by check while it runs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    findings: "models.JSONField[Any, Any]" = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Check-up of {self.started_at:%Y-%m-%d %H:%M}"
