"""Recordings and their transcripts."""

from datetime import datetime

from simulator import tape
from simulator.answers import Answer, Json, refused
from simulator.api.pages import between, by_cursor, not_found, numbered, same, wrapped
from simulator.legs import Leg, Recording, Transcript, stamp
from simulator.routing import Request, Result, Route
from simulator.switchboard import Switchboard


def recordings(board: Switchboard, request: Request) -> Result:
    """GET /recordings: the finished ones, the newest first."""
    rows = board.act(
        lambda world, now: [r for r in world.recordings.values() if r.state == "saved"]
    )
    created = between(request, "created_at")
    started, ended = between(request, "start_time"), between(request, "end_time")
    found = [
        row
        for row in reversed(rows)
        if created(row.saved_at)
        and started(row.started_at)
        and ended(row.ended_at)
        and _is_wanted(request, row.leg)
    ]
    return numbered(request, found, lambda row: _recording_row(board, row))


def _is_wanted(request: Request, leg: Leg) -> bool:
    """Return whether the filters want a leg's recordings; there are no conferences here."""
    return same(
        request,
        **leg.ids(),
        connection_id=leg.connection_id,
        from_=leg.from_,
        to=leg.to,
        conference_id=None,
        sip_call_id=None,
    )


def _recording_row(board: Switchboard, row: Recording) -> Json:
    now = board.now()
    return {
        "record_type": "recording",
        "id": row.id,
        **row.leg.ids(),
        "connection_id": row.leg.connection_id,
        "conference_id": None,
        "channels": row.channels,
        "source": "call",
        "initiated_by": row.initiated_by,
        "status": "completed",
        "duration_millis": tape.duration_ms(row, now),
        "recording_started_at": stamp(row.started_at),
        "recording_ended_at": stamp(row.ended_at or now),
        **row.leg.ends(),
        "created_at": stamp(row.saved_at or now),
        "updated_at": stamp(row.saved_at or now),
        "download_urls": board.shelf.links(row, now),
    }


def _recording(board: Switchboard, recording_id: str) -> Recording:
    row = board.world.recordings.get(recording_id)
    if row is None or row.state != "saved":
        raise not_found("recording")
    return row


def recording(board: Switchboard, request: Request) -> Result:
    """GET /recordings/{id}: with fresh links."""
    return wrapped(_recording_row(board, _recording(board, request.named["recording_id"])))


def delete_recording(board: Switchboard, request: Request) -> Result:
    """DELETE /recordings/{id}: answers with what was deleted."""
    row = _recording(board, request.named["recording_id"])
    shown = _recording_row(board, row)
    _delete(board, row)
    return wrapped(shown)


def delete_recordings(board: Switchboard, request: Request) -> Result:
    """POST /recordings/actions/delete: unknown ids are passed over."""
    ids = request.body.get("ids")
    if not isinstance(ids, list) or not ids:
        raise refused(422, "10004", "ids is required, a list of recording ids.", pointer="/ids")
    for recording_id in ids:
        row = board.world.recordings.get(str(recording_id))
        if row and row.state == "saved":
            _delete(board, row)
    return Answer(200, {"status": "ok"})


def _delete(board: Switchboard, row: Recording) -> None:
    def forget(world: object, now: datetime) -> None:
        row.state = "deleted"

    board.act(forget)
    board.shelf.drop(row)


def transcripts(board: Switchboard, request: Request) -> Result:
    """GET /recording_transcriptions: asked for by number, answered with cursors, as at Telnyx."""
    rows = board.act(lambda world, now: list(world.transcripts.values()))
    created = between(request, "created_at")
    found = [
        row
        for row in rows
        if created(row.created_at) and same(request, recording_id=row.recording_id)
    ]
    found.sort(key=_age)
    return by_cursor(request, found, _transcript_row, _age)


def _age(row: Transcript) -> str:
    return f"{stamp(row.created_at)} {row.id}"


def _transcript_row(row: Transcript) -> Json:
    return {
        "record_type": "recording_transcription",
        "id": row.id,
        "recording_id": row.recording_id,
        "status": "completed",
        "transcription_text": row.text,
        "duration_millis": row.duration_ms,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.created_at),
    }


def transcript(board: Switchboard, request: Request) -> Result:
    """GET /recording_transcriptions/{id}."""
    row = board.world.transcripts.get(request.named["transcription_id"])
    if row is None:
        raise not_found("recording transcription")
    return wrapped(_transcript_row(row))


def delete_transcript(board: Switchboard, request: Request) -> Result:
    """DELETE /recording_transcriptions/{id}: answers with what was deleted."""
    shown = transcript(board, request)
    board.act(lambda world, now: world.transcripts.pop(request.named["transcription_id"], None))
    return shown


ROUTES = [
    Route("GET", "/recordings", recordings),
    Route("POST", "/recordings/actions/delete", delete_recordings),
    Route("GET", "/recordings/{recording_id}", recording),
    Route("DELETE", "/recordings/{recording_id}", delete_recording),
    Route("GET", "/recording_transcriptions", transcripts),
    Route("GET", "/recording_transcriptions/{transcription_id}", transcript),
    Route("DELETE", "/recording_transcriptions/{transcription_id}", delete_transcript),
]
