"""Rules that record by themselves: answered -> (announce) -> record, once a conversation.

    call.answered --handler--> RuleFiring row --advance_due--> Command(speak or play), then
    call.speak.ended, call.playback.ended, or its time is up --> Command(record_start)

A handler writes rows only. What happens next is decided where the row is held, so two workers at
once mint one command. What people do goes before: a rule never repeats or undoes it.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from statistics import median

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from calls import commands, fold, parties
from calls.events import handles
from calls.lately import Lately
from calls.models import Call, Command, Kind, RecordRule, RuleFiring, WebhookEvent
from calls.ring import ring
from calls.telnyx import payloads
from calls.telnyx.values import JSON, text
from calls.wishes import name

logger = logging.getLogger(__name__)

LATE = timedelta(seconds=60)  # after the answer, a recording is not begun any more
LOOK_AGAIN = timedelta(seconds=30)  # a leg's answer wakes the row; this is for a lost one
SETTLING = timedelta(seconds=1)
NEWEST = 50  # webhooks whose usual delay tells how late one came
ROUND = 100
KEPT = timedelta(days=2)  # conversations that no rule fits

State = RuleFiring.State
SOUND_ENDED = {
    Kind.SPEAK.value: "call.speak.ended",
    Kind.PLAYBACK_START.value: "call.playback.ended",
}
NOT_HEARD = ("failed", "file_not_found")
HOPELESS = (Command.State.FAILED, Command.State.EXPIRED, Command.State.UNKNOWN)


def active() -> QuerySet[RecordRule]:
    """Return the rules that are on, the first to be tried first."""
    return RecordRule.objects.filter(enabled=True, deleted_at=None)


def _are_any() -> bool:
    return active().exists() or RuleFiring.objects.filter(state=State.ANNOUNCING).exists()


are_any = Lately(_are_any)
"""Say whether a rule is on or under way: one counts for what happens a second after its saving."""


@handles("call.answered")
@handles("call.bridged")  # the answer's own webhook may be lost
def answered(event: WebhookEvent, told: payloads.Event, call: Call) -> None:
    """Put the conversation before the rules, or look at it again."""
    if call.supervises_id or not are_any():
        return
    now = timezone.now()
    RuleFiring.objects.bulk_create(
        [
            RuleFiring(
                conversation=call.conversation,
                call=call,
                due_at=now,
                answered_at=event.received_at,
            )
        ],
        ignore_conflicts=True,
    )
    _wake(RuleFiring.objects.filter(conversation=call.conversation, state=State.WAITING), now)


@handles("call.speak.ended")
@handles("call.playback.ended")
def sound_ended(event: WebhookEvent, told: payloads.Event, call: Call) -> None:
    """Look again at a conversation whose announcement may be over."""
    if not are_any():
        return
    waiting = RuleFiring.objects.filter(call=call, state=State.ANNOUNCING)
    if waiting.exists():
        _wake(waiting, timezone.now())


def _wake(rows: QuerySet[RuleFiring], now: datetime) -> None:
    rows.update(due_at=now)
    transaction.on_commit(partial(ring, "control"))


def advance_due(*, overdue: timedelta = timedelta()) -> int:
    """Take every conversation one step on whose time has come; return how many."""
    now = timezone.now()
    due = RuleFiring.objects.filter(state__in=RuleFiring.OPEN, due_at__lte=now - overdue)
    keys = list(due.order_by("due_at").values_list("pk", "conversation")[:ROUND])
    for key, conversation in keys:
        try:
            with transaction.atomic():
                _advance(key, conversation)
        except Exception as exc:  # one conversation must hold up no other, and no command
            logger.exception("rule for conversation %s: %s", conversation, exc)
            RuleFiring.objects.filter(pk=key).update(due_at=timezone.now() + LOOK_AGAIN)
    return len(keys)


def sweep() -> int:
    """Forget the conversations of the days before that no rule fitted; return how many."""
    old = RuleFiring.objects.filter(
        state=State.PASSED, rule=None, answered_at__lt=timezone.now() - KEPT
    )
    return old.delete()[0]


def _advance(key: int, conversation: str) -> None:
    """Do the next step, holding the legs first and then the row, as the handlers do."""
    held = Call.objects.select_for_update().filter(conversation=conversation)
    legs = parties.eldest_first(list(held.order_by("call_leg_id")))
    firing = RuleFiring.objects.select_for_update().filter(
        pk=key, state__in=RuleFiring.OPEN, due_at__lte=timezone.now()
    )
    found = firing.first()
    if found is None:  # another worker was quicker
        return
    if found.state == State.WAITING:
        _decide(found, legs)
    else:
        _after_announcement(found, next((leg for leg in legs if leg.pk == found.call_id), None))


def _decide(firing: RuleFiring, legs: list[Call]) -> None:
    customer = parties.customer(legs)
    if not any(leg.is_live for leg in legs) or (customer and customer.line == fold.Line.ENDED):
        _close(firing, State.PASSED, "The call ended before it could be recorded.")
        return
    if customer is None or not customer.is_answered:
        _put_off(firing, LOOK_AGAIN)
        return
    rule = next((rule for rule in active() if fits(rule, customer)), None)
    if rule is None:
        _close(firing, State.PASSED, "No rule fits.")
        return
    firing.call, firing.rule = customer, rule
    reason = _too_late(customer) or _others_did(legs) or _cannot(customer)
    if reason:
        _close(firing, State.PASSED, reason)
    elif rule.announcement:
        kind, params = announcement(rule, both=customer.line == fold.Line.BRIDGED)
        firing.announced = _mint(firing, customer, kind, params, "announce")
        firing.state = State.ANNOUNCING
        _put_off(firing, SETTLING)
        transaction.on_commit(partial(ring, "control"))
    else:
        _record(firing, customer, rule)


def fits(rule: RecordRule, call: Call) -> bool:
    """Say whether a rule is about a customer's leg."""
    if rule.direction and rule.direction != call.direction:
        return False
    line = parties.ours(call).lower()
    wanted = rule.line.lower()
    if wanted.endswith("*"):
        return line.startswith(wanted[:-1])
    return wanted in ("", line)


