"""A text that Telnyx made and that never reached us: it is asked for, on somebody's request."""

from django.db import transaction
from django.utils import timezone

from calls.line import telnyx
from recordings import claims
from recordings.models import Recording, Transcript
from recordings.search.index import index

Timing, Source = Transcript.Timing, Transcript.Source


def inquire(recording: Recording) -> bool:
    """Queue the question to Telnyx for a text that never came; return False if it is here."""
    here = recording.transcripts.exclude(text="").filter(source=Source.TELNYX)
    if not recording.recording_id or here.exists():
        return False
    now = timezone.now()
    asked: dict[str, object] = {
        "recording": recording,
        "status": Transcript.MISSED,
        "timing": Timing.DUE,
        "timing_since": now,
        "timing_reason": "",
        "due_at": now,
        "failures": 0,
    }
    Transcript.objects.update_or_create(
        call=recording.call,
        recording_key=recording.recording_id,
        recording_transcription_id="",
        source=Source.TELNYX,
        defaults=asked,
        create_defaults=asked | {"told_at": now},
    )
    return True


def is_told(transcript: Transcript, recording: Recording) -> bool:
    """Ask Telnyx for a text that never came; return False if there is none, or it came."""
    told = telnyx().recording_transcriptions(recording_id=recording.recording_id)
    found = next((row for row in told if row.text), None)
    if found is None:
        return claims.leave(transcript, Timing.UNTIMED, f"Telnyx has none, asked {_clock()}.")
    text_id, now = found.recording_transcription_id, timezone.now()
    told_anew = {"text": found.text, "status": found.status, "told_at": now}
    known = Transcript.objects.filter(recording_transcription_id=text_id)
    with transaction.atomic():
        is_known = known.exists()
        if is_known:  # it was told, perhaps before it was finished
            claims.held(transcript).delete()
            known.filter(text="").update(timing=Timing.DUE, due_at=now, **told_anew)
        else:
            claims.keep(transcript, recording_transcription_id=text_id, **told_anew)
        recording.tell_transcripts()
        index(recording.pk)
    transcript.text, transcript.status = found.text, found.status
    return not is_known


def _clock() -> str:
    return f"{timezone.localtime():%-d %b %H:%M}"
