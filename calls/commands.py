"""The ledger of wishes: issue (a click), send (to Telnyx), settle (its answer), watch (the clock).

    requested -> sending -> accepted -> confirmed
         \\          \\---> failed, unknown       accepted -> timed_out
          \\-> expired, failed

A command is minted once, resent only under the same id and only within 50 s, and dies at its time
to live. Any 2xx settles it, whoever brings it; our own doubts are fenced by the attempt.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from access import audit
from calls import fold, projection
from calls.line import telnyx
from calls.models import (
    LISTEN,
    LIVE,
    ROLES,
    SINGLE,
    SOUNDS,
    Call,
    Command,
    Guard,
    Kind,
    RecordRule,
)
from calls.telnyx.errors import Rejected, Unavailable
from calls.telnyx.values import JSON

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """How long a wish of some kind is worth sending, and how it is proved."""

    ttl_s: int
    lane: str  # commands of a call in one lane are sent in the order of the clicks
    proof_s: int | None = None  # its webhook is expected within; None: the 2xx is all the proof
    again: int = 0  # new commands of our own accord after nobody knows what became of it


RULES: dict[str, Rule] = {
    Kind.RECORD_START: Rule(20, "recording"),
    Kind.RECORD_PAUSE: Rule(30, "recording"),
    Kind.RECORD_RESUME: Rule(5, "recording"),  # late, it would record what must not be recorded
    Kind.RECORD_STOP: Rule(60, "recording", proof_s=120, again=2),
    Kind.SPEAK: Rule(8, "sound", proof_s=5),
    Kind.PLAYBACK_START: Rule(8, "sound", proof_s=5),
    Kind.PLAYBACK_STOP: Rule(15, "sound", proof_s=5, again=1),
    Kind.ANSWER: Rule(10, "line", proof_s=10),
    Kind.HANGUP: Rule(30, "hangup", proof_s=10),
    Kind.DIAL: Rule(10, "line", proof_s=10),
    Kind.TRANSCRIPTION_START: Rule(20, "captions"),
    Kind.TRANSCRIPTION_STOP: Rule(30, "captions"),
    Kind.SWITCH_SUPERVISOR_ROLE: Rule(5, "role"),  # late, somebody would be heard unawares
}
LANES = {
    rule.lane: [kind for kind, other in RULES.items() if other.lane == rule.lane]
    for rule in RULES.values()
}

FIRST_TIMEOUT_S, LATER_TIMEOUT_S = (1.0, 2.0), (1.0, 4.0)  # connect, read
LEASE = timedelta(seconds=2)  # then another worker sends the same command again, which is harmless
LATER_LEASE = timedelta(seconds=5)
RESEND_FOR = timedelta(seconds=50)  # Telnyx forgets a command_id after 60 s
BACKOFF_S = (0.5, 1.0, 2.0, 4.5, 8.0, 14.0)
AUDIO_SOON = timedelta(seconds=1)  # until the next try after 90020
AUDIO_TRIES = 3
EMPTIED = "emptied"  # a code of ours: taken out of the queue before its turn


class NotNow(Exception):
    """The call is in no state for this; the text says why and what to do."""


def why_not(call: Call, kind: str) -> str:
    """Return why this cannot be asked of a call now, or "" if it can."""
    recording = call.recording
    if call.line == fold.Line.ENDED:
        return "The call has ended."
    if kind == Kind.HANGUP:
        return ""
    if kind == Kind.ANSWER:
        ringing = call.line == fold.Line.RINGING and call.direction == "incoming"
        return "" if ringing else "Only a ringing incoming call can be answered."
    if not call.is_answered:
        return "The call has not been answered yet."
    if kind in (Kind.SWITCH_SUPERVISOR_ROLE, *ROLES):
        if not call.supervises_id:
            return "This leg listens in on nobody."
        return "It is so already." if kind == call.supervisor_role else ""
    if kind == LISTEN:
        return ""
    if kind == Kind.RECORD_START and recording in (fold.Recording.ON, fold.Recording.PAUSED):
        return "The call is being recorded already."
    if kind in (Kind.RECORD_PAUSE, Kind.RECORD_STOP) and recording == fold.Recording.OFF:
        return "The call is not being recorded."
    if kind == Kind.RECORD_PAUSE and recording == fold.Recording.PAUSED:
        return "The recording is paused already."
    if kind == Kind.RECORD_RESUME and recording not in (
        fold.Recording.PAUSED,
        fold.Recording.DOUBT,
    ):
        return "The recording is not paused."
    return ""


def issue(
    call: Call | None,
    kind: str,
    params: Mapping[str, JSON],
    *,
    by: AbstractBaseUser | AnonymousUser,
    request_id: str,
    why: str = "",
) -> Command:
    """Write a wish down; return it, or the one that this press repeats or joins.

    `call` is None for dial alone. `why` is kept and told in the audit trail, and never sent.
    Raises NotNow if the call's state rules it out.
    """
    try:
        with transaction.atomic():
            return _issue(call, kind, params, by=by, request_id=request_id, why=why)
    except IntegrityError:  # the same press came twice at one moment
        return Command.objects.get(requested_by_id=by.pk, request_id=request_id)


def _issue(
    call: Call | None,
    kind: str,
    params: Mapping[str, JSON],
    *,
    by: AbstractBaseUser | AnonymousUser,
    request_id: str,
    why: str,
) -> Command:
    if call is not None:
        call = Call.objects.select_for_update().get(pk=call.pk)
    mine = Q(requested_by_id=by.pk, request_id=request_id)
    if same := Command.objects.filter(mine).first():
        return same
    if call is not None:
        waiting = call.commands.filter(kind=kind, state__in=Command.OPEN)
        if kind in SINGLE and (joined := waiting.first()):
            return joined
        if reason := why_not(call, kind):
            raise NotNow(reason)
    command = mint(call, kind, params, by=by, request_id=request_id, why=why)
    if why and call is not None:
        label = str(command.get_kind_display()).lower()
        audit.record(by, label, call.subject, why=why, command=str(command.pk))
    return command


def mint(
    call: Call | None,
    kind: str,
    params: Mapping[str, JSON],
    *,
    by: AbstractBaseUser | AnonymousUser | None,
    request_id: str,
    why: str = "",
    due_at: datetime | None = None,
    rule: RecordRule | None = None,
) -> Command:
    """Write a wish down, whatever the call's state; call it in a transaction that holds the call.

    `by` is None where the desk itself wishes, be it for a rule.
    """
    now = timezone.now()
    command = Command.objects.create(
        call=call,
        kind=kind,
        params=dict(params),
        why=why,
        requested_by_id=by.pk if by is not None else None,
        request_id=request_id,
        rule=rule,
        requested_at=now,
        expires_at=now + timedelta(seconds=RULES[kind].ttl_s),
        due_at=due_at or now,
    )
    if call is not None:
        projection.touch(call)
    return command


def send_due(*, overdue: timedelta = timedelta()) -> int:
    """Send commands until none is due; return how many.

    New ones are left alone until they are overdue by so much; nobody rings for those tried before.
    """
    sent = 0
    while (command := _next(overdue)) is not None:
        if reason := _too_late(command):
            _give_up(command, reason)
        elif _claim(command):
            _send(command)
            sent += 1
    return sent


def _next(overdue: timedelta) -> Command | None:
    """Return the oldest due command that nothing earlier in its lane keeps waiting."""
    now = timezone.now()
    due = Command.objects.filter(state__in=Command.OPEN, due_at__lte=now).exclude(
        attempts=0, due_at__gt=now - overdue
    )
    ready = due.select_related("call").order_by("requested_at", "id")[:100]
    return next((command for command in ready if not _waits(command)), None)


def _claim(command: Command) -> bool:
    """Take a command for one attempt, until the lease ends. Says whether it is ours."""
    now = timezone.now()
    first_sent_at = command.first_sent_at or now
    taken = Command.objects.filter(
        pk=command.pk,
        state__in=Command.OPEN,
        attempts=command.attempts,
        due_at=command.due_at,
    ).update(
        state=Command.State.SENDING,
        attempts=command.attempts + 1,
        due_at=now + (LATER_LEASE if command.attempts else LEASE),
        first_sent_at=first_sent_at,
        last_sent_at=now,
        may_have_applied=True,  # true from here on, should we not live to hear the answer
    )
    command.attempts += 1
    command.first_sent_at = first_sent_at
    return bool(taken)


def _waits(command: Command) -> bool:
    """Say whether an earlier command of the call's lane is still open."""
    if command.call_id is None:
        return False
    return (
        Command.objects.filter(
            call_id=command.call_id,
            kind__in=LANES[RULES[command.kind].lane],
            state__in=Command.OPEN,
        )
        .filter(
            Q(requested_at__lt=command.requested_at)
            | Q(requested_at=command.requested_at, pk__lt=command.pk)
        )
        .exists()
    )