def announcement(rule: RecordRule, *, both: bool) -> tuple[Kind, dict[str, JSON]]:
    """Return the command that tells people that they will be recorded."""
    legs: dict[str, JSON] = {"target_legs": "both"} if both else {}
    if rule.announcement == RecordRule.Announcement.PLAY:
        return Kind.PLAYBACK_START, {"media_name": rule.media_name, **legs}
    return Kind.SPEAK, {
        "payload": rule.phrase,
        "voice": rule.voice,
        "language": rule.language,
        **legs,
    }


def recording(rule: RecordRule) -> dict[str, JSON]:
    """Return what a rule asks of record_start."""
    params: dict[str, JSON] = {"format": rule.format, "channels": rule.channels}
    if rule.transcription:
        params |= {"transcription": True, "transcription_language": rule.transcription_language}
    return params


def _after_announcement(firing: RuleFiring, call: Call | None) -> None:
    rule, announced = firing.rule, firing.announced
    if call is None or call.line == fold.Line.ENDED:
        _close(firing, State.PASSED, "The call ended during the announcement.")
        return
    if rule is None or rule.deleted_at or not rule.enabled:
        _close(firing, State.PASSED, "The rule was switched off during the announcement.")
        return
    if announced is not None and announced.is_open:
        _put_off(firing, SETTLING)
        return
    trouble = _announcement_trouble(announced, call)
    began = announced.requested_at if announced else firing.answered_at
    time_is_up = timezone.now() >= began + timedelta(seconds=rule.wait_s)
    if trouble and rule.must_be_heard:
        _close(firing, State.FAILED, f"The announcement was not heard: {trouble}")
    elif trouble or time_is_up or _has_ended(announced, call):
        legs = list(Call.objects.filter(conversation=firing.conversation))
        reason = _others_did(legs) or _cannot(call)
        if reason:
            _close(firing, State.PASSED, reason)
        else:
            firing.reason = f"The announcement failed: {trouble}" if trouble else ""
            _record(firing, call, rule)
    else:
        left = began + timedelta(seconds=rule.wait_s) - timezone.now()
        is_heard = announced is not None and announced.state == Command.State.CONFIRMED
        _put_off(firing, max(left if is_heard else min(left, SETTLING), timedelta()))


