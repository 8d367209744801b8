"""What is missing: recordings without a file, starts without a recording, and what to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access import audit
from access.policies import Right, may, needs
from calls.models import Call
from calls.ring import ring
from recordings import fetch, outcomes, reconcile, scrub
from recordings.models import Recording, RecordingQuerySet, State, Sweep

PAGE = 50
LAST = (1 << 63) - 1
BACK = timedelta(days=30)
OPEN_FOR = reconcile.SWEEPS[reconcile.WEEK][1]  # later nobody asks for them any more
ORDER = (
    *(State.STORED, State.ANNOUNCED, State.FETCHING, State.WAITING_SPACE),
    *(State.MISSING, State.FAILED, State.CORRUPT, State.DELETED),
)
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


@dataclass(frozen=True, slots=True)
class Line:
    """One recording that is stuck, and what a person can do about it."""

    recording: Recording
    advice: str
    can_look: bool


@needs(Right.SEE)
@require_safe
def missing(request: HttpRequest) -> HttpResponse:
    """List what has no file, newest first, with counts of the last thirty days."""
    now = timezone.now()
    first_day = timezone.localtime(now - BACK).replace(hour=0, minute=0, second=0, microsecond=0)
    visible = Recording.objects.visible_to(request.user)
    stuck = visible.filter(STUCK).select_related("call").order_by("-place")
    after = request.GET.get("after", "")
    if after:
        stuck = stuck.filter(place__lt=_place(after))
    rows = list(stuck[: PAGE + 1])
    context = {
        "lines": [_line(recording) for recording in rows[:PAGE]],
        "older": rows[PAGE - 1].place if len(rows) > PAGE else None,
        "is_first": not after,
        "counts": _counts(visible, first_day),
        "first_day": first_day,
        "open": _open(request, now),
        "sweep": Sweep.objects.filter(name=reconcile.RECENT).first(),
        "may_look": _may_look(request),
        "now": now,
    }
    return render(request, "recordings/missing.html", context)


def _place(after: str) -> int:
    """Return where a page begins. Raises BadRequest for an address that nobody was given."""
    if not (after.isascii() and after.isdigit() and len(after) <= 19 and int(after) <= LAST):
        raise BadRequest(f"after is {after[:30]!r}, must be a place that a link of the page names")
    return int(after)


def _line(recording: Recording) -> Line:
    advice = ADVICE[State(recording.state)]
    if recording.state == State.FAILED and recording.is_told_failure:
        advice = TOLD
    if recording.state == State.CORRUPT and recording.due_at:
        advice = ASKING
    return Line(recording, advice, recording.state in GIVEN_UP and advice != TOLD)


def _counts(visible: RecordingQuerySet, since: datetime) -> list[tuple[str, str, int]]:
    """Return state, its words and how many recordings since a moment are in it."""
    lately = visible.filter(started_at__gte=since).order_by()
    found = dict(lately.values_list("state").annotate(Count("pk")))
    return [(state.value, str(state.label), found.get(state.value, 0)) for state in ORDER]


def _open(request: HttpRequest, now: datetime) -> list[outcomes.Open]:
    """Return the accepted starts that have no recording yet, the newest first."""
    starts = outcomes.unanswered(since=now - OPEN_FOR)
    calls = Call.objects.visible_to(request.user)
    newest = starts.filter(call__in=calls).order_by("-requested_at")[:PAGE]
    return outcomes.still_open(newest)


def _may_look(request: HttpRequest) -> bool:
    """Say whether a person may have Telnyx asked: who records, or who keeps the desk running."""
    return may(request.user, Right.CONTROL) or may(request.user, Right.OPERATE)


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Have Telnyx asked soon what it holds of the last day."""
    _check(request)
    audit.record(request.user, "look again", "recordings")
    Sweep.bring_forward(reconcile.RECENT, timezone.now())
    messages.success(request, "Telnyx is asked within seconds; this page shows what it holds.")
    return redirect("recordings:missing")


@require_POST
def look_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Look for one file again, in the way that its state asks for."""
    _check(request)
    visible = Recording.objects.visible_to(request.user)
    recording = get_object_or_404(visible.select_related("call"), pk=pk)
    if recording.state not in GIVEN_UP:
        messages.info(request, f"Nothing to look for: {recording.get_state_display().lower()}.")
        return redirect("recordings:missing")
    audit.record(request.user, "look again", recording.subject, state=recording.state)
    if recording.state == State.CORRUPT:
        scrub.heal_soon(recording)
    elif not reconcile.look_again([recording]):
        fetch.again([recording])
        ring("media")
    messages.success(request, "It is looked for within seconds; this page shows what comes of it.")
    return redirect("recordings:missing")


def _check(request: HttpRequest) -> None:
    if not _may_look(request):
        raise PermissionDenied("Your account may not have Telnyx asked for recordings.")
