"""Moments and spans of a recording as people write them: 1:05, 1:02:03.5, 1:05-1:20.

What is written is in seconds for people, and in milliseconds of the file for our rows.
"""

import re

# hours and minutes before the last colon, tenths and finer after the point
CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,7})(?:\.(\d{1,3}))?", re.ASCII)
BETWEEN = re.compile(r"\s*(?:[-\u2010-\u2015]|\bto\b)\s*")
LONGEST_MS = 2_147_483_647  # what the column holds: 24 days
Place = tuple[int | None, int | None]


class Invalid(ValueError):
    """Says why a text is no moment of the recording."""


def read(text: str, *, longest_ms: int | None = None) -> Place:
    """Return where a moment or a span begins, and where a span ends, in milliseconds.

    Nothing written is the whole of the recording: (None, None). Raises Invalid.
    """
    parts = BETWEEN.split(text.strip()) if text.strip() else []
    if len(parts) > 2:
        raise Invalid(f"{text[:40]!r} has more than two times. Write 1:05, or 1:05-1:20.")
    times = [_ms(part, longest_ms) for part in parts]
    if len(times) == 2 and times[1] <= times[0]:
        raise Invalid(f"The span ends at {parts[1][:20]}, which is not after {parts[0][:20]}.")
    start_ms, end_ms = (*times, None, None)[:2]
    return start_ms, end_ms


def write(start_ms: int | None, end_ms: int | None = None) -> str:
    """Return a moment or a span to the tenth of a second, as `read` takes it."""
    return "-".join(_clock(ms) for ms in (start_ms, end_ms) if ms is not None)


def _ms(text: str, longest_ms: int | None) -> int:
    found = CLOCK.fullmatch(text)
    if found is None:
        raise Invalid(f"{text[:40]!r} is no time. Write minutes and seconds, as 1:05.")
    hours, minutes, seconds, fraction = found.groups(default="0")
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    ms = whole * 1000 + int(fraction.ljust(3, "0"))
    most = LONGEST_MS if longest_ms is None else longest_ms
    if ms > most:
        raise Invalid(f"{text} is after the end of the recording, {_clock(most)}.")
    return ms


def _clock(ms: int) -> str:
    tenths = ms // 100
    minutes, rest = divmod(tenths, 600)
    hours, minute = divmod(minutes, 60)
    second = f"{rest // 10:02}" + (f".{rest % 10}" if rest % 10 else "")
    return f"{hours}:{minute:02}:{second}" if hours else f"{minute}:{second}"
