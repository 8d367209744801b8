"""The page of saved phrases, and "Save as a phrase" of the dialog, which needs script."""

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from access.policies import Right, needs
from calls.models import Phrase
from calls.sounds import phrases, variables
from calls.sounds.forms import PhraseForm
from calls.telnyx import ssml

STEPS = {"up": -1, "down": 1}


@needs(Right.SOUNDS)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """List the phrases, and take a new one."""
    form = PhraseForm(request.POST if request.method == "POST" else None, auto_id="new-%s")
    if request.method == "POST" and (kept := _keep(request, form, Phrase())):
        messages.success(request, f"“{kept.name}” is saved.")
        return redirect("calls:phrases")
    return _page(request, form, status=422 if form.errors else 200)


def _page(request: HttpRequest, form: PhraseForm, *, status: int = 200) -> HttpResponse:
    context = {
        "phrases": Phrase.objects.select_related("added_by"),
        "form": form,
        "variables": variables.VARIABLES,
        "tags": ssml.TAGS,
    }
    return render(request, "calls/phrases.html", context, status=status)


@needs(Right.SOUNDS)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change one phrase."""
    phrase = get_object_or_404(Phrase, pk=pk)
    fields = {name: getattr(phrase, name) for name in PhraseForm.base_fields}
    typed = request.POST if request.method == "POST" else None
    form = PhraseForm(typed, initial=fields, auto_id="edit-%s")
    if typed is not None and (kept := _keep(request, form, phrase)):
        messages.success(request, f"“{kept.name}” is changed.")
        return redirect("calls:phrases")
    context = {"phrase": phrase, "form": form, "variables": variables.VARIABLES, "tags": ssml.TAGS}
    return render(request, "calls/phrase.html", context, status=422 if form.errors else 200)


def _keep(request: HttpRequest, form: PhraseForm, phrase: Phrase) -> Phrase | None:
    """Save what a form holds, or leave at its fields what is wrong with it."""
    if not form.is_valid():
        return None
    is_new = phrase._state.adding
    if is_new and Phrase.objects.count() >= phrases.MOST:
        form.add_error(None, f"There are {phrases.MOST} phrases, the limit: delete one first.")
        return None
    for name, value in form.cleaned_data.items():
        setattr(phrase, name, value)
    try:
        return phrases.save(phrase, by=request.user)
    except phrases.NameTaken:
        form.add_error("name", f"Another phrase is called “{phrase.name}”.")
        return None


@needs(Right.SOUNDS)
@require_POST
def from_dialog(request: HttpRequest) -> HttpResponse:
    """Save the text of the Say dialog, whose fields have Telnyx's names."""
    names = {"text": "payload", "kind": "payload_type", "name": "phrase_name"}
    typed = {
        field: request.POST.get(names.get(field, field), "") for field in PhraseForm.base_fields
    }
    form = PhraseForm(typed, auto_id="new-%s")
    kept = _keep(request, form, Phrase())
    wrong = [error for errors in form.errors.values() for error in errors]
    context = {"kept": kept, "wrong": wrong}
    response = render(request, "calls/_phrase_saved.html", context, status=200 if kept else 422)
    if kept is not None:
        response["HX-Trigger"] = json.dumps({"tapeline:phrase": {"name": kept.name}})
    return response


@needs(Right.SOUNDS)
@require_POST
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a phrase."""
    phrase = get_object_or_404(Phrase, pk=pk)
    phrases.delete(phrase, by=request.user)
    messages.success(request, f"“{phrase.name}” is deleted.")
    return redirect("calls:phrases")


@needs(Right.SOUNDS)
@require_POST
def move(request: HttpRequest, pk: UUID, way: str) -> HttpResponse:
    """Move a phrase by one place."""
    phrase = get_object_or_404(Phrase, pk=pk)
    phrases.move(phrase, STEPS[way], by=request.user)
    return redirect(f"{reverse('calls:phrases')}#phrase-{phrase.pk}")  # Tab goes on from there
