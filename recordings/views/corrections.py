"""Corrections of a transcript: a sentence, who speaks on which side, its times looked for again.

Every form works as a page of its own; htmx puts it, and its answer, in the place of the row.
"""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access import audit
from access.policies import Right, may
from calls.ring import ring
from recordings import missed, revisions, said, timing, turns
from recordings.models import Recording, Revision, Transcript
from recordings.sentences import read
from recordings.views.gates import fails_closed, for_our_pages, note, visible
from recordings.views.transcript import READ, context, may_retry

PAGE = 10  # revisions; each holds the whole transcript


@require_http_methods(["GET", "HEAD", "POST"])
@for_our_pages
@fails_closed
def correct(request: HttpRequest, pk: UUID, text: int, number: int) -> HttpResponse:
    """Ask for the right words of a sentence, and keep them."""
    recording = visible(request, pk, Right.CORRECT)
    transcript = _transcript(recording, text)
    if request.method != "POST":
        note(request, recording, READ)
        return _row(request, recording, transcript, number, is_form="cancel" not in request.GET)
    given, was = request.POST.get("text", ""), request.POST.get("was", "")
    try:
        after = revisions.correct(transcript, recording, number, given, was=was, by=request.user)
    except revisions.Changed as exc:
        return _form(
            request, recording, transcript, number, given, was=exc.now, conflict=True, status=409
        )
    except revisions.NotPossible as exc:
        return _form(
            request, recording, transcript, number, given, was=was, problem=str(exc), status=422
        )
    if not request.headers.get("HX-Request"):
        messages.success(request, "The sentence is corrected." if given.strip() else "Removed.")
        return redirect(f"{recording.get_absolute_url()}#transcript")
    if given.strip():
        return _row(request, recording, after, number)
    return _whole(request, recording)  # the numbers of the sentences below have changed


@require_GET
@for_our_pages
@fails_closed
def history(request: HttpRequest, pk: UUID, text: int) -> HttpResponse:
    """Show who corrected what, newest first."""
    recording = visible(request, pk, Right.LISTEN)
    transcript = _transcript(recording, text)
    before = _number(request.GET.get("before", ""), transcript.revision + 1)
    found = list(
        Revision.objects.filter(transcript=transcript, number__lt=before).order_by("-number")[
            : PAGE + 1
        ]
    )
    note(request, recording, READ)
    entries = [
        {
            "revision": revision,
            "changes": list(revisions.changes(read(earlier.segments), read(revision.segments)))
            if earlier
            else [],
        }
        for revision, earlier in zip(found, [*found[1:], None], strict=True)
    ]
    shown = {
        "recording": recording,
        "transcript": transcript,
        "entries": entries[:PAGE],
        "older": found[PAGE - 1].number if len(found) > PAGE else None,
        "may_correct": may(request.user, Right.CORRECT),
    }
    return render(request, "recordings/history.html", shown)


@require_POST
@for_our_pages
@fails_closed
def restore(request: HttpRequest, pk: UUID, text: int, number: int) -> HttpResponse:
    """Say again what an earlier revision said."""
    recording = visible(request, pk, Right.CORRECT)
    transcript = _transcript(recording, text)
    try:
        after = revisions.restore(transcript, recording, number, by=request.user)
    except Revision.DoesNotExist as exc:
        raise Http404(f"This transcript has no revision {number}.") from exc
    except revisions.NotPossible as exc:
        messages.error(request, str(exc))
    else:
        if all(sentence.start_ms is None for sentence in said.sentences_of(after)):
            timing.ask(Transcript.objects.filter(pk=after.pk))
            ring("texts")
        messages.success(request, f"Revision {number} is what is said again.")
    return redirect("recordings:history", recording.pk, transcript.pk)


@require_POST
@for_our_pages
@fails_closed
def swap(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that the speakers are the other way round; pressed twice by mistake, it is said once."""
    recording = visible(request, pk, Right.CORRECT)
    swapped = request.POST.get("swapped") == "1"
    with transaction.atomic():
        changed = Recording.objects.filter(pk=recording.pk).exclude(sides_swapped=swapped)
        if changed.change(sides_swapped=swapped):
            audit.record(request.user, "swap speakers", recording.subject, swapped=swapped)
    recording.sides_swapped = swapped
    return _shown(request, recording)


@require_POST
@for_our_pages
@fails_closed
def retry(request: HttpRequest, pk: UUID, text: int) -> HttpResponse:
    """Look again for the times of a text."""
    recording = _retried(request, pk)
    transcript = _transcript(recording, text)
    untimed = Transcript.objects.filter(pk=transcript.pk, timing=Transcript.Timing.UNTIMED)
    with transaction.atomic():
        if timing.ask(untimed):
            audit.record(request.user, "time transcript", recording.subject)
            transaction.on_commit(partial(ring, "texts"))
    return _shown(request, recording)


@require_POST
@for_our_pages
@fails_closed
def inquire(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask Telnyx for a text that never came."""
    recording = _retried(request, pk)
    with transaction.atomic():
        if missed.inquire(recording):
            audit.record(request.user, "ask for transcript", recording.subject)
            transaction.on_commit(partial(ring, "texts"))
    return _shown(request, recording)


def _retried(request: HttpRequest, pk: UUID) -> Recording:
    """Return a recording of which the person may have something done again; else 404 or 403."""
    recording = visible(request, pk)
    return recording if may_retry(request) else visible(request, pk, Right.CORRECT)


def _transcript(recording: Recording, pk: int) -> Transcript:
    """Return a text of this recording, or of the call and of no other recording; else 404."""
    transcript = get_object_or_404(Transcript.objects.exclude(text=""), pk=pk)
    if not said.is_of(transcript, recording):
        raise Http404("This recording has no such transcript.")
    return transcript


def _row(
    request: HttpRequest,
    recording: Recording,
    transcript: Transcript,
    number: int,
    *,
    is_form: bool = False,
) -> HttpResponse:
    """Show one sentence, or the form that corrects it."""
    what = said.shown(recording, transcript, said.sentences_of(transcript))
    if number >= len(what.sentences):
        raise Http404(f"This transcript has no sentence {number + 1}.")
    sentence = what.sentences[number]
    if is_form:
        return _form(request, recording, transcript, number, sentence.text, was=sentence.text)
    if not request.headers.get("HX-Request"):
        return redirect(f"{recording.get_absolute_url()}#transcript")
    shown = {"recording": recording, "said": what, "turn": turns.one(what, number)}
    return render(request, "recordings/_corrected.html", shown)


def _form(
    request: HttpRequest,
    recording: Recording,
    transcript: Transcript,
    number: int,
    text: str,
    *,
    was: str | None,
    conflict: bool = False,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    is_htmx = request.headers.get("HX-Request")
    shown = {
        "recording": recording,
        "transcript": transcript,
        "number": number,
        "text": text,
        "was": was,
        "conflict": conflict,
        "problem": problem,
        "most": revisions.LONGEST,
    }
    template = "recordings/_correct.html" if is_htmx else "recordings/correct.html"
    return render(request, template, shown, status=status)


def _shown(request: HttpRequest, recording: Recording) -> HttpResponse:
    """Show the transcript as it is now; without JavaScript, by way of its page."""
    if not request.headers.get("HX-Request"):
        return redirect(f"{recording.get_absolute_url()}#transcript")
    return _whole(request, recording)


def _whole(request: HttpRequest, recording: Recording) -> HttpResponse:
    response = render(request, "recordings/_transcript.html", context(request, recording))
    response["HX-Retarget"], response["HX-Reswap"] = "#transcript", "outerHTML"
    return response


def _number(given: str, default: int) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else default
