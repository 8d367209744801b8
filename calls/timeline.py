"""The story of a call, told by our clock: facts of Telnyx and wishes of people, kept apart.

WebhookEvents + Commands of a leg --by our time--> [Entry]; captions are a story of their own
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from calls import found
from calls.models import Call, Command, Kind, WebhookEvent
from calls.sounds.names import plain
from calls.telnyx import payloads
from calls.telnyx.values import JSON, text
from calls.wishes import Wish, name

NEWEST_FACTS = 300
NEWEST_CAPTIONS = 200
CAPTION = "call.transcription"
DIGIT = "•"  # what callers type may be a card number

Payload = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story: a fact, or else a wish."""

    at: datetime  # our clock
    title: str = ""
    detail: str = ""
    event: WebhookEvent | None = None
    is_ours: bool = False  # the desk did it, or a person to the desk alone
    wish: Wish | None = None
    found: str = ""  # how a webhook that never came was found again


@dataclass(frozen=True, slots=True)
class Caption:
    """One final caption of a live call."""

    at: datetime
    text: str
    track: str


def entries(call: Call) -> list[Entry]:
    """Return facts and wishes in the order in which they reached us; three queries."""
    events = WebhookEvent.objects.filter(call_leg_id=call.call_leg_id).exclude(event_type=CAPTION)
    facts = [_fact(event) for event in events.order_by("-received_at", "-id")[:NEWEST_FACTS]]
    wishes = [
        Entry(command.requested_at, wish=Wish(command))
        for command in call.commands.select_related("requested_by", "rule")
    ]
    return sorted([*facts, *wishes, *_watched(call)], key=lambda entry: entry.at)


def _watched(call: Call) -> Iterator[Entry]:
    """Yield what became of the call's watched pauses, beyond the commands."""
    for guard in call.guards.select_related("extended_by"):
        if guard.extended_at is not None:
            why = f"by {name(guard.extended_by)}: {guard.get_extended_why_display()}"
            yield Entry(guard.extended_at, "Pause extended", why, is_ours=True)
        if guard.escalated_at is not None:
            yield Entry(guard.escalated_at, "Still paused", guard.trouble, is_ours=True)
        if guard.late_why and guard.ended_at is not None:
            late = f"{guard.late_s:.1f} s late: {guard.late_why}"
            yield Entry(guard.ended_at, "Resumed by the desk", late, is_ours=True)


def captions(call: Call) -> list[Caption]:
    """Return the newest final captions, oldest first, without those heard during a pause."""
    events = _captions(call).exclude(during_pauses(call))
    found = []
    for event in events.order_by("-received_at", "-id")[:NEWEST_CAPTIONS]:
        caption = payloads.LiveTranscription.read(_payload(event))
        if caption.is_final and caption.text:
            found.append(Caption(event.received_at, caption.text, caption.track))
    return found[::-1]


def unheard(call: Call) -> QuerySet[WebhookEvent]:
    """Return the captions of what was said during a pause: nobody may read them."""
    return _captions(call).filter(during_pauses(call))


def _captions(call: Call) -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(call_leg_id=call.call_leg_id, event_type=CAPTION)


def during_pauses(call: Call) -> Q:
    """Match what reached us while the recording was paused; both times are ours."""
    match = Q(pk__in=[])
    for begun, ended in pauses(call):
        until = Q() if ended is None else Q(received_at__lte=ended)
        match |= Q(received_at__gte=begun) & until
    return match


def pauses(call: Call) -> list[tuple[datetime, datetime | None]]:
    """Return when the recording was paused, from the click on: what was said then is not shown.

    A pause in doubt counts, a resume in doubt does not: nobody is to read what may be private.
    """
    found: list[tuple[datetime, datetime | None]] = []
    moves = call.commands.filter(
        Q(accepted_at__isnull=False) | Q(kind=Kind.RECORD_PAUSE, state=Command.State.UNKNOWN),
        kind__in=[Kind.RECORD_PAUSE, Kind.RECORD_RESUME, Kind.RECORD_STOP],
    )
    for command in moves.order_by("requested_at", "pk"):
        is_open = bool(found) and found[-1][1] is None
        if command.kind == Kind.RECORD_PAUSE and not is_open:
            found.append((command.requested_at, None))
        elif command.kind != Kind.RECORD_PAUSE and is_open:
            found[-1] = (found[-1][0], command.accepted_at)
    return found


