"""The rows of the line: facts (WebhookEvent), wishes (Command), and Call, a cache of the fold.

WebhookEvent + accepted Commands --fold--> Call        Guard watches a paused one
"""

from calls.models.asking import Question
from calls.models.call import LIVE, Call, CallQuerySet
from calls.models.command import (
    CONFIRMED_BY_WEBHOOK,
    LISTEN,
    REASONS,
    ROLES,
    SINGLE,
    SOUNDS,
    Command,
    Kind,
    Why,
    kinds,
)
from calls.models.contacts import Contact, ContactBook, ContactImport
from calls.models.facts import Refusal, WebhookEvent
from calls.models.gauge import Gauge
from calls.models.guard import LATE, PAUSED, Ending, Guard, GuardQuerySet
from calls.models.heartbeat import MISSED_AFTER_S, Heartbeat, HeartbeatQuerySet
from calls.models.media import MediaFile
from calls.models.neighbours import OPENS_AFTER, Forward, Neighbour
from calls.models.phone import Phone
from calls.models.phrases import Phrase
from calls.models.rules import RecordRule, RuleFiring
from calls.models.signals import Delivery, Endpoint, Mailbox, Notice, NoticeChoice, Signal
from calls.models.trouble import Checkup, Dismissal
from calls.models.voices import Voice, VoiceList

__all__ = [
    "CONFIRMED_BY_WEBHOOK",
    "LATE",
    "LISTEN",
    "LIVE",
    "MISSED_AFTER_S",
    "OPENS_AFTER",
    "PAUSED",
    "REASONS",
    "ROLES",
    "SINGLE",
    "SOUNDS",
    "Call",
    "CallQuerySet",
    "Checkup",
    "Command",
    "Contact",
    "ContactBook",
    "ContactImport",
    "Delivery",
    "Dismissal",
    "Ending",
    "Endpoint",
    "Forward",
    "Gauge",
    "Guard",
    "GuardQuerySet",
    "Heartbeat",
    "HeartbeatQuerySet",
    "Kind",
    "Mailbox",
    "MediaFile",
    "Neighbour",
    "Notice",
    "NoticeChoice",
    "Phone",
    "Phrase",
    "Question",
    "RecordRule",
    "Refusal",
    "RuleFiring",
    "Signal",
    "Voice",
    "VoiceList",
    "WebhookEvent",
    "Why",
    "kinds",
]
