"""What Telnyx's events mean for recordings. Each runs in the transaction that applies its event.

Events come in any order and more than once: a file told twice is one row, a text may come before
its recording, and who called whom may be told last.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from calls import projection
from calls.events import Told, handles, handles_all
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
from recordings import conversation, said, telling, timing
from recordings.links import SAME_START
from recordings.models import (
    Caption,
    FoundBy,
    Recording,
    RecordingQuerySet,
    State,
    Tagging,
    Transcript,
    numbers,
    place_of,
)
from recordings.pairing import APART
from recordings.search.index import index

CHANNELS = {"single": 1, "dual": 2}
FINISHED = "completed"  # Telnyx's status of a text that will not change
UNTOUCHED = Transcript.Timing.NONE


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
        "failures": 0,
        "reason": "",
        "found_by": _found_by(row, event),
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
        if known.state == State.DELETED and "recording_id" in changes:
            changes |= {"provider_erased_at": None, "due_at": now}  # now Telnyx's copy has a name
        Recording.objects.filter(pk=known.pk).change(**changes)
        if place := changes.get("place"):
            Tagging.objects.filter(recording=known).update(place=place)
        known.recording_id = known.recording_id or saved.recording_id or ""
    known.attach_transcripts()
    if timing.ask(known.transcripts.filter(timing=Transcript.Timing.NONE)):
        transaction.on_commit(partial(ring, "texts"))
    conversation.tell_pauses(call)
    conversation.tell_agent(call)
    index(known.pk)
    projection.touch(call)
    transaction.on_commit(partial(ring, "media"))


def _found_by(row: WebhookEvent, event: Event) -> str:
    """Return how we learned of it: what Telnyx told when asked says so itself (strangers.py)."""
    told = event.payload.get("found_by")
    is_ours = row.source == WebhookEvent.Source.RECONCILE and told in FoundBy.values
    return str(told) if is_ours else FoundBy.WEBHOOK


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

    A failure that Telnyx told becomes the file after all, if no other recording can have failed;
    so does one that we gave up as missing.
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
        silent = [one for one in of_call if _may_become(one, started_at)]
        return min(silent, key=lambda one: abs(one.started_at - started_at), default=None)
    return None


def _may_become(recording: Recording, started_at: datetime) -> bool:
    """Say whether one without a file can be what began then: we know when a missing one did."""
    is_near = abs(recording.started_at - started_at) <= APART
    return recording.is_told_failure and (is_near or recording.state == State.FAILED)


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
    if of_call.filter(started_at=at).exists():
        return
    told = RecordingError.read(event.payload).reason or "it gave no reason"
    reason = f"Telnyx reported an error: {told}."
    if 0 < _starts(call) <= of_call.count():
        _explain_missing(of_call, reason)
        return
    failed = Recording.objects.create(
        call=call,
        state=State.FAILED,
        reason=reason,
        since=row.received_at,
        announced_at=row.received_at,
        started_at=at,
        start_inferred=True,
        direction=call.direction,
        **numbers(call.from_number, call.to_number),
    )
    conversation.tell_agent(call)
    telling.tell(failed, State.FAILED, reason)
    index(failed.pk)
    projection.touch(call)


def _explain_missing(of_call: RecordingQuerySet, reason: str) -> None:
    """Say of one that was given up as missing why there is none."""
    missing = of_call.filter(state=State.MISSING).order_by("started_at")
    silent = next((recording for recording in missing if recording.is_told_failure), None)
    if silent is not None:
        Recording.objects.filter(pk=silent.pk).change(
            state=State.FAILED, reason=reason, since=timezone.now(), due_at=None
        )
        telling.tell(silent, State.FAILED, reason)
        projection.touch(silent.call)


@handles_all("call.initiated")
def name_parties(begun: Sequence[Told]) -> None:
    """Tell the recordings that came before it who called whom."""
    told = {it.call.pk: it.event.payload for it in begun}
    unnamed = Recording.objects.filter(call__in=told, from_number="", to_number="")
    for key, call in unnamed.values_list("pk", "call_id"):
        caller, called = (text(told[call].get(name), 255) for name in ("from", "to"))
        if caller or called:
            direction = text(told[call].get("direction"), 8)
            named = {"direction": direction, **numbers(caller, called)}
            Recording.objects.filter(pk=key).change(**named)
            index(key)


@handles_all("call.initiated", "call.answered", "call.hangup")
def name_agents(news: Sequence[Told]) -> None:
    """Tell the recordings of conversations who took the call, or made it, for the centre."""
    conversation.tell_agents({it.call.pk: it.call for it in news}.values())


@handles("call.recording.transcription.saved")
def keep_text(row: WebhookEvent, event: Event, call: Call) -> None:
    """The text of a recording, which may itself come later."""
    told = TranscriptionSaved.read(event.payload)
    key, transcription_id = told.recording_id or "", told.recording_transcription_id or ""
    recording = Recording.objects.filter(recording_id=key).first() if key else None
    same = {"call": call, "recording_key": key} if not transcription_id else {}
    transcript, is_new = Transcript.objects.get_or_create(
        recording_transcription_id=transcription_id,
        source=Transcript.Source.TELNYX,
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
    is_other = is_new or _replace(transcript, told, row.received_at)
    if is_other and timing.ask(Transcript.objects.filter(pk=transcript.pk)):
        transaction.on_commit(partial(ring, "texts"))
    if recording is not None:
        Recording.objects.filter(pk=recording.pk).change()
        recording.tell_transcripts()
        index(recording.pk)
    projection.touch(call)


def _replace(transcript: Transcript, told: TranscriptionSaved, told_at: datetime) -> bool:
    """Put another text in the place of one; return False for the same, or an older one.

    What a person corrected stays: the corrections would be lost.
    """
    is_later = (told.status == FINISHED, told_at) > (
        transcript.status == FINISHED,
        transcript.told_at,
    )
    if not told.text or told.text == transcript.text or not (is_later or not transcript.text):
        return False
    replaced = Transcript.objects.filter(pk=transcript.pk, revision=0).update(
        status=told.status, text=told.text, segments=None, told_at=told_at, timing=UNTOUCHED
    )
    return bool(replaced)


@handles("call.transcription")
def keep_caption(row: WebhookEvent, event: Event, call: Call) -> None:
    """A line of a live call."""
    heard = LiveTranscription.read(event.payload)
    if heard.text:
        is_new = not Caption.objects.filter(event_id=row.event_id).exists()
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
        if is_new and caption.is_final:
            _tell_late(caption)


def _tell_late(caption: Caption) -> None:
    """Make the captions of a stored recording a text anew, when one comes late."""
    stored = Recording.objects.filter(
        call=caption.call, state=State.STORED, started_at__lte=caption.occurred_at
    )
    for recording in stored.select_related("call"):
        if said.captions(recording).filter(event_id=caption.event_id).exists():
            timing.expect_captions(recording)
