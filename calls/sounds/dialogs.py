"""The forms of Say and Play: Telnyx's parameters, asked for in people's words.

SayForm   a text with {variables}, filled for the call       -> speak
PlayForm  a sound of the library, an address, another name   -> playback_start
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from calls import board
from calls.forms import CommandForm, for_kind
from calls.models import Call, Kind, MediaFile, Phrase
from calls.sounds import media, phrases, variables, voices
from calls.sounds.parties import Party, Reach, of, reaches
from calls.telnyx import ssml
from calls.telnyx.words import SPEAK_LANGUAGES

Person = AbstractBaseUser | AnonymousUser

HOW = "choose one of the list, or type its whole name, as AWS.Polly.Joanna."
FIRST = (
    ("", "Wait for its turn"),
    ("current", "Stop what sounds now, keep what waits"),
    ("all", "Stop everything first"),
)


class SoundForm(CommandForm):
    """What both dialogs share: who hears it, how often, what is stopped first."""

    main: ClassVar[tuple[str, ...]]

    def __init__(self, *args: Any, call: Call, by: Person, **kwargs: Any) -> None:
        initial = {"target_legs": "self", **(kwargs.pop("initial", None) or {})}
        super().__init__(*args, initial=initial, **kwargs)
        self.call, self.by = call, by
        self._parties: list[Party] | None = None
        self.fields["stop"].widget = forms.Select(choices=FIRST)
        self.fields["stop"].label = "When"
        self.fields["stop"].help_text = "What is sent for this leg queues at Telnyx."

    @property
    def parties(self) -> list[Party]:
        """Return who is in the conversation; one look."""
        if self._parties is None:
            legs = board.of_call(self.call, now=timezone.now()).legs
            self._parties = of(legs)
        return self._parties

    @property
    def here(self) -> Party:
        return next(party for party in self.parties if party.call.pk == self.call.pk)

    def reaches(self) -> list[Reach]:
        """Return the three answers to "who hears it"."""
        return reaches(self.call, self.parties)

    @property
    def target(self) -> str:
        return str(self["target_legs"].value() or "self")

    def more_fields(self) -> list[forms.BoundField]:
        """Return what stands under "More options": all that no place of the dialog is made for."""
        placed = {*self.main, "target_legs", "loop", "stop"}
        return [
            self[name]
            for name, field in self.fields.items()
            if name not in placed and not field.widget.is_hidden
        ]


class SayForm(SoundForm):
    """A text to speak."""

    kind = Kind.SPEAK
    main = ("payload", "payload_type", "voice", "language", "phrase")

    def __init__(self, *args: Any, phrase: Phrase | None = None, **kwargs: Any) -> None:
        voice, language = voices.default()
        initial = {"voice": voice, "language": language, "payload_type": "text"}
        if phrase is not None:
            initial |= {
                "payload": phrase.text,
                "payload_type": phrase.kind,
                "phrase": str(phrase.pk),
            }
            initial |= {"voice": phrase.voice or voice, "language": phrase.language or language}
        super().__init__(*args, initial=initial | kwargs.pop("initial", {}), **kwargs)
        self.fields["payload"].help_text = ""

    def given(self) -> dict[str, Any]:
        """Return the parameters with the text filled, and a language only where it counts."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "phrase"}
        voice = str(given.get("voice") or "").strip()
        if voice and not voices.may_be(voice):
            self.add_error("voice", f"No voice is called “{voice[:60]}”: {HOW}")
        if ssml.is_polly(voice):  # Telnyx ignores it there
            given["language"] = None
        if isinstance(given.get("payload"), str):
            try:
                given["payload"] = self.filled()
            except variables.Wrong as exc:
                self.add_error("payload", f"The text {exc}.")
                given["payload"] = phrases.SOMETHING
        return given

    def filled(self) -> str:
        """Return what will be said. Raises variables.Wrong."""
        text = str(self.data.get("payload") or "").replace("\r\n", "\n")
        kind = str(self.data.get("payload_type") or "text")
        return phrases.filled(text, kind, self.values())

    def values(self) -> Mapping[str, str]:
        """Return what the variables stand for on this call."""
        return phrases.values(self.parties, self.here, self.by, timezone.now())

    def listed(self) -> Sequence[Phrase]:
        """Return the saved phrases, in the order of the desk."""
        return list(Phrase.objects.all()[: phrases.MOST])

    @property
    def variables(self) -> Mapping[str, str]:
        return variables.VARIABLES

    @property
    def tags(self) -> Sequence[str]:
        return ssml.TAGS

    def voice_known(self) -> Any:
        """Return what is known of the chosen voice."""
        return voices.known(str(self["voice"].value() or ""))

    @property
    def languages(self) -> Sequence[str]:
        return SPEAK_LANGUAGES

    @property
    def language_counts(self) -> bool:
        """Say whether the chosen voice leaves its language open."""
        return not ssml.is_polly(str(self["voice"].value() or ""))


