"""The account's media: named files that can be played on calls, and audio fetched from elsewhere.

`Library` is how real sounds look to a `World`: it turns texts and names into clips, and clips back
into samples.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from simulator import speech
from simulator.audio import decode, wav_bytes
from simulator.clips import Clip
from simulator.speech import PER_MS, RATE, Samples

DEFAULT_TTL = timedelta(days=2)
FETCHED_KEPT = 64
NOTICE = "This call may be recorded for training and quality purposes."
APOLOGY = "We are sorry to keep you waiting. Someone will be with you shortly."
VOICE = "en-us+f1"
TYPES = {b"RIFF": "audio/wav", b"ID3": "audio/mpeg", b"\xff": "audio/mpeg"}


@dataclass(eq=False)
class Media:
    """A named media file."""

    name: str
    make: Callable[[], bytes]
    content_type: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime

    @cached_property
    def content(self) -> bytes:
        """Return the file."""
        return self.make()

    @cached_property
    def samples(self) -> Samples:
        """Return the audio, or nothing if the file is none."""
        try:
            return decode(self.content)
        except ValueError:
            return np.zeros(0, dtype=np.int16)


def type_of(content: bytes) -> str:
    """Return a file's type by its first bytes."""
    return next((kind for start, kind in TYPES.items() if content.startswith(start)), "text/plain")


class Library:
    """Everything that can sound."""

    def __init__(self, now: datetime) -> None:
        self._media: dict[str, Media] = {}
        self._fetched: OrderedDict[str, Samples] = OrderedDict()
        self._lock = threading.Lock()
        made: dict[str, Callable[[], bytes]] = {
            "hold-music": lambda: wav_bytes(hold_music()),
            "recording-notice": lambda: wav_bytes(speech.speak(NOTICE, VOICE).samples),
            "apology": lambda: wav_bytes(speech.speak(APOLOGY, VOICE).samples),
        }
        for name, make in made.items():
            self._keep(name, make, "audio/wav", now, timedelta(days=7300))

    # what a World asks

    def speech(self, text: str, voice: str) -> Clip:
        """Return the clip of a spoken text."""
        spoken = speech.speak(text, voice)
        return Clip("speech", text, len(spoken.samples) // PER_MS, spoken.words, voice)

    def media(self, name: str, now: datetime) -> Clip | None:
        """Return the clip of a named file, or None if it has expired, is none or no audio."""
        media = self.find(name, now)
        if media is None or not len(media.samples):
            return None
        return Clip("media", name, len(media.samples) // PER_MS)

    def fetched(self, content: bytes) -> Clip | None:
        """Keep audio from outside and return its clip, or None if it is no audio."""
        try:
            samples = decode(content)
        except ValueError:
            return None
        key = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._fetched[key] = samples
            if len(self._fetched) > FETCHED_KEPT:
                self._fetched.popitem(last=False)
        return Clip("fetched", key, len(samples) // PER_MS)

    # what a renderer asks

    def samples(self, clip: Clip) -> Samples:
        """Return what a clip sounds like; nothing, if its file has gone."""
        if clip.kind == "speech":
            return speech.speak(clip.key, clip.voice).samples
        if clip.kind == "beep":
            return tone(1_000, clip.ms)
        if clip.kind == "fetched":
            return self._fetched.get(clip.key, tone(0, clip.ms))
        media = self._media.get(clip.key)
        return media.samples if media else tone(0, clip.ms)

    # what the API asks

    def all(self, now: datetime) -> list[Media]:
        """Return the named files that have not expired."""
        return [media for media in self._media.values() if media.expires_at > now]

    def find(self, name: str, now: datetime) -> Media | None:
        """Return a named file, unless it has expired."""
        media = self._media.get(name)
        return media if media and media.expires_at > now else None

    def store(self, name: str, content: bytes, now: datetime, ttl_s: int | None) -> Media:
        """Keep a file under a name, instead of the one that had it."""
        ttl = DEFAULT_TTL if ttl_s is None else timedelta(seconds=ttl_s)
        return self._keep(name, lambda: content, type_of(content), now, ttl)

    def drop(self, name: str) -> None:
        """Forget a named file."""
        del self._media[name]

    def _keep(
        self, name: str, make: Callable[[], bytes], kind: str, now: datetime, ttl: timedelta
    ) -> Media:
        before = self._media.get(name)
        created = before.created_at if before else now
        self._media[name] = Media(name, make, kind, created, now, now + ttl)
        return self._media[name]


def tone(pitch: float, ms: int) -> Samples:
    """Return a plain tone; of no pitch, silence."""
    at = np.arange(ms * PER_MS) / RATE
    return np.asarray(8_000 * np.sin(2 * np.pi * pitch * at), dtype=np.int16)


def hold_music() -> Samples:
    """Return sixteen seconds of something to wait by: broken chords, C, A minor, F, G."""
    chords = ((60, 64, 67, 72), (57, 60, 64, 69), (53, 57, 60, 65), (55, 59, 62, 67))
    at = np.arange(RATE // 2) / RATE
    notes = []
    for chord in chords:
        for step in (0, 1, 2, 3, 2, 1, 2, 1):
            pitch = 440 * 2 ** ((chord[step] - 69) / 12)
            ring = np.exp(-4 * at) * np.minimum(1, at / 0.005)
            notes.append(
                ring * (np.sin(2 * np.pi * pitch * at) + 0.3 * np.sin(4 * np.pi * pitch * at))
            )
    return np.asarray(7_000 * np.concatenate(notes), dtype=np.int16)
