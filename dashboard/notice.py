"""One thing that is wrong, as the board says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is wrong; `remedy` is for those who can do something about it."""

    level: str  # danger: work stands still; warning: it goes on, with a loss
    title: str
    text: str
    remedy: str = ""
