"""Recordings without a file: which count as stuck, what to do about each, and looking again."""

from functools import partial

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import Q

from access.policies import Right, may
from calls.problems import CannotHelp, Kind, Rows, Told, register
from calls.ring import ring
from recordings import fetch, reconcile, scrub
from recordings.models import Recording, State

GIVEN_UP = (State.MISSING, State.FAILED, State.CORRUPT)
STUCK = Q(state__in=[*GIVEN_UP, State.WAITING_SPACE]) | Q(
    state__in=[State.ANNOUNCED, State.FETCHING], failures__gt=1
)
ADVICE = {
    State.MISSING: "If Telnyx made one after all it is found within a day, or at once if you"
    " look again. Otherwise there is none: check that the call had sound when it was started.",
    State.FAILED: "Remove the cause, then look again: Telnyx gives a fresh link.",
    State.CORRUPT: "Put the file back from a backup, then look again.",
    State.WAITING_SPACE: "Free disk space, or see why the bucket does not answer; it then goes on"
    " by itself.",
    State.ANNOUNCED: "It is tried again by itself for a day.",
    State.FETCHING: "It is tried again by itself for a day.",
}
TOLD = "Telnyx made no file. Remove the cause that it names before the next recording."
ASKING = "Telnyx is being asked for another copy."

Person = AbstractBaseUser | AnonymousUser


def advice(recording: Recording) -> str:
    """Return what a person can do about a recording that is stuck."""
    if recording.state == State.FAILED and recording.is_told_failure:
        return TOLD
    if recording.state == State.CORRUPT and recording.due_at:
        return ASKING
    return ADVICE[State(recording.state)]


def can_look(recording: Recording) -> bool:
    """Say whether looking again may help."""
    return recording.state in GIVEN_UP and advice(recording) != TOLD


def may_look(person: Person) -> bool:
    """Say whether a person may have Telnyx asked: who records, or who keeps the desk running."""
    return may(person, Right.CONTROL) or may(person, Right.OPERATE)


def look_again(recording: Recording) -> None:
    """Look for one file again, in the way that its state asks for."""
    if recording.state == State.CORRUPT:
        scrub.heal_soon(recording)
    elif not reconcile.look_again([recording]):
        fetch.again([recording])
        transaction.on_commit(partial(ring, "media"))


def _rows(person: Person) -> Rows:
    stuck = Recording.objects.visible_to(person).filter(STUCK)
    return stuck.select_related("call") if may_look(person) else stuck.none()


def _tell(recording: Recording, person: Person) -> Told:
    return Told(
        title=f"Recording {recording}",
        reason=f"{recording.get_state_display()}. {recording.reason}".strip(),
        advice=advice(recording),
        url=recording.get_absolute_url(),
        can_retry=can_look(recording),
    )


def _retry(recording: Recording, person: Person) -> str:
    if not can_look(recording):
        raise CannotHelp(advice(recording))
    look_again(recording)
    return "It is looked for within seconds."


register(
    Kind(
        name="recording",
        label="Recordings without a file",
        since="since",
        rows=_rows,
        tell=_tell,
        subject=lambda recording: recording.subject,
        retry=_retry,
        retry_label="Look again",
        retry_all=True,
    )
)
