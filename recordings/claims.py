"""The queue of texts to be timed: who works on which, until when, and what comes of it.

    due --claim--> working --heartbeat--> keep | leave | postpone | try_later

A claim is a lease, fenced by the attempts: who loses it leaves no trace.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django.db.models import F, QuerySet
from django.utils import timezone

from recordings.models import Recording, Transcript

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
BEAT_S = 30.0
BACKOFF_S = (30, 300, 1800)
MOST_FAILURES = len(BACKOFF_S) + 1  # also counts attempts that their process did not survive
PATIENCE = timedelta(seconds=20)  # for Telnyx's text, or for a last caption, before captions count

Timing = Transcript.Timing


class Lost(Exception):
    """Somebody else works on it by now, or the text changed."""


def claim(due_before: datetime) -> Transcript | None:
    """Take the text that is due longest. The attempt is counted before anything can fail."""
    due = Transcript.objects.filter(timing__in=Transcript.WANTED, due_at__lte=due_before)
    keys = due.order_by("due_at", "id").values_list("pk", "attempts", "due_at")
    for pk, attempts, due_at in keys[:20]:
        now = timezone.now()
        taken = Transcript.objects.filter(
            pk=pk, timing__in=Transcript.WANTED, attempts=attempts, due_at=due_at
        ).update(
            timing=Timing.WORKING,
            timing_since=now,
            attempts=F("attempts") + 1,
            failures=F("failures") + 1,
            due_at=now + LEASE,
        )
        if taken:
            claimed = Transcript.objects.select_related("recording__call").get(pk=pk)
            claimed.attempts = attempts + 1  # ours, whoever came after us
            return claimed
    return None


def held(transcript: Transcript) -> QuerySet[Transcript]:
    """Return the row as long as it is ours; whoever changes its text makes it due again."""
    return Transcript.objects.filter(
        pk=transcript.pk,
        timing=Timing.WORKING,
        attempts=transcript.attempts,
    )


@contextmanager
def heartbeat(transcript: Transcript) -> Iterator[None]:
    """Extend the lease now and then, until it is lost or no longer needed."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            try:
                if not held(transcript).update(due_at=timezone.now() + LEASE):
                    return
            except DatabaseError as exc:
                logger.warning("transcript %s: no heartbeat: %s", transcript.pk, exc)
            finally:
                connection.close()

    thread = threading.Thread(target=beat, name="alignment", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def keep(transcript: Transcript, **columns: object) -> None:
    """Write columns of a row that is still ours. Raises Lost."""
    if not held(transcript).update(**columns):
        raise Lost


def leave(transcript: Transcript, timing: str, reason: str) -> bool:
    """Leave it without times; returns False, so that a caller can say so. Raises Lost."""
    keep(
        transcript,
        timing=timing,
        timing_since=timezone.now(),
        timing_reason=reason,
        due_at=None,
        failures=0,
    )
    if transcript.recording_id:
        Recording.objects.filter(pk=transcript.recording_id).change()
    return False


def postpone(transcript: Transcript) -> None:
    """Look again a little later, when the better text is done."""
    keep(
        transcript,
        timing=Timing.DUE,
        due_at=timezone.now() + PATIENCE,
        failures=F("failures") - 1,
    )


def try_later(transcript: Transcript, reason: str) -> None:
    """Plan the next attempt; after some, give up."""
    logger.warning("transcript %s was not aligned: %s", transcript.pk, reason)
    try:
        if transcript.failures >= MOST_FAILURES:
            leave(transcript, Timing.UNTIMED, reason)
            return
        now = timezone.now()
        wait_s = BACKOFF_S[min(transcript.failures, len(BACKOFF_S)) - 1]
        keep(
            transcript,
            timing=Timing.DUE,
            timing_since=now,
            timing_reason=reason,
            due_at=now + timedelta(seconds=wait_s),
        )
    except Lost:
        logger.warning("transcript %s: somebody else works on it by now", transcript.pk)
