"""Things people should hear of, and everybody who is to hear of each.

Signal --fan-out--> Notice (one a person) --Mailbox--> one mail
                +-> Delivery (one an endpoint) --POST, signed--> delivered | given up
"""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q


class Signal(models.Model):
    """One thing that happened, told once per cause."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    cause = models.CharField(max_length=160, unique=True)
    subject = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    url = models.CharField(max_length=300)  # the path of its page
    ids = models.JSONField(default=dict)  # what an endpoint is told besides: ids, and no more
    at = models.DateTimeField()
    fanned_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="signal_new", condition=Q(fanned_at__isnull=True)),
            models.Index(fields=["-at"], name="signal_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"


class Notice(models.Model):
    """A signal that one person hears of, in the desk, by mail, or both."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices")
    signal = models.ForeignKey(Signal, models.CASCADE, related_name="notices")
    is_shown = models.BooleanField()  # in the desk; else it is for the mail alone
    read_at = models.DateTimeField(null=True)
    to_mail = models.BooleanField()
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_newest"),
            models.Index(
                fields=["user"],
                name="notice_unread",
                condition=Q(is_shown=True, read_at__isnull=True),
            ),
            models.Index(
                fields=["user", "id"],
                name="notice_to_mail",
                condition=Q(to_mail=True, mailed_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["signal", "user"], name="notice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} hears {self.signal_id}"


class NoticeChoice(models.Model):
    """What one person wants to hear of one kind; without a row, the kind's own default."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_choices"
    )
    kind = models.CharField(max_length=40)
    in_desk = models.BooleanField()
    by_mail = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="choice_once")]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.kind}"


class Mailbox(models.Model):
    """When the next mail to one person is due: however much happens, it is one mail."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="mailbox", primary_key=True
    )
    due_at = models.DateTimeField(null=True, db_index=True)  # while sending, when the lease ends
    attempts = models.PositiveIntegerField(default=0)  # never set back: it fences the senders
    failures = models.PositiveSmallIntegerField(default=0)
    last_sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"mail to {self.user_id}"


class Endpoint(models.Model):
    """An address of another system that is told signals, signed by the Standard Webhooks rules."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        GONE = "gone", "Switched off: it answered 410 Gone"

    OVERLAP = timedelta(hours=24)  # both secrets sign for so long after a rotation

    name = models.CharField(max_length=60, unique=True)
    url = models.CharField(max_length=500)
    is_inside = models.BooleanField(default=False)
    kinds = models.JSONField(default=list)
    secret = models.CharField(max_length=100)  # whsec_ and Base64
    old_secret = models.CharField(max_length=100, blank=True)
    old_until = models.DateTimeField(null=True)
    state = models.CharField(max_length=6, choices=State, default=State.ACTIVE)
    added_at = models.DateTimeField(auto_now_add=True)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["active", "paused", "gone"]), name="endpoint_state_known"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audited_as(self) -> str:
        """The name under which the audit trail knows it."""
        return f"endpoint {self.pk}"


class Delivery(models.Model):
    """One signal for one endpoint, with every attempt."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        SENDING = "sending", "Being sent"
        DELIVERED = "delivered", "Delivered"
        GIVEN_UP = "given_up", "Given up"

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries")
    signal = models.ForeignKey(Signal, models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)  # never set back: it fences the senders
    failures = models.PositiveSmallIntegerField(default=0)  # of this round of tries
    due_at = models.DateTimeField(null=True)  # when to send; while sending, the lease's end
    settled_at = models.DateTimeField(null=True)
    log = models.JSONField(default=list)  # [{"at", "status", "ms", "error"}], the last ones

    class Meta:
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"],
                name="delivery_due",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_newest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["signal", "endpoint"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "sending", "delivered", "given_up"]),
                name="delivery_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.signal_id} to {self.endpoint_id} ({self.state})"
