"""The pages of listening in: the dialog that calls one's phone, the roles, and one's phone."""

import uuid
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from access import audit
from access.policies import Right, needs
from calls import commands, listening, numbers, parties, supervise
from calls.line_forms import ListenForm, PhoneForm
from calls.models import Call, Phone
from calls.ring import ring
from calls.views import _answer as answer
from calls.views import _press as press
from calls.views import htmx


@needs(Right.SUPERVISE)
@require_http_methods(["GET", "HEAD", "POST"])
def listen(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask on which phone and to whom to listen, and have the phone called."""
    assert isinstance(request.user, User)  # noqa: S101  (the gate above lets nobody else in)
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    legs = list(Call.objects.filter(conversation=call.conversation).eldest_first())
    form = ListenForm(
        request.POST if request.method == "POST" else None,
        legs=supervise.choices(legs),
        known=Phone.objects.filter(person=request.user).first(),
        lines=_lines(legs),
    )
    if request.method != "POST" or not form.is_valid():
        status = 422 if request.method == "POST" else 200
        return _dialog(request, call, legs, form, status=status)
    data = form.cleaned_data
    try:
        with transaction.atomic():
            if data["remember"]:
                remember(request.user, data["phone"])
            supervise.listen_in(
                data["leg"],
                by=request.user,
                to=data["phone"],
                shown=data["shown"],
                request_id=press(request),
            )
    except commands.NotNow as exc:
        return answer(request, call, f"Listen in: {exc}", level=messages.WARNING, status=409)
    ring("control")
    said = "Listen in: your phone is being called. You will hear everybody, nobody hears you."
    return answer(request, call, said)


def _lines(legs: list[Call]) -> list[str]:
    """Return the numbers that may be shown on the supervisor's phone: the call's own first."""
    customer = parties.customer(legs)
    first = [parties.ours(customer)] if customer else []
    return list(dict.fromkeys([line for line in first if line.startswith("+")] + numbers.own()))


def _dialog(
    request: HttpRequest, call: Call, legs: list[Call], form: ListenForm, *, status: int
) -> HttpResponse:
    choices = [(leg, listening.party(leg, legs)) for leg in supervise.choices(legs)]
    context = {
        "call": call,
        "form": form,
        "choices": choices,
        "chosen": form["leg"].value() or (str(choices[0][0].pk) if choices else ""),
        "why_not": supervise.why_not(legs),
        "request_id": uuid.uuid4().hex,
    }
    template = "calls/_listen.html" if htmx(request) else "calls/listen.html"
    response = render(request, template, context, status=status)
    response["Desk-Target"], response["HX-Reswap"] = "#dialog-body", "innerHTML"
    return response


@needs(Right.SUPERVISE)
def switch(request: HttpRequest, pk: UUID, role: str) -> HttpResponse:
    """Change who hears the supervisor on this leg."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    assert isinstance(request.user, User)  # noqa: S101
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    try:
        supervise.switch(call, role, by=request.user, request_id=press(request))
    except commands.NotNow as exc:
        return answer(request, call, f"Switch role: {exc}", level=messages.WARNING, status=409)
    ring("control")
    return answer(request, call, "Switch role: requested.")


@needs(Right.SUPERVISE)
@require_http_methods(["GET", "HEAD", "POST"])
def phone(request: HttpRequest) -> HttpResponse:
    """Show and keep the phone on which a person listens in."""
    assert isinstance(request.user, User)  # noqa: S101
    known = Phone.objects.filter(person=request.user).first()
    like = next(iter(numbers.own()), "")
    typed = request.POST if request.method == "POST" else None
    form = PhoneForm(typed, initial={"phone": known.number if known else ""}, like=like)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            remember(request.user, form.cleaned_data["phone"])
        messages.success(request, "Your phone is kept." if form.cleaned_data["phone"] else "Gone.")
        return redirect("calls:phone")
    status = 422 if form.errors else 200
    return render(request, "calls/phone.html", {"form": form, "known": known}, status=status)


def remember(person: User, number: str) -> None:
    """Keep a person's phone, or forget it; the trail says so when it changed."""
    known = Phone.objects.filter(person=person).values_list("number", flat=True).first()
    if number == (known or ""):
        return
    if number:
        Phone.objects.update_or_create(person=person, defaults={"number": number})
    else:
        Phone.objects.filter(person=person).delete()
    audit.record(person, "changed own phone", f"user {person.pk}", before=known, after=number)
