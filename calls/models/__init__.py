"""The rows of the line: facts (WebhookEvent), wishes (Command), and Call, a cache of the fold.

WebhookEvent + accepted Commands --fold--> Call
"""

from calls.models.call import LIVE, Call, CallQuerySet
from calls.models.command import CONFIRMED_BY_WEBHOOK, SINGLE, Command, Kind, kinds
from calls.models.facts import Refusal, WebhookEvent
from calls.models.heartbeat import MISSED_AFTER_S, Heartbeat, HeartbeatQuerySet

__all__ = [
    "CONFIRMED_BY_WEBHOOK",
    "LIVE",
    "MISSED_AFTER_S",
    "SINGLE",
    "Call",
    "CallQuerySet",
    "Command",
    "Heartbeat",
    "HeartbeatQuerySet",
    "Kind",
    "Refusal",
    "WebhookEvent",
    "kinds",
]
