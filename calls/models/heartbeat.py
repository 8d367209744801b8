"""Which processes live."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def beat(self, name: str) -> None:
        """Say that a process lives."""
        self.update_or_create(name=name, defaults={"beat_at": timezone.now()})

    def missing(self, names: Iterable[str], *, now: datetime) -> list[str]:
        """Return those of these processes that gave no sign of life for a while."""
        alive = self.filter(beat_at__gt=now - timedelta(seconds=MISSED_AFTER_S))
        heard = set(alive.values_list("name", flat=True))
        return [name for name in names if name not in heard]


MISSED_AFTER_S = 15  # three beats


class Heartbeat(models.Model):
    """A sign of life of one process; the board says when one is missing."""

    name = models.CharField(max_length=64, unique=True)  # pump, worker:control, worker:media
    beat_at = models.DateTimeField()

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
