"""Filters into a page of the library, the plan chosen by us: bounded in rows and in time.

    probe   each condition gives its first 201 keys, from its own index; a single one 1,001
    few     one has fewer: these are looked at, the others checked; all of it is exact
    one     the only condition has more: its index is the page
    many    the rarest leads, the others check, batch by batch, until the page is full;
            or until the deadline, and then the page says how far the search came

In the order of length the leader is the index of lengths, unless a condition has few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q

from access.policies import Right, may
from recordings.filters import Filters, Invalid
from recordings.models import Recording, Tag
from recordings.search.named import by_number, by_party
from recordings.search.query import parse
from recordings.search.sources import (
    Check,
    Column,
    Key,
    OutOfTime,
    Patience,
    Source,
    Span,
    Tagged,
    Text,
    at_least,
    at_most,
    between,
    by_length,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes; our choices."""

    counted: int = 1_000  # matches that are counted exactly
    sortable: int = 10_000  # of one condition, that are sorted by length at once
    first_batch: int = 200
    largest_batch: int = 4_000
    seconds: float = 0.25  # for a page
    sort_seconds: float = 1.0  # for what is to be sorted by length
    few: float = 2_000.0  # matches, that PostgreSQL rather looks at all at once
    count_seconds: float = 0.0  # after which a page that is full counts no further

    @property
    def counts_all(self) -> bool:
        """Say whether the count is worth as much time as the page."""
        return self.count_seconds >= self.seconds


LIMITS = Limits()
COUNTING = replace(LIMITS, count_seconds=LIMITS.seconds)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of keys in the asked order, what comes after it, and how many there are."""

    places: list[int] = field(default_factory=list)
    after: Key | None = None  # where the next page begins; None: this is the last
    is_partial: bool = False  # time was up before the page was full: search on from `after`
    count: int = 0
    is_exact: bool = True  # else there are at least so many
    may_count_on: bool = False  # it was not counted as far as it could be

    @property
    def total(self) -> str:
        """Write the number of matches: 37, 1,000+."""
        return f"{self.count:,}{'' if self.is_exact else '+'}"


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk through a source found, and where it ended; None if nothing comes after."""

    keys: list[Key]
    reached: Key | None


Batch = Callable[[Key | None, int], Walk]


def search(
    user: User | AnonymousUser, chosen: Filters, *, size: int, limits: Limits = LIMITS
) -> Found:
    """Return a page of what a person may see and asked for. Raises Invalid."""
    if not may(user, Right.SEE):
        return Found()
    span = chosen.span
    sources = _sources(chosen, may_read=may(user, Right.LISTEN))
    if sources is None:
        return Found()
    if chosen.by_length:
        return _Lengths(sources, span, chosen, size, limits).page()
    return _Times(sources, span, chosen, size, limits).page()


def matching(user: User | AnonymousUser, chosen: Filters, places: list[int]) -> list[int]:
    """Keep, in their order, a few places that match; whatever the order of the list."""
    sources = _sources(chosen, may_read=may(user, Right.LISTEN))
    if sources is None or not may(user, Right.SEE):
        return []
    known = Q(duration_ms__isnull=False) if chosen.by_length else Q()
    check = Check(chosen.span.within & known)
    for source in sources:
        check &= source.whole
    return check.keep(places)


def _sources(chosen: Filters, *, may_read: bool) -> list[Source] | None:
    """Return the conditions, or None if nothing can meet them."""
    sources: list[Source] = [Column((each,)) for each in chosen.columns]
    clauses = [by_number(number) for number in chosen.numbers]
    if chosen.party:
        clauses += by_party(chosen.party)
    if chosen.wants_words:
        words = parse(chosen.q)
        clauses += words if may_read else [each.for_those_who_may_not_read() for each in words]
    if clauses:
        sources.append(Text(tuple(clauses)))
    if chosen.longer_ms is not None and chosen.shorter_ms is not None:
        sources.append(between(chosen.longer_ms, chosen.shorter_ms))
    elif chosen.longer_ms is not None:
        sources.append(at_least(chosen.longer_ms))
    elif chosen.shorter_ms is not None:
        sources.append(at_most(chosen.shorter_ms))
    if chosen.tag:
        tag = Tag.objects.filter(name=chosen.tag).first()
        if tag is None:
            return None
        sources.append(Tagged(tag.pk))
    return sources or [Column()]


