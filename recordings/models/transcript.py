"""What was said: texts and our timed sentences (Transcript), lines told live (Caption)."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from calls.models import Call
from recordings.models.recording import Recording


class Transcript(models.Model):
    """What was said in a recording: a text, and once it was timed or corrected, its sentences.

    none -> due -> working -> timed | untimed, with the reason         (Timing, see timing.py)
    """

    class Timing(models.TextChoices):
        NONE = "", "Not asked for"
        DUE = "due", "Waiting"
        WORKING = "working", "Being timed"
        TIMED = "timed", "Timed"
        UNTIMED = "untimed", "Without times"

    class Source(models.TextChoices):
        TELNYX = "telnyx", "Telnyx"
        CAPTIONS = "captions", "Live captions"

    WANTED = (Timing.DUE, Timing.WORKING)
    MISSED = "missed"  # our status of a text that never came, so that Telnyx is asked for it

    call = models.ForeignKey(Call, models.PROTECT, related_name="transcripts")
    recording = models.ForeignKey(
        Recording, models.PROTECT, null=True, related_name="transcripts"
    )  # None until the recording is known: the text may come first
    recording_key = models.CharField(max_length=255, blank=True)  # Telnyx's recording_id
    recording_transcription_id = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=32, blank=True)
    text = models.TextField(blank=True)  # after a correction, the corrected one
    source = models.CharField(max_length=16, choices=Source, default=Source.TELNYX)
    told_at = models.DateTimeField()  # when it reached us
    language = models.CharField(max_length=16, blank=True)
    # Our timed sentences: [{"text", "start_ms", "end_ms", "confidence", "channel",
    # "words": [[word, start_ms, end_ms], ...], "origin"}, ...], null for what nobody timed.
    # The origin says who told the times: "aligned" (we did), "caption", or null.
    segments = models.JSONField(null=True)
    # How the times come: due -> working -> timed, or untimed with the reason
    timing = models.CharField(max_length=7, choices=Timing, default=Timing.NONE, blank=True)
    timing_since = models.DateTimeField(null=True)
    timing_reason = models.TextField(blank=True)
    due_at = models.DateTimeField(null=True)  # when to align; while working, when the lease ends
    attempts = models.PositiveIntegerField(default=0)  # fences those who align
    failures = models.PositiveSmallIntegerField(default=0)  # to align, in a row
    revision = models.PositiveIntegerField(default=0)  # the latest; 0: nobody corrected it

    class Meta:
        ordering = ["told_at", "id"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="transcript_due",
                condition=Q(timing__in=["due", "working"]),
            ),
            models.Index(
                fields=["recording_key"],
                name="transcript_unattached",
                condition=Q(recording__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["recording_transcription_id"],
                name="transcript_once",
                condition=~Q(recording_transcription_id=""),
            ),
            models.UniqueConstraint(
                fields=["call", "recording_key"],
                name="transcript_once_by_recording",
                condition=Q(recording_transcription_id="") & ~Q(source="captions"),
            ),
            models.UniqueConstraint(
                fields=["recording"],
                name="transcript_once_of_captions",
                condition=Q(source="captions"),
            ),
        ]

    def __str__(self) -> str:
        return f"Transcript of {self.recording_key or self.call_id}"


class Revision(models.Model):
    """One correction of a transcript: all its sentences as they were from then on."""

    transcript = models.ForeignKey(Transcript, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()  # 0: what was there before the first correction
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=150)  # of the person, should the account be deleted
    at = models.DateTimeField()
    segments = models.JSONField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["transcript", "number"], name="revision_number")
        ]

    def __str__(self) -> str:
        return f"Revision {self.number} of {self.transcript_id}"


class Caption(models.Model):
    """One line of a call as it was written down live."""

    call = models.ForeignKey(Call, models.PROTECT, related_name="captions")
    event_id = models.CharField(max_length=255, unique=True)  # of the webhook that told it
    occurred_at = models.DateTimeField()
    track = models.CharField(max_length=16, blank=True)  # inbound: the leg; outbound: the others
    text = models.TextField()
    confidence = models.FloatField(null=True)
    is_final = models.BooleanField()

    class Meta:
        ordering = ["occurred_at", "id"]
        indexes = [models.Index(fields=["call", "occurred_at"], name="caption_of_call")]

    def __str__(self) -> str:
        return f"Caption of {self.call_id}"  # not its text: operators may not read it
