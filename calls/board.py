"""What is on the live board: conversations as rows, rendered once for all who may see the same.

    conversations(now) -> [Conversation] -> row(conversation, control) -> one <tr>

A row depends on its legs and their commands alone, and every change of those raises its version.
It is rendered once for all who may control calls and once for all who may not. It holds nothing
of a request: no form, no token, no viewer. Its buttons name a form of the page.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils.functional import cached_property

from calls import contacts, countdown, finding, fold, telling, wishes
from calls.attention import Attention, attention
from calls.buttons import standing
from calls.commands import LANES
from calls.countdown import Countdown
from calls.fragments import Cells, Own, People, anew, fill, safe, seen
from calls.frames import Look, frame
from calls.legs import Leg
from calls.models import Call, CallQuerySet, Command, Guard

ENDED_STAYS_S = 10  # an ended row stays, dimmed, so that nobody wonders where it went
VERSION_PER_LEG = 1_000_000  # a leg that joins counts for more than any change of a leg


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

    @cached_property
    def id(self) -> str:
        return row_id(self.key)

    @property
    def lead(self) -> Call:
        return self.legs[0]

    @property
    def is_live(self) -> bool:
        return self.lead.is_live

    @cached_property
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
    """Return what is on the board: first what needs a person, then by age; four queries."""
    wanted = _on_board(now).values("conversation") if keys is None else keys
    legs = Call.objects.filter(conversation__in=wanted)
    together: defaultdict[str, list[Call]] = defaultdict(list)
    for call in legs.eldest_first():
        together[call.conversation].append(call)
    all_legs = [call for calls in together.values() for call in calls]
    commands, guards = _asked(all_legs)
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
    return _conversation(call.conversation, legs, *_asked(legs), now)


def _asked(legs: Collection[Call]) -> tuple[dict[object, list[Command]], dict[object, Guard]]:
    """Return what was asked of legs, and which of their pauses are watched."""
    commands = wishes.newest(legs)
    paused = [leg for leg in legs if commands[leg.pk]]  # a pause is a command
    return commands, countdown.guards(paused) if paused else {}


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
    return rows(conversation)[control]


def rows(conversation: Conversation) -> dict[bool, str]:
    """Render a conversation for those who may control calls, and for those who may not."""
    shown = context(conversation)
    lead, recorded, sounding = shown["lead"], shown["recorded"], shown["sounding"]
    look = Look(
        Cells(conversation.is_live, recorded.place, sounding.place, bool(recorded.guard)),
        lead.line_shown,
        People(lead.call.direction, bool(lead.caller_name)),
        recorded.rec_shown,
        sounding.sound_shown,
        lead.place_shown,
        lead.standing,
    )
    own = safe(_of_row(conversation) | _of_legs(lead, recorded, sounding) | _besides(shown))
    return {
        control: seen(fill(pieces, own), control=control)
        for control, pieces in frame(look).items()
    }


def _of_row(conversation: Conversation) -> dict[str, Own]:
    """Return what a row has of its own."""
    words = [f"is-{conversation.lead.line}", *(f"in-{tile}" for tile in conversation.tiles)]
    return {
        "id": conversation.id,
        "classes": " ".join(words),
        "version": conversation.version,
        "order": conversation.order,
        "rank": conversation.attention.rank,
        "find": conversation.haystack,
    }


def _of_legs(lead: Leg, recorded: Leg, sounding: Leg) -> dict[str, Own]:
    """Return what the legs that a row is about have of their own."""
    return {
        "leg": lead.id,
        "pk": lead.call.pk,
        "place": lead.place,
        "customer": lead.customer,
        "customer_name": contacts.known_as(lead.customer),
        "ours": lead.ours,
        "ours_name": contacts.known_as(lead.ours),
        "caller": lead.caller_name,
        "time": lead.time,
        "since": recorded.since,
        "left": recorded.left,
        "sounding_leg": sounding.id,
        "sounding_pk": sounding.call.pk,
    }


def _besides(shown: Mapping[str, Any]) -> dict[str, Own]:
    """Return what a row says of wishes, other legs and a guard; few calls have these two."""
    now, recorded, others = shown["now"], shown["recorded"], shown["others"]
    needs = shown["conversation"].attention.words
    supervisors = sum(bool(it.call.supervises_id and it.call.is_live) for it in others)
    return {
        "note": telling.note(needs, shown["note"], now),
        "wishes": telling.wishes(shown["lead"].wishes, now),
        "legs": f"{len(others) + 1} legs" + ", supervisor" * supervisors,
        "others": anew("calls/_others.html", **shown) if others else "",
        "guard": anew("calls/_guard.html", leg=recorded) if recorded.guard else "",
    }


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
        standing=standing(call, commands),
        wishes=wishes.worth_saying(commands),
        recording_wish=wishes.pending(commands, LANES["recording"]),
        guard=Countdown(guard, call, conversation.at) if guard is not None else None,
        now=conversation.at,
    )
