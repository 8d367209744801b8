"""Untrusted JSON into plain values that every database and every JSON writer can hold.

decode() is the one place that parses. The readers below never raise: odd values become "" or None.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

ID_LENGTH = 255  # the width of our id columns; Telnyx's longest token so far has 63 characters
DEPTH = 50  # our choice: Telnyx's deepest event has six levels
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL refuses NUL, UTF-8 lone surrogates
REPLACEMENT = "\ufffd"


class Unreadable(Exception):
    """The bytes are not what they should be; the text says why, without quoting them."""


def decode(raw: bytes) -> JSON:
    """Parse UTF-8 JSON; NUL and lone surrogates become U+FFFD, NaN and infinities None.

    Raises Unreadable.
    """
    try:
        value: JSON = DECODER.decode(raw.decode())
        # only an escape can smuggle such characters in, and only brackets can nest
        if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") > DEPTH:
            value = _storable(value, DEPTH)
    except UnicodeDecodeError as exc:
        raise Unreadable(f"not UTF-8 at byte {exc.start}") from exc
    except RecursionError as exc:
        raise Unreadable(f"nested deeper than {DEPTH} levels") from exc
    except ValueError as exc:
        raise Unreadable(f"not JSON: {exc}") from exc
    return value


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None)


def _storable(value: JSON, depth: int) -> JSON:
    if isinstance(value, str):
        return UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict | list) and depth == 0:
        raise Unreadable(f"nested deeper than {DEPTH} levels")
    if isinstance(value, dict):
        return {
            UNSTORABLE.sub(REPLACEMENT, name): _storable(item, depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_storable(item, depth - 1) for item in value]
    return value


def identifier(value: JSON) -> str:
    """Return an id as it came, or "" if no column can hold it.

    An id with a replaced character is refused whole: two of them could look the same.
    """
    if not isinstance(value, str) or len(value) > ID_LENGTH or REPLACEMENT in value:
        return ""
    return value


def text(value: JSON, limit: int | None = None) -> str:
    """Return a string, cut to `limit` characters; "" for anything else."""
    return value[:limit] if isinstance(value, str) else ""


def instant(value: JSON) -> datetime | None:
    """Read an ISO 8601 time as aware UTC; None for none, or an absurd one (not 2015 to 2099)."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if 2015 <= time.year <= 2099 else None


def whole(value: JSON) -> int | None:
    """Return a count or a length: an integer from 0 that fits 32 bits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        return None
    return int(value) if value == int(value) else None


def fraction(value: JSON) -> float | None:
    """Return a number from 0 to 1; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def table(value: JSON) -> dict[str, JSON]:
    """Return an object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def links(value: JSON) -> dict[str, str]:
    """Return the entries of an object that are non-empty strings, as {"mp3": url}."""
    return {name: link for name, link in table(value).items() if isinstance(link, str) and link}
