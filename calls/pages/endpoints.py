"""The pages of the endpoints: which other systems are told signals, and every attempt."""

from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from access import audit
from access.policies import Right, needs
from calls import deliveries
from calls.models import Delivery, Endpoint
from calls.pages.addresses import EndpointForm
from calls.ring import ring
from calls.signals import KINDS

MOST = 20
PAGE = 50
SECRET = "endpoint_secret"  # noqa: S105  (the name of a place in the session)


@needs(Right.OPERATE)
@require_http_methods(["GET", "HEAD", "POST"])
def endpoints(request: HttpRequest) -> HttpResponse:
    """List the endpoints; add one."""
    form = EndpointForm(request.POST if request.method == "POST" else None, auto_id="new-%s")
    if request.method == "POST":
        if form.is_valid() and Endpoint.objects.count() >= MOST:
            form.add_error(None, f"There are {MOST} endpoints, which is the limit: delete one.")
        if form.is_valid():
            return _add(request, form)
    waiting = Count("deliveries", filter=Q(deliveries__due_at__isnull=False))
    context = {"endpoints": Endpoint.objects.annotate(waiting=waiting), "form": form}
    status = 422 if form.is_bound else 200
    return render(request, "endpoints/list.html", context, status=status)


def _add(request: HttpRequest, form: EndpointForm) -> HttpResponse:
    form.instance.secret = deliveries.new_secret()
    added = cast("Endpoint", form.save())
    audit.record(request.user, "add", added.audited_as, name=added.name, url=added.url)
    request.session[SECRET] = [added.pk, added.secret]
    return redirect("endpoints:detail", added.pk)


@needs(Right.OPERATE)
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an endpoint with its newest deliveries; change it."""
    one = get_object_or_404(Endpoint, pk=pk)
    form = EndpointForm(request.POST or None, instance=one, auto_id="change-%s")
    if request.method == "POST" and form.is_valid():
        Endpoint.objects.filter(pk=pk).update(**form.cleaned_data)
        audit.record(request.user, "change", one.audited_as, **form.cleaned_data)
        messages.success(request, f"{form.cleaned_data['name']} is changed.")
        return redirect("endpoints:detail", pk)
    owner, secret = request.session.pop(SECRET, None) or (None, "")
    newest = one.deliveries.select_related("signal").order_by("-id")[:PAGE]
    context = {
        "endpoint": Endpoint.objects.get(pk=pk) if form.is_bound else one,
        "form": form,
        "secret": secret if owner == pk else "",  # shown this once
        "has_old_secret": bool(one.old_until and one.old_until > timezone.now()),
        "deliveries": [(each, KINDS.get(each.signal.kind)) for each in newest],
    }
    response = render(
        request, "endpoints/detail.html", context, status=422 if form.is_bound else 200
    )
    response["Cache-Control"] = "no-store"
    return response


@needs(Right.OPERATE)
@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause, resume, rotate, test or delete an endpoint, as the pressed button says."""
    one = get_object_or_404(Endpoint, pk=pk)
    verb = request.POST.get("do", "")
    if verb not in ("pause", "resume", "rotate", "test", "delete"):
        raise BadRequest(f"do is {verb!r}; it must be pause, resume, rotate, test or delete")
    audit.record(request.user, verb, one.audited_as, name=one.name, url=one.url)
    match verb:
        case "pause" | "resume":
            state = Endpoint.State.PAUSED if verb == "pause" else Endpoint.State.ACTIVE
            Endpoint.objects.filter(pk=pk).update(state=state)
            ring("signals")
            messages.success(
                request,
                f"{one.name} is paused: what happens meanwhile is not told to it."
                if verb == "pause"
                else f"{one.name} is told what happens from now on, and what still waits.",
            )
        case "rotate":
            request.session[SECRET] = [pk, deliveries.rotate(one)]
            messages.success(request, "For 24 hours messages are signed with both secrets.")
        case "test":
            told = deliveries.try_out(one)
            answer = f"answered {told.status}" if told.status else "did not answer"
            text = f"{one.name} {answer} after {told.took_ms} ms. {told.error}"
            (messages.success if told.is_success else messages.error)(request, text)
        case "delete":
            one.delete()
            messages.success(request, f"{one.name} is deleted, with its log.")
            return redirect("endpoints:list")
    return redirect("endpoints:detail", pk)


@needs(Right.OPERATE)
@require_POST
def resend(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a delivery again, with the id it had."""
    delivery = get_object_or_404(Delivery.objects.select_related("endpoint"), pk=pk)
    audit.record(request.user, "resend", delivery.endpoint.audited_as, delivery=pk)
    if deliveries.resend(delivery):
        ring("signals")
        messages.success(request, "It is sent again now.")
    else:
        messages.info(request, "It is being sent at this moment.")
    return redirect("endpoints:detail", delivery.endpoint_id)
