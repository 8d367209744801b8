"""The library: a file comes in, goes to Telnyx under a name of its own, and is kept alive there.

    add -> uploading --POST /media--> ready --each day: PUT ttl_secs--> ready
                            |                 \\-- 404: gone at Telnyx --> uploading
                            \\-> failed (a no; "Try again" -> uploading)
    delete -> deleting --DELETE /media--> no row, no file

The row is the queue. A try is claimed with a lease and fenced by its number; what Telnyx is asked
twice does no harm, for a name holds one file. Files are written before rows and outlive them.
"""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from access import audit
from calls.line import telnyx
from calls.models import MediaFile
from calls.sounds import store
from calls.sounds.convert import prepare
from calls.telnyx.errors import Rejected, Unavailable
from calls.telnyx.readings import Media

State = MediaFile.State
Person = AbstractBaseUser | AnonymousUser

LIFE = timedelta(days=30)  # at Telnyx, counted anew each day: a desk that is gone leaves nothing
RENEW_EVERY = timedelta(days=1)
SHORTEST_LEFT = timedelta(days=15)  # after a renewal; with less it is uploaded again
LEASE = timedelta(seconds=150)  # Telnyx has 62 s to take an upload, and as long to answer it
ORPHANED = timedelta(hours=1)  # a row is written within seconds of its file
BACKOFF = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 3600))
PREFIX, SUFFIX = "tapeline-", 12
TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}


class NameTaken(Exception):
    """Another sound has this name."""


