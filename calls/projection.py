"""Facts into the Call row: the only code that writes what the fold says.

WebhookEvent rows of the leg + Commands that reached Telnyx --fold--> Call, confirmed Commands
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeAlias
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from calls import fold, recall, signals
from calls.models import Call, Command, Kind
from calls.recall import Fact
from calls.ring import ALL, LIVE, ring
from calls.telnyx.values import JSON

FIRST_PROBE = timedelta(seconds=3)  # time for the call's other webhooks to come
QUIET = timedelta(minutes=10)  # a live call that tells nothing for so long is asked about

FATES = {state.value: fold.Fate.APPLIED for state in Command.APPLIED} | {
    Command.State.UNKNOWN.value: fold.Fate.UNKNOWN
}
FIELDS = {field.attname: field for field in Call._meta.concrete_fields}
COLUMNS = [field.name for field in fields(fold.CallState) if field.name != "confirmed"]


Changes: TypeAlias = Mapping[str, object]  # columns of a Call


class Ids(NamedTuple):
    """How an event names its call."""

    leg: str
    session: str = ""
    control: str = ""


def locked(leg: str, *, session: str = "", control: str = "") -> Call:
    """Return the row of a leg, made if need be, and hold it until the transaction ends."""
    return all_locked([Ids(leg, session, control)])[leg]


def all_locked(ids: Iterable[Ids]) -> dict[str, Call]:
    """Return the rows of several legs by leg, as `locked` does.

    All are made before any is held, and always in the same order: so nobody waits in a circle.
    """
    wanted = {each.leg: each for each in sorted(ids)}
    try:
        with transaction.atomic():
            held = _held(wanted)
            if len(held) < len(wanted):
                raise _IsNew  # and let go of the others
    except _IsNew:
        new = [each for leg, each in wanted.items() if leg not in held]
        Call.objects.bulk_create(map(_new, new), ignore_conflicts=True)
        held = _held(wanted)
    for leg, call in held.items():
        _learn(call, wanted[leg])
    return held


class _IsNew(Exception):
    """A leg has no row yet."""


def _held(legs: Collection[str]) -> dict[str, Call]:
    rows = Call.objects.filter(call_leg_id__in=legs).order_by("call_leg_id")
    return {call.call_leg_id: call for call in rows.select_for_update()}


def _new(ids: Ids) -> Call:
    return Call(
        call_leg_id=ids.leg,
        call_control_id=ids.control,
        call_session_id=ids.session,
        conversation=ids.session or ids.leg,
        probe_at=timezone.now() + FIRST_PROBE,
    )


def _learn(call: Call, ids: Ids) -> None:
    """Write down ids that the call did not have yet."""
    session = call.call_session_id or ids.session
    own = call.conversation if call.supervises_id else session or call.conversation
    learnt = {
        "call_control_id": call.call_control_id or ids.control,
        "call_session_id": session,
        "conversation": own,
    }
    if any(getattr(call, name) != value for name, value in learnt.items()):
        for name, value in learnt.items():
            setattr(call, name, value)
        Call.objects.filter(pk=call.pk).update(**learnt)
        Call.objects.filter(supervises=call).update(conversation=own)


def join(call: Call, supervised_control_id: str) -> None:
    """Put the locked leg of a supervisor into the conversation that it listens in on."""
    if not supervised_control_id or call.supervises_id:
        return
    named = Call.objects.filter(call_control_id=supervised_control_id).exclude(pk=call.pk)
    supervised = named.order_by("-first_heard_at").first()
    if supervised is not None:
        touch(call, supervises_id=supervised.pk, conversation=supervised.conversation)


def refold(*calls: Call) -> None:
    """Compute locked calls anew from their facts and write what changed."""
    facts, orders = recall.facts({call.call_leg_id for call in calls}), _orders(calls)
    changed = [
        (call, changes)
        for call in calls
        if (changes := _refold(call, facts[call.call_leg_id], orders[call.pk])) is not None
    ]
    _write(changed)
    for call, changes in changed:
        if changes.get("ended_while_paused"):
            signals.tell(
                "call.ended_paused",
                f"A call ended while paused: {call}",
                "Nobody had resumed its recording. What was said after the pause is not in it.",
                call.get_absolute_url(),
                cause=str(call.pk),
                call=call.pk,
            )


def _refold(call: Call, facts: Sequence[Fact], orders: Sequence[Command]) -> Changes | None:
    """Return what changed of a call; None if no page that shows it need know."""
    state = fold.fold((fact.event for fact in facts), map(_order, orders))
    confirmed = _confirm(orders, state.confirmed, {fact.event.event_id: fact for fact in facts})
    changes = _changes(call, state)
    return changes if changes or confirmed else None


def touch(call: Call, **changes: object) -> None:
    """Write columns of a call, and let every page that shows it know."""
    _write([(call, changes)])


def _write(changed: Iterable[tuple[Call, Changes]]) -> None:
    """Write columns of calls and raise their versions: one statement for the same columns.

    Calls change all day, and the ORM takes longer over an UPDATE than the database does.
    """
    alike: defaultdict[tuple[str, ...], list[list[object]]] = defaultdict(list)
    shown = set()
    for call, changes in changed:
        for name, value in changes.items():
            setattr(call, name, value)
        alike[tuple(changes)].append([*changes.values(), call.pk])
        shown.add(ALL if "conversation" in changes else call.conversation)
    for names, rows in alike.items():
        fields = [FIELDS[name] for name in (*names, "id")]
        values = [
            [
                field.get_db_prep_save(value, connection)
                for field, value in zip(fields, row, strict=True)
            ]
            for row in rows
        ]
        sets = "".join(f", {field.column} = %s" for field in fields[:-1])
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE calls_call SET version = version + 1{sets} WHERE id = %s",  # noqa: S608
                values,
            )
    if alike:
        transaction.on_commit(partial(ring, LIVE, shown))


def _orders(calls: Sequence[Call]) -> dict[UUID, list[Command]]:
    sent = Command.objects.filter(call__in=calls, state__in=FATES, first_sent_at__isnull=False)
    sent = sent.select_related("rule")
    orders: defaultdict[UUID, list[Command]] = defaultdict(list)
    for command in sent:
        if command.call_id:
            orders[command.call_id].append(command)
    return orders


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
        empties=command.empties_queue,
        role=_role(command.kind, params),
        rule=command.rule.name if command.rule else "",
    )


def _role(kind: str, params: Mapping[str, JSON]) -> str:
    """Return the role that a command gives to a supervisor's leg, "" for any other command."""
    if kind == Kind.SWITCH_SUPERVISOR_ROLE:
        return str(params.get("role", ""))
    if kind == Kind.DIAL and params.get("supervise_call_control_id"):
        return str(params.get("supervisor_role") or "barge")  # Telnyx's default
    return ""


