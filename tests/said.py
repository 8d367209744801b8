"""Recordings with something said in them, for the tests of transcripts."""

import uuid
from datetime import UTC, datetime, timedelta

from django.urls import reverse
from django.utils import timezone

from calls.models import Call, Command, WebhookEvent
from recordings import storage
from recordings.alignment import Segment, Word
from recordings.models import Caption, Recording, Transcript, numbers
from tests.store import wav

STARTED = datetime(2026, 3, 2, 15, 4, 36, tzinfo=UTC)
TEXT = "Hello there. How can I help you? Goodbye."


def make_call(**more):
    leg = str(uuid.uuid4())
    return Call.objects.create(**({"call_leg_id": leg, "conversation": leg} | more))


def make(call=None, *, with_file=False, **more):
    """Return a stored recording of one minute; with_file=True writes two seconds of noise."""
    now = timezone.now()
    sha = uuid.uuid4().hex * 2
    given = {
        "recording_id": str(uuid.uuid4()),
        "state": "stored",
        "since": now,
        "announced_at": now,
        "started_at": STARTED,
        "ended_at": STARTED + timedelta(seconds=60),
        "duration_ms": 60_000,
        "format": "wav",
        "channels": 2,
        "sha256": sha,
        "path": f"{sha[:2]}/{sha}.wav",
        "size_bytes": 64044,
        "direction": "incoming",
    } | more
    call = call or make_call(direction=given["direction"])
    recording = Recording.objects.create(
        call=call, **numbers("+12125550100", "+18005550101"), **given
    )
    if with_file:
        path = storage.local_path(recording.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav())
    return recording


def say(recording, text=TEXT, **more):
    given = {
        "recording_transcription_id": str(uuid.uuid4()),
        "status": "completed",
        "told_at": timezone.now(),
    } | more
    transcript = Transcript.objects.create(
        call=recording.call,
        recording=recording,
        recording_key=recording.recording_id,
        text=text,
        **given,
    )
    recording.tell_transcripts()
    return transcript


def row(text, start_ms=None, end_ms=None, *, words=(), origin="aligned", **more):
    """Return a sentence as it is stored."""
    return {
        "text": text,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "confidence": None if start_ms is None else 0.9,
        "channel": None if start_ms is None else 0,
        "origin": None if start_ms is None else origin,
        "words": [list(word) for word in words],
    } | more


def timed(recording, *rows, **more):
    """Return a transcript with these sentences."""
    text = "\n".join(each["text"] for each in rows)
    return say(recording, text, segments=list(rows), timing="timed", **more)


def caption(recording, text, after_s, **more):
    return Caption.objects.create(
        call=recording.call,
        event_id=str(uuid.uuid4()),
        occurred_at=recording.started_at + timedelta(seconds=after_s),
        text=text,
        **({"track": "inbound", "is_final": True} | more),
    )


def pause(recording, by, *, told, first_s, last_s):
    """Pause a recording by our clock, which told captions at `told` plus their place in it."""
    for kind, at_s in (("record_pause", first_s), ("record_resume", last_s)):
        at = told + timedelta(seconds=at_s)
        Command.objects.create(
            call=recording.call,
            kind=kind,
            requested_by=by,
            request_id=f"{kind}{at_s}",
            requested_at=at,
            accepted_at=at,
            expires_at=at,
            due_at=at,
            state="accepted",
        )


def received(caption, at):
    """Keep when the webhook of a caption reached us."""
    WebhookEvent.objects.create(
        event_id=caption.event_id,
        event_type="call.transcription",
        call_leg_id=caption.call.call_leg_id,
        raw=b"{}",
        received_at=at,
        due_at=at,
        state="applied",
    )


def started(recording, by, **params):
    """Keep the command that started a recording."""
    return Command.objects.create(
        call=recording.call,
        kind="record_start",
        params=params,
        requested_by=by,
        request_id=uuid.uuid4().hex,
        requested_at=STARTED,
        accepted_at=STARTED,
        first_sent_at=STARTED,
        expires_at=STARTED,
        due_at=STARTED,
        state="accepted",
    )


def find_all(path, text, language, timeout_s):
    """Align as if each word were said at a place of its own, a second a word."""
    found, at = [], 0
    for line in text.splitlines():
        words = []
        for word in line.split():
            words.append(Word(word, at * 1000, at * 1000 + 800))
            at += 1
        if words:
            first, last = words[0].start_ms, words[-1].end_ms
            found.append(Segment(line, tuple(words), first, last, 0.95, 1))
    return found


def find_none(path, text, language, timeout_s):
    return [
        Segment(line, tuple(Word(word) for word in line.split())) for line in text.splitlines()
    ]


def url(name, recording, *more):
    return reverse(f"recordings:{name}", args=[recording.pk, *more])
