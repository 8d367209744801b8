"""What was asked of a leg and has not ended yet, in order: from commands and facts alone.

    asked -> accepted -> started (its webhook) -> ended (a webhook) -> not in the queue any more

Telnyx tells when a sound starts and ends and never what waits, so what waits is inferred: it was
accepted, has not started, and nothing that empties the queue was accepted after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from calls import fold
from calls.models import SOUNDS, Call, Command, Kind, WebhookEvent
from calls.sounds.names import plain
from calls.telnyx import payloads
from calls.telnyx.values import text

NEWEST = 60  # commands of a leg, and events, that are looked at
STARTED = ("call.speak.started", "call.playback.started")
ENDED = ("call.speak.ended", "call.playback.ended")


class Stage(StrEnum):
    SENDING = "sending"  # Telnyx has not answered
    WAITING = "waiting"  # accepted, and inferred to wait for its turn
    SOUNDING = "sounding"  # its start was told, and no end
    ELSEWHERE = "elsewhere"  # it sounds, and nobody asked for it here


@dataclass(frozen=True, slots=True)
class Item:
    """One sound of the queue."""

    stage: Stage
    kind: str
    what: str
    command: Command | None = None
    is_overlay: bool = False

    @property
    def is_endless(self) -> bool:
        return self.command is not None and self.command.params.get("loop") == "infinity"

    @property
    def loops(self) -> int:
        times = self.command.params.get("loop", 1) if self.command else 1
        return times if isinstance(times, int) else 1

    @property
    def target(self) -> str:
        return str(self.command.params.get("target_legs", "self")) if self.command else "self"


@dataclass(frozen=True, slots=True)
class _Fact:
    """A start or an end that Telnyx told."""

    pk: int
    type: str
    at: datetime
    medium: str
    is_overlay: bool


def of(call: Call) -> list[Item]:
    """Return the queue of a leg, what sounds first; two queries."""
    if not call.is_live:
        return []
    commands = _commands(call)
    facts = _facts(call)
    asked = _after_the_last_stop(commands)
    items = [
        item
        for place, command in enumerate(asked)
        if (item := _item(command, asked[place + 1 :], facts)) is not None
    ]
    items.sort(key=lambda item: ORDER[item.stage])
    return _elsewhere(call, items) + items


ORDER = {Stage.ELSEWHERE: 0, Stage.SOUNDING: 0, Stage.WAITING: 1, Stage.SENDING: 2}


def _commands(call: Call) -> list[Command]:
    rows = call.commands.filter(kind__in=[*SOUNDS, Kind.PLAYBACK_STOP])
    newest = rows.select_related("requested_by", "rule").order_by("-requested_at", "-pk")[:NEWEST]
    return list(newest)[::-1]


def _facts(call: Call) -> list[_Fact]:
    rows = WebhookEvent.objects.filter(
        call_leg_id=call.call_leg_id, event_type__in=[*STARTED, *ENDED]
    )
    return sorted(_read(rows.order_by("-received_at", "-pk")[:NEWEST]), key=lambda it: it.at)


def _read(rows: Iterable[WebhookEvent]) -> Iterable[_Fact]:
    for row in rows:
        try:
            payload = payloads.parse(bytes(row.raw)).payload
        except payloads.Unreadable:
            continue
        medium = text(payload.get("media_name") or payload.get("media_url"), 255)
        at = row.occurred_at or row.received_at
        yield _Fact(row.pk, row.event_type, at, medium, payload.get("overlay") is True)


def _after_the_last_stop(commands: Sequence[Command]) -> list[Command]:
    """Return the sounds that no accepted "all" has taken out of the queue, or will.

    One that was sounding when all was stopped stays until its end is told.
    """
    kept: list[Command] = []
    for command in commands:
        if command.state in Command.APPLIED and command.empties_queue:
            kept = [each for each in kept if each.confirmed_by_id]
        if command.kind in SOUNDS:
            kept.append(command)
    return kept


def _item(command: Command, later: Sequence[Command], facts: Sequence[_Fact]) -> Item | None:
    is_overlay = command.params.get("overlay") is True
    if command.is_open:
        stage = Stage.SENDING
    elif command.confirmed_by_id:
        if _has_ended(command, later, facts, is_overlay=is_overlay):
            return None
        stage = Stage.SOUNDING
    elif command.state == Command.State.ACCEPTED and not _was_passed(later):
        stage = Stage.WAITING
    else:  # refused, never sent, in doubt, or accepted and silent since
        return None
    return Item(stage, command.kind, _what(command), command, is_overlay)


def _was_passed(later: Sequence[Command]) -> bool:
    """Say whether a sound asked for afterwards has started: then this one's start was lost."""
    return any(each.confirmed_by_id and each.params.get("overlay") is not True for each in later)


def _has_ended(
    command: Command, later: Sequence[Command], facts: Sequence[_Fact], *, is_overlay: bool
) -> bool:
    """Say whether a sound's end was told; if it was lost, the next one's start tells as much."""
    began = next((fact for fact in facts if fact.pk == command.confirmed_by_id), None)
    if began is None:  # too long ago to be among the newest facts
        return True
    ends = (fact for fact in facts if fact.type in ENDED and fact.is_overlay == is_overlay)
    ended = any(
        fact.at >= began.at and _of_one_kind(fact, began) and fact.medium in ("", began.medium)
        for fact in ends
    )
    return ended or (not is_overlay and _was_passed(later))


def _of_one_kind(fact: _Fact, other: _Fact) -> bool:
    return fact.type.split(".")[1] == other.type.split(".")[1]


def _elsewhere(call: Call, items: Sequence[Item]) -> list[Item]:
    """Return what sounds although nobody asked for it here: a call flow's own, say."""
    is_ours = any(item.stage == Stage.SOUNDING and not item.is_overlay for item in items)
    if call.sound == fold.Sound.SILENT or is_ours:
        return []
    kind = Kind.SPEAK if call.sound == fold.Sound.SPEAKING else Kind.PLAYBACK_START
    return [Item(Stage.ELSEWHERE, kind, plain(call.sound_medium))]


def _what(command: Command) -> str:
    for field in ("payload", "media_name", "audio_url"):
        if isinstance(value := command.params.get(field), str):
            return plain(value) if field == "media_name" else value
    return "a sound that came with the command"
