"""What the desk says is what the simulator knows to be true, however the facts arrive."""

import itertools
import json
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from calls import events, fold, intake, projection, writer
from calls.models import Call, Command, WebhookEvent
from calls.telnyx import payloads
from simulator.histories import history
from tests.passes import some

WORDS = ("line", "recording", "sound")


def facts_of(told, leg):
    """Return a leg's webhooks as facts of the fold."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    parsed = (payloads.parse(json.dumps(body).encode()) for body in told.events)
    return [
        fold.Event(each.event_id, each.event_type, each.occurred_at, now, each.payload)
        for each in parsed
        if each.call_leg_id == leg
    ]


def orders_of(told, leg):
    return [
        fold.Order(
            command_id=each.command_id,
            kind=each.action,
            fate=fold.Fate.APPLIED,
            requested_at=each.accepted_at + timedelta(microseconds=each.order),
            sent_at=each.accepted_at,
            applied_at=each.accepted_at,
            records_from_answer=each.body.get("record") == "record-from-answer",
        )
        for each in told.commands
        if each.call_leg_id == leg
    ]


def test_every_permutation_of_200_short_histories_tells_the_truth():
    checked = 0
    for seed in range(200):
        told = history(seed, max_events=7)
        for truth in told.truth:
            leg = truth["call_leg_id"]
            facts, orders = facts_of(told, leg), orders_of(told, leg)
            expected = tuple(truth[word] for word in WORDS)
            for arrival in itertools.permutations(facts):
                state = fold.fold(arrival, orders)
                assert (state.line, state.recording, state.sound) == expected, (seed, leg)
                checked += 1
    assert checked > 50_000


@pytest.mark.django_db(transaction=True)
def test_shuffled_repeated_histories_from_several_writers_end_in_the_truth():
    told = [history(seed) for seed in some(range(1_000, 1_060), 20)]
    bodies = [json.dumps(body).encode() for each in told for body in each.events]
    commands = [fact for each in told for fact in each.commands]
    dice = random.Random(11)
    deliveries = [body for body in bodies for _ in range(dice.randint(1, 3))]
    dice.shuffle(deliveries)
    failures = []

    def deliver(mine):
        try:
            for at in range(0, len(mine), 7):
                rows = [
                    intake.read(body, received_at=timezone.now()) for body in mine[at : at + 7]
                ]
                writer.store(rows)
                events.apply_due()
        except Exception as exc:
            failures.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver, args=(deliveries[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for each in commands:  # the answers to our commands arrive in the midst of it
        accepted(each)
    for thread in threads:
        thread.join()
    events.apply_due()

    assert not failures
    assert not WebhookEvent.objects.exclude(state__in=["applied", "ignored"]).exists()
    for truth in itertools.chain.from_iterable(each.truth for each in told):
        call = Call.objects.get(call_leg_id=truth["call_leg_id"])
        assert {word: getattr(call, word) for word in WORDS} == {
            word: truth[word] for word in WORDS
        }


def accepted(fact):
    """Write down that Telnyx took a command, as `commands.accept` does."""
    with transaction.atomic():
        call = projection.locked(fact.call_leg_id, control=fact.call_control_id)
        Command.objects.create(
            id=fact.command_id,
            request_id=fact.command_id,
            call=call,
            kind=fact.action,
            params=fact.body,
            state=Command.State.ACCEPTED,
            attempts=1,
            requested_at=fact.accepted_at + timedelta(microseconds=fact.order),
            first_sent_at=fact.accepted_at,
            accepted_at=fact.accepted_at,
            expires_at=fact.accepted_at,
            due_at=fact.accepted_at,
        )
        projection.refold(call)
