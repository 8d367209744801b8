"""Is it really audio, of which kind, how long? And its samples, a block at a time.

    probe(path) -> Audio            raises NotAudio
    samples(path, audio) -> blocks of frames, 16 bit, shape (frames, channels)

Plain WAV is read here, by its header; all other encodings by miniaudio.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import miniaudio
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

BLOCK_FRAMES = 160 * 512  # a multiple of a peak's 160; a block of two channels fits the cache
PCM, EXTENSIBLE = 1, 0xFFFE
UNTOLD = (0, 0xFFFFFFFF)  # sizes in the header of a file that was written as a stream
MOST_CHANNELS = 2
MOST_CHUNKS = 64  # before the samples; a file with more is a trap
RATES = range(4_000, 192_001)


class NotAudio(Exception):
    """The file is not the audio it should be; the text says why."""


@dataclass(frozen=True, slots=True)
class Audio:
    """What a file holds."""

    format: str  # wav or mp3
    channels: int
    rate: int  # frames per second
    frames: int
    proves_length: bool  # by its header it is whole; an MP3 cut short looks like a shorter one
    pcm_at: int = 0  # where the samples of a plain 16 bit WAV start; 0 for other encodings

    @property
    def duration_ms(self) -> int:
        return self.frames * 1000 // self.rate


def probe(path: Path) -> Audio:
    """Read what a file holds. Raises NotAudio."""
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if not start:
            raise NotAudio("The file is empty.")
        if start[:4] == b"RIFF" and start[8:] == b"WAVE":
            audio = _wav(file, path)
        elif start[:3] == b"ID3" or _is_mp3_frame(start):
            audio = _by_miniaudio(path, "mp3", proves_length=False)
        else:
            raise NotAudio(f"The file is {_looks_like(start)}, not WAV or MP3.")
    if audio.channels > MOST_CHANNELS or audio.rate not in RATES or audio.frames <= 0:
        raise NotAudio(
            f"The file has {audio.channels} channels, {audio.rate} Hz and {audio.frames} frames."
        )
    return audio


def _is_mp3_frame(start: bytes) -> bool:
    """Say whether these are the sync bits of layer III."""
    return len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2


def _looks_like(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t")
    if text.startswith(b"<"):
        return "a web page or an XML message"
    return "a JSON message" if text.startswith((b"{", b"[")) else "of an unknown kind"


def _wav(file: BinaryIO, path: Path) -> Audio:
    """Read a RIFF header up to its samples. Sizes left open count as: to the end of the file."""
    end = path.stat().st_size
    (riff_size,) = struct.unpack("<4xI4x", file.read(12))
    layout, size = _chunks_up_to_data(file)
    if len(layout) < 16:
        raise NotAudio("The WAV file does not say how its samples are stored.")
    told = size not in UNTOLD
    data_at = file.tell()
    data_bytes = size if told else end - data_at
    if data_at + data_bytes > end:
        raise NotAudio(f"The WAV file is cut short: {end - data_at:,} of {data_bytes:,} bytes.")
    _check_rest(file, data_at + data_bytes, end)
    encoding, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", layout[:16])
    if encoding == EXTENSIBLE and len(layout) >= 26:
        (encoding,) = struct.unpack_from("<H", layout, 24)
    proves_length = told and riff_size not in UNTOLD
    if encoding == PCM and bits == 16 and channels and frame_bytes == 2 * channels:
        frames = data_bytes // frame_bytes
        return Audio("wav", channels, rate, frames, proves_length, pcm_at=data_at)
    return _by_miniaudio(path, "wav", proves_length=proves_length)


def _check_rest(file: BinaryIO, start: int, end: int) -> None:
    """Raise NotAudio if what follows the samples are more samples, and no chunks."""
    at = start + start % 2
    for _ in range(MOST_CHUNKS):
        if end - at < 8:  # padding
            return
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if not name.isascii() or not name.decode().isprintable() or at + 8 + size > end + 1:
            break
        at += 8 + size + size % 2
    raise NotAudio(
        f"The WAV file's header tells of {start:,} bytes, and {end - start:,} more follow."
    )


def _chunks_up_to_data(file: BinaryIO) -> tuple[bytes, int]:
    """Return the format chunk, and the size of the data chunk, at whose start the file then is."""
    layout = b""
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            return layout, size
        if name == b"fmt ":
            layout = file.read(min(size, 40))
            size -= len(layout)
        file.seek(size + size % 2, 1)
    raise NotAudio("The WAV file has no samples.")


def _by_miniaudio(path: Path, kind: str, *, proves_length: bool) -> Audio:
    read = miniaudio.mp3_get_file_info if kind == "mp3" else miniaudio.wav_get_file_info
    try:
        found = read(str(path))
        frames = found.num_frames
        if kind == "mp3":  # its header may promise more than there is
            decoded = miniaudio.mp3_stream_file(str(path), BLOCK_FRAMES)
            frames = sum(len(block) for block in decoded) // found.nchannels
    except (miniaudio.MiniaudioError, ZeroDivisionError) as exc:
        raise NotAudio(f"The {kind.upper()} file cannot be decoded: {exc}.") from exc
    return Audio(kind, found.nchannels, found.sample_rate, frames, proves_length)


def samples(path: Path, audio: Audio) -> Iterator[Samples]:
    """Yield a file's frames in blocks; every block but the last has BLOCK_FRAMES of them."""
    return _plain(path, audio) if audio.pcm_at else _decoded(path, audio)


def _plain(path: Path, audio: Audio) -> Iterator[Samples]:
    left = audio.frames
    with path.open("rb") as file:
        file.seek(audio.pcm_at)
        while left > 0:
            wanted = min(left, BLOCK_FRAMES)
            block = np.fromfile(file, dtype="<i2", count=wanted * audio.channels)
            if not len(block):
                return
            frames = len(block) // audio.channels
            yield block[: frames * audio.channels].reshape(frames, audio.channels)
            left -= frames


def _decoded(path: Path, audio: Audio) -> Iterator[Samples]:
    if audio.format == "mp3":
        blocks = miniaudio.mp3_stream_file(str(path), BLOCK_FRAMES)
    else:
        blocks = miniaudio.wav_stream_file(str(path), BLOCK_FRAMES)
    for block in blocks:
        yield np.frombuffer(block, dtype=np.int16).reshape(-1, audio.channels)
