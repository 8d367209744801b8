"""What is done with many recordings at once: those that were ticked, or all that match the list.

ZIPs of up to 500 recordings and 2 GB are made while they are sent; larger ones in the background.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from access import audit
from access.policies import Right, may, needs
from calls.ring import ring
from recordings import exports, filters, listing, notes
from recordings.models import Recording, RecordingQuerySet
from recordings.views.gates import fails_closed
from recordings.views.library import as_csv, streamed

MOST_AT_ONCE = 500
MOST_BYTES = 2_000_000_000  # what a browser downloads while its owner waits
MOST_MARKED = 10_000
RIGHTS = {
    "zip": Right.DOWNLOAD,
    "csv": Right.SEE,
    "tag": Right.ANNOTATE,
    "untag": Right.ANNOTATE,
    "reviewed": Right.ANNOTATE,
}


class Odd(Exception):
    """What was posted cannot be done; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was ticked, or the query of the list if everything in it is meant."""

    query: str  # of the list, in its one spelling
    ticked: list[UUID]
    is_all: bool

    def keys(self, request: HttpRequest, *, most: int) -> list[UUID]:
        """Return the ids, one more than `most` if there are more. 404 where none can be seen."""
        if self.is_all:
            return listing.keys(request.user, QueryDict(self.query), most=most)
        visible = Recording.objects.visible_to(request.user).filter(pk__in=self.ticked)
        seen = set(visible.values_list("pk", flat=True))
        if not seen:
            raise Http404("These recordings are not here any more.")
        return [key for key in self.ticked if key in seen]


@needs(Right.SEE)
@require_POST
@fails_closed
def act(request: HttpRequest) -> HttpResponse:
    """Do one thing with many recordings."""
    try:
        verb, selection = _read(request.POST)
        if not may(request.user, RIGHTS[verb]):
            raise PermissionDenied(f"Your account may not {RIGHTS[verb].value}.")
        return ACTS[verb](request, selection)
    except (Odd, notes.Invalid, exports.Refused) as exc:
        messages.warning(request, str(exc))
        return _back(request)
    except filters.Invalid as exc:
        return render(request, "400.html", {"exception": str(exc)}, status=400)


def _read(posted: QueryDict) -> tuple[str, Selection]:
    """Return what is to be done with what. Raises Odd, Invalid."""
    verb = posted.get("act", "")
    if verb not in RIGHTS:
        raise filters.Invalid(f"act is {verb[:40]!r}. Known are {', '.join(RIGHTS)}.")
    listed = QueryDict(posted.get("list", "")[:4000])
    filters.read(listed)
    query = filters.address(listed, **{filters.CURSOR: None}).lstrip("?")
    is_all = posted.get("all") == "1"
    try:
        ticked = [UUID(text) for text in posted.getlist("recording")]
    except ValueError as exc:
        raise filters.Invalid("recording holds something that is no id of a recording.") from exc
    if not is_all and not ticked:
        raise Odd("Nothing was done: tick recordings first, or “all that match”.")
    return verb, Selection(query, list(dict.fromkeys(ticked)), is_all)


def _zip(request: HttpRequest, selection: Selection) -> HttpResponse:
    """Send a ZIP, or have a large one made."""
    keys = selection.keys(request, most=MOST_AT_ONCE)
    if not keys:
        raise Odd("No recording matches any more, so there is nothing to download.")
    sizes = Recording.objects.filter(pk__in=keys[:MOST_AT_ONCE], state=Recording.State.STORED)
    total = sizes.aggregate(total=Sum("size_bytes"))["total"] or 0
    if len(keys) <= MOST_AT_ONCE and total <= MOST_BYTES:
        return _send(request, keys)
    chosen = None if selection.is_all else keys
    export = exports.request(request.user, query=selection.query, chosen=chosen)
    audit.record(request.user, "ask for export", f"export {export.pk}", query=selection.query)
    ring("media")
    messages.success(request, "The ZIP is being made. You are told here when it is ready.")
    return redirect("recordings:exports")


def _send(request: HttpRequest, keys: list[UUID]) -> HttpResponse:
    """Send a ZIP at once; every recording in it is on the audit trail before."""
    name = f"recordings-{timezone.localtime():%Y-%m-%dT%H-%M-%S%z}.zip"
    audit.record(request.user, "export", name, recordings=len(keys))
    audit.record_each(request.user, "download", [f"recording {key}" for key in keys], zip=name)
    plan: dict[str, object] = {"recordings": [str(key) for key in keys]}
    return streamed("zip", "application/zip", name, request, plan)


def _csv(request: HttpRequest, selection: Selection) -> HttpResponse:
    plan: dict[str, object] = {"query": selection.query}
    if not selection.is_all:
        keys = selection.keys(request, most=MOST_AT_ONCE)
        plan = {"recordings": [str(key) for key in keys]}
    audit.record(request.user, "export list", "recordings", **plan)
    return as_csv(request, plan)


def _marked(
    request: HttpRequest, selection: Selection, mark: Callable[[RecordingQuerySet], int], told: str
) -> HttpResponse:
    """Change the selected recordings and say how many changed."""
    keys = selection.keys(request, most=MOST_MARKED)
    if len(keys) > MOST_MARKED:
        raise Odd(
            f"Nothing was done: more than {MOST_MARKED:,} recordings match, which is the limit."
            " Narrow the days down."
        )
    changed = mark(Recording.objects.visible_to(request.user).filter(pk__in=keys))
    same = len(keys) - changed
    text = f"{told}: {_counted(changed)}."
    messages.success(request, text + (f" {same} needed no change." if same else ""))
    return _back(request)


def _counted(number: int) -> str:
    return f"{number:,} recording{'' if number == 1 else 's'}"


def _tag(request: HttpRequest, selection: Selection) -> HttpResponse:
    name = notes.tag_name(request.POST.get("tag", ""))
    told = f"Tagged “{name}”"
    return _marked(request, selection, lambda those: notes.tag(those, name, request.user), told)


def _untag(request: HttpRequest, selection: Selection) -> HttpResponse:
    name = notes.tag_name(request.POST.get("tag", ""))
    told = f"Tag “{name}” removed"
    return _marked(request, selection, lambda those: notes.untag(those, name, request.user), told)


def _review(request: HttpRequest, selection: Selection) -> HttpResponse:
    told = "Marked as reviewed"
    return _marked(request, selection, lambda those: notes.review(those, request.user), told)


ACTS = {"zip": _zip, "csv": _csv, "tag": _tag, "untag": _untag, "reviewed": _review}


def _back(request: HttpRequest) -> HttpResponse:
    """Lead back to the page of the list that was acted on."""
    try:
        listed = QueryDict(request.POST.get("list", "")[:4000])
        filters.read(listed)
    except filters.Invalid:
        return redirect("recordings:list")
    query = filters.address(listed)
    return redirect(f"{reverse('recordings:list')}{'?q=' if query == '?' else query}")
