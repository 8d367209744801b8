"""Moments and how long ago or until they are: the clocks of the board, which the page keeps going.

The server writes what they say now, and the moment that they count from (data-since, data-until).
"""

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from django.utils import timezone
from django.utils.html import format_html
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


def clock(value: datetime | None) -> str:
    """Write the time of a day to the second."""
    return at(value, "%H:%M:%S")


def at(value: datetime | None, shape: str) -> str | SafeString:
    """Write a moment in some shape, in the site's zone."""
    if value is None:
        return NOTHING
    return _written(value, shape, timezone.get_current_timezone())


@lru_cache(8192)
def _written(value: datetime, shape: str, zone: tzinfo) -> SafeString:
    here = timezone.localtime(value, zone)
    offset = here.strftime("%z")
    return format_html(
        '<time datetime="{}" title="{} UTC, here UTC{}:{}">{}</time>',
        value.isoformat(timespec="milliseconds"),
        (here - (here.utcoffset() or timedelta())).strftime("%Y-%m-%d %H:%M:%S"),
        offset[:3],
        offset[3:],
        here.strftime(shape),
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
