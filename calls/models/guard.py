"""Pauses that are watched, so that none is forgotten."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from calls import fold
from calls.models.call import LIVE, Call
from calls.models.command import Command, Kind, Why

WARNING = timedelta(seconds=15)  # before the deadline; of a short watch, its second half

LATE = timedelta(seconds=2)  # without workers the pump sends a second later, which is in time

PAUSED = (fold.Recording.PAUSED, fold.Recording.DOUBT)
"""What a recording may be while its pause is watched: a pause in doubt may have taken effect."""


class Ending(models.TextChoices):
    """How a watched pause ended."""

    PERSON = "person", "by a person"
    GUARD = "guard", "by the desk, when its time was up"
    CALL = "call", "with the call"
    RECORDING = "recording", "with the recording"
    REPLACED = "replaced", "by a later pause"
    UNKNOWN = "unknown", "nobody knows how"


class GuardQuerySet(models.QuerySet["Guard"]):
    def open(self) -> "GuardQuerySet":
        """Keep those that still watch."""
        return self.filter(ended_at=None)

    def watch(self, pause: Command, call: Call, *, since: datetime, now: datetime) -> bool:
        """Begin to watch a pause of a call whose row is held; say whether that is new.

        A pause that we learn of late is given the time of the warning at least.
        """
        if self.filter(pause=pause).exists():
            return False
        length_s = settings.PAUSE_GUARD_S
        warning = min(WARNING, timedelta(seconds=length_s) / 2)
        deadline = max(since + timedelta(seconds=length_s), now + warning)
        for earlier in self.open().filter(call=call).select_related("pause"):
            ending = earlier.ending_before(pause)
            self.filter(pk=earlier.pk).update(ended_at=now, ending=ending)
        self.create(
            call=call,
            pause=pause,
            since=since,
            length_s=length_s,
            deadline=deadline,
            warn_at=deadline - warning,
        )
        return True

    def untried(self) -> "GuardQuerySet":
        """Keep those of pauses that go on, and that nobody has yet tried to end or told of."""
        goes_on = Q(call__recording__in=PAUSED, call__line__in=LIVE)
        return self.open().filter(goes_on, tries=0, escalated_at=None)

    def to_look_at(self, now: datetime) -> "GuardQuerySet":
        """Keep those for which something may have to be done; all others just go on watching."""
        is_time = Q(warned_at=None, warn_at__lte=now) | Q(deadline__lte=now)
        is_over = ~Q(call__recording__in=PAUSED) | ~Q(call__line__in=LIVE)
        return self.open().filter(is_time | is_over).order_by("deadline", "pk")


class Guard(models.Model):
    """One watched pause: until when it may last, and what was done about it."""

    Ending = Ending

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    call = models.ForeignKey(Call, models.CASCADE, related_name="guards")
    pause = models.OneToOneField(Command, models.CASCADE, related_name="guard")
    since = models.DateTimeField()  # when Telnyx accepted the pause, or left us in doubt
    length_s = models.PositiveIntegerField()  # from then on; an extension is as long again
    deadline = models.DateTimeField()
    warn_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True)

    extended_at = models.DateTimeField(null=True)
    extended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="extensions"
    )
    extended_why = models.CharField(max_length=16, choices=Why, blank=True)

    tries = models.PositiveSmallIntegerField(default=0)  # resumes that we asked for
    resume = models.ForeignKey(Command, models.SET_NULL, null=True, related_name="+")  # the last
    late_ms = models.PositiveBigIntegerField(default=0)  # worth saying, else 0
    late_why = models.TextField(blank=True)
    escalated_at = models.DateTimeField(null=True)
    trouble = models.TextField(blank=True)  # why a person is needed

    ended_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=9, choices=Ending, blank=True)

    objects = GuardQuerySet.as_manager()

    class Meta:
        verbose_name = "watched pause"
        indexes = [
            models.Index(fields=["-since"], name="guard_newest"),
            models.Index(
                fields=["deadline"], name="guard_open", condition=Q(ended_at__isnull=True)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["call"], name="guard_one_open", condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ending="")
                | Q(ended_at__isnull=False, ending__in=Ending.values),
                name="guard_ending_known",
            ),
            models.CheckConstraint(
                condition=Q(warn_at__lte=F("deadline")), name="guard_warns_first"
            ),
        ]

    def __str__(self) -> str:
        return f"Pause until {self.deadline:%H:%M:%S}"

    def ending_before(self, later: Command) -> str:
        """Return how this pause ended when another one was accepted before anybody looked."""
        resumes = Command.objects.filter(
            call=self.call_id,
            kind=Kind.RECORD_RESUME,
            accepted_at__isnull=False,
            requested_at__gt=self.pause.requested_at,
            requested_at__lt=later.requested_at,
        )
        last = resumes.order_by("requested_at").last()
        if last is None:
            return Ending.REPLACED
        return Ending.GUARD if last.is_ours else Ending.PERSON

    @property
    def overdue_at(self) -> datetime:
        """Return from when on the desk should long have resumed it."""
        return self.deadline + LATE

    @property
    def late_s(self) -> float:
        return self.late_ms / 1000
