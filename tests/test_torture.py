"""The torture's schedule is told by its seed, and its comparison sees what is lost."""

import signal
import sys
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from dashboard.bench.stage import Stage
from dashboard.torture import compare, trial
from dashboard.torture.books import Book, File, Truth
from dashboard.torture.hands import Press
from dashboard.torture.plan import FROZEN, KILLED, LASTS_S, plan
from simulator.faults import Faults

FILE = File(1000, "a" * 64)
PLACE = "aa/file.wav"
TRUTH = Truth(
    calls=[
        {
            "call_leg_id": "leg",
            "line": "bridged",
            "recording": "on",
            "sound": "silent",
            "recordings": [{"id": "file", "state": "saved"}],
        }
    ],
    commands=[
        {"command_id": "start", "took_effect": True},
        {"command_id": "start", "took_effect": False},
    ],
    webhooks=[
        {"event_id": "e1", "event_type": "call.bridged", "status": None, "error": "timed out"},
        {"event_id": "e1", "event_type": "call.bridged", "status": 200, "error": None},
    ],
    files={"file": FILE},
)
CALL = {"id": "1", "call_leg_id": "leg", "line": "bridged", "recording": "on", "sound": "silent"}
COMMAND = {
    "id": "start",
    "call_id": "1",
    "request_id": "press",
    "kind": "record_start",
    "state": "accepted",
    "error": "",
}
HUNG_UP = {"kind": "hangup", "state": "confirmed"}
EVENT = {"event_id": "e1", "state": "applied", "error": ""}
RECORDING = {
    "recording_id": "file",
    "state": "stored",
    "reason": "",
    "path": PLACE,
    "sha256": FILE.sha256,
    "size_bytes": FILE.size_bytes,
    "attempts": 1,
}
BOOK = Book(
    calls={"leg": CALL},
    commands=[COMMAND],
    events={"e1": EVENT},
    recordings=[RECORDING],
    files={PLACE: FILE},
    presses=[Press("press", "record_start", status=200, tries=1)],
)
ALL = (*compare.WHEN_OVER, compare.drafts)


def found(truth=TRUTH, book=BOOK):
    return compare.differences(ALL, truth, book)


def kinds(**changes):
    return [difference.kind for difference in found(book=replace(BOOK, **changes))]


def test_the_same_seed_tells_the_same_story_and_another_one_another():
    assert plan(7, 2) == plan(7, 2)
    assert plan(7, 2) != plan(8, 2)
    assert plan(7, 2) != plan(7, 3)


def test_a_round_is_in_order_and_within_its_time():
    for number in range(50):
        acts = plan(1, number)
        assert [act.at_s for act in acts] == sorted(act.at_s for act in acts)
        assert 0 <= acts[0].at_s <= acts[-1].at_s <= LASTS_S
        assert sum(act.verb == "freeze" for act in acts) == sum(act.verb == "thaw" for act in acts)


def test_every_process_is_killed_and_frozen_sooner_or_later():
    acts = [act for number in range(20) for act in plan(1, number)]
    assert {act.name for act in acts if act.verb == "kill"} == set(KILLED)
    assert {act.name for act in acts if act.verb == "freeze"} == set(FROZEN)


def test_the_simulator_understands_every_script():
    scripts = [act.script for number in range(50) for act in plan(1, number) if act.script]
    assert len(scripts) > 400
    for script in scripts:
        Faults().add(script)


def test_books_that_agree_have_no_differences():
    assert found() == []


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"state": "sending"}, "stuck"),
        ({"state": "failed"}, "wrong"),
        ({"state": "expired"}, "wrong"),
        ({"state": "unknown"}, None),
        ({"state": "timed_out"}, None),
    ],
)
def test_what_a_command_says_is_held_against_its_effect(row, kind):
    assert kinds(commands=[COMMAND | row]) == ([kind] if kind else [])


def test_a_command_that_had_two_effects_is_doubled():
    twice = replace(TRUTH, commands=[{"command_id": "start", "took_effect": True}] * 2)

    assert [difference.kind for difference in found(twice)] == ["doubled"]


@pytest.mark.parametrize("state", ["accepted", "confirmed", "timed_out"])
def test_an_accepted_command_without_an_effect_is_lost(state):
    idle = replace(TRUTH, commands=[])

    differences = found(idle, replace(BOOK, commands=[COMMAND | {"state": state}]))

    assert [difference.kind for difference in differences] == ["lost"]


