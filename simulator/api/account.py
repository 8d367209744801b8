"""What belongs to the account: its voices and its Call Control Application."""

from simulator.answers import Answer, refused
from simulator.api.pages import not_found, numbered, wrapped
from simulator.core import CONNECTION_ID
from simulator.legs import stamp
from simulator.routing import Request, Result, Route
from simulator.switchboard import Switchboard
from simulator.voices import VOICES

PROVIDERS = ("aws", "telnyx", "azure", "elevenlabs", "minimax", "rime", "resemble", "xai")
NEED_KEY = ("elevenlabs", "resemble")


def voices(board: Switchboard, request: Request) -> Result:
    """GET /text-to-speech/voices: not wrapped in data."""
    provider = request.query.get("provider")
    if provider is not None and provider not in PROVIDERS:
        detail = f"provider is {provider!r}, must be one of {', '.join(PROVIDERS)}."
        raise refused(400, "10015", detail)
    if provider in NEED_KEY and not request.query.get("api_key"):
        raise refused(400, "10015", f"{provider} lists its voices for an api_key only.")
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
    for name in ("application_name", "webhook_event_url"):
        if not request.body.get(name):
            raise refused(422, "10004", f"{name} is required.", pointer=f"/{name}")
    if request.body.get("webhook_api_version", "2") not in ("1", "2"):
        detail = "webhook_api_version must be 1 or 2."
        raise refused(422, "10032", detail, pointer="/webhook_api_version")
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
