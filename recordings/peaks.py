"""The waveform of a file: lowest and highest sample of every 160, in audiowaveform's v2 format.

    peaks(path) -> bytes of a .dat          coarser(dat, most=2000) -> a shorter .dat
                                            levels(dat) -> loudness of each channel

The minima of a block are found by halving: comparing two long halves at once is ten times quicker
than reducing 160 values at a time.
"""

import struct
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calls import audio
from calls.audio import Samples

Peaks: TypeAlias = NDArray[np.int8]  # (pixels, channels, 2): lowest, highest

SAMPLES_PER_PIXEL = 160  # 20 ms at 8 kHz
HEADER = struct.Struct("<iIiiIi")  # version, flags, rate, samples per pixel, pixels, channels
VERSION, EIGHT_BIT = 2, 1


def peaks(path: Path, sound: audio.Audio | None = None) -> bytes:
    """Return the waveform of a file. Raises audio.NotAudio."""
    sound = sound or audio.probe(path)
    dat = bytearray(HEADER.size)
    pixels = 0
    rest: Samples = np.empty((0, sound.channels), dtype=np.int16)
    for block in audio.samples(path, sound):
        # MP3 comes in blocks of any length, so what is left over of a pixel leads the next block
        frames = np.concatenate((rest, block)) if len(rest) else block
        whole = len(frames) - len(frames) % SAMPLES_PER_PIXEL
        dat += _extremes(frames[:whole]).tobytes()
        pixels += whole // SAMPLES_PER_PIXEL
        rest = frames[whole:].copy()
    if len(rest):
        padding = np.repeat(rest[-1:], SAMPLES_PER_PIXEL - len(rest), axis=0)
        dat += _extremes(np.concatenate((rest, padding))).tobytes()
        pixels += 1
    HEADER.pack_into(
        dat, 0, VERSION, EIGHT_BIT, sound.rate, SAMPLES_PER_PIXEL, pixels, sound.channels
    )
    return bytes(dat)


def _extremes(frames: Samples) -> Peaks:
    """Return the extremes of whole pixels, in the upper eight bits."""
    channels = frames.shape[1]
    low = high = np.ascontiguousarray(frames).reshape(-1, SAMPLES_PER_PIXEL * channels)
    width = low.shape[1]
    while (width // channels) % 2 == 0:
        width //= 2
        low = np.minimum(low[:, :width], low[:, width:])
        high = np.maximum(high[:, :width], high[:, width:])
    low = low.reshape(-1, width // channels, channels).min(axis=1)
    high = high.reshape(-1, width // channels, channels).max(axis=1)
    return (np.stack((low, high), axis=2) >> 8).astype(np.int8)


def coarser(dat: bytes, *, most: int) -> bytes:
    """Return a waveform with at most so many pixels, made from a finer one.

    Raises ValueError for bytes that are no waveform.
    """
    fine, rate, per_pixel = _read(dat)
    pixels, channels, _ = fine.shape
    times = -(-pixels // most)
    if times <= 1:
        return dat
    edges = np.arange(0, pixels, times)
    low = np.minimum.reduceat(fine[:, :, 0], edges, axis=0)
    high = np.maximum.reduceat(fine[:, :, 1], edges, axis=0)
    head = HEADER.pack(VERSION, EIGHT_BIT, rate, per_pixel * times, len(edges), channels)
    return head + np.stack((low, high), axis=2).astype(np.int8).tobytes()


def levels(dat: bytes) -> tuple[list[NDArray[np.uint8]], float]:
    """Return how loud each channel is, 0 to 128 for every pixel, and the seconds of a pixel.

    Raises ValueError for bytes that are no waveform.
    """
    fine, rate, per_pixel = _read(dat)
    low, high = fine[:, :, 0].astype(np.int16), fine[:, :, 1]
    # the eight upper bits of a sample just below zero are -1, which is silence too
    loudness = np.maximum(-1 - low, high).clip(0).astype(np.uint8)
    return [np.ascontiguousarray(loudness[:, side]) for side in range(fine.shape[1])], (
        per_pixel / rate
    )


def _read(dat: bytes) -> tuple[Peaks, int, int]:
    """Return a waveform's values, its samples per second, and per pixel. Raises ValueError."""
    if len(dat) < HEADER.size:
        raise ValueError(f"{len(dat)} bytes are no waveform")
    version, flags, rate, per_pixel, pixels, channels = HEADER.unpack_from(dat)
    if version != VERSION or flags != EIGHT_BIT or len(dat) != HEADER.size + 2 * pixels * channels:
        raise ValueError("the bytes are no waveform of ours")
    values = np.frombuffer(dat, dtype=np.int8, offset=HEADER.size)
    return values.reshape(pixels, channels, 2), rate, per_pixel
