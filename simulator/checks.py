"""What a command's body must look like: the fields, their bounds, Telnyx's code when wrong.

Fields we do not know are ignored, as Telnyx ignores them.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import NamedTuple

from simulator.answers import Json, Refused, error

MISSING = "10004"
RANGE = "10033"
ENUM = "10032"


class Field(NamedTuple):
    """A field: whether a value fits, how to say what fits, and the code if it does not."""

    fits: Callable[[object], bool]
    wants: str
    code: str
    is_required: bool = False
    missing_code: str | None = None

    def required(self, code: str = MISSING) -> "Field":
        """Return the same field, required."""
        return self._replace(is_required=True, missing_code=code)


def one_of(*words: str, code: str = ENUM) -> Field:
    """Return a field that takes one of several words."""
    return Field(lambda value: value in words, f"one of {', '.join(words)}", code)


def whole(low: int, high: int, code: str = RANGE) -> Field:
    """Return a field that takes a whole number within bounds."""
    return Field(
        lambda value: type(value) is int and low <= value <= high,
        f"a whole number from {low} to {high}",
        code,
    )


def text(low: int, high: int, code: str = RANGE) -> Field:
    """Return a field that takes a text of so many characters."""
    return Field(
        lambda value: isinstance(value, str) and low <= len(value) <= high,
        f"a text of {low} to {high} characters",
        code,
    )


def _is_base64(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(base64.b64decode(value, validate=True) or True)
    except (binascii.Error, ValueError):
        return False


def _is_number(value: object) -> bool:
    return (
        isinstance(value, str) and re.fullmatch(r"\+[1-9]\d{6,14}(,[\d*#wW]+)?", value) is not None
    )


def _is_destination(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_destination(one) for one in value)
    return _is_number(value) or (isinstance(value, str) and value.startswith(("sip:", "sips:")))


def _is_loop(value: object) -> bool:
    return value == "infinity" or (type(value) is int and 1 <= value <= 100)


def _is_url_by_event(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(url, str) for url in value.values())


OBJECT = Field(lambda value: isinstance(value, dict), "an object", ENUM)
FLAG = Field(lambda value: isinstance(value, bool), "true or false", ENUM)
TOKEN = Field(lambda value: isinstance(value, str) and value != "", "a text", "90015")
BASE64 = Field(_is_base64, "Base64", "90017")
STATE = {"client_state": BASE64}
COMMON = STATE | {"command_id": text(1, 255)}
FORMAT = one_of("wav", "mp3", code="90000")
CHANNELS = one_of("single", "dual", code="90001")
TRACK = one_of("both", "inbound", "outbound", code="90059")
STOP = one_of("current", "all", code="90016")
LOOP = Field(_is_loop, '"infinity" or a whole number from 1 to 100', "90009")
TARGETS = one_of("self", "opposite", "both")
NUMBER = Field(_is_number, "a phone number in +E.164 format", "10016")
DESTINATION = Field(_is_destination, "a phone number in +E.164 format or a SIP URI", "10016")
# fmt: off
LANGUAGES = (
    "arb", "cmn-CN", "cy-GB", "da-DK", "de-DE", "en-AU", "en-GB", "en-GB-WLS", "en-IN", "en-US",
    "es-ES", "es-MX", "es-US", "fr-CA", "fr-FR", "hi-IN", "is-IS", "it-IT", "ja-JP", "ko-KR",
    "nb-NO", "nl-NL", "pl-PL", "pt-BR", "pt-PT", "ro-RO", "ru-RU", "sv-SE", "tr-TR",
)
ENGINES = (
    "Google", "Telnyx", "Deepgram", "Azure", "xAI", "AssemblyAI", "Speechmatics", "Soniox",
    "Parakeet", "A", "B",
)
# fmt: on

RECORD_FROM_ANSWER = {
    "record": one_of("record-from-answer"),
    "record_format": FORMAT,
    "record_channels": CHANNELS,
    "record_track": TRACK,
    "record_max_length": whole(0, 43_200),
    "record_timeout_secs": whole(0, 43_200, "90049"),
    "record_trim": one_of("trim-silence"),
    "record_custom_file_name": text(1, 40),
    "transcription": FLAG,
    "transcription_config": OBJECT,
}

FIELDS: dict[str, dict[str, Field]] = {
    "answer": RECORD_FROM_ANSWER,
    "hangup": {},
    "reject": {"cause": one_of("CALL_REJECTED", "USER_BUSY").required()},
    "bridge": {"call_control_id": TOKEN.required(), "park_after_unbridge": one_of("self")},
    "transfer": {
        "to": DESTINATION.required(),
        "from": NUMBER,
        "timeout_secs": whole(5, 600, "90028"),
    },
    "record_start": {
        "format": FORMAT.required("90000"),
        "channels": CHANNELS.required("90001"),
        "recording_track": TRACK,
        "play_beep": FLAG,
        "max_length": whole(0, 14_400),
        "timeout_secs": whole(0, 14_400, "90028"),
        "trim": one_of("trim-silence"),
        "custom_file_name": text(1, 40),
        "transcription": FLAG,
    },
    "record_stop": {"recording_id": text(1, 64)},
    "record_pause": {"recording_id": text(1, 64)},
    "record_resume": {"recording_id": text(1, 64)},
    "speak": {
        "payload": text(1, 3_000, "90010").required("90010"),
        "voice": text(1, 255, "90012").required("90012"),
        "payload_type": one_of("text", "ssml", code="90011"),
        "service_level": one_of("basic", "premium", code="90030"),
        "language": one_of(*LANGUAGES, code="90013"),
        "loop": LOOP,
        "stop": STOP,
        "target_legs": TARGETS,
    },
    "playback_start": {
        "audio_url": text(1, 2_048),
        "media_name": text(1, 255),
        "playback_content": Field(_is_base64, "Base64", "10015"),
        "audio_type": one_of("mp3", "wav"),
        "loop": LOOP,
        "overlay": FLAG,
        "stop": STOP,
        "target_legs": TARGETS,
    },
    "playback_stop": {"overlay": FLAG, "stop": STOP},
    "transcription_start": {
        "transcription_engine": one_of(*ENGINES),
        "transcription_tracks": one_of("inbound", "outbound", "both"),
        "transcription_engine_config": OBJECT,
    },
    "transcription_stop": {},
    "send_dtmf": {
        "digits": Field(
            lambda value: (
                isinstance(value, str) and re.fullmatch(r"[0-9A-D*#wW]+", value) is not None
            ),
            "keys out of 0-9 A-D * # w W",
            ENUM,
        ).required(),
        "duration_millis": whole(100, 500),
    },
    "client_state_update": {"client_state": BASE64.required("90017")},
    "switch_supervisor_role": {"role": one_of("barge", "whisper", "monitor").required()},
    "dial": RECORD_FROM_ANSWER
    | {
        "connection_id": text(1, 64).required(),
        "to": DESTINATION.required(),
        "from": NUMBER.required(),
        "from_display_name": text(0, 128),
        "timeout_secs": whole(5, 600, "90028"),
        "time_limit_secs": whole(30, 14_400),
        "link_to": TOKEN,
        "supervise_call_control_id": TOKEN,
        "supervisor_role": one_of("barge", "whisper", "monitor"),
        "answering_machine_detection": one_of(
            "premium", "detect", "detect_beep", "detect_words", "greeting_end", "disabled"
        ),
        "audio_url": text(1, 2_048),
        "media_name": text(1, 255),
        "webhook_url": text(1, 2_048),
        "webhook_urls": Field(_is_url_by_event, "an object of event types and URLs", "90057"),
    },
}


def check(action: str, body: Json) -> None:
    """Raise Refused with an error for every field of a command that is missing or wrong."""
    errors = [
        found
        for name, field in (COMMON | FIELDS[action]).items()
        if (found := _wrong(name, field, body.get(name)))
    ]
    if action == "playback_start":
        errors += _sources(body)
    if errors:
        raise Refused(422, errors)


def _wrong(name: str, field: Field, value: object) -> Json | None:
    if value is None:
        if not field.is_required:
            return None
        code = field.missing_code or MISSING
        return error(code, f"{name} is required, {field.wants}.", pointer=f"/{name}")
    if field.fits(value):
        return None
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    return error(field.code, f"{name} is {shown}, must be {field.wants}.", pointer=f"/{name}")


def _sources(body: Json) -> list[Json]:
    named = [key for key in ("audio_url", "media_name", "playback_content") if body.get(key)]
    if len(named) == 1:
        return []
    if named:
        return [error("10015", f"Only one of {' and '.join(named)} can be given.")]
    detail = "One of audio_url, media_name, playback_content is required."
    return [error(MISSING, detail, pointer="/audio_url")]
