"""Tell whether Telnyx signed a webhook. Pure: no clock, no settings, no parsing of the body.

    headers, raw body -> fingerprint of the key that signed, or BadSignature

Ed25519 over `<timestamp header> | <raw body>`. Source: docs/telnyx.md#signature
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

SIGNATURE = b"telnyx-signature-ed25519"
TIMESTAMP = b"telnyx-timestamp"
MAX_SKEW_S = 300  # Telnyx's own libraries use the same window


class Reason(StrEnum):
    """Why a webhook was refused: one word, to count by."""

    NO_KEYS = "no_keys"
    MISSING = "missing"
    TWICE = "twice"
    TIMESTAMP = "timestamp"
    STALE = "stale"
    ENCODING = "encoding"
    MISMATCH = "mismatch"


class BadSignature(Exception):
    """The webhook is not proven to be Telnyx's."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check(
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    *,
    keys: Sequence[VerifyKey],
    now: float,
    max_skew_s: int = MAX_SKEW_S,
) -> str:
    """Return the fingerprint of the key that signed `body`.

    `headers` as in an ASGI scope: names in lower case, repeats kept. Raises BadSignature.
    """
    if not keys:
        raise BadSignature(Reason.NO_KEYS, "no public key of Telnyx is configured")
    stamp, signature = _signing_headers(headers)
    _check_age(stamp, now, max_skew_s)
    raw_signature = _decode(signature)
    message = stamp + b"|" + body
    for key in keys:
        try:
            key.verify(message, raw_signature)
        except (BadSignatureError, ValueError, TypeError):
            continue
        return fingerprint(key)
    raise BadSignature(Reason.MISMATCH, f"the signature fits none of {len(keys)} public keys")


def fingerprint(key: VerifyKey) -> str:
    """Return a short name for a public key that is safe to log and store."""
    return hashlib.sha256(bytes(key)).hexdigest()[:8]


def parse_keys(text: str) -> list[VerifyKey]:
    """Read public keys: Base64 of 32 bytes each, between commas. Repeats count once.

    Raises ValueError naming the bad one by its place, never by its text.
    """
    words = [word for word in re.split(r"[,\s]+", text) if word]
    return list(dict.fromkeys(_key(word, place) for place, word in enumerate(words, 1)))


def _key(word: str, place: int) -> VerifyKey:
    try:
        raw = base64.b64decode(word, validate=True)
    except ValueError as exc:
        raise ValueError(f"public key {place} is not Base64") from exc
    if len(raw) != 32:
        raise ValueError(f"public key {place} has {len(raw)} bytes, an Ed25519 key has 32")
    return VerifyKey(raw)


def _signing_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    stamps, signatures = [], []
    for name, value in headers:
        if name == TIMESTAMP:
            stamps.append(value)
        elif name == SIGNATURE:
            signatures.append(value)
    for name, values in ((TIMESTAMP, stamps), (SIGNATURE, signatures)):
        if len(values) != 1:
            reason = Reason.TWICE if values else Reason.MISSING
            raise BadSignature(reason, f"{name.decode()} came {len(values)} times, expected once")
    return stamps[0], signatures[0]


def _check_age(stamp: bytes, now: float, max_skew_s: int) -> None:
    # bytes.isdigit() knows ASCII digits only, and int() alone would take " 1_7" and "+17"
    if len(stamp) != 10 or not stamp.isdigit():
        raise BadSignature(Reason.TIMESTAMP, "the timestamp is not ten plain digits")
    skew_s = now - int(stamp)
    if abs(skew_s) > max_skew_s:
        age = f"{skew_s:.0f} s old" if skew_s > 0 else f"{-skew_s:.0f} s in the future"
        raise BadSignature(Reason.STALE, f"the timestamp is {age}, the limit is {max_skew_s} s")


def _decode(signature: bytes) -> bytes:
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError as exc:
        raise BadSignature(Reason.ENCODING, "the signature is not Base64") from exc
    if len(raw) != 64:
        message = f"the signature has {len(raw)} bytes, an Ed25519 signature has 64"
        raise BadSignature(Reason.ENCODING, message)
    if base64.b64encode(raw) != signature:
        raise BadSignature(Reason.ENCODING, "the signature is not canonical Base64")
    return raw
