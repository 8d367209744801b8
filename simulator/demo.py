"""The demo's contact centre: about five calls at any time, with a beginning, a talk, an end.

An imagined call-flow application answers what comes in and finds an agent; nobody else has to.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from simulator import calling, dialling, scripts
from simulator.legs import Leg
from simulator.scripts import Line
from simulator.world import World

LIVE_CALLS = 5
OWN_NUMBERS = ("+18005550101", "+18005550102", "+18005550103")
TAGS = {"+18005550101": ["support"], "+18005550102": ["billing"], "+18005550103": ["sales"]}
LONGEST = timedelta(minutes=6)
OUTGOING = 0.15  # the share of calls that the centre makes itself
UNANSWERED = 0.05  # callers who hang up before an agent comes
ON_HOLD = 0.3


class Centre:
    """Keeps calls coming into a world."""

    def __init__(self, world: World, live_calls: int = LIVE_CALLS) -> None:
        self.world = world
        self.live_calls = live_calls
        # its own chance: how many commands others give must not change who calls
        self.chance = random.Random(world.chance.getrandbits(64))  # noqa: S311

    def open(self, now: datetime) -> None:
        """Let the first calls come in; each is followed by another when it ends."""
        self.world.on_dial = self._expect
        for number in range(self.live_calls):
            wait = number * 4.0 + self.chance.uniform(0.2, 2.0)
            self.world.later(now, wait, self._next_call)

    def _next_call(self, at: datetime) -> None:
        if self.chance.random() < OUTGOING:
            self._call_out(at)
        else:
            self._call_in(at)

    def _call_in(self, at: datetime) -> None:
        """A customer calls, is answered, presses a key, waits for an agent."""
        world, chance = self.world, self.chance
        own = chance.choice(OWN_NUMBERS)
        name = scripts.caller_name(chance)
        number = scripts.caller_number(chance)
        leg = calling.ring_in(world, number, own, at, name=name, tags=TAGS[own])
        self._follow_up(leg)
        answered = chance.uniform(0.4, 1.2)
        world.later(at, answered, lambda then: calling.pick_up(world, leg, then))
        key = chance.choice("1234")
        world.later(at, answered + 2.5, lambda then: calling.press(world, leg, key, then))
        if chance.random() < UNANSWERED:
            patience = chance.uniform(8, 20)
            world.later(at, patience, lambda then: self._leave(leg, then))
        else:
            world.later(at, answered + 3.5, lambda then: self._find_agent(leg, own, name, then))

    def _find_agent(self, customer: Leg, own: str, name: str, at: datetime) -> None:
        if not customer.is_live:
            return
        world = self.world
        seat = f"sip:agent{self.chance.randrange(10, 40)}@example-cc.sip.telnyx.com"
        session = customer.call_session_id
        agent = calling.ring_out(world, own, seat, "agent", at, call_session_id=session)
        agent.on_answer.append(lambda then: self._meet(customer, agent, name, then))
        ring_s = self.chance.uniform(2, 6)
        world.later(at, ring_s, lambda then: calling.pick_up(world, agent, then))

    def _call_out(self, at: datetime) -> None:
        """An agent calls a customer back."""
        world, chance = self.world, self.chance
        own, name = chance.choice(OWN_NUMBERS), scripts.caller_name(chance)
        number = scripts.caller_number(chance)
        leg = calling.ring_out(world, own, number, "customer", at, tags=TAGS[own])
        self._follow_up(leg)
        if chance.random() < 2 * UNANSWERED:
            world.later(at, 20, lambda then: calling.give_up(world, leg, then, "no_answer"))
            return
        leg.on_answer.append(
            lambda then: world.later(
                then, 1.0, lambda found: dialling.detect(world, leg, dialling.MACHINE, found)
            )
        )
        leg.on_answer.append(lambda then: self._find_agent(leg, own, name, then))
        world.later(at, chance.uniform(4, 9), lambda then: calling.pick_up(world, leg, then))

    def _meet(self, customer: Leg, agent: Leg, name: str, at: datetime) -> None:
        """Customer and agent talk, perhaps with a wait in the middle, and hang up."""
        world, chance = self.world, self.chance
        calling.connect(world, customer, agent, at)
        script = self._script(name)
        started = at + timedelta(seconds=0.8)
        world.converse(customer, script, started, done=lambda then: self._leave(customer, then))
        world.at(at + LONGEST, lambda then: self._leave(customer, then))
        if chance.random() < ON_HOLD:
            begin, length = chance.uniform(20, 50), chance.uniform(8, 20)
            world.later(at, begin, lambda then: calling.hold(world, customer, then))
            world.later(at, begin + length, lambda then: calling.unhold(world, customer, then))

    def _expect(self, leg: Leg) -> None:
        """Let somebody whom others call say a few words."""
        if leg.party == "customer":
            script = scripts.monologue(self.chance, scripts.caller_name(self.chance))
            leg.on_answer.append(lambda at: self.world.converse(leg, script, at))

    def _script(self, name: str) -> Iterator[Line]:
        """Yield one conversation, or two or three about different things."""
        subjects = self.chance.sample(sorted(scripts.SCENARIOS), self.chance.choice((1, 1, 2, 3)))
        for subject in subjects:
            yield from scripts.conversation(self.chance, subject, name)

    def _leave(self, leg: Leg, at: datetime) -> None:
        calling.end(self.world, leg, at, "normal_clearing", calling.far_side(leg))

    def _follow_up(self, leg: Leg) -> None:
        """Let another call come a few seconds after this one has ended."""
        wait = self.chance.uniform(2, 12)
        leg.on_end.append(lambda at: self.world.later(at, wait, self._next_call))
