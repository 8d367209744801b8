"""Facts as they came, and how many came that were none."""

from django.db import models
from django.db.models import Q


class WebhookEvent(models.Model):
    """One fact as Telnyx told it: the exact bytes, and the columns needed to find it again."""

    class Source(models.TextChoices):
        WEBHOOK = "webhook"
        RECONCILE = "reconcile"
        REPLAY = "replay"

    class State(models.TextChoices):
        PENDING = "pending"
        APPLIED = "applied"
        IGNORED = "ignored"
        DEAD = "dead"

    event_id = models.CharField(max_length=255, unique=True)
    event_type = models.CharField(max_length=255, db_index=True)
    occurred_at = models.DateTimeField(null=True)
    call_leg_id = models.CharField(max_length=255, blank=True)
    call_session_id = models.CharField(max_length=255, blank=True)
    call_control_id = models.CharField(max_length=255, blank=True)
    raw = models.BinaryField()
    source = models.CharField(max_length=9, choices=Source, default=Source.WEBHOOK)
    received_at = models.DateTimeField(db_index=True)
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = "webhook event"
        indexes = [
            models.Index(fields=["due_at"], name="event_due", condition=Q(state="pending")),
            models.Index(fields=["call_leg_id"], name="event_by_leg"),
            models.Index(fields=["-id"], name="event_dead", condition=Q(state="dead")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "applied", "ignored", "dead"]),
                name="event_state_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["webhook", "reconcile", "replay"]),
                name="event_source_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id[:8]}"


class Refusal(models.Model):
    """How often the webhook door refused or doubted what came, per reason and hour."""

    reason = models.CharField(max_length=32)
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reason", "hour"], name="refusal_per_hour")]

    def __str__(self) -> str:
        return f"{self.reason}: {self.count}"
