"""Recordings of legs: started, paused, resumed, stopped, saved, transcribed.

Where Telnyx is silent the settings decide: pausing or stopping what does not run is a 422 (strict)
or a 200 without effect (lenient); a second record_start makes a second file, or is refused.
Assumed: max_length counts recorded time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from simulator.answers import Answer, Json, accepted, ignored, refused
from simulator.clips import BEEP
from simulator.core import OMITTED, SYSTEM, Core
from simulator.legs import Leg, Recording, Transcript, millis, stamp

HEARD_ON = {"both": ("inbound", "outbound"), "inbound": ("inbound",), "outbound": ("outbound",)}
Span = tuple[datetime, datetime]


def record_start(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Start a recording, if audio flows already."""
    if body["format"] not in core.formats:
        detail = "This simulator writes no mp3: lameenc is not installed."
        raise refused(422, "90000", detail, pointer="/format")
    if leg.audio_at is None or now < leg.audio_at:
        raise refused(422, "90020", "Recording was requested before the call's audio started.")
    if body.get("timeout_secs") and leg.transcribing:
        raise refused(422, "90053", "timeout_secs cannot be used while the call is transcribed.")
    if leg.recording != "off" and core.settings.second_recording == "refuse":
        raise refused(422, "10015", "The call is being recorded already.")  # assumed code
    begin(core, leg, body, now)
    return accepted()


def begin(
    core: Core, leg: Leg, body: Json, now: datetime, *, by: str = "StartCallRecordingAPI"
) -> Recording:
    """Let a recording run from now on; its id may have been promised before."""
    recording = Recording(
        id=body.get("promised_id") or core.new_id(),
        leg=leg,
        format=body["format"],
        channels=body["channels"] if body.get("recording_track", "both") == "both" else "single",
        track=body.get("recording_track", "both"),
        pause_mode=core.settings.pause_mode,
        started_at=now,
        initiated_by=by,
        name=f"{body.get('custom_file_name') or leg.call_leg_id}-{int(now.timestamp())}",
        wants_transcript=body.get("transcription") is True,
    )
    leg.recordings.append(recording)
    core.recordings[recording.id] = recording
    if body.get("play_beep"):
        core.sound_out(BEEP, SYSTEM, now, [(leg, "outbound")])
    if body.get("max_length"):
        _watch_length(core, recording, timedelta(seconds=body["max_length"]), now)
    return recording


def promise(core: Core, leg: Leg, body: Json) -> dict[str, str]:
    """Record a leg from its answer on, if asked for; return the id the recording will have."""
    if body.get("record") != "record-from-answer":
        return {}
    wish = {
        "promised_id": core.new_id(),
        "format": body.get("record_format") or core.formats[0],
        "channels": body.get("record_channels", "dual"),
        "recording_track": body.get("record_track", "both"),
        "max_length": body.get("record_max_length", 0),
        "custom_file_name": body.get("record_custom_file_name"),
        "transcription": body.get("record_transcription", body.get("transcription")),
    }
    leg.on_answer.append(lambda at: begin(core, leg, wish, at, by="DialVerb"))
    return {"recording_id": wish["promised_id"]}


