"""Conditions of a search. Each is a check for a few recordings, and a source of all it matches.

    source.keys(span, limit) -> the first keys of the span, in its order, from one index

A key is a place; in the order of length it is (ms, place). All sources of a search have one order,
so any may lead, and the others check.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from django.db import connection
from django.db.models import Q

from recordings.models import Recording, RecordingQuerySet, SearchText, Tagging, length_class
from recordings.models.recording import LENGTHS_MS
from recordings.search.query import Clause
from recordings.search.schema import LAST_PLACE, MOST_ASKED

GIN = "SELECT * FROM recordings_find(%s::tsquery[], %s, %s, %s, %s, %s, %s, %s, %s)"
FTS5 = (
    "SELECT rowid FROM recordings_words"
    " WHERE recordings_words MATCH %s AND rowid > %s AND rowid <= %s ORDER BY rowid "
)
Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the library and the direction in which it is read."""

    low: int = 0  # the lowest place in it
    high: int = LAST_PLACE  # the first place above it
    newest_first: bool = True

    def after(self, place: int) -> "Span":
        """Return what comes after a place."""
        if self.newest_first:
            return replace(self, high=min(self.high, place))
        return replace(self, low=max(self.low, place + 1))

    @property
    def order(self) -> str:
        return "-place" if self.newest_first else "place"

    @property
    def within(self) -> Q:
        """Return the span as a condition on places."""
        above = Q(place__gte=self.low) if self.low else Q()
        return above & Q(place__lt=self.high) if self.high < LAST_PLACE else above


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source may look, in seconds; shorter once it has found enough."""

    hard: float = 5.0
    enough: int = 0
    soft: float = 5.0
    few: float = 2_000.0  # are rather looked at all at once


class OutOfTime(Exception):
    """A source stopped at a place, with what it had found by then."""

    def __init__(self, found: list[int], place: int) -> None:
        self.found = found
        self.place = place


@dataclass(frozen=True, slots=True)
class Check:
    """What is left to look at: columns of the recordings, and their texts."""

    columns: Q = field(default_factory=Q)
    texts: Q = field(default_factory=Q)

    def __bool__(self) -> bool:
        return bool(self.columns or self.texts)

    def __and__(self, other: "Check") -> "Check":
        return Check(self.columns & other.columns, self.texts & other.texts)

    def keep(self, places: list[int]) -> list[int]:
        """Keep, in their order, the places that pass."""
        if self.columns and places:
            met = Recording.objects.order_by().filter(self.columns, place__among=places)
            places = _kept(places, met.values_list("place", flat=True))
        if self.texts and places:
            texts = SearchText.objects.filter(self.texts, place__among=places)
            places = _kept(places, texts.values_list("place", flat=True))
        return places


def _kept(places: list[int], met: Iterable[int]) -> list[int]:
    kept = set(met)
    return [place for place in places if place in kept]


class Source(Protocol):
    """One condition."""

    @property
    def check(self) -> Check:
        """What is left to check of each recording that the source gives."""

    @property
    def whole(self) -> Check:
        """The condition, for recordings that another source gives."""

    @property
    def may_go_on(self) -> bool:
        """Say whether to be asked for a thousand costs little more than for a page."""

    def places(self, span: Span, limit: int, patience: Patience) -> list[int]:
        """Return the first places of the span. Raises OutOfTime."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or several alternatives, with an index that goes on with the place."""

    alternatives: tuple[Q, ...] = (Q(),)
    check: Check = field(default_factory=Check)
    may_go_on = True

    @property
    def whole(self) -> Check:
        match = Q()
        for each in self.alternatives:
            match |= each
        return Check(columns=match)

    def places(self, span: Span, limit: int, patience: Patience) -> list[int]:
        """Return the first places of the span."""
        rows = Recording.objects.order_by()
        found = [
            rows.filter(each, span.within).values_list("place", flat=True)
            for each in self.alternatives
        ]
        if len(found) > 1 and connection.features.supports_slicing_ordering_in_compound:
            # else PostgreSQL sorts all of them; SQLite merges them in order and stops
            found = [each.order_by(span.order)[:limit] for each in found]
        first, *others = found
        merged = first.union(*others, all=True) if others else first
        return list(merged.order_by(span.order)[:limit])


def at_least(ms: int) -> Column:
    """Match recordings that last so long or longer."""
    lowest = length_class(ms)
    longer = (Q(length=each) for each in range(lowest + 1, len(LENGTHS_MS) + 1))
    return Column((Q(length=lowest, duration_ms__gte=ms), *longer))


def at_most(ms: int) -> Column:
    """Match recordings that last so long or shorter."""
    highest = length_class(ms)
    shorter = (Q(length=each) for each in range(highest))
    return Column((*shorter, Q(length=highest, duration_ms__lte=ms)))


