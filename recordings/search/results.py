"""The library's pages: found recordings, where they go on, and the sentences with what was said.

find(user, filters) -> Page          step(user, filters) -> a larger part of all that match
count(user, filters) -> 712, which a page that is full at once may not know yet
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError, connection
from django.db.models import Case, OuterRef, Q, Subquery, When

from access.policies import Right, may
from recordings.filters import Filters, Invalid, cursor
from recordings.models import Recording, Spoken, State, moment_of
from recordings.search.engine import COUNTING, LIMITS, Limits, matching, search
from recordings.search.extract import Extract, extracts
from recordings.search.query import parse
from recordings.search.sources import Key

LIMIT = 50
CHUNK = 500  # recordings of an export that are in memory at once
HARDEST_S = 5.0  # no statement takes longer; PostgreSQL's own limit is set with the connection
PATIENT = replace(LIMITS, seconds=2.0, count_seconds=0.0, counted=CHUNK)
HURRIED = replace(LIMITS, count_seconds=0.0, counted=50)  # nobody reads the count
OPPOSITE = {"newest": "oldest", "oldest": "newest", "longest": "shortest", "shortest": "longest"}
# What a row of the list tells of a recording, but when it started, which its place tells; and the
# times of one that is not stored. Each time costs PostgreSQL's driver as much as ten columns.
SHOWN = (
    *("place", "state", "reason", "failures", "attempts", "due_at", "start_inferred"),
    *("duration_ms", "from_number", "to_number", "agent", "has_transcript", "flagged"),
    *("reviewed", "paused", "ended_paused", "pause_unverified"),
)
TIMES = ("since", "announced_at", "ended_at")
UNSTORED = {f"unstored_{name}": Case(When(~Q(state=State.STORED), then=name)) for name in TIMES}
LINES = Subquery(Spoken.objects.filter(place=OuterRef("place")).values("lines"))
STEPS = 100_000  # of SQLite's machine, between two looks at the clock: some milliseconds


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the library."""

    recordings: list[Recording] = field(default_factory=list)
    total: str = "0"  # how many match: 37, 1,000+
    may_count_on: bool = False  # `count` tells more than the total
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
    has_words = chosen.wants_words and may(user, Right.LISTEN)
    with _bounded():
        found = search(user, chosen, size=limit, limits=limits)
        recordings = _shown(user, found.places, with_lines=has_words)
    reached = found.after if found.is_partial else None
    return Page(
        recordings=recordings,
        total=found.total,
        may_count_on=found.may_count_on,
        after="" if found.after is None else cursor(found.after),
        searched_to=None if reached is None or chosen.by_length else moment_of(reached[-1]),
        searched_to_s=reached[0] / 1000 if reached and chosen.by_length else None,
        extracts=_extracts(recordings, chosen) if has_words else {},
        words_left_out=chosen.wants_words and not has_words,
    )


def count(user: User | AnonymousUser, chosen: Filters) -> str:
    """Return how many match a list, as far as they are counted. Raises Invalid."""
    with _bounded():
        return search(user, replace(chosen, after=None), size=1, limits=COUNTING).total


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
    if not places:
        return []
    visible = Recording.objects.visible_to(user).order_by()
    by_place = {recording.place: recording for recording in visible.filter(place__among=places)}
    return [by_place[place] for place in places if place in by_place]


def _shown(user: User | AnonymousUser, places: list[int], *, with_lines: bool) -> list[Recording]:
    """Return the recordings of these places with what the list shows of them."""
    if not places:
        return []
    rows = Recording.objects.visible_to(user).order_by().only(*SHOWN).annotate(**UNSTORED)
    if with_lines:
        rows = rows.annotate(lines=LINES)
    by_place = {recording.place: recording for recording in rows.filter(place__among=places)}
    for recording in by_place.values():
        recording.started_at = moment_of(recording.place)
        if not recording.is_stored:
            for name in TIMES:
                setattr(recording, name, getattr(recording, f"unstored_{name}"))
    return [by_place[place] for place in places if place in by_place]


def _extracts(recordings: list[Recording], chosen: Filters) -> dict[UUID, Extract]:
    kept = {recording.pk: recording.lines for recording in recordings}  # type: ignore[attr-defined]
    return extracts(kept, parse(chosen.q))


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
