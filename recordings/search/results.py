"""The library's pages: found recordings, where they go on, and the sentences with what was said.

find(user, filters) -> Page          step(user, filters) -> a larger part of all that match
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError, connection

from access.policies import Right, may
from recordings.filters import Filters, Invalid, cursor
from recordings.models import Recording, moment_of
from recordings.search.engine import LIMITS, Limits, matching, search
from recordings.search.extract import Extract, extracts
from recordings.search.query import parse
from recordings.search.sources import Key

LIMIT = 50
CHUNK = 500  # recordings of an export that are in memory at once
HARDEST_S = 5.0  # no statement takes longer; PostgreSQL's own limit is set with the connection
PATIENT = replace(LIMITS, seconds=2.0, count_seconds=0.0, counted=CHUNK)
HURRIED = replace(LIMITS, count_seconds=0.0, counted=50)  # nobody reads the count
OPPOSITE = {"newest": "oldest", "oldest": "newest", "longest": "shortest", "shortest": "longest"}
STEPS = 100_000  # of SQLite's machine, between two looks at the clock: some milliseconds


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the library."""

    recordings: list[Recording] = field(default_factory=list)
    total: str = "0"  # how many match: 37, 1,000+
    after: str = ""  # the cursor of the next page; "": this is the last
    searched_to: datetime | None = None  # if time was up: how far back (or on) the search came
    searched_to_s: float | None = None  # the same in the order of length
    extracts: dict[UUID, Extract] = field(default_factory=dict)  # by recording, of what was said
    words_left_out: bool = False  # this person may not read, so only parties were searched

    @property
    def is_partial(self) -> bool:
        """Say whether the page is not full because time was up: `after` goes on from there."""
        return self.searched_to is not None or self.searched_to_s is not None


def find(
    user: User | AnonymousUser, chosen: Filters, *, limit: int = LIMIT, limits: Limits = LIMITS
) -> Page:
    """Return the page of a list that a person asked for. Raises Invalid."""
    may_read = may(user, Right.LISTEN)
    with _bounded():
        found = search(user, chosen, size=limit, limits=limits)
        recordings = _rows(user, found.places)
    reached = found.after if found.is_partial else None
    return Page(
        recordings=recordings,
        total=found.total,
        after="" if found.after is None else cursor(found.after),
        searched_to=None if reached is None or chosen.by_length else moment_of(reached[-1]),
        searched_to_s=reached[0] / 1000 if reached and chosen.by_length else None,
        extracts=extracts(recordings, parse(chosen.q)) if chosen.wants_words and may_read else {},
        words_left_out=chosen.wants_words and not may_read,
    )


def step(user: User | AnonymousUser, chosen: Filters) -> tuple[list[Recording], Key | None]:
    """Return the next of all that match, and where to go on; None at the end. Raises Invalid."""
    with _bounded():
        found = search(user, chosen, size=CHUNK, limits=PATIENT)
        return _rows(user, found.places), found.after


def among(user: User | AnonymousUser, chosen: Filters, ids: Collection[UUID]) -> set[UUID]:
    """Return which of a few recordings are in a list."""
    visible = Recording.objects.visible_to(user).filter(pk__in=ids).order_by()
    known = dict(visible.values_list("place", "pk"))
    with _bounded():
        return {known[place] for place in matching(user, chosen, list(known))}


def neighbours(
    user: User | AnonymousUser, chosen: Filters, recording: Recording
) -> tuple[Recording | None, Recording | None]:
    """Return what stands before and after a recording in a list. Raises Invalid."""
    after: Key = (recording.place,)
    if chosen.by_length:
        after = (recording.duration_ms or 0, recording.place)
    found: list[Recording | None] = []
    for sort in (OPPOSITE[chosen.sort], chosen.sort):
        with _bounded():
            asked = replace(chosen, sort=sort, after=after)
            places = search(user, asked, size=1, limits=HURRIED).places
            found += _rows(user, places) or [None]
    return found[0], found[1]


def _rows(user: User | AnonymousUser, places: list[int]) -> list[Recording]:
    """Return the recordings of these places, in their order."""
    visible = Recording.objects.visible_to(user).order_by()
    by_place = {recording.place: recording for recording in visible.filter(place__in=places)}
    return [by_place[place] for place in places if place in by_place]


@contextmanager
def _bounded() -> Iterator[None]:
    """Let no statement run for ever. Raises Invalid for one that would."""
    until = monotonic() + HARDEST_S
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(lambda: monotonic() > until, STEPS)
    try:
        yield
    except OperationalError as exc:
        if "interrupted" not in str(exc) and "statement timeout" not in str(exc):
            raise
        raise Invalid(
            f"This search took longer than {HARDEST_S:g} s. Narrow the days down."
        ) from exc
    finally:
        if connection.vendor == "sqlite" and connection.connection is not None:
            connection.connection.set_progress_handler(None, 0)
