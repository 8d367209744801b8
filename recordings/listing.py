"""The list of recordings as pages, files and "all that match" show it: the same rows and order.

find(user, filters.read(query)) -> Page          walk(user, query) -> every page after it
newer(user, filters, since) -> how many came      keys(user, query) -> the ids of all
count(user, filters) -> how many match, where the page was full before all were counted
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.http import QueryDict
from django.utils import timezone

from recordings import filters
from recordings.models import Recording, first_place
from recordings.search import results
from recordings.search.extract import Extract

Person = User | AnonymousUser

PAGE = results.LIMIT
STEP = results.CHUNK  # rows at a time where all are wanted
MOST_NEW = 100
LONGEST = timedelta(hours=5)  # Telnyx records four at most, and sends the file some time later
UNREAD = "Only numbers and addresses were searched: your account may not read transcripts."


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the recordings that match, and where the next ones begin."""

    rows: list[Recording]
    count: str
    older: str | None  # the cursor of the next page
    note: str = ""  # what the reader must know of a list that is not whole
    is_partial: bool = False  # time was up: the search goes on from `older`
    may_count_on: bool = False  # `count` tells more than the count here
    snippets: dict[UUID, Extract] = field(default_factory=dict)


def find(user: Person, chosen: filters.Filters) -> Page:
    """Return a page of what a person may see and asked for. Raises filters.Invalid."""
    found = results.find(user, chosen)
    return Page(
        rows=found.recordings,
        count=found.total,
        may_count_on=found.may_count_on,
        older=found.after or None,
        note=" ".join(filter(None, (UNREAD * found.words_left_out, _reached(found)))),
        is_partial=found.is_partial,
        snippets=found.extracts,
    )


def count(user: Person, chosen: filters.Filters) -> str:
    """Return how many recordings match: 712, 1,000+. Raises filters.Invalid."""
    return results.count(user, chosen)


def _reached(found: results.Page) -> str:
    """Say how far a search came whose time was up."""
    if found.searched_to is not None:
        day = timezone.localtime(found.searched_to)
        return f"This search is slow: it came as far as {day:%-d %b %Y %H:%M}."
    if found.searched_to_s is not None:
        minutes, seconds = divmod(round(found.searched_to_s), 60)
        return f"This search is slow: it came as far as a length of {minutes}:{seconds:02}."
    return ""


def walk(user: Person, query: QueryDict) -> Iterator[list[Recording]]:
    """Yield every page from the place in the query on. Raises filters.Invalid."""
    chosen = filters.read(query)
    while True:
        rows, after = results.step(user, chosen)
        yield rows
        if after is None:
            return
        chosen = replace(chosen, after=after)


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
    recent = Recording.objects.visible_to(user).filter(place__gte=first_place(since - LONGEST))
    came = recent.filter(announced_at__gt=since).values_list("pk", flat=True)[:MOST_NEW]
    return len(results.among(user, chosen, list(came)))
