"""What people type into the notes of a recording, checked in the words of the page."""

import uuid
from typing import Any

from django import forms

from recordings import comments, moments, notes
from recordings.models import Comment, Recording

REASONS = ("Compliance", "Quality", "Complaint", "Training", "Other")
LONGEST_WORDS = notes.LONGEST_REASON - max(map(len, REASONS)) - len(": ")


class Words(forms.CharField):
    """Text of several lines, its characters counted as the browser counts them."""

    def __init__(self, longest: int, *, rows: int, **more: Any) -> None:
        area = forms.Textarea({"rows": rows, "maxlength": longest})
        super().__init__(widget=area, error_messages={"required": "Write something."}, **more)
        self.longest = longest

    def to_python(self, value: Any) -> str:
        """Return the text with plain line ends; browsers send two characters for each."""
        text = str(value or "").replace("\r\n", "\n").replace("\r", "\n")
        return super().to_python(text) or ""

    def validate(self, value: str) -> None:
        """Refuse nothing and too much."""
        super().validate(value)
        if len(value) > self.longest:
            text = f"This has {len(value):,} characters, the limit is {self.longest:,}."
            raise forms.ValidationError(text)


class AnswerForm(forms.Form):
    """An answer in a thread. Its id is that of the row, so a second press writes nothing more."""

    press = forms.UUIDField(widget=forms.HiddenInput, required=False)
    text = Words(comments.LONGEST, rows=3, label="Answer")

    def clean_press(self) -> uuid.UUID:
        """Return the id of this press, a fresh one where the form brought none."""
        press: uuid.UUID | None = self.cleaned_data["press"]
        return press or uuid.uuid4()


class CommentForm(AnswerForm):
    """A comment on a moment, a span or the whole of a recording."""

    text = Words(comments.LONGEST, rows=3, label="Comment")
    at = forms.CharField(
        label="Moment or span",
        required=False,
        max_length=40,
        help_text="As 1:05 or 1:05-1:20. Empty: the whole recording.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    field_order = ("press", "at", "text")

    def __init__(self, *args: Any, recording: Recording, **more: Any) -> None:
        """Take what Form takes, and the recording that the moment is in."""
        super().__init__(*args, **more)
        self.recording = recording

    def clean_at(self) -> moments.Place:
        """Return where it begins and ends, in milliseconds."""
        try:
            return moments.read(
                self.cleaned_data["at"], longest_ms=self.recording.duration_ms or None
            )
        except moments.Invalid as exc:
            raise forms.ValidationError(str(exc)) from exc


class EditForm(forms.Form):
    """Another text for a comment."""

    text = Words(comments.LONGEST, rows=3, label="Comment")
    seen = forms.CharField(widget=forms.HiddenInput, required=False)  # which text it replaces

    @classmethod
    def of(cls, comment: Comment) -> "EditForm":
        """Return the form with the text as it is."""
        shown = {"text": comment.text, "seen": comments.edition(comment)}
        return cls(initial=shown, auto_id=f"edit-{comment.pk}-%s")


class TagForm(forms.Form):
    """The name of a tag."""

    name = forms.CharField(
        label="Tag",
        required=False,  # so that the one check below speaks
        max_length=200,
        widget=forms.TextInput({"maxlength": notes.LONGEST_TAG, "autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        """Return it as it is kept."""
        try:
            return notes.tag_name(self.cleaned_data["name"])
        except notes.Invalid as exc:
            raise forms.ValidationError(str(exc)) from exc


class FlagForm(forms.Form):
    """Why a recording is flagged."""

    kind = forms.ChoiceField(label="Reason", choices=[(word, word) for word in REASONS])
    words = forms.CharField(
        label="In words",
        required=False,
        max_length=LONGEST_WORDS,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Needed for Other.",
    )

    def clean(self) -> dict[str, Any]:
        """Ask for words where the reason alone says nothing."""
        given = self.cleaned_data
        if given.get("kind") == "Other" and not given.get("words") and not self.errors:
            self.add_error("words", "Say in words why.")
        return given

    @property
    def reason(self) -> str:
        """Return the reason as it is kept."""
        kind, words = self.cleaned_data["kind"], self.cleaned_data["words"]
        return f"{kind}: {words}" if words else kind
