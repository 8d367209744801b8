"""The library: recordings found by the filters in the address: a page, what is new in it, CSV.

The address holds everything, so a list can be shared, saved as a view, and come back to.
"""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from access import audit
from access.policies import Right, needs
from recordings import filters, listing, saved
from recordings.models import State, Tag
from recordings.views.gates import fails_closed, for_our_pages
from recordings.views.rows import rows_of

NEWEST = "newest"
EVERYTHING = "?q="  # a query that narrows nothing down, so that no default view takes its place
YES_NO = [("yes", "Yes"), ("no", "No")]
SELECTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "direction": ("Direction", [("incoming", "Incoming"), ("outgoing", "Outgoing")]),
    "state": ("State of the file", State.choices),
    "channels": ("Channels", [("2", "2: each side its own"), ("1", "1: both sides")]),
    "transcript": ("Has a transcript", YES_NO),
    "flagged": ("Flagged", YES_NO),
    "reviewed": ("Reviewed", YES_NO),
    "paused": ("Was paused", list(filters.PAUSED.items())),
}
TYPED = {
    "party": ("Party or agent", "A name, address, number or agent."),
    "longer": ("At least", "As 1:30, 90 or 5m."),
    "shorter": ("At most", "As 1:30, 90 or 5m."),
}
ORDERS = {
    NEWEST: "Newest first",
    "oldest": "Oldest first",
    "longest": "Longest first",
    "shortest": "Shortest first",
}
SORTED = {  # a column, and its orders: the first one when it is pressed first
    "started": (NEWEST, "oldest"),
    "length": ("longest", "shortest"),
}
FIRST_SHOWN = {
    "q",
    "number",
    "from",
    "to",
    filters.CURSOR,
}  # the other filters are under "More filters"


@needs(Right.SEE)
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """List recordings, narrowed down by the filters in the address."""
    is_htmx = bool(request.headers.get("HX-Request"))
    views = saved.seen_by(request.user)
    if not request.GET and not is_htmx and (default := saved.default_of(views, request.user)):
        return redirect(f"{request.path}?{default.query or EVERYTHING[1:]}")
    asked_at = timezone.now()
    context = _form(request.GET) | {"views": views, "everything": EVERYTHING}
    try:
        chosen = filters.read(request.GET)
        page = listing.find(request.user, chosen)
    except filters.Invalid as exc:
        # htmx swaps a 422 in, and a browser shows a 400 as it is
        status = 422 if is_htmx else 400
        return render(request, "recordings/list.html", context | {"problem": exc}, status=status)
    here = filters.address(request.GET, **{filters.CURSOR: None}).lstrip("?")
    context["current"] = next((view for view in views if view.query == here), None)
    context |= _found(request.GET, page, here) | {"news": _news(request.GET, here, asked_at)}
    response = render(request, "recordings/list.html", context)
    if is_htmx:  # the address of the list, without empty parameters
        response["HX-Push-Url"] = request.path + _address(request.GET)
    return response


def _found(query: QueryDict, page: listing.Page, here: str) -> dict[str, object]:
    """Return what the results are drawn from."""
    return {
        "recordings": page.rows,
        "rows": rows_of(page, words=query.get("q", ""), here=here),
        "count": page.count,
        "count_on": page.may_count_on and _counting(here),
        "note": page.note,
        "is_partial": page.is_partial,
        "chips": [replace(chip, without=_whole(chip.without)) for chip in filters.chips(query)],
        "older": page.older and filters.address(query, after=page.older),
        "newest": query.get(filters.CURSOR) and _address(query, after=None),
        "here": here,
        "columns": _columns(query),
    }


def _counting(here: str) -> str:
    """Return where the rest of a list is counted."""
    return f"{reverse('recordings:count')}?{here}"


def _news(query: QueryDict, here: str, asked_at: datetime) -> str:
    """Return where to ask for what came since; "" where new recordings do not come first."""
    if query.get(filters.CURSOR) or query.get("sort", NEWEST) not in ("", NEWEST):
        return ""
    since = urlencode({"since": int(asked_at.timestamp() * 1000)})
    return f"{reverse('recordings:new')}?{'&'.join(filter(None, (here, since)))}"


