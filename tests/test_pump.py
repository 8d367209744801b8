"""The pump does what nobody else did: without a broker, without workers, in time."""

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection

from calls import commands, events
from calls.models import Call, Command, Heartbeat, WebhookEvent
from dashboard import pump
from dashboard.pump import HEAD_START, Lane, Pump
from tests.conftest import leg, payload

pytestmark = pytest.mark.django_db(transaction=True)

IN_TIME_S = 2.0


@pytest.fixture
def running():
    """A pump at work in a thread."""
    running = Pump()

    def run():
        running.run()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    took(lambda: Heartbeat.objects.filter(name="pump").exists(), within_s=20)
    yield running
    running.stop()
    thread.join(5)


def took(condition, within_s=5):
    """Return after how many seconds a condition came true."""
    since = time.monotonic()
    while not condition():
        assert time.monotonic() < since + within_s
        time.sleep(0.02)
    return time.monotonic() - since


def all_applied():
    return not WebhookEvent.objects.filter(state="pending").exists()


def test_webhooks_and_commands_are_done_within_two_seconds_of_being_due(
    running, simulator, post, sam
):
    ids = simulator.call()
    ids = {name: ids[name] for name in leg()}
    for name in ("call.initiated", "call.answered"):
        post(payload(name, id=str(uuid.uuid4()), **ids))
    assert took(all_applied) < IN_TIME_S

    speech = {"payload": "Hello.", "voice": "AWS.Polly.Joanna"}
    call = Call.objects.get(call_leg_id=ids["call_leg_id"])  # the pump finds others' recordings
    commands.issue(call, "speak", speech, by=sam, request_id="press")

    assert took(lambda: Command.objects.get().state == "accepted") < IN_TIME_S


def test_it_leaves_out_the_head_start_where_nobody_used_it(running, post):
    post(payload("call.initiated", id="first", **leg()))
    took(all_applied)

    post(payload("call.initiated", id="second", **leg()))

    assert took(all_applied) < HEAD_START.total_seconds()


def test_while_others_do_the_work_they_keep_their_head_start():
    asked = []
    lane = Lane("control", lambda wait: asked.append(wait) or 0)

    for _ in range(2):
        lane.busy.acquire()
        lane.run()

    assert asked == [HEAD_START, HEAD_START]


def test_a_lane_that_fails_stops_no_other(running, post, monkeypatch):
    monkeypatch.setattr(commands, "send_due", lambda **_: 1 / 0)

    post(payload("call.initiated", id="one", **leg()))

    assert took(all_applied) < IN_TIME_S


def test_it_leaves_a_sign_of_life(running):
    assert took(lambda: Heartbeat.objects.filter(name="pump").exists()) < IN_TIME_S


def test_after_a_start_every_live_call_is_asked_about(monkeypatch, deliver):
    deliver("call.answered", **leg())
    Call.objects.update(probe_at=None)
    monkeypatch.setattr(pump, "lanes", list)
    idle = Pump()
    idle.stop()

    idle.run()

    assert Call.objects.get().probe_at is not None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite counts no connections")
def test_it_holds_few_connections_and_leaves_none_behind():
    before, pump = connections_of_others(), Pump()

    def stop_soon():
        took(lambda: Heartbeat.objects.filter(name="pump").exists())
        held.append(connections_of_others() - before)
        pump.stop()
        connection.close()

    held = []
    stopper = threading.Thread(target=stop_soon)
    stopper.start()
    pump.run()
    stopper.join(5)

    took(lambda: connections_of_others() == before)
    assert held[0] <= 20  # of PostgreSQL's hundred


def connections_of_others():
    """Return how many connections to this database there are besides our own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def test_an_event_that_is_due_again_is_done_by_the_pump(running, post):
    post(payload("call.initiated", id="again", **leg()))
    took(all_applied)
    events.replay(WebhookEvent.objects.all())
    WebhookEvent.objects.update(due_at=WebhookEvent.objects.get().due_at + timedelta(seconds=1))

    assert 0.9 < took(all_applied) < 1 + IN_TIME_S
