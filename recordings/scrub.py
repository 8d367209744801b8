"""Are the stored files still what they were? A thirtieth of them each night, or all on demand.

    oldest check -> read it again -> SHA-256 and size fit: checked_at
                                  -> they do not, or it is gone: corrupt, not played, audit row
    corrupt      -> whole again?  -> stored
                 -> Telnyx still has it? -> fetched again

Content that several recordings share is read once, and what is found holds for all of them.
"""

import hashlib
import logging
import math
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from access.audit import record
from calls import projection
from calls.line import telnyx
from calls.telnyx.errors import TelnyxError
from recordings import fetch, storage, telling
from recordings.models import Recording, RecordingQuerySet, State

logger = logging.getLogger(__name__)

NIGHTS = 30  # in which every file is read once
HOURS = range(
    1, 6
)  # of the desk's time zone; our choice: when fewest calls are recorded and heard
ROUND_S = 5.0  # of the pump, every ten seconds: other lanes and the disk have their turn
BYTES_PER_S = 32 << 20  # our choice: a fraction of what any disk can do; 250 GB a night
ASKED_FOR = datetime(1970, 1, 1, tzinfo=UTC)  # as checked_at: somebody wants it checked now
ASK_AGAIN = timedelta(hours=1)


def due(*, now: datetime | None = None) -> int:
    """Check what was asked for; at night also the share of the night. Return how many files."""
    now = now or timezone.now()
    ends = time.monotonic() + ROUND_S
    done = sum(1 for _ in _until(ends, asked_for()))
    if timezone.localtime(now).hour in HOURS and (left := _left_tonight(now)):
        done += sum(1 for _ in _until(ends, _slices(oldest(before=now), left)))
    return done + heal_due()


def _until(ends: float, files: Iterable[Recording]) -> Iterator[Recording]:
    """Check files until the time is over or the storage cannot be used."""
    for recording in files:
        if time.monotonic() > ends:
            return
        try:
            check(recording)
        except storage.Trouble as exc:
            logger.warning("files are checked later: %s", exc)
            return
        yield recording


def _slices(files: Iterable[Recording], most: int) -> Iterator[Recording]:
    for _, recording in zip(range(most), files, strict=False):
        yield recording


def _left_tonight(now: datetime) -> int:
    """Return how many files the night still has to check."""
    here = timezone.localtime(now)
    began = here.replace(hour=HOURS.start, minute=0, second=0, microsecond=0)
    checked = _stored().filter(checked_at__gte=began).count()
    return max(0, share(here.date()) - checked)


@lru_cache(maxsize=2)
def share(night: date) -> int:
    """Return how many files a night checks; counted once a night."""
    return math.ceil(_stored().count() / NIGHTS)


def _stored() -> RecordingQuerySet:
    return Recording.objects.filter(state=State.STORED)


def asked_for() -> Iterator[Recording]:
    """Yield the files that somebody wants checked now."""
    while found := _stored().filter(checked_at=ASKED_FOR).order_by("checked_at").first():
        yield found


def oldest(*, before: datetime) -> Iterator[Recording]:
    """Yield the files not checked since a moment, those never checked first."""
    while found := [
        *_stored().filter(checked_at=None).order_by()[:1],
        *_stored().filter(checked_at__lt=before).order_by("checked_at")[:1],
    ]:
        yield found[0]


def ask_for(recordings: Iterable[Recording]) -> int:
    """Let files be checked soon, at whatever hour; return how many."""
    keys = [recording.pk for recording in recordings]
    return _stored().filter(pk__in=keys).update(checked_at=ASKED_FOR)


def check(recording: Recording, *, bytes_per_s: float = BYTES_PER_S) -> str:
    """Read a file again and write down what is found; return what is wrong with it, or "".

    Raises storage.Trouble when it cannot be read now; then nothing is said of it.
    """
    now = timezone.now()
    wrong = fault_of(recording, bytes_per_s=bytes_per_s)
    same = _stored().filter(sha256=recording.sha256, path=recording.path)
    if not wrong:
        same.update(checked_at=now)
        return ""
    for each in same.select_related("call"):
        _spoil(each, wrong, now)
    return wrong


