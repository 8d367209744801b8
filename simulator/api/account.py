"""What belongs to the account: its voices and its Call Control Application."""

from simulator.answers import Answer
from simulator.api.pages import not_found, numbered, wrapped
from simulator.core import CONNECTION_ID
from simulator.legs import stamp
from simulator.routing import Request, Result, Route
from simulator.switchboard import Switchboard

VOICES = (
    ("aws", "AWS.Polly.Joanna", "en-US", "Female"),
    ("aws", "AWS.Polly.Joanna-Neural", "en-US", "Female"),
    ("aws", "AWS.Polly.Matthew-Neural", "en-US", "Male"),
    ("aws", "AWS.Polly.Amy-Neural", "en-GB", "Female"),
    ("aws", "AWS.Polly.Vicki-Neural", "de-DE", "Female"),
    ("aws", "AWS.Polly.Lucia-Generative", "es-ES", "Female"),
    ("azure", "Azure.en-US-BrianMultilingualNeural", "en-US", "Male"),
    ("azure", "Azure.en-US-Ava:DragonHDLatestNeural", "en-US", "Female"),
    ("telnyx", "Telnyx.KokoroTTS.af", "en-US", "Female"),
    ("telnyx", "Telnyx.Natural.abbie", "en-US", "Female"),
    ("telnyx", "Telnyx.NaturalHD.astra", "en-US", "Female"),
    ("minimax", "Minimax.speech-02-hd.Wise_Woman", "en-US", "Female"),
    ("rime", "Rime.ArcanaV3.cove", "en-US", "Male"),
    ("xai", "xAI.eve", "en-US", "Female"),
)


def voices(board: Switchboard, request: Request) -> Result:
    """GET /text-to-speech/voices: not wrapped in data."""
    provider = request.query.get("provider")
    return Answer(
        200,
        {
            "voices": [
                {
                    "provider": maker,
                    "name": voice_id.split(".", 2)[-1],
                    "voice_id": voice_id,
                    "language": language,
                    "gender": gender,
                }
                for maker, voice_id, language, gender in VOICES
                if provider in (None, maker)
            ]
        },
    )


def applications(board: Switchboard, request: Request) -> Result:
    """GET /call_control_applications."""
    return numbered(request, [board.application], lambda row: row)


def application(board: Switchboard, request: Request) -> Result:
    """GET /call_control_applications/{id}."""
    if request.named["id"] != CONNECTION_ID:
        raise not_found("call control application")
    return wrapped(board.application)


def update_application(board: Switchboard, request: Request) -> Result:
    """PATCH /call_control_applications/{id}: webhooks go to its webhook_event_url from then on."""
    application(board, request)
    fixed = {"id", "record_type", "created_at", "updated_at"}
    changes = {
        key: request.body[key] for key in board.application.keys() & request.body.keys() - fixed
    }
    board.application |= changes | {"updated_at": stamp(board.now())}
    board.courier.url = board.application["webhook_event_url"] or ""
    return wrapped(board.application)


ROUTES = [
    Route("GET", "/text-to-speech/voices", voices),
    Route("GET", "/call_control_applications", applications),
    Route("GET", "/call_control_applications/{id}", application),
    Route("PATCH", "/call_control_applications/{id}", update_application),
]
