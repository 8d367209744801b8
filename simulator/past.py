"""The days before the demo: calls that were recorded and are over, for a desk to find and import.

Nobody was told of them: their events are dropped, as if no desk had been there yet.
"""

import random
from datetime import datetime, timedelta
from functools import partial

from simulator import calling, scripts, tape
from simulator.demo import OWN_NUMBERS
from simulator.world import World

CALLS = 24
DAYS = 5
REGULARS = 9  # callers; who calls the desk has often called before
ENDED = timedelta(minutes=30)  # the last of them, before the demo begins


def live_through(world: World, now: datetime, *, calls: int = CALLS) -> None:
    """Let some days of recorded calls pass, up to a while ago."""
    chance = random.Random(world.chance.getrandbits(64))  # noqa: S311  (a seeded world)
    people = [
        (scripts.caller_number(chance), scripts.caller_name(chance)) for _ in range(REGULARS)
    ]
    last = now - ENDED
    moments = sorted(last - timedelta(days=chance.uniform(0, DAYS)) for _ in range(calls))
    for moment in moments:
        world.at(moment, partial(_talk, world, chance, *chance.choice(people)))
    world.advance(now - timedelta(seconds=1))


def _talk(world: World, chance: random.Random, number: str, name: str, at: datetime) -> None:
    """Place a call that is recorded from the start and ends with the conversation."""
    leg, _ = world.place_call(number, chance.choice(OWN_NUMBERS), at)
    kind = {"format": world.formats[0], "channels": "dual", "transcription": True}
    tape.begin(world, leg, kind, at)
    subject = chance.choice(sorted(scripts.SCENARIOS))
    script = scripts.conversation(chance, subject, name)
    world.converse(leg, script, at, done=lambda end: _hang_up(world, leg.call_control_id, end))


def _hang_up(world: World, call_control_id: str, at: datetime) -> None:
    leg = world.legs[call_control_id]
    calling.end(world, leg, at, "normal_clearing", calling.far_side(leg))
