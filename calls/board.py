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
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe

from calls import countdown, finding, fold, listening, wishes
from calls.attention import Attention, attention
from calls.commands import LANES, why_not
from calls.countdown import Countdown
from calls.fragments import Glimpse, Handles, Party, Seen, fragment, href
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
    pending: bool
    href: str

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Return what can be answered to why."""
        return REASONS


@dataclass(frozen=True, slots=True)
class Leg:
    """A call leg with everything that is said about it."""

    call: Call
    place: int  # 1 leads
    many: bool  # there are others, so it has to be named
    slots: tuple[Slot, ...]
    wishes: list[Wish]
    recording_wish: Wish | None
    guard: Countdown | None

    @property
    def id(self) -> str:
        return f"leg-{self.call.pk.hex[:12]}"

    @property
    def url(self) -> str:
        return href("calls:detail", self.call.pk)

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
    def controls(self) -> SafeString:
        """Return the buttons, rendered before if they looked the same."""
        shown = Handles(self.id, self.place, self.customer, self.slots, self.many)
        return fragment("calls/_controls.html", shown)

    def glimpse(self, *, control: bool) -> Glimpse:
        """Return what changes of a leg while it is on the board, times aside."""
        call, may_answer = self.call, self.may_answer
        has_button = may_answer or call.sound != fold.Sound.SILENT
        seen = Seen(
            call.pk if has_button else None,
            call.line,
            call.ended_inferred,
            call.sound,
            call.sound_medium,
            call.transcribing,
        )
        name = self.id if has_button else ""
        return Glimpse(name, self.place, may_answer, seen, self.medium, self.many, control)

    def party(self, row: str) -> Party:
        """Return who talks, for a row."""
        return Party(
            row, self.url, self.customer, self.caller_name, self.call.direction, self.ours
        )

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
    attention: Attention

    @property
    def id(self) -> str:
        return row_id(self.key)

    @property
    def lead(self) -> Call:
        return self.legs[0]

    @property
    def is_live(self) -> bool:
        return any(call.is_live for call in self.legs)

    @property
    def tiles(self) -> list[str]:
        """Return the tiles of the board that count it, and that show it when they are chosen."""
        recordings = {call.recording for call in self.legs if call.is_live}
        belongs = {
            "live": self.is_live,
            "recording": fold.Recording.ON in recordings,
            "paused": fold.Recording.PAUSED in recordings,
            "problems": bool(self.attention.needs),
        }
        return [name for name, holds in belongs.items() if holds]

    @property
    def place(self) -> tuple[int, int, str]:
        """Return what a board is sorted by: first what needs a person, then by age."""
        return self.attention.rank, int(self.order), self.id

    @property
    def haystack(self) -> str:
        return finding.haystack(self.legs)


def row_id(key: str) -> str:
    """Return the id of a conversation's row on the page."""
    return f"row-{sha256(key.encode()).hexdigest()[:12]}"


def conversations(*, now: datetime, keys: Collection[str] | None = None) -> list[Conversation]:
    """Return what is on the board: first what needs a person, then by age; three queries."""
    wanted = _on_board(now).values("conversation") if keys is None else keys
    legs = Call.objects.filter(conversation__in=wanted)
    together: defaultdict[str, list[Call]] = defaultdict(list)
    for call in legs.eldest_first():
        together[call.conversation].append(call)
    all_legs = [call for calls in together.values() for call in calls]
    commands, guards = wishes.newest(all_legs), countdown.guards(all_legs)
    found = [
        _conversation(key, calls, commands, guards, now)
        for key, calls in together.items()
        if any(call.is_live or _ended_lately(call, now) for call in calls)
    ]
    return sorted(found, key=lambda conversation: conversation.place)


def _ended_lately(call: Call, now: datetime) -> bool:
    return (
        call.line == fold.Line.ENDED
        and call.closed_at is not None
        and call.closed_at > now - timedelta(seconds=ENDED_STAYS_S)
    )


def versions(*, now: datetime) -> dict[str, int]:
    """Return, for each conversation on the board, a number that grows with every change."""
    shown = Call.objects.filter(conversation__in=_on_board(now).values("conversation"))
    return sums(shown)


