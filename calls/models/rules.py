"""Rules that start a recording by themselves, and what became of each conversation."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from calls.models.call import Call
from calls.models.command import Command
from calls.sounds.names import plain


class RecordRule(models.Model):
    """Which calls are recorded as soon as they are answered, how, and what is said before."""

    class Direction(models.TextChoices):
        ANY = "", "Both directions"
        INCOMING = "incoming", "Incoming calls"
        OUTGOING = "outgoing", "Outgoing calls"

    class Announcement(models.TextChoices):
        NONE = "", "Nothing"
        SPEAK = "speak", "A spoken phrase"
        PLAY = "play", "A stored sound"

    name = models.CharField(max_length=80)
    position = models.PositiveIntegerField(default=0)  # the first that fits is the one
    enabled = models.BooleanField(default=True)
    line = models.CharField(max_length=255, blank=True)  # of ours: exact, or +1800* by prefix
    direction = models.CharField(max_length=8, choices=Direction, blank=True)
    format = models.CharField(max_length=3, default="mp3")
    channels = models.CharField(max_length=6, default="dual")
    transcription = models.BooleanField(default=True)
    transcription_language = models.CharField(max_length=16, default="en-US")
    announcement = models.CharField(max_length=5, choices=Announcement, blank=True)
    phrase = models.TextField(blank=True)
    voice = models.CharField(max_length=255, blank=True)
    language = models.CharField(max_length=16, blank=True)
    media_name = models.CharField(max_length=255, blank=True)
    wait_s = models.PositiveSmallIntegerField(default=15)  # for the announcement's end
    must_be_heard = models.BooleanField(default=True)  # else: record though it failed
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)  # its name still stands on what it recorded

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("calls:rule", args=[self.pk])

    @property
    def sound(self) -> str:
        """Return the stored sound in the words of people."""
        return plain(self.media_name)


class RuleFiring(models.Model):
    """One conversation before the rules: at most one of them records it, once."""

    class State(models.TextChoices):
        WAITING = "waiting"  # for the customer's leg to be answered
        ANNOUNCING = "announcing"
        ASKED = "asked"  # the recording was asked for; its command tells the rest
        PASSED = "passed"  # nothing to do, or nothing any more
        FAILED = "failed"  # the announcement was not heard, so nothing was recorded

    OPEN = (State.WAITING, State.ANNOUNCING)

    conversation = models.CharField(max_length=255, unique=True)
    rule = models.ForeignKey(RecordRule, models.SET_NULL, null=True, related_name="firings")
    call = models.ForeignKey(Call, models.CASCADE, related_name="+")  # the leg to be recorded
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    due_at = models.DateTimeField()
    answered_at = models.DateTimeField()  # when we heard of it, by our clock
    announced = models.OneToOneField(Command, models.SET_NULL, null=True, related_name="+")
    recorded = models.OneToOneField(Command, models.SET_NULL, null=True, related_name="+")
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                name="firing_due",
                condition=Q(state__in=["waiting", "announcing"]),
            ),
            models.Index(fields=["rule", "-answered_at"], name="firing_of_rule"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "announcing", "asked", "passed", "failed"]),
                name="firing_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.conversation[:8]} ({self.state})"
