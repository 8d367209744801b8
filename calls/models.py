"""The rows of the line: facts (WebhookEvent), wishes (Command), and Call, a cache of the fold.

WebhookEvent + accepted Commands --fold--> Call
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from access.policies import Right, may
from calls import fold


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


class CallQuerySet(models.QuerySet["Call"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> "CallQuerySet":
        """Keep the calls that a person may see."""
        return self if may(user, Right.SEE) else self.none()

    def eldest_first(self) -> "CallQuerySet":
        """Order legs by when they began, by Telnyx's clock; those we cannot tell come last."""
        began = F("started_at").asc(nulls_last=True)
        return self.order_by(began, "direction", "first_heard_at", "pk")

    def on_board(self, *, ended_after: datetime) -> "CallQuerySet":
        """Keep the live calls, and those whose end we learned of after a moment."""
        return self.filter(Q(line__in=LIVE) | Q(line="ended", closed_at__gt=ended_after))


def words(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """Return the members of a pure enum as Django's choices."""
    return [(member.value, member.value) for member in enum]


LIVE = (fold.Line.RINGING, fold.Line.ANSWERED, fold.Line.BRIDGED, fold.Line.HELD)


class Call(models.Model):
    """One Telnyx call leg. All but its ids is a cache of `fold`; `rebuild` makes it anew."""

    Line = fold.Line
    Recording = fold.Recording
    Sound = fold.Sound

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    call_leg_id = models.CharField(max_length=255, unique=True)
    call_control_id = models.CharField(max_length=255, blank=True)
    call_session_id = models.CharField(max_length=255, blank=True)
    conversation = models.CharField(max_length=255, db_index=True)  # session id, else leg id
    version = models.PositiveIntegerField(default=0)  # grows with every change a page can show
    first_heard_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)  # when we learned that it ended (our clock)
    probe_at = models.DateTimeField(null=True)  # when to ask Telnyx whether it still lives

    line = models.CharField(max_length=8, choices=words(fold.Line), default=Line.UNKNOWN)
    recording = models.CharField(
        max_length=6, choices=words(fold.Recording), default=Recording.OFF
    )
    sound = models.CharField(max_length=8, choices=words(fold.Sound), default=Sound.SILENT)
    direction = models.CharField(max_length=8, blank=True)
    from_number = models.CharField(max_length=255, blank=True)
    to_number = models.CharField(max_length=255, blank=True)
    caller_name = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_inferred = models.BooleanField(default=False)
    hangup_cause = models.CharField(max_length=64, blank=True)
    hangup_source = models.CharField(max_length=64, blank=True)
    recording_since_ours = models.DateTimeField(null=True)
    recording_started_ours = models.DateTimeField(null=True)
    sound_medium = models.CharField(max_length=255, blank=True)
    transcribing = models.BooleanField(default=False)
    ended_while_paused = models.BooleanField(default=False)

    objects = CallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["line", "-closed_at"], name="call_on_board"),
            models.Index(
                fields=["probe_at"], name="call_probe", condition=Q(probe_at__isnull=False)
            ),
            models.Index(fields=["-first_heard_at"], name="call_heard"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(line__in=[word.value for word in fold.Line]), name="call_line_known"
            ),
            models.CheckConstraint(
                condition=Q(recording__in=[word.value for word in fold.Recording]),
                name="call_recording_known",
            ),
            models.CheckConstraint(
                condition=Q(sound__in=[word.value for word in fold.Sound]),
                name="call_sound_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_number or '?'} → {self.to_number or '?'}"

    def get_absolute_url(self) -> str:
        return reverse("calls:detail", args=[self.pk])

    @property
    def is_live(self) -> bool:
        return self.line in LIVE

    @property
    def is_answered(self) -> bool:
        return self.is_live and self.line != fold.Line.RINGING


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
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="commands"
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
