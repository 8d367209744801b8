"""Stored events are applied: once, in any order, whatever one of them does to its handler."""

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from calls import events, projection
from calls.models import Call, WebhookEvent
from tests.conftest import leg, payload

pytestmark = pytest.mark.django_db(transaction=True)

LIFE = ["call.initiated", "call.answered", "call.bridged", "call.hold", "call.unhold"]


@pytest.fixture
def handler(monkeypatch):
    """Register a handler for DTMF events for the length of a test."""

    def register(function):
        monkeypatch.setitem(events._handlers, "call.dtmf.received", [function])

    return register


def test_a_call_appears_with_its_parties(deliver):
    ids = leg()

    deliver("call.initiated", **ids)

    call = Call.objects.get()
    assert (call.line, call.direction) == ("ringing", "incoming")
    assert (call.from_number, call.to_number) == ("+13129457420", "+18005550101")
    assert call.call_control_id == ids["call_control_id"]
    assert call.conversation == ids["call_session_id"]


def test_every_order_of_arrival_ends_in_the_same_call(deliver):
    bodies = [payload(name, id=name, **leg()) for name in LIFE]
    for order in itertools.islice(itertools.permutations(bodies), 0, 120, 17):
        ids = leg()
        for body in order:
            deliver(body["data"]["event_type"], **ids)
        assert Call.objects.get(call_leg_id=ids["call_leg_id"]).line == "bridged"


def test_a_repeated_event_changes_nothing(deliver):
    ids = leg()
    deliver("call.initiated", id="one", **ids)
    version = Call.objects.get().version

    deliver("call.initiated", id="one", **ids)

    assert Call.objects.get().version == version


def test_an_unknown_event_is_kept_and_makes_no_call(post):
    body = payload("call.initiated", id="new", **leg())
    body["data"]["event_type"] = "call.telepathy.started"

    assert post(body).status_code == 200
    events.apply_due()

    assert WebhookEvent.objects.get().state == "ignored"
    assert not Call.objects.exists()


def test_a_failing_event_ends_dead_and_stops_no_other(post, handler):
    def fail(event, parsed, call):
        raise ValueError("a handler's bug")

    handler(fail)
    ids = leg()
    for name in ("call.initiated", "call.dtmf.received", "call.answered"):
        post(payload(name, id=name, **ids))

    events.apply_due()

    assert Call.objects.get().line == "answered"
    poison = WebhookEvent.objects.get(event_id="call.dtmf.received")
    assert (poison.state, poison.error) == ("pending", "ValueError: a handler's bug")
    for _ in range(4):
        WebhookEvent.objects.update(due_at=timezone.now())
        events.apply_due()
    poison.refresh_from_db()
    assert (poison.state, poison.attempts) == ("dead", 5)


def test_a_dead_event_that_is_replayed_is_applied(post, handler):
    handler(lambda event, parsed, call: 1 / 0)
    post(payload("call.dtmf.received", id="poison", **leg()))
    WebhookEvent.objects.update(attempts=4)
    events.apply_due()
    assert WebhookEvent.objects.get().state == "dead"

    handler(lambda event, parsed, call: None)
    events.replay(WebhookEvent.objects.all())
    events.apply_due()

    assert WebhookEvent.objects.get().state == "applied"


def test_an_event_that_kills_the_process_runs_out_of_attempts(post, handler):
    def die(event, parsed, call):
        raise SystemExit  # not an Exception: nobody lives to write down why

    handler(die)
    post(payload("call.dtmf.received", id="killer", **leg()))
    post(payload("call.initiated", id="innocent", **leg()))
    for _ in range(6):
        WebhookEvent.objects.filter(state="pending").update(due_at=timezone.now())
        try:
            events.apply_due()
        except SystemExit:
            pass

    assert WebhookEvent.objects.get(event_id="killer").state == "dead"
    assert WebhookEvent.objects.get(event_id="innocent").state == "applied"


def test_two_workers_apply_each_event_once(post, handler):
    seen = []
    handler(lambda event, parsed, call: seen.append(event.event_id))
    for number in range(60):
        post(payload("call.dtmf.received", id=f"e{number}", **leg()))

    def work():
        events.apply_due()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while WebhookEvent.objects.filter(state="pending").exists():
        WebhookEvent.objects.filter(state="pending").update(due_at=timezone.now())
        events.apply_due()

    assert sorted(seen) == sorted(f"e{number}" for number in range(60))


def test_the_pump_leaves_the_workers_a_head_start(post):
    post(payload("call.initiated", id="new", **leg()))

    assert events.apply_due(overdue=timedelta(seconds=1)) == 0
    WebhookEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1.1))
    assert events.apply_due(overdue=timedelta(seconds=1)) == 1


def test_rebuild_makes_the_same_rows_again(deliver):
    ids = leg()
    for name in [*LIFE, "call.hangup"]:
        deliver(name, **ids)
    columns = ("line", "recording", "sound", "from_number", "started_at", "ended_at", "closed_at")
    before = Call.objects.values(*columns).get()
    Call.objects.update(line="ringing", from_number="", ended_at=None)

    projection.rebuild()

    assert Call.objects.values(*columns).get() == before


def test_a_call_first_heard_of_in_the_middle_is_not_shown_as_live(deliver):
    deliver("call.dtmf.received", **leg())

    call = Call.objects.get()
    assert (call.line, call.is_live) == ("unknown", False)
    assert call.probe_at is not None


def test_calls_whose_session_nobody_told_stay_conversations_of_their_own(deliver):
    calls = [leg(call_session_id="") for _ in range(2)]
    for ids in calls:
        deliver("call.initiated", **ids | {"call_control_id": ""})
        deliver("call.answered", **ids)

    told = Call.objects.values_list("call_leg_id", "conversation", "call_control_id")

    assert set(told) == {(ids["call_leg_id"],) * 2 + (ids["call_control_id"],) for ids in calls}