def _too_late(command: Command) -> str:
    in_doubt = command.may_have_applied
    if command.call is not None and command.call.line == fold.Line.ENDED:
        return f"The call ended before {'Telnyx answered' if in_doubt else 'this was sent'}."
    if timezone.now() <= _last_moment(command, in_doubt=in_doubt):
        return ""
    if in_doubt:
        return "Telnyx did not answer, and after a minute it is not safe to ask again."
    ttl_s = RULES[command.kind].ttl_s
    return f"It could not be sent within {ttl_s} s, and later it would do harm."


def _last_moment(command: Command, *, in_doubt: bool) -> datetime:
    """Return until when a command may be sent, or sent again."""
    if in_doubt and command.first_sent_at:
        return command.first_sent_at + RESEND_FOR
    return command.expires_at


def _send(command: Command) -> None:
    """Ask Telnyx, and write its answer down."""
    timeout = FIRST_TIMEOUT_S if command.attempts == 1 else LATER_TIMEOUT_S
    try:
        answer = _ask(command, timeout)
    except Rejected as exc:
        if exc.already_transcribing:
            accept(command, {}, exc.status)
        else:
            _refused(command, exc)
    except Unavailable as exc:
        _unanswered(command, exc)
    else:
        accept(command, answer, 200)


def _ask(command: Command, timeout: tuple[float, float]) -> dict[str, JSON]:
    if not settings.TELNYX_API_KEY:
        raise Rejected("No Telnyx API key is set: set TELNYX_API_KEY and restart.")
    try:
        line = telnyx()
    except ValueError as exc:
        raise Rejected(f"Check TELNYX_API_KEY and TELNYX_BASE_URL: {exc}.") from exc
    key = str(command.pk)
    if command.kind == Kind.DIAL:
        dialled = line.dial(command.params, command_id=key, timeout=timeout)
        return {
            "call_leg_id": dialled.call_leg_id,
            "call_control_id": dialled.call_control_id,
            "call_session_id": dialled.call_session_id,
            "recording_id": dialled.recording_id or "",
        }
    call = command.call
    if call is None or not call.call_control_id:
        raise Rejected("Telnyx has not told this call's control id, so it cannot be addressed.")
    told = line.act(
        call.call_control_id, command.kind, command.params, command_id=key, timeout=timeout
    )
    return {"recording_id": told["recording_id"]} if "recording_id" in told else {}


