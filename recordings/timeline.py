"""What happened in a recording and where in its file: pauses, sounds, keys, hold.

    WebhookEvents + Commands of the leg (and hold of its conversation) --> Timeline of one file

Facts only: a pause is what Telnyx accepted, a sound what it told. What people typed is masked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from calls import wishes
from calls.models import Call, Command, WebhookEvent
from calls.telnyx import payloads
from calls.telnyx.values import JSON, text
from calls.timeline import DIGIT
from recordings import pauses, sides
from recordings.filetime import SECOND, FileTime, Mode, judge, merged, total_s
from recordings.models import Recording
from recordings.pauses import Pause
from recordings.sides import Side

SOUNDS = {"call.speak": "speak", "call.playback": "playback"}
HOLD = ("call.hold", "call.unhold")
KEY = "call.dtmf.received"
OF_LEG = [*(f"{sound}.{what}" for sound in SOUNDS for what in ("started", "ended")), KEY]
OF_CLOCK = ["call.initiated", "call.answered", "call.bridged", "call.hangup"]
MOST_EVENTS = 2_000  # of a call; more is a machine that presses keys
LEAST_MARK_S = 0.05


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment (end_s is None) or during a span of the file."""

    kind: str  # pause, speak, playback, hold, key
    start_s: float
    end_s: float | None
    title: str
    detail: str = ""
    lasted_s: float | None = None  # by the clock on the wall; an omitted pause has no span
    is_approximate: bool = False

    @property
    def is_span(self) -> bool:
        return self.end_s is not None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The marks of a recording in order, how its pauses are in the file, and whose channels."""

    marks: list[Mark]
    pauses: list[Pause]
    mode: Mode
    sides: list[Side]
    is_trimmed: bool

    @property
    def order(self) -> list[int]:
        """Return the channels as they are drawn: the agent above."""
        roles = [side.role for side in self.sides]
        return sorted(range(len(roles)), key=lambda channel: roles[channel] != sides.AGENT)

    @property
    def drawn(self) -> list[tuple[int, Side]]:
        return [(channel, self.sides[channel]) for channel in self.order]


def of(recording: Recording, legs: Sequence[Call]) -> Timeline:
    """Return the timeline of a recording; `legs` are those of its conversation. Two queries."""
    commands = pauses.moves(recording)
    events = list(_events(recording, legs))
    own = [event for event in events if event.call_leg_id == recording.call.call_leg_id]
    found = pauses.of(recording, commands, pauses.skew(recording, commands, own))
    clock, is_trimmed = _clock(recording, found, commands)
    marks = [
        *_pause_marks(found, clock),
        *_sound_marks(own, commands, clock, recording),
        *_key_marks(own, clock, recording),
        *_hold_marks(events, legs, clock, recording),
    ]
    marks.sort(key=lambda mark: (mark.start_s, mark.kind))
    return Timeline(marks, found, clock.mode, sides.of(recording, legs), is_trimmed)


def _events(recording: Recording, legs: Sequence[Call]) -> Iterable[WebhookEvent]:
    own = [recording.call.call_leg_id]
    ids = {*own, *(leg.call_leg_id for leg in legs)}
    rows = WebhookEvent.objects.filter(
        call_leg_id__in=ids, event_type__in=[*OF_LEG, *OF_CLOCK, *HOLD], occurred_at__isnull=False
    )
    return rows.order_by("occurred_at", "pk")[:MOST_EVENTS]


def _clock(
    recording: Recording, found: Sequence[Pause], commands: Iterable[Command]
) -> tuple[FileTime, bool]:
    """Return the file's clock, and whether silence was cut off, which the lengths then tell."""
    stretches = merged(pause.stretch for pause in found)
    took_s = None if recording.took_ms is None else recording.took_ms / 1000
    mode = judge(recording.duration_s, took_s, total_s(stretches))
    is_trimmed = any(command.params.get("trim") == "trim-silence" for command in commands)
    if is_trimmed and mode is not Mode.NONE:
        mode = Mode.UNKNOWN
    return FileTime(recording.started_at, recording.duration_s, stretches, mode), is_trimmed


def _pause_marks(found: Iterable[Pause], clock: FileTime) -> Iterator[Mark]:
    for pause in found:
        start_s, end_s = clock.at(pause.start), clock.at(pause.stop)
        yield Mark(
            "pause",
            start_s,
            end_s if end_s > start_s + LEAST_MARK_S else None,
            f"Recording paused by {pause.by}",
            ", ".join(part for part in (pause.reason, pause.end) if part),
            (pause.stop - pause.start) / SECOND,
            clock.mode is Mode.UNKNOWN,
        )


def _sound_marks(
    events: Iterable[WebhookEvent],
    commands: Iterable[Command],
    clock: FileTime,
    recording: Recording,
) -> Iterator[Mark]:
    asked = {command.confirmed_by_id: command for command in commands if command.confirmed_by_id}
    running: dict[tuple[str, bool], WebhookEvent] = {}
    for event in events:
        sound, _, what = event.event_type.rpartition(".")
        if sound not in SOUNDS:
            continue
        key = (sound, _payload(event).get("overlay") is True)
        begun = running.pop(key, None)
        if begun is not None:  # an end that never came is where the next one begins
            yield from _sound(begun, _at(event), asked, clock, recording)
        if what == "started":
            running[key] = event
    for begun in running.values():
        yield from _sound(begun, _end(recording), asked, clock, recording)


def _sound(
    begun: WebhookEvent,
    stop: datetime,
    asked: dict[int, Command],
    clock: FileTime,
    recording: Recording,
) -> Iterator[Mark]:
    kind = SOUNDS[begun.event_type.rpartition(".")[0]]
    payload = _payload(begun)
    name = text(payload.get("media_name") or payload.get("media_url"), 200)
    command = asked.get(begun.pk)
    by = f"by {wishes.name(command.requested_by)}" if command else ""
    title = "Text spoken into the call" if kind == "speak" else "Sound played into the call"
    detail = ", ".join(part for part in (name.partition("?")[0], by) if part)
    yield from _span(kind, _at(begun), stop, title, detail, clock, recording)


def _key_marks(
    events: Iterable[WebhookEvent], clock: FileTime, recording: Recording
) -> Iterator[Mark]:
    for event in events:
        if event.event_type == KEY and recording.started_at <= _at(event) <= _end(recording):
            digits = DIGIT * len(text(_payload(event).get("digit"), 1))
            yield Mark(
                "key",
                clock.at(_at(event)),
                None,
                "Key pressed",
                digits,
                is_approximate=clock.is_approximate(_at(event)),
            )


def _hold_marks(
    events: Iterable[WebhookEvent], legs: Iterable[Call], clock: FileTime, recording: Recording
) -> Iterator[Mark]:
    legs = list(legs) or [recording.call]
    roles = {leg.call_leg_id: sides.NAMES[sides.role(leg, legs)] for leg in legs}
    held: dict[str, datetime] = {}
    for event in events:
        if event.event_type not in HOLD:
            continue
        since = held.pop(event.call_leg_id, None)
        if event.event_type == "call.hold":
            held[event.call_leg_id] = since or _at(event)
        elif since is not None:
            title = f"{roles.get(event.call_leg_id, 'Call')} on hold"
            yield from _span("hold", since, _at(event), title, "", clock, recording)
    for leg, since in held.items():
        title = f"{roles.get(leg, 'Call')} on hold"
        yield from _span("hold", since, _end(recording), title, "", clock, recording)


def _span(
    kind: str,
    start: datetime,
    stop: datetime,
    title: str,
    detail: str,
    clock: FileTime,
    recording: Recording,
) -> Iterator[Mark]:
    """Yield the part of a span that lies in the recording."""
    begins, ends = max(start, recording.started_at), min(stop, _end(recording))
    if begins >= ends:
        return
    start_s, end_s = clock.at(begins), clock.at(ends)
    yield Mark(
        kind,
        start_s,
        end_s if end_s > start_s else None,
        title,
        detail,
        (ends - begins) / SECOND,
        clock.is_approximate(ends),
    )


def _end(recording: Recording) -> datetime:
    """Return when a recording ended, as far as anybody knows."""
    if recording.ended_at is not None:
        return recording.ended_at
    return recording.started_at + SECOND * (recording.duration_s or 0)


def _at(event: WebhookEvent) -> datetime:
    return event.occurred_at or event.received_at


def _payload(event: WebhookEvent) -> dict[str, JSON]:
    try:
        return payloads.parse(bytes(event.raw)).payload
    except payloads.Unreadable:
        return {}
