"""What the rest of a conversation says of its recordings: who took the call, and was it paused.

Copies for the library to narrow down by, made anew from the facts whenever one may have changed.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from calls.models import Call, CallQuerySet, Command, Kind, WebhookEvent
from calls.telnyx import payloads
from calls.telnyx.values import text
from recordings.models import Recording
from recordings.search.index import index

ANSWERED, INITIATED = "call.answered", "call.initiated"


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a conversation, as its events tell."""

    id: str
    direction: str
    far: str  # the address at its other end
    is_answered: bool


def tell_agents(calls: Collection[Call]) -> None:
    """Do what tell_agent does for several; most conversations have no recording, so look first."""
    recorded = Recording.objects.filter(call__in=_together(calls))
    found = set(recorded.values_list("call__conversation", flat=True))
    for call in {call.conversation: call for call in calls}.values():
        if call.conversation in found:
            tell_agent(call)


def _together(calls: Collection[Call]) -> CallQuerySet:
    """Return the legs of their conversations; a supervisor who listens in took no call."""
    keys = {call.conversation for call in calls}
    return Call.objects.talking().filter(
        Q(conversation__in=keys) | Q(pk__in=[call.pk for call in calls])
    )


def tell_agent(call: Call) -> None:
    """Write who took or made the call for the centre on the conversation's recordings."""
    legs = _together([call])
    recordings = Recording.objects.filter(call__in=legs).select_related("call")
    told = _legs(legs.values_list("call_leg_id", flat=True))
    for recording in recordings:
        agent = agent_of(recording.call.call_leg_id, told)
        if agent and agent != recording.agent:
            Recording.objects.filter(pk=recording.pk).change(agent=agent)
            index(recording.pk)


def _legs(ids: Iterable[str]) -> list[Leg]:
    """Return the legs in the order in which they were answered, then of those that were not.

    Read from the events: what is applied together is not yet in the calls' rows.
    """
    events = WebhookEvent.objects.filter(
        call_leg_id__in=list(ids), event_type__in=[INITIATED, ANSWERED]
    )
    begun: dict[str, tuple[str, str]] = {}
    answered: dict[str, str] = {}
    for event in events.order_by("received_at", "id"):
        try:
            payload = payloads.parse(bytes(event.raw)).payload
        except payloads.Unreadable:
            continue  # it is marked on its own row
        if event.event_type == ANSWERED:
            at = event.occurred_at or event.received_at
            answered.setdefault(event.call_leg_id, at.isoformat())
        direction = text(payload.get("direction"), 8)
        far = text(payload.get("from" if direction == "incoming" else "to"), 255)
        if direction and far:
            begun.setdefault(event.call_leg_id, (direction, far))
    order = sorted(begun, key=lambda leg: (leg not in answered, answered.get(leg, ""), leg))
    return [Leg(leg, *begun[leg], is_answered=leg in answered) for leg in order]


def agent_of(own: str, legs: Sequence[Leg]) -> str:
    """Return the centre's end of a recorded call, "" if it cannot be told from the customer's.

    An agent has a SIP address. Without one: an incoming call was put through to the other leg.
    """
    for leg in legs:
        if "@" in leg.far:
            return leg.far
    directions = {leg.id: leg.direction for leg in legs}
    if directions.get(own) == "incoming":
        for leg in legs:
            if leg.id != own and leg.direction == "outgoing" and leg.is_answered:
                return leg.far
    return ""


def tell_pauses(call: Call) -> None:
    """Mark the recordings of a call that were paused, or may have been.

    Telnyx's clock and ours are not compared: the first start of ours made the first recording.
    """
    of_call = Recording.objects.filter(call=call)
    recordings = list(of_call.order_by("place").values_list("pk", "paused"))
    takes = _takes(call)
    for number, (pk, is_marked) in enumerate(recordings):
        was_paused = takes[number] if len(takes) == len(recordings) else any(takes)
        if was_paused != is_marked:
            of_call.filter(pk=pk).change(paused=was_paused)


def _takes(call: Call) -> list[bool]:
    """Return for each start of a recording whether a pause followed it."""
    sent = Q(state__in=[*Command.APPLIED, Command.State.UNKNOWN])
    in_doubt = Q(state__in=Command.OPEN, may_have_applied=True)
    moves = call.commands.filter(sent | in_doubt, first_sent_at__isnull=False)
    takes: list[bool] = []
    for command in moves.order_by("requested_at", "pk"):
        from_answer = command.params.get("record") == "record-from-answer"
        if command.kind == Kind.RECORD_START or from_answer:
            takes.append(False)
        elif command.kind == Kind.RECORD_PAUSE:
            takes = [*takes[:-1], True]
    return takes