def record_pause(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Pause a leg's running recordings, or the one that is named."""
    chosen = _chosen(core, leg, body, "recording", "The call is not being recorded.")
    for recording in chosen:
        recording.state = "paused"
        recording.pauses.append([now, None])
    return accepted() if chosen else ignored()


def record_resume(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Resume a leg's paused recordings, or the one that is named."""
    chosen = _chosen(core, leg, body, "paused", "The call's recording is not paused.")
    for recording in chosen:
        recording.state = "recording"
        recording.pauses[-1][1] = now
    return accepted() if chosen else ignored()


def record_stop(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Stop a leg's recordings, or the one that is named."""
    chosen = _chosen(core, leg, body, None, "The call is not being recorded.")
    for recording in chosen:
        finish(core, recording, now)
    return accepted() if chosen else ignored()


def finish(core: Core, recording: Recording, at: datetime) -> None:
    """End a recording; a while later it is saved."""
    recording.state = "stopped"
    recording.ended_at = at
    if recording.pauses and recording.pauses[-1][1] is None:
        recording.pauses[-1][1] = at
    tracks = HEARD_ON[recording.track]
    recording.noises = [
        (track, noise)
        for track, noise in recording.leg.heard
        if track in tracks and noise.start < at and noise.end > recording.started_at
    ]
    core.later(at, core.settings.saved_delay_s, lambda then: _save(core, recording, then))


def spans(recording: Recording, until: datetime) -> list[Span]:
    """Return the stretches of time that were recorded, pauses left out."""
    found, start = [], recording.started_at
    for pause, resume in recording.pauses:
        if pause and pause > start:
            found.append((start, pause))
        start = resume or until
    if start < until:
        found.append((start, until))
    return found


def duration_ms(recording: Recording, until: datetime) -> int:
    """Return how long the file is, or would be if it ended then."""
    end = recording.ended_at or until
    if recording.pause_mode == "silence":
        return millis(end - recording.started_at)
    return millis(sum((stop - start for start, stop in spans(recording, end)), timedelta()))


def lines(recording: Recording, until: datetime) -> Iterator[Json]:
    """Yield what the file says: each unbroken line with its speaker and its place in the file."""
    end = recording.ended_at or until
    tracks = HEARD_ON[recording.track]
    noises = recording.noises or [pair for pair in recording.leg.heard if pair[0] in tracks]
    offset = timedelta()
    for start, stop in spans(recording, end):
        if recording.pause_mode == "silence":
            offset = start - recording.started_at
        for track, noise in noises:
            text = " ".join(noise.words(start, stop))
            if text:
                begins = max(start, noise.start)
                yield {
                    "speaker": noise.speaker,
                    "channel": "A" if track == "inbound" else "B",
                    "text": text,
                    "at_ms": millis(offset + begins - start),
                    "end_ms": millis(offset + min(stop, noise.end) - start),
                }
        offset += stop - start


def text_of(recording: Recording) -> str:
    """Return the words in a finished recording, in the order they were said."""
    found = sorted(lines(recording, recording.started_at), key=lambda line: line["at_ms"])
    return " ".join(line["text"] for line in found)


def _chosen(
    core: Core, leg: Leg, body: Json, state: str | None, complaint: str
) -> list[Recording]:
    """Return the recordings a command means. Raises Refused if there are none, unless lenient."""
    wanted = body.get("recording_id")
    chosen = [
        recording
        for recording in leg.recordings
        if (recording.is_running if state is None else recording.state == state)
        and wanted in (None, recording.id)
    ]
    if not chosen and core.settings.strictness == "strict":
        raise refused(422, "10015", complaint)  # assumed: Telnyx documents no code for it
    return chosen


def _watch_length(core: Core, recording: Recording, limit: timedelta, now: datetime) -> None:
    """Stop a recording that holds as much as was asked for; else look again when it may."""
    if not recording.is_running:
        return
    held = sum((stop - start for start, stop in spans(recording, now)), timedelta())
    if held >= limit:
        finish(core, recording, now)
    else:
        again = now + max(limit - held, timedelta(milliseconds=20))
        core.at(again, lambda at: _watch_length(core, recording, limit, at))


def _save(core: Core, recording: Recording, at: datetime) -> None:
    recording.state = "saved"
    recording.saved_at = at
    leg = recording.leg
    started = stamp(recording.started_at)
    ended = stamp(recording.ended_at or at)
    core.emit(
        leg,
        "call.recording.saved",
        at,
        channels=recording.channels,
        format=recording.format,
        recording_id=OMITTED if core.settings.omit_ids else recording.id,
        recording_started_at=started,
        recording_ended_at=ended,
        start_time=started,
        end_time=ended,
        public_recording_urls={},
        **leg.ends(),
        recording_urls={recording.format: core.link(recording, recording.format, at)},
        call_control_id=OMITTED if core.settings.omit_ids else leg.call_control_id,
    )
    if recording.wants_transcript:
        wait = core.settings.transcript_delay_s
        core.later(at, wait, lambda then: _transcribe(core, recording, then))


def _transcribe(core: Core, recording: Recording, at: datetime) -> None:
    if recording.state == "deleted":
        return
    row = Transcript(
        core.new_id(), recording.id, text_of(recording), duration_ms(recording, at), at
    )
    core.transcripts[row.id] = row
    core.emit(
        recording.leg,
        "call.recording.transcription.saved",
        at,
        calling_party_type="pstn" if recording.leg.from_.startswith("+") else "sip",
        recording_id=recording.id,
        recording_transcription_id=row.id,
        status="completed",
        transcription_text=row.text,
    )


def truth(recording: Recording, now: datetime) -> Json:
    """Return everything true about a recording."""
    told: dict[str, Any] = {
        "id": recording.id,
        "state": recording.state,
        "started": stamp(recording.started_at),
        "ended": stamp(recording.ended_at) if recording.ended_at else None,
        "pauses": [[at and stamp(at) for at in pause] for pause in recording.pauses],
        "format": recording.format,
        "channels": recording.channels,
        "duration_ms": duration_ms(recording, now),
        "lines": sorted(lines(recording, now), key=lambda line: line["at_ms"]),
    }
    return told
