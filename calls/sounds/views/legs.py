"""What sounds on a leg and waits for its turn, and what a text will become on it."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access.policies import Right, may, needs
from calls import board
from calls.models import Call
from calls.sounds import phrases, queue, variables
from calls.sounds.dialogs import SayForm
from calls.telnyx import ssml


@require_safe
def waiting(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the queue of a leg, in the dialog or as a page."""
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    is_part = bool(request.htmx)  # type: ignore[attr-defined]
    conversation = board.of_call(call, now=timezone.now())
    leg = next(leg for leg in board.legs(conversation) if leg.call.pk == call.pk)
    context = {
        "call": leg.call,
        "leg": leg,
        "queue": queue.of(call),
        "control": may(request.user, Right.CONTROL),
        "now": timezone.now(),
    }
    template = "calls/_queue_dialog.html" if is_part else "calls/queue.html"
    response = render(request, template, context)
    response["Desk-Target"], response["HX-Reswap"] = "#dialog-body", "innerHTML"
    return response


@needs(Right.CONTROL)
@require_POST
def preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say what the text of the dialog becomes on this call, or what is wrong with it."""
    call = get_object_or_404(Call.objects.visible_to(request.user), pk=pk)
    form = SayForm(request.POST, call=call, by=request.user)
    text, wrong = "", ""
    try:
        text = form.filled()
        if request.POST.get("payload_type") == "ssml" and text.strip():
            wrong = ssml.fault(text, voice=request.POST.get("voice", ""))
    except variables.Wrong as exc:
        wrong = str(exc)
    typed = str(request.POST.get("payload", "")).replace("\r\n", "\n")
    context = {
        "text": text if text != typed else "",
        "length": len(text or typed),
        "most": phrases.LONGEST,
        "wrong": wrong,
    }
    return render(request, "calls/_said.html", context)
