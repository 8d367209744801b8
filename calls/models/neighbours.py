"""Applications behind the desk that hear what Telnyx says, and what is still to be told to them.

WebhookEvent --same commit--> Forward (one a neighbour) --POST--> delivered | refused | given up
"""

from datetime import timedelta

from django.db import models
from django.db.models import Q

from calls.models.facts import WebhookEvent

OPENS_AFTER = 5  # failures in a row, then a neighbour is left alone for a while


class Neighbour(models.Model):
    """One address that every webhook is passed on to, and how it does."""

    name = models.CharField(max_length=60, unique=True)
    url = models.CharField(max_length=500)
    is_inside = models.BooleanField(default=False)  # private addresses and plain http are fine
    is_paused = models.BooleanField(default=False)
    added_at = models.DateTimeField(auto_now_add=True)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    failures = models.PositiveIntegerField(default=0)  # in a row
    open_until = models.DateTimeField(null=True)  # nothing is sent before
    down_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """The name under which the audit trail knows it."""
        return f"neighbour {self.pk}"

    @property
    def is_down(self) -> bool:
        return self.failures >= OPENS_AFTER


class Forward(models.Model):
    """One webhook that one neighbour is to hear, with the headers it came with.

    Neither key is checked by the database, so that no neighbour's end can keep an event out.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        DELIVERED = "delivered"
        REFUSED = "refused"
        GIVEN_UP = "given_up"

    LIFE = timedelta(seconds=60)  # Telnyx's signature is good for 300 s of any clock

    event = models.ForeignKey(
        WebhookEvent, models.CASCADE, to_field="event_id", db_constraint=False, related_name="+"
    )
    neighbour = models.ForeignKey(
        Neighbour, models.CASCADE, db_constraint=False, related_name="forwards", db_index=False
    )
    leg = models.CharField(max_length=255)  # order is kept within it
    headers = models.TextField()  # JSON; as text, for the door's raw statement
    received_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State)
    attempts = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField(null=True)  # when to send; while sending, the lease's end
    settled_at = models.DateTimeField(null=True)
    took_ms = models.PositiveIntegerField(null=True)  # from the door to the neighbour's answer
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300)

    class Meta:
        indexes = [
            models.Index(
                # SQLite proves no more than "not null" of what a query binds
                fields=["neighbour", "id"],
                name="forward_open",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(fields=["received_at"], name="forward_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "neighbour"], name="forward_once"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "sending", "delivered", "refused", "given_up"]),
                name="forward_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id[:8]} to {self.neighbour_id} ({self.state})"
