"""ZIPs that are made in the background. The rows are the queue.

    request -> claim -> every file, verified, into a draft -> publish -> one update: ready
    ready -> three days -> removed

A claim is a lease: who loses it (a heartbeat finds out) leaves no trace. A crash costs the work so
far and nothing else: the next attempt makes the ZIP again from the beginning.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import OperationalError
from django.db.models import Count, F, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from access.policies import Right, may
from recordings import filters, listing, storage
from recordings.bundle import Bundle
from recordings.models import Export, Recording

logger = logging.getLogger(__name__)

Person = AbstractBaseUser | AnonymousUser
State = Export.State

MOST = 10_000  # recordings in one ZIP: what a person can still do something with
MOST_WAITING = 3  # of one person: the disk is everybody's
KEPT = timedelta(days=3)  # our choice: over a weekend
LEASE = timedelta(seconds=60)
BEAT_S = 2.0
BACKOFF_S = 30
MOST_ATTEMPTS = 8
ORPHANED_S = 3600.0
STEP = 500
FOLDER = "exports"


class Refused(Exception):
    """No export can be asked for; the text says why."""


class Lost(Exception):
    """Somebody else makes it by now, or its owner does not want it any more."""


def request(owner: Person, *, query: str = "", chosen: list[UUID] | None = None) -> Export:
    """Ask for a ZIP of all that match a query, or of these recordings. Raises Refused."""
    if Export.objects.filter(owner=owner.pk, state__in=Export.WANTED).count() >= MOST_WAITING:
        raise Refused(f"{MOST_WAITING} exports of yours are still being made: wait for one.")
    now = timezone.now()
    return Export.objects.create(
        owner_id=cast("int", owner.pk),  # who asks is signed in
        query=query,
        chosen=[str(key) for key in chosen or []],
        total=len(chosen or []),
        requested_at=now,
        due_at=now,
    )


def mine(user: Person) -> QuerySet[Export]:
    """Return a person's exports, newest first, without their long lists of what is in them."""
    return Export.objects.filter(owner=user.pk).defer("chosen")


def told(user: Person) -> dict[str, int]:
    """Return how many exports of a person are in the making, and how many are news to them."""
    is_wanted = Q(state__in=Export.WANTED)
    is_news = Q(state__in=(State.READY, State.FAILED), seen_at=None)
    counted: dict[str, int] = Export.objects.filter(owner=user.pk).aggregate(
        waiting=Count("pk", filter=is_wanted),
        ready=Count("pk", filter=is_news & Q(state=State.READY)),
        failed=Count("pk", filter=is_news & Q(state=State.FAILED)),
    )
    return counted


def remove(export: Export) -> None:
    """Forget an export and its file; whoever makes it finds out. Raises storage.Trouble."""
    storage.delete(export.path)
    export.delete()


def make_due(*, overdue: timedelta = timedelta()) -> int:
    """Make exports until none is due (or none is overdue by so much); return how many."""
    done = 0
    while (export := _claim(timezone.now() - overdue)) is not None:
        _make(export)
        done += 1
    return done


def sweep() -> int:
    """Remove ZIPs that are old or hold what was deleted, and unknown files; return how many."""
    removed = 0
    old = timezone.now() - KEPT
    for export in Export.objects.filter(state=State.EXPIRED).exclude(path=""):
        _clear(export)
    for export in Export.objects.filter(state=State.READY):
        if export.ready_at is not None and export.ready_at < old:
            _expire(export, "Its days were over.")
            removed += 1
        elif not is_allowed(export):
            removed += 1
    limit = timezone.now().timestamp() - ORPHANED_S
    for file in Path(settings.MEDIA_ROOT, FOLDER).glob("*.zip"):
        name = f"{FOLDER}/{file.name}"
        if file.stat().st_mtime < limit and not Export.objects.filter(path=name).exists():
            storage.delete(name)
            removed += 1
    return removed


def is_allowed(export: Export) -> bool:
    """Say whether a ZIP that is ready may be served; one that holds a deleted recording goes."""
    for start in range(0, len(export.chosen), STEP):
        some = export.chosen[start : start + STEP]
        if Recording.objects.filter(pk__in=some, state=Recording.State.DELETED).exists():
            _expire(export, "A recording in it was deleted since: ask for another ZIP.")
            return False
    return True


def _expire(export: Export, reason: str) -> None:
    Export.objects.filter(pk=export.pk).update(state=State.EXPIRED, reason=reason)
    _clear(export)


def _clear(export: Export) -> None:
    """Remove the file of an export; where the storage cannot be used, the sweep tries again."""
    try:
        storage.delete(export.path)
    except storage.Trouble as exc:
        logger.warning("the file of export %s is still there: %s", export.pk, exc)
    else:
        Export.objects.filter(pk=export.pk).update(path="")


