"""Recordings that Telnyx lists and no webhook told: announced as if it had.

    GET /recordings --those unknown--> WebhookEvent(source=reconcile) --handlers--> Recording

What is told so says by whom it was found. A call that nobody knew is made as one that has ended
long ago, so that it never shows as live; whether a recent one still lives is asked at Telnyx.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from django.utils import timezone

from calls import intake, writer
from calls.models import Call, Command, Kind, WebhookEvent
from calls.ring import ring
from calls.telnyx.readings import RecordingRow, TranscriptionRow
from calls.writer import Row
from recordings.models import Recording, State, Transcript

Ids: TypeAlias = tuple[str, str, str]  # of the leg, the session, for commands

COMPLETED = "completed"  # of a text; until then it has none
BATCH = 50  # events in one statement
MOST_IDS = 500  # in one query
OVER_AFTER = timedelta(hours=24)  # no call lasts so long after one of its recordings has ended


def announce(rows: Iterable[RecordingRow], found_by: str) -> int:
    """Tell the desk of those recordings that it does not know; return of how many it was told.

    Known they are when their events have been applied.
    """
    unknown = _untold(among(rows))
    if not unknown:
        return 0
    now = timezone.now()
    for at in range(0, len(unknown), MOST_IDS):
        _tell(unknown[at : at + MOST_IDS], found_by, now)
    ring("events")
    return len(unknown)


def _tell(rows: Sequence[RecordingRow], found_by: str, now: datetime) -> None:
    new, formats = _make_calls(rows, now), _formats(rows)
    told = [_saved(row, found_by, formats.get(_leg(row), ""), now) for row in rows]
    told += [_ended(row, now) for row in rows if _leg(row) in new and _is_over(row, now)]
    for at in range(0, len(told), BATCH):
        writer.store(told[at : at + BATCH], source=WebhookEvent.Source.RECONCILE)


def among(rows: Iterable[RecordingRow]) -> list[RecordingRow]:
    """Keep the rows whose recording the desk does not know, each once."""
    listed = {row.recording_id: row for row in rows}
    known = set()
    for some in _some(listed):
        found = Recording.objects.filter(recording_id__in=some)
        known |= set(found.values_list("recording_id", flat=True))
    return [row for recording_id, row in listed.items() if recording_id not in known]


def _untold(rows: Sequence[RecordingRow]) -> list[RecordingRow]:
    """Keep the rows that were not announced before."""
    ids = {_saved_id(row) for row in rows}
    told = set()
    for some in _some(ids):
        events = WebhookEvent.objects.filter(event_id__in=some)
        told |= set(events.values_list("event_id", flat=True))
    return [row for row in rows if _saved_id(row) not in told]


def _some(ids: Iterable[str]) -> Iterator[list[str]]:
    """Cut ids into what one query can take."""
    left = sorted(ids)
    for at in range(0, len(left), MOST_IDS):
        yield left[at : at + MOST_IDS]


def announce_texts(rows: Iterable[TranscriptionRow]) -> int:
    """Tell the desk of new texts of recordings that it knows; return how many."""
    listed = {
        row.recording_transcription_id: row for row in rows if row.status == COMPLETED and row.text
    }
    kept = Transcript.objects.filter(recording_transcription_id__in=listed)
    known = set(kept.values_list("recording_transcription_id", flat=True))
    ids = {row.recording_id for row in listed.values() if row.recording_id}
    found = Recording.objects.filter(recording_id__in=ids).exclude(state=State.DELETED)
    recordings = {one.recording_id: one for one in found.select_related("call")}
    now = timezone.now()
    told = [
        _text(row, recordings[row.recording_id].call, now)
        for key, row in listed.items()
        if key not in known and row.recording_id in recordings
    ]
    if told:
        writer.store(told, source=WebhookEvent.Source.RECONCILE)
        ring("events")
    return len(told)


def _leg(row: RecordingRow) -> str:
    """Return the leg that was recorded; of a conference, one of its own."""
    return row.call_leg_id or f"recording:{row.recording_id}"


def _make_calls(rows: Sequence[RecordingRow], now: datetime) -> set[str]:
    """Make rows for the legs that the desk does not know; return those legs."""
    by_leg = {_leg(row): row for row in rows}
    known = Call.objects.filter(call_leg_id__in=by_leg).values_list("call_leg_id", flat=True)
    new = by_leg.keys() - set(known)
    made = [_call(by_leg[leg], now) for leg in sorted(new)]
    Call.objects.bulk_create(made, ignore_conflicts=True)
    return new


def _call(row: RecordingRow, now: datetime) -> Call:
    return Call(
        call_leg_id=_leg(row),
        call_control_id=row.call_control_id,
        call_session_id=row.call_session_id,
        conversation=row.call_session_id or _leg(row),
        closed_at=_heard_last(row, now),  # now, its end would be news for the board
        probe_at=None if _is_over(row, now) else now,
    )


def _heard_last(row: RecordingRow, now: datetime) -> datetime:
    return row.ended_at or row.created_at or row.started_at or now


def _is_over(row: RecordingRow, now: datetime) -> bool:
    return not row.call_leg_id or _heard_last(row, now) < now - OVER_AFTER


def _formats(rows: Sequence[RecordingRow]) -> dict[str, str]:
    """Return the format that a recording of a leg was asked for in; Telnyx lists links to both."""
    starts = Command.objects.filter(kind=Kind.RECORD_START, call__call_leg_id__in=map(_leg, rows))
    asked = starts.values_list("call__call_leg_id", "params__format")
    return {leg: format for leg, format in asked if isinstance(format, str)}


def _saved_id(row: RecordingRow) -> str:
    return f"asked:{row.recording_id}"


def _saved(row: RecordingRow, found_by: str, format: str, now: datetime) -> Row:
    """Return the event that would have told of a recording."""
    return _event(
        _saved_id(row),
        "call.recording.saved",
        _heard_last(row, now),
        now,
        _ids(row),
        recording_id=row.recording_id,
        connection_id=row.connection_id,
        channels=row.channels,
        format=format,
        recording_started_at=row.started_at and row.started_at.isoformat(),
        recording_ended_at=row.ended_at and row.ended_at.isoformat(),
        recording_urls=row.urls,
        found_by=found_by,
        **{"from": row.from_number, "to": row.to_number},
    )


def _ended(row: RecordingRow, now: datetime) -> Row:
    """Return the event that ends a call which must be over."""
    at = _heard_last(row, now)
    return _event(f"asked:{_leg(row)}:ended", "reconcile.ended", at, now, _ids(row))


def _text(row: TranscriptionRow, call: Call, now: datetime) -> Row:
    """Return the event that would have told of a text."""
    return _event(
        f"asked:text:{row.recording_transcription_id}",
        "call.recording.transcription.saved",
        row.created_at or now,
        now,
        (call.call_leg_id, call.call_session_id, call.call_control_id),
        recording_id=row.recording_id,
        recording_transcription_id=row.recording_transcription_id,
        status=row.status,
        transcription_text=row.text,
    )


def _ids(row: RecordingRow) -> Ids:
    return _leg(row), row.call_session_id, row.call_control_id


def _event(
    event_id: str, kind: str, at: datetime, now: datetime, call: Ids, **payload: object
) -> Row:
    names = ("call_leg_id", "call_session_id", "call_control_id")
    ids = dict(zip(names, call, strict=True))
    told = {"id": event_id, "event_type": kind, "occurred_at": at.isoformat()}
    body = {"data": told | {"payload": ids | payload}}
    return intake.read(json.dumps(body).encode(), received_at=now)
