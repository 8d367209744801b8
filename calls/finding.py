"""Search on the board: one text typed by a person, against the numbers and names of a row.

The browser asks the same question of rows that the stream brings: `finds` of static/rows.js.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from calls import contacts
from calls.models import Call


def haystack(legs: Iterable[Call]) -> str:
    """Return what a conversation can be found by: digits of its numbers, names and addresses."""
    said = (_said(leg.from_number, leg.to_number, leg.caller_name, *_names(leg)) for leg in legs)
    return "|".join(dict.fromkeys(each for part in said for each in part))


def _names(leg: Call) -> tuple[str, str]:
    return contacts.name_of(leg.from_number), contacts.name_of(leg.to_number)


@lru_cache(4096)
def _said(*texts: str) -> list[str]:
    written = (digits(text) if text.startswith("+") else plain(text) for text in texts)
    return list(filter(None, written))


def finds(text: str, haystack: str) -> bool:
    """Say whether a typed text finds it: a number however spelt, its last digits, or words."""
    wanted = plain(text)
    if re.fullmatch(r"[\d\s()+./-]*\d[\d\s()+./-]*", wanted, re.ASCII):
        wanted = digits(wanted)
        return (wanted.lstrip("0") or wanted) in haystack  # zeros in front are for dialling
    return all(word in haystack for word in wanted.split())


def plain(text: str) -> str:
    """Return a text as it is compared."""
    return text.replace("|", " ").lower().strip()


def digits(text: str) -> str:
    """Return the digits of a number."""
    return re.sub(r"[^0-9]", "", text)
