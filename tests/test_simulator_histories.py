"""Random legal histories: what the tests of others stand on has to be sound itself."""

from collections import Counter
from datetime import datetime

import pytest

from simulator.histories import history

SEEDS = range(150)


@pytest.fixture(scope="module")
def histories():
    return [history(seed, max_events=40) for seed in SEEDS]


def test_equal_seeds_give_equal_histories():
    assert history(11) == history(11)
    assert history(11) != history(12)


@pytest.mark.parametrize("limit", [1, 7, 25])
def test_a_history_has_no_more_events_than_asked(limit):
    lengths = [len(history(seed, max_events=limit).events) for seed in range(40)]
    assert 0 < max(lengths) <= limit


def test_histories_reach_every_state(histories):
    lines, recordings, sounds = Counter(), Counter(), Counter()
    for _, _, truth in histories:
        for leg in truth:
            lines[leg["line"]] += 1
            recordings[leg["recording"]] += 1
            sounds[leg["sound"]] += 1
    assert set(lines) == {"ringing", "answered", "bridged", "held", "ended"}
    assert set(recordings) == {"off", "on", "paused"}
    assert set(sounds) == {"silent", "speaking", "playing"}


def test_histories_hold_every_command_that_matters(histories):
    actions = {fact.action for _, commands, _ in histories for fact in commands}
    assert actions >= {"answer", "hangup", "reject", "speak", "playback_start", "playback_stop"}
    assert actions >= {"record_start", "record_pause", "record_resume", "record_stop"}


def test_truth_agrees_with_the_facts_that_decide_it(histories):
    for events, commands, truth in histories:
        for leg in truth:
            own = [e["data"] for e in events if leg_of(e) == leg["call_leg_id"]]
            types = [data["event_type"] for data in own]
            assert ("call.hangup" in types) == (leg["line"] == "ended")
            assert types.count("call.hangup") <= 1
            expected = "off"
            for fact in commands:
                if fact.call_leg_id == leg["call_leg_id"]:
                    expected = AFTER.get(fact.action, expected)
            if leg["line"] == "ended":
                expected = "off"
            assert leg["recording"] == expected
            started = types.count("call.speak.started") + types.count("call.playback.started")
            missing = [d for d in own if d["payload"].get("status") == "file_not_found"]
            ended = types.count("call.speak.ended") + types.count("call.playback.ended")
            assert (started > ended - len(missing)) == (leg["sound"] != "silent")


AFTER = {
    "record_start": "on",
    "record_pause": "paused",
    "record_resume": "on",
    "record_stop": "off",
}


def leg_of(event):
    return event["data"]["payload"]["call_leg_id"]


def test_a_legs_events_are_told_in_the_order_of_their_times(histories):
    for events, _, _ in histories:
        last = {}
        for event in events:
            at = datetime.fromisoformat(event["data"]["occurred_at"])
            assert leg_of(event) not in last or at > last[leg_of(event)]
            last[leg_of(event)] = at


def test_commands_are_in_order_and_each_has_its_own_id(histories):
    for _, commands, _ in histories:
        assert [fact.order for fact in commands] == list(range(len(commands)))
        times = [fact.accepted_at for fact in commands]
        assert times == sorted(times)
        assert len({fact.command_id for fact in commands}) == len(commands)
