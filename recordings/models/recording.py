"""The files Telnyx made, each with every column that the library sorts or narrows down by.

announced -> fetching -> stored        also: waiting_space, failed, missing, corrupt, deleted
"""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.urls import reverse

from access.policies import Right, may
from calls.models import Call, Command

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACE_BITS = 20  # below the millisecond, from the id, so that no two recordings share a place
LATEST_MS = (1 << 43) - 1  # the year 2248, so that a place fits the column
LENGTHS_MS = tuple(15_000 << step for step in range(10))  # 15 s to 2 h; where a class ends


def numbers(from_number: str, to_number: str) -> dict[str, str]:
    """Return the columns that hold who called whom."""
    return {"from_number": from_number, "to_number": to_number}


def place_of(started_at: datetime, pk: uuid.UUID) -> int:
    """Return where a recording stands in the library: by its start, then by its id."""
    return first_place(started_at) | (pk.int & ((1 << PLACE_BITS) - 1))


def first_place(moment: datetime) -> int:
    """Return the lowest place that a recording started at this moment can have."""
    ms = min(max(0, (moment - EPOCH) // timedelta(milliseconds=1)), LATEST_MS)
    return ms << PLACE_BITS


def moment_of(place: int) -> datetime:
    """Return when the recording of a place started, to the millisecond."""
    return EPOCH + timedelta(milliseconds=place >> PLACE_BITS)


def length_class(duration_ms: int) -> int:
    """Return which class of lengths a recording belongs to."""
    return sum(duration_ms >= end_ms for end_ms in LENGTHS_MS)


class PlaceField(models.BigIntegerField):  # type: ignore[type-arg]
    """Filled by its row when that is written, as auto_now is; `update` has to name it."""

    def pre_save(self, model_instance: models.Model, add: bool) -> int:
        assert isinstance(model_instance, Recording)  # noqa: S101  (nobody else has a place)
        place = place_of(model_instance.started_at, model_instance.pk)
        model_instance.place = place
        return place


class State(models.TextChoices):
    """Where the file of a recording is."""

    ANNOUNCED = "announced", "On its way"
    FETCHING = "fetching", "Downloading"
    STORED = "stored", "Stored"
    WAITING_SPACE = "waiting_space", "Waiting for storage"
    FAILED = "failed", "Failed"
    MISSING = "missing", "Missing"
    CORRUPT = "corrupt", "Damaged"
    DELETED = "deleted", "Deleted"


class FoundBy(models.TextChoices):
    """How we learned of a recording."""

    WEBHOOK = "webhook", "Telnyx's webhook"
    ASKING = "asking", "Asking Telnyx: its webhook never came"
    IMPORT = "import", "Import of what Telnyx held"


class RecordingQuerySet(models.QuerySet["Recording"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> "RecordingQuerySet":
        """Keep the recordings that a person may see."""
        return self if may(user, Right.SEE) else self.none()

    def held(self, recording: "Recording") -> "RecordingQuerySet":
        """Keep the row of a recording as long as the fetcher that claimed it holds it."""
        return self.filter(pk=recording.pk, state=State.FETCHING, attempts=recording.attempts)

    def change(self, **values: object) -> int:
        """Write columns, and let pages know by the version; return how many rows were there."""
        return self.update(version=F("version") + 1, **values)


class Recording(models.Model):
    """One file that Telnyx made of a call, and our copy of it. Links are never the recording."""

    State = State
    FoundBy = FoundBy
    WANTED = (State.ANNOUNCED, State.FETCHING, State.WAITING_SPACE)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    call = models.ForeignKey(Call, models.PROTECT, related_name="recordings")
    recording_id = models.CharField(max_length=255, blank=True)  # Telnyx's; some events lack it
    version = models.PositiveIntegerField(default=0)  # grows with every change a page can show
    found_by = models.CharField(max_length=7, choices=FoundBy, default=FoundBy.WEBHOOK)
    started_by = models.OneToOneField(
        Command, models.SET_NULL, null=True, blank=True, related_name="made"
    )  # the start that it is the outcome of; others than the desk start recordings too

    state = models.CharField(max_length=13, choices=State, default=State.ANNOUNCED)
    since = models.DateTimeField()  # of the present state
    reason = models.TextField(blank=True)
    announced_at = models.DateTimeField()  # when this file was first wanted, or wanted again
    due_at = models.DateTimeField(null=True)  # when to fetch; while fetching, when the lease ends
    attempts = models.PositiveIntegerField(default=0)  # never set back: it fences the fetchers
    failures = models.PositiveSmallIntegerField(default=0)  # in a row

    place = PlaceField(unique=True, editable=False)  # the order of the library, newest highest
    started_at = models.DateTimeField()
    start_inferred = models.BooleanField(default=False)  # Telnyx did not say when it began
    ended_at = models.DateTimeField(null=True)
    from_number = models.CharField(max_length=255, blank=True)
    to_number = models.CharField(max_length=255, blank=True)
    direction = models.CharField(max_length=8, blank=True)

    format = models.CharField(max_length=16, blank=True)  # wav or mp3
    channels = models.PositiveSmallIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)  # of the file; until stored, as announced
    urls = models.JSONField(default=dict)  # {"mp3": link}, good for ten minutes
    urls_at = models.DateTimeField(null=True)  # when we were given them
    size_bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=100, blank=True)  # the file's name in our storage
    peaks = models.CharField(max_length=100, blank=True)  # the waveform's; "" if it failed

    checked_at = models.DateTimeField(null=True)  # when the file was last found unharmed
    deleted_by = models.CharField(max_length=150, blank=True)  # who, should the account be gone
    erased_at = models.DateTimeField(null=True)  # of a deleted one: when our file was gone
    provider_erased_at = models.DateTimeField(null=True)  # and when Telnyx's was
    erasure_answer = models.TextField(blank=True)  # what Telnyx said to that, or why it has not
    sides_swapped = models.BooleanField(default=False)  # somebody heard that the sides are

    # What the library narrows down by; each is a copy, kept by whoever writes the original.
    agent = models.CharField(max_length=255, blank=True)  # the address of who took the call
    has_transcript = models.BooleanField(default=False)
    flagged = models.BooleanField(default=False)
    reviewed = models.BooleanField(default=False)
    paused = models.BooleanField(default=False)  # it was, at least once
    ended_paused = models.BooleanField(default=False)  # and was when it ended
    pause_unverified = models.BooleanField(default=False)  # its length does not fit its pauses
    # The class of its length: so "longer than" is some equalities, each in the order of the places
    length = models.GeneratedField(
        expression=Case(
            When(duration_ms=None, then=Value(None)),
            *(When(duration_ms__lt=end, then=Value(step)) for step, end in enumerate(LENGTHS_MS)),
            default=Value(len(LENGTHS_MS)),
        ),
        output_field=models.PositiveSmallIntegerField(null=True),
        db_persist=True,
    )

    objects = RecordingQuerySet.as_manager()

    class Meta:
        ordering = ["-place"]
        indexes = [
            models.Index(fields=["state", "-place"], name="recording_by_state"),
            models.Index(fields=["direction", "-place"], name="recording_by_direction"),
            models.Index(fields=["channels", "-place"], name="recording_by_channels"),
            models.Index(fields=["has_transcript", "-place"], name="recording_by_transcript"),
            models.Index(fields=["reviewed", "-place"], name="recording_by_reviewed"),
            models.Index(fields=["-place"], name="recording_flagged", condition=Q(flagged=True)),
            models.Index(fields=["-place"], name="recording_paused", condition=Q(paused=True)),
            models.Index(
                fields=["-place"], name="recording_ended_paused", condition=Q(ended_paused=True)
            ),
            models.Index(
                fields=["-place"], name="recording_unverified", condition=Q(pause_unverified=True)
            ),
            models.Index(fields=["length", "-place", "duration_ms"], name="recording_by_length"),
            models.Index(fields=["-duration_ms", "-place"], name="recording_longest"),
            models.Index(
                fields=["due_at"],
                name="recording_due",
                condition=Q(state__in=["announced", "fetching", "waiting_space"]),
            ),
            models.Index(
                # SQLite proves no more than "not null" of what a query binds
                fields=["state", "due_at"],
                name="recording_erasure_due",
                condition=Q(due_at__isnull=False),
            ),
            # not partial: SQLite does not see that a parameter fits a condition on the same column
            models.Index(fields=["sha256", "state"], name="recording_by_content"),
            models.Index(fields=["state", "checked_at"], name="recording_by_check"),
            models.Index(
                fields=["found_by", "due_at"],
                name="recording_due_by_source",
                condition=Q(due_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["recording_id"], name="recording_once", condition=~Q(recording_id="")
            ),
            models.UniqueConstraint(
                fields=["call", "started_at"],
                name="recording_once_by_start",
                condition=Q(recording_id=""),
            ),
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="recording_state_known"
            ),
            models.CheckConstraint(
                condition=Q(found_by__in=FoundBy.values), name="recording_found_by_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_number or '?'} → {self.to_number or '?'}"

    def get_absolute_url(self) -> str:
        return reverse("recordings:detail", args=[self.pk])

    def attach_transcripts(self) -> None:
        """Join the texts that came before it was known."""
        if self.recording_id:
            texts = self.call.transcripts.model.objects.filter(recording_key=self.recording_id)
            texts.filter(recording=None).update(recording=self)
            self.tell_transcripts()

    def tell_transcripts(self) -> None:
        """Keep the library's mark of whether there is a text."""
        told = self.transcripts.exclude(text="").exists()
        Recording.objects.filter(pk=self.pk).exclude(has_transcript=told).change(
            has_transcript=told
        )

    def parties_of_call(self) -> dict[str, str]:
        """Return who called whom as columns to fill, if only the call knows it by now."""
        call = self.call
        if self.from_number or not call.from_number:
            return {}
        return {"direction": call.direction, **numbers(call.from_number, call.to_number)}

    @property
    def is_stored(self) -> bool:
        return self.state == State.STORED

    @property
    def is_wanted(self) -> bool:
        """Say whether the file is still to come."""
        return self.state in self.WANTED

    @property
    def is_deleted(self) -> bool:
        return self.state == State.DELETED

    @property
    def is_moving(self) -> bool:
        """Say whether the page will soon have something else to tell of the file."""
        return self.is_wanted or (
            self.is_deleted and self.due_at is not None and self.failures <= 1
        )

    @property
    def is_told_failure(self) -> bool:
        """Say whether Telnyx told of a failure, or of nothing: there never was a file to fetch."""
        is_over = self.state in (State.FAILED, State.MISSING)
        return is_over and not (self.recording_id or self.path or self.urls)

    @property
    def subject(self) -> str:
        """The name under which the audit trail knows it."""
        return f"recording {self.pk}"

    @property
    def took_ms(self) -> int | None:
        """How long recording went on by Telnyx's clock, pauses and all; None if it did not say."""
        if self.ended_at is None or self.start_inferred or self.ended_at <= self.started_at:
            return None
        return (self.ended_at - self.started_at) // timedelta(milliseconds=1)

    @property
    def content_type(self) -> str:
        return "audio/wav" if Path(self.path).suffix == ".wav" else "audio/mpeg"

    @property
    def duration_s(self) -> float | None:
        return None if self.duration_ms is None else self.duration_ms / 1000
