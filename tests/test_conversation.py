"""What the rest of a conversation tells of a recording: its agent, and whether it was paused."""

import itertools
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import Call, Command
from recordings.models import Recording
from tests.conftest import leg
from tests.findable import found
from tests.passes import some

pytestmark = pytest.mark.django_db

SAVED = "call.recording.saved"
AGENT = "sip:agent17@example-cc.sip.telnyx.com"


def legs():
    """Return the ids of a customer's leg and of the agent's, of one conversation."""
    customer = leg()
    return customer, leg(call_session_id=customer["call_session_id"])


def events(customer, agent):
    return {
        "begun": ("call.initiated", customer),
        "put through": (
            "call.initiated",
            agent | {"direction": "outgoing", "from": "+18005550100", "to": AGENT},
        ),
        "answered": ("call.answered", agent | {"to": AGENT, "from": "+18005550100"}),
        "saved": (SAVED, customer),
    }


@pytest.mark.parametrize("order", some(itertools.permutations(range(4)), 6))
def test_the_agent_is_named_in_whatever_order_the_events_come(deliver, sam, order):
    told = list(events(*legs()).values())
    for place in order:
        name, changes = told[place]
        deliver(name, **changes)
    assert Recording.objects.get().agent == AGENT
    assert found(sam, party="agent17") == [Recording.objects.get()]


def test_an_agent_without_an_address_is_the_leg_that_took_the_incoming_call(deliver):
    customer, other = legs()
    deliver("call.initiated", **customer)
    deliver(
        "call.initiated", **other, **{"direction": "outgoing", "from": "+1800", "to": "+1312555"}
    )
    deliver(SAVED, **customer)
    assert Recording.objects.get().agent == ""
    deliver("call.answered", **other, direction="outgoing", to="+1312555")
    assert Recording.objects.get().agent == "+1312555"


def test_the_agent_of_another_conversation_is_not_named(deliver):
    customer, _ = legs()
    _, stranger = legs()
    deliver(SAVED, **customer)
    for name, changes in list(events(customer, stranger).values())[:3]:
        deliver(name, **changes)
    assert Recording.objects.get().agent == ""


def order(call, kind, state, *, seconds):
    at = timezone.now() + timedelta(seconds=seconds)
    return Command.objects.create(
        call=call,
        kind=kind,
        request_id=str(uuid.uuid4()),
        requested_at=at,
        expires_at=at,
        due_at=at,
        state=state,
        first_sent_at=None if state == "expired" else at,
        accepted_at=at if state == "accepted" else None,
        may_have_applied=state in ("sending", "unknown"),
    )


PAUSES = {
    "accepted": True,
    "confirmed": True,
    "unknown": True,
    "sending": True,
    "failed": False,
    "expired": False,
}


@pytest.mark.parametrize("state", PAUSES)
def test_a_recording_was_paused_if_telnyx_took_the_pause_or_may_have(deliver, sam, state):
    ids = leg()
    deliver("call.initiated", **ids)
    call = Call.objects.get()
    order(call, "record_start", "accepted", seconds=0)
    order(call, "record_pause", state, seconds=5)
    deliver(SAVED, **ids)
    assert Recording.objects.get().paused is PAUSES[state]
    assert bool(found(sam, paused="yes")) is PAUSES[state]


def test_a_pause_marks_the_recording_it_fell_into(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    call = Call.objects.get()
    for seconds, kind in enumerate(
        ("record_start", "record_stop", "record_start", "record_pause", "record_stop")
    ):
        order(call, kind, "accepted", seconds=seconds)
    times = ("2026-03-02T15:00:00Z", "2026-03-02T15:10:00Z")
    for number, at in reversed(list(enumerate(times))):
        deliver(SAVED, **ids, recording_id=str(uuid.UUID(int=number)), recording_started_at=at)
    first, second = Recording.objects.order_by("place")
    assert (first.paused, second.paused) == (False, True)
