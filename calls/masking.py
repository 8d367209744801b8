"""A webhook body as operators may read it: what identifies or was said is hidden, the rest stays.

Phone numbers keep their last four digits; spoken and typed words, opaque state and the signatures
of links are replaced.
"""

import json
import re

from calls.telnyx.values import JSON, Unreadable, decode

HIDDEN = "(hidden)"
WORDS = frozenset(
    {
        "audio_url",  # may carry a token
        "body",
        "caller_id_name",
        "caller_name",
        "client_state",
        "digit",
        "digits",
        "payload",  # of a speak command: what is said; an event's own payload is no string
        "result",
        "text",
        "transcript",
        "transcription_text",
    }
)
"""Fields whose text is hidden whole."""

NUMBERS = frozenset({"from", "to", "caller_id_number", "from_number", "to_number"})
PHONE = re.compile(r"\+\d{7,15}|(?<![\w-])\d{7,15}(?![\w-])")
"""A number with its plus, or a run of digits that is no part of an id."""


def masked(value: JSON, name: str = "") -> JSON:
    """Return a JSON value with everything private in it hidden."""
    if isinstance(value, dict):
        return {key: masked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, name) for inner in value]
    if name in WORDS and value not in (None, ""):
        return HIDDEN
    if name in NUMBERS and value is not None:
        return _masked_digits(str(value))
    return _masked_text(value) if isinstance(value, str) else value


def masked_body(raw: bytes) -> str:
    """Return a stored body, indented and masked. What cannot be parsed cannot be masked."""
    try:
        body = decode(raw)
    except Unreadable as exc:
        return f"{len(raw)} bytes that are not shown, because they cannot be masked: {exc}"
    return json.dumps(masked(body), indent=2, ensure_ascii=False)


def _masked_text(text: str) -> str:
    if text.startswith(("https://", "http://")):
        address, signature, _ = text.partition("?")
        text = f"{address}?{HIDDEN}" if signature else address
    return PHONE.sub(lambda found: _masked_digits(found.group()), text)


def _masked_digits(text: str) -> str:
    """Replace every digit but the last four."""
    hidden = max(0, sum(char.isdigit() for char in text) - 4)
    return re.sub(r"\d", "•", text, count=hidden) if hidden else text
