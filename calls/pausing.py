"""What to do about a watched pause, as a pure function of what is known and the clock.

    decide(Watched, now) -> Step: wait, warn, resume, escalate, or end the watch

No database, nothing of ours but the fold's words. A resume is asked for at the deadline and never
before, and again only after the last one is known not to have been sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from calls.fold import Recording

PATIENCE = timedelta(seconds=10)  # then a pause that should be over needs a person
GONE = timedelta(seconds=10)  # for Telnyx to say that a call is over which it no longer knows


class Fate(StrEnum):
    """What became of a command."""

    OPEN = "open"
    APPLIED = "applied"
    REFUSED = "refused"
    UNSENT = "unsent"
    UNKNOWN = "unknown"


class Do(StrEnum):
    """The kinds of step."""

    WAIT = "wait"
    WARN = "warn"
    RESUME = "resume"
    ESCALATE = "escalate"
    END = "end"


@dataclass(frozen=True, slots=True)
class Move:
    """A command about the recording that was asked for after the pause."""

    kind: str
    fate: Fate
    asked_at: datetime
    is_ours: bool = False
    settled_at: datetime | None = None
    is_gone: bool = False  # refused because Telnyx knows no such call any more
    error: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A pause, and all that bears on it."""

    deadline: datetime
    warn_at: datetime
    is_over: bool  # the call is
    recording: Recording
    moves: Sequence[Move] = ()  # in the order in which they were asked for
    was_warned: bool = False
    was_escalated: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, how the pause ended, and why a person is needed."""

    do: Do
    ending: str = ""
    why: str = ""


WAIT = Step(Do.WAIT)


def decide(it: Watched, now: datetime) -> Step:
    """Return the next step for a watched pause."""
    if ending := _ending(it):
        return Step(Do.END, ending=ending)
    if now < it.deadline:
        return WAIT if it.was_warned or now < it.warn_at else Step(Do.WARN)
    if (trouble := _trouble(it, now)) and not it.was_escalated:
        return Step(Do.ESCALATE, why=trouble)
    return Step(Do.RESUME) if _may_resume(it) else WAIT


def _ending(it: Watched) -> str:
    """Return how the pause ended, "" while it goes on; the words are those of the row."""
    if it.is_over:
        return "call"
    done = [move for move in it.moves if move.fate is Fate.APPLIED]
    if it.recording is Recording.OFF:
        return "person" if any(move.kind == "record_stop" for move in done) else "recording"
    if it.recording is Recording.ON:
        resumes = [move for move in done if move.kind == "record_resume"]
        if not resumes:
            return "unknown"
        return "guard" if resumes[-1].is_ours else "person"
    return ""


def _last_of_ours(it: Watched) -> Move | None:
    ours = [move for move in it.moves if move.is_ours]
    return ours[-1] if ours else None


def _may_resume(it: Watched) -> bool:
    """Say whether a resume has to be asked for, now that the time is up."""
    if any(move.fate is Fate.OPEN for move in it.moves) or _stop_in_doubt(it):
        return False
    last = _last_of_ours(it)
    return last is None or last.fate is Fate.UNSENT


def _stop_in_doubt(it: Watched) -> bool:
    """Say whether somebody wanted the recording stopped, and it may be: then it is not resumed."""
    return any(move.kind == "record_stop" and move.fate is Fate.UNKNOWN for move in it.moves)


def _trouble(it: Watched, now: datetime) -> str:
    """Return why a person is needed, now that the time is up; "" if the desk may yet do it."""
    last = _last_of_ours(it)
    if last is not None and last.fate is Fate.REFUSED:
        is_gone = last.is_gone and last.settled_at and now < last.settled_at + GONE
        return "" if is_gone else _sentence(last.error or "Telnyx refused to resume.")
    if last is not None and last.fate is Fate.UNKNOWN:
        return f"Nobody knows whether the recording was resumed. {_sentence(last.error)}".strip()
    if _stop_in_doubt(it) and not any(move.fate is Fate.OPEN for move in it.moves):
        return "Nobody knows whether the recording was stopped, so it is not resumed."
    tried_since = _tried_since(it)
    if tried_since is not None and now >= tried_since + PATIENCE:
        said = next((move.error for move in reversed(it.moves) if move.error), "")
        return f"It could not be resumed yet. {_sentence(said)}".strip()
    return ""


def _sentence(text: str) -> str:
    """Return a text, ended as a sentence is: more will follow it on the page."""
    return f"{text}." if text and text[-1] not in ".!?" else text


def _tried_since(it: Watched) -> datetime | None:
    """Return since when somebody has tried to end it, by the time that it was due or later."""
    tries = [move for move in it.moves if move.is_ours or move.fate is Fate.OPEN]
    return max(it.deadline, tries[0].asked_at) if tries else None
