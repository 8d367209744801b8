"""Random legal histories of one conversation: what Telnyx tells, what was commanded, what is true.

    events, commands, truth = history(seed, max_events=7)

Legal: every command was accepted and is documented to work in that state. A history may stop
anywhere; the truth is that of its last moment. Left out, because Telnyx does not say how they
behave: overlays, a second recording on a leg, max_length, legs that stay when their bridge ends.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from simulator import calling, sounds
from simulator.answers import Json
from simulator.clips import Clip
from simulator.legs import Event, Leg
from simulator.world import World

BEGIN = datetime(2026, 3, 2, 15, 4, 5, 480_000, tzinfo=UTC)
WAITS_S = (0.0, 0.3, 0.3, 1.5, 4.0, 12.0, 40.0)
MAX_STEPS = 200
BROKEN_OFF = 0.5  # the share of histories that stop somewhere in the middle
DELIVERED_TO = "https://desk.example.test/webhooks/telnyx"
FOUND = Clip("fetched", "history", 2_500)


class CommandFact(NamedTuple):
    """A command that took effect; `order` counts all of a history's commands."""

    order: int
    action: str
    call_control_id: str
    call_leg_id: str
    command_id: str
    accepted_at: datetime
    body: Json


class History(NamedTuple):
    """Webhook bodies in their true order, the commands behind them, the truth at the end."""

    events: list[Json]
    commands: list[CommandFact]
    truth: list[Json]


def history(seed: int, max_events: int = 30) -> History:
    """Return a random history of at most so many events; equal seeds give equal histories."""
    writer = _Writer(seed)
    if writer.chance.random() < BROKEN_OFF:
        max_events = writer.chance.randint(1, max_events)
    kept = writer.snapshot()
    for _ in range(MAX_STEPS):
        writer.step()
        if len(writer.events) > max_events:
            break
        kept = writer.snapshot()
        if len(writer.events) == max_events or writer.is_over():
            break
    return kept


