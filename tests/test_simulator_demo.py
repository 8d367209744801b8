"""The demo's contact centre, an hour of it in a second."""

from collections import Counter
from datetime import timedelta

import pytest

from simulator import past
from simulator.demo import Centre
from simulator.scripts import SCENARIOS, conversation, spell
from simulator.switchboard import Options, Switchboard
from simulator.world import World
from tests.simulator_rig import NOON, Scene

HOUR_S = 3_600


@pytest.fixture(scope="module")
def hour():
    """An hour of the centre: its world, its events, how many calls were live every ten seconds."""
    world = World(3)
    Centre(world).open(NOON)
    events, live = [], []
    for second in range(0, HOUR_S, 10):
        events += world.advance(NOON + timedelta(seconds=second))
        live.append(len({leg.call_session_id for leg in world.live_legs()}))
    return world, events, live


def test_about_five_calls_are_live_at_any_time(hour):
    _, _, live = hour
    assert min(live[3:]) >= 2
    assert max(live) == 5
    assert sum(live[3:]) / len(live[3:]) > 4


def test_the_first_call_comes_at_once():
    scene = Scene()
    Centre(scene.world).open(scene.now)
    scene.wait(3)
    assert scene.said()[0] == "call.initiated"


def test_every_kind_of_event_happens(hour):
    _, events, _ = hour
    types = Counter(event.event_type for event in events)
    assert set(types) >= {
        "call.initiated",
        "call.answered",
        "call.bridged",
        "call.hold",
        "call.unhold",
        "call.dtmf.received",
        "call.machine.detection.ended",
        "call.hangup",
    }
    assert types["call.hold"] >= types["call.unhold"]


def test_calls_last_from_seconds_to_six_minutes(hour):
    world, _, _ = hour
    lengths = [
        (leg.ended_at - leg.start_time).total_seconds()
        for leg in world.legs.values()
        if leg.ended_at and leg.party == "customer"
    ]
    assert len(lengths) > 50
    assert max(lengths) < 6.5 * 60
    assert sorted(lengths)[len(lengths) // 2] > 45


def test_a_call_is_two_legs_of_one_session(hour):
    world, _, _ = hour
    agents = [leg for leg in world.legs.values() if leg.party == "agent"]
    for agent in agents:
        session = [
            leg for leg in world.legs.values() if leg.call_session_id == agent.call_session_id
        ]
        assert sorted(leg.party for leg in session) == ["agent", "customer"]


def test_numbers_belong_to_nobody(hour):
    world, _, _ = hour
    for leg in world.legs.values():
        number = leg.from_ if leg.direction == "incoming" else leg.to
        assert number.startswith(("+131255501", "sip:")), number


def test_commands_of_others_do_not_change_who_calls():
    quiet, busy = World(9), World(9)
    for world in (quiet, busy):
        Centre(world).open(NOON)
    at = NOON + timedelta(seconds=60)
    for leg in list(busy.live_legs()):
        busy.command("send_dtmf", leg.call_control_id, {"digits": "1"}, at)
    until = NOON + timedelta(seconds=600)
    numbers = [
        [
            e.payload["from"]
            for e in world.advance(until)
            if e.payload.get("direction") == "incoming"
        ]
        for world in (quiet, busy)
    ]
    assert numbers[0] == numbers[1]


def test_somebody_speaks_when_the_desk_dials_out():
    scene = Scene()
    Centre(scene.world, live_calls=0).open(scene.now)
    body = {"connection_id": "2684641123236054244", "from": "+18005550101", "to": "+13125550100"}
    token = scene.world.dial(body, scene.now).body["data"]["call_control_id"]
    scene.wait(10)
    assert scene.world.legs[token].heard[0][1].clip.key == "Hello?"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_conversation_has_both_parties_and_no_blanks_left(scenario):
    lines = list(conversation(World(1).chance, scenario, "NINA WEBER"))
    assert {line.party for line in lines} == {"agent", "customer"}
    assert not [line.text for line in lines if "{" in line.text]
    assert len(lines) > 10


def test_card_digits_are_read_out_in_the_card_payment():
    texts = " ".join(line.text for line in conversation(World(1).chance, "card payment", "A B"))
    assert spell("4111111111111111") in texts
    assert spell("4111").startswith("four one one one")


def test_recorded_calls_are_over_before_the_demo_begins():
    world = World(3)
    past.live_through(world, NOON)
    assert world.advance(NOON) == []  # nobody is told what happened then
    assert world.live_legs() == []
    assert [one.state for one in world.recordings.values()] == ["saved"] * past.CALLS
    assert all(one.saved_at < NOON - timedelta(minutes=20) for one in world.recordings.values())
    assert len([text for text in world.transcripts.values() if text.text]) == past.CALLS


def test_the_same_people_call_again():
    world = World(3)
    past.live_through(world, NOON)
    callers = Counter(one.leg.from_ for one in world.recordings.values())
    assert len(callers) <= past.REGULARS
    assert callers.most_common(1)[0][1] > 1


def test_the_past_is_lived_through_once(tmp_path):
    counts = []
    for _ in range(2):
        board = Switchboard(Options(tmp_path, is_quiet=False))
        board.start("http://127.0.0.1:9")
        counts.append(len(board.act(lambda world, now: world.recordings)))
        board.stop()
    assert counts == [past.CALLS, 0]
