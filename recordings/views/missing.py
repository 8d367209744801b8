"""What is missing: recordings without a file, starts without a recording, and what to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access import audit
from access.policies import Right, needs
from calls.models import Call
from recordings import outcomes, reconcile, trouble
from recordings.models import Recording, RecordingQuerySet, State, Sweep

PAGE = 50
LAST = (1 << 63) - 1
BACK = timedelta(days=30)
OPEN_FOR = reconcile.SWEEPS[reconcile.WEEK][1]  # later nobody asks for them any more
ORDER = (
    *(State.STORED, State.ANNOUNCED, State.FETCHING, State.WAITING_SPACE),
    *(State.MISSING, State.FAILED, State.CORRUPT, State.DELETED),
)


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
    stuck = visible.filter(trouble.STUCK).select_related("call").order_by("-place")
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
        "may_look": trouble.may_look(request.user),
        "now": now,
    }
    return render(request, "recordings/missing.html", context)


def _place(after: str) -> int:
    """Return where a page begins. Raises BadRequest for an address that nobody was given."""
    if not (after.isascii() and after.isdigit() and len(after) <= 19 and int(after) <= LAST):
        raise BadRequest(f"after is {after[:30]!r}, must be a place that a link of the page names")
    return int(after)


def _line(recording: Recording) -> Line:
    return Line(recording, trouble.advice(recording), trouble.can_look(recording))


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
    if recording.state not in trouble.GIVEN_UP:
        messages.info(request, f"Nothing to look for: {recording.get_state_display().lower()}.")
        return redirect("recordings:missing")
    audit.record(request.user, "look again", recording.subject, state=recording.state)
    trouble.look_again(recording)
    messages.success(request, "It is looked for within seconds; this page shows what comes of it.")
    return redirect("recordings:missing")


def _check(request: HttpRequest) -> None:
    if not trouble.may_look(request.user):
        raise PermissionDenied("Your account may not have Telnyx asked for recordings.")
