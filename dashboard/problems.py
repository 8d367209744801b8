"""What needs a person: every registered kind of problem, the oldest first; counted cheaply.

calls.problems registry --one query a kind--> merged by (since, kind, id) --> a page, a count
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from access.policies import roles
from calls import problems
from calls.models import Dismissal
from calls.problems import CannotHelp, Kind, Person, Told

PAGE = 50
MOST_COUNTED = 100  # of a kind; beyond it the exact number helps nobody
MOST_AT_ONCE = 1000  # retried or dismissed at one press
COUNT_FOR_S = 5.0
KNOWN_FOR_S = 30.0


class BadPlace(ValueError):
    """An address names a place in the list that nobody was given."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the page."""

    kind: Kind
    key: str
    since: datetime
    told: Told

    @property
    def place(self) -> str:
        """Return where the list goes on after it."""
        return f"{self.since.isoformat()}~{self.kind.name}~{self.key}"


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of problems, and where the next begins."""

    lines: list[Problem]
    after: str


def listing(person: Person, *, kind: Kind | None = None, after: str = "") -> Listing:
    """Return a page, the oldest first. Raises BadPlace."""
    place = _place(after) if after else None
    found = []
    for each in [kind] if kind else problems.kinds():
        rows = each.open(person)
        if place is not None:
            rows = rows.filter(_beyond(each, *place))
        ordered = rows.order_by(each.since, "pk")[: PAGE + 1]
        found += [(problems.since_of(each, row), each, row) for row in ordered]
    found.sort(key=lambda it: (it[0], it[1].name))  # within a kind they come in order
    lines = [_line(each, row, person) for _, each, row in islice(found, PAGE)]
    return Listing(lines, lines[-1].place if len(found) > PAGE else "")


def _line(kind: Kind, row: Any, person: Person) -> Problem:
    since = problems.since_of(kind, row)
    return Problem(kind, problems.key_of(row.pk), since, kind.tell(row, person))


def _beyond(kind: Kind, at: datetime, name: str, pk: int | UUID) -> Q:
    """Match what comes after a place in the order of (since, kind, id)."""
    later = Q(**{f"{kind.since}__gt": at})
    if kind.name > name:
        return later | Q(**{kind.since: at})
    if kind.name == name:
        return later | Q(**{kind.since: at, "pk__gt": pk})
    return later


def _place(after: str) -> tuple[datetime, str, int | UUID]:
    at, _, rest = after.partition("~")
    name, _, key = rest.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        pk = pk_of(key)
    except ValueError as exc:
        raise BadPlace(f"after is {after[:60]!r}, must be a place that the page names") from exc
    if moment.tzinfo is None or name not in {kind.name for kind in problems.kinds()}:
        raise BadPlace(f"after is {after[:60]!r}, must be a place that the page names")
    return moment, name, pk


def pk_of(key: str) -> int | UUID:
    """Return the id that a key stands for. Raises ValueError."""
    if len(key) == 32:
        return UUID(key)
    if not (key.isascii() and key.isdigit() and len(key) < 19):
        raise ValueError(f"{key[:40]!r} is no key of a problem")
    return int(key)


def counts(person: Person) -> list[tuple[Kind, int]]:
    """Return the kinds of which a person has some, with how many: at most MOST_COUNTED each."""
    found = []
    for kind in problems.kinds():
        count = kind.open(person).order_by()[:MOST_COUNTED].count()
        if count:
            found.append((kind, count))
    return found


_known: dict[frozenset[Any], tuple[float, int]] = {}


def count(person: Person) -> int:
    """Return how many problems concern a person; asked of the database every five seconds.

    Each kind counts MOST_COUNTED at most. People with the same roles share the answer.
    """
    key = roles(person)
    told_at, total = _known.get(key, (float("-inf"), 0))
    if time.monotonic() - told_at < COUNT_FOR_S:
        return total
    total = sum(number for _, number in counts(person))
    _known[key] = time.monotonic(), total
    return total


def last_count(person: Person) -> int | None:
    """Return the count if it was asked for lately, without asking."""
    told_at, total = _known.get(roles(person), (float("-inf"), 0))
    return total if time.monotonic() - told_at < KNOWN_FOR_S else None


def retry(kind: Kind, row: Any, person: Person) -> str:
    """Try once more what went wrong; return what to say. Raises CannotHelp."""
    if kind.retry is None:
        raise CannotHelp("Nothing can be tried here.")
    _known.clear()
    return kind.retry(row, person)


def dismiss(kind: Kind, rows: Sequence[Any], person: Person, note: str) -> None:
    """Put problems out of sight, with a reason, until they happen anew."""
    now = timezone.now()
    Dismissal.objects.bulk_create(
        [
            Dismissal(
                kind=kind.name, key=problems.key_of(row.pk), at=now, by_id=person.pk, note=note
            )
            for row in rows
        ],
        update_conflicts=True,
        unique_fields=["kind", "key"],
        update_fields=["at", "by", "note"],
        batch_size=200,
    )
    _known.clear()
