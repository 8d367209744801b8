"""The operators' view of what was recorded: where each file is, and the button to fetch it again.

Operators keep the desk running and may not listen, so nothing here shows what was said, and
comments, which can quote it, are not here at all. Tags are the operators' to keep tidy.
"""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from access.admin import Operated
from access.audit import record
from calls.admin import LineEvidence
from calls.ring import ring
from recordings import fetch, notes, scrub
from recordings.models import Caption, Recording, Tag, Transcript

MOST_FETCHED = 1_000  # at once, so that a slip of the mouse does not queue the whole library
MOST_COUNTED = 10_000  # recordings of a tag; beyond, the list says so and counts no further


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
    list_filter = ["state", "started_at"]
    search_fields = ["recording_id__exact", "call__call_leg_id__exact", "sha256__exact"]
    search_help_text = "The whole id of a recording (ours or Telnyx's) or leg, or a SHA-256."
    ordering = ["-place"]
    actions = ["fetch_again", "verify"]
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

    @admin.action(description="Verify the stored files")
    def verify(self, request: HttpRequest, queryset: QuerySet[Recording]) -> None:
        """Have the selected files read again soon, and compared with what they were."""
        chosen = list(queryset[: MOST_FETCHED + 1])
        if len(chosen) > MOST_FETCHED:
            text = f"More than {MOST_FETCHED} recordings are selected; verify fewer at once."
            self.message_user(request, text, messages.ERROR)
            return
        subject = chosen[0].subject if len(chosen) == 1 else "recordings"
        record(request.user, "verify", subject, ids=[str(one.pk) for one in chosen])
        count = scrub.ask_for(chosen)
        text = f"{count} will be read again within seconds; damaged ones will say so."
        if lacking := len(chosen) - count:
            text += f" {lacking} have no stored file."
        self.message_user(request, text, messages.SUCCESS)


@admin.register(Transcript)
class TranscriptAdmin(LineEvidence):
    list_display = ["told_at", "status", "source", "characters", "recording", "call"]
    list_filter = ["status", "source", "told_at"]
    list_select_related = ["recording", "call"]
    search_fields = ["recording_transcription_id__exact", "recording_key__exact"]
    search_help_text = "The whole id of a transcript or recording at Telnyx."
    ordering = ["-id"]
    exclude = ["text", "segments"]
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


class TagForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tag's name in its one spelling, and its colour."""

    colour = forms.ChoiceField(choices=[(colour, colour.title()) for colour in Tag.COLOURS])

    class Meta:
        model = Tag
        fields = ["name", "colour"]

    def clean_name(self) -> str:
        """Return it as it is kept; a name that is taken is for merging."""
        try:
            name = notes.tag_name(self.cleaned_data["name"])
        except notes.Invalid as exc:
            raise forms.ValidationError(str(exc)) from exc
        if Tag.objects.filter(name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(
                f"There is a tag {name} already: merge the two in the list."
            )
        return name


@admin.register(Tag)
class TagAdmin(Operated):
    form = TagForm
    list_display = ["name", "colour", "recordings"]
    list_filter = ["colour"]
    search_fields = ["name"]
    list_per_page = 50
    show_full_result_count = False
    actions = ["merge"]

    @admin.display(description="recordings")
    def recordings(self, tag: Tag) -> str:
        count = tag.taggings.order_by()[: MOST_COUNTED + 1].count()
        return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"

    @admin.action(description="Merge into the most used of them")
    def merge(self, request: HttpRequest, queryset: QuerySet[Tag]) -> None:
        """Make one tag of several."""
        if len(queryset) < 2:
            self.message_user(request, "Select at least two tags to merge.", messages.ERROR)
            return
        into, gone = notes.merge(queryset, request.user)
        self.message_user(request, f"{', '.join(gone)}: merged into {into}.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Tag, form: Any, change: bool) -> None:
        """Note a new name first, then keep it."""
        if "name" in form.changed_data:
            old = form.initial.get("name", "")
            subject = f"tag {obj.pk}" if change else "tags"
            verb = "rename tag" if change else "add tag"
            record(request.user, verb, subject, old=old, new=obj.name)
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Tag) -> None:
        record(request.user, "delete tag", f"tag {obj.pk}", tag=obj.name)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Tag]) -> None:
        for tag in queryset:
            record(request.user, "delete tag", f"tag {tag.pk}", tag=tag.name)
        super().delete_queryset(request, queryset)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Any:
        """Say how many recordings lose a tag; Django would list every one of them."""
        named = [f"{tag} (recordings: {self.recordings(tag)})" for tag in objs]
        return named, {"tags": len(named)}, set(), []
