"""Live transcription: what has been said on a leg's tracks, call.transcription tells."""

import re
from datetime import datetime

from simulator.answers import Answer, Json, accepted, refused
from simulator.core import Core
from simulator.legs import Leg, Noise, Track, Transcribing

TRACKS: dict[str, tuple[Track, ...]] = {
    "inbound": ("inbound",),
    "outbound": ("outbound",),
    "both": ("inbound", "outbound"),
}
PLAIN_ENGINES = ("Google", "A")  # without capitals and punctuation, unless asked for


def start(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Transcribe a leg from now on."""
    if leg.transcribing:
        raise refused(422, "90054", "The call is being transcribed already.")
    config = body.get("transcription_engine_config") or {}
    engine = body.get("transcription_engine", "Google")
    tracks = body.get("transcription_tracks", "inbound")
    leg.transcribing = Transcribing(
        tracks=TRACKS.get(tracks, TRACKS["inbound"]),
        has_interim=config.get("interim_results") is True,
        is_plain=engine in PLAIN_ENGINES,
    )
    return accepted()


def stop(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Transcribe a leg no more; harmless when nothing was being transcribed."""
    leg.transcribing = None
    return accepted()


def follow(core: Core, noise: Noise) -> None:
    """Caption a noise with words: half-way for those who want interim results, and at its end."""
    core.at(noise.end, lambda at: finish(core, noise, at))
    if any(leg.transcribing and leg.transcribing.has_interim for leg, _ in noise.ears):
        core.at(noise.start + (noise.end - noise.start) / 2, lambda at: _tell(core, noise, at))


def finish(core: Core, noise: Noise, at: datetime) -> None:
    """Tell the final words of a noise, once."""
    if not noise.is_captioned:
        noise.is_captioned = True
        _tell(core, noise, at, is_final=True)


def _tell(core: Core, noise: Noise, at: datetime, *, is_final: bool = False) -> None:
    if noise.is_captioned and not is_final:
        return  # it was cut short before its middle
    text = " ".join(noise.words(noise.start, at if not is_final else noise.end))
    for leg, track in noise.ears:
        wish = leg.transcribing
        if not (text and wish and track in wish.tracks and leg.is_live):
            continue
        if is_final or wish.has_interim:
            core.emit(
                leg,
                "call.transcription",
                at,
                transcription_data={
                    "confidence": round(core.chance.uniform(0.9, 0.99), 6),
                    "is_final": is_final,
                    "transcript": _plain(text) if wish.is_plain else text,
                    "transcription_track": track,
                },
            )


def _plain(text: str) -> str:
    return re.sub(r"[^\w\s'+@-]", "", text.lower())
