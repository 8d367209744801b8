"""Our questions to Telnyx about what it holds: when each is due, how far an import has come."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Sweep(models.Model):
    """A question that is asked again and again; pumps share it by its due time."""

    name = models.CharField(max_length=16, unique=True)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)  # when Telnyx last answered all of it
    found = models.PositiveIntegerField(default=0)  # recordings that no webhook had told, then
    error = models.TextField(blank=True)  # why the last try failed

    def __str__(self) -> str:
        return self.name

    @classmethod
    def claim(cls, name: str, *, every: timedelta) -> "Sweep | None":
        """Take a sweep that is due, and plan the next one; None if it is not, or another did."""
        now = timezone.now()
        sweep, _ = cls.objects.get_or_create(name=name, defaults={"due_at": now})
        mine = cls.objects.filter(pk=sweep.pk, due_at=sweep.due_at, due_at__lte=now)
        return sweep if mine.update(due_at=now + every) else None

    @classmethod
    def bring_forward(cls, name: str, at: datetime) -> None:
        """Let a sweep be due by a moment."""
        cls.objects.get_or_create(name=name, defaults={"due_at": at})
        cls.objects.filter(name=name, due_at__gt=at).update(due_at=at)


class Backfill(models.Model):
    """An import of what Telnyx still holds, page by page: the place where it goes on."""

    class Part(models.TextChoices):
        RECORDINGS = "recordings"
        TEXTS = "texts"
        DONE = "done"

    since = models.DateTimeField()
    until = models.DateTimeField()  # fixed at the start, so that new recordings move no page
    part = models.CharField(max_length=10, choices=Part, default=Part.RECORDINGS)
    page = models.PositiveIntegerField(default=1)  # the next to ask for
    total = models.PositiveIntegerField(null=True)  # as Telnyx counts them
    shrank = models.BooleanField(default=False)  # meanwhile: a page may have been skipped
    seen = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    texts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(part__in=["recordings", "texts", "done"]), name="backfill_part_known"
            )
        ]

    def __str__(self) -> str:
        return f"Import of {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"
