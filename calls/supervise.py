"""Listening in: the desk calls a supervisor's own phone and lets it hear a live call.

    listen_in -> Command(dial, supervise_call_control_id, monitor) -> the supervisor's leg
    the leg --joined by our own command, or by the state it carries--> the conversation

It always begins silent. Whoever listened in on whom, from when to when, stands in the audit trail.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.utils import timezone

from access import audit
from access.models import AuditRow
from calls import commands, fold, parties, projection
from calls.events import handles
from calls.models import Call, Command, Kind, WebhookEvent
from calls.telnyx import payloads
from calls.telnyx.values import JSON, text
from calls.wishes import name

MARK = "tapeline-listen:"  # before the press's id in the client state of a supervisor's leg
RING_S = 30
BEGAN, ENDED = "began to listen in", "ended listening in"
SWITCHED = "switched role of listening in"


def why_not(legs: Sequence[Call]) -> str:
    """Return why nobody can listen in on a conversation now, or ""."""
    if any(call.is_answered and not call.supervises_id for call in legs):
        return ""
    if any(call.is_live for call in legs):
        return "Nobody has answered yet, so there is nothing to hear."
    return "The call has ended."


def choices(legs: Sequence[Call]) -> list[Call]:
    """Return the legs that one may listen in on, the agent's first: a whisper reaches that one."""
    agent = parties.agent(legs)
    able = [call for call in legs if call.is_answered and not call.supervises_id]
    return sorted(able, key=lambda call: call is not agent)


def listener_of(legs: Sequence[Call], person: AbstractBaseUser | AnonymousUser) -> bool:
    """Say whether a person listens in on one of these legs, or is being called for it."""
    tokens = [call.call_control_id for call in legs if call.call_control_id]
    mine = Command.objects.filter(
        kind=Kind.DIAL,
        requested_by_id=person.pk,
        params__supervise_call_control_id__in=tokens,
    )
    lost = (Command.State.FAILED, Command.State.EXPIRED, Command.State.UNKNOWN)
    return mine.exclude(state__in=lost).exclude(call__line=fold.Line.ENDED).exists()


def listen_in(
    call: Call, *, by: AbstractBaseUser, to: str, shown: str, request_id: str
) -> Command:
    """Have Telnyx call a phone and let it hear a leg, silently. Raises NotNow."""
    legs = list(Call.objects.filter(conversation=call.conversation).eldest_first())
    same = Command.objects.filter(requested_by_id=by.pk, request_id=request_id).first()
    if same is not None:
        return same
    if not call.is_answered or call.supervises_id:
        raise commands.NotNow(why_not(legs) or "This leg is not on the line any more.")
    if not settings.TELNYX_CONNECTION_ID:
        raise commands.NotNow("TELNYX_CONNECTION_ID is not set: nobody can be called.")
    if not call.call_control_id:
        raise commands.NotNow("Telnyx has not told this call's control id.")
    if listener_of(legs, by):
        raise commands.NotNow("You listen in already, or your phone is being called for it.")
    params: dict[str, JSON] = {
        "to": to,
        "from": shown,
        "connection_id": settings.TELNYX_CONNECTION_ID,
        "timeout_secs": RING_S,
        "supervise_call_control_id": call.call_control_id,
        "supervisor_role": "monitor",
        "client_state": _state(request_id),
    }
    with transaction.atomic():
        audit.record(by, "asked to listen in", _subject(call), on=parties.theirs(call), phone=to)
        return commands.issue(None, Kind.DIAL, params, by=by, request_id=request_id)