def between(least_ms: int, most_ms: int) -> Column:
    """Match recordings whose length is between two."""
    first, last = length_class(least_ms), length_class(most_ms)
    exact = Q(duration_ms__gte=least_ms, duration_ms__lte=most_ms)
    return Column(tuple(Q(length=each) & exact for each in range(first, last + 1)))


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag by its key, so that one index finds and sorts; its taggings hold the place."""

    tag: int
    check: Check = field(default_factory=Check)
    may_go_on = True

    @property
    def whole(self) -> Check:
        return Check(columns=Q(taggings__tag=self.tag))

    def places(self, span: Span, limit: int, patience: Patience) -> list[int]:
        """Return the first places of the span."""
        tagged = Tagging.objects.filter(span.within, tag=self.tag).order_by(span.order)
        return list(tagged.values_list("place", flat=True)[:limit])


@dataclass(frozen=True, slots=True)
class Text:
    """Clauses about words and parties, at least one of them wanted."""

    clauses: tuple[Clause, ...]

    @property
    def check(self) -> Check:
        return _all(clause for clause in self.clauses if not clause.is_simple)

    @property
    def whole(self) -> Check:
        return _all(self.clauses)

    @property
    def may_go_on(self) -> bool:
        """Say no where FTS5 looks ahead in several lists for each; GIN minds its patience."""
        return len(self._wanted) == 1 or connection.vendor == "postgresql"

    @property
    def _wanted(self) -> list[Clause]:
        return [clause for clause in self.clauses if clause.is_wanted]

    @property
    def _unwanted(self) -> list[Clause]:
        """Return what the index can leave out: of a phrase it only knows the words."""
        return [
            clause
            for clause in self.clauses
            if not clause.is_wanted and clause.is_simple and clause.runs
        ]

    def places(self, span: Span, limit: int, patience: Patience) -> list[int]:
        """Return the first places of the span. Raises OutOfTime."""
        if not all(clause.runs for clause in self._wanted):
            return []
        if connection.vendor == "postgresql":
            return self._by_gin(span, limit, patience)
        return self._by_fts5(span, limit)

    def _by_gin(self, span: Span, limit: int, patience: Patience) -> list[int]:
        asked = self._conditions
        asked[0] += "".join(f" & !({_tsquery(clause)})" for clause in self._unwanted)
        last = " & ".join(asked[MOST_ASKED - 1 :])
        asked = [*asked[: MOST_ASKED - 1], *filter(None, [last])]
        with connection.cursor() as cursor:
            within = [span.low, span.high, span.newest_first, limit]
            bounds = [patience.enough, patience.few, patience.soft, patience.hard]
            cursor.execute(GIN, [asked, *within, *bounds])
            found = [place for (place,) in cursor.fetchall()]
        if found and found[-1] < 0:
            raise OutOfTime(found[:-1], -1 - found[-1])
        return found

    @property
    def _conditions(self) -> list[str]:
        """Return what is asked of GIN one by one, the rarest first: long words are."""
        found: list[str] = []
        for clause in self._wanted:
            if len(clause.runs) == 1:
                found += (_tsquery(each) for each in clause.split())
            else:
                found.append(f"({_tsquery(clause)})")
        return sorted(dict.fromkeys(found), key=len, reverse=True)

    def _by_fts5(self, span: Span, limit: int) -> list[int]:
        asked = " AND ".join(f"({_match(clause)})" for clause in self._wanted)
        if self._unwanted:
            unwanted = " OR ".join(_match(clause) for clause in self._unwanted)
            asked = f"({asked}) NOT ({unwanted})"
        order = "ASC" if span.newest_first else "DESC"
        back = [LAST_PLACE - span.high, LAST_PLACE - span.low]
        with connection.cursor() as cursor:
            cursor.execute(f"{FTS5} {order} LIMIT %s", [asked, *back, limit])
            return [LAST_PLACE - back for (back,) in cursor.fetchall()]


def _all(clauses: Iterable[Clause]) -> Check:
    match = Q()
    for clause in clauses:
        match &= clause.check()
    return Check(texts=match)


def _tsquery(clause: Clause) -> str:
    return _either(clause, "'{}'", " & ", " | ", ":*")


def _match(clause: Clause) -> str:
    return _either(clause, '"{}"', " AND ", " OR ", " *")


def _either(clause: Clause, quoted: str, and_: str, or_: str, begins: str) -> str:
    """Write the runs of a clause in the language of an index; tokens hold no quotes."""
    runs = []
    for run in clause.asked:
        tokens = [quoted.format(token) for token in run]
        if clause.begins:
            tokens[-1] += begins
        runs.append(f"({and_.join(tokens)})")
    return or_.join(runs)


def by_length(
    recordings: RecordingQuerySet, *, longest_first: bool, after: Key | None, limit: int
) -> list[Key]:
    """Return the first keys after a key in the order of length, of what has a known one."""
    order = ["-duration_ms", "-place"] if longest_first else ["duration_ms", "place"]
    if after is not None:
        ms, place = after
        beyond = "lt" if longest_first else "gt"
        # the first condition is for the index, the second for recordings of the same length
        recordings = recordings.filter(
            Q(**{f"duration_ms__{beyond}e": ms}),
            Q(**{f"duration_ms__{beyond}": ms}) | Q(duration_ms=ms, **{f"place__{beyond}": place}),
        )
    known = recordings.filter(duration_ms__isnull=False).order_by(*order)
    return [(ms or 0, place) for ms, place in known.values_list("duration_ms", "place")[:limit]]
