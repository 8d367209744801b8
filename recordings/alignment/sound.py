"""A recording as one voice track to read pieces of, and where in it somebody speaks.

Channels are mixed by their energy, so that the noise of a silent party does not join the other's
words. The track lies in a temporary file: hours of audio need no memory.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Vad

from calls import audio
from calls.audio import Samples

RATE = 16_000  # what the model was made for
FRAME_MS = 20  # of levels
VAD_MS = 30
SCAN_MS = 30_000
PAD_MS = 240  # around speech
LONGEST_MS = 20_000  # of a piece
LONGEST_PAUSE_MS = 2_000  # within a piece
AROUND = 150  # frames, 3 s, to judge by how loud a voice is
VOICE = 0.2  # of the way from quiet to loud
DITHER = 0.08  # of the track's level: the model knows no empty upper band and no digital silence

Levels = NDArray[np.float32]  # (frames of 20 ms, channels): root mean square


class Span(NamedTuple):
    """A stretch of time."""

    start_ms: int
    end_ms: int


class Track:
    """The mixed voices of a recording."""

    def __init__(self, file: IO[bytes], sound: audio.Audio, levels: Levels) -> None:
        self.file, self.rate, self.levels = file, sound.rate, levels
        self.frames = file.tell() // 2
        self.duration_ms = self.frames * 1000 // self.rate
        self.floor = np.percentile(levels, 10, axis=0) if len(levels) else np.zeros(1)
        loud = levels.max(axis=1, initial=0)
        self.level = float(np.sqrt(np.mean(loud[loud > 0] ** 2))) if loud.any() else 0.0

    def has_voice(self, span: Span) -> bool:
        """Say whether a stretch is clearly louder than the pauses around it."""
        first, last = span.start_ms // FRAME_MS, -(-span.end_ms // FRAME_MS)
        around = self.levels[max(0, first - AROUND) : last + AROUND].max(axis=1)
        quiet, loud = np.percentile(around, [10, 90])
        found = self.levels[first:last].max(axis=1, initial=0)
        return (
            bool(np.percentile(found, 75) > quiet + VOICE * (loud - quiet))
            if len(found)
            else False
        )

    def read(self, span: Span) -> Samples:
        """Return a stretch at 16 kHz, with a trace of noise; the same stretch, the same noise."""
        first = max(0, span.start_ms * self.rate // 1000)
        last = min(self.frames, span.end_ms * self.rate // 1000)
        if last <= first:
            return np.zeros(0, dtype=np.int16)
        self.file.seek(2 * first)
        plain = np.frombuffer(self.file.read(2 * (last - first)), dtype=np.int16)
        noise = np.random.default_rng(first).normal(0, max(1.0, DITHER * self.level), RATE)
        found = _resampled(plain, self.rate)
        return np.clip(found + np.resize(noise, len(found)), -32768, 32767).astype(np.int16)


@contextmanager
def track(path: Path, sound: audio.Audio) -> Iterator[Track]:
    """Open a recording as a track."""
    step = max(1, sound.rate * FRAME_MS // 1000)
    levels: list[Levels] = []
    rest: Samples = np.empty((0, sound.channels), dtype=np.int16)
    with tempfile.TemporaryFile() as file:
        for block in audio.samples(path, sound):
            frames = np.concatenate((rest, block)) if len(rest) else block
            whole = len(frames) - len(frames) % step
            rest = frames[whole:].copy()
            if whole:
                levels.append(_mix(frames[:whole], step, file))
        yield Track(
            file, sound, np.concatenate(levels) if levels else np.zeros((0, 1), np.float32)
        )


def _mix(frames: Samples, step: int, file: IO[bytes]) -> Levels:
    """Append frames to the file as one channel; return how loud each channel is."""
    cut = frames.reshape(-1, step, frames.shape[1]).astype(np.float32)
    power: Levels = np.mean(cut**2, axis=1)
    if frames.shape[1] > 1:
        share = power / np.maximum(power.sum(axis=1, keepdims=True), 1e-9)
        cut = cut * share[:, None, :]
    file.write(np.clip(cut.sum(axis=2), -32768, 32767).astype("<i2").tobytes())
    return np.sqrt(power)


def _resampled(plain: Samples, rate: int) -> NDArray[np.float64]:
    """Return samples at 16 kHz, by way of their spectrum."""
    wanted = len(plain) * RATE // rate
    spectrum = np.fft.rfft(plain)[: wanted // 2 + 1]
    found: NDArray[np.float64] = np.fft.irfft(spectrum, wanted) * (wanted / len(plain))
    return found


def pieces(track: Track, within: Span | None = None) -> Iterator[Span]:
    """Yield the stretches in which somebody speaks, at most 20 s long, cut in pauses."""
    within = within or Span(0, track.duration_ms)
    open_piece: Span | None = None
    for span in _short(track, _speech(track, within)):
        if (
            open_piece
            and span.end_ms - open_piece.start_ms <= LONGEST_MS
            and span.start_ms - open_piece.end_ms <= LONGEST_PAUSE_MS
        ):
            open_piece = Span(open_piece.start_ms, span.end_ms)
            continue
        if open_piece:
            yield open_piece
        open_piece = span
    if open_piece:
        yield open_piece


def _speech(track: Track, within: Span) -> Iterator[Span]:
    """Yield the stretches that sound like speech, with their surroundings."""
    vad = Vad(Vad.LOOSE, RATE, VAD_MS / 1000)
    found: Span | None = None
    for start in range(within.start_ms, within.end_ms, SCAN_MS):
        sound = track.read(Span(start, min(start + SCAN_MS, within.end_ms))).tobytes()
        for at in range(0, len(sound) - vad.frame_bytes + 1, vad.frame_bytes):
            if not vad.is_speech(sound[at : at + vad.frame_bytes]):
                continue
            begin = start + at * 1000 // (2 * RATE)
            end = min(begin + VAD_MS + PAD_MS, within.end_ms)
            if found and begin - PAD_MS <= found.end_ms:
                found = Span(found.start_ms, end)
                continue
            if found:
                yield found
            found = Span(max(within.start_ms, begin - PAD_MS), end)
    if found:
        yield found


def _short(track: Track, spans: Iterator[Span]) -> Iterator[Span]:
    """Cut long stretches where they are quietest."""
    for span in spans:
        start = span.start_ms
        while span.end_ms - start > LONGEST_MS:
            low, high = (start + LONGEST_MS // 2) // FRAME_MS, (start + LONGEST_MS) // FRAME_MS
            loud = np.convolve(track.levels[low:high].max(axis=1), np.ones(7) / 7, "same")
            cut = (low + int(np.argmin(loud[3:-3])) + 3) * FRAME_MS
            yield Span(start, cut)
            start = cut
        yield Span(start, span.end_ms)
