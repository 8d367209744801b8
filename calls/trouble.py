"""The problems of the line: webhooks that cannot be applied, commands that failed, stuck calls."""

import uuid
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from access.policies import Right, may
from calls import asking, commands, events, fold
from calls.attention import STUCK_AFTER
from calls.models import Call, Command, Kind, WebhookEvent
from calls.problems import CannotHelp, Person, Rows, Told, literally, register
from calls.problems import Kind as Trouble
from calls.ring import ring
from calls.wishes import Wish

LATELY = timedelta(days=3)  # later nobody can make good what a command did not do
UNREADABLE = "unreadable"
CALL_ENDED = "90018"


def concerned(person: Person) -> bool:
    """Say whether a person works with calls, or keeps the desk running."""
    return may(person, Right.CONTROL) or may(person, Right.OPERATE)


# Webhooks


def _dead(person: Person) -> Rows:
    rows = WebhookEvent.objects.filter(literally("calls_webhookevent.state = 'dead'"))
    return rows.defer("raw") if may(person, Right.OPERATE) else rows.none()


def _tell_dead(event: WebhookEvent, person: Person) -> Told:
    readable = event.event_type != UNREADABLE
    return Told(
        title=f"Webhook {event.event_type}" if readable else "A webhook that makes no sense",
        reason=f"It could not be applied: {event.error}"
        if readable
        else f"It was signed by Telnyx, and cannot be read: {event.error}",
        advice="The call is shown without it. Remove the cause, then apply it again."
        if readable
        else "It changes nothing; its bytes are kept.",
        url=reverse("admin:calls_webhookevent_change", args=[event.pk]),
        can_retry=readable,
    )


def _replay(event: WebhookEvent, person: Person) -> str:
    if event.event_type == UNREADABLE:
        raise CannotHelp("A webhook that cannot be read stays so.")
    events.replay([event])
    transaction.on_commit(partial(ring, "events"))
    return "It is applied within seconds; if that fails again, it comes back here."


register(
    Trouble(
        name="webhook",
        label="Webhooks that could not be applied",
        since="received_at",
        rows=_dead,
        tell=_tell_dead,
        subject=lambda event: f"webhook event {event.event_id}",
        retry=_replay,
        retry_label="Apply again",
        retry_all=True,
    )
)


# Commands


def _failed(person: Person) -> Rows:
    """Return what went wrong lately and nothing later made good, but what the call's end undid."""
    words = "('failed', 'expired', 'unknown', 'timed_out')"
    rows = Command.objects.filter(
        literally(f"calls_command.state IN {words}"), requested_at__gt=timezone.now() - LATELY
    )
    if not concerned(person):
        return rows.none()
    mended = Command.objects.filter(
        call=OuterRef("call"),
        kind=OuterRef("kind"),
        requested_at__gt=OuterRef("requested_at"),
        state__in=[Command.State.ACCEPTED, Command.State.CONFIRMED],
    )
    ended_first = Q(code=CALL_ENDED) | Q(
        state=Command.State.EXPIRED, error__startswith="The call ended"
    )
    still = rows.filter(followed_by=None).exclude(ended_first).exclude(Exists(mended))
    return still.select_related("call", "requested_by")


def _tell_failed(command: Command, person: Person) -> Told:
    wish = Wish(command)
    about = f" “{wish.object[:60]}”" if wish.object else ""
    return Told(
        title=f"{wish.label}{about}, asked for by {wish.who}",
        reason=f"{wish.trouble}. {wish.reason}",
        advice=wish.advice or "The call is over: nothing can be asked of it any more.",
        url=command.call.get_absolute_url() if command.call else "",
        can_retry=not _why_not_again(command, person),
    )


def _why_not_again(command: Command, person: Person) -> str:
    if not may(person, Right.CONTROL):
        return "Your account may not control calls."
    if command.call is None or command.kind == Kind.DIAL:
        return "A call is placed again from the board, if it is still wanted."
    return commands.why_not(command.call, command.kind)


def _ask_again(command: Command, person: Person) -> str:
    if (reason := _why_not_again(command, person)) or command.call is None:
        raise CannotHelp(reason)
    press = uuid.uuid4().hex
    try:
        commands.issue(command.call, command.kind, command.params, by=person, request_id=press)
    except commands.NotNow as exc:
        raise CannotHelp(str(exc)) from exc
    transaction.on_commit(partial(ring, "control"))
    return "It is asked for again; the call's page shows what comes of it."


register(
    Trouble(
        name="command",
        label="Commands that failed",
        since="requested_at",
        rows=_failed,
        tell=_tell_failed,
        subject=lambda command: f"command {command.pk}",
        retry=_ask_again,
        retry_label="Ask again",  # one by one: a sentence said an hour late would do harm
    )
)


# Calls


def _stuck(person: Person) -> Rows:
    before = timezone.now() - STUCK_AFTER
    rows = Call.objects.filter(doubted_at__lt=before).exclude(line=fold.Line.ENDED)
    return rows if concerned(person) else rows.none()


def _tell_stuck(call: Call, person: Person) -> Told:
    return Told(
        title=f"Call {call}",
        reason="Telnyx does not say whether it still lives; it is asked every half minute.",
        advice="Look at the notices on the board: the line to Telnyx may be in trouble.",
        url=call.get_absolute_url(),
        can_retry=True,
    )


def _probe_now(call: Call, person: Person) -> str:
    Call.objects.filter(pk=call.pk).exclude(line=fold.Line.ENDED).update(probe_at=timezone.now())
    asking.want_story(call.call_leg_id)
    return "Telnyx is asked within seconds."


register(
    Trouble(
        name="call",
        label="Calls in doubt",
        since="doubted_at",
        rows=_stuck,
        tell=_tell_stuck,
        subject=lambda call: f"call {call.pk}",
        retry=_probe_now,
        retry_label="Ask Telnyx now",
        retry_all=True,
    )
)
