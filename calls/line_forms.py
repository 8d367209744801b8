"""Forms about lines and phones: listen in, my phone, a rule that records by itself."""

from collections.abc import Sequence
from typing import Any

from django import forms

from calls import numbers
from calls.models import Call, MediaFile, Phone, RecordRule
from calls.rules import announcement, recording
from calls.telnyx import checks, words
from calls.telnyx.parameters import Invalid, clean

PHONE_HELP = "A number in any spelling, with + and the country if it is abroad, or a SIP address."


def read_address(written: str, *, like: str = "") -> str:
    """Return a number or SIP address as Telnyx takes it. Raises ValidationError."""
    address = numbers.read(written, like=like)
    if fault := checks.address(address):
        raise forms.ValidationError(f"Your input {fault}.")
    return address


class PhoneForm(forms.Form):
    """A person's own phone; empty for none."""

    phone = forms.CharField(
        label="My phone", max_length=255, required=False, strip=True, help_text=PHONE_HELP
    )

    def __init__(self, *args: Any, like: str = "", **kwargs: Any) -> None:
        """`like` is a number of the site's country."""
        kwargs["auto_id"] = "phone-%s"
        super().__init__(*args, **kwargs)
        self.like = like
        self.fields["phone"].widget.attrs |= {"autocomplete": "tel", "inputmode": "tel"}

    def clean_phone(self) -> str:
        written = self.cleaned_data["phone"]
        return read_address(written, like=self.like) if written else ""


