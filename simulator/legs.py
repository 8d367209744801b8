"""What a world is made of: legs, the noises they hear, sounds to be played, recordings, events."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from simulator.answers import Json
from simulator.clips import Clip

Track = Literal["inbound", "outbound"]  # inbound: what the leg's own party says
FOREVER = timedelta(days=365)


def stamp(at: datetime) -> str:
    """Return a time as Telnyx writes it: ISO 8601, microseconds, Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def millis(span: timedelta) -> int:
    """Return a span in whole milliseconds."""
    return round(span / timedelta(milliseconds=1))


class Event(NamedTuple):
    """Something that happened on a leg, as the world tells it."""

    id: str
    event_type: str
    occurred_at: datetime
    call_leg_id: str
    payload: Json
    webhook_url: str | None = None  # a leg's own address, else the account's

    def data(self) -> Json:
        """Return the `data` part of the webhook."""
        return {
            "event_type": self.event_type,
            "id": self.id,
            "occurred_at": stamp(self.occurred_at),
            "payload": self.payload,
            "record_type": "event",
        }

    def body(self, *, attempt: int = 1, delivered_to: str = "") -> Json:
        """Return the whole webhook body."""
        return {
            "data": self.data(),
            "meta": {"attempt": attempt, "delivered_to": delivered_to},
        }


@dataclass(eq=False)
class Noise:
    """A clip sounding on the line, and every ear (a leg and a track of it) that it reaches."""

    clip: Clip
    speaker: str
    start: datetime
    end: datetime
    ears: tuple[tuple["Leg", Track], ...]
    is_captioned: bool = False

    def words(self, start: datetime, end: datetime) -> list[str]:
        """Return the words whose middle falls between two moments; a loop says them again."""
        found: list[str] = []
        begin, end = self.start, min(end, self.end)
        while self.clip.words and begin < end:
            for word in self.clip.words:
                middle = begin + timedelta(milliseconds=(word.start_ms + word.end_ms) / 2)
                if start <= middle < end:
                    found.append(word.text)
            begin += timedelta(milliseconds=self.clip.ms)
        return found


@dataclass(eq=False)
class Sound:
    """A speak or playback command on its way through a leg's queue."""

    kind: Literal["speak", "playback"]
    source: Json  # media_url or media_name as the webhooks repeat it; neither for playback_content
    targets: str = "self"
    loops: int | None = 1  # None: until it is stopped
    is_overlay: bool = False
    content: str | None = None  # Base64 audio that came with the command
    clip: Clip | None = None  # None: still being fetched
    failure: str = ""  # why there is no audio: file_not_found or failed
    noise: Noise | None = None
    started_at: datetime | None = None


@dataclass(eq=False)
class Recording:
    """One file being made, or made, of a leg."""

    id: str
    leg: "Leg"
    format: str
    channels: str
    track: str
    pause_mode: str
    started_at: datetime
    initiated_by: str
    name: str
    wants_transcript: bool = False
    ended_at: datetime | None = None
    pauses: list[list[datetime | None]] = field(default_factory=list)
    noises: list[tuple[Track, Noise]] = field(default_factory=list)  # kept from the stop on
    state: Literal["recording", "paused", "stopped", "saved", "deleted"] = "recording"
    saved_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Return whether the recording still grows or may grow again."""
        return self.state in ("recording", "paused")


@dataclass
class Transcript:
    """A row of /recording_transcriptions."""

    id: str
    recording_id: str
    text: str
    duration_ms: int
    created_at: datetime


@dataclass
class Transcribing:
    """A running live transcription: which tracks of the leg, and in which manner."""

    tracks: tuple[Track, ...]
    has_interim: bool = False
    is_plain: bool = True  # Google's default: no capitals, no punctuation


@dataclass(eq=False)
class Leg:
    """One call leg: a party, its line, and what it hears."""

    call_control_id: str
    call_leg_id: str
    call_session_id: str
    connection_id: str
    direction: Literal["incoming", "outgoing"]
    from_: str
    to: str
    party: str  # customer, agent or supervisor: who is at the far end
    voice: str
    start_time: datetime
    caller_id_name: str = ""
    tags: list[str] = field(default_factory=list)
    client_state: str | None = None
    webhook_url: str | None = None
    webhook_urls: dict[str, str] = field(default_factory=dict)
    answered_at: datetime | None = None
    audio_at: datetime | None = None  # from when audio flows, so that it can be recorded
    ended_at: datetime | None = None
    hangup_cause: str | None = None
    is_held: bool = False
    peer: "Leg | None" = None
    stays_after_unbridge: bool = False
    supervises: "Leg | None" = None
    supervisor_role: str = ""
    queue: list[Sound] = field(default_factory=list)  # the first one sounds, once it has started
    overlays: list[Sound] = field(default_factory=list)
    transcribing: Transcribing | None = None
    recordings: list[Recording] = field(default_factory=list)
    heard: list[tuple[Track, Noise]] = field(default_factory=list)
    command_ids: dict[str, datetime] = field(default_factory=dict)
    on_answer: list[Callable[[datetime], object]] = field(default_factory=list)
    on_end: list[Callable[[datetime], object]] = field(default_factory=list)
    last_event_at: datetime | None = None

    @property
    def line(self) -> str:
        """Return the line's state: ringing, answered, bridged, held or ended."""
        if self.ended_at:
            return "ended"
        if not self.answered_at:
            return "ringing"
        if self.is_held:
            return "held"
        return "bridged" if self.peer else "answered"

    @property
    def recording(self) -> str:
        """Return whether the leg is being recorded: off, on or paused."""
        states = {recording.state for recording in self.recordings}
        return "on" if "recording" in states else "paused" if "paused" in states else "off"

    @property
    def sound(self) -> str:
        """Return what is played into the leg: silent, speaking or playing."""
        if not self.queue or not self.queue[0].started_at:
            return "silent"
        return "speaking" if self.queue[0].kind == "speak" else "playing"

    @property
    def is_live(self) -> bool:
        """Return whether the leg has not ended."""
        return self.ended_at is None

    def ids(self) -> dict[str, str]:
        """Return the three ids by which others know this leg."""
        return {
            "call_control_id": self.call_control_id,
            "call_leg_id": self.call_leg_id,
            "call_session_id": self.call_session_id,
        }

    def ends(self) -> dict[str, Any]:
        """Return the two ends of the leg, as webhooks name them."""
        return {"from": self.from_, "to": self.to}
