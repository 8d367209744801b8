"""What happens in a round, and when: drawn from the seed alone, so that a run can be told again.

Draws are kept in the acts: which call a press means depends on the calls there are by then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

LASTS_S = 15.0
CALLS = 6  # placed in a round, each with two legs
CALLER, SABOTEUR = "caller", "saboteur"
SUPERVISORS = ("first supervisor", "second supervisor")
KILLED = ("web", "worker", "media", "pump", "broker")
FROZEN = ("worker", "media", "pump", "broker")
CAUGHT_AT_WORK = 0.6  # of a round: a slow download has begun by then

Rule = dict[str, Any]
ROUTES: Sequence[Rule] = (
    {"do": "apply_then_drop"},
    {"do": "apply_then_status", "status": 502},
    {"do": "apply_then_delay", "seconds": 2.5},
    {"do": "delay", "seconds": 2.5},
    {"do": "drop"},
    {"do": "status", "status": 500},
    {"do": "status", "status": 429, "headers": {"retry-after": "1"}},
)
DELIVERIES: Sequence[Rule] = (
    {"do": "duplicate", "copies": 3},
    {"do": "delay", "seconds": 3},
    {"do": "reorder"},
)
DOWNLOADS: Sequence[Rule] = (
    {"do": "truncate"},
    {"do": "html"},
    {"do": "expire"},
    {"do": "status", "status": 503},
    {"do": "slow", "seconds": 4},
    {"do": "no_length"},
)


@dataclass(frozen=True)
class Act:
    """One thing that somebody does at some moment of a round."""

    at_s: float
    hand: str
    verb: str
    name: str = ""  # of a process
    draws: tuple[float, ...] = ()
    script: dict[str, list[Rule]] | None = None


def plan(seed: int, number: int) -> list[Act]:
    """Return the acts of a round in their order."""
    chance = Random(f"{seed} {number}")  # noqa: S311  (a schedule, no secret)
    acts = [*_calls(chance), *_presses(chance), *_scripts(chance), *_blows(chance)]
    return sorted(acts, key=lambda act: (act.at_s, act.hand))


def _draws(chance: Random) -> tuple[float, ...]:
    return tuple(chance.random() for _ in range(4))


def _calls(chance: Random) -> Iterator[Act]:
    for number in range(CALLS):
        at_s = 0.0 if number < 2 else chance.uniform(0, LASTS_S / 2)
        yield Act(at_s, CALLER, "place", draws=_draws(chance))
    for verb, times in (("say", 10), ("hold", 2), ("unhold", 2), ("dtmf", 2), ("hangup", 1)):
        for _ in range(times):
            yield Act(chance.uniform(1, LASTS_S), CALLER, verb, draws=_draws(chance))


def _presses(chance: Random) -> Iterator[Act]:
    for supervisor in SUPERVISORS:
        at_s = chance.uniform(0.5, 1.5)
        while at_s < LASTS_S:
            yield Act(at_s, supervisor, "press", draws=_draws(chance))
            at_s += chance.uniform(0.2, 0.8)


def _scripts(chance: Random) -> Iterator[Act]:
    for kind, rules, count in (
        ("routes", ROUTES, 4),
        ("deliveries", DELIVERIES, 3),
        ("downloads", DOWNLOADS, 2),
    ):
        for rule in chance.sample(rules, count):
            script = {kind: [rule | {"times": chance.randint(1, 3)}]}
            yield Act(chance.uniform(0, LASTS_S * 0.8), SABOTEUR, "script", script=script)
    at_s = chance.uniform(1, LASTS_S - 4)
    yield Act(at_s, SABOTEUR, "hurry")  # answers come too late for Telnyx, which tells again
    yield Act(at_s + chance.uniform(0.5, 2), SABOTEUR, "wait")


def _blows(chance: Random) -> Iterator[Act]:
    for name in chance.sample(KILLED, 4):
        late = CAUGHT_AT_WORK if name == "media" else 0.1
        at_s = chance.uniform(LASTS_S * late, LASTS_S)
        yield Act(at_s, SABOTEUR, "kill", name, _draws(chance))
    for name in chance.sample(FROZEN, 2):
        at_s = chance.uniform(0.5, LASTS_S - 5)
        yield Act(at_s, SABOTEUR, "freeze", name)
        yield Act(at_s + chance.uniform(1, 4), SABOTEUR, "thaw", name)
