"""The call leg: all but its ids is a cache of the fold."""

import uuid
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from access.policies import Right, may
from calls import fold


class CallQuerySet(models.QuerySet["Call"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> "CallQuerySet":
        """Keep the calls that a person may see."""
        return self if may(user, Right.SEE) else self.none()

    def eldest_first(self) -> "CallQuerySet":
        """Order legs by when they began, by Telnyx's clock; those we cannot tell come last.

        Supervisors who listen in come after all others: they lead nothing.
        """
        talking, began = (
            F("supervises").asc(nulls_first=True),
            F("started_at").asc(nulls_last=True),
        )
        return self.order_by(talking, began, "direction", "first_heard_at", "pk")

    def talking(self) -> "CallQuerySet":
        """Leave out the legs of supervisors who listen in."""
        return self.filter(supervises=None)

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
    doubted_at = models.DateTimeField(null=True)  # since when it has been asked without an answer

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
    recording_rule = models.CharField(max_length=80, blank=True)  # that began the recording
    supervises = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="supervisors"
    )  # the leg that this one, a supervisor's, listens in on
    supervisor_role = models.CharField(max_length=8, blank=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["line", "-closed_at"], name="call_on_board"),
            models.Index(
                fields=["probe_at"], name="call_probe", condition=Q(probe_at__isnull=False)
            ),
            models.Index(fields=["-first_heard_at"], name="call_heard"),
            models.Index(
                fields=["doubted_at"], name="call_doubted", condition=Q(doubted_at__isnull=False)
            ),
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
    def subject(self) -> str:
        """The name under which the audit trail knows it."""
        return f"call {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.line in LIVE

    @property
    def is_answered(self) -> bool:
        return self.is_live and self.line != fold.Line.RINGING
