"""The operators' view of what was recorded: where each file is, and the button to fetch it again.

Operators keep the desk running and may not listen, so nothing here shows what was said.
"""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from access.audit import record
from calls.admin import LineEvidence
from calls.ring import ring
from recordings import fetch
from recordings.models import Caption, Recording, Transcript

MOST_FETCHED = 1_000  # at once, so that a slip of the mouse does not queue the whole library


@admin.register(Recording)
class RecordingAdmin(LineEvidence):
    list_display = [
        "started_at",
        "state",
        "since",
        "from_number",
        "to_number",
        "duration",
        "attempts",
        "due_at",
        "why",
    ]
    list_filter = ["state", "format", "started_at"]
    search_fields = ["recording_id__exact", "call__call_leg_id__exact", "sha256__exact"]
    search_help_text = "The whole id of a recording (ours or Telnyx's) or leg, or a SHA-256."
    ordering = ["-place"]
    actions = ["fetch_again"]
    exclude = ["urls", "place", "length"]  # links are keys to the file
    readonly_fields = ["id"]

    @admin.display(description="seconds")
    def duration(self, recording: Recording) -> str:
        return "" if recording.duration_s is None else f"{recording.duration_s:.0f}"

    @admin.display(description="reason")
    def why(self, recording: Recording) -> str:
        return recording.reason[:80]

    @admin.action(description="Fetch again")
    def fetch_again(self, request: HttpRequest, queryset: QuerySet[Recording]) -> None:
        """Download the selected files that are lacking, with fresh links."""
        chosen = list(queryset[: MOST_FETCHED + 1])
        if len(chosen) > MOST_FETCHED:
            text = f"More than {MOST_FETCHED} recordings are selected; fetch fewer at once."
            self.message_user(request, text, messages.ERROR)
            return
        subject = chosen[0].subject if len(chosen) == 1 else "recordings"
        record(request.user, "fetch again", subject, ids=[str(one.pk) for one in chosen])
        count = fetch.again(chosen)
        ring("media")
        kept = len(chosen) - count
        text = f"{count} queued." + (f" {kept} need no download now." if kept else "")
        self.message_user(request, text, messages.SUCCESS)


@admin.register(Transcript)
class TranscriptAdmin(LineEvidence):
    list_display = ["told_at", "status", "source", "characters", "recording", "call"]
    list_filter = ["status", "source", "told_at"]
    list_select_related = ["recording", "call"]
    search_fields = ["recording_transcription_id__exact", "recording_key__exact"]
    search_help_text = "The whole id of a transcript or recording at Telnyx."
    ordering = ["-id"]
    exclude = ["text"]
    readonly_fields = ["characters"]

    @admin.display(description="characters")
    def characters(self, transcript: Transcript) -> int:
        return len(transcript.text)


@admin.register(Caption)
class CaptionAdmin(LineEvidence):
    list_display = ["occurred_at", "track", "is_final", "confidence", "call"]
    list_filter = ["track", "is_final", "occurred_at"]
    list_select_related = ["call"]
    search_fields = ["event_id__exact", "call__call_leg_id__exact"]
    search_help_text = "The whole id of an event or call leg."
    ordering = ["-id"]
    exclude = ["text"]
