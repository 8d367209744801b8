"""The parameters of the list's address, each read, or refused with the thing, value and limit."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlencode

from django.http import QueryDict

from recordings.filters.chosen import Filters
from recordings.models import State
from recordings.search.named import named
from recordings.search.query import NUMBER, Unclear, parse, parse_party
from recordings.search.schema import LAST_PLACE
from recordings.search.sources import Key

LABELS = {
    "q": "Search",
    "number": "Number",
    "party": "Party or agent",
    "from": "From",
    "to": "To",
    "direction": "Direction",
    "longer": "At least",
    "shorter": "At most",
    "state": "State",
    "channels": "Channels",
    "transcript": "Transcript",
    "tag": "Tag",
    "flagged": "Flagged",
    "reviewed": "Reviewed",
    "paused": "Paused",
}
SORT, CURSOR = "sort", "after"
KNOWN = (*LABELS, SORT, CURSOR)
SORTS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "longest": "Longest first",
    "shortest": "Shortest first",
}
PAUSED = {
    "yes": "Yes",
    "no": "No",
    "to-the-end": "To the end",
    "unverified": "Its length does not fit",
}
DIRECTIONS = ("incoming", "outgoing")
LONGEST = 200
LONGEST_TAG = 40
YEARS = range(1970, 2100)
CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,4}):([0-5]\d)")
UNITS = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m(?:in)?)?(?:(\d{1,6})s?)?")
LONGEST_S = 100 * 3600  # our choice; Telnyx ends a recording after some hours
PLACE = re.compile(r"(?:([0-9]{1,10})-)?([0-9]{1,19})")


class Invalid(Exception):
    """The address holds something that is no filter; the text says what."""


def read(query: QueryDict) -> Filters:
    """Read the parameters of an address. Raises Invalid."""
    for name, given in query.lists():
        _check(name, given)
    text = values(query)
    chosen = Filters(
        q=_clear("q", text["q"], lambda q: None if NUMBER.fullmatch(q) else parse(q)),
        number=_number(text["number"]),
        party=_clear("party", text["party"], parse_party),
        since=_day("from", text["from"]),
        until=_day("to", text["to"]),
        direction=_one_of("direction", text["direction"], DIRECTIONS),
        longer_ms=_length("longer", text["longer"], 0),
        shorter_ms=_length("shorter", text["shorter"], 999),  # 1:30 is shown until it is 1:31
        state=_one_of("state", text["state"], State.values),
        channels=int(_one_of("channels", text["channels"], ("1", "2")) or 0) or None,
        transcript=_flag("transcript", text["transcript"]),
        tag=_tag(text["tag"]),
        flagged=_flag("flagged", text["flagged"]),
        reviewed=_flag("reviewed", text["reviewed"]),
        paused=_one_of("paused", text["paused"], tuple(PAUSED)),
        sort=_one_of(SORT, text[SORT], SORTS) or "newest",
        after=_place(text[CURSOR]),
    )
    _agree(chosen, text)
    return chosen


def values(query: QueryDict) -> dict[str, str]:
    """Return every parameter, "" for those not given."""
    return {name: str(query.get(name, "")).strip() for name in KNOWN}


def address(query: QueryDict, **changes: str | None) -> str:
    """Return the query of the list with parameters changed or (None) left out, and none empty."""
    wanted: Mapping[str, str | None] = {**values(query), **changes}
    return "?" + urlencode({name: value for name, value in wanted.items() if value})


def cursor(key: Key) -> str:
    """Write where a page ended, for `after`."""
    return "-".join(map(str, key))


def _check(name: str, given: list[str]) -> None:
    if name not in KNOWN:
        raise Invalid(f"There is no filter {name[:40]!r}. Known are {', '.join(LABELS)}.")
    if len(given) > 1:
        raise Invalid(f"{name} is given {len(given)} times; give it once.")
    for value in given:
        if len(value) > LONGEST:
            raise Invalid(f"{name} has {len(value)} characters, the limit is {LONGEST}.")
        if "\0" in value:
            raise Invalid(f"{name} holds a character that no text has.")


def _agree(chosen: Filters, text: Mapping[str, str]) -> None:
    """Refuse filters that are fine alone and not together."""
    if chosen.since and chosen.until and chosen.since > chosen.until:
        raise Invalid(f"from ({chosen.since}) is after to ({chosen.until}).")
    if None not in (chosen.longer_ms, chosen.shorter_ms):
        assert chosen.longer_ms is not None  # noqa: S101  (said just above)
        assert chosen.shorter_ms is not None  # noqa: S101
        if chosen.longer_ms > chosen.shorter_ms:
            raise Invalid(f"longer ({text['longer']}) is more than shorter ({text['shorter']}).")
    if chosen.wants_words and chosen.by_length:
        raise Invalid(
            f"A search for words is in the order of time: sort can be newest or oldest, not"
            f" {chosen.sort}."
        )
    if chosen.after is not None and len(chosen.after) != (2 if chosen.by_length else 1):
        raise Invalid(f"{CURSOR} is {text[CURSOR]!r}, which is no place in this list.")


def _clear(name: str, text: str, parse: Callable[[str], object]) -> str:
    if text:
        try:
            parse(text)
        except Unclear as exc:
            raise Invalid(f"{name}: {exc}") from exc
    return text


def _number(text: str) -> str:
    if text and not NUMBER.fullmatch(text) and named(text) is None:
        raise Invalid(f"number is {text[:40]!r}, which is no telephone number, and no contact's.")
    return text


def _one_of(name: str, text: str, known: "list[str] | tuple[str, ...] | dict[str, str]") -> str:
    if text and text not in known:
        raise Invalid(f"There is no {name} {text[:40]!r}. Known are {', '.join(known)}.")
    return text


def _flag(name: str, text: str) -> bool | None:
    if not text:
        return None
    if text not in ("yes", "no"):
        raise Invalid(f"{name} is {text[:40]!r}; it can be yes or no.")
    return text == "yes"


def _tag(text: str) -> str:
    if len(text) > LONGEST_TAG:
        raise Invalid(f"tag has {len(text)} characters, the limit is {LONGEST_TAG}.")
    return text.lower()


def _length(name: str, text: str, more_ms: int) -> int | None:
    if not text:
        return None
    match = CLOCK.fullmatch(text) or UNITS.fullmatch(text.replace(" ", "").lower())
    if match is None:
        raise Invalid(f"{name} is {text[:40]!r}, which is no length like 1:30, 90 or 5m.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if total > LONGEST_S:
        raise Invalid(f"{name} is {text[:40]!r}, the limit is {LONGEST_S // 3600} hours.")
    return total * 1000 + more_ms


def _place(text: str) -> Key | None:
    if not text:
        return None
    match = PLACE.fullmatch(text)
    if match is None or int(match[2]) > LAST_PLACE:
        raise Invalid(f"{CURSOR} is {text[:60]!r}, which is no place in this list.")
    return (int(match[2]),) if match[1] is None else (int(match[1]), int(match[2]))


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
