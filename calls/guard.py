"""No pause is forgotten: each is watched, and at its deadline the desk resumes the recording.

    accepted pause -> Guard --pump, four times a second--> warn, resume, escalate, end
    extend (a person, once) -> a later deadline

What to do is decided by `pausing.decide`; here it is looked up and done, under the call's lock.
The resume is a command like any other: it dies unsent after five seconds, and the workers or the
pump's other lane send it.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from access import audit
from calls import fold, projection, reconcile
from calls.commands import LANES, NotNow, mint
from calls.models import LATE, LIVE, PAUSED, Call, Command, Ending, Guard, Kind, WebhookEvent, Why
from calls.pausing import Do, Fate, Move, Step, Watched, decide
from calls.ring import ring
from calls.telnyx.errors import is_gone
from calls.telnyx.wire import COMMAND_TIMEOUT

logger = logging.getLogger(__name__)

ASKS_FOR_S = 2.0  # in one look, should Telnyx be slow: the others' time is up too
ENDS = ("call.hangup", "reconcile.ended")
FATES = {
    Command.State.REQUESTED: Fate.OPEN,
    Command.State.SENDING: Fate.OPEN,
    Command.State.ACCEPTED: Fate.APPLIED,
    Command.State.CONFIRMED: Fate.APPLIED,
    Command.State.TIMED_OUT: Fate.APPLIED,
    Command.State.FAILED: Fate.REFUSED,
    Command.State.EXPIRED: Fate.UNSENT,
    Command.State.UNKNOWN: Fate.UNKNOWN,
}

Listener = Callable[[Guard], None]
_listeners: list[Listener] = []


def hears_escalations(listener: Listener) -> Listener:
    """Register a function to be told of each pause that needs a person, once."""
    _listeners.append(listener)
    return listener


def escalated(guard: Guard) -> None:
    """Tell the listeners, in the transaction that writes it down: no network in there."""
    for listener in _listeners:
        listener(guard)


# A person's extension


def extend(guard: Guard, *, why: str, by: AbstractBaseUser | AnonymousUser) -> datetime:
    """Let a pause last once more as long; return until when. Raises NotNow."""
    now = timezone.now()
    with transaction.atomic():
        call = Call.objects.select_for_update().get(pk=guard.call_id)
        guard = Guard.objects.get(pk=guard.pk)
        if reason := why_not_extended(guard, call, now):
            raise NotNow(reason)
        more = timedelta(seconds=guard.length_s)
        _change(
            guard,
            deadline=guard.deadline + more,
            warn_at=guard.warn_at + more,
            warned_at=None,
            extended_at=now,
            extended_by_id=by.pk,
            extended_why=why,
        )
        until = guard.deadline.isoformat()
        audit.record(by, "extend pause", call.subject, why=why, until=until)
        projection.touch(call)
    return guard.deadline


def why_not_extended(guard: Guard, call: Call, now: datetime) -> str:
    """Return why a pause cannot be extended now, or "" if it can."""
    if guard.ended_at is not None or call.recording not in PAUSED or call.line not in LIVE:
        return "This pause is over."
    if guard.extended_at is not None:
        until = timezone.localtime(guard.deadline)
        return f"A pause can be extended once, and this one was: until {until:%H:%M:%S}."
    if guard.tries or now >= guard.deadline:
        return "The pause's time is up, and the desk resumes the recording."
    return ""


# The clock's part


class Watchman:
    """Looks after all watched pauses; one per process, which knows when it looked last."""

    def __init__(self) -> None:
        self.looked_at: datetime | None = None

    def look(self) -> int:
        """Do whatever is due; return how much. Raises the last fault, once all had their turn."""
        now = timezone.now()
        looked_at, self.looked_at = self.looked_at, now
        done = watch_unwatched(now)
        asks, fault, until = True, None, time.monotonic() + ASKS_FOR_S
        for guard in Guard.objects.to_look_at(now).select_related("call", "pause"):
            try:
                step = _decide(guard, guard.call)
                if step.do is Do.RESUME and asks:  # so nothing is sent to a call that ended
                    asks = _asked(guard.call) and time.monotonic() < until
                if step.do is not Do.WAIT:
                    done += _do(guard, looked_at)
            except Exception as exc:  # one pause must not keep the others waiting
                fault = exc
        if fault is not None:
            raise fault
        return done


def _asked(call: Call) -> bool:
    """Ask Telnyx whether a call lives; say whether it answers at all, or the next would wait."""
    if not settings.TELNYX_API_KEY or not call.call_control_id:
        return False
    return reconcile.ask(call, timeout=COMMAND_TIMEOUT) is not None


def watch_unwatched(now: datetime) -> int:
    """Watch pauses that nobody began to watch: those in doubt, and those of an earlier version."""
    paused = Call.objects.filter(line__in=LIVE, recording__in=PAUSED).values_list("pk", flat=True)
    pauses = Command.objects.filter(
        Q(accepted_at__isnull=False) | Q(state=Command.State.UNKNOWN),
        kind=Kind.RECORD_PAUSE,
        guard=None,
        call__in=list(paused),  # read first: a planner may else go through every command
    )
    return sum(_watch(pause) for pause in pauses.order_by("requested_at", "pk"))


def _watch(pause: Command) -> bool:
    assert pause.call_id  # noqa: S101  (its call is live)
    with transaction.atomic():
        call = Call.objects.select_for_update().get(pk=pause.call_id)
        pause.refresh_from_db()
        later = _moves(pause).filter(
            Q(accepted_at__isnull=False) | Q(state=Command.State.UNKNOWN, kind=Kind.RECORD_PAUSE)
        )
        since = pause.accepted_at or pause.settled_at
        if call.recording not in PAUSED or call.line not in LIVE or since is None:
            return False
        if later.exists() or not Guard.objects.watch(pause, call, since=since, now=timezone.now()):
            return False
        projection.touch(call)
        return True


def _moves(pause: Command) -> "models.QuerySet[Command]":
    """Return what was asked about the recording after a pause, in the order of the clicks."""
    of_call = Command.objects.filter(call=pause.call, kind__in=LANES["recording"])
    after = Q(requested_at__gt=pause.requested_at) | Q(
        requested_at=pause.requested_at, pk__gt=pause.pk
    )
    return of_call.filter(after).order_by("requested_at", "pk")


def _decide(guard: Guard, call: Call) -> Step:
    """Look up what bears on a pause, and decide."""
    has_ended = call.line == fold.Line.ENDED or (
        # told, though not applied yet: whoever was down must not act on what was
        WebhookEvent.objects.filter(call_leg_id=call.call_leg_id, event_type__in=ENDS).exists()
    )
    seen = Watched(
        deadline=guard.deadline,
        warn_at=guard.warn_at,
        is_over=has_ended,
        recording=fold.Recording(call.recording),
        moves=[_move(command) for command in _moves(guard.pause)],
        was_warned=guard.warned_at is not None,
        was_escalated=guard.escalated_at is not None,
    )
    return decide(seen, timezone.now())


def _move(command: Command) -> Move:
    return Move(
        kind=command.kind,
        fate=FATES[Command.State(command.state)],
        asked_at=command.requested_at,
        is_ours=command.is_ours,
        settled_at=command.settled_at,
        is_gone=is_gone(command.http_status, command.code),
        error=command.error,
    )


def _do(guard: Guard, looked_at: datetime | None) -> int:
    """Decide once more while the call is held, and do it; say whether anything was done."""
    with transaction.atomic():
        call = Call.objects.select_for_update().get(pk=guard.call_id)
        guard = Guard.objects.select_related("pause", "resume").get(pk=guard.pk)
        if guard.ended_at is not None:
            return 0
        step = _decide(guard, call)
        now = timezone.now()
        if step.do is Do.WAIT:
            return 0
        if step.do is Do.RESUME:
            _resume(guard, call, now, looked_at)
        elif step.do is Do.WARN:
            _change(guard, warned_at=now)
        elif step.do is Do.ESCALATE:
            _escalate(guard, call, now, step.why)
        else:
            _end(guard, call, now, Ending(step.ending))
        projection.touch(call)
        return 1


def _change(guard: Guard, **values: object) -> None:
    for name, value in values.items():
        setattr(guard, name, value)
    Guard.objects.filter(pk=guard.pk).update(**values)


def _resume(guard: Guard, call: Call, now: datetime, looked_at: datetime | None) -> None:
    """Ask for the resume, as nobody in particular, and say if it is late and why."""
    late = now - guard.deadline
    why = _why_late(guard, now, looked_at) if late > LATE else ""
    command = mint(
        call,
        Kind.RECORD_RESUME,
        {},
        by=None,
        request_id=f"guard-{guard.pk.hex[:24]}-{guard.tries + 1}",
        why=Why.TIME_UP,
        due_at=max(guard.deadline, now - LATE),  # so the pump gives the workers no head start
    )
    _change(guard, tries=guard.tries + 1, resume=command, **_lateness(late, why))
    audit.record(
        None,
        "resume recording",
        call.subject,
        why=Why.TIME_UP,
        command=str(command.pk),
        deadline=guard.deadline.isoformat(),
        **_told_late(late, why),
    )
    transaction.on_commit(partial(ring, "control"))


def _why_late(guard: Guard, now: datetime, looked_at: datetime | None) -> str:
    """Return why a resume is asked for only now."""
    if guard.tries:
        said = guard.resume.error if guard.resume is not None else ""
        return f"The resume before could not be sent. {said}".strip()
    persons = _moves(guard.pause).filter(settled_at__gt=guard.deadline)
    if (waited := persons.last()) is not None:
        return f"{waited.get_kind_display()} was under way, and failed. {waited.error}".strip()
    if looked_at is None:
        return "No pump was at work when it was due."
    return f"The pump was kept from looking for {(now - looked_at).total_seconds():.1f} s."


def _lateness(late: timedelta, why: str) -> dict[str, object]:
    return {"late_ms": late // timedelta(milliseconds=1) if why else 0, "late_why": why}


def _told_late(late: timedelta, why: str) -> dict[str, object]:
    return {"late_s": round(late.total_seconds(), 1), "late_why": why} if why else {}


def _escalate(guard: Guard, call: Call, now: datetime, why: str) -> None:
    _change(guard, escalated_at=now, trouble=why)
    audit.record(None, "escalate pause", call.subject, why=why, pause=str(guard.pause_id))
    logger.warning("the pause of call %s needs a person: %s", call.pk, why)
    escalated(guard)


def _end(guard: Guard, call: Call, now: datetime, ending: Ending) -> None:
    _change(guard, ended_at=now, ending=ending)
    if ending is not Ending.GUARD:
        return
    resumed = _moves(guard.pause).filter(why=Why.TIME_UP, accepted_at__isnull=False).last()
    if resumed is None or resumed.accepted_at is None:
        return
    late = resumed.accepted_at - guard.deadline
    why = ""
    if late > LATE:
        slow = f"It was asked for in time, and took {resumed.attempts} tries to send."
        why = guard.late_why or slow
    _change(guard, **_lateness(late, why))
    audit.record(
        None,
        "recording resumed",
        call.subject,
        command=str(resumed.pk),
        accepted=resumed.accepted_at.isoformat(),
        **_told_late(late, why),
    )


# What pages need to know


def needing_a_person() -> list[Guard]:
    """Return the pauses that the desk could not end, for the notices; one query."""
    rows = Guard.objects.open().filter(
        escalated_at__isnull=False, call__line__in=LIVE, call__recording__in=PAUSED
    )
    return list(rows.select_related("call").order_by("escalated_at", "pk"))
