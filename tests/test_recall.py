"""What is remembered of the facts of legs, and what makes them be read anew."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from calls import recall
from calls.models import WebhookEvent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()


def event(number, leg="leg", event_type="call.answered", raw=None):
    body = f'{{"data": {{"event_type": "{event_type}", "payload": {{"from": "+{number}"}}}}}}'
    return WebhookEvent.objects.create(
        event_id=f"event-{number}",
        event_type=event_type,
        call_leg_id=leg,
        occurred_at=NOW + timedelta(seconds=number),
        received_at=NOW,
        due_at=NOW,
        raw=body.encode() if raw is None else raw,
    )


def told(leg="leg"):
    return sorted(fact.event.event_id for fact in recall.facts([leg])[leg])


@pytest.fixture
def reads(monkeypatch):
    """The ids of the events that were read."""
    found = []
    real = recall._fact
    monkeypatch.setattr(recall, "_fact", lambda row: found.append(row.event_id) or real(row))
    return found


def test_what_was_read_once_is_not_read_again(reads):
    event(1)
    event(2)

    assert told() == told() == ["event-1", "event-2"]

    assert sorted(reads) == ["event-1", "event-2"]


def test_an_event_that_is_told_of_is_not_read_at_all(reads, django_assert_num_queries):
    rows = [event(1), event(2)]
    told()
    recall.remember([*rows, event(3)])
    reads.clear()

    with django_assert_num_queries(1):
        assert told() == ["event-1", "event-2", "event-3"]

    assert reads == []


def test_an_event_that_another_process_stored_is_found():
    event(1)
    told()
    event(2)

    assert told() == ["event-1", "event-2"]


def test_an_event_that_is_gone_is_told_no_more():
    first = event(1)
    event(2)
    told()
    first.delete()
    assert told() == ["event-2"]

    event(3)
    WebhookEvent.objects.get(event_id="event-2").delete()
    assert told() == ["event-3"]


def test_what_is_rolled_back_is_not_remembered():
    event(1)
    with transaction.atomic():
        pk = event(2).pk
        assert told() == ["event-1", "event-2"]
        transaction.set_rollback(True)
    WebhookEvent.objects.filter(pk=event(3).pk).update(id=pk)  # SQLite uses the key again

    assert told() == ["event-1", "event-3"]


def test_what_bears_on_no_state_and_what_names_no_leg_is_no_fact():
    recall.remember([event(1, leg=""), event(2, event_type="call.dtmf.received")])

    assert not recall._legs
    assert recall.facts(["leg"]) == {"leg": []}


def test_what_cannot_be_read_is_no_fact_and_is_not_tried_again(reads):
    event(1, raw=b"{")

    assert told() == told() == []

    assert reads == ["event-1"]


def test_of_too_many_the_legs_told_of_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(recall, "MOST", 3)
    rows = [event(number, leg=f"leg-{number % 3}") for number in range(6)]
    for row in rows:
        recall.remember([row])

    assert list(recall._legs) == ["leg-1", "leg-2"]
    assert recall._size == 2
    assert told("leg-0") == ["event-0", "event-3"]
