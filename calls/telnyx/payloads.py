"""What Telnyx tells us by webhook: bytes into an Event, its payload into named values.

    raw --parse--> Event(event_id, event_type, ids, payload) --RecordingSaved.read--> values

Only `data` is documented and nothing in it is required, so every field may be absent.
Source: docs/telnyx.md#webhooks
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from calls.telnyx.values import (
    ID_LENGTH,
    JSON,
    Unreadable,
    decode,
    fraction,
    identifier,
    instant,
    links,
    table,
    text,
)

__all__ = [
    "Event",
    "LiveTranscription",
    "RecordingError",
    "RecordingSaved",
    "TranscriptionSaved",
    "Unreadable",
    "body_id",
    "event_body",
    "parse",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One webhook. Ids are "" when absent or unusable; `event_id` never is."""

    event_id: str
    event_type: str
    occurred_at: datetime | None
    call_leg_id: str
    call_session_id: str
    call_control_id: str
    payload: dict[str, JSON]
    is_v1: bool = False  # sent in the old format: the application needs webhook API version 2


def parse(raw: bytes) -> Event:
    """Read a webhook body. Raises Unreadable; the body can then still be kept under body_id()."""
    body = decode(raw)
    if not isinstance(body, dict):
        raise Unreadable("the body is not an object")
    if "data" not in body and isinstance(body.get("event_type"), str):
        return _event(body, raw, event_id="", is_v1=True)
    event = body.get("data")
    if not isinstance(event, dict):
        raise Unreadable("`data` is missing, or not an object")
    return _event(event, raw, event_id=identifier(event.get("id")), is_v1=False)


def body_id(raw: bytes) -> str:
    """Return the id of a body that names none itself."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def event_body(event: JSON) -> bytes | None:
    """Return the body for parse() of an event quoted by Telnyx's REST API; None if it is none."""
    if isinstance(event, dict) and isinstance(event.get("event_type"), str):
        event = {"data": event}
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        return None
    return json.dumps(event).encode()


def _event(event: dict[str, JSON], raw: bytes, *, event_id: str, is_v1: bool) -> Event:
    event_type = event.get("event_type")
    if not isinstance(event_type, str) or not 0 < len(event_type) <= ID_LENGTH:
        raise Unreadable(f"`event_type` is not a name of 1 to {ID_LENGTH} characters")
    payload = event.get("payload", {})
    if not isinstance(payload, dict):
        raise Unreadable("`payload` is not an object")
    # an id that looks like one of ours could be mistaken for another body's
    if not event_id or event_id.startswith("sha256:"):
        event_id = body_id(raw)
    return Event(
        event_id=event_id,
        event_type=event_type,
        occurred_at=instant(event.get("created_at" if is_v1 else "occurred_at")),
        call_leg_id=identifier(payload.get("call_leg_id")),
        call_session_id=identifier(payload.get("call_session_id")),
        call_control_id=identifier(payload.get("call_control_id")),
        payload=payload,
        is_v1=is_v1,
    )


@dataclass(frozen=True, slots=True)
class RecordingSaved:
    """`call.recording.saved`: a file is ready, for ten minutes, at `urls`."""

    recording_id: str | None  # documented as absent, in practice present
    channels: str
    format: str
    started_at: datetime | None
    ended_at: datetime | None
    urls: dict[str, str]  # "mp3" or "wav" -> link
    public_urls: dict[str, str]
    from_number: str
    to_number: str

    @classmethod
    def read(cls, payload: Mapping[str, JSON]) -> Self:
        """Take from a payload what can be read."""
        urls = links(payload.get("recording_urls"))
        started, ended = payload.get("recording_started_at"), payload.get("recording_ended_at")
        return cls(
            recording_id=identifier(payload.get("recording_id")) or None,
            channels=text(payload.get("channels"), 16),
            format=text(payload.get("format"), 16) or next(iter(urls), ""),
            started_at=instant(started) or instant(payload.get("start_time")),
            ended_at=instant(ended) or instant(payload.get("end_time")),
            urls=urls,
            public_urls=links(payload.get("public_recording_urls")),
            from_number=text(payload.get("from"), 255),
            to_number=text(payload.get("to"), 255),
        )


@dataclass(frozen=True, slots=True)
class RecordingError:
    """`call.recording.error`: a recording failed. Telnyx does not say which one of the call."""

    reason: str

    @classmethod
    def read(cls, payload: Mapping[str, JSON]) -> Self:
        """Take from a payload what can be read."""
        return cls(reason=text(payload.get("reason"), 500))


@dataclass(frozen=True, slots=True)
class TranscriptionSaved:
    """`call.recording.transcription.saved`: the plain text of a whole recording."""

    recording_id: str | None
    recording_transcription_id: str | None
    status: str
    text: str

    @classmethod
    def read(cls, payload: Mapping[str, JSON]) -> Self:
        """Take from a payload what can be read."""
        return cls(
            recording_id=identifier(payload.get("recording_id")) or None,
            recording_transcription_id=identifier(payload.get("recording_transcription_id"))
            or None,
            status=text(payload.get("status"), 32),
            text=text(payload.get("transcription_text")),
        )


@dataclass(frozen=True, slots=True)
class LiveTranscription:
    """`call.transcription`: one caption of a live call, without word times."""

    text: str
    confidence: float | None  # 0 to 1
    is_final: bool
    track: str  # inbound: the leg that asked for captions; outbound: the other

    @classmethod
    def read(cls, payload: Mapping[str, JSON]) -> Self:
        """Take from a payload what can be read."""
        caption = table(payload.get("transcription_data"))
        is_final = caption.get("is_final")
        return cls(
            text=text(caption.get("transcript")),
            confidence=fraction(caption.get("confidence")),
            is_final=is_final if isinstance(is_final, bool) else True,  # interim ones are opt-in
            track=text(caption.get("transcription_track"), 16),
        )
