"""speak and playback: each leg has a queue of sounds; the first one sounds, `stop` empties it.

    command -> queue -> (audio fetched) -> call.*.started -> noise -> call.*.ended -> the next one

Overlays sound beside the queue's playback and outlive it (assumed: Telnyx does not say).
"""

import re
from datetime import datetime
from typing import Literal

from simulator.answers import Answer, Json, accepted, refused
from simulator.clips import Clip
from simulator.core import SYSTEM, Core
from simulator.legs import Leg, Sound, Track
from simulator.voices import is_male, language_of

NOT_FOUND, FAILED = "file_not_found", "failed"
DETAILS = {NOT_FOUND: "File not found", FAILED: "Audio could not be decoded"}


def speak(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Speak a text into a leg, after whatever is queued there."""
    text = body["payload"]
    if body.get("payload_type") == "ssml":
        text = re.sub(r"<[^>]*>", " ", text)
    clip = core.sounds.speech(" ".join(text.split()), _voice(body))
    return _enqueue(core, leg, body, _sound("speak", {}, body, clip), now)


def playback_start(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Play a file into a leg, after whatever is queued there and once its audio is fetched."""
    if body.get("media_name"):
        name = str(body["media_name"])
        clip = core.sounds.media(name, now)
        sound = _sound("playback", {"media_name": name}, body, clip)
        sound.failure = "" if clip else NOT_FOUND
    elif body.get("audio_url"):
        sound = _sound("playback", {"media_url": body["audio_url"]}, body, None)
    else:
        sound = _sound("playback", {}, body, None)
        sound.content = body["playback_content"]
    if sound.is_overlay and not leg.queue:
        # assumed: Telnyx names the rule, not the error
        raise refused(422, "10015", "An overlay needs a playback that is active already.")
    answer = _enqueue(core, leg, body, sound, now)
    if sound.clip is None and not sound.failure:
        core.wanted.append((leg, sound))
    return answer


def playback_stop(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Stop what sounds on a leg, spoken or played; harmless when nothing does."""
    if body.get("overlay"):
        while leg.overlays:
            _end(core, leg, leg.overlays[0], "cancelled", now)
    else:
        _stop(core, leg, body.get("stop") or "all", now)
        _play_next(core, leg, now)
    return accepted()


def supply(core: Core, leg: Leg, sound: Sound, found: Clip | str, now: datetime) -> None:
    """Hand over the fetched audio of a sound, or say how that failed."""
    now = core.settle(now)
    if isinstance(found, Clip):
        sound.clip = found
    else:
        sound.failure = found
    if sound in leg.overlays:
        _begin(core, leg, sound, now)
    elif sound in leg.queue:
        _play_next(core, leg, now)


def hang_up(core: Core, leg: Leg, now: datetime) -> None:
    """End every sound of a leg whose call is over."""
    del leg.queue[1:]
    for sound in [*leg.overlays, *leg.queue]:
        _end(core, leg, sound, "call_hangup", now)
    leg.queue.clear()
    leg.overlays.clear()


def _sound(
    kind: Literal["speak", "playback"], source: Json, body: Json, clip: Clip | None
) -> Sound:
    loop = body.get("loop", 1)
    return Sound(
        kind=kind,
        source=source,
        targets=body.get("target_legs", "self"),
        loops=None if loop == "infinity" else int(loop),
        is_overlay=kind == "playback" and body.get("overlay") is True,
        clip=clip,
    )


def _voice(body: Json) -> str:
    """Return our voice for one of Telnyx's: the language counts, and whether it is a man's."""
    named = str(body["voice"])
    own = language_of(named) if re.match(r"(AWS\.)?Polly\.", named) else ""
    # Telnyx ignores the language with a Polly voice
    language = own or body.get("language") or language_of(named) or "en-US"
    accent = {"en-US": "en-us", "en-GB": "en-gb", "en-AU": "en-gb", "arb": "ar"}.get(language)
    accent = accent or language.split("-")[0]
    is_man = is_male(named) or re.search(r"(?i)\bmale|brian|matthew|joey|justin|russell", named)
    return f"{accent}+m2" if is_man else f"{accent}+f1"


def _enqueue(core: Core, leg: Leg, body: Json, sound: Sound, now: datetime) -> Answer:
    if body.get("stop"):
        _stop(core, leg, body["stop"], now)
    if sound.is_overlay:
        leg.overlays.append(sound)
        if sound.clip or sound.failure:
            _begin(core, leg, sound, now)
    else:
        leg.queue.append(sound)
        _play_next(core, leg, now)
    return accepted()


def _stop(core: Core, leg: Leg, which: str, now: datetime) -> None:
    """Stop the current sound; `all` also drops those that wait: never started, they do not end."""
    if which == "all":
        del leg.queue[1:]
    if leg.queue:
        _end(core, leg, leg.queue[0], "cancelled", now)


def _play_next(core: Core, leg: Leg, now: datetime) -> None:
    """Start the first sound of the queue, once its audio is here."""
    while leg.queue and not leg.queue[0].started_at:
        sound = leg.queue[0]
        if not sound.clip and not sound.failure:
            return  # still being fetched
        _begin(core, leg, sound, now)


def _begin(core: Core, leg: Leg, sound: Sound, now: datetime) -> None:
    if sound.clip is None:
        _end(core, leg, sound, sound.failure, now)
        return
    sound.started_at = now
    if sound.kind == "speak":
        core.emit(leg, "call.speak.started", now)
    else:
        core.emit(leg, "call.playback.started", now, **sound.source, overlay=sound.is_overlay)
    ears = _ears(leg, sound.targets)
    sound.noise = core.sound_out(sound.clip, SYSTEM, now, ears, loops=sound.loops)
    if sound.loops:
        core.at(sound.noise.end, lambda at: _complete(core, leg, sound, at))


def _complete(core: Core, leg: Leg, sound: Sound, at: datetime) -> None:
    if sound in leg.queue or sound in leg.overlays:
        _end(core, leg, sound, "completed", at)
        _play_next(core, leg, at)


def _end(core: Core, leg: Leg, sound: Sound, status: str, at: datetime) -> None:
    (leg.overlays if sound.is_overlay else leg.queue).remove(sound)
    if sound.noise:
        core.hush(sound.noise, at)
    if not sound.started_at and not sound.failure:
        return
    if sound.kind == "speak":
        core.emit(leg, "call.speak.ended", at, status=status)
        return
    detail = {} if status == "cancelled" else {"status_detail": DETAILS.get(status, "")}
    core.emit(
        leg,
        "call.playback.ended",
        at,
        **sound.source,
        overlay=sound.is_overlay,
        status=status,
        **detail,
    )


def _ears(leg: Leg, targets: str) -> list[tuple[Leg, Track]]:
    both: dict[str, list[Leg | None]] = {
        "self": [leg],
        "opposite": [leg.peer],
        "both": [leg, leg.peer],
    }
    return [(ear, "outbound") for ear in both[targets] if ear]
