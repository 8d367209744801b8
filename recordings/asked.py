"""What was asked of Telnyx: whether a recording is to be written down, and in which language.

Telnyx tells a recording and a text without saying what asked for them; our commands know.
"""

from dataclasses import dataclass

from django.db.models import QuerySet

from calls.models import Call, Command, Kind
from recordings.models import Recording

TELNYX_LANGUAGE = "en-US"  # what Telnyx takes when nothing is said
UNTOLD = "auto_detect"
SITE_LANGUAGE = "en"  # taken where nobody told one; the page says so


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether a text was asked for; `language` is "" where nobody told one."""

    text: bool
    language: str


def of(recording: Recording) -> Wanted | None:
    """Return what was asked for at the start of a recording; None if that was not ours.

    Starts and recordings of a call are told apart by their order: their clocks differ.
    """
    starts = list(_applied(recording.call, Kind.RECORD_START).order_by("requested_at", "pk"))
    if not starts:
        return None
    files = list(
        Recording.objects.filter(call=recording.call_id)
        .order_by("started_at", "pk")
        .values_list("pk", flat=True)
    )
    same = len(files) == len(starts) and recording.pk in files
    params = starts[files.index(recording.pk) if same else -1].params
    language = str(params.get("transcription_language") or TELNYX_LANGUAGE)[:16]
    is_wanted = params.get("transcription") is True
    return Wanted(is_wanted, language if is_wanted and language != UNTOLD else "")


def language_of_captions(call: Call) -> str:
    """Return the language in which captions were asked for; "" if nobody told one."""
    kinds = (Kind.TRANSCRIPTION_START, Kind.DIAL, Kind.ANSWER)
    for command in _applied(call, *kinds).order_by("-requested_at", "-pk"):
        params = command.params.get("transcription_config") or command.params
        config = params.get("transcription_engine_config") if isinstance(params, dict) else None
        language = config.get("language") if isinstance(config, dict) else None
        if isinstance(language, str) and language != UNTOLD:
            return language[:16]
    return ""


def _applied(call: Call, *kinds: Kind) -> QuerySet[Command]:
    states = [*Command.APPLIED, Command.State.UNKNOWN]
    return Command.objects.filter(call=call, kind__in=kinds, state__in=states)