def _fact(event: WebhookEvent) -> Entry:
    title, tell = FACTS.get(event.event_type, (event.event_type, _nothing))
    told = tell(_payload(event))
    return Entry(event.received_at, title, told, event=event, found=_found(event))


def _found(event: WebhookEvent) -> str:
    """Say how a lost webhook was found again; "" for what came by itself, or was asked about."""
    how = found.how_found(bytes(event.raw)) if event.source == event.Source.RECONCILE else ""
    if not how:
        return ""
    at = f"{timezone.localtime(event.received_at):%H:%M}"
    dated = f"{timezone.localtime(event.occurred_at):%H:%M:%S}" if event.occurred_at else ""
    happened = f"happened at {dated} by Telnyx's clock, " if dated else ""
    return f"{happened}found again at {at}{how}"


def _payload(event: WebhookEvent) -> Payload:
    try:
        return payloads.parse(bytes(event.raw)).payload
    except payloads.Unreadable:
        return {}


def _words(value: JSON) -> str:
    """Write one of Telnyx's constants as words: normal_clearing -> normal clearing."""
    return text(value, 100).replace("_", " ").replace("-", " ").lower()


def _nothing(payload: Payload) -> str:
    return ""


def _status(payload: Payload) -> str:
    return _words(payload.get("status"))


def _result(payload: Payload) -> str:
    return _words(payload.get("result"))


def _parties(payload: Payload) -> str:
    said = [text(payload.get("caller_id_name"), 100), _words(payload.get("direction"))]
    return ", ".join(part for part in said if part)


def _hangup(payload: Payload) -> str:
    cause, source = _words(payload.get("hangup_cause")), _words(payload.get("hangup_source"))
    by = f"by the {source}" if source in ("caller", "callee") else ""
    return ", ".join(part for part in (cause, by) if part)


def _played(payload: Payload) -> str:
    name = plain(text(payload.get("media_name") or payload.get("media_url"), 200))
    return ", ".join(part for part in (name, _status(payload)) if part)


def _key(payload: Payload) -> str:
    return DIGIT * len(text(payload.get("digit"), 1))


def _keys(payload: Payload) -> str:
    digits = DIGIT * len(text(payload.get("digits"), 64))
    return ", ".join(part for part in (digits, _status(payload)) if part)


def _saved(payload: Payload) -> str:
    saved = payloads.RecordingSaved.read(payload)
    said = [f"{saved.channels} channel", saved.format] if saved.channels else [saved.format]
    if saved.started_at and saved.ended_at:
        said.append(f"{(saved.ended_at - saved.started_at).total_seconds():.0f} s")
    return ", ".join(part for part in said if part)


def _reason(payload: Payload) -> str:
    return payloads.RecordingError.read(payload).reason


FACTS: Mapping[str, tuple[str, Callable[[Payload], str]]] = {
    "call.initiated": ("Call began", _parties),
    "call.answered": ("Answered", _nothing),
    "call.bridged": ("Bridged with another leg", _nothing),
    "call.hold": ("Put on hold", _nothing),
    "call.unhold": ("Taken off hold", _nothing),
    "call.enqueued": ("Entered a queue", _nothing),
    "call.dequeued": ("Left the queue", _nothing),
    "call.hangup": ("Hung up", _hangup),
    "call.speak.started": ("Speaking began", _nothing),
    "call.speak.ended": ("Speaking ended", _status),
    "call.playback.started": ("Sound began", _played),
    "call.playback.ended": ("Sound ended", _played),
    "call.dtmf.received": ("Key pressed", _key),
    "call.gather.ended": ("Keys gathered", _keys),
    "call.recording.saved": ("Recording ready at Telnyx", _saved),
    "call.recording.error": ("Recording failed at Telnyx", _reason),
    "call.recording.transcription.saved": ("Transcript ready at Telnyx", _status),
    "call.machine.detection.ended": ("Answering machine check", _result),
    "call.machine.greeting.ended": ("Machine's greeting ended", _result),
    "call.machine.premium.detection.ended": ("Answering machine check", _result),
    "call.machine.premium.greeting.ended": ("Machine's greeting ended", _result),
    "call.cost": ("Cost told", _nothing),
    "reconcile.alive": ("Telnyx, when asked, said that the call lives", _nothing),
    "reconcile.ended": ("Telnyx, when asked, said that the call is over", _nothing),
}
