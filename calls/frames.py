"""The frame of a row: all of it that calls which look the same share, kept for both audiences.

    look --templates--> cells with marks --frame--> in pieces, for each audience --own--> row

Of a thousand rows most look like another one, so a changed row is seldom more than its frame,
filled. What differs from call to call is no part of a look, but has a mark.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from django.utils.safestring import SafeString

from calls.buttons import Standing, can_answer, slots
from calls.fragments import (
    Cells,
    Handles,
    Line,
    Nothing,
    People,
    Place,
    Rec,
    Sound,
    fragment,
    joined,
    pieces,
    seen,
)

MOST = 512  # frames kept; about 7 MB
OF_SOUNDING = {"leg": "<!--sounding_leg-->", "pk": "<!--sounding_pk-->"}  # may be another leg


class Look(NamedTuple):
    """What rows of one frame have in common."""

    cells: Cells
    line: Line
    people: People
    rec: Rec
    sound: Sound
    place: Place
    standing: Standing


@lru_cache(MOST)
def frame(look: Look) -> Mapping[bool, list[str]]:
    """Return a row in pieces, for those who may control calls and for those who may not."""
    html = joined(
        fragment("calls/_row.html", look.cells),
        line=line(look.line),
        answer=answer(look.standing),
        who=fragment("calls/_who.html", look.people),
        rec=rec(look.rec),
        sound=joined(sound(look.sound), **OF_SOUNDING),
        controls=controls(look.place, look.standing),
        more=fragment("calls/_more.html", look.place),
    )
    return {control: pieces(seen(html, control=control)) for control in (True, False)}


def line(shown: Line) -> SafeString:
    """Return how a line is."""
    return fragment("calls/_line.html", shown)


def rec(shown: Rec) -> SafeString:
    """Return how a recording is; marks: since, left."""
    return fragment("calls/_recording.html", shown)


def sound(shown: Sound) -> SafeString:
    """Return what sounds; marks: leg, pk."""
    return fragment("calls/_sound.html", shown)


def answer(standing: Standing) -> SafeString:
    """Return the button for a call that waits for it, else nothing; marks: leg, pk."""
    return fragment("calls/_answer.html", Nothing()) if can_answer(standing) else SafeString()


def controls(place: Place, standing: Standing) -> SafeString:
    """Return buttons as a group with a name; marks: leg, pk, place, customer_name."""
    buttons = fragment("calls/_buttons.html", Handles(slots(standing)))
    return joined(fragment("calls/_controls.html", place), buttons=buttons)
