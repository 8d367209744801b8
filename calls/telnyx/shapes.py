"""The compound values of the commands' parameters.

Known fields are checked; a provider or an engine that is new at Telnyx may carry any plain values.
Source: docs/telnyx.md#commands
"""

from collections.abc import Mapping

from calls.telnyx import checks, words
from calls.telnyx.kinds import (
    Choice,
    Items,
    Kind,
    Mapped,
    Number,
    OpenChoice,
    Refused,
    Table,
    Tagged,
    Text,
    Whole,
    YesNo,
)
from calls.telnyx.values import JSON

TEXT = Text()
YES_NO = YesNo()

HEADERS = Items(
    Table({"name": Text(check=checks.header_name), "value": TEXT}, ("name", "value")), 50
)
USER_TO_USER = Items(
    Table({"name": Choice(("User-to-User",)), "value": TEXT}, ("name", "value")), 50
)

SOUND = Table(
    {
        "octaves": Number(-1, 1),
        "semitone": Number(-14, 14),
        "pitch": Number(0.01, 10),  # Telnyx: above 0
        "track": Choice(("inbound", "outbound", "both")),
    }
)

DEEPFAKE = Table(
    {"enabled": YES_NO, "timeout": Whole(5, 60, "s"), "rtp_timeout": Whole(5, 120, "s")},
    ("enabled",),
)

WEBHOOK_URLS = Mapped(Text(2000, check=checks.web_address))


WAITS = Items(Whole(0, 60_000, "ms"), 5)


class Delays:
    """When to send a webhook again: up to 5 waits, a minute in all."""

    def read(self, raw: object) -> JSON:
        """Read a list of milliseconds."""
        waits = WAITS.read(raw)
        total_ms = sum(wait for wait in waits if isinstance(wait, int))
        if total_ms > 60_000:
            raise Refused(f"adds up to {total_ms} ms, the limit is 60000 ms")
        return waits


RETRIES = Mapped(Table({"retries_ms": Delays()}, ("retries_ms",)))


def _voice(**fields: Kind) -> Table:
    return Table({"type": TEXT, **fields}, ("type",))


SPEED = Number(0.1, 10)  # our choice where Telnyx names no bounds
KEY = TEXT  # the name of a secret kept at Telnyx, never the secret

VOICE_SETTINGS = Tagged(
    "type",
    {
        "telnyx": _voice(voice_speed=Number(0.1, 2)),
        "aws": _voice(),
        "azure": _voice(
            api_key_ref=KEY,
            deployment_id=TEXT,
            effect=OpenChoice(suggestions=("eq_car", "eq_telecomhp8k")),
            gender=Choice(("Male", "Female")),
            region=TEXT,
        ),
        "elevenlabs": _voice(api_key_ref=KEY),
        "minimax": _voice(
            speed=SPEED, vol=Number(0, 10), pitch=Whole(-12, 12), language_boost=TEXT
        ),
        "rime": _voice(voice_speed=SPEED),
        "resemble": _voice(
            format=Choice(("wav", "mp3")),
            precision=OpenChoice(suggestions=("PCM_16", "PCM_24", "PCM_32", "MULAW")),
            sample_rate=TEXT,
        ),
        "inworld": _voice(
            delivery_mode=OpenChoice(suggestions=("STABLE", "BALANCED", "CREATIVE"))
        ),
        "soniox": _voice(speed=SPEED, reduce_silence=YES_NO),
        "xai": _voice(language=TEXT),
    },
)


def _engine(*required: str, **fields: Kind) -> Table:
    return Table({"transcription_engine": TEXT, "language": TEXT, **fields}, required)


def _model(**fields: Kind) -> Table:
    return _engine(transcription_model=TEXT, interim_results=YES_NO, **fields)


SPEAKERS = Whole(1, 100)
PHRASES = Items(Text(100), 500)
TERMS = Items(Text(100), 100)
GOOGLE = _engine(
    interim_results=YES_NO,
    enable_speaker_diarization=YES_NO,
    min_speaker_count=SPEAKERS,
    max_speaker_count=SPEAKERS,
    model=OpenChoice(suggestions=("phone_call", "latest_long", "latest_short", "default")),
    hints=PHRASES,
    profanity_filter=YES_NO,
    speech_context=Items(Table({"boost": Number(0, 100), "phrases": PHRASES}), 50),
    use_enhanced=YES_NO,
)
DEEPGRAM = _engine(
    "transcription_model",
    transcription_model=OpenChoice(suggestions=("deepgram/nova-3", "deepgram/nova-2")),
    interim_results=YES_NO,
    smart_format=YES_NO,
    hints=TERMS,
    keyterms=TERMS,
    keywords_boosting=Mapped(Number(-100, 100), 100),
    utterance_end_ms=Whole(0, 5000, "ms"),
)
CONFIGS: Mapping[str, Table] = {
    "Google": GOOGLE,
    "A": GOOGLE,
    "Telnyx": _engine(transcription_model=TEXT),
    "B": _engine(transcription_model=TEXT),
    "Deepgram": DEEPGRAM,
    "deepgram/nova-2": DEEPGRAM,
    "deepgram/nova-3": DEEPGRAM,
    "Azure": _engine("region", region=TEXT, api_key_ref=KEY),
    "xAI": _model(),
    "AssemblyAI": _model(),
    "Speechmatics": _model(),
    "Soniox": _model(
        enable_endpoint_detection=YES_NO, max_endpoint_delay_ms=Whole(500, 3000, "ms")
    ),
    "Parakeet": _model(),
    "Humain": _model(),
    "Reson8": _model(),
    "Cohere": _model(),
}
ENGINE_CONFIG = Tagged("transcription_engine", CONFIGS)

TRANSCRIPTION = Table(
    {
        "transcription_engine": OpenChoice(suggestions=words.ENGINES),
        "transcription_engine_config": ENGINE_CONFIG,
        "transcription_tracks": Choice(("both", "inbound", "outbound")),
        "client_state": Text(4096, check=checks.base64_text),
    }
)
