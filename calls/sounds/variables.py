"""The {variables} of a text: what there is, what is wrong with a text, and filling it.

    fill("Your number is {caller_number}.", values) -> text      raises Wrong

{name|words} says the words where a call has no such value; {{ and }} stand for braces.
"""

import re
from collections.abc import Callable, Mapping

from calls.telnyx.checks import shown

VARIABLES: Mapping[str, str] = {
    "caller_number": "the customer's number, digit by digit",
    "caller_name": "the name that the caller shows",
    "our_number": "the number of ours that the call runs on, digit by digit",
    "agent": "who is on the other leg: a name, or a number digit by digit",
    "me": "your name",
    "time": "the time of the day, as 14:05",
    "date": "the day, as 26 November",
}
PART = re.compile(r"\{\{|\}\}|\{(?P<inside>[^{}]*)\}|[{}]")
SAMPLE = "x"


class Wrong(ValueError):
    """What keeps a text from being filled: a sentence without its subject."""


def check(text: str) -> None:
    """Raise Wrong for a variable that does not exist, or a brace that stands alone."""
    _each(text, lambda name, otherwise: SAMPLE)


def sample(text: str) -> str:
    """Return a text with something in the place of every variable. Raises Wrong."""
    return _each(text, lambda name, otherwise: SAMPLE)


def fill(
    text: str,
    values: Mapping[str, str],
    *,
    escape: Callable[[str], str] = lambda value: value,
) -> str:
    """Return a text with the values of one call in it. Raises Wrong, also for what it lacks."""

    def value(name: str, otherwise: str | None) -> str:
        found = values.get(name) or otherwise
        if found is None:
            raise Wrong(
                f"has {{{name}}}, and this call has none: change the text,"
                f" or say what else to say, as {{{name}|our customer}}"
            )
        return escape(found)

    return _each(text, value)


def _each(text: str, value: Callable[[str, str | None], str]) -> str:
    def one(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match["inside"] is None:
            place = match.start() + 1
            raise Wrong(f"has a single {match[0]} at character {place}; write {match[0] * 2}")
        name, bar, otherwise = match["inside"].partition("|")
        name = name.strip()
        if name not in VARIABLES:
            known = ", ".join(f"{{{known}}}" for known in VARIABLES)
            raise Wrong(f"has {{{shown(name)[1:-1]}}}, which is no variable; there is {known}")
        return value(name, otherwise.strip() if bar else None)

    return PART.sub(one, text)