class PlayForm(SoundForm):
    """A sound to play."""

    kind = Kind.PLAYBACK_START
    main = ("library", "media_name", "audio_url", "overlay")

    def given(self) -> dict[str, Any]:
        """Return the parameters: a sound of the library goes by its name at Telnyx."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "library"}
        chosen = self.cleaned_data.get("library")
        if chosen:
            row = self._chosen(str(chosen))
            if row is not None:
                given |= {"media_name": row.media_name, "audio_type": row.format}
                # what stands in the other fields is left from another choice
                given |= {"audio_url": None, "playback_content": None}
        elif _is_wav(given.get("audio_url")) and not given.get("audio_type"):
            given["audio_type"] = "wav"  # Telnyx takes everything for MP3 unless told
        return given

    def _chosen(self, key: str) -> MediaFile | None:
        try:
            row = MediaFile.objects.filter(pk=UUID(key)).first()
        except ValueError:
            row = None
        if row is None:
            self.add_error("library", "This sound is not in the library any more.")
        elif not row.is_playable:
            self.add_error("library", f"“{row.name}” cannot be played yet: {media.why(row)}")
        return row

    def listed(self) -> Sequence[MediaFile]:
        """Return the library."""
        return list(MediaFile.objects.exclude(state=MediaFile.State.DELETING))

    @property
    def chosen(self) -> str:
        return str(self["library"].value() or "")


def _is_wav(url: object) -> bool:
    try:
        return isinstance(url, str) and urlsplit(url.strip()).path.lower().endswith(".wav")
    except ValueError:
        return False


def _uuid(value: str) -> None:
    try:
        UUID(value)
    except ValueError as exc:
        raise ValidationError("No phrase has this id.") from exc


SayForm.base_fields = for_kind(Kind.SPEAK).base_fields | {
    "phrase": forms.CharField(required=False, widget=forms.HiddenInput, validators=[_uuid])
}
PlayForm.base_fields = for_kind(Kind.PLAYBACK_START).base_fields | {
    "library": forms.CharField(required=False, label="Library", widget=forms.HiddenInput)
}
DIALOGS: Mapping[str, Callable[..., SoundForm]] = {
    Kind.SPEAK: SayForm,
    Kind.PLAYBACK_START: PlayForm,
}


def form(
    request: HttpRequest,
    kind: Kind,
    call: Call,
    *,
    typed: QueryDict | None,
    suggestions: Mapping[str, Sequence[str]],
) -> SoundForm:
    """Return the form of Say or Play for a leg; ?phrase= and ?library= fill it."""
    more: dict[str, Any] = {}
    if kind == Kind.SPEAK:
        more["phrase"] = _named(request.GET.get("phrase", ""))
    elif library := request.GET.get("library", ""):
        more["initial"] = {"library": library}
    return DIALOGS[kind](
        typed, call=call, by=request.user, suggestions=suggestions, auto_id="ask-%s", **more
    )


def _named(key: str) -> Phrase | None:
    try:
        return Phrase.objects.filter(pk=UUID(key)).first()
    except ValueError:
        return None


def used(form: CommandForm) -> None:
    """Note which phrase or sound a sent form was made of."""
    now = timezone.now()
    if isinstance(form, SayForm) and form.cleaned_data.get("phrase"):
        Phrase.objects.filter(pk=form.cleaned_data["phrase"]).update(last_used_at=now)
    elif isinstance(form, PlayForm) and form.cleaned_data.get("library"):
        MediaFile.objects.filter(pk=form.cleaned_data["library"]).update(last_used_at=now)
