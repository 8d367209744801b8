"""Speech: eSpeak NG through ctypes, with the time of every word; without it, a tone per word.

text, voice -> espeak -> 22 kHz -> 8 kHz samples + words       (a second costs about 1 ms)
"""

import ctypes
import logging
import re
import threading
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import miniaudio
import numpy as np
from numpy.typing import NDArray

from simulator.clips import Word, paced

RATE = 8_000  # samples per second: the telephone's
PER_MS = RATE // 1_000
Samples = NDArray[np.int16]

RETRIEVAL = 2  # espeak's mode in which it hands us the samples
UTF8 = 1
WORD_EVENT = 1
END_OF_LIST = 0
TAIL_MS = 80  # the silence left at the end of a text

log = logging.getLogger("simulator.speech")


class Speech(NamedTuple):
    """Spoken text: samples at 8 kHz, and when each word sounds."""

    samples: Samples
    words: tuple[Word, ...]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # of the word's first character, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The eSpeak NG library. It has one global state, so one text is spoken at a time."""

    def __init__(self) -> None:
        import espeakng_loader  # optional; ImportError means tones

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path()).encode()
        self._rate = self._library.espeak_Initialize(RETRIEVAL, 0, data, 0)
        if self._rate <= 0:
            raise OSError(f"espeak_Initialize answered {self._rate}")
        self._callback = _Callback(self._collect)  # kept: espeak holds only a pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        self._blocks: list[bytes] = []
        self._starts: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def speak(self, text: str, voice: str) -> Speech:
        """Speak a text; a voice that is not known is replaced by an American one."""
        with self._lock:
            self._blocks, self._starts = [], []
            name = voice.replace("en-gb", "en")
            if self._library.espeak_SetVoiceByName(name.encode()):
                self._library.espeak_SetVoiceByName(b"en-us")
            spoken = text.encode() + b"\0"
            self._library.espeak_Synth(spoken, len(spoken), 0, 0, 0, UTF8, None, None)
            samples = _to_telephone(b"".join(self._blocks), self._rate)
            return Speech(samples, _align(text, self._starts, len(samples) // PER_MS))

    def _collect(self, wav: Any, count: int, events: Any) -> int:
        if wav and count > 0:
            self._blocks.append(ctypes.string_at(wav, count * 2))
        index = 0
        while events[index].type != END_OF_LIST:
            if events[index].type == WORD_EVENT:
                event = events[index]
                self._starts.append((event.text_position - 1, event.audio_position))
            index += 1
        return 0


def tones(text: str, voice: str) -> Speech:
    """Return a tone for every word, as long as its letters deserve."""
    words = paced(text)
    samples = np.zeros((words[-1].end_ms if words else 0) * PER_MS, dtype=np.int16)
    for word in words:
        pitch = 180 + zlib.crc32(f"{voice} {word.text}".encode()) % 400
        at = np.arange((word.end_ms - word.start_ms) * PER_MS) / RATE
        fade = np.minimum(1, np.minimum(at, at[::-1]) / 0.01)
        wave = 9_000 * fade * np.sin(2 * np.pi * pitch * at)
        samples[word.start_ms * PER_MS : word.end_ms * PER_MS] = wave.astype(np.int16)
    return Speech(samples, words)


@lru_cache(maxsize=1)
def _espeak() -> Espeak | None:
    try:
        return Espeak()
    except (ImportError, OSError) as exc:
        log.warning("speech is tones only: %s", exc)
        return None


@lru_cache(maxsize=512)  # about 40 MB at five seconds a text
def speak(text: str, voice: str) -> Speech:
    """Return a text as speech, or as tones where eSpeak NG is not installed."""
    if not re.search(r"\w", text):
        return Speech(np.zeros(0, dtype=np.int16), ())
    espeak = _espeak()
    spoken = espeak.speak(text, voice) if espeak else tones(text, voice)
    spoken.samples.setflags(write=False)  # it is shared through the cache
    return spoken


def _to_telephone(samples: bytes, rate: int) -> Samples:
    """Return samples at 8 kHz, without the silence that espeak appends."""
    if not samples:
        return np.zeros(0, dtype=np.int16)
    signed = miniaudio.SampleFormat.SIGNED16
    converted = miniaudio.convert_frames(signed, 1, rate, samples, signed, 1, RATE)
    found = np.frombuffer(bytes(converted), dtype=np.int16)
    loud = np.flatnonzero(np.abs(found) > 100)
    end = (int(loud[-1]) if len(loud) else 0) + TAIL_MS * PER_MS
    whole = min(end, len(found)) // PER_MS * PER_MS  # clips last whole milliseconds
    return found[:whole].copy()


def _align(text: str, starts: list[tuple[int, int]], total_ms: int) -> tuple[Word, ...]:
    """Return a text's words with their times; espeak tells where words start, in text and time."""
    tokens = [(match.start(), match.end(), match.group()) for match in re.finditer(r"\S+", text)]
    begins = list(_begins(tokens, sorted(starts)))
    ends = [*begins[1:], total_ms]
    return tuple(
        Word(token[2], begin, max(begin, end))
        for token, begin, end in zip(tokens, begins, ends, strict=True)
    )


def _begins(tokens: list[tuple[int, int, str]], starts: list[tuple[int, int]]) -> Iterator[int]:
    begin = 0
    for first, last, _ in tokens:
        inside = [ms for position, ms in starts if first <= position < last]
        begin = max(begin, inside[0]) if inside else begin
        yield begin
