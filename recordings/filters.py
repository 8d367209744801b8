"""The library's filters: the query of the address into a queryset, or a sentence on what is odd.

    read(request.GET) -> Filters, or Invalid          Filters.choose(recordings) -> queryset

Everything is in the address, so a list can be shared, and an unknown parameter is never ignored.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Concat
from django.http import QueryDict
from django.utils import timezone

from recordings.models import DIGITS, RecordingQuerySet, State, Transcript

LABELS = {
    "q": "Search",
    "number": "Number",
    "party": "Party or agent",
    "from": "From",
    "to": "To",
    "direction": "Direction",
    "longer": "Longer than, s",
    "shorter": "Shorter than, s",
    "state": "State",
    "channels": "Channels",
    "transcript": "Transcript",
    "tag": "Tag",
    "flagged": "Flagged",
    "reviewed": "Reviewed",
    "paused": "Paused",
}
SORT, NEWEST = "sort", "newest"
CURSOR = "after"
CHOICES = {
    "direction": ("incoming", "outgoing"),
    "channels": ("1", "2"),
    **dict.fromkeys(("transcript", "flagged", "reviewed", "paused"), ("yes", "no")),
    "sort": (NEWEST,),
}
LONGEST = 200
YEARS = range(1970, 2100)
NUMBER = re.compile(r"[\d\s()+./-]*\d[\d\s()+./-]*")
PLACE = re.compile(r"[0-9]{1,19}")
LAST_PLACE = (1 << 63) - 1
FULL_LENGTH = 7  # digits; of such a number, leading zeros are a prefix for dialling


class Invalid(Exception):
    """The address holds something that is no filter; the text says what."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter, and the address without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to."""

    q: str
    number: str
    since: date | None
    until: date | None
    state: str
    after: int | None  # a recording's place
    columns: Q  # what a recording's own columns are narrowed to

    @property
    def wants_words(self) -> bool:
        """Say whether the search is for what was said."""
        return bool(self.q) and not NUMBER.fullmatch(self.q)

    @property
    def is_search(self) -> bool:
        """Say whether matches must be looked for: few or many, the two want different ways."""
        return bool(self.q or self.number)

    @property
    def numbers(self) -> list[str]:
        """Return the telephone numbers that are searched for, as they were typed."""
        return [text for text in (self.number, "" if self.wants_words else self.q) if text]

    def choose(
        self, recordings: RecordingQuerySet, *, may_read: bool, by_time: bool = False
    ) -> RecordingQuerySet:
        """Narrow recordings down; only who may read transcripts finds by their words.

        `by_time` is for numbers that many recordings have: it keeps the database from collecting
        and sorting all of them, when the newest are found sooner by walking back in time.
        """
        if self.wants_words:
            for word in self.q.split():
                recordings = recordings.filter(_says(word, may_read=may_read))
        for number in self.numbers:
            recordings = recordings.alias(**_columns(by_time=by_time)).filter(_ends_with(number))
        if self.since:
            recordings = recordings.filter(started_at__gte=_midnight(self.since))
        if self.until:  # this day included, however long it is
            recordings = recordings.filter(
                started_at__lt=_midnight(self.until + timedelta(days=1))
            )
        if self.state:
            recordings = recordings.filter(state=self.state)
        return recordings.filter(self.columns)

    def page(self, recordings: RecordingQuerySet) -> RecordingQuerySet:
        """Keep what comes after the place where the last page ended."""
        if self.after is None:
            return recordings
        return recordings.filter(place__lt=self.after)


def read(query: QueryDict) -> Filters:
    """Read the parameters of an address. Raises Invalid."""
    for name, value in query.items():
        if name not in (*LABELS, SORT, CURSOR):
            known = ", ".join(LABELS)
            raise Invalid(f"There is no filter {name[:40]!r}. Known are {known}.")
        if len(value) > LONGEST:
            raise Invalid(f"{name} has {len(value)} characters, the limit is {LONGEST}.")
        if "\0" in value:
            raise Invalid(f"{name} holds a character that no text has.")
    text = _values(query)
    since, until = (_day(name, text[name]) for name in ("from", "to"))
    if since and until and since > until:
        raise Invalid(f"from ({since}) is after to ({until}).")
    if text["state"] and text["state"] not in State.values:
        states = ", ".join(State.values)
        raise Invalid(f"There is no state {text['state'][:40]!r}. Known are {states}.")
    if text["number"] and not NUMBER.fullmatch(text["number"]):
        raise Invalid(f"number is {text['number'][:40]!r}, which is no telephone number.")
    for name, choices in CHOICES.items():
        if text[name] and text[name] not in choices:
            raise Invalid(f"{name} is {text[name][:40]!r}. Known are {', '.join(choices)}.")
    after = _place(text[CURSOR])
    return Filters(
        text["q"], text["number"], since, until, text["state"], after, _of_columns(text)
    )


