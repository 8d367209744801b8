"""The notes of a recording: the section of its page, and the doors for tags, flag and mark.

    POST -> the verb -> the section as it is now (htmx), or the page at that note (without)

Tags, flag and mark are for all who see recordings. Comments can quote what was said, so they are
for those who may listen, and reading them is noted in the audit trail.
"""

import json
from datetime import datetime
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access.policies import Right
from recordings import notes
from recordings.forms.notes import FlagForm, TagForm
from recordings.models import Recording, Review
from recordings.views.gates import fails_closed, for_our_pages, visible
from recordings.views.notebook import Notebook


def context(request: HttpRequest, recording: Recording) -> dict[str, object]:
    """Return what recordings/_notes.html needs besides the recording."""
    return {"notes": Notebook(request, recording)}


@require_safe
@for_our_pages
@fails_closed
def section(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the notes; 204 if they are still the version that the page has seen."""
    recording = visible(request, pk)
    if request.GET.get("seen") == str(recording.version):
        return HttpResponse(status=204)
    return show(Notebook(request, recording))


@require_POST
@fails_closed
def tag(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put a tag on the recording."""
    recording = visible(request, pk, Right.ANNOTATE)
    form = TagForm(request.POST, auto_id="tag-%s")
    if not form.is_valid():
        return mend(request, recording, "tag", form)
    name = form.cleaned_data["name"]
    if notes.tag([recording], name, request.user):
        return done(request, recording, f"Tagged {name}.", focus="tag-name")
    if recording.taggings.filter(tag__name=name).exists():
        return done(request, recording, f"It was tagged {name} already.", focus="tag-name")
    most = f"This recording has {notes.MOST_TAGS} tags, the most there can be: remove one first."
    form.add_error("name", most)
    return mend(request, recording, "tag", form)


@require_POST
@fails_closed
def untag(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a tag off the recording."""
    recording = visible(request, pk, Right.ANNOTATE)
    form = TagForm(request.POST)
    if not form.is_valid():
        return mend(request, recording, "tag", TagForm(request.POST, auto_id="tag-%s"))
    name = form.cleaned_data["name"]
    gone = notes.untag([recording], name, request.user)
    said = f"The tag {name} is off." if gone else f"The tag {name} was off already."
    return done(request, recording, said, focus="tag-name")


@require_POST
@fails_closed
def flag(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Flag the recording, with the reason."""
    recording = visible(request, pk, Right.ANNOTATE)
    form = FlagForm(request.POST, auto_id="flag-%s")
    if not form.is_valid():
        return mend(request, recording, "flag", form)
    if notes.flag([recording], form.reason, request.user):
        return done(request, recording, "Flagged.", focus="turn-flag")
    said = "It was flagged already."
    known = Review.objects.filter(recording=recording).first()
    if known and known.flagged_at:  # and not taken off again since
        said = f"{_by(known.flagged_by, known.flagged_at)} flagged it already: {known.flag_reason}"
    return done(request, recording, said, focus="turn-flag", is_news=True)


@require_POST
@fails_closed
def unflag(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the flag off."""
    recording = visible(request, pk, Right.ANNOTATE)
    gone = notes.unflag([recording], request.user)
    said = "The flag is off." if gone else "The flag was off already."
    return done(request, recording, said, focus="turn-flag")


@require_POST
@fails_closed
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Mark the recording as reviewed."""
    recording = visible(request, pk, Right.ANNOTATE)
    if notes.review([recording], request.user):
        return done(request, recording, "Marked as reviewed.", focus="turn-reviewed")
    said = "It was reviewed already."
    known = Review.objects.filter(recording=recording).first()
    if known and known.reviewed_at:  # and not taken back again since
        said = f"{_by(known.reviewed_by, known.reviewed_at)} reviewed it already."
    return done(request, recording, said, focus="turn-reviewed", is_news=True)


@require_POST
@fails_closed
def unreview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the reviewed mark back."""
    recording = visible(request, pk, Right.ANNOTATE)
    gone = notes.unreview([recording], request.user)
    said = "No longer marked as reviewed." if gone else "The mark was taken back already."
    return done(request, recording, said, focus="turn-reviewed")


def _by(name: str, at: datetime) -> str:
    return f"At {timezone.localtime(at):%H:%M:%S} {name}"


def mend(
    request: HttpRequest, recording: Recording, place: str, form: forms.Form, *, status: int = 422
) -> HttpResponse:
    """Show the form again with what is wrong in it."""
    said = "Nothing was saved: see the field marked below."
    response = show(Notebook(request, recording, {place: form}), status=status)
    return _tell(response, said, messages.ERROR)


def done(
    request: HttpRequest, recording: Recording, said: str, *, focus: str, is_news: bool = False
) -> HttpResponse:
    """Show the notes as they are now, and say what happened; without JavaScript, on the page."""
    level = messages.WARNING if is_news else messages.INFO
    if not request.htmx:  # type: ignore[attr-defined]
        messages.add_message(request, level, said)
        query = Notebook(request, recording).query
        return redirect(f"{recording.get_absolute_url()}{query}#{focus}")
    fresh = visible(request, recording.pk)
    return _tell(show(Notebook(request, fresh, focus=focus)), said, level)


def show(shown: Notebook, *, status: int = 200) -> HttpResponse:
    """Render the section alone for htmx, else on a page of its own."""
    part = shown.request.htmx  # type: ignore[attr-defined]
    template = "recordings/_notes.html" if part else "recordings/notes.html"
    context = {"recording": shown.recording, "notes": shown}
    response = render(shown.request, template, context, status=status)
    # what was pressed may be gone when the answer comes, so the page looks for the section itself
    response["Desk-Target"], response["HX-Reswap"] = "#notes", "outerHTML"
    return response


def _tell(response: HttpResponse, said: str, level: int) -> HttpResponse:
    told = {"target": "#announce", "text": said, "level": messages.DEFAULT_TAGS[level]}
    response["HX-Trigger"] = json.dumps({"tapeline:done": told})
    return response
