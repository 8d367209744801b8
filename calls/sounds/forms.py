"""What people type on the pages of phrases, sounds and voices, checked in their own words."""

from typing import Any

from django import forms

from calls.models import Phrase
from calls.sounds import phrases
from calls.telnyx.words import SPEAK_LANGUAGES

NAME = 80


class Name(forms.CharField):
    """A name that people choose: one line, not too long."""

    def __init__(self, label: str = "Name", **more: Any) -> None:
        super().__init__(
            label=label,
            max_length=NAME,
            error_messages={
                "required": "Give it a name.",
                "max_length": (
                    "The name has %(show_value)d characters, the limit is %(limit_value)d."
                ),
            },
            **more,
        )

    def to_python(self, value: Any) -> str:
        return " ".join(str(value or "").split())


class PhraseForm(forms.Form):
    """A saved phrase."""

    name = Name()
    text = forms.CharField(
        widget=forms.Textarea({"rows": 4, "maxlength": phrases.LONGEST}),
        strip=False,
        error_messages={"required": "Write what is to be said."},
    )
    kind = forms.ChoiceField(
        label="Type of text",
        choices=Phrase.Kind.choices,
        required=False,
        help_text="SSML is XML in <speak> that sets pauses and emphasis.",
    )
    voice = forms.CharField(
        required=False,
        max_length=255,
        help_text="Empty: the desk's voice. As AWS.Polly.Joanna; the Voices page lists them.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    language = forms.CharField(
        required=False,
        max_length=32,
        help_text="As en-US. Polly voices bring their own.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    language.suggestions = SPEAK_LANGUAGES  # type: ignore[attr-defined]

    def clean_text(self) -> str:
        """Count as browsers do: a line's end is one character."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n").replace("\r", "\n")
        if not text.strip():
            raise forms.ValidationError("Write what is to be said.")
        if len(text) > phrases.LONGEST:
            raise forms.ValidationError(
                f"The text has {len(text):,} characters, the limit is {phrases.LONGEST:,}."
            )
        return text

    def clean_kind(self) -> str:
        """Take a text for plain where nobody says what it is."""
        return self.cleaned_data["kind"] or Phrase.Kind.TEXT

    def clean_voice(self) -> str:
        """Refuse what is no name of a voice."""
        return _one_word(self.cleaned_data["voice"], "voice")

    def clean_language(self) -> str:
        """Refuse what is no language."""
        return _one_word(self.cleaned_data["language"], "language")

    def clean(self) -> dict[str, Any]:
        """Check the variables and the SSML, which takes the text and its kind."""
        cleaned = super().clean() or {}
        if "text" in cleaned and "kind" in cleaned:
            wrong = phrases.fault(cleaned["text"], cleaned["kind"], cleaned.get("voice", ""))
            if wrong:
                self.add_error("text", f"The text {wrong}.")
        return cleaned


class RenameForm(forms.Form):
    """Another name for a sound."""

    name = Name()


class UploadForm(forms.Form):
    """A sound for the library."""

    file = forms.FileField(
        label="WAV or MP3 file",
        help_text="Up to 20 MB. WAV becomes 16 kHz mono, or 8 kHz; MP3 stays as it is.",
        error_messages={
            "required": "Choose a WAV or MP3 file.",
            "empty": "The file is empty.",
        },
        widget=forms.FileInput({"accept": ".wav,.mp3,audio/wav,audio/mpeg"}),
    )
    name = Name(required=False, help_text="Empty: the name of the file.")


class VoiceForm(forms.Form):
    """The desk's voice."""

    voice = forms.CharField(
        max_length=255,
        error_messages={"required": "Choose a voice."},
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    language = forms.CharField(
        required=False,
        max_length=32,
        help_text="Only for voices that leave it open; Polly voices bring their own.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    language.suggestions = SPEAK_LANGUAGES  # type: ignore[attr-defined]

    def clean_voice(self) -> str:
        """Refuse what is no name of a voice."""
        return _one_word(self.cleaned_data["voice"], "voice")

    def clean_language(self) -> str:
        """Refuse what is no language."""
        return _one_word(self.cleaned_data["language"], "language")


def _one_word(value: str, what: str) -> str:
    if any(sign.isspace() for sign in value) or not value.isprintable():
        raise forms.ValidationError(f"The {what} is “{value[:60]}”, it may have no space in it.")
    return value
