"""What an event of a call tells about the library."""

from calls.events import handles
from calls.models import Call, WebhookEvent
from calls.sounds import media
from calls.telnyx import payloads
from calls.telnyx.values import text


@handles("call.playback.ended")
def playback_ended(event: WebhookEvent, told: payloads.Event, call: Call) -> None:
    """Send a sound again that Telnyx did not find; the call that missed it is over it."""
    if text(told.payload.get("status")) == "file_not_found":
        media.gone([text(told.payload.get("media_name"), 80)])