def sums(calls: CallQuerySet) -> dict[str, int]:
    """Return the versions of the conversations of these calls."""
    each = calls.order_by().values_list("conversation")
    counted = each.annotate(changes=Sum("version"), size=Count("pk"))
    return {key: changes + VERSION_PER_LEG * size for key, changes, size in counted}


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
        attention=attention(legs, commands, guards, now),
    )


def row(conversation: Conversation, *, control: bool) -> str:
    """Render a conversation for everybody who may control calls, or for everybody who may not."""
    return rows(conversation, [control])[control]


def rows(conversation: Conversation, controls: Collection[bool]) -> dict[bool, str]:
    """Render a conversation for those who may control calls, those who may not, or both."""
    shown = context(conversation)
    template, is_live = get_template("calls/_row.html"), conversation.is_live
    words = [f"is-{shown['lead'].call.line}", *(f"in-{tile}" for tile in conversation.tiles)]
    party = shown["lead"].party(conversation.id)
    shown |= {
        "id": mark_safe(conversation.id),  # noqa: S308  (hexadecimal)
        "is_live": is_live,
        "classes": " ".join(words),
        "rank": conversation.attention.rank,
        "find": conversation.haystack,
        "needs": conversation.attention.words,
        "who": fragment("calls/_who.html", party),
        "links": fragment("calls/_links.html", party),
    }
    rendered = {}
    for control in controls:
        line = shown["lead"].glimpse(control=control)
        sound = shown["sounding"].glimpse(control=control)
        rendered[control] = template.render(
            shown
            | {
                "control": control,
                "line": fragment("calls/_line.html", line),
                "sound": fragment("calls/_sound.html", sound) if is_live else "",
                "controls": shown["lead"].controls if control and is_live else "",
            }
        ).strip()
    return rendered


def context(conversation: Conversation) -> dict[str, Any]:
    """Return what the templates of a conversation need, besides the right to control."""
    lead, *others = legs(conversation)
    last = [leg.wishes[-1] for leg in (lead, *others) if leg.wishes]
    return {
        "conversation": conversation,
        "lead": lead,
        "others": others,
        "recorded": _first(lead, others, lambda it: it.recording != fold.Recording.OFF),
        "sounding": _first(lead, others, lambda it: it.sound != fold.Sound.SILENT),
        "note": max(last, key=lambda wish: wish.command.requested_at, default=None),
        "now": conversation.at,
    }


def legs(conversation: Conversation) -> list[Leg]:
    """Return the legs with all that is said about them, the leading one first."""
    return [
        _leg(call, place, conversation, many=len(conversation.legs) > 1)
        for place, call in enumerate(conversation.legs, start=1)
    ]


def _first(lead: Leg, others: list[Leg], holds: Callable[[Call], bool]) -> Leg:
    return next((leg for leg in (lead, *others) if holds(leg.call)), lead)


def _leg(call: Call, place: int, conversation: Conversation, *, many: bool) -> Leg:
    commands, guard = conversation.commands[call.pk], conversation.guards.get(call.pk)
    return Leg(
        call=call,
        place=place,
        many=many,
        slots=slots(call, commands),
        wishes=wishes.worth_saying(commands),
        recording_wish=wishes.pending(commands, LANES["recording"]),
        guard=Countdown(guard, call, conversation.at) if guard is not None else None,
    )


def slots(call: Call, commands: list[Command]) -> tuple[Slot, ...]:
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
    open_now = {command.kind for command in commands if command.is_open}
    return tuple(
        Slot(
            place,
            kind,
            label,
            way,
            why_not(call, kind),
            kind in open_now,
            href("calls:command", call.pk, kind),
        )
        for place, kind, label, way in choices
    )


def _doubted_after(call: Call, commands: list[Command]) -> Command | None:
    """Return the recording's last settled command while nobody knows what the recording does.

    After a resume it is resumed again; after a stop that Telnyx refused it may be started anew.
    """
    if call.recording != fold.Recording.DOUBT:
        return None
    settled = [it for it in commands if it.kind in LANES["recording"] and not it.is_open]
    return settled[-1] if settled else None