def accept(command: Command, answer: Mapping[str, JSON], status: int | None) -> None:
    """Settle with a 2xx. It is a fact of Telnyx, so no attempt fences it."""
    now = timezone.now()
    with transaction.atomic():
        call = _call_of(command, answer)
        Command.objects.filter(pk=command.pk).exclude(state__in=Command.APPLIED).update(
            state=Command.State.ACCEPTED,
            call=call,
            accepted_at=now,
            settled_at=now,
            http_status=status,
            code="",
            error="",
            answer=dict(answer),
        )
        projection.touch(call)
        projection.refold(call)
        if command.kind == Kind.RECORD_PAUSE and call.recording == fold.Recording.PAUSED:
            Guard.objects.watch(command, call, since=now, now=now)


def _call_of(command: Command, answer: Mapping[str, JSON]) -> Call:
    """Return the call's row, held; a dialled call gets one from Telnyx's answer."""
    if command.call is not None:
        return Call.objects.select_for_update().get(pk=command.call.pk)
    call = projection.locked(
        str(answer["call_leg_id"]),
        session=str(answer["call_session_id"]),
        control=str(answer["call_control_id"]),
    )
    projection.join(call, str(command.params.get("supervise_call_control_id") or ""))
    return call


def _refused(command: Command, exc: Rejected) -> None:
    """Settle with a no. Audio that does not flow yet is asked for again a second later.

    After a try whose fate nobody knows, a no to the second try proves nothing about the first.
    """
    fate = Command.State.UNKNOWN if command.may_have_applied else Command.State.FAILED
    with transaction.atomic():
        settled = _settle(command, fate, exc)
        if settled and exc.audio_not_flowing:
            _follow(command, after=AUDIO_SOON, tries=AUDIO_TRIES)
        if settled and (exc.call_ended or exc.not_found) and command.call_id:
            Call.objects.filter(pk=command.call_id).exclude(line=fold.Line.ENDED).update(
                probe_at=timezone.now()
            )


