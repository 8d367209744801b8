"""Facts into the Call row: the only code that writes what the fold says.

WebhookEvent rows of the leg + Commands that reached Telnyx --fold--> Call, confirmed Commands
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from calls import fold
from calls.models import Call, Command, WebhookEvent
from calls.ring import LIVE, ring
from calls.telnyx import payloads

FIRST_PROBE = timedelta(seconds=3)  # time for the call's other webhooks to come

FATES = {state.value: fold.Fate.APPLIED for state in Command.APPLIED} | {
    Command.State.UNKNOWN.value: fold.Fate.UNKNOWN
}


def locked(leg: str, *, session: str = "", control: str = "") -> Call:
    """Return the row of a leg, made if need be, and hold it until the transaction ends."""
    Call.objects.get_or_create(
        call_leg_id=leg,
        defaults={
            "call_control_id": control,
            "call_session_id": session,
            "conversation": session or leg,
            "probe_at": timezone.now() + FIRST_PROBE,
        },
    )
    call = Call.objects.select_for_update().get(call_leg_id=leg)
    learnt = {
        "call_control_id": call.call_control_id or control,
        "call_session_id": call.call_session_id or session,
    }
    if any(getattr(call, name) != value for name, value in learnt.items()):
        learnt["conversation"] = call.conversation if call.call_session_id else session
        for name, value in learnt.items():
            setattr(call, name, value)
        Call.objects.filter(pk=call.pk).update(**learnt)
    return call


def refold(call: Call) -> None:
    """Compute a locked call anew from its facts and write what changed."""
    facts = _facts(call)
    orders = list(Command.objects.filter(call=call, state__in=FATES, first_sent_at__isnull=False))
    state = fold.fold((fact for fact, _ in facts), map(_order, orders))
    confirmed = _confirm(orders, state.confirmed, {fact.event_id: row for fact, row in facts})
    changes = _changes(call, state)
    if changes or confirmed:
        touch(call, **changes)


def touch(call: Call, **changes: object) -> None:
    """Write columns of a call, and let every page that shows it know."""
    for name, value in changes.items():
        setattr(call, name, value)
    Call.objects.filter(pk=call.pk).update(version=F("version") + 1, **changes)
    transaction.on_commit(partial(ring, LIVE))


def _facts(call: Call) -> list[tuple[fold.Event, WebhookEvent]]:
    rows = WebhookEvent.objects.filter(call_leg_id=call.call_leg_id, event_type__in=fold.TYPES)
    facts = []
    for row in rows:
        try:
            payload = payloads.parse(bytes(row.raw)).payload
        except payloads.Unreadable:
            continue  # it is marked on its own row
        facts.append(
            (
                fold.Event(
                    event_id=row.event_id,
                    event_type=row.event_type,
                    occurred_at=row.occurred_at or row.received_at,
                    received_at=row.received_at,
                    payload=payload,
                ),
                row,
            )
        )
    return facts


def _order(command: Command) -> fold.Order:
    params = command.params
    return fold.Order(
        command_id=str(command.pk),
        kind=command.kind,
        fate=FATES[command.state],
        requested_at=command.requested_at,
        sent_at=command.first_sent_at or command.requested_at,
        applied_at=command.accepted_at,
        records_from_answer=params.get("record") == "record-from-answer",
        medium=str(params.get("media_name") or params.get("audio_url") or ""),
    )


def _confirm(
    orders: Sequence[Command], confirmed: Mapping[str, str], rows: dict[str, WebhookEvent]
) -> bool:
    """Mark the commands that an event has proved. Says whether any was marked."""
    marked = 0
    for command in orders:
        row = rows.get(confirmed.get(str(command.pk), ""))
        if row is not None and command.state != Command.State.CONFIRMED:
            marked += Command.objects.filter(
                pk=command.pk,
                state__in=[
                    Command.State.ACCEPTED,
                    Command.State.UNKNOWN,
                    Command.State.TIMED_OUT,
                ],
            ).update(
                state=Command.State.CONFIRMED,
                confirmed_at=row.received_at,
                confirmed_by=row,
                settled_at=command.settled_at or row.received_at,
            )
    return bool(marked)


def _changes(call: Call, state: fold.CallState) -> dict[str, object]:
    new: dict[str, object] = asdict(state)
    del new["confirmed"]
    for name in ("from_number", "to_number", "caller_name", "sound_medium"):
        new[name] = str(new[name])[:255]
    for name in ("hangup_cause", "hangup_source"):
        new[name] = str(new[name])[:64]
    new["direction"] = str(new["direction"])[:8]
    if state.line is not fold.Line.UNKNOWN:
        new["probe_at"] = None
    if state.line is fold.Line.ENDED and call.closed_at is None:
        new["closed_at"] = timezone.now()
    return {name: value for name, value in new.items() if getattr(call, name) != value}


def rebuild(*, since: datetime | None = None) -> int:
    """Fold every call anew, or those first heard of since a moment; return how many."""
    calls = Call.objects.all() if since is None else Call.objects.filter(first_heard_at__gte=since)
    done = 0
    for leg in calls.values_list("call_leg_id", flat=True).iterator():
        with transaction.atomic():
            refold(locked(leg))
        done += 1
    return done
