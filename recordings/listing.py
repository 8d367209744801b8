"""The list of recordings, a page at a time: the one place that asks for what matches.

    find(user, filters.read(query)) -> Page          walk(user, query) -> every page after it
    newer(user, filters, since) -> how many came      keys(user, query) -> the ids of all

Pages, files of the list and "all that match" show the same rows in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import QueryDict

from access.policies import Right, may
from recordings import filters
from recordings.models import Recording, RecordingQuerySet, place_of

Person = AbstractBaseUser | AnonymousUser

PAGE = 50
STEP = 500  # rows at a time where all are wanted
COUNTED = 1000
MOST_NEW = 100
LONGEST = timedelta(hours=5)  # Telnyx records four at most, and sends the file some time later


@dataclass(frozen=True, slots=True)
class Snippet:
    """The sentence that a search found, and its moment if that is known."""

    parts: list[tuple[str, bool]]  # text, and whether it is what was looked for
    at_s: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the recordings that match, and where the next ones begin."""

    rows: list[Recording]
    count: str
    older: str | None  # the cursor of the next page
    note: str = ""  # what the reader must know of a list that is not whole
    snippets: dict[UUID, Snippet] = field(default_factory=dict)


def find(user: Person, chosen: filters.Filters, *, limit: int = PAGE) -> Page:
    """Return a page of what a person may see and the filters let through."""
    may_read = may(user, Right.LISTEN)
    visible = Recording.objects.visible_to(user)
    found, count = _search(visible, chosen, may_read=may_read)
    rows = list(chosen.page(found)[: limit + 1])
    older = str(rows[limit - 1].place) if len(rows) > limit else None
    words_left_out = chosen.wants_words and not may_read
    note = "Only numbers and addresses were searched: your account may not read transcripts."
    return Page(
        rows[:limit],
        f"{COUNTED:,}+" if count > COUNTED else str(count),
        older,
        note if words_left_out else "",
    )


def walk(user: Person, query: QueryDict) -> Iterator[list[Recording]]:
    """Yield every page from the place in the query on. Raises filters.Invalid."""
    query = query.copy()
    while True:
        page = find(user, filters.read(query), limit=STEP)
        yield page.rows
        if page.older is None:
            return
        query[filters.CURSOR] = page.older


def keys(user: Person, query: QueryDict, *, most: int) -> list[UUID]:
    """Return the ids of all that match, in order; one more than `most` if there are more."""
    found: list[UUID] = []
    for rows in walk(user, query):
        found += [recording.pk for recording in rows]
        if len(found) > most:
            break
    return found[: most + 1]


def newer(user: Person, chosen: filters.Filters, since: datetime) -> int:
    """Return how many recordings that match were announced since; counted to a hundred.

    A recording is announced when it ends, so its place may be below others that are listed.
    """
    visible = Recording.objects.visible_to(user)
    recent = visible.filter(place__gte=place_of(since - LONGEST, UUID(int=0)))
    came = list(recent.filter(announced_at__gt=since).values_list("pk", flat=True)[:MOST_NEW])
    if not came:
        return 0
    may_read = may(user, Right.LISTEN)
    return chosen.choose(visible.filter(pk__in=came), may_read=may_read).distinct().count()


def _search(
    visible: RecordingQuerySet, chosen: filters.Filters, *, may_read: bool
) -> tuple[RecordingQuerySet, int]:
    """Return what matches, and how many that are, counted a little further than is told.

    A few matches are found by their index and then sorted; many by walking back in time.
    """
    found = chosen.choose(visible, may_read=may_read)
    matching = list(found.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    if chosen.is_search and len(matching) <= COUNTED:
        found = visible.filter(pk__in=matching)
    elif chosen.is_search:
        found = chosen.choose(visible, may_read=may_read, by_time=True)
    return found, len(matching)