def _announcement_trouble(announced: Command | None, call: Call) -> str:
    """Return why nobody can have heard it, or ""."""
    if announced is None:
        return "its command is gone."
    if announced.state in HOPELESS:
        return announced.error
    statuses = {text(_status(event)) for event in _ends(announced, call)}
    failed = statuses & set(NOT_HEARD)
    return f"Telnyx says {failed.pop().replace('_', ' ')}." if failed else ""


def _has_ended(announced: Command | None, call: Call) -> bool:
    return announced is not None and bool(_ends(announced, call))


def _ends(announced: Command, call: Call) -> list[WebhookEvent]:
    """Return the ends of sounds that can be the announcement's: not before it began, or was sent.

    Both moments that are compared come from one clock, Telnyx's or ours.
    """
    ends = WebhookEvent.objects.filter(
        call_leg_id=call.call_leg_id, event_type=SOUND_ENDED[announced.kind]
    )
    if announced.confirmed_by is not None and announced.confirmed_by.occurred_at is not None:
        return list(ends.filter(occurred_at__gte=announced.confirmed_by.occurred_at))
    failed = ends.filter(received_at__gte=announced.first_sent_at or announced.requested_at)
    return [event for event in failed if text(_status(event)) in NOT_HEARD]


def _status(event: WebhookEvent) -> JSON:
    try:
        return payloads.parse(bytes(event.raw)).payload.get("status")
    except payloads.Unreadable:
        return ""


def _too_late(call: Call) -> str:
    """Say that the answer is long past: its row waited here, or its webhook came late.

    How late is measured against what webhooks usually take, so that no clock of ours is compared
    with Telnyx's.
    """
    heard = WebhookEvent.objects.filter(
        call_leg_id=call.call_leg_id, event_type__in=["call.answered", "call.bridged"]
    ).order_by("received_at")
    event = heard.first()
    if event is None:
        return "It is not known when the call was answered."
    newest = WebhookEvent.objects.filter(
        source=WebhookEvent.Source.WEBHOOK, occurred_at__isnull=False
    ).order_by("-pk")[:NEWEST]
    lags = [
        (each.received_at - each.occurred_at).total_seconds()
        for each in newest.only("received_at", "occurred_at")
        if each.occurred_at
    ]
    lag_s = 0.0
    if event.occurred_at is not None and lags:
        lag_s = (event.received_at - event.occurred_at).total_seconds() - median(lags)
    late = timezone.now() - event.received_at + timedelta(seconds=max(lag_s, 0))
    if late <= LATE:
        return ""
    return (
        f"The call was answered {late.total_seconds():.0f} s before the desk could act; "
        f"after {LATE.total_seconds():.0f} s a recording is not begun any more."
    )


def _others_did(legs: Iterable[Call]) -> str:
    """Return who records, or recorded, this conversation already."""
    legs = list(legs)
    if any(leg.recording != fold.Recording.OFF for leg in legs):
        return "The call is being recorded already."
    by_people = Command.objects.filter(call__in=legs, rule=None)
    asked = by_people.filter(
        Q(kind__in=[Kind.RECORD_START, Kind.RECORD_STOP])
        | Q(kind__in=[Kind.DIAL, Kind.ANSWER], params__record="record-from-answer")
    )
    first = asked.exclude(state__in=HOPELESS).select_related("requested_by").first()
    return f"{name(first.requested_by)} decides about this call's recording." if first else ""


def _cannot(call: Call) -> str:
    return commands.why_not(call, Kind.RECORD_START)


def _record(firing: RuleFiring, call: Call, rule: RecordRule) -> None:
    firing.recorded = _mint(firing, call, Kind.RECORD_START, recording(rule), "record")
    _close(firing, State.ASKED, firing.reason)
    transaction.on_commit(partial(ring, "control"))


def _mint(
    firing: RuleFiring, call: Call, kind: Kind, params: dict[str, JSON], step: str
) -> Command:
    return commands.mint(
        call, kind, params, by=None, request_id=f"rule-{firing.pk}-{step}", rule=firing.rule
    )


def _put_off(firing: RuleFiring, wait: timedelta) -> None:
    firing.due_at = timezone.now() + wait
    firing.save()


def _close(firing: RuleFiring, state: str, reason: str) -> None:
    firing.state, firing.reason = state, reason
    firing.save()