def _confirm(
    orders: Sequence[Command], confirmed: Mapping[str, str], facts: Mapping[str, Fact]
) -> bool:
    """Mark the commands that an event has proved. Says whether any was marked."""
    marked = 0
    for command in orders:
        proof = facts.get(confirmed.get(str(command.pk), ""))
        if proof is not None and command.state != Command.State.CONFIRMED:
            marked += Command.objects.filter(
                pk=command.pk,
                state__in=[
                    Command.State.ACCEPTED,
                    Command.State.UNKNOWN,
                    Command.State.TIMED_OUT,
                ],
            ).update(
                state=Command.State.CONFIRMED,
                confirmed_at=proof.event.received_at,
                confirmed_by=proof.pk,
                settled_at=command.settled_at or proof.event.received_at,
            )
    return bool(marked)


def _changes(call: Call, state: fold.CallState) -> Changes:
    new: dict[str, object] = {name: getattr(state, name) for name in COLUMNS}
    for name in ("from_number", "to_number", "caller_name", "sound_medium"):
        new[name] = str(new[name])[:255]
    for name in ("hangup_cause", "hangup_source"):
        new[name] = str(new[name])[:64]
    new["direction"] = str(new["direction"])[:8]
    if state.line is fold.Line.ENDED and call.closed_at is None:
        new["closed_at"] = timezone.now()
    changes = {name: value for name, value in new.items() if getattr(call, name) != value}
    if changes and state.line is not fold.Line.UNKNOWN:
        is_over = state.line is fold.Line.ENDED
        changes["probe_at"] = None if is_over else timezone.now() + QUIET
        if call.doubted_at is not None:  # it tells of itself again
            changes["doubted_at"] = None
    return changes


def rebuild(*, since: datetime | None = None) -> int:
    """Fold every call anew, or those first heard of since a moment; return how many."""
    calls = Call.objects.all() if since is None else Call.objects.filter(first_heard_at__gte=since)
    done = 0
    for leg in calls.values_list("call_leg_id", flat=True).iterator():
        with transaction.atomic():
            refold(locked(leg))
        done += 1
    return done
