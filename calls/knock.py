"""A knock at our own webhook door, to prove that an address leads to it, byte for byte.

    doctor --unsigned POST, tapeline-knock: <token>--> PUBLIC_URL/webhooks/telnyx
    door: 401 as for everything unsigned, tapeline-answer: MAC of what arrived

Only who has the desk's SECRET_KEY can make a token or an answer. It opens nothing: the door looks
at it after it refused, stores nothing, and merely does not count it among the refused webhooks.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterable

from django.core.signing import BadSignature, Signer, TimestampSigner

from calls.telnyx import signature

KNOCK, ANSWER = b"tapeline-knock", b"tapeline-answer"
FRESH_S = 60
# What a proxy that rewrites bodies would change: the spaces, the escape, the letter in UTF-8
BODY = b'{"data":  {"event_type": "tapeline.knock", "payload": {"text": "\\u00e9 \xc3\xa9"}}}\n'

Headers = Iterable[tuple[bytes, bytes]]


def headers() -> dict[str, str]:
    """Return the headers of a fresh knock, with a signature that fits no key."""
    return {
        "Content-Type": "application/json",
        KNOCK.decode(): _tokens().sign(secrets.token_hex(16)),
        signature.TIMESTAMP.decode(): str(int(time.time())),
        signature.SIGNATURE.decode(): base64.b64encode(secrets.token_bytes(64)).decode(),
    }


def answer(arrived: Headers, body: bytes) -> str:
    """Return the answer to a knock of our own; "" for whatever else was refused."""
    known = dict(arrived)
    token = known.get(KNOCK, b"").decode("latin-1")
    if not token:
        return ""
    try:
        _tokens().unsign(token, max_age=FRESH_S)
    except BadSignature:
        return ""
    stamp = known.get(signature.TIMESTAMP, b"").decode("latin-1")
    signed = known.get(signature.SIGNATURE, b"").decode("latin-1")
    return expected(token, stamp, signed, body)


def expected(token: str, stamp: str, signed: str, body: bytes) -> str:
    """Return what the door answers if just this arrived."""
    told = "|".join([token, stamp, signed, hashlib.sha256(body).hexdigest()])
    return Signer(salt="tapeline.knock.answer").signature(told)


def _tokens() -> TimestampSigner:
    return TimestampSigner(salt="tapeline.knock")
