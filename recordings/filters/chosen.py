"""What a list is narrowed down to, and in which order it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from recordings.models import first_place
from recordings.search.query import NUMBER
from recordings.search.schema import LAST_PLACE
from recordings.search.sources import Key, Span

PAUSED: dict[str, dict[str, bool | None]] = {
    "": {},
    "yes": {"paused": True},
    "no": {"paused": False},
    "to-the-end": {"ended_paused": True},
    "unverified": {"pause_unverified": True},
}


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list; "" and None are none."""

    q: str = ""
    number: str = ""
    party: str = ""
    since: date | None = None
    until: date | None = None
    direction: str = ""
    longer_ms: int | None = None  # or as long
    shorter_ms: int | None = None
    state: str = ""
    channels: int | None = None
    transcript: bool | None = None
    tag: str = ""
    flagged: bool | None = None
    reviewed: bool | None = None
    paused: str = ""  # yes, no, to-the-end or unverified
    sort: str = "newest"
    after: Key | None = None  # where the last page ended

    @property
    def wants_words(self) -> bool:
        """Say whether the search is for what was said."""
        return bool(self.q) and not NUMBER.fullmatch(self.q)

    @property
    def numbers(self) -> list[str]:
        """Return the telephone numbers that are searched for, as they were typed."""
        return [text for text in (self.number, "" if self.wants_words else self.q) if text]

    @property
    def by_length(self) -> bool:
        return self.sort in ("longest", "shortest")

    @property
    def longest_first(self) -> bool:
        return self.sort == "longest"

    @property
    def span(self) -> Span:
        """Return the days as places: the last day is included, however long it is."""
        low = first_place(_midnight(self.since)) if self.since else 0
        after = self.until + timedelta(days=1) if self.until else None
        high = first_place(_midnight(after)) if after else LAST_PLACE
        return Span(low, high, newest_first=self.sort != "oldest")

    @property
    def columns(self) -> Iterator[Q]:
        """Yield a condition for each filter that is a column of the recording."""
        texts = {"direction": self.direction, "state": self.state}
        yield from (Q(**{name: text}) for name, text in texts.items() if text)
        # As a list of one: SQLite finds no value in its index for Django's "NOT reviewed". The
        # other two have an index of what is true alone, which it knows by Django's own words.
        listed = {"has_transcript__in": self.transcript, "reviewed__in": self.reviewed}
        yield from (Q(**{name: [flag]}) for name, flag in listed.items() if flag is not None)
        flags = {"flagged": self.flagged, **PAUSED[self.paused]}
        yield from (Q(**{name: flag}) for name, flag in flags.items() if flag is not None)
        if self.channels is not None:
            yield Q(channels=self.channels)


def _midnight(day: date) -> datetime:
    """Return the moment a day begins here: days of 23 and of 25 hours come out right."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())