def _of_columns(text: dict[str, str]) -> Q:
    match = Q()
    for name in ("direction", "channels"):
        if text[name]:
            match &= Q(**{name: text[name]})
    for name in ("transcript", "flagged", "reviewed", "paused"):
        if text[name]:
            column = "has_transcript" if name == "transcript" else name
            match &= Q(**{column: text[name] == "yes"})
    if text["party"]:
        party = text["party"]
        match &= Q(agent=party) | Q(from_number=party) | Q(to_number=party)
    if text["tag"]:
        match &= Q(taggings__tag__name=text["tag"].lower())
    for name, sign in (("longer", "gte"), ("shorter", "lt")):
        if text[name]:
            if not re.fullmatch(r"[0-9]{1,6}", text[name]):
                raise Invalid(f"{name} is {text[name][:40]!r}, which is no number of seconds.")
            match &= Q(**{f"duration_ms__{sign}": int(text[name]) * 1000})
    return match


def chips(query: QueryDict) -> list[Chip]:
    """Return the active filters in the order of the form."""
    text = _values(query)
    return [
        Chip(
            label,
            State(text[name]).label if name == "state" else text[name],
            address(query, **{name: None, CURSOR: None}),
        )
        for name, label in LABELS.items()
        if text[name]
    ]


def address(query: QueryDict, **changes: str | None) -> str:
    """Return the query of the list with parameters changed or (None) left out, and none empty."""
    wanted = {**_values(query), **changes}
    return "?" + urlencode({name: value for name, value in wanted.items() if value})


def _values(query: QueryDict) -> dict[str, str]:
    return {name: str(query.get(name, "")).strip() for name in (*LABELS, SORT, CURSOR)}


def _place(text: str) -> int | None:
    if not text:
        return None
    if not PLACE.fullmatch(text) or int(text) > LAST_PLACE:
        raise Invalid(f"{CURSOR} is {text[:60]!r}, which is no place in this list.")
    return int(text)


def _day(name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as exc:
        raise Invalid(f"{name} is {text[:40]!r}, which is no date like 2026-03-31.") from exc
    if day.year not in YEARS:
        raise Invalid(f"{name} is {day}, which is not between {YEARS[0]} and {YEARS[-1]}.")
    return day


def _midnight(day: date) -> datetime:
    """Return the moment a day begins here: days of 23 and of 25 hours come out right."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())


def _ends_with(number: str) -> Q:
    """Match both parties by the last digits, in whatever spelling they are given."""
    digits = re.sub(r"\D", "", number)
    endings = {digits}
    if len(digits) >= FULL_LENGTH:
        endings.add(digits.lstrip("0") or digits)
    match = Q()
    for ending in endings:
        first = ending[::-1][:DIGITS]
        # a range and not LIKE, because both databases find it in the index; letters follow digits
        for column in ("from_end", "to_end"):
            match |= Q(**{f"{column}__gte": first, f"{column}__lt": f"{first}A"})
    return match


def _columns(*, by_time: bool) -> dict[str, F | Concat]:
    """Return the two columns of reversed digits, or what no index knows to be the same."""
    names = {"from_end": "from_reversed", "to_end": "to_reversed"}
    return {
        alias: Concat(F(name), Value("")) if by_time else F(name) for alias, name in names.items()
    }


def _says(word: str, *, may_read: bool) -> Q:
    """Match a word of the transcript, or of an address like sip:lee@example.com."""
    match = Q(from_number__icontains=word) | Q(to_number__icontains=word)
    if may_read:
        said = Transcript.objects.filter(recording=OuterRef("pk"), text__icontains=word)
        match |= Q(Exists(said))
    return match
