"""Sound files: mix what was heard into channels, cut or silence pauses, write wav and mp3.

noises -> blocks of samples, a minute each, so that four hours need no memory -> file
"""

import io
import wave
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import miniaudio
import numpy as np
from numpy.typing import NDArray

from simulator import tape
from simulator.clips import Clip
from simulator.legs import Noise, Recording, Track
from simulator.speech import RATE, Samples

BLOCK = timedelta(minutes=1)
MP3_KBITS = 32  # what lame needs for two telephone channels
Fetch = Callable[[Clip], Samples]

try:
    import lameenc
except ImportError:
    lameenc = None


def can_write_mp3() -> bool:
    """Return whether an MP3 encoder is installed."""
    return lameenc is not None


def decode(content: bytes) -> Samples:
    """Return a wav or mp3 file's samples, mono at 8 kHz. Raises ValueError if it is neither."""
    try:
        decoded = miniaudio.decode(
            content, miniaudio.SampleFormat.SIGNED16, nchannels=1, sample_rate=RATE
        )
    except miniaudio.MiniaudioError as exc:
        raise ValueError(f"not a wav or mp3 file: {exc}") from exc
    return np.array(decoded.samples, dtype=np.int16)


def wav_bytes(samples: Samples) -> bytes:
    """Return samples as a mono wav file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        _shape(file, 1)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def write_wav(path: Path, recording: Recording, fetch: Fetch) -> None:
    """Render a finished recording into a wav file."""
    with wave.open(str(path), "wb") as file:
        _shape(file, _width(recording))
        for block in blocks(recording, fetch):
            file.writeframes(block.tobytes())


def write_mp3(path: Path, source: Path) -> None:
    """Encode a wav file as mp3."""
    with wave.open(str(source), "rb") as file, path.open("wb") as out:
        encoder = lameenc.Encoder()
        encoder.set_bit_rate(MP3_KBITS)
        encoder.set_in_sample_rate(RATE)
        encoder.set_out_sample_rate(RATE)
        encoder.set_channels(file.getnchannels())
        encoder.set_quality(7)
        encoder.silence()
        while frames := file.readframes(RATE * 60):
            out.write(encoder.encode(frames))
        out.write(encoder.flush())


def blocks(recording: Recording, fetch: Fetch) -> Iterator[Samples]:
    """Yield a finished recording's audio, frames interleaved, a minute at most at a time."""
    end = recording.ended_at or recording.started_at
    kept = tape.spans(recording, end)
    if recording.pause_mode == "cut":
        for start, stop in kept:
            for block_start, block_stop in _minutes(start, stop):
                yield _mix(recording, block_start, block_stop, fetch)
        return
    for block_start, block_stop in _minutes(recording.started_at, end):
        block = _mix(recording, block_start, block_stop, fetch)
        yield _silence(block, block_start, block_stop, kept)


def _minutes(start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < stop:
        yield start, min(start + BLOCK, stop)
        start += BLOCK


def _frames(span: timedelta) -> int:
    return round(span / timedelta(seconds=1) * RATE)


def _width(recording: Recording) -> int:
    return 2 if recording.channels == "dual" else 1


def _mix(recording: Recording, start: datetime, stop: datetime, fetch: Fetch) -> Samples:
    """Return the frames between two moments: the leg's party left, everybody else right."""
    width = _width(recording)
    mixed = np.zeros((_frames(stop - start), width), dtype=np.int32)
    for track, noise in recording.noises:
        if noise.start < stop and noise.end > start and noise.clip.ms:
            _add(mixed[:, _channel(track, width)], noise, start, stop, fetch(noise.clip))
    return np.clip(mixed, -32_768, 32_767).astype(np.int16)


def _channel(track: Track, width: int) -> int:
    return 1 if width == 2 and track == "outbound" else 0


def _add(
    channel: NDArray[np.int32], noise: Noise, start: datetime, stop: datetime, samples: Samples
) -> None:
    """Add the part of a noise that sounds between two moments; a looping clip starts over."""
    if not len(samples):
        return
    begin, end = max(start, noise.start), min(stop, noise.end)
    first = _frames(begin - start)
    count = min(_frames(end - start), len(channel)) - first
    if count > 0:
        at = (_frames(begin - noise.start) + np.arange(count)) % len(samples)
        channel[first : first + count] += samples[at]


def _silence(block: Samples, start: datetime, stop: datetime, kept: list[tape.Span]) -> Samples:
    """Return a block with everything outside the kept spans silenced."""
    audible = np.zeros(len(block), dtype=bool)
    for kept_start, kept_stop in kept:
        if kept_start < stop and kept_stop > start:
            audible[_frames(max(kept_start, start) - start) : _frames(kept_stop - start)] = True
    block[~audible] = 0
    return block


def _shape(file: wave.Wave_write, width: int) -> None:
    file.setnchannels(width)
    file.setsampwidth(2)
    file.setframerate(RATE)
