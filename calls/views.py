"""The pages of a call, and the door for wishes. Every answer is a page, or the part that changed.

    POST commands/<kind>/ -> issue -> ring -> the row (on the board), the panel (on its own page)

An answer to htmx names its target in a header of ours, which desk.js reads: htmx would look for it
from the pressed button, and the stream may have replaced that button's row by then.
"""

import json
import re
import uuid
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from access import audit
from access.models import AuditRow
from access.policies import Right, may, needs
from calls import board, commands, guard, suggestions, supervise, timeline, wishes
from calls.forms import CommandForm, ReasonForm, for_kind
from calls.models import Call, Command, Guard, Kind
from calls.ring import ring
from calls.sounds import dialogs, queue
from calls.wishes import author

PARTS = ("panel", "timeline", "captions", "recordings", "sounds")
DIALOGS = {Kind.SPEAK: "say", Kind.PLAYBACK_START: "play"}  # others: one form for all
Person = User | AnonymousUser
READ_AGAIN = timedelta(hours=1)  # until another look at a call's captions is another audit row


def htmx(request: HttpRequest) -> HtmxDetails:
    """Return what htmx says about its request; false if the browser asks for a page."""
    details: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return details


@require_safe
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a call; `?part=` gives one part of the same page."""
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    part = request.GET.get("part")
    if part is not None and part not in PARTS:
        raise Http404(f"A call's page has no part {part[:40]!r}.")
    context = _context(request, call)
    return render(request, f"calls/_{part}.html" if part else "calls/detail.html", context)


def _context(request: HttpRequest, call: Call) -> dict[str, object]:
    conversation = board.of_call(call, now=timezone.now())
    legs = board.legs(conversation)
    leg = next(leg for leg in legs if leg.call.pk == call.pk)
    return {
        **board.context(conversation),
        "control": may(request.user, Right.CONTROL),
        "call": leg.call,
        "leg": leg,
        "legs": legs,
        "listening": [wishes.Wish(it) for it in supervise.pending(conversation.legs)],
        "entries": lambda: timeline.entries(call),
        "captions": lambda: _captions(request.user, call),
        "queue": lambda: queue.of(call),
    }


def _captions(user: Person, call: Call) -> list[timeline.Caption]:
    """Return what was said, to those who may hear it; the trail says so, once an hour."""
    said = timeline.captions(call) if may(user, Right.LISTEN) else []
    if said:
        subject = f"call {call.pk}"
        since = timezone.now() - READ_AGAIN
        read = AuditRow.objects.filter(subject=subject, verb="read captions", at__gt=since)
        if not read.filter(who_id=user.pk).exists():
            audit.record(user, "read captions", subject)
    return said


@needs(Right.CONTROL)
@require_http_methods(["GET", "HEAD", "POST"])
def command(request: HttpRequest, pk: UUID, kind: Kind) -> HttpResponse:
    """Ask for the parameters of a command, and issue it."""
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    if request.method != "POST":
        return _ask(request, call, kind, _form(request, kind, call))
    form = _form(request, kind, call)
    if not form.is_valid():
        return _ask(request, call, kind, form, status=422)
    press = _press(request)
    try:
        wish = commands.issue(
            call, kind, form.params, by=request.user, request_id=press, why=form.why
        )
    except commands.NotNow as exc:
        return _answer(request, call, f"{kind.label}: {exc}", level=messages.WARNING, status=409)
    ring("control")
    dialogs.used(form)
    return _answer(request, call, _said(wish, request.user, press))


@needs(Right.CONTROL)
@require_POST
def extend(request: HttpRequest, pk: UUID, guard_pk: UUID) -> HttpResponse:
    """Let a pause last longer, once, and say why."""
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    watched = get_object_or_404(Guard, pk=guard_pk, call=call)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        text = f"The pause was not extended. {form.errors['why'][0]}"
        return _answer(request, call, text, level=messages.WARNING, status=422)
    try:
        until = guard.extend(watched, why=form.cleaned_data["why"], by=request.user)
    except commands.NotNow as exc:
        return _answer(request, call, str(exc), level=messages.WARNING, status=409)
    return _answer(request, call, f"Paused until {timezone.localtime(until):%H:%M:%S}.")


@needs(Right.CONTROL)
@require_http_methods(["GET", "HEAD", "POST"])
def dial(request: HttpRequest) -> HttpResponse:
    """Ask whom to call, and place the call."""
    if request.method != "POST":
        return _ask(request, None, Kind.DIAL, _form(request, Kind.DIAL))
    form = _form(request, Kind.DIAL)
    if not form.is_valid():
        return _ask(request, None, Kind.DIAL, form, status=422)
    press = _press(request)
    wish = commands.issue(None, Kind.DIAL, form.params, by=request.user, request_id=press)
    ring("control")
    return _answer(request, None, _said(wish, request.user, press))


def _form(request: HttpRequest, kind: Kind, call: Call | None = None) -> CommandForm:
    """Return the form of a command, with what was posted or else the desk's wishes."""
    offered = suggestions.for_form(kind)
    typed = request.POST.copy() if request.method == "POST" else None
    if call is not None and kind in dialogs.DIALOGS:
        return dialogs.form(request, kind, call, typed=typed, suggestions=offered)
    given = {"connection_id": settings.TELNYX_CONNECTION_ID} if kind == Kind.DIAL else {}
    if typed is not None:
        for field, value in given.items():
            typed[field] = typed.get(field) or value
    return for_kind(kind)(typed, initial=given, suggestions=offered, auto_id="ask-%s")


