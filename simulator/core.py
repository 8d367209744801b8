"""The ground a world stands on: seeded chance, a schedule, events, noises.

    at(when, act) -> schedule --advance(now)--> act(when) -> emit(...) -> advance's answer

No wall clock, no I/O, no module state: equal seeds and calls give equal events, to the byte.
"""

import base64
import heapq
import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from simulator.answers import Json, refused
from simulator.clips import Clip, Estimator, Sounds
from simulator.legs import FOREVER, Event, Leg, Noise, Recording, Sound, Track, Transcript
from simulator.settings import Settings

Act = Callable[[datetime], object]
Link = Callable[[Recording, str, datetime], str]  # the download link of a recording in a format

CONNECTION_ID = "2684641123236054244"
SYSTEM = "system"  # the speaker of what is played or spoken by command
OMITTED = object()  # a payload's value that keeps its key out of the webhook
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENDED_LEGS_KEPT = 2_000  # a demo may run for weeks

VOICES = {
    "customer": ("en-us+f2", "en-us+m3", "en-gb+f4", "en-us+m7", "en-us+f5", "en-gb+m2"),
    "agent": ("en-us+f3", "en-us+m1", "en-gb+f1"),
    "supervisor": ("en-us+m4",),
}


def plain_link(recording: Recording, extension: str, at: datetime) -> str:
    """Return a link that leads nowhere; a running simulator has its own instead."""
    return f"http://127.0.0.1/telephony-recorder-prod/{recording.id}/{recording.name}.{extension}"


