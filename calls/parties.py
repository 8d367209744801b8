"""Who is who in a conversation: the customer's leg, the agent's, those of supervisors.

Telnyx does not tell. Who calls us is the customer; of the legs that we made, an agent's goes to a
SIP address. Where all legs go to numbers, the first one is taken for the customer's.
"""

from collections.abc import Sequence

from calls.models import Call


def ours(call: Call) -> str:
    """Return our end of a leg: the line that was called, or that calls."""
    return call.from_number if call.direction == "outgoing" else call.to_number


def theirs(call: Call) -> str:
    """Return the far end of a leg."""
    return call.to_number if call.direction == "outgoing" else call.from_number


def shown_name(call: Call) -> str:
    """Return the name the caller shows, unless it only repeats the number."""
    shown = call.caller_name
    is_name = any(map(str.isalpha, shown)) and shown != call.from_number
    return shown if is_name and call.direction != "outgoing" else ""


def eldest_first(legs: Sequence[Call]) -> list[Call]:
    """Order legs as CallQuerySet.eldest_first does."""
    return sorted(
        legs,
        key=lambda call: (
            bool(call.supervises_id),
            call.started_at is None,
            call.started_at or call.first_heard_at,
            call.direction,
            call.first_heard_at,
            str(call.pk),
        ),
    )


def customer(legs: Sequence[Call]) -> Call | None:
    """Return the customer's leg, None while there is none; `legs` eldest first."""
    talking = [call for call in legs if not call.supervises_id]
    incoming = next((call for call in talking if call.direction == "incoming"), None)
    return incoming or next(
        (call for call in talking if call.direction and not _is_sip(theirs(call))), None
    )


def agent(legs: Sequence[Call]) -> Call | None:
    """Return the agent's live leg, if it can be told; `legs` eldest first."""
    of_customer = customer(legs)
    others = [
        call
        for call in legs
        if call.is_answered and not call.supervises_id and call is not of_customer
    ]
    sip = (call for call in others if _is_sip(theirs(call)))
    return next(sip, None) or next(iter(others), None)


def _is_sip(address: str) -> bool:
    return "@" in address
