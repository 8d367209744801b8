"""Saved views: keep the list that is shown under a name, rename, share and delete it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from access.policies import Right, needs
from recordings import filters, saved
from recordings.models import SavedView
from recordings.saved import ViewForm


@needs(Right.SEE)
@require_http_methods(["GET", "HEAD", "POST"])
def views(request: HttpRequest) -> HttpResponse:
    """List the views a person may open; save the list in the form under a name."""
    if request.method != "POST":
        return _page(request)
    form = ViewForm(request.POST, owner=request.user, auto_id="new-%s")
    query = _query(form, request.POST.get("query", ""))
    if form.is_valid() and form.keep(query):
        messages.success(request, f"Saved as “{form.instance.name}”.")
        return redirect(f"{reverse('recordings:list')}?{query or 'q='}")
    context = {"form": form, "query": query}
    return render(request, "recordings/view.html", context, status=422)


def _query(form: ViewForm, text: str) -> str:
    """Return the query of a list in its one spelling; an odd one is an error of the form."""
    try:
        asked = QueryDict(text[: saved.LONGEST_QUERY])
        filters.read(asked)
    except filters.Invalid as exc:
        form.add_error(None, f"This list cannot be saved. {exc}")
        return ""
    query = filters.address(asked, **{filters.CURSOR: None}).lstrip("?")
    if len(query) > saved.LONGEST_QUERY:
        form.add_error(None, f"The address has {len(query)} characters, the limit is 2000.")
    return query


@needs(Right.SEE)
@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a view of one's own, share it or not, open it first or not."""
    view = get_object_or_404(SavedView, pk=pk, owner=request.user.pk)
    form = ViewForm(request.POST, instance=view, owner=request.user, auto_id=f"view-{pk}-%s")
    if form.is_valid() and form.keep():
        messages.success(request, f"“{view.name}” is changed.")
        return redirect("recordings:views")
    return _page(request, form, status=422)


@needs(Right.SEE)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a view of one's own; the recordings stay."""
    view = get_object_or_404(SavedView, pk=pk, owner=request.user.pk)
    view.delete()
    messages.success(request, f"The view “{view.name}” is deleted. Its recordings are all there.")
    return redirect("recordings:views")


def _page(request: HttpRequest, bound: ViewForm | None = None, status: int = 200) -> HttpResponse:
    """Show every view with what can be changed of it; one form may carry its errors."""
    seen = saved.seen_by(request.user)
    mine = [
        (
            view,
            bound if bound and bound.instance.pk == view.pk else _form(request, view),
            _told(view),
        )
        for view in seen
        if view.owner_id == request.user.pk
    ]
    shared = [view for view in seen if view.owner_id != request.user.pk]
    return render(
        request, "recordings/views.html", {"mine": mine, "shared": shared}, status=status
    )


def _told(view: SavedView) -> list[filters.Chip]:
    """Return what a view narrows the list down to; nothing if a filter of it is no more."""
    asked = QueryDict(view.query)
    try:
        filters.read(asked)
    except filters.Invalid:
        return []
    return filters.chips(asked)


def _form(request: HttpRequest, view: SavedView) -> ViewForm:
    return ViewForm(instance=view, owner=request.user, auto_id=f"view-{view.pk}-%s")
