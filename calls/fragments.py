"""Parts of a page about calls that depend on a few values alone: rendered once for each of these.

    values --template--> part with marks --filled--> part with what a call has of its own

A part sees nothing but its values, so it cannot be out of date: what a template is to show besides
has to be added here, and then counts. What is a call's own, an id, a clock, whose number it is, is
set in afterwards, where the template has a mark: <!--its name-->.
"""

import re
from collections.abc import Hashable, Mapping
from functools import cache, lru_cache
from html import escape
from typing import NamedTuple, TypeAlias
from uuid import UUID

from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import strip_spaces_between_tags
from django.utils.safestring import SafeString

MOST = 2048  # parts kept: there are as many as there are names of sounds and rules; about 2 MB
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


class Place(NamedTuple):
    """What says which leg it is."""

    many: bool  # there are others


class Cells(NamedTuple):
    """What cells a row has."""

    is_live: bool
    recorded: int  # the place of the leg of which a recording is shown
    sounding: int  # and of that of which a sound is
    is_watched: bool


class Nothing(NamedTuple):
    """What is shown of a part that is always the same."""


class People(NamedTuple):
    """What is shown of the people of a call, but for who they are."""

    direction: str
    has_caller: bool  # who shows a name


class Told(NamedTuple):
    """What is said about a wish, but for its times."""

    state: str
    is_open: bool
    doing: str
    label: str
    why: str
    object: str
    who: str
    is_again: bool
    is_accepted: bool
    accepted_is_all: bool
    awaits_webhook: bool
    is_confirmed: bool
    trouble: str
    reason: str
    advice: str


class Note(NamedTuple):
    """What is said in a row: what needs a person, else how a wish fared, but for its times."""

    needs: str = ""
    is_open: bool = False
    doing: str = ""
    label: str = ""
    trouble: str = ""
    is_accepted: bool = False
    is_confirmed: bool = False


Own: TypeAlias = str | int | UUID
Shown: TypeAlias = Handles | Line | Sound | Rec | Place | Cells | Nothing | People | Told | Note


def leg_id(call: UUID) -> str:
    """Return the id of a leg on a page."""
    return f"leg-{call.hex[:12]}"


@lru_cache(MOST)
def fragment(template: str, shown: Shown) -> SafeString:
    """Return a part; its template sees the values by name, and marks for `id` and `pk`."""
    html = anew(template, **{"id": NOBODYS_LEG, "pk": NOBODY, **shown._asdict()})
    return SafeString(html.replace(NOBODYS_LEG, "<!--leg-->").replace(NOBODYS, "<!--pk-->"))


def anew(template: str, **values: object) -> SafeString:
    """Render a part, for those who may control calls and for those who may not."""
    html = get_template(template).render({**values, "control": FOR_BOTH})
    return SafeString(strip_spaces_between_tags(html.strip()))


def joined(html: str, **parts: str) -> SafeString:
    """Return a part with others where their marks are; it keeps all other marks, and theirs."""
    return SafeString(MARK.sub(lambda mark: parts.get(mark[1], mark[0]), html))


def filled(html: str, **own: Own) -> SafeString:
    """Return a part with what a call has of its own where its marks are."""
    return SafeString(fill(pieces(html), safe(own)))


def pieces(html: str) -> list[str]:
    """Return a part in pieces: text, the name of a mark, text, and so on."""
    return MARK.split(html)


def fill(pieces: list[str], own: Mapping[str, str]) -> str:
    """Return the pieces of a part with HTML in the place of the marks."""
    full = pieces.copy()
    full[1::2] = [own[name] for name in pieces[1::2]]
    return "".join(full)


def safe(own: Mapping[str, Own]) -> dict[str, str]:
    """Return values as HTML."""
    return {
        name: value if isinstance(value, SafeString) else _escaped(value)
        for name, value in own.items()
    }


@lru_cache(8 * MOST)  # a dozen texts of each of a thousand calls
def _escaped(value: Own) -> str:
    return escape(str(value))


def only(html: SafeString) -> SafeString:
    """Mark a part as seen by those alone who may control calls."""
    return SafeString(f"{ONLY}{html}{END}")


def seen(html: str, *, control: bool) -> str:
    """Return what those see who may control calls, or those who may not."""
    if ONLY not in html:
        return html
    first, *others = html.split(ONLY)
    pairs = [part.partition(END) for part in others]
    return first + "".join(theirs * control + everybodys for theirs, _, everybodys in pairs)


def href(name: str, call: UUID, *more: str) -> str:
    """Return the address of a page or command of a call.

    Asking Django for each button of each row took half of the time of a row.
    """
    return _pattern(name, *more).replace(NOBODYS, str(call))


@cache
def _pattern(name: str, *more: str) -> str:
    return reverse(name, args=[NOBODY, *more])
