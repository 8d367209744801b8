"""Who is on which channel, in people's words.

Telnyx puts the far end of the recorded leg on channel A and everybody else on B. Whoever called in
is the customer; whom we called is the agent if the conversation has a caller, else the customer.
Where nobody told the direction, the sides have no better names than their own.
"""

from collections.abc import Iterable
from typing import NamedTuple

from calls.models import Call
from recordings.models import Recording

AGENT, CUSTOMER, BOTH, LEG, OTHER = "agent", "customer", "both", "leg", "other"
NAMES = {
    AGENT: "Agent",
    CUSTOMER: "Customer",
    BOTH: "Both sides",
    LEG: "This leg",
    OTHER: "Other side",
}
FACING = {AGENT: CUSTOMER, CUSTOMER: AGENT, LEG: OTHER}


class Side(NamedTuple):
    """One channel: whose it is, and the number or address of that party if it is known."""

    role: str
    number: str = ""

    @property
    def name(self) -> str:
        return NAMES[self.role]


def role(call: Call, legs: Iterable[Call]) -> str:
    """Return what the far end of a leg is in its conversation."""
    if call.direction not in ("incoming", "outgoing"):
        return LEG
    if call.direction == "outgoing" and any(leg.direction == "incoming" for leg in legs):
        return AGENT
    return CUSTOMER


def of(recording: Recording, legs: Iterable[Call]) -> list[Side]:
    """Return the sides of a recording in the order of its channels."""
    if recording.channels != 2:
        return [Side(BOTH)] if recording.channels else []
    legs = list(legs)
    first = role(recording.call, legs)
    second = FACING[first]
    far, near = recording.from_number, recording.to_number
    if recording.direction == "outgoing":
        far, near = near, far
    agent = recording.agent if second == AGENT else ""
    sides = [Side(first, far), Side(second, agent or _only_number(legs, second) or near)]
    return sides[::-1] if recording.sides_swapped else sides


def names(recording: Recording) -> tuple[str, str]:
    """Return the names of the two channels."""
    first = role(
        recording.call, Call.objects.talking().filter(conversation=recording.call.conversation)
    )
    found = NAMES[first], NAMES[FACING[first]]
    return found[::-1] if recording.sides_swapped else found


def _only_number(legs: list[Call], wanted: str) -> str:
    """Return the number of the one leg with such a far end; nothing where there are several."""
    found = {
        leg.to_number if leg.direction == "outgoing" else leg.from_number
        for leg in legs
        if leg.direction and role(leg, legs) == wanted
    }
    return found.pop() if len(found) == 1 else ""
