"""What the desk asks Telnyx of its own accord: which calls live, what could not be delivered."""

import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from calls import asking, events, reconcile, timeline
from calls.line import telnyx
from calls.models import Call, Command, Question, WebhookEvent
from tests.conftest import Simulator, leg, payload
from tests.desk import until

pytestmark = pytest.mark.django_db(transaction=True)

NOWHERE = "http://127.0.0.1:9/webhooks/telnyx"
WORDS = ("line", "recording", "sound")


@pytest.fixture(scope="module")
def _world(tmp_path_factory):
    world = Simulator(tmp_path_factory.mktemp("world"), NOWHERE)
    world.lever("POST", "settings", {"retry_for_s": 0, "saved_delay_s": 0.1})
    yield world
    world.process.terminate()
    world.process.wait(10)


@pytest.fixture
def world(_world, settings, monkeypatch):
    """A Telnyx whose every webhook fails, and a desk that asks without a pause."""
    _world.lever("DELETE", "faults")
    settings.TELNYX_BASE_URL = f"{_world.url}/v2"
    settings.TELNYX_CONNECTION_ID = "2684641123236054244"
    telnyx.cache_clear()
    asking._alive_until.clear()
    monkeypatch.setattr(asking, "PACE", timedelta())
    monkeypatch.setattr(asking, "YOUNG", timedelta())
    monkeypatch.setattr(asking, "BACK", timedelta(seconds=30))
    yield _world
    while live := _world.lever("GET", "calls?live=true")["calls"]:  # its other leg goes along
        _world.lever("POST", f"calls/{live[0]['call_control_id']}/hangup")


def ask(name=None):
    """Let everything that is due be asked and applied, of one name or of all."""
    asking.begin()
    if name:
        others = Question.objects.exclude(name__in=[name, Question.PACE])
        others.update(due_at=timezone.now() + timedelta(hours=1))
    while asking.ask_due():
        events.apply_due()


def failed(world, ids):
    """Return the webhooks of a leg that Telnyx gave up."""
    tries = world.lever("GET", "webhooks")["webhooks"]
    return {row["event_id"] for row in tries if row["call_leg_id"] == ids["call_leg_id"]}


def given_up(world, ids, count):
    """Wait until Telnyx gave up so many webhooks of a leg, and as many of the agent's."""
    for each in (ids, ids["agent"]):
        until(lambda each=each: len(failed(world, each)) >= count, within_s=20)


def test_what_telnyx_could_not_deliver_is_found_again_and_says_so(world):
    ids = world.call()
    given_up(world, ids, 3)

    ask(Question.DELIVERIES)

    call = Call.objects.get(call_leg_id=ids["call_leg_id"])
    assert (call.line, call.from_number) == ("bridged", "+13125550101")
    kept = WebhookEvent.objects.filter(call_leg_id=call.call_leg_id)
    assert {row.source for row in kept} == {"reconcile"}
    told = [entry.found for entry in timeline.entries(call) if entry.event]
    assert len(told) == 3
    assert all("found again at" in each for each in told)
    assert all("Telnyx could not deliver it" in each for each in told)


def test_asking_again_finds_nothing_twice_and_a_late_delivery_doubles_nothing(world, post):
    ids = world.call()
    given_up(world, ids, 3)
    ask(Question.DELIVERIES)
    legs = [ids["call_leg_id"], ids["agent"]["call_leg_id"]]
    mine = WebhookEvent.objects.filter(call_leg_id__in=legs)
    before = sorted(mine.values_list("event_id", flat=True))

    ask(Question.DELIVERIES)
    late = mine.filter(event_type="call.answered").first()
    answer = post({"data": json.loads(bytes(late.raw))["data"]})
    events.apply_due()

    assert answer.status_code == 200
    assert sorted(mine.values_list("event_id", flat=True)) == before
    assert len(before) == 6


def test_of_a_delivery_that_came_nothing_is_asked_again(world, post):
    ids = world.call()
    given_up(world, ids, 3)
    log = telnyx().call_events(call_leg_id=ids["call_leg_id"])
    for event in log:
        assert post(event.raw).status_code == 200
    events.apply_due()

    ask(Question.DELIVERIES)

    mine = WebhookEvent.objects.filter(call_leg_id=ids["call_leg_id"])
    assert {row.source for row in mine} == {"webhook"}


def test_a_kill_between_two_pages_costs_nothing(world, monkeypatch):
    calls = [world.call() for _ in range(4)]
    for ids in calls:
        given_up(world, ids, 3)
    monkeypatch.setattr("calls.telnyx.wire.PAGE_ROWS", 10)
    asking.begin()
    Question.objects.filter(name=Question.BOARD).delete()

    asking.ask_due()
    half = Question.objects.get(name=Question.DELIVERIES)
    asking._alive_until.clear()  # all that a process remembers
    Question.objects.update(due_at=timezone.now())
    until(lambda: not asking.ask_due() or done(), within_s=10)
    events.apply_due()

    assert half.page == 2
    assert half.done_at is None
    legs = [ids["call_leg_id"] for ids in calls]
    assert Call.objects.filter(call_leg_id__in=legs, line="bridged").count() == 4


