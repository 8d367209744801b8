"""What was said: texts and our timed sentences (Transcript), lines told live (Caption)."""

from django.db import models
from django.db.models import Q

from calls.models import Call
from recordings.models.recording import Recording


class Transcript(models.Model):
    """What was said, as the provider wrote it down: plain text, without times and speakers."""

    call = models.ForeignKey(Call, models.PROTECT, related_name="transcripts")
    recording = models.ForeignKey(
        Recording, models.PROTECT, null=True, related_name="transcripts"
    )  # None until the recording is known: the text may come first
    recording_key = models.CharField(max_length=255, blank=True)  # Telnyx's recording_id
    recording_transcription_id = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=32, blank=True)
    text = models.TextField(blank=True)
    source = models.CharField(max_length=16, default="telnyx")
    told_at = models.DateTimeField()  # when it reached us
    language = models.CharField(max_length=16, blank=True)
    # Our timed sentences: [{"text", "start_ms", "end_ms", "confidence", "channel",
    # "words": [[word, start_ms, end_ms], ...]}, ...], null for what nobody timed.
    segments = models.JSONField(null=True)

    class Meta:
        ordering = ["told_at", "id"]
        indexes = [
            models.Index(
                fields=["recording_key"],
                name="transcript_unattached",
                condition=Q(recording__isnull=True),
            )
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
                condition=Q(recording_transcription_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"Transcript of {self.recording_key or self.call_id}"


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
