"""Which link to fetch a recording by: Telnyx's latest, and only minutes old.

No link is ever the recording: each is signed for ten minutes, then Telnyx is asked for another.
"""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from calls.line import telnyx
from calls.telnyx.errors import TelnyxError
from calls.telnyx.readings import RecordingRow
from recordings import download
from recordings.download import Refused, Unusable
from recordings.models import Recording, numbers
from recordings.search.index import index

LINK_LIFE = timedelta(minutes=8)  # Telnyx signs them for ten
SAME_START = timedelta(seconds=2)  # where no webhook named the recording's id


class Gone(Exception):
    """Telnyx does not know the recording."""


class Lost(Exception):
    """Somebody else has the recording by now."""


def are_fresh(recording: Recording) -> bool:
    """Say whether the links a webhook told are worth a try: young, and not tried in vain."""
    return bool(
        recording.urls
        and recording.urls_at is not None
        and timezone.now() - recording.urls_at < LINK_LIFE
        and recording.failures <= 1
    )


def choose(recording: Recording) -> str:
    """Choose one of the links: the announced format's, else any."""
    links = {kind: link for kind, link in recording.urls.items() if isinstance(link, str)}
    link = links.get(recording.format) or next(iter(links.values()), "")
    if not link:
        raise Unusable("Telnyx names the recording, but no link to its file.")
    if not download.is_web(link):
        raise Refused(f"The file is kept in your own bucket: {link.partition('?')[0][:200]}")
    return link


def refresh(recording: Recording) -> None:
    """Ask Telnyx for a fresh link, and for the id if no webhook told it. Raises Gone."""
    if not settings.TELNYX_API_KEY:
        raise Unusable("A fresh link is needed, and no Telnyx API key is set.")
    row = find(recording)
    changes: dict[str, object] = {
        "recording_id": row.recording_id,
        "urls": row.urls,
        "urls_at": timezone.now(),
        "duration_ms": row.duration_ms or recording.duration_ms,
    }
    if not recording.from_number:
        changes |= numbers(row.from_number, row.to_number)
    for name, value in changes.items():
        setattr(recording, name, value)
    try:
        with transaction.atomic():
            if not Recording.objects.held(recording).change(**changes):
                raise Lost
            recording.attach_transcripts()
            index(recording.pk)
    except IntegrityError as exc:
        raise Refused(
            f"Telnyx's recording {row.recording_id} is kept already, as another entry."
        ) from exc


def find(recording: Recording) -> RecordingRow:
    """Ask Telnyx for its row of a recording: by id, else by its start. Raises Gone."""
    if recording.recording_id:
        try:
            return telnyx().recording(recording.recording_id)
        except TelnyxError as exc:
            if not exc.not_found:
                raise
            raise Gone("Telnyx does not know the recording any more.") from exc
    rows = list(telnyx().recordings(call_leg_id=recording.call.call_leg_id))
    ids = [row.recording_id for row in rows]
    kept = set(
        Recording.objects.filter(recording_id__in=ids).values_list("recording_id", flat=True)
    )
    free = [row for row in rows if row.recording_id not in kept]
    near = [row for row in free if _distance(row, recording) <= SAME_START]
    if not near and recording.start_inferred and len(free) == 1:
        return free[0]
    if not near:
        raise Gone(f"Telnyx lists {len(rows)} recordings of this call, and none of that time.")
    return min(near, key=lambda row: _distance(row, recording))


def _distance(row: RecordingRow, recording: Recording) -> timedelta:
    return abs(row.started_at - recording.started_at) if row.started_at else timedelta.max