def test_a_call_that_is_over_confirms_a_hangup_that_came_second():
    idle = replace(TRUTH, commands=[])

    assert found(idle, replace(BOOK, commands=[COMMAND | HUNG_UP])) == []


def test_an_effect_that_nobody_asked_for_and_a_press_without_a_command_are_seen():
    assert kinds(commands=[]) == ["wrong", "lost"]


def test_a_press_that_joined_or_was_not_answered_leaves_no_command_of_its_own():
    presses = [Press("other", "hangup", 200, has_joined=True), Press("third", "hangup", 409)]

    assert kinds(presses=presses) == []


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ({}, "lost"),
        ({"e1": EVENT | {"state": "pending"}}, "stuck"),
        ({"e1": EVENT | {"state": "dead"}}, "wrong"),
    ],
)
def test_an_acknowledged_webhook_has_to_be_applied(events, kind):
    assert kinds(events=events) == [kind]


def test_a_webhook_that_was_never_acknowledged_is_lost_and_says_what_was_answered():
    refused = [TRUTH.webhooks[0] | {"status": 503}, TRUTH.webhooks[0]]

    (difference,) = found(replace(TRUTH, webhooks=refused), replace(BOOK, events={}))

    assert difference.kind == "lost"
    assert "503, timed out" in difference.text


def test_a_call_is_compared_word_by_word():
    assert kinds(calls={}) == ["lost"]
    assert kinds(calls={"leg": CALL | {"line": "ended", "sound": "playing"}}) == ["wrong"] * 2


def test_only_a_command_in_doubt_excuses_a_recording_in_doubt():
    doubt = {"leg": CALL | {"recording": "doubt"}}

    assert kinds(calls=doubt) == ["wrong"]
    assert kinds(calls=doubt, commands=[COMMAND | {"state": "unknown"}]) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"recordings": []}, "lost"),
        ({"recordings": [RECORDING | {"state": "fetching"}]}, "stuck"),
        ({"recordings": [RECORDING | {"state": "failed"}]}, "lost"),
        ({"recordings": [RECORDING | {"state": "failed", "reason": "Gone."}]}, None),
        ({"recordings": [RECORDING | {"sha256": "b" * 64}]}, "wrong"),
        ({"recordings": [RECORDING, RECORDING | {"recording_id": "more"}]}, "doubled"),
        ({"files": {}}, "lost"),
        ({"files": {PLACE: File(999, FILE.sha256)}}, "lost"),
        ({"drafts": ["1.1.part"]}, "stuck"),
    ],
)
def test_recordings_are_compared_byte_by_byte(changes, kind):
    assert kinds(**changes) == ([kind] if kind else [])


def test_a_recording_that_telnyx_has_not_finished_is_awaited():
    call = TRUTH.calls[0] | {"recordings": [{"id": "file", "state": "stopped"}]}

    assert [each.kind for each in found(replace(TRUTH, calls=[call]))] == ["stuck"]


def test_the_command_fails_and_names_the_first_differences(monkeypatch, capsys):
    figures = {
        "seed": 3,
        "rounds": 1,
        "kills": {"web": 2},
        "freezes": {},
        "faults": {"routes: drop": 1},
        "counts": {"calls": 12, "command failed": 1},
        "agreed_s": 1.5,
        "differences": {"lost": 1, "doubled": 0, "wrong": 0, "stuck": 0},
        "first": ["lost: call 1 is not in the database"],
    }
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(trial, "run", lambda seconds, seed, say: figures)

    with pytest.raises(CommandError, match="disagree"):
        call_command("torture", "--minutes", "0.1")

    said = capsys.readouterr().out
    assert "lost: call 1 is not in the database" in said
    assert "kill -9 web" in said


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_desk_that_loses_a_call_is_found_out():
    """A real desk, without blows: first its books agree, then a row is taken away."""
    with Stage() as stage:
        desk = trial.Trial(stage, 1)
        desk.caller.place()
        now = trial.Round(desk.caller.sessions, [])
        desk.settle(now, compare.WHILE_LIVE, 5)
        assert desk.differences == []
        (leg,) = desk.desk.database.rows("SELECT call_leg_id FROM calls_call LIMIT 1")
        for table in ("calls_call", "calls_webhookevent"):
            desk.desk.database.rows(f"DELETE FROM {table} WHERE call_leg_id = '{leg[0]}'")

        desk.settle(now, compare.WHILE_LIVE, 0)

    assert {difference.kind for difference in desk.differences} == {"lost"}
    assert f"call {leg[0]} is not in the database" in [each.text for each in desk.differences]