class Core:
    """Legs, their noises, a schedule, and the events that come out of it."""

    def __init__(
        self,
        seed: int = 0,
        *,
        sounds: Sounds | None = None,
        settings: Settings | None = None,
        link: Link = plain_link,
        formats: Sequence[str] = ("mp3", "wav"),
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311  a seeded world, not a secret
        self.sounds = sounds or Estimator()
        self.settings = settings or Settings()
        self.link = link
        self.formats = formats
        self.clock = EPOCH
        self.legs: dict[str, Leg] = {}  # by call_control_id, oldest first
        self.recordings: dict[str, Recording] = {}
        self.transcripts: dict[str, Transcript] = {}
        self.sessions: dict[str, list[Leg]] = {}
        self.supervisors: list[Leg] = []
        self.wanted: list[tuple[Leg, Sound]] = []  # sounds whose audio somebody has to fetch
        self._schedule: list[tuple[datetime, int, Act]] = []
        self._count = count()
        self._outbox: list[Event] = []

    # the clock

    def at(self, when: datetime, act: Act) -> None:
        """Let something happen at a moment; it gets that moment as its argument."""
        heapq.heappush(self._schedule, (when, next(self._count), act))

    def later(self, start: datetime, seconds: float, act: Act) -> None:
        """Let something happen some seconds after a moment."""
        self.at(start + timedelta(seconds=seconds), act)

    def settle(self, now: datetime) -> datetime:
        """Let everything happen that is due; return the time it is then, which never goes back."""
        while self._schedule and self._schedule[0][0] <= now:
            when, _, act = heapq.heappop(self._schedule)
            self.clock = max(self.clock, when)
            act(self.clock)
        self.clock = max(self.clock, now)
        return self.clock

    def advance(self, now: datetime) -> list[Event]:
        """Return the events up to now that were not returned before, in their order."""
        self.settle(now)
        events, self._outbox = self._outbox, []
        return events

    def next_due(self) -> datetime | None:
        """Return when something is to happen next, or None."""
        return self._schedule[0][0] if self._schedule else None

    # ids and legs

    def new_id(self) -> str:
        """Return a fresh UUID of this world."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def new_leg(
        self, direction: str, from_: str, to: str, party: str, at: datetime, **extra: Any
    ) -> Leg:
        """Create a ringing leg, in a session of its own unless a `call_session_id` is given."""
        token = base64.urlsafe_b64encode(self.chance.randbytes(40)).decode().rstrip("=")
        extra.setdefault("call_session_id", self.new_id())
        extra.setdefault("connection_id", CONNECTION_ID)
        leg = Leg(
            call_control_id=f"v3:{token}",
            call_leg_id=self.new_id(),
            direction="incoming" if direction == "incoming" else "outgoing",
            from_=from_,
            to=to,
            party=party,
            voice=self.chance.choice(VOICES[party]),
            start_time=at,
            **extra,
        )
        self.legs[leg.call_control_id] = leg
        self.sessions.setdefault(leg.call_session_id, []).append(leg)
        if leg.supervises:
            self.supervisors.append(leg)
        self._forget_old_legs()
        return leg

    def named(self, body: Json, field: str) -> Leg:
        """Return the leg whose token is in a body's field. Raises Refused if there is none."""
        leg = self.legs.get(str(body[field]))
        if leg is None:
            raise refused(422, "90015", f"{field} names no call.", pointer=f"/{field}")
        return leg

    def party(self, leg: Leg, party: str) -> Leg | None:
        """Return the live leg of a party that is on the line with a leg, or None."""
        for other in (leg, leg.peer, *self.sessions[leg.call_session_id]):
            if other and other.party == party and other.is_live:
                return other
        return None

    def _forget_old_legs(self) -> None:
        if len(self.legs) <= 2 * ENDED_LEGS_KEPT:
            return
        ended = [leg for leg in self.legs.values() if not leg.is_live][:ENDED_LEGS_KEPT]
        for leg in ended:
            del self.legs[leg.call_control_id]
            self.sessions[leg.call_session_id].remove(leg)
            if not self.sessions[leg.call_session_id]:
                del self.sessions[leg.call_session_id]
        self.supervisors = [leg for leg in self.supervisors if leg.is_live]

    # events

    def emit(self, leg: Leg, event_type: str, at: datetime, **payload: Any) -> None:
        """Tell an event of a leg, later by at least a microsecond than the leg's event before."""
        if leg.last_event_at and at <= leg.last_event_at:
            at = leg.last_event_at + MICROSECOND
        leg.last_event_at = at
        common = {
            **leg.ids(),
            "connection_id": leg.connection_id,
            "client_state": leg.client_state,
        }
        self._outbox.append(
            Event(
                self.new_id(),
                event_type,
                at,
                leg.call_leg_id,
                {key: value for key, value in (common | payload).items() if value is not OMITTED},
                leg.webhook_urls.get(event_type) or leg.webhook_url,
            )
        )

    # noises

    def say(self, leg: Leg, text: str, at: datetime) -> Noise:
        """Let a leg's party say something; whoever is connected hears it."""
        clip = self.sounds.speech(text, leg.voice)
        return self.sound_out(clip, leg.party, at, self._ears(leg))

    def sound_out(
        self,
        clip: Clip,
        speaker: str,
        at: datetime,
        ears: Sequence[tuple[Leg, Track]],
        *,
        loops: int | None = 1,
    ) -> Noise:
        """Let a clip sound from a moment on, at several ears."""
        lasts = FOREVER if loops is None else timedelta(milliseconds=clip.ms * loops)
        noise = Noise(clip, speaker, at, at + lasts, tuple(ears))
        for leg, track in ears:
            leg.heard.append((track, noise))
        if clip.words and loops is not None:
            self.on_words(noise)
        return noise

    def hush(self, noise: Noise, at: datetime) -> None:
        """Cut a noise short."""
        if at < noise.end:
            noise.end = max(at, noise.start)
            self.on_hush(noise, at)

    def on_words(self, noise: Noise) -> None:
        """Words begin to sound; whoever writes them down says how."""

    def on_hush(self, noise: Noise, at: datetime) -> None:
        """A noise has been cut short."""

    def hush_talk(self, leg: Leg, at: datetime) -> None:
        """Cut short what people are saying on a leg."""
        for _, noise in leg.heard[-20:]:  # older ones have long ended
            if noise.speaker != SYSTEM:
                self.hush(noise, at)

    def _ears(self, leg: Leg) -> list[tuple[Leg, Track]]:
        hearing: list[Leg] = []
        if leg.supervises:
            if leg.supervisor_role != "monitor":
                hearing.append(leg.supervises)
            if leg.supervisor_role == "barge" and leg.supervises.peer:
                hearing.append(leg.supervises.peer)
        elif leg.peer and not (leg.is_held or leg.peer.is_held):
            hearing.append(leg.peer)
        hearing += [
            other
            for other in self.supervisors
            if other is not leg and other.answered_at and other.supervises in (leg, leg.peer)
        ]
        return [(leg, "inbound"), *((other, "outbound") for other in hearing)]
