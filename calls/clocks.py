"""How long ago, and how long until: the clocks of the board, which the page keeps going.

The server writes what they say now, and the moment that they count from (data-since, data-until).
"""

from datetime import datetime, timedelta

from django.utils.safestring import SafeString

NOTHING = "–"  # noqa: RUF001  (a dash is what it is)


def ticking(since: datetime | None, now: datetime) -> str:
    """Write how long ago a moment of our clock is; the page's ticker keeps it going."""
    if since is None:
        return NOTHING
    return SafeString(
        f'<span class="clock" data-since="{epoch_ms(since)}">{duration(now - since)}</span>'
    )


def left(until: datetime, now: datetime) -> str:
    """Write how long it is until a moment of our clock; guard.js counts it down."""
    seconds = -(-(until - now) // timedelta(seconds=1))  # the last second counts whole
    return SafeString(
        f'<span class="clock" data-until="{epoch_ms(until)}">{duration(seconds)}</span>'
    )


def duration(value: float | timedelta | None) -> str:
    """Write seconds as m:ss, from an hour on as h:mm:ss; a dash when nobody knows."""
    seconds = whole_seconds(value)
    if seconds is None:
        return NOTHING
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def epoch_ms(value: datetime) -> int:
    """Return a moment as browsers count: milliseconds since 1970."""
    return int(value.timestamp() * 1000)


def whole_seconds(value: float | timedelta | None) -> int | None:
    """Return whole seconds, never less than none; None when nobody knows."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return None if value is None else max(0, int(value))
