"""Webhooks to measure with: the lives of invented calls, signed as Telnyx signs."""

import base64
import json
import re
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from nacl.signing import SigningKey

LIFE = ("call.initiated", "call.answered", "call.hangup")
TOGETHER = 200  # calls that go through their lives side by side
PATH = "/webhooks/telnyx"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Webhook(NamedTuple):
    """One event and the HTTP request that delivers it."""

    event_id: str
    request: bytes


class Leg(NamedTuple):
    """The ids of one call leg."""

    call_leg_id: str
    call_session_id: str
    call_control_id: str


def new_leg() -> Leg:
    """Return the ids of a leg that nobody has heard of."""
    return Leg(str(uuid.uuid4()), str(uuid.uuid4()), f"v3:{uuid.uuid4().hex}{uuid.uuid4().hex}")


def lives(count: int, *, key: SigningKey, port: int) -> list[Webhook]:
    """Return so many signed webhooks: calls that ring, are answered and end, many at a time."""
    return [
        signed(event_type, leg, at, key=key, port=port)
        for event_type, leg, at in _steps(count, datetime.now(UTC))
    ]


def _steps(count: int, start: datetime) -> Iterator[tuple[str, Leg, datetime]]:
    left = count
    while left > 0:
        legs = [new_leg() for _ in range(min(TOGETHER, -(-left // len(LIFE))))]
        for step, event_type in enumerate(LIFE):
            for leg in legs[:left]:
                yield event_type, leg, start + timedelta(seconds=20 * step)
            left -= min(left, len(legs))


def signed(
    event_type: str,
    leg: Leg,
    at: datetime,
    *,
    key: SigningKey,
    port: int,
    caller: tuple[str, str] = ("+13129457420", "JORDAN SMITH"),
) -> Webhook:
    """Return one event of a leg as Telnyx would post it now."""
    event_id = str(uuid.uuid4())
    body = json.dumps(_body(event_id, event_type, leg, at, *caller)).encode()
    stamp = str(int(time.time()))
    signature = base64.b64encode(key.sign(f"{stamp}|".encode() + body).signature).decode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "User-Agent: telnyx-webhooks\r\nContent-Type: application/json\r\n"
        f"telnyx-timestamp: {stamp}\r\ntelnyx-signature-ed25519: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return Webhook(event_id, head.encode() + body)


def _body(
    event_id: str, event_type: str, leg: Leg, at: datetime, number: str, name: str
) -> dict[str, object]:
    started = _text(at - timedelta(seconds=5))
    payload: dict[str, object] = {
        **leg._asdict(),
        "connection_id": "2684641123236054244",
        "client_state": None,
        "start_time": started,
        "from": number,
        "to": "+18005550101",
        "tags": ["support", "bench"],
    }
    if event_type == "call.initiated":
        payload |= {
            "direction": "incoming",
            "state": "parked",
            "caller_id_name": name,
            "offered_codecs": "G722,PCMU,PCMA",
            "connection_codecs": "G722,PCMU,PCMA",
            "shaken_stir_attestation": "A",
            "shaken_stir_validated": True,
        }
    elif event_type == "call.hangup":
        payload |= {
            "hangup_cause": "normal_clearing",
            "hangup_source": "caller",
            "sip_hangup_cause": "200",
            "state": "hangup",
            "end_time": _text(at),
            "call_quality_stats": {
                "inbound": {
                    "jitter_max_variance": "63.77",
                    "mos": "4.50",
                    "packet_count": "14782",
                },
                "outbound": {"packet_count": "14801", "skip_packet_count": "0"},
            },
        }
    return {
        "data": {
            "record_type": "event",
            "event_type": event_type,
            "id": event_id,
            "occurred_at": _text(at),
            "payload": payload,
        },
        "meta": {"attempt": 1, "delivered_to": f"https://desk.example{PATH}"},
    }


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def status_of(heard: bytes) -> str:
    """Return the status of an answer once it is all there, till then nothing."""
    head, blank, body = heard.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    is_whole = blank and len(body) >= int(length[1] if length else 0)
    return head[9:12].decode() if is_whole else ""
