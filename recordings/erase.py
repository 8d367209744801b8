"""Erase recordings: for everybody at once, then our file, then Telnyx's copy. Rows are the queue.

    request -> deleted (audited) -> claim -> our file -> Telnyx's copy -> the answers on the row

The same sound may be the file of several recordings. Who stores it writes its checksum on a row
first and then looks for an erasure under way; who erases it says so on a row first and then looks
for others with the checksum. So one of two sees the other, and no file is lost to either.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from access.audit import record
from calls import projection, wishes
from calls.line import telnyx
from calls.telnyx.errors import TelnyxError
from recordings import links, storage
from recordings.download import Unusable
from recordings.links import Gone
from recordings.models import Recording, RecordingQuerySet, State

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
BACKOFF_S = (5, 20, 60, 300, 1800, 3600)  # the last one again and again: it must go some day
MISSING_AFTER = 6  # failures: Telnyx's list may lag behind its webhooks
LONGEST_REASON = 200
KEEPS_FILE = (State.FETCHING, State.STORED, State.CORRUPT)

DELETED_THERE = "Telnyx deleted its copy"
GONE_THERE = "Telnyx had no copy any more"


def request(recordings: Iterable[Recording], by: User, reason: str) -> int:
    """Delete recordings in a person's name; return how many were still there.

    Nothing of them is served from now on; ring the media lane afterwards. Raises ValueError for a
    reason that is none.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise ValueError("A deletion needs a reason.")
    if len(reason) > LONGEST_REASON:
        raise ValueError(f"The reason has {len(reason)} characters, the limit {LONGEST_REASON}.")
    return sum(_request(recording, by, reason) for recording in recordings)


def _request(recording: Recording, by: User, reason: str) -> bool:
    now = timezone.now()
    # a download that runs may still write its file: what it wrote is erased when its lease ends
    due = Case(When(state=State.FETCHING, then=F("due_at")), default=Value(now))
    with transaction.atomic():
        projection.touch(recording.call)  # before the recording, as everybody does
        record(by, "delete", recording.subject, reason=reason, sha256=recording.sha256)
        moved = (
            Recording.objects.filter(pk=recording.pk)
            .exclude(state=State.DELETED)
            .change(
                state=State.DELETED,
                since=now,
                reason=reason,
                deleted_by=wishes.name(by)[:150],
                due_at=due,
                failures=0,
                urls={},
            )
        )
        if not moved:  # somebody else was first, and it is his deletion that the trail holds
            transaction.set_rollback(True)
    return bool(moved)


def revisit(recording: Recording) -> None:
    """Have a deleted recording's file looked for again: a download of it has only ended now."""
    Recording.objects.filter(pk=recording.pk, state=State.DELETED).change(
        erased_at=None, due_at=timezone.now()
    )


def is_erasing(sha256: str) -> bool:
    """Say whether a file with this content is about to be erased."""
    waiting = Recording.objects.filter(sha256=sha256, state=State.DELETED, erased_at=None)
    return waiting.exists()


def erase_due(*, overdue: timedelta = timedelta()) -> int:
    """Erase what is due (or overdue by so much); return how many were worked on."""
    done = 0
    while (recording := _claim(timezone.now() - overdue)) is not None:
        _erase(recording)
        done += 1
    return done


def _claim(due_before: datetime) -> Recording | None:
    due = Recording.objects.filter(state=State.DELETED, due_at__lte=due_before)
    for recording in due.select_related("call").order_by("due_at", "id")[:20]:
        taken = Recording.objects.filter(
            pk=recording.pk,
            state=State.DELETED,
            attempts=recording.attempts,
            due_at=recording.due_at,
        ).change(
            attempts=F("attempts") + 1,
            failures=F("failures") + 1,
            due_at=timezone.now() + LEASE,
        )
        if taken:
            recording.attempts += 1
            recording.failures += 1
            return recording
    return None


def _held(recording: Recording) -> RecordingQuerySet:
    return Recording.objects.filter(
        pk=recording.pk, state=State.DELETED, attempts=recording.attempts
    )


def _erase(recording: Recording) -> None:
    """Do what is left of one erasure, and write down what came of it."""
    try:
        if recording.erased_at is None:
            _erase_file(recording)
        if recording.provider_erased_at is None:
            _erase_copy(recording)
        _finish(recording)
    except (TelnyxError, Unusable, Gone, storage.Trouble) as exc:
        _try_later(recording, str(exc))
    except OperationalError as exc:  # the database is busy or gone: the lease ends by itself
        logger.warning("erasure of %s waits for the database: %s", recording.pk, exc)
    except Exception as exc:  # a row must outlive whatever goes wrong
        logger.exception("erasure of %s: %s", recording.pk, exc)
        _try_later(recording, f"{type(exc).__name__}: {exc}"[:500])


def _finish(recording: Recording) -> None:
    """End an erasure; one that was revisited meanwhile goes on at once."""
    over = _held(recording).filter(erased_at__isnull=False, provider_erased_at__isnull=False)
    if not over.change(due_at=None, failures=0):
        _held(recording).update(due_at=timezone.now())


def _erase_file(recording: Recording) -> None:
    shared = is_shared(recording)
    if recording.sha256 and not shared:
        for name in {recording.path, storage.content_name(recording.sha256, "dat")} - {""}:
            storage.delete(name)
    _tell(
        recording,
        "erase file",
        {"sha256": recording.sha256, "is_shared": shared},
        erased_at=timezone.now(),
    )


def is_shared(recording: Recording) -> bool:
    """Say whether the file is another recording's as well, and therefore stays."""
    same = Recording.objects.filter(sha256=recording.sha256, state__in=KEEPS_FILE)
    return bool(recording.sha256) and same.exclude(pk=recording.pk).exists()


def _erase_copy(recording: Recording) -> None:
    """Delete Telnyx's copy. Raises TelnyxError, Gone or Unusable where that has to wait."""
    if not settings.TELNYX_API_KEY:
        raise Unusable("No Telnyx API key is set, so Telnyx cannot be asked.")
    try:
        key = recording.recording_id or links.find(recording).recording_id
    except Gone:
        if recording.failures < MISSING_AFTER:
            raise
        key = ""
    was_there = bool(key) and telnyx().delete_recording(key)
    answer = DELETED_THERE if was_there else GONE_THERE
    _tell(
        recording,
        "erase at Telnyx",
        {"recording_id": key, "answer": answer},
        provider_erased_at=timezone.now(),
        erasure_answer=answer,
    )


def _tell(recording: Recording, verb: str, details: dict[str, object], **changes: object) -> None:
    """Write down one step: on the row, and in the audit trail."""
    with transaction.atomic():
        if _held(recording).change(**changes):
            record(None, verb, recording.subject, **details)


def _try_later(recording: Recording, reason: str) -> None:
    wait_s = BACKOFF_S[min(recording.failures, len(BACKOFF_S)) - 1]
    _held(recording).change(
        erasure_answer=reason,
        due_at=timezone.now() + timedelta(seconds=wait_s),
        failures=recording.failures,
    )
    logger.warning("erasure of %s goes on later: %s", recording.pk, reason)
