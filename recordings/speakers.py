"""Who speaks on which channel of a recording.

The first channel is the leg that was recorded, the second whatever that leg heard. Whoever called
in is the customer; whom we called is the agent if the conversation has a caller, else the
customer.
"""

from calls.models import Call
from recordings.models import Recording

UNTOLD = "This leg", "Other side"
AGENT, CUSTOMER = "Agent", "Customer"


def names(recording: Recording) -> tuple[str, str]:
    """Return the names of the two channels; just the sides where nobody told the direction."""
    call = recording.call
    if call.direction not in ("incoming", "outgoing"):
        found = UNTOLD
    elif call.direction == "outgoing" and _has_caller(call):
        found = AGENT, CUSTOMER
    else:
        found = CUSTOMER, AGENT
    return (found[1], found[0]) if recording.sides_swapped else found


def _has_caller(call: Call) -> bool:
    legs = Call.objects.filter(conversation=call.conversation)
    return legs.filter(direction="incoming").exists()
