"""Supervisors who listen in, in people's words: whose phone it is, and who hears them."""

from dataclasses import dataclass

from calls import fold, parties, supervise
from calls.models import Call, Kind
from calls.wishes import name

# place, kind or role, label, way; a supervisor never comes to be heard by one stray press
SLOTS = [
    ("listen", "monitor", "Listen only", "press"),
    ("whisper", "whisper", "Whisper", "press"),
    ("barge", "barge", "Barge in", "sure"),
    ("hangup", Kind.HANGUP, "Hang up", "sure"),
]
DOING = {
    "monitor": "listening",
    "whisper": "whispering",
    "barge": "in the call",
    fold.ROLE_IN_DOUBT: "role in doubt",
}
NOT_REACHED = {
    "user_busy": "was busy",
    "call_rejected": "refused the call",
    "timeout": "did not answer",
    "no_answer": "did not answer",
    "not_found": "is no number that can be called",
    "originator_cancel": "was hung up before it answered",
}


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody's phone in a conversation of others."""

    who: str
    doing: str
    heard_by: str


def party(call: Call, legs: list[Call]) -> str:
    """Return what to call the far end of a leg in a sentence."""
    if call == parties.customer(legs):
        return "the customer"
    return "the agent" if call == parties.agent(legs) else "the party on this leg"


def listener(call: Call) -> Listener | None:
    """Return who listens in through a leg; None if it is no supervisor's. Asks the database."""
    if not call.supervises_id:
        return None
    legs = list(Call.objects.filter(conversation=call.conversation).eldest_first())
    supervised = next((leg for leg in legs if leg.pk == call.supervises_id), None)
    person = supervise.person_of(call)
    return Listener(
        who=name(person) if person else "of another application",
        doing=_doing(call),
        heard_by=_heard_by(call.supervisor_role, party(supervised, legs) if supervised else "")
        if call.is_answered
        else "",
    )


def _doing(call: Call) -> str:
    if call.line == fold.Line.ENDED:
        if call.answered_at is None:
            return f"the phone {NOT_REACHED.get(call.hangup_cause, 'was not reached')}"
        return "has left"
    return DOING.get(call.supervisor_role, "") if call.is_answered else "the phone rings"


def _heard_by(role: str, whom: str) -> str:
    match role:
        case "monitor":
            return "Nobody hears them."
        case "whisper":
            return f"Only {whom or 'the leg listened in on'} hears them."
        case "barge":
            return "Everybody hears them."
        case _:
            return "Nobody knows who hears them: press a role again to be sure."
