"""The page of problems: what is wrong, since when, why, and the buttons that may help."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access import audit
from calls import problems as registry
from calls.problems import CannotHelp, Kind
from calls.trouble import concerned
from dashboard import problems

LONGEST_NOTE, SHORTEST_NOTE = 500, 3
NOTED = f"Dismissing needs a reason of {SHORTEST_NOTE} to {LONGEST_NOTE} characters."


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """List what is wrong, the oldest first."""
    _gate(request)
    kind = _kind(request.GET["kind"]) if request.GET.get("kind") else None
    after = request.GET.get("after", "")
    try:
        listing = problems.listing(request.user, kind=kind, after=after)
    except problems.BadPlace as exc:
        raise BadRequest(str(exc)) from exc
    context = {
        "listing": listing,
        "kind": kind,
        "is_first": not after,
        "counts": problems.counts(request.user),
        "most": problems.MOST_COUNTED,
        "now": timezone.now(),
        "longest": LONGEST_NOTE,
        "shortest": SHORTEST_NOTE,
    }
    return render(request, "problems.html", context)


@require_POST
def retry(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Try once more what one problem is about."""
    _gate(request)
    kind = _kind(name)
    row = _row(request, kind, key)
    try:
        with transaction.atomic():  # no attempt without its audit row
            audit.record(request.user, "tried again", kind.subject(row))
            said = problems.retry(kind, row, request.user)
    except CannotHelp as exc:
        messages.warning(request, f"Nothing was done. {exc}")
    else:
        messages.success(request, said)
    return _back(request, kind)


@require_POST
def retry_all(request: HttpRequest, name: str) -> HttpResponse:
    """Try once more whatever of a kind may be helped by it."""
    _gate(request)
    kind = _kind(name)
    if not kind.retry_all:
        raise Http404("These are tried one by one.")
    done = failed = 0
    rows = kind.open(request.user).order_by(kind.since, "pk")[: problems.MOST_AT_ONCE]
    for row in [row for row in rows if kind.tell(row, request.user).can_retry]:
        try:
            with transaction.atomic():
                audit.record(request.user, "tried again", kind.subject(row), together=True)
                problems.retry(kind, row, request.user)
            done += 1
        except CannotHelp:
            failed += 1
    left = f" {failed} could not be helped." if failed else ""
    noun = "problem is" if done == 1 else "problems are"
    messages.success(request, f"{done} {noun} tried again within seconds.{left}")
    return _back(request, kind)


@require_POST
def dismiss(request: HttpRequest, name: str, key: str) -> HttpResponse:
    """Put one problem out of sight, with a reason."""
    _gate(request)
    kind = _kind(name)
    _dismiss(request, kind, [_row(request, kind, key)])
    return _back(request, kind)


@require_POST
def dismiss_all(request: HttpRequest, name: str) -> HttpResponse:
    """Put all of a kind out of sight, with a reason."""
    _gate(request)
    kind = _kind(name)
    rows = kind.open(request.user).order_by(kind.since, "pk")[: problems.MOST_AT_ONCE]
    _dismiss(request, kind, list(rows))
    return _back(request, kind)


def _dismiss(request: HttpRequest, kind: Kind, rows: list[Any]) -> None:
    note = request.POST.get("note", "").strip()
    if not SHORTEST_NOTE <= len(note) <= LONGEST_NOTE:
        messages.warning(request, f"Nothing was dismissed: the reason has {len(note)}. {NOTED}")
        return
    with transaction.atomic():
        subjects = [kind.subject(row) for row in rows]
        audit.record_each(request.user, "dismissed", subjects, note=note)
        problems.dismiss(kind, rows, request.user, note)
    noun = "problem is" if len(rows) == 1 else "problems are"
    messages.success(request, f"{len(rows)} {noun} dismissed, until it happens anew.")


def _gate(request: HttpRequest) -> None:
    if not concerned(request.user):
        raise PermissionDenied("Your account may not see problems of the desk.")


def _kind(name: str) -> Kind:
    found = next((kind for kind in registry.kinds() if kind.name == name), None)
    if found is None:
        raise Http404(f"There is no kind of problem called {name[:40]!r}.")
    return found


def _row(request: HttpRequest, kind: Kind, key: str) -> Any:
    try:
        row = kind.open(request.user).filter(pk=problems.pk_of(key)).first()
    except (ValueError, TypeError):
        row = None
    if row is None:
        raise Http404("This problem is over, or was dismissed.")
    return row


def _back(request: HttpRequest, kind: Kind) -> HttpResponse:
    """Return to the list as it was narrowed down."""
    query = f"?kind={kind.name}" if request.POST.get("narrowed") else ""
    return redirect(f"{reverse('problems')}{query}")


urlpatterns = [
    path("problems/", page, name="problems"),
    path("problems/<slug:name>/retry/", retry_all, name="problems-retry-all"),
    path("problems/<slug:name>/dismiss/", dismiss_all, name="problems-dismiss-all"),
    path("problems/<slug:name>/<slug:key>/retry/", retry, name="problem-retry"),
    path("problems/<slug:name>/<slug:key>/dismiss/", dismiss, name="problem-dismiss"),
]
