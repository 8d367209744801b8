"""What was said: as the part of a recording's page that shows it, and as a file."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from access.policies import Right, may
from recordings import outlook, said, texts, turns
from recordings.models import Recording
from recordings.views.gates import SERVED, fails_closed, for_our_pages, note, visible

READ = "read transcript"


def context(request: HttpRequest, recording: Recording) -> dict[str, object]:
    """Return what `_transcript.html` shows; the words to those who may read them, and noted."""
    what = said.of(recording)
    ahead = outlook.of(recording, what)
    shown: dict[str, object] = {
        "recording": recording,
        "outlook": ahead,
        "moves": outlook.moves(recording, what, ahead, now=timezone.now()),
        "version": outlook.version(what, ahead),
        "retried": what.transcript if what and may_retry(request) else None,
        "may_inquire": may_retry(request) and recording.recording_id and ahead.is_lacking,
    }
    if what is None or not may(request.user, Right.LISTEN):
        return shown
    note(request, recording, READ)
    return shown | {
        "said": what,
        "turns": turns.of(what, may_correct=may(request.user, Right.CORRECT)),
        "has_sides": any(sentence.channel is not None for sentence in what.sentences),
        "times_from": texts.sources(what),
        "left_out": texts.left_out(what) if what.is_timed else "",
        "may_correct": may(request.user, Right.CORRECT),
    }


def may_retry(request: HttpRequest) -> bool:
    """Say whether a person may have a text looked at again, or looked for."""
    return may(request.user, Right.CORRECT) or may(request.user, Right.OPERATE)


@require_safe
@for_our_pages
@fails_closed
def part(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what was said, anew; 204 if it is still what `?v=` shows."""
    recording = visible(request, pk)
    if not request.headers.get("HX-Request"):
        return redirect(f"{recording.get_absolute_url()}#transcript")
    shown = context(request, recording)
    if request.GET.get("v") and request.GET["v"] == shown.get("version") and shown["moves"]:
        return HttpResponse(status=204)
    return render(request, "recordings/_transcript.html", shown)


@require_safe
@for_our_pages
@fails_closed
def transcript(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """Return what was said as a file; 404 with the reason where there is nothing."""
    recording = visible(request, pk, Right.LISTEN)
    if kind not in texts.TYPES:
        raise Http404(f"A transcript comes as {', '.join(texts.TYPES)}, not as {kind[:20]}.")
    try:
        file = texts.export(recording, kind)
    except texts.Nothing as exc:
        return HttpResponse(str(exc), status=404, content_type=texts.TYPES["txt"])
    note(request, recording, READ)
    name = texts.file_name(recording, kind)
    headers = SERVED | {"Content-Disposition": content_disposition_header(False, name) or "inline"}
    if file.left_out:
        headers["Left-Out"] = file.left_out
    return HttpResponse(file.text, content_type=texts.TYPES[kind], headers=headers)
