"""Who is on which leg, and so who hears what is said into one.

Telnyx names legs, not people. Inferred, and called so on the page: the customer is a phone number
rather than a SIP address, and of several the one whose leg began first; legs that the desk dialled
to supervise are supervisors', all others are agents'.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers

from calls import parties as ends
from calls.models import LIVE, Call, Command, Kind
from calls.numbers import WITHHELD

SUPERVISES = "supervise_call_control_id"


class Role(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Party:
    """The far end of a leg."""

    call: Call
    role: Role

    @property
    def number(self) -> str:
        return ends.theirs(self.call)

    @property
    def our_number(self) -> str:
        return ends.ours(self.call)

    @property
    def name(self) -> str:
        return ends.shown_name(self.call)


@dataclass(frozen=True, slots=True)
class Reach:
    """One answer to "who hears it"."""

    target: str  # Telnyx's word
    parties: tuple[Party, ...]
    is_known: bool  # whether these are all who may hear it

    @property
    def misses_customer(self) -> bool:
        return self.is_known and all(party.role != Role.CUSTOMER for party in self.parties)


def of(legs: Sequence[Call]) -> list[Party]:
    """Return the parties of a conversation, the customer first; one query."""
    dials = Command.objects.filter(call__in=legs, kind=Kind.DIAL)
    supervising = {
        pk for pk, params in dials.values_list("call", "params") if SUPERVISES in params
    }
    talking = sorted((call for call in legs if call.pk not in supervising), key=_likelihood)
    parties = [
        Party(call, Role.AGENT if place else Role.CUSTOMER) for place, call in enumerate(talking)
    ]
    listening = (call for call in legs if call.pk in supervising)
    return [*parties, *(Party(call, Role.SUPERVISOR) for call in listening)]


def _likelihood(call: Call) -> tuple[object, ...]:
    """Order legs by how likely the far end is the customer; as the board does where times tie."""
    is_sip = "@" in Party(call, Role.AGENT).number
    began = call.started_at or call.first_heard_at
    return is_sip, began, call.direction, call.first_heard_at, str(call.pk)


def reaches(call: Call, parties: Sequence[Party]) -> list[Reach]:
    """Return who hears what is said into a leg, for each of Telnyx's three words."""
    here = next(party for party in parties if party.call.pk == call.pk)
    others = tuple(
        party
        for party in parties
        if party is not here and party.role != Role.SUPERVISOR and party.call.line in LIVE
    )
    is_known = len(others) == 1
    return [
        Reach("self", (here,), is_known=True),
        Reach("opposite", others if is_known else (), is_known=is_known),
        Reach("both", (here, *others) if is_known else (here,), is_known=is_known),
    ]


def spoken(number: str) -> str:
    """Return a number as a voice should read it: digit by digit, with a pause between groups.

    "" where the caller withheld it. A SIP address becomes its name, as anna.smith -> anna smith.
    """
    user = number.removeprefix("sip:").removeprefix("sips:").partition("@")[0]
    if not user or user.lower().removeprefix("+") in WITHHELD:
        return ""
    if not re.fullmatch(r"\+?[0-9]+", user):
        return re.sub(r"[._-]+", " ", user).strip()
    groups = [user.removeprefix("+")]
    if user.startswith("+"):
        try:
            shape = phonenumbers.PhoneNumberFormat.INTERNATIONAL
            written = phonenumbers.format_number(phonenumbers.parse(user), shape)
            groups = re.findall(r"[0-9]+", written)
        except phonenumbers.NumberParseException:
            pass
    return ", ".join(" ".join(group) for group in groups)