def _press(request: HttpRequest) -> str:
    """Return the id of this press, minted in the browser, else here."""
    given = request.POST.get("request_id", "")
    return given if re.fullmatch(r"[\w-]{8,64}", given, re.ASCII) else uuid.uuid4().hex


def _said(wish: Command, user: Person, press: str) -> str:
    """Return what to tell the person who pressed."""
    label = str(wish.get_kind_display())
    if wish.request_id == press and wish.requested_by_id == user.pk:
        return f"{label}: requested."
    who = "You" if wish.requested_by_id == user.pk else author(wish)
    return f"{label}: {who} asked already at {timezone.localtime(wish.requested_at):%H:%M:%S}."


def _ask(
    request: HttpRequest, call: Call | None, kind: Kind, form: CommandForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "call": call,
        "kind": kind,
        "form": form,
        "why_not": commands.why_not(call, kind) if call else "",
        "request_id": uuid.uuid4().hex,
    }
    dialog = DIALOGS.get(kind, "command")
    template = f"calls/{'_' if htmx(request) else ''}{dialog}.html"
    response = render(request, template, context, status=status)
    response["Desk-Target"], response["HX-Reswap"] = "#dialog-body", "innerHTML"
    return response


def _answer(
    request: HttpRequest,
    call: Call | None,
    text: str,
    *,
    level: int = messages.INFO,
    status: int = 200,
) -> HttpResponse:
    """Show the call as it is now and say what happened; without JavaScript, by way of its page."""
    if not htmx(request):
        messages.add_message(request, level, text)
        return redirect(call or "home")
    response = _current(request, call)
    response.status_code = status
    said = {"target": "#announce", "text": text, "level": messages.DEFAULT_TAGS[level]}
    response["HX-Trigger"] = json.dumps({"tapeline:done": said})
    return response


def _current(request: HttpRequest, call: Call | None) -> HttpResponse:
    """Return the part of the asking page that shows this call, and where it goes."""
    unchanged = HttpResponse(headers={"HX-Reswap": "none"})
    if call is None:
        return unchanged
    if htmx(request).current_url_abs_path == call.get_absolute_url():
        target, response = "#panel", render(request, "calls/_panel.html", _context(request, call))
    elif rows := board.conversations(now=timezone.now(), keys=[call.conversation]):
        target, response = f"#{rows[0].id}", HttpResponse(board.row(rows[0], control=True))
    else:
        return unchanged
    response["Desk-Target"], response["HX-Reswap"] = target, "outerHTML"
    return response
