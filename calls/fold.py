"""The state of a call as a pure function of its facts: fold(events, orders) -> CallState.

No clock, no database, nothing of ours. Order, repetition and lateness of the facts cannot
matter: they are sorted here. Telnyx's clock (`occurred_at`) and ours (`requested_at`, `sent_at`)
are never compared with each other. It is total: a fact it cannot read changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class Line(StrEnum):
    UNKNOWN = "unknown"
    RINGING = "ringing"
    ANSWERED = "answered"
    BRIDGED = "bridged"
    HELD = "held"
    ENDED = "ended"


class Recording(StrEnum):
    OFF = "off"
    ON = "on"
    PAUSED = "paused"
    DOUBT = "doubt"


class Sound(StrEnum):
    SILENT = "silent"
    SPEAKING = "speaking"
    PLAYING = "playing"


class Fate(StrEnum):
    """What is known of a command that was sent."""

    APPLIED = "applied"  # Telnyx answered 2xx
    UNKNOWN = "unknown"  # sent, and nobody knows whether it took effect


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook, or a reading of Telnyx's REST API kept in the same form."""

    event_id: str
    event_type: str
    occurred_at: datetime
    received_at: datetime
    payload: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A command of ours that reached Telnyx, or may have."""

    command_id: str
    kind: str
    fate: Fate
    requested_at: datetime
    sent_at: datetime
    applied_at: datetime | None = None
    records_from_answer: bool = False
    medium: str = ""  # playback_start: the media name or URL it asked for
    empties: bool = False  # it takes the sounds that wait out of the queue
    role: str = ""  # what a supervisor's leg may do: of its dial, and of every switch
    rule: str = ""  # the name of the rule that asked


@dataclass(frozen=True, slots=True)
class CallState:
    """Everything the desk says about a call; times of Telnyx unless the name says `ours`."""

    line: Line = Line.UNKNOWN
    recording: Recording = Recording.OFF
    sound: Sound = Sound.SILENT
    direction: str = ""
    from_number: str = ""
    to_number: str = ""
    caller_name: str = ""
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ended_inferred: bool = False
    hangup_cause: str = ""
    hangup_source: str = ""
    recording_since_ours: datetime | None = None  # of the present recording word
    recording_started_ours: datetime | None = None  # of the recording that goes on
    recording_rule: str = ""  # the rule that began it
    sound_medium: str = ""
    transcribing: bool = False
    supervisor_role: str = ""  # of a leg that listens in; ROLE_IN_DOUBT if nobody knows
    ended_while_paused: bool = False
    confirmed: Mapping[str, str] = field(default_factory=dict)  # command_id -> event_id


ROLE_IN_DOUBT = "doubt"
# On equal times the lower rank comes first.
RANKS = {
    "call.initiated": 10,
    "call.answered": 20,
    "reconcile.alive": 22,
    "call.bridged": 25,
    "call.speak.started": 30,
    "call.playback.started": 30,
    "call.speak.ended": 40,
    "call.playback.ended": 40,
    "call.hold": 50,
    "call.unhold": 55,
    "call.hangup": 80,
    "reconcile.ended": 81,
    "call.recording.saved": 90,
    "call.recording.error": 91,
}
TYPES = frozenset(RANKS)
"""The events that bear on state; all others are none of the fold's business."""

READ = frozenset(
    {
        *("direction", "from", "to", "caller_id_name", "hangup_cause", "hangup_source"),
        *("recording_id", "recording_started_at", "media_name", "media_url", "overlay", "status"),
    }
)
"""All that is read of a payload."""

STARTED = {"speak": "call.speak.started", "playback_start": "call.playback.started"}
ENDED = ("call.speak.ended", "call.playback.ended")
LINE = {
    "call.initiated": Line.RINGING,
    "call.answered": Line.ANSWERED,
    "reconcile.alive": Line.ANSWERED,
    "call.bridged": Line.BRIDGED,
    "call.hold": Line.HELD,
}
SOUND = {
    "call.speak.started": Sound.SPEAKING,
    "call.playback.started": Sound.PLAYING,
    "call.speak.ended": Sound.SILENT,
    "call.playback.ended": Sound.SILENT,
}
DISTANT_PAST = datetime.min.replace(tzinfo=UTC)


