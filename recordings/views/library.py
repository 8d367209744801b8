"""The library: recordings found by the filters in the address."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from access.policies import Right, may, needs
from recordings import filters
from recordings.models import Recording, RecordingQuerySet, State

PAGE = 50
COUNTED = 1000


@needs(Right.SEE)
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """List recordings, newest first, narrowed down by the filters in the address."""
    context: dict[str, object] = {"states": State.choices, "asked": request.GET}
    try:
        chosen = filters.read(request.GET)
    except filters.Invalid as exc:
        # htmx swaps a 422 in, and a browser shows a 400 as it is
        status = 422 if request.headers.get("HX-Request") else 400
        return render(request, "recordings/list.html", context | {"problem": exc}, status=status)
    may_read = may(request.user, Right.LISTEN)
    visible = Recording.objects.visible_to(request.user)
    found, count = _search(visible, chosen, may_read=may_read)
    rows = list(chosen.page(found)[: PAGE + 1])
    more = rows[PAGE - 1] if len(rows) > PAGE else None
    context |= {
        "recordings": rows[:PAGE],
        "count": f"{COUNTED:,}+" if count > COUNTED else str(count),
        "chips": filters.chips(request.GET),
        "older": more and filters.address(request.GET, after=str(more.place)),
        "newest": chosen.after and filters.address(request.GET, after=None),
        "words_left_out": chosen.wants_words and not may_read,
    }
    response = render(request, "recordings/list.html", context)
    if request.headers.get("HX-Request"):  # the address of the list, without empty parameters
        response["HX-Push-Url"] = request.path + filters.address(request.GET).rstrip("?")
    return response


def _search(
    visible: RecordingQuerySet, chosen: filters.Filters, *, may_read: bool
) -> tuple[RecordingQuerySet, int]:
    """Return what matches, and how many that are, counted a little further than is told.

    A few matches are found by their index and then sorted; many by walking back in time.
    """
    found = chosen.choose(visible, may_read=may_read)
    keys = list(found.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    if chosen.is_search and len(keys) <= COUNTED:
        found = visible.filter(pk__in=keys)
    elif chosen.is_search:
        found = chosen.choose(visible, may_read=may_read, by_time=True)
    return found, len(keys)