def _claim(due_before: datetime) -> Export | None:
    """Take the export that is due longest, unless one is in the making: files come first."""
    now = timezone.now()
    if Export.objects.filter(state=State.WORKING, due_at__gt=now).exists():
        return None
    due = Export.objects.filter(state__in=Export.WANTED, due_at__lte=due_before)
    for export in due.select_related("owner").order_by("due_at", "id")[:20]:
        taken = Export.objects.filter(
            pk=export.pk, attempts=export.attempts, due_at=export.due_at
        ).update(
            state=State.WORKING, attempts=F("attempts") + 1, due_at=now + LEASE, done=0, lacking=[]
        )
        if taken:
            export.attempts += 1
            return export
    return None


def _make(export: Export) -> None:
    """Make one ZIP and write down what came of it."""
    if export.attempts > MOST_ATTEMPTS:
        _end(export, state=State.FAILED, reason="The process ended each time it was made.")
        return
    try:
        _zip(export, _keys(export))
        storage.discard(f"{export.pk}.")  # of earlier attempts whose process was killed
    except Lost:
        logger.info("export %s is not wanted from this process any more", export.pk)
    except (Refused, filters.Invalid) as exc:
        _end(export, state=State.FAILED, reason=str(exc))
    except OperationalError as exc:  # the database is busy or gone: the lease ends by itself
        logger.warning("export %s waits for the database: %s", export.pk, exc)
    except Exception as exc:  # a row must outlive whatever files do to us
        if not isinstance(exc, storage.Trouble):
            logger.exception("export %s: %s", export.pk, exc)
        _try_later(export, str(exc) or type(exc).__name__)


def _keys(export: Export) -> list[UUID]:
    """Return what goes into a ZIP, as its owner may see it now. Raises Refused."""
    if not may(export.owner, Right.DOWNLOAD):
        raise Refused("Your account may not download recordings any more.")
    if export.chosen:
        return [UUID(key) for key in export.chosen]
    keys = listing.keys(export.owner, QueryDict(export.query), most=MOST)
    if len(keys) > MOST:
        raise Refused(
            f"More than {MOST:,} recordings match, which is the limit of one ZIP:"
            " narrow the days down and make several."
        )
    return keys


def _zip(export: Export, keys: list[UUID]) -> None:
    """Write the ZIP to a draft, publish it, and say that it is ready. Raises Lost, Trouble.

    The row names the file before it is there: so what a killed attempt published is removed.
    """
    storage.delete(export.path)
    _update(export, total=len(keys), path="")
    bundle = Bundle(export.owner, keys)
    beat = _heartbeat(export, bundle)
    name = f"{FOLDER}/{export.pk}.{export.attempts}.zip"
    storage.check_room()
    with storage.draft(f"{export.pk}.{export.attempts}") as (part, file):
        for block in bundle.blocks():
            file.write(block)
            beat()
        size = file.tell()
        _update(export, path=name)
        storage.publish(part, file, name, beat=beat)
    try:
        _update(
            export,
            state=State.READY,
            reason="",
            due_at=None,
            done=bundle.done,
            lacking=bundle.lacking,
            chosen=[str(key) for key in bundle.shipped],
            path=name,
            size_bytes=size,
            ready_at=timezone.now(),
        )
    except Lost:
        storage.delete(name)
        raise


def _heartbeat(export: Export, bundle: Bundle) -> Callable[[], None]:
    """Return what to call often: now and then it tells how far we are, and extends the lease."""
    next_at = monotonic() + BEAT_S

    def beat() -> None:
        nonlocal next_at
        if monotonic() >= next_at:
            next_at = monotonic() + BEAT_S
            storage.check_room()
            _update(export, done=bundle.done, due_at=timezone.now() + LEASE)

    return beat


def _update(export: Export, **columns: object) -> None:
    """Write to the row as long as this attempt holds it. Raises Lost."""
    held = Export.objects.filter(pk=export.pk, state=State.WORKING, attempts=export.attempts)
    if not held.update(**columns):
        raise Lost


def _try_later(export: Export, reason: str) -> None:
    if export.attempts >= MOST_ATTEMPTS:
        _end(export, state=State.FAILED, reason=reason)
        return
    due_at = timezone.now() + timedelta(seconds=BACKOFF_S * export.attempts)
    _end(export, state=State.REQUESTED, reason=reason, due_at=due_at)


def _end(export: Export, *, state: str, reason: str, due_at: datetime | None = None) -> None:
    """Leave an export that is still ours in another state."""
    logger.warning("export %s is %s: %s", export.pk, state, reason)
    try:
        _update(export, state=state, reason=reason[:500], due_at=due_at)
    except Lost:
        logger.info("export %s was somebody else's by then", export.pk)
