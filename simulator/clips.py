"""A clip is a sound described, not heard: how long it is, and which words fall where.

The world only knows clips. `Estimator` makes them by arithmetic, `library.Library` from audio.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

MS_PER_LETTER = 62  # about 150 English words a minute
MS_PER_GAP = 70
NAMED_MS = {"hold-music": 16_000, "recording-notice": 5_000, "apology": 4_000}


class Word(NamedTuple):
    """A word of a clip and when it sounds, in milliseconds from the clip's start."""

    text: str
    start_ms: int
    end_ms: int


class Clip(NamedTuple):
    """A piece of audio; `key` is the spoken text, the media's name, or the id of fetched audio."""

    kind: Literal["speech", "media", "fetched", "beep"]
    key: str
    ms: int
    words: tuple[Word, ...] = ()
    voice: str = ""


BEEP = Clip("beep", "", 400)


class Sounds(Protocol):
    """Whoever can turn text and names of media into clips."""

    def speech(self, text: str, voice: str) -> Clip:
        """Return the clip of a text spoken by a voice."""
        ...

    def media(self, name: str, now: datetime) -> Clip | None:
        """Return the clip of a named media file, or None when there is none, or no longer."""
        ...


def paced(text: str) -> tuple[Word, ...]:
    """Return the words of a text, each as long as its letters deserve."""
    return tuple(_pace(text))


def _pace(text: str) -> Iterator[Word]:
    at = 0
    for word in re.findall(r"\S+", text):
        end = at + MS_PER_LETTER * (len(word) + 1)
        yield Word(word, at, end)
        at = end + MS_PER_GAP


class Estimator:
    """Clips by arithmetic: no audio, no libraries; the same text always lasts as long."""

    def speech(self, text: str, voice: str) -> Clip:
        """Return a clip whose length grows with its letters."""
        words = paced(text)
        return Clip("speech", text, words[-1].end_ms if words else 0, words, voice)

    def media(self, name: str, now: datetime) -> Clip | None:
        """Return the clip of one of the media every account starts with."""
        return Clip("media", name, NAMED_MS[name]) if name in NAMED_MS else None
