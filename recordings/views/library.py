"""The library: recordings found by the filters in the address."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from access.policies import Right, needs
from recordings import filters
from recordings.models import State
from recordings.search.results import find


@needs(Right.SEE)
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """List recordings, newest first, narrowed down by the filters in the address."""
    context: dict[str, object] = {"states": State.choices, "asked": request.GET}
    try:
        chosen = filters.read(request.GET)
        page = find(request.user, chosen)
    except filters.Invalid as exc:
        # htmx swaps a 422 in, and a browser shows a 400 as it is
        status = 422 if request.headers.get("HX-Request") else 400
        return render(request, "recordings/list.html", context | {"problem": exc}, status=status)
    context |= {
        "page": page,
        "recordings": page.recordings,
        "count": page.total,
        "chips": filters.chips(request.GET),
        "older": page.after and filters.address(request.GET, after=page.after),
        "newest": chosen.after and filters.address(request.GET, after=None),
        "words_left_out": page.words_left_out,
    }
    response = render(request, "recordings/list.html", context)
    if request.headers.get("HX-Request"):  # the address of the list, without empty parameters
        response["HX-Push-Url"] = request.path + filters.address(request.GET).rstrip("?")
    return response
