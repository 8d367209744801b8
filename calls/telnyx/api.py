"""Telnyx's REST API: one method per thing we ask. Each says Rejected or Unavailable when it fails.

One instance may be shared by threads. What to ask again, and until when, is the caller's decision.
Source: docs/telnyx.md#commands, docs/telnyx.md#readings
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from calls.telnyx.errors import Rejected, Unavailable
from calls.telnyx.readings import (
    ActiveCall,
    Application,
    CallEvent,
    CallStatus,
    Delivery,
    Dialled,
    Media,
    Page,
    RecordingRow,
    TranscriptionRow,
    Voice,
)
from calls.telnyx.values import JSON, Unreadable, table, whole
from calls.telnyx.wire import (
    ANSWER_BYTES,
    COMMAND_TIMEOUT,
    PAGE_ROWS,
    READ_TIMEOUT,
    Timeout,
    Wire,
    segment,
)

logger = logging.getLogger(__name__)
Row = TypeVar("Row")
Read = Callable[[Mapping[str, JSON]], Row]

BASE_URL = "https://api.telnyx.com/v2"
UPLOAD_TIMEOUT: Timeout = (2.0, 60.0)
SETUP_TIMEOUT: Timeout = (2.0, 5.0)  # a page waits for it
MEDIA_BYTES = 20_000_000  # Telnyx: at most 20 MB
MEDIA_LIFE_S = 630_720_000  # Telnyx: at most 20 years; left unset it deletes after two days

WITHOUT_ID = {"switch_supervisor_role"}  # takes no command_id, and needs none: twice is once


class Telnyx:
    """The account behind an API key."""

    def __init__(self, *, api_key: str, base_url: str = BASE_URL) -> None:
        """Raises ValueError for a key or an address that cannot work."""
        self._wire = Wire(api_key=api_key, base_url=base_url)

    def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    # Commands. A 2xx means accepted: what happened comes by webhook, if at all.

    def act(
        self,
        call_control_id: str,
        action: str,
        params: Mapping[str, JSON],
        *,
        command_id: UUID | str,
        timeout: Timeout = COMMAND_TIMEOUT,
    ) -> dict[str, JSON]:
        """Give a call a command; return what Telnyx says about it, {} if that cannot be read."""
        told_apart = {} if action in WITHOUT_ID else {"command_id": str(command_id)}
        answer = self._wire.ask(
            "POST",
            f"/calls/{segment(call_control_id)}/actions/{segment(action)}",
            body={**params, **told_apart},
            timeout=timeout,
            limit=ANSWER_BYTES,
        )
        try:
            return answer.data()
        except Unavailable:
            return {}  # accepted all the same: the status said so

    def dial(
        self,
        params: Mapping[str, JSON],
        *,
        command_id: UUID | str,
        timeout: Timeout = COMMAND_TIMEOUT,
    ) -> Dialled:
        """Place a call. Raises Unavailable(maybe_applied) when the answer lacks the call's ids."""
        answer = self._wire.ask(
            "POST",
            "/calls",
            body={**params, "command_id": str(command_id)},
            timeout=timeout,
            limit=ANSWER_BYTES,
        )
        return _one(Dialled.read, answer.data())

    # Readings of calls.

    def call(self, call_control_id: str, *, timeout: Timeout = READ_TIMEOUT) -> CallStatus:
        """Ask whether a call lives. Rejected.not_found: over for ten minutes, or never known."""
        path = f"/calls/{segment(call_control_id)}"
        return _one(CallStatus.read, self._get(path, timeout=timeout))

    def active_calls(self, connection_id: str) -> Iterator[ActiveCall]:
        """Yield every live call of a connection. Raises Unavailable rather than leave one out."""
        path = f"/connections/{segment(connection_id)}/active_calls"
        for row in self._wire.rows(path, {}, size="page[limit]"):
            yield _one(ActiveCall.read, row)

    def call_events(
        self, *, call_leg_id: str | None = None, since: datetime | None = None
    ) -> Iterator[CallEvent]:
        """Yield the log of one call, or of all; without a leg Telnyx looks back 24 hours only."""
        query = _query(leg_id=call_leg_id) | _times("occurred_at", since, None)
        return self._all(CallEvent.read, "/call_events", query)

    def webhook_deliveries(
        self, *, status: str | None = None, since: datetime | None = None
    ) -> Iterator[Delivery]:
        """Yield the webhooks that Telnyx sent, or with status "failed" could not deliver."""
        query = {"filter[status][eq]": status} if status else {}
        times = _times("started_at", since, None)
        return self._all(Delivery.read, "/webhook_deliveries", query | times)

    def webhook_deliveries_page(
        self, number: int, *, since: datetime, until: datetime, status: str | None = None
    ) -> Page[Delivery]:
        """Read one page of the deliveries that began in a time, the first being number 1."""
        query = {"filter[status][eq]": status} if status else {}
        times = _times("started_at", since, until)
        return _page(Delivery.read, self._wire.page("/webhook_deliveries", query | times, number))

    # Recordings and their texts.

    def recordings(
        self,
        *,
        call_leg_id: str | None = None,
        call_session_id: str | None = None,
        call_control_id: str | None = None,
        connection_id: str | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
    ) -> Iterator[RecordingRow]:
        """Yield finished recordings, in no documented order."""
        query = _query(
            call_leg_id=call_leg_id,
            call_session_id=call_session_id,
            call_control_id=call_control_id,
            connection_id=connection_id,
        )
        times = _times("created_at", created_since, created_until)
        return self._all(RecordingRow.read, "/recordings", query | times)

    def recordings_page(
        self, number: int, *, created_since: datetime, created_until: datetime
    ) -> Page[RecordingRow]:
        """Read one page of the finished recordings of a time, the first being number 1."""
        times = _times("created_at", created_since, created_until)
        return _page(RecordingRow.read, self._wire.page("/recordings", times, number))

    def recording(self, recording_id: str) -> RecordingRow:
        """Read one recording, with fresh links."""
        return _one(RecordingRow.read, self._get(f"/recordings/{segment(recording_id)}"))

    def delete_recording(self, recording_id: str) -> bool:
        """Delete Telnyx's copy for good; False if it was gone already."""
        try:
            self._wire.ask("DELETE", f"/recordings/{segment(recording_id)}")
        except Rejected as exc:
            if not exc.not_found:
                raise
            return False
        return True

    def recording_transcriptions(
        self, *, recording_id: str | None = None, created_since: datetime | None = None
    ) -> Iterator[TranscriptionRow]:
        """Yield the texts of recordings."""
        query = _query(recording_id=recording_id) | _times("created_at", created_since, None)
        return self._all(TranscriptionRow.read, "/recording_transcriptions", query)

    def recording_transcriptions_page(
        self, number: int, *, created_since: datetime, created_until: datetime
    ) -> Page[TranscriptionRow]:
        """Read one page of the texts of a time, the first being number 1."""
        times = _times("created_at", created_since, created_until)
        answer = self._wire.page("/recording_transcriptions", times, number)
        return _page(TranscriptionRow.read, answer)

    def recording_transcription(self, recording_transcription_id: str) -> TranscriptionRow:
        """Read one text."""
        path = f"/recording_transcriptions/{segment(recording_transcription_id)}"
        return _one(TranscriptionRow.read, self._get(path))

    # Sounds.

    def media(self) -> Iterator[Media]:
        """Yield the files of the media store."""
        return _readable(Media.read, self._wire.rows("/media", {}, size=""))

    def upload_media(
        self, name: str, content: bytes, *, content_type: str, ttl_s: int = MEDIA_LIFE_S
    ) -> Media:
        """Store a file under a name that playback_start can play.

        Raises ValueError for an empty file or one over Telnyx's 20 MB.
        """
        if not 0 < len(content) <= MEDIA_BYTES:
            raise ValueError(f"{name} has {len(content)} bytes, the limit is {MEDIA_BYTES}")
        answer = self._wire.ask(
            "POST",
            "/media",
            body={"media_name": name, "ttl_secs": ttl_s},
            upload=(name, content, content_type),
            timeout=UPLOAD_TIMEOUT,
            limit=ANSWER_BYTES,
        )
        return _one(Media.read, answer.data())

    def renew_media(self, name: str, *, ttl_s: int) -> Media:
        """Let a stored file live for so long from now. Rejected.not_found: it is gone."""
        body = {"ttl_secs": ttl_s}
        answer = self._wire.ask("PUT", f"/media/{segment(name)}", body=body, limit=ANSWER_BYTES)
        return _one(Media.read, answer.data())

    def delete_media(self, name: str) -> bool:
        """Delete a stored file; False if it was gone already."""
        try:
            self._wire.ask("DELETE", f"/media/{segment(name)}")
        except Rejected as exc:
            if not exc.not_found:
                raise
            return False
        return True

    def voices(self, provider: str | None = None) -> list[Voice]:
        """Return the voices that speak can use."""
        query = {"provider": provider} if provider else {}
        # the one answer that is not wrapped in `data`
        rows = self._wire.ask("GET", "/text-to-speech/voices", query=query).table().get("voices")
        return list(_readable(Voice.read, rows if isinstance(rows, list) else []))

    # The application that calls run on.

    @property
    def skew_s(self) -> float | None:
        """Our clock minus Telnyx's, by its last answer; None before the first."""
        return self._wire.skew_s

    def applications(self) -> Iterator[Application]:
        """Yield the account's Call Control Applications."""
        return self._all(Application.read, "/call_control_applications", {})

    def application(self, connection_id: str) -> Application:
        """Read where the webhooks of a connection's calls go."""
        path = f"/call_control_applications/{segment(connection_id)}"
        return _one(Application.read, self._wire.ask("GET", path, timeout=SETUP_TIMEOUT).data())

    def point_webhooks(
        self, application: Application, *, url: str, timeout_s: int | None = None
    ) -> Application:
        """Have an application send its webhooks to `url`, in the format that we read.

        `timeout_s` changes how long Telnyx waits for our answer; None leaves it.
        """
        patience: dict[str, JSON] = (
            {} if timeout_s is None else {"webhook_timeout_secs": timeout_s}
        )
        answer = self._wire.ask(
            "PATCH",
            f"/call_control_applications/{segment(application.application_id)}",
            body={
                "application_name": application.name,  # required by Telnyx even when unchanged
                "webhook_event_url": url,
                "webhook_api_version": "2",
                **patience,
            },
            timeout=SETUP_TIMEOUT,
        )
        return _one(Application.read, answer.data())

    def _get(self, path: str, *, timeout: Timeout = READ_TIMEOUT) -> dict[str, JSON]:
        return self._wire.ask("GET", path, timeout=timeout).data()

    def _all(self, read: Read[Row], path: str, query: Mapping[str, str]) -> Iterator[Row]:
        return _readable(read, self._wire.rows(path, query))


