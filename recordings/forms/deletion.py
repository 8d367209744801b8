"""What is asked of those who delete a recording."""

from typing import Any

from django import forms

from recordings.erase import LONGEST_REASON

OTHER = "other"
REASONS = (
    "Personal data that must not be kept",
    "The caller asked for it",
    "Recorded by mistake",
    "Test call",
)


class Deletion(forms.Form):
    """Why a recording goes; `cleaned_data["why"]` is the sentence."""

    reason = forms.ChoiceField(
        label="Why",
        choices=[("", "Choose a reason"), *((text, text) for text in REASONS), (OTHER, "Other")],
        error_messages={"required": "Choose why this recording is to go."},
    )
    other = forms.CharField(
        label="In your words, if other",
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """Take the words instead of "other"."""
        cleaned = super().clean() or self.cleaned_data
        why = cleaned.get("reason", "")
        if why == OTHER:
            why = " ".join(cleaned.get("other", "").split())
            if not why and "other" not in self.errors:
                self.add_error("other", "Say why, in a few words.")
        return {**cleaned, "why": why}