def _unanswered(command: Command, exc: Unavailable) -> None:
    """Plan the next try of the same command; one that would come too late is not waited for."""
    wait_s = exc.retry_after_s or BACKOFF_S[min(command.attempts, len(BACKOFF_S)) - 1]
    in_doubt = command.may_have_applied or exc.maybe_applied  # as it stood before this attempt
    next_at = timezone.now() + timedelta(seconds=wait_s)
    Command.objects.filter(
        pk=command.pk, state=Command.State.SENDING, attempts=command.attempts
    ).update(
        due_at=min(next_at, _last_moment(command, in_doubt=in_doubt)),
        may_have_applied=in_doubt,
        http_status=exc.status,
        code=exc.code,
        error=str(exc),
    )
    if command.call is not None:
        projection.touch(command.call)


def _give_up(command: Command, reason: str) -> None:
    """End a command that is too late: unknown if it may have happened, else expired."""
    state = Command.State.UNKNOWN if command.may_have_applied else Command.State.EXPIRED
    error = f"{reason} {command.error}".strip()
    with transaction.atomic():
        if _settle(command, state, error) and state == Command.State.UNKNOWN:
            _follow(command, after=timedelta(), tries=RULES[command.kind].again)


def _settle(command: Command, state: str, why: Rejected | str) -> bool:
    """Close an open command. Says whether it was still ours to close."""
    refused = why if isinstance(why, Rejected) else None
    call = None
    if command.call_id:  # held before the command, as in accept(): so nobody waits in a circle
        call = Call.objects.select_for_update().get(pk=command.call_id)
    moved = Command.objects.filter(
        pk=command.pk, state__in=Command.OPEN, attempts=command.attempts
    ).update(
        state=state,
        settled_at=timezone.now(),
        error=str(why),
        http_status=refused.status if refused else command.http_status,
        code=refused.code if refused else command.code,
    )
    if moved and call is not None:
        projection.touch(call)
        projection.refold(call)
    return bool(moved)


def _follow(command: Command, *, after: timedelta, tries: int) -> None:
    """Mint a linked command in the place of one that is known not to have helped."""
    earlier, chain = command, 0
    while earlier.follows is not None:
        earlier, chain = earlier.follows, chain + 1
    if chain >= tries or (command.call and command.call.line == fold.Line.ENDED):
        return
    now = timezone.now()
    Command.objects.create(
        call_id=command.call_id,
        kind=command.kind,
        params=command.params,
        why=command.why,
        requested_by_id=command.requested_by_id,
        rule_id=command.rule_id,
        request_id=f"again-{command.pk}",
        requested_at=now,
        expires_at=now + after + timedelta(seconds=RULES[command.kind].ttl_s),
        due_at=now + after,
        follows=command,
    )


def watch() -> int:
    """Mark accepted commands whose webhook did not come in time; return how many.

    A sentence waiting behind another one is not late, so sounds wait for silence.
    """
    now = timezone.now()
    late = 0
    for kind, rule in RULES.items():
        if rule.proof_s is None:
            continue
        unproved = Command.objects.filter(
            state=Command.State.ACCEPTED,
            kind=kind,
            accepted_at__lt=now - timedelta(seconds=rule.proof_s),
        )
        if kind in (Kind.SPEAK, Kind.PLAYBACK_START):
            unproved = unproved.exclude(
                call__sound__in=[fold.Sound.SPEAKING, fold.Sound.PLAYING]
            ).exclude(Q(call__isnull=True))
        for command in unproved.select_related("call")[:200]:
            if _was_emptied(command):
                _take_out(command)
                continue
            late += Command.objects.filter(pk=command.pk, state=Command.State.ACCEPTED).update(
                state=Command.State.TIMED_OUT,
                error=f"Telnyx accepted it, but its webhook did not come within {rule.proof_s} s.",
            )
            if command.call is not None:  # its other webhooks may be lost too, so ask Telnyx
                Call.objects.filter(pk=command.call.pk, line__in=LIVE).update(probe_at=now)
                projection.touch(command.call)
    return late


def _was_emptied(command: Command) -> bool:
    """Say whether a sound still waited when the queue of its leg was emptied."""
    if command.kind not in SOUNDS or command.call_id is None:
        return False
    later = Command.objects.filter(
        call_id=command.call_id,
        kind__in=[*SOUNDS, Kind.PLAYBACK_STOP],
        state__in=Command.APPLIED,
        requested_at__gt=command.requested_at,
    )
    return any(each.empties_queue for each in later)


def _take_out(command: Command) -> None:
    """Settle a sound that nobody will hear, because people wanted it so."""
    moved = Command.objects.filter(pk=command.pk, state=Command.State.ACCEPTED).update(
        state=Command.State.TIMED_OUT,
        code=EMPTIED,
        error="It still waited for its turn when the queue was emptied.",
    )
    if moved and command.call is not None:
        projection.touch(command.call)