def done():
    return Question.objects.filter(name=Question.DELIVERIES, done_at__isnull=False).exists()


def test_the_next_answer_begins_where_the_last_one_ended(world):
    ask(Question.DELIVERIES)
    first = Question.objects.get(name=Question.DELIVERIES)

    ask(Question.DELIVERIES)

    second = Question.objects.get(name=Question.DELIVERIES)
    assert first.since > timezone.now() - asking.OVERLAP - timedelta(minutes=1)
    assert second.since > first.since
    assert (second.until, second.page) == (None, 1)
    assert second.due_at > timezone.now() + timedelta(minutes=4)


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"), [(503, {}, 5), (429, {"retry-after": "42"}, 42)]
)
def test_a_failure_moves_no_mark_and_is_asked_again_when_telnyx_says(
    world, status, headers, wait_s
):
    world.fault(action="GET /webhook_deliveries", do="status", status=status, headers=headers)

    ask(Question.DELIVERIES)

    question = Question.objects.get(name=Question.DELIVERIES)
    assert (question.since, question.failures, question.status) == (None, 1, status)
    wait = (question.due_at - timezone.now()).total_seconds()
    assert wait == pytest.approx(wait_s, abs=2)


def test_webhooks_of_another_application_are_not_taken(world, settings):
    ids = world.call()
    given_up(world, ids, 3)
    settings.TELNYX_CONNECTION_ID = "1"

    ask(Question.DELIVERIES)
    assert not WebhookEvent.objects.exists()
    settings.PUBLIC_URL = "http://127.0.0.1:9"  # but those that were meant for our door are
    Question.objects.all().delete()
    ask(Question.DELIVERIES)

    assert Call.objects.filter(call_leg_id=ids["call_leg_id"]).exists()


def test_a_caption_is_not_found_again_on_a_call_that_was_paused(world, sam):
    ids = leg()
    call = Call.objects.create(**ids, conversation=ids["call_session_id"], line="answered")
    now = timezone.now()
    Command.objects.create(
        call=call, kind="record_pause", requested_by=sam, request_id="p", state="accepted",
        requested_at=now, expires_at=now, due_at=now, accepted_at=now,
    )  # fmt: skip
    said = json.dumps(payload("call.transcription", id=str(uuid.uuid4()), **ids)).encode()
    other = json.dumps(payload("call.hangup", id=str(uuid.uuid4()), **ids)).encode()

    count = asking.found.keep([said, other], asking.found.LOG)

    assert count == 1
    assert WebhookEvent.objects.get().event_type == "call.hangup"


# The board


def test_a_call_that_lives_at_telnyx_and_is_unknown_here_appears_with_its_story(world):
    ids = world.call()
    given_up(world, ids, 3)

    ask(Question.BOARD)
    Question.objects.filter(name__startswith="leg:").update(due_at=timezone.now())
    while asking.ask_due():
        events.apply_due()

    call = Call.objects.get(call_leg_id=ids["call_leg_id"])
    assert (call.line, call.to_number) == ("bridged", "+18005550100")
    board = Question.objects.get(name=Question.BOARD)
    assert (board.listed, board.found, board.status) == (2, 2, None)
    assert not Question.objects.filter(name__startswith="leg:").exists()
    assert "in Telnyx's log" in timeline.entries(call)[0].found


def test_a_call_whose_story_telnyx_does_not_tell_appears_all_the_same(world):
    ids = world.call()
    world.fault(action="GET /call_events", do="status", status=404)

    ask(Question.BOARD)
    Call.objects.update(probe_at=timezone.now())
    reconcile.probe_due()
    events.apply_due()

    assert Call.objects.get(call_leg_id=ids["call_leg_id"]).line == "answered"


def test_a_call_that_lives_here_only_is_probed_and_then_its_true_end_is_found(world, deliver):
    ids = world.call()
    deliver("call.answered", **{name: ids[name] for name in leg()})
    world.lever("POST", f"calls/{ids['call_control_id']}/hangup")
    given_up(world, ids, 4)

    ask(Question.BOARD)
    reconcile.probe_due()
    events.apply_due()
    inferred = Call.objects.get(call_leg_id=ids["call_leg_id"])
    Question.objects.update(due_at=timezone.now())
    ask()
    told = Call.objects.get(call_leg_id=ids["call_leg_id"])

    assert (inferred.line, inferred.ended_inferred) == ("ended", True)
    assert (told.line, told.ended_inferred, told.hangup_cause) == (
        "ended",
        False,
        "normal_clearing",
    )


