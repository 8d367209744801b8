"""The list as CSV: what its rows show, and nothing that was said.

No cell can become a formula. Times are in the desk's zone, which the header names, and in UTC.
"""

import csv
import io
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils import timezone

from recordings import listing
from recordings.marks import comments_of, tags_of
from recordings.models import Recording

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
CLOCK = "%Y-%m-%d %H:%M:%S"


def blocks(plan: dict[str, Any]) -> Generator[bytes, None, None]:
    """Yield the file of {"user", "query" or "recordings"}: the header, then page by page."""
    user = User.objects.get(pk=plan["user"])
    yield lines([header()])
    for rows in _pages(user, plan):
        yield lines(_rows(rows))


def _pages(user: User, plan: dict[str, Any]) -> Iterator[list[Recording]]:
    if "query" in plan:
        return listing.walk(user, QueryDict(plan["query"]))
    return chosen(user, [UUID(key) for key in plan["recordings"]])


def chosen(user: User, keys: list[UUID], *, step: int = 100) -> Iterator[list[Recording]]:
    """Yield those of these recordings that a person may see, some at a time, in their order."""
    for start in range(0, len(keys), step):
        some = keys[start : start + step]
        found = Recording.objects.visible_to(user).select_related("call").in_bulk(some)
        yield [found[key] for key in some if key in found]


def lines(rows: Iterable[Iterable[object]]) -> bytes:
    """Write rows as CSV; a cell that a spreadsheet would take for a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _safe(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


def header() -> list[str]:
    """Return the first line."""
    zone = settings.TIME_ZONE
    return [
        *(
            "Recording",
            f"Started ({zone})",
            "Started (UTC, ISO 8601)",
            "Start is",
            f"Ended ({zone})",
        ),
        *("Direction", "From", "To", "Agent", "Length (s)", "Channels", "State", "Why"),
        *("Size (bytes)", "SHA-256", "Transcript", "Flagged", "Reviewed", "Paused", "Tags"),
        *("Comments", "Telnyx's id"),
    ]


def _rows(recordings: list[Recording]) -> Iterator[list[object]]:
    keys = [recording.pk for recording in recordings]
    tags, comments = tags_of(keys), comments_of(keys)
    for one in recordings:
        yield [
            *(one.pk, here(one.started_at), utc(one.started_at)),
            "told" if one.start_inferred else "measured",
            *(here(one.ended_at), one.direction, one.from_number, one.to_number, one.agent),
            *(one.duration_s, one.channels, one.state, one.reason, one.size_bytes, one.sha256),
            *map(_yes, (one.has_transcript, one.flagged, one.reviewed, one.paused)),
            "; ".join(tag.name for tag in tags.get(one.pk, [])),
            *(comments.get(one.pk, 0), one.recording_id),
        ]


def _yes(mark: bool) -> str:
    return "yes" if mark else "no"


def here(moment: datetime | None) -> str:
    """Write a time in the desk's zone."""
    return "" if moment is None else timezone.localtime(moment).strftime(CLOCK)


def utc(moment: datetime | None) -> str:
    """Write a time so that no zone is in doubt."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