def switch(leg: Call, role: str, *, by: AbstractBaseUser, request_id: str) -> Command:
    """Have Telnyx change who hears a supervisor. Raises NotNow, also for another's phone."""
    person = person_of(leg)
    if leg.supervises is None:
        raise commands.NotNow(commands.why_not(leg, Kind.SWITCH_SUPERVISOR_ROLE))
    if person is None or person.pk != by.pk:
        whose = name(person) if person else "somebody else"
        raise commands.NotNow(f"This is the phone of {whose}, who alone decides who hears them.")
    with transaction.atomic():
        wish = commands.issue(
            leg, Kind.SWITCH_SUPERVISOR_ROLE, {"role": role}, by=by, request_id=request_id
        )
        if not _told(leg.supervises, SWITCHED, command=str(wish.pk)):
            ids = {"leg": str(leg.pk), "command": str(wish.pk)}
            audit.record(by, SWITCHED, _subject(leg.supervises), role=role, **ids)
    return wish


def pending(legs: Sequence[Call]) -> list[Command]:
    """Return the newest calls to supervisors' phones that led to no leg yet, or never did."""
    tokens = [call.call_control_id for call in legs if call.call_control_id]
    rows = Command.objects.filter(
        kind=Kind.DIAL,
        call=None,
        params__supervise_call_control_id__in=tokens,
        requested_at__gt=timezone.now() - timedelta(minutes=10),
    )
    return list(rows.select_related("requested_by", "rule").order_by("-requested_at")[:3])[::-1]


def person_of(leg: Call) -> User | None:
    """Return whose phone a supervisor's leg is."""
    dialled = leg.commands.filter(kind=Kind.DIAL).select_related("requested_by").first()
    return dialled.requested_by if dialled else None


def _state(request_id: str) -> str:
    """Return the client state by which a leg is known even if Telnyx's answer never comes."""
    return base64.b64encode(f"{MARK}{request_id}".encode()).decode()


def _asked(state: str) -> bool:
    try:
        return base64.b64decode(state, validate=True).startswith(MARK.encode())
    except (binascii.Error, ValueError):
        return False


@handles("call.initiated")
@handles("call.answered")
def joined(event: WebhookEvent, told: payloads.Event, call: Call) -> None:
    """Know a supervisor's leg by the state it carries; tell when listening begins."""
    state = text(told.payload.get("client_state"))
    if not call.supervises_id and state and _asked(state):
        dialled = Command.objects.filter(kind=Kind.DIAL, params__client_state=state).first()
        if dialled is None:
            return
        Command.objects.filter(pk=dialled.pk, call=None).update(call=call)
        projection.join(call, str(dialled.params.get("supervise_call_control_id") or ""))
    if event.event_type == "call.answered" and call.supervises is not None:
        _tell(call, BEGAN, phone=call.to_number or text(told.payload.get("to"), 255))


@handles("call.hangup")
@handles("reconcile.ended")
def ended(event: WebhookEvent, told: payloads.Event, call: Call) -> None:
    """Tell when listening ends; whoever never answered heard nothing."""
    if call.supervises is None:
        return
    answered = WebhookEvent.objects.filter(
        call_leg_id=call.call_leg_id, event_type="call.answered", occurred_at__isnull=False
    )
    began = answered.order_by("occurred_at").values_list("occurred_at", flat=True).first()
    if began is not None:
        _tell(call, ENDED, **_span(began, event.occurred_at))


def _span(began: datetime, over: datetime | None) -> dict[str, object]:
    """Return from when to when, by Telnyx's clock."""
    told: dict[str, object] = {"began": began.isoformat()}
    if over is not None:
        told |= {"ended": over.isoformat(), "seconds": round((over - began).total_seconds())}
    return told


def _tell(leg: Call, verb: str, **details: object) -> None:
    """Write one row of the trail, once: a webhook may come twice."""
    supervised = leg.supervises
    if supervised is None or _told(supervised, verb, leg=str(leg.pk)):
        return
    on = parties.theirs(supervised)
    audit.record(person_of(leg), verb, _subject(supervised), on=on, leg=str(leg.pk), **details)


def _told(supervised: Call, verb: str, **details: str) -> bool:
    same = {f"details__{name}": value for name, value in details.items()}
    return AuditRow.objects.filter(subject=_subject(supervised), verb=verb, **same).exists()


def _subject(call: Call) -> str:
    return f"call {call.pk}"
