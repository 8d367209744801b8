"""The waveform is what a plain fold over the samples says, for every kind of file."""

import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from calls import audio
from recordings.peaks import HEADER, coarser, peaks
from tests.store import mp3, wav


def naive(frames, per_pixel=160):
    """Return the extremes of each pixel by looking at every sample."""
    pixels = []
    for start in range(0, len(frames), per_pixel):
        block = [[int(value) for value in frame] for frame in frames[start : start + per_pixel]]
        for channel in zip(*block, strict=True):
            pixels += [min(channel) >> 8, max(channel) >> 8]
    return struct.pack(f"{len(pixels)}b", *pixels)


def decoded(path):
    return np.concatenate(list(audio.samples(path, audio.probe(path))))


@pytest.fixture
def file(tmp_path):
    def file(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return file


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.5, 3.0123, 11.7])
def test_peaks_equal_a_plain_fold(file, seconds, channels):
    path = file(wav(seconds, channels=channels))
    dat = peaks(path)
    frames = round(seconds * 8000)
    assert HEADER.unpack_from(dat) == (2, 1, 8000, 160, -(-frames // 160), channels)
    assert dat[HEADER.size :] == naive(decoded(path))


def test_peaks_of_an_mp3_equal_a_plain_fold(file):
    pytest.importorskip("lameenc")
    path = file(mp3(2.345))
    assert peaks(path)[HEADER.size :] == naive(decoded(path))


def test_the_loudest_samples_fill_the_range(file):
    loud = np.array([[-32768, 32767]] * 160, dtype="<i2").tobytes()
    dat = peaks(file(wav(0.02)[:44] + loud))
    assert struct.unpack("4b", dat[HEADER.size :]) == (-128, -128, 127, 127)


@pytest.mark.parametrize("most", [1, 7, 100, 585, 1000])
def test_a_coarser_waveform_has_the_same_extremes(file, most):
    fine = peaks(file(wav(11.7)))
    coarse = coarser(fine, most=most)
    *_, per_pixel, pixels, _channels = HEADER.unpack_from(coarse)
    assert pixels <= most
    assert pixels * per_pixel >= 11.7 * 8000
    values = np.frombuffer(fine[HEADER.size :], np.int8).reshape(-1, 2, 2)
    folded = [values[at : at + per_pixel // 160] for at in range(0, 585, per_pixel // 160)]
    expected = [
        (int(block[:, c, 0].min()), int(block[:, c, 1].max())) for block in folded for c in (0, 1)
    ]
    found = np.frombuffer(coarse[HEADER.size :], np.int8).reshape(-1, 2)
    assert [tuple(map(int, pair)) for pair in found] == expected


@pytest.mark.parametrize("dat", [b"", b"x" * 24, HEADER.pack(2, 1, 8000, 160, 9, 2)])
def test_bytes_that_are_no_waveform_are_refused(dat):
    with pytest.raises(ValueError, match="no waveform"):
        coarser(dat, most=10)


def test_a_wav_written_as_a_stream_is_read_to_its_end(file):
    content = bytearray(wav(1))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    found = audio.probe(file(content))
    assert (found.duration_ms, found.proves_length) == (1000, False)


def test_chunks_before_the_samples_are_skipped(file):
    content = wav(1)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    found = audio.probe(file(content[:36] + extra + content[36:]))
    assert (found.duration_ms, found.proves_length) == (1000, True)


def test_an_mp3_is_as_long_as_it_sounds_whatever_its_header_promises(file):
    pytest.importorskip("lameenc")
    content = mp3(20)
    frame_bytes = content.index(content[:2], 4)
    promise = content[:4] + bytes(17) + b"Xing" + struct.pack(">II", 1, 9999)
    path = file(promise.ljust(frame_bytes, b"\0") + content)
    assert audio.probe(path).duration_ms == 20_160
    assert HEADER.unpack_from(peaks(path))[4] == 1008


def test_telephone_encoding_is_decoded(file):
    sound = bytes(range(256)) * 40
    head = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(sound))
    path = file(b"RIFF" + struct.pack("<I", len(body) + len(sound)) + body + sound)
    found = audio.probe(path)
    assert (found.format, found.channels, found.duration_ms) == ("wav", 1, 1280)
    assert max(decoded(path)) > 30_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe<html>",
        b"ID3",
        b"ID3" + bytes(5000),
        b"\xff\xfb" + bytes(5000),
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 100_000,
        b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\x7f" + bytes(100),
        wav(1)[:22] + b"\x07\x00" + wav(1)[24:],  # seven channels
        wav(1)[:24] + bytes(4) + wav(1)[28:],  # no rate
        wav(1)[:100],
    ],
)
def test_what_is_no_audio_is_refused_with_a_reason(file, content):
    with pytest.raises(audio.NotAudio, match=r"^The .*\.$"):
        audio.probe(file(content))


HOUR = """
import sys, time
from pathlib import Path
from recordings.peaks import peaks
path = Path(sys.argv[1])
peaks(path)
started = time.process_time()
peaks(path)
taken = time.process_time() - started
status = Path("/proc/self/status").read_text()
print(taken, int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_an_hour_takes_less_than_a_second_and_little_memory(tmp_path):
    path = tmp_path / "hour.wav"
    minute = np.random.default_rng(1).integers(-9000, 9000, 8000 * 60 * 2, "<i2").tobytes()
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, 8000, 0, "NONE", ""))
        for _ in range(60):
            out.writeframes(minute)

    told = subprocess.run(
        [sys.executable, "-c", HOUR, str(path)], capture_output=True, text=True, check=True
    ).stdout

    seconds, megabytes = map(float, told.split())
    assert 3600 / seconds > 5_000
    assert megabytes < 64
