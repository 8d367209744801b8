"""A world of calls: commands go in, events come out, and the truth can be asked for at any time.

    command(...) -> Answer    advance(now) -> events    next_due()    truth()

Pure and seeded: `now` is passed in, nothing is read from outside.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from simulator import calling, captions, checks, dialling, scripts, sounds, tape
from simulator.answers import Answer, Json, Refused, ignored, refused
from simulator.core import Core
from simulator.legs import Leg, Noise, stamp
from simulator.scripts import Line

Action = Callable[[Core, Leg, Json, datetime], Answer]

ACTIONS: dict[str, Action] = {
    "answer": calling.answer,
    "hangup": calling.hangup,
    "reject": calling.reject,
    "bridge": calling.bridge,
    "transfer": dialling.transfer,
    "playback_start": sounds.playback_start,
    "playback_stop": sounds.playback_stop,
    "speak": sounds.speak,
    "record_start": tape.record_start,
    "record_stop": tape.record_stop,
    "record_pause": tape.record_pause,
    "record_resume": tape.record_resume,
    "transcription_start": captions.start,
    "transcription_stop": captions.stop,
    "send_dtmf": calling.send_dtmf,
    "client_state_update": calling.client_state_update,
    "switch_supervisor_role": calling.switch_supervisor_role,
}
BEFORE_ANSWER = {"answer", "hangup", "reject", "client_state_update"}
DEDUP_WINDOW = timedelta(seconds=60)  # Telnyx ignores a command_id that it has seen on the leg
KNOWN_AFTER_END = timedelta(minutes=10)  # how long GET /calls/{id} remembers


class World(Core):
    """The calls of one account."""

    def __init__(self, seed: int = 0, **options: Any) -> None:
        super().__init__(seed, **options)
        self.on_dial: Callable[[Leg], None] | None = None  # who speaks for the people we dial
        self._dials: dict[str, tuple[datetime, Answer]] = {}

    # commands

    def command(self, action: str, call_control_id: str, body: Json, now: datetime) -> Answer:
        """Carry out one call action, and answer as Telnyx would."""
        now, body = self.settle(now), _given(body)
        try:
            return self._act(action, call_control_id, body, now)
        except Refused as refusal:
            return refusal.answer

    def dial(self, body: Json, now: datetime) -> Answer:
        """Call a number; a command_id seen before gets the answer it got then."""
        now, body = self.settle(now), _given(body)
        command_id = body.get("command_id")
        if isinstance(command_id, str) and command_id in self._dials:
            at, answer = self._dials[command_id]
            if now - at < DEDUP_WINDOW:
                return answer._replace(took_effect=False)
        try:
            checks.check("dial", body)
            answer = dialling.dial(self, body, now)
        except Refused as refusal:
            return refusal.answer
        if command_id:
            self._dials[command_id] = (now, answer)
        if self.on_dial and answer.body:
            self.on_dial(self.legs[answer.body["data"]["call_control_id"]])
        return answer

    def _act(self, action: str, call_control_id: str, body: Json, now: datetime) -> Answer:
        if action not in ACTIONS:
            raise refused(404, "10005", f"There is no action {action!r}.")
        leg = self.legs.get(call_control_id)
        if leg is None:
            raise refused(422, "90015", "The call control id is unknown.")
        command_id = body.get("command_id")
        seen_at = leg.command_ids.get(command_id) if isinstance(command_id, str) else None
        if seen_at and now - seen_at < DEDUP_WINDOW:
            return ignored()  # assumed: a repeat looks accepted
        checks.check(action, body)
        if not leg.is_live:
            raise refused(422, "90018", "This call is no longer active and cannot take commands.")
        if not leg.answered_at and action not in BEFORE_ANSWER:
            raise refused(422, "90034", "This call cannot take the command before it is answered.")
        before = leg.client_state
        leg.client_state = body.get("client_state") or before
        try:
            answer = ACTIONS[action](self, leg, body, now)
        except Refused:
            leg.client_state = before
            raise
        if command_id:  # a refused command may come again with the same id
            leg.command_ids[command_id] = now
        return answer

    # what is said is captioned

    def on_words(self, noise: Noise) -> None:
        """Caption a noise where somebody asked for it."""
        captions.follow(self, noise)

    def on_hush(self, noise: Noise, at: datetime) -> None:
        """Tell what was said up to the cut."""
        captions.finish(self, noise, at)

    # what happens without commands

    def place_call(
        self, from_: str, to: str, now: datetime, *, agent: str = "", talk: bool = False
    ) -> tuple[Leg, Leg]:
        """Place an answered and bridged call, audio flowing: a customer's and an agent's leg."""
        now = self.settle(now)
        name = scripts.caller_name(self.chance)
        customer = calling.ring_in(self, from_, to, now, name=name)
        calling.pick_up(self, customer, now, audio_delay_s=0)
        seat = agent or f"sip:agent{self.chance.randrange(10, 99)}@example-cc.sip.telnyx.com"
        leg = calling.ring_out(
            self, to, seat, "agent", now, call_session_id=customer.call_session_id
        )
        calling.pick_up(self, leg, now, audio_delay_s=0)
        calling.connect(self, customer, leg, now)
        if talk:
            self.converse(customer, scripts.endless(self.chance, name), now)
        return customer, leg

    def say_as(self, leg: Leg, party: str, text: str, now: datetime) -> Noise | None:
        """Let a party of a leg's session speak now; None if it is not on the line."""
        now = self.settle(now)
        speaker = self.party(leg, party)
        if speaker is None or not speaker.answered_at:
            return None
        return self.say(speaker, text, now)

    def converse(
        self,
        leg: Leg,
        script: Iterator[Line],
        at: datetime,
        *,
        done: Callable[[datetime], object] | None = None,
    ) -> None:
        """Let the parties of a session speak a script line by line; on hold they wait."""

        def next_line(at: datetime) -> None:
            if not leg.is_live:
                return
            if leg.is_held:
                self.later(at, 0.5, next_line)
                return
            line = next(script, None)
            if line is None:
                if done:
                    done(at)
                return
            speaker = self.party(leg, line.party)
            if speaker and speaker.answered_at:
                noise = self.say(speaker, line.text, at)
                self.later(noise.end, line.gap_s, next_line)

        self.at(at, next_line)

    # reading

    def status(self, call_control_id: str, now: datetime) -> Json | None:
        """Return what GET /calls/{id} tells; None when the call is not known (any more)."""
        leg = self.legs.get(call_control_id)
        if leg is None or (leg.ended_at and now - leg.ended_at > KNOWN_AFTER_END):
            return None
        return call_row(leg, now)

    def live_legs(self) -> list[Leg]:
        """Return the legs that have not ended, oldest first."""
        return [leg for leg in self.legs.values() if leg.is_live]

    def truth(self, now: datetime | None = None) -> list[Json]:
        """Return the true state of every leg and recording."""
        return [leg_truth(leg, now or self.clock) for leg in self.legs.values()]


