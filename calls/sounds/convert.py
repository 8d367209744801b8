"""An uploaded file into one that Telnyx plays: checked by its content, never by its name.

    prepare(upload, out) -> Prepared, the file in `out`         raises Unfit

WAV becomes mono, 16 bit, at 16 kHz (at 8 kHz if it has no more): what a call carries (assumed;
Telnyx documents WAV and MP3 and no more). An MP3 is passed on as it is; all others are refused.
"""

import wave
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import miniaudio

from calls import audio
from calls.telnyx.api import MEDIA_BYTES

WIDE, NARROW = 16_000, 8_000  # frames per second of a telephone's two qualities


class Unfit(Exception):
    """The file cannot be played on a call; the text says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file ready for Telnyx."""

    format: str
    duration_ms: int
    treatment: str  # what was done, in words


def prepare(upload: Path, out: Path) -> Prepared:
    """Check a file and write what Telnyx is to get. Raises Unfit."""
    try:
        found = audio.probe(upload)
    except audio.NotAudio as exc:
        raise Unfit(f"{exc} Choose a WAV or MP3 file.") from exc
    if found.format == "mp3":
        copyfile(upload, out)
        treatment = f"MP3, {_rate(found.rate)}, {_channels(found)}; kept as it is"
    else:
        treatment = _to_telephone(upload, found, out)
    _check_size(out)
    return Prepared(found.format, found.duration_ms, treatment)


def _to_telephone(upload: Path, found: audio.Audio, out: Path) -> str:
    if found.pcm_at and found.channels == 1 and found.rate in (NARROW, WIDE):
        copyfile(upload, out)
        return f"WAV, {_rate(found.rate)}, mono; kept as it is"
    rate = WIDE if found.rate >= WIDE else NARROW
    signed = miniaudio.SampleFormat.SIGNED16
    try:
        blocks = miniaudio.stream_file(str(upload), signed, 1, rate)
        with wave.open(str(out), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            for block in blocks:
                file.writeframes(block.tobytes())
    except miniaudio.MiniaudioError as exc:
        raise Unfit(f"The WAV file cannot be decoded: {exc}.") from exc
    return f"WAV, {_rate(found.rate)}, {_channels(found)}; made {_rate(rate)}, mono, 16 bit"


def _check_size(out: Path) -> None:
    size = out.stat().st_size
    if size > MEDIA_BYTES:
        raise Unfit(
            f"For calls the file has {size / 1e6:.1f} MB, the limit at Telnyx is"
            f" {MEDIA_BYTES / 1e6:.0f} MB: shorten it, or choose an MP3 file."
        )


def _rate(rate: int) -> str:
    return f"{rate / 1000:g} kHz"


def _channels(found: audio.Audio) -> str:
    return "mono" if found.channels == 1 else "stereo"
