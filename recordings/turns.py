"""The rows of a transcript as their template takes them.

Two hours are two thousand rows, so that all is worked out here: looking up attributes, reversing
addresses and counting in the template took three times as long.
"""

from typing import TypedDict

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from recordings.said import Said
from recordings.sentences import Sentence


class Turn(TypedDict):
    """One row."""

    number: int  # from 0
    ordinal: int  # from 1
    look: str
    place: SafeString  # attributes that say when it and its words are said
    is_placed: bool
    is_approximate: bool
    is_nowhere: bool  # it was looked for, and not found
    heard_from: float | None
    at: float | None
    speaker: str
    text: str
    doubt: str
    address: str  # of the form that corrects it; "" if that may not be


def of(what: Said, *, may_correct: bool) -> list[Turn]:
    """Return every row of a transcript."""
    base = _base(what) if may_correct else ""
    return [_turn(what, number, sentence, base) for number, sentence in enumerate(what.sentences)]


def one(what: Said, number: int) -> Turn:
    """Return one row, for somebody who may correct it."""
    return _turn(what, number, what.sentences[number], _base(what))


def _base(what: Said) -> str:
    """Return what the addresses of all forms begin with; "" if there is nothing to correct."""
    if what.transcript is None:
        return ""
    first = reverse("recordings:correct", args=[what.recording.pk, what.transcript.pk, 0])
    return first.removesuffix("0/")


def _turn(what: Said, number: int, sentence: Sentence, base: str) -> Turn:
    is_placed = sentence.start_ms is not None
    return {
        "number": number,
        "ordinal": number + 1,
        "look": _look(sentence, is_upper=what.speaker(sentence) == what.upper),
        "place": _place(sentence),
        "is_placed": is_placed,
        "is_approximate": sentence.is_approximate,
        "is_nowhere": not is_placed and what.is_timed,
        "heard_from": sentence.heard_from_s,
        "at": sentence.start_s,
        "speaker": what.speaker(sentence),
        "text": sentence.text,
        "doubt": sentence.percent if sentence.is_doubtful else "",
        "address": base and f"{base}{number}/",
    }


def _look(sentence: Sentence, *, is_upper: bool) -> str:
    """Return the classes of a row; who speaks has the colour of his side of the waveform."""
    return f"turn{' is-doubtful' * sentence.is_doubtful}{' is-upper' * is_upper}"


def _place(sentence: Sentence) -> SafeString:
    if sentence.start_ms is None:
        return SafeString("")
    place = format_html(' data-from="{}" data-to="{}"', sentence.start_s, sentence.end_s)
    times = sentence.word_times
    return place + format_html(' data-words="{}"', times) if times else place