def fold(events: Iterable[Event], orders: Iterable[Order] = ()) -> CallState:
    """Return the state that these facts mean, in whatever order and however often they came."""
    facts = _in_order(events)
    wishes = sorted(
        {order.command_id: order for order in orders}.values(),
        key=lambda order: (order.requested_at, order.command_id),
    )
    end = next((fact for fact in facts if fact.event_type == "call.hangup"), None) or next(
        (fact for fact in facts if fact.event_type == "reconcile.ended"), None
    )
    takes, ended_while_paused = _takes(facts, wishes, answered=_has(facts, "call.answered"))
    seen = {
        **_parties(facts),
        **_line(facts, end),
        "supervisor_role": _role(wishes),
        "confirmed": _confirmations(facts, wishes, takes),
    }
    if end is not None:
        return CallState(**seen, ended_while_paused=ended_while_paused)  # type: ignore[arg-type]
    return CallState(
        **seen,  # type: ignore[arg-type]
        **_recording(takes),  # type: ignore[arg-type]
        **_sound(facts),  # type: ignore[arg-type]
        transcribing=_transcribing(wishes),
    )


def _in_order(events: Iterable[Event]) -> list[Event]:
    unique = {event.event_id: event for event in events if event.event_type in RANKS}
    return sorted(
        unique.values(),
        key=lambda event: (event.occurred_at, RANKS[event.event_type], event.event_id),
    )


def _has(facts: Sequence[Event], event_type: str) -> bool:
    return any(fact.event_type == event_type for fact in facts)


