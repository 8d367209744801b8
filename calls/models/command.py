"""Wishes, and what became of them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from calls.models.call import Call
from calls.models.facts import WebhookEvent


class Kind(models.TextChoices):
    """What can be asked of a call, in Telnyx's action names."""

    RECORD_START = "record_start", "Start recording"
    RECORD_PAUSE = "record_pause", "Pause recording"
    RECORD_RESUME = "record_resume", "Resume recording"
    RECORD_STOP = "record_stop", "Stop recording"
    SPEAK = "speak", "Say"
    PLAYBACK_START = "playback_start", "Play"
    PLAYBACK_STOP = "playback_stop", "Stop sound"
    ANSWER = "answer", "Answer"
    HANGUP = "hangup", "Hang up"
    DIAL = "dial", "Place call"
    TRANSCRIPTION_START = "transcription_start", "Start captions"
    TRANSCRIPTION_STOP = "transcription_stop", "Stop captions"
    SWITCH_SUPERVISOR_ROLE = "switch_supervisor_role", "Switch role"


class Why(models.TextChoices):
    """Why something was asked for; it is kept and never sent."""

    CARD_PAYMENT = "card_payment", "Card payment"
    PERSONAL_DATA = "personal_data", "Personal data"
    CUSTOMER_REQUEST = "customer_request", "Customer request"
    OTHER = "other", "Other"
    TIME_UP = "time_up", "The pause's time was up"  # the desk's own


REASONS = [(why.value, str(why.label)) for why in Why if why != Why.TIME_UP]
"""What a person who pauses can choose from; the first one is what is most often meant."""

LISTEN = "listen"  # no action of Telnyx: it dials the phone of whoever presses
ROLES = ("monitor", "whisper", "barge")  # what switch_supervisor_role takes, gentlest first

SINGLE = (  # a second press of these joins the first
    "record_start",
    "record_pause",
    "record_resume",
    "record_stop",
    "playback_stop",
    "transcription_stop",
    "answer",
    "hangup",
)


SOUNDS = ("speak", "playback_start")


def kinds() -> list[tuple[str, str]]:
    """Return the choices by name, so that a new kind needs no migration."""
    return Kind.choices


class Command(models.Model):
    """One wish: who wanted what of which call, and what became of it. `id` is the `command_id`."""

    Kind = Kind

    class State(models.TextChoices):
        REQUESTED = "requested"
        SENDING = "sending"
        ACCEPTED = "accepted"
        CONFIRMED = "confirmed"
        FAILED = "failed"
        EXPIRED = "expired"
        UNKNOWN = "unknown"
        TIMED_OUT = "timed_out"

    OPEN = (State.REQUESTED, State.SENDING)
    APPLIED = (State.ACCEPTED, State.CONFIRMED, State.TIMED_OUT)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request_id = models.CharField(max_length=64)
    call = models.ForeignKey(Call, models.CASCADE, null=True, related_name="commands")
    kind = models.CharField(max_length=32, choices=kinds)
    params = models.JSONField(default=dict)
    why = models.CharField(max_length=16, choices=Why, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="commands"
    )
    rule = models.ForeignKey(  # for which the desk itself asks
        "calls.RecordRule", models.SET_NULL, null=True, related_name="commands"
    )
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()  # when to send; while sending, when the lease ends
    may_have_applied = models.BooleanField(default=False)
    first_sent_at = models.DateTimeField(null=True)
    last_sent_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(
        WebhookEvent, models.SET_NULL, null=True, related_name="confirms"
    )
    settled_at = models.DateTimeField(null=True)  # when it stopped being open
    http_status = models.PositiveSmallIntegerField(null=True)
    code = models.CharField(max_length=32, blank=True)
    error = models.TextField(blank=True)
    follows = models.OneToOneField("self", models.SET_NULL, null=True, related_name="followed_by")
    answer = models.JSONField(default=dict)  # what Telnyx gave back: the ids of a dialled call

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                name="command_due",
                condition=Q(state__in=["requested", "sending"]),
            ),
            models.Index(
                fields=["accepted_at"], name="command_unproved", condition=Q(state="accepted")
            ),
            models.Index(fields=["-requested_at"], name="command_newest"),
            models.Index(  # SQLite takes the one above: it cannot prove this one's condition
                fields=["requested_at"],
                name="command_trouble",
                condition=Q(state__in=["failed", "expired", "unknown", "timed_out"]),
            ),
            models.Index(fields=["call", "requested_at"], name="command_of_call"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by", "request_id"], name="command_one_per_press"
            ),
            models.UniqueConstraint(
                fields=["call", "kind"],
                name="command_one_open",
                condition=Q(state__in=["requested", "sending"]) & Q(kind__in=SINGLE),
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "requested",
                        "sending",
                        "accepted",
                        "confirmed",
                        "failed",
                        "expired",
                        "unknown",
                        "timed_out",
                    ]
                ),
                name="command_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def empties_queue(self) -> bool:
        """Say whether it takes the sounds that wait on its leg out of the queue."""
        which = self.params.get("stop")
        if self.kind == Kind.PLAYBACK_STOP:
            return which != "current" and self.params.get("overlay") is not True
        return which == "all" and self.kind in SOUNDS

    @property
    def is_ours(self) -> bool:
        """Say whether the desk asked for it of its own accord, for nobody."""
        return self.why == Why.TIME_UP

    @property
    def has_webhook(self) -> bool:
        """Say whether Telnyx ever confirms this kind; for the others its 2xx is all the proof."""
        return self.kind in CONFIRMED_BY_WEBHOOK


CONFIRMED_BY_WEBHOOK = (
    "record_stop",
    "speak",
    "playback_start",
    "playback_stop",
    "answer",
    "hangup",
    "dial",
)