def add(upload: Path, *, name: str, origin: str, by: Person) -> MediaFile:
    """Check, convert and keep a file; it goes to Telnyx from there.

    Raises Unfit for what is no sound for calls, NameTaken, and Trouble if it cannot be stored.
    """
    key = uuid.uuid4()
    now = timezone.now()
    with store.drafts(1) as (draft,):
        prepared = prepare(upload, draft)
        content = draft.read_bytes()
        path = f"{store.FOLDER}/{key}.{prepared.format}"
        if is_taken(name):
            raise NameTaken
        store.publish(draft, path)
    row = MediaFile(
        id=key,
        name=name,
        media_name=media_name(name, key),
        path=path,
        format=prepared.format,
        size_bytes=len(content),
        duration_ms=prepared.duration_ms,
        sha256=hashlib.sha256(content).hexdigest(),
        origin=origin[:255],
        treatment=prepared.treatment,
        added_by_id=by.pk,
        since=now,
        due_at=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            audit.record(by, "add sound", row.subject, name=name, sha256=row.sha256)
    except IntegrityError as exc:
        store.delete(path)
        raise NameTaken from exc
    return row


def media_name(name: str, key: uuid.UUID) -> str:
    """Return the name that Telnyx is to know a sound by: people may read it in a webhook."""
    return f"{PREFIX}{slugify(name)[:48] or 'sound'}-{key.hex[:SUFFIX]}"


def is_taken(name: str) -> bool:
    """Say whether a sound of the library has this name, however it is written."""
    others = MediaFile.objects.exclude(state=State.DELETING).filter(name__iexact=name)
    return others.exists()


def rename(row: MediaFile, name: str, *, by: Person) -> None:
    """Give a sound another name for people; Telnyx's stays. Raises NameTaken."""
    try:
        with transaction.atomic():
            MediaFile.objects.filter(pk=row.pk).exclude(state=State.DELETING).update(name=name)
            audit.record(by, "rename sound", row.subject, before=row.name, after=name)
    except IntegrityError as exc:
        raise NameTaken from exc


def delete(row: MediaFile, *, by: Person) -> bool:
    """Delete a sound here and at Telnyx; says whether it was still there to delete.

    A try that is under way ends first: its upload must not come after our deletion.
    """
    now = timezone.now()
    with transaction.atomic():
        held = MediaFile.objects.select_for_update().filter(pk=row.pk).first()
        if held is None or held.state == State.DELETING:
            return False
        is_at_work = held.state != State.FAILED and held.attempts and _leased(held, now)
        MediaFile.objects.filter(pk=row.pk).update(
            state=State.DELETING,
            since=now,
            due_at=held.due_at if is_at_work else now,
            failures=0,
            error="",
        )
        audit.record(by, "delete sound", row.subject, name=row.name)
    return True


def _leased(row: MediaFile, now: datetime) -> bool:
    return row.due_at is not None and now < row.due_at <= now + LEASE


def retry(row: MediaFile, *, by: Person) -> bool:
    """Have a refused sound, or one that waits for its next try, sent now."""
    now = timezone.now()
    waiting = MediaFile.objects.filter(pk=row.pk, failures__gt=0).exclude(state=State.DELETING)
    state = State.READY if row.state == State.READY else State.UPLOADING
    moved = waiting.update(state=state, since=now, due_at=now, error="")
    if moved:
        audit.record(by, "retry sound", row.subject)
    return bool(moved)


def why(row: MediaFile) -> str:
    """Return why a sound cannot be played now, and what will come of it."""
    if row.state == State.FAILED:
        return f"{row.error} Press “Try again” in the library once that is mended."
    if row.state == State.DELETING:
        return "It is being deleted."
    if row.state == State.READY and row.is_expired():
        return f"Telnyx has dropped it, and it could not be renewed. {row.error}"
    if row.failures:
        return f"It is not at Telnyx yet: {row.error} The desk tries again by itself."
    return "It is on its way to Telnyx, which takes some seconds."


def gone(media_names: Iterable[str]) -> int:
    """Upload files again that Telnyx turned out not to have; return how many are ours."""
    now = timezone.now()
    ours = MediaFile.objects.filter(media_name__in=list(media_names), state=State.READY)
    return ours.update(
        state=State.UPLOADING, since=now, due_at=now, error="Telnyx did not find it on a call."
    )


def keep_due(*, overdue: timedelta = timedelta()) -> int:
    """Upload, renew and delete until nothing is due; return how much was done.

    New files are left alone until they are overdue by so much.
    """
    done = 0
    while (row := _next(overdue)) is not None:
        if _claim(row):
            _work(row)
            done += 1
    return done


def sweep() -> int:
    """Remove files whose row was never written, for their writer died; return how many."""
    known = set(MediaFile.objects.values_list("path", flat=True))
    orphans = [name for name in store.names(older_than=ORPHANED) if name not in known]
    for name in orphans:
        store.delete(name)
    return len(orphans)


def _next(overdue: timedelta) -> MediaFile | None:
    now = timezone.now()
    due = MediaFile.objects.filter(due_at__lte=now)
    return due.exclude(attempts=0, due_at__gt=now - overdue).order_by("due_at", "pk").first()


def _claim(row: MediaFile) -> bool:
    taken = MediaFile.objects.filter(
        pk=row.pk, state=row.state, attempts=row.attempts, due_at=row.due_at
    ).update(attempts=row.attempts + 1, due_at=timezone.now() + LEASE)
    row.attempts += 1
    return bool(taken)


def _work(row: MediaFile) -> None:
    """Do what a row's state asks for, and write down what came of it."""
    try:
        if not settings.TELNYX_API_KEY:
            raise Rejected("No Telnyx API key is set: set TELNYX_API_KEY and restart.")
        if row.state == State.DELETING:
            _remove(row)
        elif row.state == State.READY:
            _renew(row)
        else:
            _upload(row)
    except Rejected as exc:
        _refused(row, exc)
    except (Unavailable, store.Trouble, ValueError) as exc:
        _later(row, str(exc))


def _upload(row: MediaFile) -> None:
    """Send the file, unless an earlier try that nobody answered has brought it there."""
    if row.attempts > 1 and (kept := _alive(row)) is not None:
        _ready(row, kept.expires_at)
        return
    _send(row)


def _send(row: MediaFile) -> None:
    content = store.read(row.path)
    kept = telnyx().upload_media(
        row.media_name,
        content,
        content_type=TYPES[row.format],
        ttl_s=round(LIFE.total_seconds()),
    )
    _ready(row, kept.expires_at)


def _renew(row: MediaFile) -> None:
    """Let it live on; a file that Telnyx no longer has, or will drop soon, is sent again."""
    kept = _alive(row)
    if kept is None:
        now = timezone.now()
        _settle(row, state=State.UPLOADING, since=now, due_at=now, error="Telnyx had lost it.")
    elif kept.expires_at is not None and kept.expires_at < timezone.now() + SHORTEST_LEFT:
        telnyx().delete_media(row.media_name)
        _send(row)
    else:
        _ready(row, kept.expires_at)


def _alive(row: MediaFile) -> Media | None:
    """Have Telnyx count a file's life anew; None if it has no such file."""
    try:
        return telnyx().renew_media(row.media_name, ttl_s=round(LIFE.total_seconds()))
    except Rejected as exc:
        if not exc.not_found:
            raise
        return None


def _ready(row: MediaFile, expires_at: datetime | None) -> None:
    now = timezone.now()
    _settle(
        row,
        state=State.READY,
        since=row.since if row.state == State.READY else now,
        due_at=now + RENEW_EVERY,
        expires_at=expires_at or now + LIFE,
        failures=0,
        error="",
    )


def _remove(row: MediaFile) -> None:
    telnyx().delete_media(row.media_name)
    store.delete(row.path)
    MediaFile.objects.filter(pk=row.pk, state=State.DELETING).delete()


def _refused(row: MediaFile, exc: Rejected) -> None:
    """Stop after a no; what Telnyx already holds, or must drop, is asked for again later."""
    if row.state == State.UPLOADING:
        _settle(
            row,
            state=State.FAILED,
            since=timezone.now(),
            due_at=None,
            error=str(exc),
            failures=row.failures + 1,
        )
    else:
        _later(row, str(exc))


def _later(row: MediaFile, why: str) -> None:
    wait = BACKOFF[min(row.failures, len(BACKOFF) - 1)]
    _settle(row, due_at=timezone.now() + wait, error=why, failures=row.failures + 1)


def _settle(row: MediaFile, **changes: object) -> bool:
    """Write an outcome, unless a later try or a deletion has overtaken it."""
    mine = MediaFile.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts)
    return bool(mine.update(**changes))
