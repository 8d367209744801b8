"""Import everything that Telnyx still holds from a time: page by page, and where it stopped.

    GET /recordings, page n -> announce the unknown -> n + 1, in its row -> ... -> texts -> done

A kill costs a page. Pages are asked for slowly, so that calls keep their share of the rate limit;
the downloads are the normal queue's, after everything that is newer than the import.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.utils import timezone

from calls import events
from calls.line import telnyx
from calls.ring import ring
from calls.telnyx.errors import TelnyxError
from calls.telnyx.readings import Page, RecordingRow, TranscriptionRow
from recordings import strangers
from recordings.models import Backfill, FoundBy

logger = logging.getLogger(__name__)
Row = TypeVar("Row")

PER_S = 2.0  # our choice; Telnyx publishes no number for these lists
WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0)  # after failures in a row, unless Telnyx says how long
MOST_PASSES = 3  # should recordings be deleted at Telnyx during each


@dataclass(slots=True)
class Pace:
    """Lets requests go at a rate, and waits when Telnyx says so."""

    per_s: float = PER_S
    sleep: Callable[[float], object] = time.sleep
    next_at: float = field(default_factory=time.monotonic)

    def ask(self, question: Callable[[], Page[Row]]) -> Page[Row]:
        """Ask until there is an answer. Raises Rejected; Unavailable at the end of patience."""
        for wait_s in (*WAITS_S, None):
            self.sleep(max(0.0, self.next_at - time.monotonic()))
            self.next_at = time.monotonic() + 1 / self.per_s
            try:
                return question()
            except TelnyxError as exc:
                if exc.permanent or wait_s is None:
                    raise
                logger.warning("the import waits: %s", exc)
                self.sleep(exc.retry_after_s or wait_s)
        raise AssertionError("the last wait is None")


def begin(since: datetime, until: datetime | None) -> Backfill:
    """Return the import of a time: the one that was broken off, else a new one."""
    now = timezone.now()
    broken_off = Backfill.objects.filter(since=since).exclude(part=Backfill.Part.DONE)
    if until is not None and until <= now:
        broken_off = broken_off.filter(until=until)
    else:
        until = now
    found = broken_off.order_by("-started_at").first()
    return found or Backfill.objects.create(since=since, until=until, started_at=now)


def run(backfill: Backfill, pace: Pace) -> Iterator[Backfill]:
    """Import page after page, yielding what is done after each. Raises TelnyxError."""
    passes = 1
    while backfill.part == Backfill.Part.RECORDINGS:
        page = pace.ask(lambda: _recordings(backfill))
        new = strangers.announce(page.rows, FoundBy.IMPORT)
        events.apply_due()  # here, so that the next page finds no queue that live calls wait in
        shrank = backfill.shrank or (page.total or 0) < (backfill.total or 0)
        again = page.is_last and shrank and passes < MOST_PASSES
        passes += again
        counts = {"seen": backfill.seen + len(page.rows), "new": backfill.new + new}
        told = {"total": page.total, "shrank": shrank}
        _turn(backfill, page, Backfill.Part.TEXTS, again=again, **counts, **told)
        yield backfill
    ring("media")
    while backfill.part == Backfill.Part.TEXTS:
        texts = pace.ask(lambda: _texts(backfill))
        new = strangers.announce_texts(texts.rows)
        events.apply_due()
        _turn(backfill, texts, Backfill.Part.DONE, texts=backfill.texts + new)
        yield backfill


def count(since: datetime, until: datetime, pace: Pace) -> Iterator[tuple[int, int, int | None]]:
    """Yield how many recordings were seen, how many are unknown, how many there are; change none.

    Raises TelnyxError.
    """
    asked = Backfill(since=since, until=until)
    seen = unknown = 0
    while True:
        page = pace.ask(lambda: _recordings(asked))
        seen, unknown = seen + len(page.rows), unknown + len(strangers.among(page.rows))
        yield seen, unknown, page.total
        if page.is_last:
            return
        asked.page += 1


def _recordings(backfill: Backfill) -> Page[RecordingRow]:
    return telnyx().recordings_page(
        backfill.page, created_since=backfill.since, created_until=backfill.until
    )


def _texts(backfill: Backfill) -> Page[TranscriptionRow]:
    """Read a page of texts; one may be made long after its recording."""
    return telnyx().recording_transcriptions_page(
        backfill.page, created_since=backfill.since, created_until=timezone.now()
    )


def _turn(
    backfill: Backfill,
    page: Page[Row],
    following: str,
    *,
    again: bool = False,
    **changes: object,
) -> None:
    """Turn the page in the row, with what it brought: whoever goes on begins there.

    Where recordings went meanwhile, later ones moved to pages that had been read: `again`.
    """
    if page.is_last and again:
        changes |= {"page": 1, "seen": 0, "shrank": False}
    elif page.is_last:
        changes |= {"page": 1, "part": following}
        changes["finished_at"] = timezone.now() if following == Backfill.Part.DONE else None
    else:
        changes["page"] = backfill.page + 1
    Backfill.objects.filter(pk=backfill.pk).update(**changes)
    backfill.refresh_from_db()
