"""Parts of a row that depend on a few values alone: rendered once, while these are the same.

    values --template--> part of nobody's call --shared--> part of this call
    values --template--> part with marks --filled--> part with what it has of its own

A part sees nothing but its values, so it cannot be out of date: what a template is to show besides
has to be added here, and then counts. What is never the same, a clock or an id, is set in
afterwards, where the template has a mark: <!--its name-->.
"""

import re
from collections.abc import Hashable
from functools import cache, lru_cache
from html import escape
from typing import NamedTuple, TypeAlias
from uuid import UUID

from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import strip_spaces_between_tags
from django.utils.safestring import SafeString

from calls import contacts

MOST = 8192  # parts kept: two of each of a thousand calls, and those they share; about 10 MB
NOBODY = UUID(int=0)
NOBODYS, NOBODYS_LEG = str(NOBODY), f"leg-{NOBODY.hex[:12]}"
FOR_BOTH = "both"  # as `control`: for those who may control calls and for those who may not
ONLY, END = "<!--control-->", "<!--/control-->"  # no text of anybody's has a <
MARK = re.compile(r"<!--(\w+)-->")


class Handles(NamedTuple):
    """What the buttons of a leg show."""

    slots: tuple[Hashable, ...]


class Line(NamedTuple):
    """What is shown of a leg's line."""

    line: str
    ended_inferred: bool


class Sound(NamedTuple):
    """What is shown of a leg's sound."""

    sound: str
    sound_medium: str
    medium: str  # in the words of people
    transcribing: bool


class Rec(NamedTuple):
    """What is shown of a leg's recording, but for its clocks."""

    recording: str
    ended_while_paused: bool
    rule: str  # that began it
    doing: str  # what is under way
    look: str  # of the pause that is watched


class Controls(NamedTuple):
    """What is shown around the buttons of a leg."""

    many: bool
    place: int
    customer: str


class Frame(NamedTuple):
    """What cells a row has."""

    is_live: bool
    recorded: int  # the place of the leg of which a recording is shown
    sounding: int  # and of that of which a sound is
    is_watched: bool


class Nothing(NamedTuple):
    """What is shown of a part that is always the same."""


class Party(NamedTuple):
    """What is shown of the people of a call."""

    id: str
    url: str
    customer: str
    caller_name: str
    direction: str
    ours: str


Shown: TypeAlias = Handles | Line | Sound | Rec | Controls | Frame | Nothing | Party


def leg_id(call: UUID) -> str:
    """Return the id of a leg on a page."""
    return f"leg-{call.hex[:12]}"


def fragment(template: str, shown: Shown) -> SafeString:
    """Return a part of a row; its template sees the values by name.

    And it sees whose numbers they are: another edition of the contacts renders it anew.
    """
    return rendered(template, shown, contacts.edition())


@lru_cache(MOST)
def rendered(template: str, shown: Shown, edition: str) -> SafeString:
    """Return a part for an edition of the contacts."""
    return anew(template, **{"id": NOBODYS_LEG, "pk": NOBODY, **shown._asdict()})


def anew(template: str, **values: object) -> SafeString:
    """Render a part of a row, for those who may control calls and for those who may not."""
    html = get_template(template).render({**values, "control": FOR_BOTH})
    return SafeString(strip_spaces_between_tags(html.strip()))


def shared(template: str, shown: Shown, call: UUID) -> SafeString:
    """Return a part that calls share: it is rendered of nobody's, and then says whose it is."""
    html = fragment(template, shown).replace(NOBODYS_LEG, leg_id(call))
    return SafeString(html.replace(NOBODYS, str(call)))


def filled(html: str, **own: str | int) -> SafeString:
    """Return a part with what it has of its own where its marks are."""
    safe = {
        name: value if isinstance(value, SafeString | int) else escape(value)
        for name, value in own.items()
    }
    return SafeString(_shape(html, tuple(own)) % safe)


@lru_cache(MOST)
def _shape(html: str, names: tuple[str, ...]) -> str:
    """Return a part as a format with these names."""
    html = html.replace("%", "%%")
    return MARK.sub(lambda mark: f"%({mark[1]})s" if mark[1] in names else mark[0], html)


def only(html: SafeString) -> SafeString:
    """Mark a part of a row as seen by those alone who may control calls."""
    return SafeString(f"{ONLY}{html}{END}")


def parted(html: str) -> dict[bool, str]:
    """Return what those see who may control calls, and those who may not."""
    first, *others = html.split(ONLY)
    pairs = [part.partition(END) for part in others]
    return {
        True: first + "".join(theirs + everybodys for theirs, _, everybodys in pairs),
        False: first + "".join(everybodys for _, _, everybodys in pairs),
    }


def href(name: str, call: UUID, *more: str) -> str:
    """Return the address of a page or command of a call.

    Asking Django for each button of each row took half of the time of a row.
    """
    return _pattern(name, *more).replace(NOBODYS, str(call))


@cache
def _pattern(name: str, *more: str) -> str:
    return reverse(name, args=[NOBODY, *more])
