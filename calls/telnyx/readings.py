"""What Telnyx's REST API answers: rows into named values. Every class has `read(row)`.

Raises Unreadable only where a guess would be dangerous: a call's liveness, a row without its id.
Source: docs/telnyx.md#readings
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Self, TypeVar

from calls.telnyx.payloads import event_body
from calls.telnyx.values import JSON, Unreadable, identifier, instant, links, table, text, whole

Row = TypeVar("Row")


def _required(row: Mapping[str, JSON], name: str) -> str:
    value = identifier(row.get(name))
    if not value:
        raise Unreadable(f"`{name}` is missing, or no id")
    return value


@dataclass(frozen=True, slots=True)
class CallStatus:
    """Whether a call lives. Telnyx forgets a call ten minutes after its end."""

    is_alive: bool
    call_control_id: str
    call_leg_id: str
    call_session_id: str
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a call. Raises Unreadable without a plain yes or no."""
        is_alive = row.get("is_alive")
        if not isinstance(is_alive, bool):
            raise Unreadable("`is_alive` is neither true nor false")
        return cls(
            is_alive=is_alive,
            call_control_id=identifier(row.get("call_control_id")),
            call_leg_id=identifier(row.get("call_leg_id")),
            call_session_id=identifier(row.get("call_session_id")),
            started_at=instant(row.get("start_time")),
            ended_at=instant(row.get("end_time")),
        )


@dataclass(frozen=True, slots=True)
class Dialled:
    """A call that Telnyx agreed to place; it rings later."""

    call_control_id: str
    call_leg_id: str
    call_session_id: str
    recording_id: str | None  # only when asked to record from the answer

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read the answer to a dial. Raises Unreadable without the ids of the new call."""
        return cls(
            call_control_id=_required(row, "call_control_id"),
            call_leg_id=_required(row, "call_leg_id"),
            call_session_id=identifier(row.get("call_session_id")),
            recording_id=identifier(row.get("recording_id")) or None,
        )


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """One live call of a connection; Telnyx does not say who talks."""

    call_control_id: str
    call_leg_id: str
    call_session_id: str
    duration_s: int | None

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row. Raises Unreadable without a leg id."""
        return cls(
            call_control_id=identifier(row.get("call_control_id")),
            call_leg_id=_required(row, "call_leg_id"),
            call_session_id=identifier(row.get("call_session_id")),
            duration_s=whole(row.get("call_duration")),
        )


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One line of a call's log at Telnyx: a command it got, or a webhook it sent."""

    name: str
    type: str  # command or webhook
    occurred_at: datetime | None
    call_leg_id: str
    call_session_id: str
    raw: bytes | None  # the webhook, as parse() reads it

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row."""
        return cls(
            name=text(row.get("name"), 255),
            type=text(row.get("type"), 16),
            occurred_at=instant(row.get("event_timestamp")),
            call_leg_id=identifier(row.get("call_leg_id")),
            call_session_id=identifier(row.get("call_session_id")),
            raw=event_body(table(row.get("metadata")).get("event")),
        )


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list."""

    rows: list[Row]
    is_last: bool
    total: int | None  # rows of all pages, if Telnyx counts them


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A finished recording. `urls` work for minutes: fetch at once, or ask again."""

    recording_id: str
    call_control_id: str
    call_leg_id: str
    call_session_id: str
    connection_id: str
    conference_id: str
    channels: str
    source: str
    initiated_by: str
    status: str
    duration_ms: int | None
    started_at: datetime | None
    ended_at: datetime | None
    created_at: datetime | None
    from_number: str
    to_number: str
    urls: dict[str, str]  # "mp3" or "wav" -> link

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row. Raises Unreadable without its id."""
        return cls(
            recording_id=_required(row, "id"),
            call_control_id=identifier(row.get("call_control_id")),
            call_leg_id=identifier(row.get("call_leg_id")),
            call_session_id=identifier(row.get("call_session_id")),
            connection_id=identifier(row.get("connection_id")),
            conference_id=identifier(row.get("conference_id")),
            channels=text(row.get("channels"), 16),
            source=text(row.get("source"), 32),
            initiated_by=text(row.get("initiated_by"), 64),
            status=text(row.get("status"), 32),
            duration_ms=whole(row.get("duration_millis")),
            started_at=instant(row.get("recording_started_at")),
            ended_at=instant(row.get("recording_ended_at")),
            created_at=instant(row.get("created_at")),
            from_number=text(row.get("from"), 255),
            to_number=text(row.get("to"), 255),
            urls=links(row.get("download_urls")),
        )


