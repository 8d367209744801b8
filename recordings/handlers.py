"""What Telnyx's events mean for recordings. Each runs in the transaction that applies its event.

Events come in any order and more than once: a file told twice is one row, a text may come before
its recording, and who called whom may be told last.
"""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from calls import projection
from calls.events import handles
from calls.models import Call, Command, Kind, WebhookEvent
from calls.ring import ring
from calls.telnyx.payloads import (
    Event,
    LiveTranscription,
    RecordingError,
    RecordingSaved,
    TranscriptionSaved,
)
from calls.telnyx.values import text
from recordings import conversation
from recordings.links import SAME_START
from recordings.models import Caption, Recording, State, Transcript, numbers, place_of
from recordings.search.index import index

CHANNELS = {"single": 1, "dual": 2}


@handles("call.recording.saved")
def announce(row: WebhookEvent, event: Event, call: Call) -> None:
    """A file is ready: one row for it, due at once."""
    saved = RecordingSaved.read(event.payload)
    started_at = saved.started_at or row.occurred_at or row.received_at
    now = timezone.now()  # the event itself may be an old one that was replayed
    fetchable: dict[str, object] = {
        "state": State.ANNOUNCED,
        "since": now,
        "announced_at": now,
        "due_at": now,
        "reason": "",
        "started_at": started_at,
        "start_inferred": saved.started_at is None,
        "urls": saved.urls,
        "urls_at": row.received_at,
    }
    known = _same_file(call, saved, started_at)
    if known is None:
        known = Recording.objects.create(call=call, **fetchable, **_learnt(saved, call))
    else:
        changes = {
            name: value
            for name, value in _learnt(saved, call).items()
            if value and not getattr(known, name)
        }
        if known.is_told_failure:
            changes |= fetchable | {"place": place_of(started_at, known.pk)}
        elif known.is_wanted and (known.urls_at is None or known.urls_at < row.received_at):
            changes |= {"urls": saved.urls, "urls_at": row.received_at}
        if not changes:
            return
        Recording.objects.filter(pk=known.pk).change(**changes)
        known.recording_id = known.recording_id or saved.recording_id or ""
    known.attach_transcripts()
    conversation.tell_pauses(call)
    conversation.tell_agent(call)
    index(known.pk)
    projection.touch(call)
    transaction.on_commit(partial(ring, "media"))


def _learnt(saved: RecordingSaved, call: Call) -> dict[str, object]:
    return {
        "recording_id": saved.recording_id or "",
        "ended_at": saved.ended_at,
        "format": saved.format,
        "channels": CHANNELS.get(saved.channels),
        "direction": call.direction,
        **numbers(saved.from_number or call.from_number, saved.to_number or call.to_number),
    }


def _same_file(call: Call, saved: RecordingSaved, started_at: datetime) -> Recording | None:
    """Return the row of this file: by its id, else by its start, which two sources may round.

    A failure that Telnyx told becomes the file after all, if no other recording can have failed.
    """
    of_call = Recording.objects.filter(call=call)
    near = Q(started_at__range=(started_at - SAME_START, started_at + SAME_START))
    if saved.recording_id:
        by_id = Recording.objects.filter(recording_id=saved.recording_id).first()
        if by_id is not None:
            return by_id
        same = of_call.filter(near, recording_id="")
    else:
        exact = Q(recording_id="", started_at=started_at)
        same = of_call.filter(exact | near & ~Q(recording_id=""))
    files = [recording for recording in same if not recording.is_told_failure]
    if files:
        return min(files, key=lambda recording: abs(recording.started_at - started_at))
    if 0 < _starts(call) <= of_call.count():
        told_failures = of_call.filter(state=State.FAILED, attempts=0)
        return told_failures.order_by("started_at").first()
    return None


def _starts(call: Call) -> int:
    """Return how many recordings we know to have been started on a call."""
    sent = Command.objects.filter(
        call=call, state__in=[*Command.APPLIED, Command.State.UNKNOWN], first_sent_at__isnull=False
    )
    from_answer = Q(kind__in=[Kind.DIAL, Kind.ANSWER], params__record="record-from-answer")
    return sent.filter(Q(kind=Kind.RECORD_START) | from_answer).count()


@handles("call.recording.error")
def fail(row: WebhookEvent, event: Event, call: Call) -> None:
    """A recording failed at Telnyx, which does not say which: it is one that has no file yet."""
    at = row.occurred_at or row.received_at
    of_call = Recording.objects.filter(call=call)
    if of_call.filter(started_at=at).exists() or 0 < _starts(call) <= of_call.count():
        return
    reason = RecordingError.read(event.payload).reason or "it gave no reason"
    failed = Recording.objects.create(
        call=call,
        state=State.FAILED,
        reason=f"Telnyx reported an error: {reason}.",
        since=row.received_at,
        announced_at=row.received_at,
        started_at=at,
        start_inferred=True,
        direction=call.direction,
        **numbers(call.from_number, call.to_number),
    )
    conversation.tell_agent(call)
    index(failed.pk)
    projection.touch(call)


@handles("call.initiated")
def name_parties(row: WebhookEvent, event: Event, call: Call) -> None:
    """Tell the recordings that came before it who called whom."""
    caller, called = (text(event.payload.get(name), 255) for name in ("from", "to"))
    unnamed = Recording.objects.filter(call=call, from_number="", to_number="")
    if (caller or called) and (keys := list(unnamed.values_list("pk", flat=True))):
        Recording.objects.filter(pk__in=keys).change(
            direction=text(event.payload.get("direction"), 8), **numbers(caller, called)
        )
        for key in keys:
            index(key)


@handles("call.initiated")
@handles("call.answered")
@handles("call.hangup")
def name_agent(row: WebhookEvent, event: Event, call: Call) -> None:
    """Tell the recordings of the conversation who took the call, or made it, for the centre."""
    conversation.tell_agent(call)


@handles("call.recording.transcription.saved")
def keep_text(row: WebhookEvent, event: Event, call: Call) -> None:
    """The text of a recording, which may itself come later."""
    told = TranscriptionSaved.read(event.payload)
    key, transcription_id = told.recording_id or "", told.recording_transcription_id or ""
    recording = Recording.objects.filter(recording_id=key).first() if key else None
    same = {"call": call, "recording_key": key} if not transcription_id else {}
    transcript, is_new = Transcript.objects.get_or_create(
        recording_transcription_id=transcription_id,
        **same,
        defaults={
            "call": call,
            "recording": recording,
            "recording_key": key,
            "status": told.status,
            "text": told.text,
            "told_at": row.received_at,
        },
    )
    if not is_new and told.text and not transcript.text:
        transcript.status, transcript.text = told.status, told.text
        transcript.save(update_fields=["status", "text"])
    if recording is not None:
        Recording.objects.filter(pk=recording.pk).change()
        recording.tell_transcripts()
        index(recording.pk)
    projection.touch(call)


@handles("call.transcription")
def keep_caption(row: WebhookEvent, event: Event, call: Call) -> None:
    """A line of a live call."""
    heard = LiveTranscription.read(event.payload)
    if heard.text:
        caption = Caption(
            call=call,
            event_id=row.event_id,
            occurred_at=row.occurred_at or row.received_at,
            track=heard.track,
            text=heard.text,
            confidence=heard.confidence,
            is_final=heard.is_final,
        )
        Caption.objects.bulk_create([caption], ignore_conflicts=True)