class _Writer:
    """Takes one random step after the other in a world of its own."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.chance = random.Random(seed)  # noqa: S311
        self.now = BEGIN
        self.events: list[Event] = []
        self.commands: list[CommandFact] = []
        self.customer = self._first_leg()
        self.agent: Leg | None = None
        self._collect()

    def snapshot(self) -> History:
        """Return the history so far."""
        bodies = [event.body(delivered_to=DELIVERED_TO) for event in self.events]
        return History(bodies, list(self.commands), self.world.truth(self.now))

    def step(self) -> None:
        """Let some time pass and something happen."""
        self.now += timedelta(seconds=self.chance.choice(WAITS_S))
        self.world.settle(self.now)
        choices = self.choices()
        if choices:
            self.chance.choice(choices)()
        self._collect()

    def is_over(self) -> bool:
        """Return whether nothing more can happen."""
        return not self.choices() and self.world.next_due() is None

    def choices(self) -> list[Callable[[], object]]:
        """Return what can happen next, more likely things several times."""
        legs = [leg for leg in (self.customer, self.agent) if leg and leg.is_live]
        found: list[Callable[[], object]] = []
        for leg in legs:
            if leg.answered_at:
                found += 2 * self._on_the_line(leg) + self._recording(leg)
            else:
                found += 4 * self._ringing(leg)
        if self.agent is None and self.customer.answered_at and self.customer.is_live:
            found += 3 * [self._call_agent]
        return found

    def _first_leg(self) -> Leg:
        if self.chance.random() < 0.7:
            return calling.ring_in(
                self.world, "+13125550142", "+18005550101", self.now, name="NINA WEBER"
            )
        return calling.ring_out(self.world, "+18005550101", "+13125550142", "customer", self.now)

    def _ringing(self, leg: Leg) -> list[Callable[[], object]]:
        found: list[Callable[[], object]] = [lambda: self._pick_up(leg)] * 4
        if leg.direction == "incoming":
            found += [lambda: self._command(leg, "answer")] * 4
            found.append(lambda: self._command(leg, "reject", cause="USER_BUSY"))
        found.append(lambda: calling.give_up(self.world, leg, self.now, "originator_cancel"))
        return found

    def _on_the_line(self, leg: Leg) -> list[Callable[[], object]]:
        found: list[Callable[[], object]] = [
            lambda: self.world.say(leg, "I would like to ask about my order.", self.now),
            lambda: calling.press(self.world, leg, self.chance.choice("0123456789#*"), self.now),
            lambda: self._command(leg, "speak", payload="One moment, please.", voice="male"),
            lambda: self._command(leg, "speak", payload="Sorry.", voice="male", stop="all"),
            lambda: self._command(leg, "playback_start", media_name="apology", loop=2),
            lambda: self._command(leg, "playback_start", media_name="hold-music", loop="infinity"),
            lambda: self._command(leg, "playback_start", media_name="no-such-file"),
            self._fetched_playback(leg),
            lambda: self._command(leg, "playback_stop"),
            lambda: self._command(leg, "playback_stop", stop="current"),
        ]
        if not leg.transcribing:
            both = {"transcription_tracks": "both"}
            found.append(lambda: self._command(leg, "transcription_start", **both))
        if leg.line == "bridged":
            found.append(lambda: calling.hold(self.world, leg, self.now))
        if leg.line == "held":
            found += [lambda: calling.unhold(self.world, leg, self.now)] * 3
        if self.chance.random() < 0.4:
            found.append(lambda: self._command(leg, "hangup"))
            found.append(lambda: self._leave(leg))
        return found

    def _recording(self, leg: Leg) -> list[Callable[[], object]]:
        flows = leg.audio_at is not None and self.now >= leg.audio_at
        wish = {"format": "wav", "channels": "dual", "transcription": self.chance.random() < 0.5}
        legal: dict[str, list[Callable[[], object]]] = {
            "off": [lambda: self._command(leg, "record_start", **wish)] * 4 if flows else [],
            "on": [
                *[lambda: self._command(leg, "record_pause")] * 4,
                lambda: self._command(leg, "record_stop"),
            ],
            "paused": [
                *[lambda: self._command(leg, "record_resume")] * 4,
                lambda: self._command(leg, "record_stop"),
            ],
        }
        return legal[leg.recording]

    def _pick_up(self, leg: Leg) -> None:
        calling.pick_up(self.world, leg, self.now)
        if leg is self.agent:
            calling.connect(self.world, self.customer, leg, self.now)

    def _call_agent(self) -> None:
        self.agent = calling.ring_out(
            self.world,
            "+18005550101",
            "sip:agent17@example-cc.sip.telnyx.com",
            "agent",
            self.now,
            call_session_id=self.customer.call_session_id,
        )

    def _leave(self, leg: Leg) -> None:
        calling.end(self.world, leg, self.now, "normal_clearing", calling.far_side(leg))

    def _fetched_playback(self, leg: Leg) -> Callable[[], object]:
        url = "https://media.example.test/notice.mp3"

        def play() -> None:
            self._command(leg, "playback_start", audio_url=url)
            clip = FOUND if self.chance.random() < 0.7 else sounds.NOT_FOUND
            for waiting, sound in self.world.wanted:
                sounds.supply(self.world, waiting, sound, clip, self.now)
            self.world.wanted.clear()

        return play

    def _command(self, leg: Leg, action: str, **fields: Any) -> None:
        body = {"command_id": self.world.new_id(), **fields}
        answer = self.world.command(action, leg.call_control_id, body, self.now)
        if not answer.took_effect:
            raise RuntimeError(f"{action} in a legal history was answered {answer}")
        self.commands.append(
            CommandFact(
                len(self.commands),
                action,
                leg.call_control_id,
                leg.call_leg_id,
                body["command_id"],
                self.now,
                body,
            )
        )

    def _collect(self) -> None:
        self.events += self.world.advance(self.now)
