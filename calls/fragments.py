"""Parts of a row that depend on a few values alone: rendered once, while these are the same.

A part sees nothing but its values, so it cannot be out of date: what a template is to show besides
has to be added here, and then counts. A part with a clock is never the same, so it is none.
"""

from collections.abc import Hashable
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

from django.template.loader import get_template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from calls import contacts

MOST = 8192  # parts kept: seven of each of a thousand calls, about 10 MB
NOBODY = UUID(int=0)


class Handles(NamedTuple):
    """What the buttons of a leg show."""

    id: str
    place: int
    customer: str
    slots: tuple[Hashable, ...]
    many: bool


class Seen(NamedTuple):
    """What line and sound look at in a call."""

    pk: UUID | None  # if it has a button
    line: str
    ended_inferred: bool
    sound: str
    sound_medium: str
    transcribing: bool


class Glimpse(NamedTuple):
    """What line and sound look at in a leg."""

    id: str
    place: int
    may_answer: bool
    call: Seen
    medium: str  # that plays, in the words of people
    many: bool
    control: bool


class Party(NamedTuple):
    """What is shown of the people of a call."""

    id: str
    url: str
    customer: str
    caller_name: str
    direction: str
    ours: str


def fragment(template: str, shown: Handles | Glimpse | Party) -> SafeString:
    """Return a part of a row; its template sees the values by name, and as those of `leg`.

    And it sees whose numbers they are: another edition of the contacts renders it anew.
    """
    return rendered(template, shown, contacts.edition())


@lru_cache(MOST)
def rendered(template: str, shown: Handles | Glimpse | Party, edition: str) -> SafeString:
    """Return a part for an edition of the contacts."""
    html = get_template(template).render({"leg": shown, **shown._asdict()})
    return mark_safe(html.strip())  # noqa: S308  (rendered by our own templates)


def href(name: str, call: UUID, *more: str) -> str:
    """Return the address of a page or command of a call.

    Asking Django for each button of each row took half of the time of a row.
    """
    return _pattern(name, *more).replace(str(NOBODY), str(call))


@cache
def _pattern(name: str, *more: str) -> str:
    return reverse(name, args=[NOBODY, *more])
