"""The active filters in words, each with the address of the list without it."""

from dataclasses import dataclass

from django.http import QueryDict

from recordings.filters.parameters import CURSOR, LABELS, PAUSED, address, values
from recordings.models import State

CHANNELS = {"1": "1 (both sides together)", "2": "2 (a side each)"}


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter, and the address without it."""

    label: str
    value: str
    without: str
    name: str = ""  # the parameter


def chips(query: QueryDict) -> list[Chip]:
    """Return the active filters in the order of the form; the query was read without a fault."""
    text = values(query)
    return [
        Chip(label, _words(name, text[name]), address(query, **{name: None, CURSOR: None}), name)
        for name, label in LABELS.items()
        if text[name]
    ]


def _words(name: str, value: str) -> str:
    if name == "state":
        return State(value).label
    if name == "paused":
        return PAUSED[value]
    if name == "channels":
        return CHANNELS[value]
    if name == "direction" or value in ("yes", "no"):
        return value.capitalize()
    return value