def _text(payload: Mapping[str, object], *names: str) -> str:
    """Return the first of these values that is a text and not empty."""
    values = (payload.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _parties(facts: Sequence[Event]) -> dict[str, object]:
    """Who calls whom: from the first fact that says so."""

    def first(*names: str) -> str:
        return next((found for fact in facts if (found := _text(fact.payload, *names))), "")

    return {
        "direction": first("direction"),
        "from_number": first("from"),
        "to_number": first("to"),
        "caller_name": first("caller_id_name"),
    }


def _line(facts: Sequence[Event], end: Event | None) -> dict[str, object]:
    line, started, answered, bridged = Line.UNKNOWN, None, None, False
    for fact in facts:
        if fact.event_type == "call.unhold":
            line = Line.BRIDGED if bridged else Line.ANSWERED
        elif fact.event_type in LINE and not (
            fact.event_type == "reconcile.alive" and line is not Line.UNKNOWN
        ):
            line = LINE[fact.event_type]
        bridged = bridged or fact.event_type == "call.bridged"
        if started is None and fact.event_type in LINE:
            started = fact.occurred_at
        if answered is None and fact.event_type in ("call.answered", "call.bridged"):
            answered = fact.occurred_at
    return {
        "line": line if end is None else Line.ENDED,
        "started_at": started,
        "answered_at": answered,
        "ended_at": end.occurred_at if end else None,
        "ended_inferred": end is not None and end.event_type == "reconcile.ended",
        "hangup_cause": _text(end.payload, "hangup_cause") if end else "",
        "hangup_source": _text(end.payload, "hangup_source") if end else "",
    }


@dataclass(slots=True)
class _Take:
    """One recording: from an applied start until a stop, its file, or the end of the call."""

    state: Recording
    started: datetime
    since: datetime
    rule: str = ""
    stopped_by: str = ""
    stop_is_sure: bool = False
    closed_by: str = ""

    def become(self, state: Recording, at: datetime) -> None:
        if self.state is not state:
            self.state, self.since = state, at


MOVES = {
    "record_pause": Recording.PAUSED,
    "record_resume": Recording.ON,
    "record_stop": Recording.OFF,
}


def _takes(
    facts: Sequence[Event], orders: Sequence[Order], *, answered: bool
) -> tuple[list[_Take], bool]:
    """Follow our orders, then close each take whose file came: the n-th file belongs to the n-th.

    A file closes the take it belongs to and never a later one, so a new recording is not ended by
    the late file of the one before. Returns the takes, and whether one is still paused.
    """
    takes: list[_Take] = []
    for order in orders:
        at = order.applied_at or order.sent_at
        sure = order.fate is Fate.APPLIED
        if order.kind == "record_start" or (order.records_from_answer and answered):
            takes.append(_Take(Recording.ON if sure else Recording.DOUBT, at, at, order.rule))
        elif order.kind in MOVES:
            for take in takes:
                if take.state is not Recording.OFF:
                    take.become(MOVES[order.kind] if sure else Recording.DOUBT, at)
                    if order.kind == "record_stop":
                        take.stopped_by, take.stop_is_sure = order.command_id, sure
    paused = any(take.state is Recording.PAUSED for take in takes)
    saved = sorted(
        (fact for fact in facts if fact.event_type == "call.recording.saved"),
        key=lambda fact: (_text(fact.payload, "recording_started_at"), fact.event_id),
    )
    failed = [fact for fact in facts if fact.event_type == "call.recording.error"]
    for take, fact in zip(takes, [*_one_per_file(saved), *failed], strict=False):
        take.state, take.closed_by = Recording.OFF, fact.event_id
        if not take.stop_is_sure and _has(facts[: facts.index(fact)], "call.hangup"):
            take.stopped_by = ""  # the hangup ends recordings too, so this file proves no stop
    return takes, paused


def _one_per_file(saved: Sequence[Event]) -> list[Event]:
    """Drop a second event about the same file."""
    files: dict[str, Event] = {}
    for fact in saved:
        name = _text(fact.payload, "recording_id", "recording_started_at") or fact.event_id
        files.setdefault(name, fact)
    return list(files.values())


def _recording(takes: Sequence[_Take]) -> dict[str, object]:
    going = [take for take in takes if take.state is not Recording.OFF]
    for word in (Recording.ON, Recording.DOUBT, Recording.PAUSED):
        for take in going:
            if take.state is word:
                return {
                    "recording": word,
                    "recording_since_ours": take.since,
                    "recording_started_ours": take.started,
                    "recording_rule": take.rule,
                }
    return {}


def _sound(facts: Sequence[Event]) -> dict[str, object]:
    """The latest start or end wins; counting them would stick on one lost event.

    An overlay sounds over a main file, so the main file's events are the ones that count.
    """
    for fact in reversed(facts):
        if fact.event_type in SOUND and fact.payload.get("overlay") is not True:
            return {
                "sound": SOUND[fact.event_type],
                "sound_medium": _text(fact.payload, "media_name", "media_url")
                if fact.event_type == "call.playback.started"
                else "",
            }
    return {}


def _transcribing(orders: Sequence[Order]) -> bool:
    on = False
    for order in orders:
        if order.fate is Fate.APPLIED and order.kind.startswith("transcription_"):
            on = order.kind == "transcription_start"
    return on


def _role(orders: Sequence[Order]) -> str:
    """As dialled, then as last switched. A leg that is there was dialled, whatever we heard."""
    role = ""
    for order in orders:
        if order.role:
            sure = order.fate is Fate.APPLIED or order.kind == "dial"
            role = order.role if sure else ROLE_IN_DOUBT
    return role


def _confirmations(
    facts: Sequence[Event], orders: Sequence[Order], takes: Sequence[_Take]
) -> dict[str, str]:
    """Say which event confirms which order.

    An event can only confirm what had been sent when it reached us (both times are ours).
    """
    found: dict[str, str] = {
        take.stopped_by: take.closed_by for take in takes if take.stopped_by and take.closed_by
    }
    used: set[str] = set()
    for place, order in enumerate(orders):
        until = _emptied_at(order, orders[place + 1 :])
        for fact in facts:
            if fact.event_id in used or fact.received_at < order.sent_at:
                continue
            if until is not None and fact.received_at > until:
                continue  # it was out of the queue by then: another sound has started
            if _confirms(fact, order):
                found[order.command_id] = fact.event_id
                if order.kind in STARTED:
                    used.add(fact.event_id)
                break
    return found


def _emptied_at(order: Order, later: Sequence[Order]) -> datetime | None:
    """Return when (by our clock) the queue was emptied of a sound that had not started."""
    if order.kind not in STARTED:
        return None
    emptied = (each for each in later if each.empties and each.fate is Fate.APPLIED)
    return next((each.applied_at or each.sent_at for each in emptied), None)


def _confirms(fact: Event, order: Order) -> bool:
    if order.kind == "playback_start":
        heard = _text(fact.payload, "media_name", "media_url")
        return fact.event_type == STARTED[order.kind] and heard in ("", order.medium)
    if order.kind == "speak":
        return fact.event_type == STARTED[order.kind]
    if order.kind == "playback_stop":
        by_itself = _text(fact.payload, "status") in ("completed", "call_hangup")
        return fact.event_type in ENDED and not (order.fate is Fate.UNKNOWN and by_itself)
    return fact.event_type == {
        "answer": "call.answered",
        "hangup": "call.hangup",
        "dial": "call.initiated",
    }.get(order.kind)