def _form(asked: QueryDict) -> dict[str, object]:
    """Return the fields of the form as they were filled in."""
    is_more = any(asked.get(name, "").strip() for name in asked if name not in FIRST_SHOWN)
    return {
        "asked": asked,
        "selects": [
            (name, label, choices, asked.get(name, ""))
            for name, (label, choices) in SELECTS.items()
        ],
        "typed": [(name, *words, asked.get(name, "")) for name, words in TYPED.items()],
        "orders": ORDERS.items(),
        "tags": list(Tag.objects.values_list("name", flat=True)[:200]),
        "is_more": is_more,
    }


def _columns(query: QueryDict) -> dict[str, dict[str, str]]:
    """Return for each column that sorts where its header leads, and how it sorts now."""
    now = query.get("sort") or NEWEST
    columns = {}
    for column, (down, up) in SORTED.items():
        order = {down: "descending", up: "ascending"}.get(now, "")
        wanted = up if now == down else down
        address = _address(query, after=None, sort=None if wanted == NEWEST else wanted)
        columns[column] = {"order": order, "address": address, "wanted": ORDERS[wanted]}
    return columns


def _address(query: QueryDict, **changes: str | None) -> str:
    return _whole(filters.address(query, **changes))


def _whole(address: str) -> str:
    """Return the query of a list; of the whole one in a way that no default view replaces."""
    return EVERYTHING if address == "?" else address


@needs(Right.SEE)
@require_GET
def new(request: HttpRequest) -> HttpResponse:
    """Say how many recordings came to a list since it was shown; 204 if none did."""
    query = request.GET.copy()
    try:
        since = _moment(query.pop("since", [""])[-1])
        chosen = filters.read(query)
    except filters.Invalid as exc:
        return HttpResponse(str(exc), status=400, content_type="text/plain; charset=utf-8")
    count = listing.newer(request.user, chosen, since)
    if not count:
        return HttpResponse(status=204)
    told = f"{count}+" if count >= listing.MOST_NEW else str(count)
    address = _address(query, **{filters.CURSOR: None})
    return render(request, "recordings/_new.html", {"count": told, "address": address})


@needs(Right.SEE)
@require_GET
def count(request: HttpRequest) -> HttpResponse:
    """Say how many recordings are in a list that was shown before all of it was counted."""
    try:
        total = listing.count(request.user, filters.read(request.GET))
    except filters.Invalid as exc:
        return HttpResponse(str(exc), status=400, content_type="text/plain; charset=utf-8")
    is_htmx = bool(request.headers.get("HX-Request"))
    template = "recordings/_count.html" if is_htmx else "recordings/count.html"
    return render(request, template, {"count": total, "here": request.GET.urlencode()})


def _moment(text: str) -> datetime:
    if not re.fullmatch(r"[0-9]{1,14}", text):  # milliseconds, at most of the year 5138
        raise filters.Invalid(f"since is {text[:40]!r}, which is no time of a list.")
    return datetime.fromtimestamp(int(text) / 1000, UTC)


@needs(Right.SEE)
@require_GET
@for_our_pages
@fails_closed
def sheet(request: HttpRequest) -> HttpResponse:
    """Send the list as CSV. Who sees the list may keep it: it holds no sound and no words said."""
    try:
        filters.read(request.GET)
    except filters.Invalid as exc:
        return HttpResponse(str(exc), status=400, content_type="text/plain; charset=utf-8")
    query = filters.address(request.GET, **{filters.CURSOR: None}).lstrip("?")
    audit.record(request.user, "export list", "recordings", query=query)
    return as_csv(request, {"query": query})


def as_csv(request: HttpRequest, plan: dict[str, object]) -> HttpResponse:
    """Answer with the plan of a CSV file, from which the stream door makes and sends it."""
    name = f"recordings-{timezone.localtime():%Y-%m-%dT%H-%M-%S%z}.csv"
    return streamed("csv", "text/csv; charset=utf-8; header=present", name, request, plan)


def streamed(
    kind: str, content_type: str, name: str, request: HttpRequest, plan: dict[str, object]
) -> HttpResponse:
    """Answer with a plan; the stream door makes the file of it, for no page waits in Django."""
    return HttpResponse(
        json.dumps({"user": request.user.pk, **plan}),
        content_type=content_type,
        headers={
            "X-Accel-Stream": kind,
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )
