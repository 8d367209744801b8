"""What is on the live board: conversations as rows, rendered once for all who may see the same.

    conversations(now) -> [Conversation] -> row(conversation, control) -> one <tr>

A row depends on its legs and their commands alone, and every change of those raises its version.
It holds nothing of a request: no form, no token, no viewer. Its buttons name a form of the page.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db.models import Count, Q, Sum
from django.template.loader import render_to_string

from calls import countdown, fold, listening, wishes
from calls.commands import LANES, why_not
from calls.countdown import Countdown
from calls.models import LISTEN, REASONS, Call, CallQuerySet, Command, Guard, Kind
from calls.sounds.names import plain
from calls.wishes import Wish

ENDED_STAYS_S = 10  # an ended row stays, dimmed, so that nobody wonders where it went
VERSION_PER_LEG = 1_000_000  # a leg that joins counts for more than any change of a leg


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in the row of buttons: what it asks for now, or why it cannot."""

    place: str
    kind: str
    label: str
    way: str  # press: at once; ask: a form first; sure, why: asks back in place
    why_not: str
    pending: Wish | None

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Return what can be answered to why."""
        return REASONS


@dataclass(frozen=True, slots=True)
class Leg:
    """A call leg with everything that is said about it."""

    call: Call
    place: int  # 1 leads
    slots: list[Slot]
    wishes: list[Wish]
    recording_wish: Wish | None
    guard: Countdown | None

    @property
    def id(self) -> str:
        return f"leg-{self.call.pk.hex[:12]}"

    @property
    def customer(self) -> str:
        """Return the far end: who called us, or whom we called."""
        call = self.call
        return call.to_number if call.direction == "outgoing" else call.from_number

    @property
    def ours(self) -> str:
        call = self.call
        return call.from_number if call.direction == "outgoing" else call.to_number

    @property
    def caller_name(self) -> str:
        """Return the name the caller shows, unless it only repeats the number."""
        shown = self.call.caller_name
        is_name = any(letter.isalpha() for letter in shown) and shown != self.call.from_number
        return shown if is_name and self.call.direction != "outgoing" else ""

    @property
    def medium(self) -> str:
        """Return what plays, in the words of people."""
        return plain(self.call.sound_medium)

    @property
    def listener(self) -> listening.Listener | None:
        """Return who listens in on this leg's conversation through it, if it is for that."""
        return listening.listener(self.call)

    @property
    def may_answer(self) -> bool:
        return not why_not(self.call, Kind.ANSWER)

    @property
    def lasted(self) -> timedelta | None:
        """Return how long an ended call took, by one clock: Telnyx's if it told both times."""
        call = self.call
        if call.started_at and call.ended_at:
            return call.ended_at - call.started_at
        return call.closed_at - call.first_heard_at if call.closed_at else None


@dataclass(frozen=True)
class Conversation:
    """Legs that belong together, the earliest live one first."""

    key: str
    legs: list[Call]
    version: int
    order: str  # does not change while the conversation lives, so rows never move
    at: datetime
    commands: dict[object, list[Command]] = field(repr=False)
    guards: dict[object, Guard] = field(repr=False)

    @property
    def id(self) -> str:
        return row_id(self.key)

    @property
    def lead(self) -> Call:
        return self.legs[0]

    @property
    def is_live(self) -> bool:
        return any(call.is_live for call in self.legs)


def row_id(key: str) -> str:
    """Return the id of a conversation's row on the page."""
    return f"row-{sha256(key.encode()).hexdigest()[:12]}"


def conversations(*, now: datetime, keys: Collection[str] | None = None) -> list[Conversation]:
    """Return what is on the board at a moment, oldest first; three queries."""
    shown = _on_board(now)
    if keys is not None:
        shown = shown.filter(conversation__in=keys)
    legs = Call.objects.filter(conversation__in=shown.values("conversation"))
    together: defaultdict[str, list[Call]] = defaultdict(list)
    for call in legs.eldest_first():
        together[call.conversation].append(call)
    all_legs = [call for calls in together.values() for call in calls]
    commands, guards = wishes.newest(all_legs), countdown.guards(all_legs)
    found = (_conversation(key, calls, commands, guards, now) for key, calls in together.items())
    return sorted(found, key=lambda conversation: int(conversation.order))


def versions(*, now: datetime) -> dict[str, int]:
    """Return, for each conversation on the board, a number that grows with every change."""
    shown = Call.objects.filter(conversation__in=_on_board(now).values("conversation"))
    sums = shown.values("conversation").annotate(changes=Sum("version"), size=Count("pk"))
    return {
        row["conversation"]: row["changes"] + VERSION_PER_LEG * row["size"]
        for row in sums.order_by()
    }


def of_call(call: Call, *, now: datetime) -> Conversation:
    """Return the conversation of a call, on the board or not."""
    together = Q(conversation=call.conversation) | Q(pk=call.pk)  # it may move meanwhile
    legs = list(Call.objects.filter(together).eldest_first())
    guards = countdown.guards(legs)
    return _conversation(call.conversation, legs, wishes.newest(legs), guards, now)


def _on_board(now: datetime) -> CallQuerySet:
    return Call.objects.on_board(ended_after=now - timedelta(seconds=ENDED_STAYS_S))


def _conversation(
    key: str,
    legs: list[Call],
    commands: dict[object, list[Command]],
    guards: dict[object, Guard],
    now: datetime,
) -> Conversation:
    lead = next((call for call in legs if call.is_live), legs[0])
    return Conversation(
        key=key,
        legs=[lead, *(call for call in legs if call is not lead)],
        version=sum(call.version for call in legs) + VERSION_PER_LEG * len(legs),
        order=str(int(min(call.first_heard_at for call in legs).timestamp() * 1000)),
        at=now,
        commands=commands,
        guards=guards,
    )


def row(conversation: Conversation, *, control: bool) -> str:
    """Render a conversation for everybody who may control calls, or for everybody who may not."""
    return render_to_string("calls/_row.html", context(conversation, control=control)).strip()


def context(conversation: Conversation, *, control: bool) -> dict[str, Any]:
    """Return what the templates of a conversation need."""
    lead, *others = legs(conversation)
    return {
        "conversation": conversation,
        "lead": lead,
        "others": others,
        "recorded": _first(lead, others, lambda it: it.recording != fold.Recording.OFF),
        "sounding": _first(lead, others, lambda it: it.sound != fold.Sound.SILENT),
        "control": control,
        "now": conversation.at,
    }


def legs(conversation: Conversation) -> list[Leg]:
    """Return the legs with all that is said about them, the leading one first."""
    now = conversation.at
    return [
        _leg(call, place, conversation.commands[call.pk], conversation.guards.get(call.pk), now)
        for place, call in enumerate(conversation.legs, start=1)
    ]


def _first(lead: Leg, others: list[Leg], holds: Callable[[Call], bool]) -> Leg:
    return next((leg for leg in (lead, *others) if holds(leg.call)), lead)


def _leg(
    call: Call, place: int, commands: list[Command], guard: Guard | None, now: datetime
) -> Leg:
    return Leg(
        call=call,
        place=place,
        slots=slots(call, commands),
        wishes=wishes.worth_saying(commands),
        recording_wish=wishes.pending(commands, LANES["recording"]),
        guard=Countdown(guard, call, now) if guard is not None else None,
    )


def slots(call: Call, commands: list[Command]) -> list[Slot]:
    """Return the buttons of a call: always the same places, each with what fits the state."""
    last = _doubted_after(call, commands)
    starts = call.recording == fold.Recording.OFF or (
        last is not None and (last.kind, last.state) == (Kind.RECORD_STOP, Command.State.FAILED)
    )
    is_silent = call.sound == fold.Sound.SILENT
    resumes = call.recording == fold.Recording.PAUSED or (
        last is not None and last.kind == Kind.RECORD_RESUME
    )
    choices = [
        ("record", Kind.RECORD_START, "Record", "ask")
        if starts
        else ("record", Kind.RECORD_STOP, "Stop", "sure"),
        ("pause", Kind.RECORD_RESUME, "Resume", "press")
        if resumes
        else ("pause", Kind.RECORD_PAUSE, "Pause", "why"),
        ("say", Kind.SPEAK, "Say", "ask"),
        ("play", Kind.PLAYBACK_START, "Play", "ask")
        if is_silent
        else ("play", Kind.PLAYBACK_STOP, "Stop sound", "press"),
        ("captions", Kind.TRANSCRIPTION_STOP, "Stop captions", "press")
        if call.transcribing
        else ("captions", Kind.TRANSCRIPTION_START, "Captions", "ask"),
        ("listen", LISTEN, "Listen in", "ask"),
        ("hangup", Kind.HANGUP, "Hang up", "sure"),
    ]
    if call.supervises_id:
        choices = listening.SLOTS
    return [
        Slot(place, kind, label, way, why_not(call, kind), wishes.pending(commands, [kind]))
        for place, kind, label, way in choices
    ]


def _doubted_after(call: Call, commands: list[Command]) -> Command | None:
    """Return the recording's last settled command while nobody knows what the recording does.

    After a resume it is resumed again; after a stop that Telnyx refused it may be started anew.
    """
    if call.recording != fold.Recording.DOUBT:
        return None
    settled = [it for it in commands if it.kind in LANES["recording"] and not it.is_open]
    return settled[-1] if settled else None