def test_a_call_of_another_connection_is_not_doubted_at_every_minute(world, deliver, settings):
    ids = {name: value for name, value in world.call().items() if name in leg()}
    deliver("call.answered", **ids)
    settings.TELNYX_CONNECTION_ID = "2684641123236054244"
    call = Call.objects.get()
    asking._doubt_gone({}, before=timezone.now())
    assert reconcile.probe_due() == 1

    asking._doubt_gone({}, before=timezone.now())

    call.refresh_from_db()
    assert call.line == "answered"
    assert reconcile.probe_due() == 0


def test_without_a_connection_every_live_call_is_asked_about_at_the_start(
    world, deliver, settings
):
    deliver("call.answered", **{k: v for k, v in world.call().items() if k in leg()})
    settings.TELNYX_CONNECTION_ID = ""

    asking.begin()

    assert Call.objects.get().probe_at <= timezone.now()
    assert not Question.objects.filter(name=Question.BOARD).exists()


def test_while_telnyx_is_away_nobody_is_doubted(world, deliver):
    deliver("call.answered", **leg())
    quiet = Call.objects.get().probe_at
    world.fault(action="GET /connections/{connection_id}/active_calls", do="drop", times=1)

    ask(Question.BOARD)

    assert Call.objects.get().probe_at == quiet
    assert "Telnyx" in Question.objects.get(name=Question.BOARD).error


# The pace


def test_all_pumps_together_ask_once_a_second(world, monkeypatch):
    monkeypatch.setattr(asking, "PACE", timedelta(seconds=1))
    asking.begin()

    assert [asking.ask_due() for _ in range(5)] == [1, 0, 0, 0, 0]


def test_commands_go_first_but_not_forever(world, sam):
    ids = leg()
    call = Call.objects.create(**ids, conversation=ids["call_session_id"], line="answered")
    now = timezone.now()
    Command.objects.create(
        call=call, kind="hangup", requested_by=sam, request_id="h",
        requested_at=now, expires_at=now, due_at=now,
    )  # fmt: skip
    asking.begin()

    assert asking.ask_due() == 0
    Question.objects.update(due_at=now - timedelta(seconds=6))
    assert asking.ask_due() == 1


def test_a_call_that_telnyx_does_not_tell_of_is_in_doubt_since_then(deliver):
    deliver("call.answered", **leg())
    Call.objects.update(probe_at=timezone.now())
    before = Call.objects.get()

    reconcile.probe_due()

    after = Call.objects.get()
    assert after.doubted_at is not None
    assert after.version == before.version + 1  # the board shows it
    Call.objects.update(probe_at=timezone.now())
    reconcile.probe_due()
    assert Call.objects.get().doubted_at == after.doubted_at

    deliver("call.hold", call_leg_id=after.call_leg_id)

    assert Call.objects.get().doubted_at is None  # else "May have ended" for ten minutes more


# An outage


def test_pages_of_lost_webhooks_are_read_before_stories_which_they_then_tell(world, monkeypatch):
    monkeypatch.setattr("calls.telnyx.wire.PAGE_ROWS", 5)
    calls = [world.call() for _ in range(3)]
    for ids in calls:
        given_up(world, ids, 3)
    asked = []
    answer = asking._story
    monkeypatch.setattr(asking, "_story", lambda it: asked.append(it.leg) or answer(it))

    asking.begin()
    while asking.ask_due():
        events.apply_due()

    legs = {ids["call_leg_id"] for ids in calls}
    assert Call.objects.filter(call_leg_id__in=legs, line="bridged").count() == 3
    assert legs.isdisjoint(asked)
    assert not Question.objects.filter(name__startswith="leg:").exists()


def test_400_webhooks_that_failed_while_the_desk_was_down_are_all_there_after_its_start(
    world, monkeypatch
):
    monkeypatch.setattr(asking, "BACK", timedelta(minutes=10))
    calls = [world.call() for _ in range(67)]
    legs = {ids["call_leg_id"] for ids in calls} | {i["agent"]["call_leg_id"] for i in calls}

    def lost():
        tries = world.lever("GET", "webhooks")["webhooks"]
        return {row["event_id"] for row in tries if row["call_leg_id"] in legs}

    until(lambda: len(lost()) >= 400, within_s=60)

    ask(Question.DELIVERIES)

    kept = WebhookEvent.objects.filter(source="reconcile", state="applied")
    assert lost() <= set(kept.values_list("event_id", flat=True))
    truth = {
        row["call_leg_id"]: tuple(row[word] for word in WORDS)
        for row in world.lever("GET", "calls?live=true")["calls"]
    }
    here = {
        call.call_leg_id: (call.line, call.recording, call.sound)
        for call in Call.objects.filter(call_leg_id__in=legs)
    }
    assert here == {key: truth[key] for key in legs}
