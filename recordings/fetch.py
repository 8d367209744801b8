"""Get the files Telnyx made, before their links die. The rows are the queue.

    claim -> link -> download to a draft -> verify -> claim content -> waveform -> publish
    -> one commit: stored

A claim is a lease: who loses it (a heartbeat finds out) leaves no trace. A crash costs a download
and nothing else: its draft goes when the file is there, and a file is named by its content.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from access.audit import record
from calls import audio, projection
from calls.models import Command, Kind
from calls.ring import ring
from calls.telnyx.errors import TelnyxError
from recordings import download, erase, links, proof, storage, telling, timing
from recordings.download import Expired, Refused, Unusable
from recordings.links import Gone, Lost
from recordings.models import FoundBy, Recording, State
from recordings.peaks import peaks
from recordings.search.index import index

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
BEAT_S = 30.0
BACKOFF_S = (5, 20, 60, 300, 1800, 3600)  # the last one again and again
GIVE_UP = timedelta(hours=24)
MOST_FAILURES = len(BACKOFF_S) + 24  # also counts attempts that their process did not survive
NO_ROOM = timedelta(minutes=1)
ERASING = timedelta(seconds=2)
MISSING_AFTER = 6  # failures: half an hour, should Telnyx's list lag behind its webhooks

IN_TURN = (  # an import of years keeps nobody else waiting
    (FoundBy.WEBHOOK, FoundBy.ASKING),
    (FoundBy.IMPORT,),
)

LACKING = (State.ANNOUNCED, State.WAITING_SPACE, State.FAILED, State.MISSING, State.CORRUPT)


class Erasing(Exception):
    """A file with the same content is being erased at this moment."""


@dataclass(frozen=True, slots=True)
class File:
    """A verified file under its final name."""

    name: str
    sha256: str
    size: int
    sound: audio.Audio
    peaks: str


def fetch_due(*, overdue: timedelta = timedelta()) -> int:
    """Fetch recordings until none is due (or none is overdue by so much); return how many."""
    done = 0
    while (recording := _claim(timezone.now() - overdue)) is not None:
        _fetch(recording)
        done += 1
    return done


def again(recordings: Iterable[Recording]) -> int:
    """Queue files that we lack as if they had just been announced; return how many."""
    now = timezone.now()
    keys = [recording.pk for recording in recordings]
    return Recording.objects.filter(pk__in=keys, state__in=LACKING).change(
        state=State.ANNOUNCED, since=now, announced_at=now, due_at=now, failures=0, reason=""
    )


def sweep() -> int:
    """Remove the drafts of dead fetchers; return how many."""
    try:
        return storage.sweep()
    except storage.Trouble as exc:
        logger.warning("the sweep goes on later: %s", exc)
        return 0


def _claim(due_before: datetime) -> Recording | None:
    """Take the recording that is due longest. The attempt is counted before anything can fail."""
    due = Recording.objects.filter(state__in=Recording.WANTED, due_at__lte=due_before)
    for found_by in IN_TURN:
        some = due.filter(found_by__in=found_by)
        for recording in some.select_related("call").order_by("due_at", "id")[:20]:
            if _is_ours(recording):
                return recording
    return None


def _is_ours(recording: Recording) -> bool:
    """Say whether the claim of a recording succeeds."""
    now, parties = timezone.now(), recording.parties_of_call()
    taken = Recording.objects.filter(
        pk=recording.pk,
        state__in=Recording.WANTED,  # it may have been deleted meanwhile
        attempts=recording.attempts,
        due_at=recording.due_at,
    ).change(
        state=State.FETCHING,
        since=now,
        attempts=F("attempts") + 1,
        failures=F("failures") + 1,
        due_at=now + LEASE,
        **parties,
    )
    if taken and parties:
        index(recording.pk)
    if taken:
        recording.attempts += 1
        recording.failures += 1
    return bool(taken)


def _fetch(recording: Recording) -> None:
    """Get one file and write down what came of it."""
    if recording.failures > MOST_FAILURES:  # nobody lived to write down why
        _move(recording, State.FAILED, "The process ended each time this file was fetched.")
        return
    try:
        _keep(recording, _get(recording))
        storage.discard(f"{recording.pk}.")  # of earlier attempts whose process was killed
    except Lost:
        logger.warning("recording %s is deleted, or somebody else fetches it", recording.pk)
        erase.revisit(recording)
    except Erasing as exc:
        recording.failures -= 1  # nobody's fault
        _move(recording, State.ANNOUNCED, str(exc), due_at=timezone.now() + ERASING)
    except storage.Trouble as exc:
        recording.failures -= 1  # nobody's fault, and no reason to give up one day
        _move(recording, State.WAITING_SPACE, str(exc), due_at=timezone.now() + NO_ROOM)
    except Refused as exc:
        _move(recording, State.FAILED, str(exc))
    except Gone as exc:
        final = State.MISSING if recording.failures >= MISSING_AFTER else None
        _try_later(recording, str(exc), final=final)
    except (Unusable, TelnyxError, audio.NotAudio) as exc:
        _try_later(recording, str(exc))
    except OperationalError as exc:  # the database is busy or gone: the lease ends by itself
        logger.warning("recording %s waits for the database: %s", recording.pk, exc)
    except Exception as exc:  # a row must outlive whatever its file does to us
        logger.exception("recording %s: %s", recording.pk, exc)
        _try_later(recording, f"{type(exc).__name__}: {exc}"[:500])


def _get(recording: Recording) -> File:
    """Download, verify, publish. A link that has died is replaced once."""
    beat = _heartbeat(recording)
    is_told = links.are_fresh(recording)
    if not is_told or not recording.recording_id:
        try:
            links.refresh(recording)
        except (TelnyxError, Gone, Unusable):
            if not is_told:  # else the webhook's link works without an id, for some minutes
                raise
    try:
        return _get_from(links.choose(recording), recording, beat)
    except Expired:
        links.refresh(recording)
        return _get_from(links.choose(recording), recording, beat)


def _heartbeat(recording: Recording) -> Callable[[], None]:
    """Return what to call often: it extends the lease now and then. Raises Lost."""
    next_at = monotonic() + BEAT_S

    def beat() -> None:
        nonlocal next_at
        if monotonic() >= next_at:
            next_at = monotonic() + BEAT_S
            if not Recording.objects.held(recording).update(due_at=timezone.now() + LEASE):
                raise Lost

    return beat


def _get_from(link: str, recording: Recording, beat: Callable[[], None]) -> File:
    with storage.draft(f"{recording.pk}.{recording.attempts}") as (part, file):
        body = download.stream(
            link,
            allow=settings.TELNYX_MEDIA_ALLOW,
            write=file.write,
            expect=lambda length: storage.check_room(length or 0),
            beat=beat,
        )
        file.flush()
        sound = _verified(part, recording, is_whole=body.length is not None)
        beat()
        name = storage.content_name(body.sha256, sound.format)
        _claim_content(recording, body.sha256, name)
        waveform = _publish_peaks(recording, part, sound, body.sha256)
        storage.publish(part, file, name, beat=beat)
    return File(name, body.sha256, body.size, sound, waveform)


def _claim_content(recording: Recording, sha256: str, name: str) -> None:
    """Say on the row which file this will be, before the file is there. Raises Lost or Erasing.

    Who erases a file with this content from now on sees that it is wanted; who began before is
    seen here.
    """
    if not Recording.objects.held(recording).update(sha256=sha256, path=name):
        raise Lost
    if erase.is_erasing(sha256):
        raise Erasing("A recording with the very same sound is being erased; it goes on then.")


def _verified(part: Path, recording: Recording, *, is_whole: bool) -> audio.Audio:
    """Return what the file holds. Raises NotAudio, or Unusable if it is not what was announced."""
    sound = audio.probe(part)
    if recording.format in ("wav", "mp3") and sound.format != recording.format:
        raise Unusable(f"Announced was {recording.format}, what came is {sound.format}.")
    told_ms, took_ms = recording.duration_ms, recording.took_ms
    if not is_whole and not sound.proves_length and told_ms is None:
        raise Unusable("Neither the store nor the file says how long it is.")
    heard_ms = sound.duration_ms
    shorter_ms, longer_ms = (told_ms or 0) - heard_ms, heard_ms - (told_ms or took_ms or heard_ms)
    if longer_ms > _tolerance_ms(heard_ms):
        raise Unusable(f"The file lasts {heard_ms / 1000:.1f} s, {longer_ms / 1000:.1f} too many.")
    if shorter_ms > _tolerance_ms(heard_ms) and not (is_whole and _was_paused(recording)):
        raise Unusable(f"The file lasts {heard_ms / 1000:.1f} s, {shorter_ms / 1000:.1f} too few.")
    return sound


def _tolerance_ms(length_ms: int) -> int:
    return max(2_000, length_ms // 50)


def _was_paused(recording: Recording) -> bool:
    """Say whether the file may lack what was said during a pause: Telnyx does not tell."""
    pauses = Command.objects.filter(call=recording.call, kind=Kind.RECORD_PAUSE)
    return pauses.filter(state__in=[*Command.APPLIED, Command.State.UNKNOWN]).exists()


def _publish_peaks(recording: Recording, part: Path, sound: audio.Audio, sha256: str) -> str:
    """Store the waveform beside the file; return its name, or "": the sound is what matters."""
    name = storage.content_name(sha256, "dat")
    try:
        dat = peaks(part, sound)
        with storage.draft(f"{recording.pk}.{recording.attempts}.peaks") as (draft, file):
            file.write(dat)
            storage.publish(draft, file, name)
    except storage.Trouble:
        raise
    except Exception as exc:  # whatever a decoder makes of odd bytes
        logger.exception("recording %s has no waveform: %s", recording.pk, exc)
        return ""
    return name


def _keep(recording: Recording, file: File) -> None:
    """Say that the file is ours: row, audit and page in one commit. Raises Lost."""
    now = timezone.now()
    recording.duration_ms = file.sound.duration_ms
    marks = proof.marks(recording)
    with transaction.atomic():
        projection.touch(recording.call)  # before the recording: so do events, hence no deadlock
        kept = Recording.objects.held(recording).change(
            state=State.STORED,
            since=now,
            reason="",
            due_at=None,
            failures=0,
            path=file.name,
            sha256=file.sha256,
            size_bytes=file.size,
            format=file.sound.format,
            channels=file.sound.channels,
            duration_ms=file.sound.duration_ms,
            peaks=file.peaks,
            checked_at=now,
            urls={},
            **marks,
        )
        if not kept:
            raise Lost
        record(None, "store", recording.subject, sha256=file.sha256, size_bytes=file.size)
        timing.ask_for(recording)
        telling.tell(recording, State.STORED)
        transaction.on_commit(partial(ring, "texts"))
    logger.info("recording %s stored, %d bytes", recording.pk, file.size)


def _move(
    recording: Recording, state: str, reason: str, *, due_at: datetime | None = None
) -> None:
    """Leave a recording that is still ours in another state."""
    with transaction.atomic():
        projection.touch(recording.call)
        if not Recording.objects.held(recording).change(
            state=state,
            since=timezone.now(),
            reason=reason,
            due_at=due_at,
            failures=recording.failures,
        ):
            transaction.set_rollback(True)
        else:
            telling.tell(recording, state, reason)
    logger.warning("recording %s is %s: %s", recording.pk, state, reason)


def _try_later(recording: Recording, reason: str, *, final: str | None = None) -> None:
    """Plan the next attempt; after a day, or at once with `final`, give up."""
    now = timezone.now()
    wait_s = BACKOFF_S[min(recording.failures, len(BACKOFF_S)) - 1]
    next_at = now + timedelta(seconds=wait_s)
    is_over = next_at > recording.announced_at + GIVE_UP or recording.failures >= MOST_FAILURES
    if final or is_over:
        _move(recording, final or State.FAILED, reason)
    else:
        _move(recording, State.ANNOUNCED, reason, due_at=next_at)
