"""The torture of the guards: one round for real, and a judge who sees what is wrong."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from dashboard.torture import guards
from dashboard.torture.guards import Marks, Paused, Rounds

DEADLINE = 1_772_460_200.0
BACK = DEADLINE + 5
PAUSED = Paused("forgotten", "v3:call", "0" * 32, DEADLINE)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are told by /proc")
def test_a_round_in_the_dark():
    told = guards.run(1, 3, lambda line: None)

    assert told["first"] == []
    assert sorted(told["kills"]) == ["broker", "media", "pump", "web", "worker"]
    assert told["forgotten"] == 2
    assert "forgotten pauses that the desk resumed" in "\n".join(guards.lines(told))


def judged(paused, *, ending, at_s=(), late=(0, ""), told_first=False, took_effect=True):
    """Return the problems that are seen in these books."""
    rounds = object.__new__(Rounds)
    rounds.marks = Marks(rounds=1)
    commands = [
        {
            "call_control_id": paused.control_id,
            "action": "record_resume",
            "took_effect": took_effect,
            "at": datetime.fromtimestamp(DEADLINE + each_s, UTC).isoformat(),
        }
        for each_s in at_s
    ]

    rounds.fleet = SimpleNamespace(
        lever=lambda method, path: {"commands": commands},
        database=SimpleNamespace(rows=lambda sql: [(ending, *late, told_first)]),
    )
    rounds.cell = lambda *args: ending
    rounds.judge(paused, BACK)
    return rounds.marks.problems


LATE = (6000, "No pump was at work.")


@pytest.mark.parametrize(
    ("role", "books", "problem"),
    [
        ("forgotten", {"ending": "guard", "at_s": [6], "late": LATE}, None),
        ("forgotten", {"ending": "guard", "at_s": [6]}, "6.0 s late, and does not say so"),
        (
            "forgotten",
            {"ending": "guard", "at_s": [9], "late": LATE},
            "resumed 4.0 s after all were back",
        ),
        ("forgotten", {"ending": "guard", "at_s": [-1]}, "resumed 1.00 s too early"),
        ("forgotten", {"ending": "guard", "at_s": []}, "resumed 0 times"),
        ("forgotten", {"ending": "guard", "at_s": [6, 7], "late": LATE}, "resumed 2 times"),
        ("forgotten", {"ending": "unknown", "at_s": [1]}, "ended unknown, not guard"),
        ("resumed", {"ending": "person", "at_s": [-6]}, None),
        ("resumed", {"ending": "person", "at_s": [-6, 1]}, "resumed 2 times"),
        ("hung up", {"ending": "call"}, None),
        ("hung up", {"ending": "recording", "told_first": True}, None),
        ("hung up", {"ending": "recording"}, "ended recording, not call"),
        (
            "forgotten",
            {"ending": "recording", "told_first": True, "at_s": [1]},
            "ended recording, not guard",
        ),
        (
            "hung up",
            {"ending": "call", "at_s": [1], "took_effect": False},
            "asked to resume a call that had ended",
        ),
    ],
)
def test_the_judge_sees_what_is_wrong(role, books, problem):
    problems = judged(replace(PAUSED, role=role), **books)

    assert [text.partition(", ")[2].partition(": ")[2] for text in problems] == (
        [problem] if problem else []
    )


def test_no_rounds_are_refused():
    with pytest.raises(CommandError, match="--rounds must be more than nothing"):
        call_command("torture", "--guard", "--rounds", "0")
