"""Many events are applied in one commit; nobody pays for his neighbour, and nobody waits long."""

import asyncio
import json
import threading
import time
import uuid
from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from calls import events, intake, projection
from calls.models import Call, WebhookEvent
from tests.conftest import leg, payload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def handler(monkeypatch):
    """Register a handler for DTMF events for the length of a test."""

    def register(function):
        monkeypatch.setitem(events._handlers, "call.dtmf.received", [function])

    return register


def states():
    return dict(WebhookEvent.objects.values_list("event_id", "state"))


def test_many_legs_take_few_statements(post, django_assert_max_num_queries):
    for number in range(events.SLICE):
        post(payload("call.answered", id=f"e{number}", **leg()))

    with django_assert_max_num_queries(events.SLICE + 20):
        events.apply_due()

    assert Call.objects.filter(line="answered").count() == events.SLICE


def test_more_legs_than_fit_into_one_commit_are_all_applied(post):
    legs = [leg() for _ in range(3 * events.SLICE)]
    for ids in legs:
        post(payload("call.initiated", id=str(uuid.uuid4()), **ids))
    for ids in legs:
        post(payload("call.hangup", id=str(uuid.uuid4()), **ids))

    assert events.apply_due() == 6 * events.SLICE

    assert Call.objects.filter(line="ended").count() == len(legs)
    assert set(states().values()) == {"applied"}


def test_a_batch_is_cut_into_equal_parts_and_through_no_leg():
    rows = [
        WebhookEvent(call_leg_id=f"leg{number // 3}", event_id=f"e{number}")
        for number in range(events.SLICE + 6)
    ]

    parts = [len(part) for part in events._slices(rows)]

    assert sum(parts) == len(rows)
    assert max(parts) - min(parts) <= 3
    assert not any(size % 3 for size in parts)


def test_of_a_batch_that_others_have_claimed_meanwhile_the_rest_is_taken(post, monkeypatch):
    for number in range(3):
        post(payload("call.initiated", id=f"e{number}", **leg()))

    class Clock:
        @staticmethod
        def now():  # between the look and the claim
            if not others:
                others.append("e1")
                later = timezone.now() + events.LEASE
                WebhookEvent.objects.filter(event_id="e1").update(attempts=1, due_at=later)
            return timezone.now()

    others = []
    due_before = timezone.now()
    monkeypatch.setattr(events, "timezone", Clock)

    claimed, _ = events._claim(due_before)

    assert [(event.event_id, event.attempts) for event in claimed] == [("e0", 1), ("e2", 1)]


def test_a_handler_of_all_is_given_what_one_commit_has(post, monkeypatch):
    given = []
    monkeypatch.setitem(
        events._handlers_of_all,
        lambda news: given.append(
            [(it.row.event_id, it.event.event_type, it.call) for it in news]
        ),
        ("call.initiated",),
    )
    for number in range(2):
        post(payload("call.initiated", id=f"e{number}", **leg()))
    post(payload("call.answered", id="another", **leg()))

    events.apply_due()

    calls = {call.call_leg_id: call for call in Call.objects.all()}
    rows = WebhookEvent.objects.filter(event_type="call.initiated").order_by("id")
    assert given == [[(row.event_id, row.event_type, calls[row.call_leg_id]) for row in rows]]


def test_an_event_that_only_a_handler_of_all_wants_is_applied(post, monkeypatch):
    given = []
    monkeypatch.setitem(events._handlers_of_all, given.extend, ("call.unheard.of",))
    body = payload("call.initiated", id="odd", **leg())
    body["data"]["event_type"] = "call.unheard.of"
    post(body)

    events.apply_due()

    assert [it.row.event_id for it in given] == ["odd"]
    assert states() == {"odd": "applied"}


def test_a_failing_event_undoes_no_other_leg_of_its_commit(post, handler):
    def fail(event, parsed, call):
        raise ValueError("a handler's bug")

    handler(fail)
    for number in range(5):
        post(payload("call.initiated", id=f"good{number}", **leg()))
    post(payload("call.dtmf.received", id="bad", **leg()))

    events.apply_due()

    assert Call.objects.filter(line="ringing").count() == 5
    assert states() == {"bad": "pending"} | {f"good{number}": "applied" for number in range(5)}


def test_a_busy_database_costs_no_event_an_attempt(post, monkeypatch):
    for number in range(3):
        post(payload("call.initiated", id=f"e{number}", **leg()))

    def busy(*calls):
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(projection, "refold", busy)
        events.apply_due()

    assert set(WebhookEvent.objects.values_list("state", "attempts")) == {("pending", 0)}
    assert not Call.objects.exists()


def test_what_was_tried_before_does_not_delay_what_is_new(post, monkeypatch):
    monkeypatch.setattr(events, "BATCH", 3)
    for number in range(4):
        post(payload("call.initiated", id=f"tried-{number}", **leg()))
    WebhookEvent.objects.update(attempts=1)  # and then the process was killed
    post(payload("call.initiated", id="new", **leg()))

    claimed, is_more = events._claim(timezone.now())

    assert [event.event_id for event in claimed] == ["new"]
    assert is_more
    assert events.apply_due() == 4


def test_legs_that_are_known_and_new_are_held_together():
    with transaction.atomic():
        first = projection.locked("leg-1", session="session-1")
        both = projection.all_locked(
            [projection.Ids("leg-2"), projection.Ids("leg-1", "", "v3:1")]
        )

    assert both["leg-1"].pk == first.pk
    known = Call.objects.get(call_leg_id="leg-1")
    assert (known.call_session_id, known.call_control_id) == ("session-1", "v3:1")
    assert Call.objects.get(call_leg_id="leg-2").conversation == "leg-2"


def test_a_drain_that_is_asked_for_meanwhile_looks_once_more(monkeypatch):
    looks, entered, may_leave = [], threading.Event(), threading.Event()

    def look():
        looks.append("look")
        entered.set()
        assert may_leave.wait(5)
        return 1

    monkeypatch.setattr(events, "apply_due", look)
    draining = threading.Thread(target=events.drain)
    draining.start()
    assert entered.wait(5)

    events.drain()  # does not wait for the one that drains

    assert len(looks) == 1
    may_leave.set()
    draining.join(5)
    assert len(looks) == 2


def test_the_door_has_its_turn_while_another_writer_comes_back_at_once():
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has one writer at a time")
    over = threading.Event()

    def write():
        while not over.is_set():
            with transaction.atomic():
                Call.objects.filter(call_leg_id="nobody").update(version=1)
                time.sleep(0.03)
            time.sleep(events.GAP_S)
        connection.close()

    async def wait_for_the_door(name):
        await asyncio.sleep(0.015)  # not at the moment at which the other writer yields
        started = time.monotonic()
        body = json.dumps(payload("call.initiated", id=name, **leg())).encode()
        row = intake.read(body, received_at=datetime.now(UTC))
        assert await intake.start().write(row)
        return time.monotonic() - started

    busy = threading.Thread(target=write)
    busy.start()
    try:
        waits = [asyncio.run(wait_for_the_door(f"e{number}")) for number in range(25)]
    finally:
        over.set()
        busy.join()
        asyncio.run(intake.stop())

    assert max(waits) < 0.25