def _page(read: Read[Row], told: tuple[list[dict[str, JSON]], Mapping[str, JSON]]) -> Page[Row]:
    rows, meta = told
    pages, number, total = (
        whole(meta.get(name)) for name in ("total_pages", "page_number", "total_results")
    )
    # lists of texts are asked for by number and answered with cursors, which count no pages
    told_last = None if pages is None or number is None else number >= pages
    is_last = len(rows) < PAGE_ROWS if told_last is None else told_last
    return Page(list(_readable(read, rows)), is_last or not rows, total)


def _one(read: Read[Row], row: Mapping[str, JSON]) -> Row:
    try:
        return read(row)
    except Unreadable as exc:
        raise Unavailable(f"Telnyx's answer cannot be read: {exc}", maybe_applied=True) from exc


def _readable(read: Read[Row], rows: Iterable[JSON]) -> Iterator[Row]:
    for row in rows:
        try:
            yield read(table(row))
        except Unreadable as exc:
            logger.warning("a row of Telnyx's list was left out: %s", exc)


def _query(**values: str | None) -> dict[str, str]:
    return {f"filter[{name}]": value for name, value in values.items() if value is not None}


def _times(name: str, since: datetime | None, until: datetime | None) -> dict[str, str]:
    """Return filters that take in both ends; Telnyx's examples go to the second."""
    query = {}
    if since is not None:
        query[f"filter[{name}][gte]"] = _second(since)
    if until is not None:
        query[f"filter[{name}][lte]"] = _second(until + timedelta(seconds=1))
    return query


def _second(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