def fault_of(recording: Recording, *, bytes_per_s: float = BYTES_PER_S) -> str:
    """Return what is wrong with the stored file of a recording, "" if it is unharmed."""
    digest, size = hashlib.sha256(), 0
    began = time.monotonic()
    try:
        for block in storage.blocks(recording.path):
            digest.update(block)
            size += len(block)
            time.sleep(max(0.0, began + size / bytes_per_s - time.monotonic()))
    except FileNotFoundError:
        return "The file is gone."
    except OSError as exc:
        return f"The file cannot be read: {exc.strerror or exc}."
    except ValueError:
        return f"{recording.path[:60]!r} is no name of a stored file."
    if size != recording.size_bytes:
        return f"The file has {size:,} bytes; it had {recording.size_bytes or 0:,}."
    if digest.hexdigest() != recording.sha256:
        return "The file has other bytes than when it was stored (SHA-256)."
    return ""


def _spoil(recording: Recording, wrong: str, now: datetime) -> None:
    """Stop a recording from being played, say why, and see next whether it can be mended."""
    with transaction.atomic():
        projection.touch(recording.call)
        found = Recording.objects.filter(
            pk=recording.pk, state=State.STORED, path=recording.path
        ).change(state=State.CORRUPT, since=now, reason=wrong, due_at=now)
        if not found:  # erased or stored anew meanwhile
            transaction.set_rollback(True)
            return
        record(None, "find damaged", recording.subject, why=wrong, sha256=recording.sha256)
        telling.tell(recording, State.CORRUPT, wrong)
    logger.error("recording %s is damaged: %s", recording.pk, wrong)


def heal_soon(recording: Recording) -> None:
    """Let a damaged recording be mended, if it can be by now."""
    Recording.objects.filter(pk=recording.pk, state=State.CORRUPT).change(due_at=timezone.now())


def heal_due() -> int:
    """Mend damaged recordings that are due: whole again, or fetched again; return how many."""
    now = timezone.now()
    damaged = Recording.objects.filter(state=State.CORRUPT, due_at__lte=now)
    healed = 0
    for recording in damaged.select_related("call").order_by("due_at")[:20]:
        mine = damaged.filter(pk=recording.pk, due_at=recording.due_at)
        if mine.update(due_at=now + ASK_AGAIN):
            healed += _heal(recording)
    return healed


def _heal(recording: Recording) -> bool:
    """Say whether a damaged recording is whole again, or on its way."""
    try:
        if not fault_of(recording):
            return _restore(recording)
    except storage.Trouble:
        return False
    why_not = _why_not_at_telnyx(recording)
    if why_not is None:
        record(None, "fetch again", recording.subject, why=recording.reason)
        return bool(fetch.again([recording]))
    if why_not:
        wrong = recording.reason.partition(" Telnyx")[0]
        Recording.objects.filter(pk=recording.pk, state=State.CORRUPT).change(
            reason=f"{wrong} {why_not}", due_at=None
        )
    return False


def _restore(recording: Recording) -> bool:
    """Let a file be played that is whole again: from a backup, or fetched for another row."""
    now = timezone.now()
    with transaction.atomic():
        projection.touch(recording.call)
        restored = Recording.objects.filter(pk=recording.pk, state=State.CORRUPT).change(
            state=State.STORED, since=now, reason="", due_at=None, checked_at=now
        )
        if restored:
            record(None, "find whole again", recording.subject, sha256=recording.sha256)
    return bool(restored)


def _why_not_at_telnyx(recording: Recording) -> str | None:
    """Return why Telnyx cannot give a file again; None if it can, "" if it cannot be asked now."""
    if not recording.recording_id:
        return "Telnyx never named this recording, so it cannot be asked for it."
    if not settings.TELNYX_API_KEY:
        return ""
    try:
        telnyx().recording(recording.recording_id)
    except TelnyxError as exc:
        return "Telnyx has no copy any more." if exc.not_found else ""
    return None
