"""The page of the neighbours: who hears webhooks behind the desk, and how each does."""

from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from access import audit
from access.policies import Right, needs
from calls import forwarding, outbound, passing
from calls.models import Neighbour
from calls.pages.addresses import NeighbourForm

MOST = 20  # each costs the webhook door a row for every event


@needs(Right.OPERATE)
@require_http_methods(["GET", "HEAD", "POST"])
def neighbours(request: HttpRequest) -> HttpResponse:
    """List the neighbours and how they do; add one."""
    if request.method != "POST":
        return _page(request)
    form = NeighbourForm(request.POST, auto_id="new-%s")
    if form.is_valid() and Neighbour.objects.count() >= MOST:
        form.add_error(None, f"There are {MOST} neighbours, which is the limit: delete one.")
    if not form.is_valid():
        return _page(request, form, status=422)
    added = cast("Neighbour", form.save())
    passing.is_wanted.forget()
    audit.record(request.user, "add", added.subject, name=added.name, url=added.url)
    messages.success(request, f"{added.name} hears what comes from now on.")
    return redirect("neighbours:list")


@needs(Right.OPERATE)
@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the name or the address of a neighbour."""
    neighbour = get_object_or_404(Neighbour, pk=pk)
    form = NeighbourForm(request.POST, instance=neighbour, auto_id=f"n{pk}-%s")
    if not form.is_valid():
        return _page(request, form, status=422)
    fresh = {"failures": 0, "open_until": None, "down_since": None}  # it may answer by now
    Neighbour.objects.filter(pk=pk).update(**form.cleaned_data, **fresh)
    audit.record(request.user, "change", neighbour.subject, **form.cleaned_data)
    messages.success(request, f"{form.cleaned_data['name']} is changed.")
    return redirect("neighbours:list")


@needs(Right.OPERATE)
@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause, resume, test or delete a neighbour, as the pressed button says."""
    neighbour = get_object_or_404(Neighbour, pk=pk)
    match request.POST.get("do"):
        case "pause" | "resume" as verb:
            forwarding.pause(neighbour, is_paused=verb == "pause")
            passing.is_wanted.forget()
            audit.record(request.user, verb, neighbour.subject, name=neighbour.name)
            messages.success(
                request,
                f"{neighbour.name} is paused: what comes meanwhile is never told to it."
                if verb == "pause"
                else f"{neighbour.name} hears what comes from now on.",
            )
        case "test":
            audit.record(request.user, "test", neighbour.subject, url=neighbour.url)
            _test(request, neighbour)
        case "delete":
            audit.record(
                request.user, "delete", neighbour.subject, name=neighbour.name, url=neighbour.url
            )
            neighbour.delete()
            passing.is_wanted.forget()
            messages.success(request, f"{neighbour.name} is deleted and hears nothing more.")
        case other:
            raise BadRequest(f"do is {other!r}; it must be pause, resume, test or delete")
    return redirect("neighbours:list")


def _test(request: HttpRequest, neighbour: Neighbour) -> None:
    try:
        answer = forwarding.try_out(neighbour)
    except outbound.Unsent as exc:
        messages.error(request, f"{neighbour.name} did not hear the test. {exc}")
        return
    say = messages.success if answer.is_success else messages.warning
    say(
        request,
        f"{neighbour.name} answered {answer.status} after {answer.took_ms} ms."
        + (
            ""
            if answer.is_success
            else " The test is not signed by Telnyx, so an application that checks"
            " signatures rightly refuses it."
        ),
    )


def _page(
    request: HttpRequest, bound: NeighbourForm | None = None, status: int = 200
) -> HttpResponse:
    """Show every neighbour with what can be done; one form may carry its errors."""
    rows = [
        (
            neighbour,
            forwarding.health(neighbour),
            bound
            if bound is not None and bound.instance.pk == neighbour.pk
            else NeighbourForm(instance=neighbour, auto_id=f"n{neighbour.pk}-%s"),
        )
        for neighbour in Neighbour.objects.all()
    ]
    is_new = bound is not None and bound.instance.pk is None
    context = {
        "rows": rows,
        "form": bound if is_new else NeighbourForm(auto_id="new-%s"),
        "open_form": bound.instance.pk if bound is not None and not is_new else None,
        "now": timezone.now(),
    }
    return render(request, "neighbours/list.html", context, status=status)