class ListenForm(forms.Form):
    """On which phone to listen in, on whom, and which number the phone shows."""

    leg = forms.CharField()
    phone = forms.CharField(label="Your phone", max_length=255, help_text=PHONE_HELP)
    remember = forms.BooleanField(label="Keep this as my phone", required=False, initial=True)
    shown = forms.CharField(
        label="Your phone shows",
        max_length=255,
        help_text="One of your Telnyx numbers.",
    )

    def __init__(
        self, data: Any, *, legs: Sequence[Call], known: Phone | None, lines: Sequence[str]
    ) -> None:
        """`legs` can be listened in on; `lines` are numbers of ours, the likeliest first."""
        number = known.number if known else ""
        initial = {"phone": number, "shown": next(iter(lines), ""), "remember": not number}
        super().__init__(data, initial=initial, auto_id="listen-%s")
        self.legs, self.lines = legs, lines
        self.fields["phone"].widget.attrs |= {"autocomplete": "tel", "inputmode": "tel"}
        if not number:
            self.fields["phone"].widget.attrs["data-focus"] = True
        self.fields["shown"].suggestions = list(lines)  # type: ignore[attr-defined]
        self.fields["shown"].widget.attrs["list"] = "listen-shown_list"

    def clean_leg(self) -> Call:
        wanted = self.cleaned_data["leg"]
        found = next((leg for leg in self.legs if str(leg.pk) == wanted), None)
        if found is None:
            raise forms.ValidationError("This leg is not on the line any more: choose another.")
        return found

    def clean_phone(self) -> str:
        return read_address(self.cleaned_data["phone"], like=next(iter(self.lines), ""))

    def clean_shown(self) -> str:
        return read_address(self.cleaned_data["shown"], like=next(iter(self.lines), ""))


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # Django takes none at run time
    """A rule; what it will ask of Telnyx is checked now, not when a call is on the line."""

    class Meta:
        model = RecordRule
        fields = (
            "name",
            "enabled",
            "line",
            "direction",
            "format",
            "channels",
            "transcription",
            "transcription_language",
            "announcement",
            "phrase",
            "voice",
            "language",
            "media_name",
            "wait_s",
            "must_be_heard",
        )
        labels = {
            "name": "Name",
            "enabled": "On",
            "line": "Our line",
            "direction": "Which calls",
            "format": "File format",
            "channels": "Channels",
            "transcription": "Ask for a transcript",
            "transcription_language": "Language of the talk",
            "announcement": "Announcement first",
            "phrase": "Phrase",
            "voice": "Voice",
            "language": "Language of the phrase",
            "media_name": "Stored sound",
            "wait_s": "Wait at most",
            "must_be_heard": "Record only if the announcement was played",
        }
        help_texts = {
            "line": "A number of yours in any spelling, its beginning with * as +1800*, or empty "
            "for every line.",
            "phrase": "Up to 3,000 characters. Whoever is on the line by then hears it.",
            "media_name": "Its name in the library, or another name stored at Telnyx.",
            "wait_s": "From 1 to 60. The recording starts when the announcement ends, at the "
            "latest after so long.",
            "must_be_heard": "If Telnyx refuses the announcement, nothing is recorded.",
        }

    format = forms.ChoiceField(label="File format", choices=[("mp3", "mp3"), ("wav", "wav")])
    channels = forms.ChoiceField(
        label="Channels",
        choices=[("dual", "Dual: each side by itself"), ("single", "Single: mixed")],
    )
    wait_s = forms.IntegerField(label="Wait at most", min_value=1, max_value=60, initial=15)

    def __init__(self, *args: Any, lines: Sequence[str] = (), **kwargs: Any) -> None:
        """`lines` are numbers of ours, to be offered."""
        kwargs.setdefault("auto_id", "rule-%s")
        super().__init__(*args, **kwargs)
        self.lines = lines
        self.library = list(MediaFile.objects.filter(state=MediaFile.State.READY))
        wait = self.fields["wait_s"]
        wait.help_text = self.Meta.help_texts["wait_s"]
        wait.unit = "s"  # type: ignore[attr-defined]
        self.fields["phrase"].widget.attrs |= {"rows": 3, "maxlength": 3000}
        for name, offered in (
            ("line", list(lines)),
            ("media_name", [it.media_name for it in self.library]),
            ("voice", list(words.VOICES)),
            ("language", list(words.SPEAK_LANGUAGES)),
            ("transcription_language", list(words.TRANSCRIPTION_LANGUAGES)),
        ):
            self.fields[name].suggestions = offered  # type: ignore[attr-defined]
            self.fields[name].widget.attrs["list"] = f"rule-{name}_list"
        if self.instance.pk is None:
            self.initial["voice"], self.initial["language"] = "AWS.Polly.Joanna", "en-US"

    def clean_line(self) -> str:
        written = self.cleaned_data["line"].strip()
        if not written:
            return ""
        beginning, star, rest = written.partition("*")
        if star:
            digits = "".join(sign for sign in beginning if sign not in " -().")
            if rest or not checks_beginning(digits):
                raise forms.ValidationError(
                    f"Your input is {checks.shown(written)}; write the beginning of a number "
                    "with its country and a star at the end, as +1800*."
                )
            return f"{digits}*"
        return read_address(written, like=next(iter(self.lines), ""))

    def clean_media_name(self) -> str:
        """Take a sound by its name in the library, else by the name that it has at Telnyx."""
        written = self.cleaned_data["media_name"].strip()
        named = (it.media_name for it in self.library if it.name.lower() == written.lower())
        return next(named, written)

    def clean(self) -> dict[str, Any]:
        """Check what the rule will ask for as if it were asked now."""
        data = super().clean() or {}
        if self.errors:
            return data
        trial = RecordRule(**{name: data[name] for name in self.Meta.fields})
        self._try("record_start", recording(trial), {})
        if trial.announcement == RecordRule.Announcement.SPEAK:
            kind, params = announcement(trial, both=True)
            self._try(kind, params, {"payload": "phrase"})
        elif trial.announcement == RecordRule.Announcement.PLAY and not trial.media_name:
            self.add_error("media_name", "The name of the stored sound is missing.")
        elif trial.announcement:
            kind, params = announcement(trial, both=True)
            self._try(kind, params, {})
        return data

    def _try(self, action: str, params: dict[str, Any], names: dict[str, str]) -> None:
        try:
            clean(action, params)
        except Invalid as exc:
            for problem in exc.problems:
                field = names.get(problem.field, problem.field)
                said = problem.message.replace(problem.field, str(self.fields[field].label), 1)
                self.add_error(field, f"{said}.")


def checks_beginning(digits: str) -> bool:
    """Say whether a text is the beginning of a number with its country."""
    return digits.startswith("+") and digits[1:].isdecimal() and 1 <= len(digits[1:]) <= 14