def _given(body: Json) -> Json:
    """Return a body without its nulls: a field that is null counts as left out."""
    return {key: value for key, value in body.items() if value is not None}


def call_row(leg: Leg, now: datetime) -> Json:
    """Return a leg as the Call resource of Telnyx's API."""
    row: Json = {
        "record_type": "call",
        **leg.ids(),
        "client_state": leg.client_state or "",
        "call_duration": int(((leg.ended_at or now) - leg.start_time).total_seconds()),
        "is_alive": leg.is_live,
        "start_time": stamp(leg.start_time),
    }
    if leg.ended_at:
        row["end_time"] = stamp(leg.ended_at)
    return row


def leg_truth(leg: Leg, now: datetime) -> Json:
    """Return everything true about a leg."""
    return {
        **leg.ids(),
        "connection_id": leg.connection_id,
        "direction": leg.direction,
        "party": leg.party,
        **leg.ends(),
        "line": leg.line,
        "recording": leg.recording,
        "sound": leg.sound,
        "peer": leg.peer.call_control_id if leg.peer else None,
        "supervises": leg.supervises.call_control_id if leg.supervises else None,
        "supervisor_role": leg.supervisor_role,
        "client_state": leg.client_state,
        "transcribing": leg.transcribing is not None,
        "started_at": stamp(leg.start_time),
        "answered_at": stamp(leg.answered_at) if leg.answered_at else None,
        "ended_at": stamp(leg.ended_at) if leg.ended_at else None,
        "hangup_cause": leg.hangup_cause,
        "recordings": [tape.truth(recording, now) for recording in leg.recordings],
    }
