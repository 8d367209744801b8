"""The page of Telnyx's voices, the list that Say picks from, and the desk's own voice."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from access.policies import Right, may, needs
from calls.sounds import voices
from calls.sounds.forms import VoiceForm

PAGE, PICKER = 200, 30
FIELDS = ("provider", "language", "gender")


@needs(Right.SOUNDS)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Find voices; `?part=options` gives those for the picker. An operator chooses the desk's."""
    if request.GET.get("part") == "options":
        return _options(request)
    form = _default_form(request)
    if request.method == "POST":
        if not may(request.user, Right.OPERATE):
            messages.error(request, "Only operators choose the desk's voice.")
            return redirect("calls:voices")
        if form.is_valid():
            voices.set_default(**form.cleaned_data, by=request.user)
            messages.success(request, f"The desk speaks with {form.cleaned_data['voice']}.")
            return redirect("calls:voices")
    asked = {name: request.GET.get(name, "")[:64] for name in FIELDS}
    text = request.GET.get("q", "")[:200]
    found = voices.search(text, **asked, most=PAGE + 1)
    context = {
        "form": form,
        "told": voices.told(),
        "default": voices.default()[0],
        "found": found[:PAGE],
        "is_cut": len(found) > PAGE,
        "q": text,
        "asked": asked,
        "filters": [(name, voices.choices(name), asked[name]) for name in FIELDS],
    }
    return render(request, "calls/voices.html", context, status=422 if form.errors else 200)


def _default_form(request: HttpRequest) -> VoiceForm:
    voice, language = voices.default()
    typed = request.POST if request.method == "POST" else None
    return VoiceForm(typed, initial={"voice": voice, "language": language}, auto_id="default-%s")


def _options(request: HttpRequest) -> HttpResponse:
    """Return the voices that fit what was typed; the name of one voice shows all there are."""
    text = request.GET.get("voice", "")[:200].strip()
    exact = voices.known(text) is not None
    found = voices.search("" if exact else text, most=PICKER + 1)
    context = {
        "found": found[:PICKER],
        "is_cut": len(found) > PICKER,
        "told": voices.told(),
        "chosen": text,
    }
    return render(request, "calls/_voice_options.html", context)


@needs(Right.SOUNDS)
@require_POST
def refresh(request: HttpRequest) -> HttpResponse:
    """Have Telnyx asked for its list."""
    voices.refresh_soon(by=request.user)
    messages.success(request, "Telnyx is asked within seconds; this page shows what it lists.")
    return redirect("calls:voices")
