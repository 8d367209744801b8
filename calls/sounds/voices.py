"""Telnyx's voices as rows: fetched anew each day by the pump, found by words, told how old.

GET /text-to-speech/voices --refresh_due--> Voice rows, VoiceList.fetched_at
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.utils import timezone

from access import audit
from calls.line import telnyx
from calls.models import Voice, VoiceList
from calls.sounds.languages import language_name
from calls.telnyx import readings
from calls.telnyx.errors import Rejected, Unavailable
from calls.telnyx.words import VOICES

Person = AbstractBaseUser | AnonymousUser

FRESH_FOR = timedelta(days=1)
LEASE = timedelta(seconds=60)
BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60))
MOST = 5_000  # our choice: Telnyx lists some 1,500
VOICE, LANGUAGE = "AWS.Polly.Joanna", "en-US"  # until an operator chooses
PROVIDERS = {
    "aws": "Amazon Polly",
    "azure": "Azure",
    "elevenlabs": "ElevenLabs",
    "fishaudio": "Fish Audio",
    "inworld": "Inworld",
    "minimax": "MiniMax",
    "resemble": "Resemble",
    "rime": "Rime",
    "telnyx": "Telnyx",
    "xai": "xAI",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Where the list is from, and how old it is."""

    fetched_at: datetime | None
    error: str
    due_at: datetime

    @property
    def is_built_in(self) -> bool:
        return self.fetched_at is None


def refresh_due() -> int:
    """Fetch the list if it is due; says whether Telnyx was asked."""
    now = timezone.now()
    row = VoiceList.the(now)
    taken = VoiceList.objects.filter(pk=row.pk, due_at__lte=now, due_at=row.due_at).update(
        due_at=now + LEASE, tried_at=now
    )
    if not taken:
        return 0
    try:
        if not settings.TELNYX_API_KEY:
            raise Rejected("No Telnyx API key is set: set TELNYX_API_KEY and restart.")
        listed = telnyx().voices()[:MOST]
        if not listed:
            raise Unavailable("Telnyx's list of voices is empty", maybe_applied=False)
    except (Rejected, Unavailable, ValueError) as exc:
        wait = BACKOFF[min(row.attempts, len(BACKOFF) - 1)]
        VoiceList.objects.filter(pk=row.pk).update(
            due_at=now + wait, attempts=row.attempts + 1, error=str(exc)
        )
        return 1
    _keep(listed, now)
    return 1


def _keep(listed: Iterable[readings.Voice], now: datetime) -> None:
    """Make the rows what Telnyx lists, at one stroke."""
    rows = {each.voice_id: _row(each) for each in listed}
    with transaction.atomic():
        known = set(Voice.objects.values_list("voice_id", flat=True))
        for gone in _chunks(sorted(known - rows.keys())):
            Voice.objects.filter(voice_id__in=gone).delete()
        Voice.objects.bulk_create(
            rows.values(),
            batch_size=200,
            update_conflicts=True,
            unique_fields=["voice_id"],
            update_fields=["provider", "name", "language", "gender", "words"],
        )
        VoiceList.objects.filter(pk=1).update(
            fetched_at=now, due_at=now + FRESH_FOR, attempts=0, error=""
        )


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[at : at + 500] for at in range(0, len(names), 500))


def _row(each: readings.Voice) -> Voice:
    provider = each.provider or each.voice_id.partition(".")[0].lower()
    said = (
        each.voice_id,
        each.name,
        each.gender,
        each.language,
        language_name(each.language),
        provider,
        PROVIDERS.get(provider, ""),
    )
    return Voice(
        voice_id=each.voice_id,
        provider=provider,
        name=each.name,
        language=each.language,
        gender=each.gender.lower(),
        words=" ".join(said).lower(),
    )


def built_in() -> list[Voice]:
    """Return the voices that the desk knows without Telnyx."""
    return [
        _row(readings.Voice("", voice_id.rpartition(".")[2], voice_id, "", ""))
        for voice_id in VOICES
    ]


def search(
    text: str = "", *, provider: str = "", language: str = "", gender: str = "", most: int
) -> list[Voice]:
    """Return voices that have every word of a text; of the built-in list if there is no other."""
    wanted = text.lower().split()
    if not Voice.objects.exists():
        return [
            voice
            for voice in built_in()
            if all(word in voice.words for word in wanted)
            and provider in ("", voice.provider)
            and not language
            and not gender
        ][:most]
    found = Voice.objects.all()
    for word in wanted[:10]:
        # "male" is part of "female", and people mean the word
        found = (
            found.filter(gender=word)
            if word in ("male", "female")
            else found.filter(words__contains=word)
        )
    for field, value in (("provider", provider), ("language", language), ("gender", gender)):
        if value:
            found = found.filter(**{field: value})
    return list(found[:most])


def choices(field: str) -> list[str]:
    """Return the values of a column, for a filter."""
    values = Voice.objects.order_by(field).values_list(field, flat=True).distinct()
    return [value for value in values if value]


def known(voice_id: str) -> Voice | None:
    """Return what is known of a voice."""
    return Voice.objects.filter(voice_id=voice_id).first() or next(
        (voice for voice in built_in() if voice.voice_id == voice_id), None
    )


def may_be(voice_id: str) -> bool:
    """Say whether this may name a voice: what was typed to find one does not.

    Telnyx's names begin with a provider, who alone stands for his default; providers are added.
    """
    named = "." in voice_id or voice_id.lower() in {*PROVIDERS, "polly", "male", "female"}
    return named or known(voice_id) is not None


def told() -> Told:
    """Return where the list is from."""
    row = VoiceList.the()
    return Told(row.fetched_at, row.error, row.due_at)


def default() -> tuple[str, str]:
    """Return the voice and the language that the desk speaks with unless told otherwise."""
    row = VoiceList.the()
    if row.default_voice:
        return row.default_voice, row.default_language
    return VOICE, LANGUAGE


def set_default(voice: str, language: str, *, by: Person) -> None:
    """Choose the desk's voice."""
    with transaction.atomic():
        VoiceList.the()
        VoiceList.objects.filter(pk=1).update(default_voice=voice, default_language=language)
        audit.record(by, "set voice", "voices", voice=voice, language=language)


def refresh_soon(*, by: Person) -> None:
    """Have the pump fetch the list now."""
    now = timezone.now()
    VoiceList.the(now)
    VoiceList.objects.filter(pk=1).update(due_at=now)
    audit.record(by, "refresh voices", "voices")