@dataclass(frozen=True, slots=True)
class TranscriptionRow:
    """The plain text of a recording: no segments, no speakers, no times."""

    recording_transcription_id: str
    recording_id: str
    status: str  # in-progress or completed; only completed has text
    text: str
    duration_ms: int | None
    created_at: datetime | None

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row. Raises Unreadable without its id."""
        return cls(
            recording_transcription_id=_required(row, "id"),
            recording_id=identifier(row.get("recording_id")),
            status=text(row.get("status"), 32),
            text=text(row.get("transcription_text")),
            duration_ms=whole(row.get("duration_millis")),
            created_at=instant(row.get("created_at")),
        )


def _urls(attempts: JSON) -> tuple[str, ...]:
    tries = attempts if isinstance(attempts, list) else []
    requests = (table(table(table(each).get("http")).get("request")) for each in tries)
    return tuple(url for each in requests if (url := text(each.get("url"), 2000)))


def _answer(attempts: JSON) -> int | None:
    last = table(attempts[0]) if isinstance(attempts, list) and attempts else {}
    return whole(table(table(last.get("http")).get("response")).get("status"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook and how its delivery went."""

    delivery_id: str
    status: str  # delivered or failed
    started_at: datetime | None
    finished_at: datetime | None
    raw: bytes | None  # the webhook, as parse() reads it
    event_type: str
    connection_id: str  # of the call, if it is about one
    urls: tuple[str, ...]  # where it was to go, the last try first
    answer: int | None  # the status of the last try's answer; None if there was none

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row."""
        quoted = table(row.get("webhook"))
        event = table(quoted.get("data")) or quoted
        return cls(
            event_type=text(event.get("event_type"), 255),
            connection_id=identifier(table(event.get("payload")).get("connection_id")),
            urls=_urls(row.get("attempts")),
            answer=_answer(row.get("attempts")),
            delivery_id=identifier(row.get("id")),
            status=text(row.get("status"), 16),
            started_at=instant(row.get("started_at")),
            finished_at=instant(row.get("finished_at")),
            raw=event_body(row.get("webhook")),
        )


@dataclass(frozen=True, slots=True)
class Media:
    """A file in Telnyx's media store, playable by name until it expires."""

    name: str
    content_type: str
    created_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row. Raises Unreadable without its name."""
        return cls(
            name=_required(row, "media_name"),
            content_type=text(row.get("content_type"), 100),
            created_at=instant(row.get("created_at")),
            expires_at=instant(row.get("expires_at")),
        )


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice for speak."""

    provider: str
    name: str
    voice_id: str
    language: str
    gender: str

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read a row. Raises Unreadable without its id."""
        return cls(
            provider=text(row.get("provider"), 64),
            name=text(row.get("name"), 255),
            voice_id=_required(row, "voice_id"),
            language=text(row.get("language"), 32),
            gender=text(row.get("gender"), 16),
        )


@dataclass(frozen=True, slots=True)
class Application:
    """A Call Control application: where Telnyx sends the webhooks of its calls."""

    application_id: str
    name: str
    is_active: bool
    webhook_url: str
    webhook_failover_url: str
    webhook_api_version: str
    webhook_timeout_s: int | None

    @classmethod
    def read(cls, row: Mapping[str, JSON]) -> Self:
        """Read an application. Raises Unreadable without its id."""
        return cls(
            application_id=_required(row, "id"),
            name=text(row.get("application_name"), 255),
            is_active=row.get("active") is not False,
            webhook_url=text(row.get("webhook_event_url"), 2000),
            webhook_failover_url=text(row.get("webhook_event_failover_url"), 2000),
            webhook_api_version=text(row.get("webhook_api_version"), 8),
            webhook_timeout_s=whole(row.get("webhook_timeout_secs")),
        )