@dataclass(frozen=True, slots=True)
class Probe:
    """The first places of a source, and where it stopped; None if these are all."""

    source: Source
    places: list[int]
    reached: Key | None

    @property
    def is_all(self) -> bool:
        return self.reached is None

    @property
    def keys(self) -> list[Key]:
        return [(place,) for place in self.places]


class _Search:
    """One search, in one order."""

    def __init__(
        self, sources: list[Source], span: Span, chosen: Filters, size: int, limits: Limits
    ) -> None:
        self.sources = sources
        self.span = span
        self.chosen = chosen
        self.size = size
        self.limits = limits
        self.started = monotonic()

    @property
    def patience(self) -> Patience:
        """Return how long a source may look from now on; one stretch it always looks at."""
        passed = monotonic() - self.started
        hard, soft = self.limits.seconds - passed, self.limits.count_seconds - passed
        enough = 0 if self.limits.counts_all else self.size + 1
        return Patience(max(0.0, hard), enough, max(0.0, soft), self.limits.few)

    def probe(self, limit: int) -> list["Probe"]:
        """Ask each source for its first places; one that has none ends it."""
        found: list[Probe] = []
        for source in self.sources:
            found.append(self.ask(source, self.span, limit))
            if found[-1].is_all and not found[-1].places:
                break
        return found

    def ask(self, source: Source, span: Span, limit: int) -> "Probe":
        """Ask a source for its first places in a span."""
        try:
            places = source.places(span, limit, self.patience)
        except OutOfTime as exc:
            # it did not look at the place where it stopped
            reached = exc.place + 1 if span.newest_first else exc.place - 1
            return Probe(source, exc.found, (reached,))
        return Probe(source, places, (places[-1],) if len(places) == limit else None)

    def rest(self, leader: Source) -> Check:
        """Return what is left to check of what a source gives."""
        match = leader.check
        for source in self.sources:
            if source is not leader:
                match &= source.whole
        return match

    def walk(self, batch: Batch, after: Key | None, enough: int, most: int) -> Walk:
        """Collect keys until there are `most`, or `enough` and time is up, or it is the end."""
        keys: list[Key] = []
        wanted = most if self.limits.counts_all else enough
        size, looked_at = min(self.limits.first_batch, wanted + wanted // 2), 0
        if self.limits.counts_all:
            size = min(wanted, self.limits.largest_batch)
        while True:
            step = batch(after, size)
            keys += step.keys
            after = step.reached
            if after is None or len(keys) >= most or self._is_over(len(keys) >= enough):
                return Walk(keys, after)
            looked_at += size
            size = min(self._as_many(wanted - len(keys), len(keys), looked_at), 4 * size)
            size = min(max(1, size), self.limits.largest_batch)

    @staticmethod
    def _as_many(lacking: int, kept: int, looked_at: int) -> int:
        """Return how many to look at for what is lacking, and some more: a second look costs."""
        return max(lacking, 1) * looked_at * 5 // (4 * max(kept, 1)) + 1

    def _is_over(self, has_enough: bool) -> bool:
        limit = self.limits.count_seconds if has_enough else self.limits.seconds
        return monotonic() - self.started >= limit

    def lead(self, batch: Batch) -> Found:
        """Return the page after the cursor, and of the first one what is counted on the way."""
        after, enough = self.chosen.after, self.size + 1
        most = enough if after else max(self.limits.counted + 1, enough)
        walk = self.walk(batch, after, enough, most)
        page = self.cut(walk.keys, reached=walk.reached)
        return self.counted(page, len(walk.keys), is_exact=not after and walk.reached is None)

    def counted(self, page: Found, count: int, *, is_exact: bool) -> Found:
        """Return a page with the number of matches; above the limit it is no longer exact."""
        most = self.limits.counted
        if count > most:
            return replace(page, count=most, is_exact=False)
        return replace(page, count=count, is_exact=is_exact, may_count_on=not is_exact)

    def cut(self, keys: Sequence[Key], *, reached: Key | None) -> Found:
        """Return the first keys as a page."""
        page = keys[: self.size]
        places = [key[-1] for key in page]
        if len(keys) > self.size:
            return Found(places, after=page[-1])
        is_partial = reached is not None and len(page) < self.size
        return Found(places, after=reached, is_partial=is_partial)


class _Times(_Search):
    """In the order of time."""

    @property
    def first_look(self) -> int:
        """Return how many to ask each condition for: of a single one, the first are its count."""
        is_alone = len(self.sources) == 1
        if self.limits.counts_all or (is_alone and self.sources[0].may_go_on):
            return max(self.limits.counted, self.size) + 1
        return max(0 if is_alone else self.limits.first_batch, self.size) + 1

    def page(self) -> Found:
        """Return the page after the cursor."""
        probes = self.probe(self.first_look)
        if whole := [probe for probe in probes if probe.is_all]:
            return self._few(min(whole, key=lambda probe: len(probe.places)))
        leader = self._rarest(probes)
        rest = self.rest(leader.source)
        if rest:
            return self.lead(self._batch(leader, rest))
        walk = Walk(leader.keys, leader.reached)
        if self.chosen.after is not None:
            walk = self._batch(leader, rest)(self.chosen.after, self.size + 1)
        page = self.cut(walk.keys, reached=walk.reached)
        return self.counted(page, len(leader.places), is_exact=False)

    def _few(self, probe: Probe) -> Found:
        places = self.rest(probe.source).keep(probe.places)
        span = self._span_after(self.chosen.after)
        later: list[Key] = [(place,) for place in places if span.low <= place < span.high]
        return replace(self.cut(later, reached=None), count=len(places))

    def _rarest(self, probes: list[Probe]) -> Probe:
        """Return the source whose first places reach furthest."""
        furthest = min if self.span.newest_first else max
        return furthest(probes, key=lambda probe: probe.reached or ())

    def _span_after(self, after: Key | None) -> Span:
        return self.span if after is None else self.span.after(after[0])

    def _batch(self, leader: Probe, rest: Check) -> Batch:
        """Return what gives the leader's keys that pass: first those it gave already."""
        at = {place: number for number, place in enumerate(leader.places, start=1)}

        def batch(after: Key | None, size: int) -> Walk:
            first = 0 if after is None else at.get(after[0], len(at))
            probe = Probe(leader.source, leader.places[first : first + size], None)
            if not probe.places:
                probe = self.ask(leader.source, self._span_after(after), size)
            elif first + size < len(at):
                probe = replace(probe, reached=(probe.places[-1],))
            else:
                probe = replace(probe, reached=leader.reached)
            return Walk([(place,) for place in rest.keep(probe.places)], probe.reached)

        return batch


class _Lengths(_Search):
    """In the order of length; what nobody knows the length of is left out."""

    @property
    def patience(self) -> Patience:
        """Return the time for all of a party, which is sorted as a whole or not at all."""
        return Patience(hard=self.limits.sort_seconds, soft=self.limits.sort_seconds)

    def page(self) -> Found:
        """Return the page after the cursor. Raises Invalid for what would take too long."""
        probes = self.probe(self.limits.counted + 1)
        if self._must_sort and not any(probe.is_all for probe in probes):
            probes = self.probe(self.limits.sortable + 1)
        if whole := [probe for probe in probes if probe.is_all]:
            return self._few(min(whole, key=lambda probe: len(probe.places)))
        if any(isinstance(source, Text) for source in self.sources):
            raise Invalid(
                f"More than {self.limits.sortable:,} recordings are of this number or party, too"
                " many to sort by length. Narrow the days down, or sort by time."
            )
        rest = Check(self.span.within)
        for source in self.sources:
            rest &= source.whole
        return self.lead(self._batch(rest))

    @property
    def _must_sort(self) -> bool:
        """Say whether walking by length would find little: a party, or some days."""
        is_text = any(isinstance(source, Text) for source in self.sources)
        return is_text or bool(self.span.within)

    def _few(self, probe: Probe) -> Found:
        places = self.rest(probe.source).keep(probe.places)
        known = Recording.objects.order_by().filter(place__among=places, duration_ms__isnull=False)
        lengths = known.values_list("duration_ms", "place")
        keys: list[Key] = sorted(
            ((ms or 0, place) for ms, place in lengths), reverse=self.chosen.longest_first
        )
        later = keys
        if (after := self.chosen.after) is not None:
            later = [key for key in keys if (key < after) == self.chosen.longest_first]
            later = [key for key in later if key != after]
        page = self.cut(later, reached=None)
        count = min(len(keys), self.limits.counted)
        return replace(page, count=count, is_exact=len(keys) <= self.limits.counted)

    def _batch(self, rest: Check) -> Batch:
        def batch(after: Key | None, size: int) -> Walk:
            keys = by_length(
                Recording.objects.all(),
                longest_first=self.chosen.longest_first,
                after=after,
                limit=size,
            )
            kept = set(rest.keep([key[-1] for key in keys]))
            reached = keys[-1] if len(keys) == size else None
            return Walk([key for key in keys if key[-1] in kept], reached)

        return batch
