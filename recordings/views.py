"""The library, the page of a recording, and what is served of it: sound, waveform, transcript.

Whatever ships sound or text writes its audit row first; if that fails, nothing is served. The
bytes themselves leave by X-Accel-Redirect, so no page waits for a slow listener.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from access import audit
from access.models import AuditRow
from access.policies import Right, may, needs
from recordings import filters, storage, texts
from recordings.models import Recording, RecordingQuerySet, State, Transcript
from recordings.peaks import coarser

logger = logging.getLogger(__name__)

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

PAGE = 50
COUNTED = 1000
MOST_PIXELS = 4000  # twice the widest screen, 16 kB
NOTED_FOR = timedelta(minutes=30)  # until more of the same is another row of the audit trail
SPEEDS = ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "2.5", "3")
FOREIGN = {"cross-site", "same-site"}  # Sec-Fetch-Site; pages of ours say same-origin
SERVED = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def fails_closed(view: View[P]) -> View[P]:
    """Serve nothing that the audit trail cannot hold."""

    @wraps(view)
    def closed(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except DatabaseError as exc:
            logger.error("nothing served of %s: %s", request.path, exc)
            text = "Nothing is served while the audit trail cannot be written."
            return HttpResponse(text, status=503, content_type="text/plain")

    return cast("View[P]", closed)  # wraps() hides the signature that stays the same


def for_our_pages(view: View[P]) -> View[P]:
    """Serve nothing to pages of other sites, whatever cookies their requests carry."""

    @wraps(view)
    def ours(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.headers.get("Sec-Fetch-Site") in FOREIGN:
            raise PermissionDenied("Recordings are not served to pages of other sites.")
        return view(request, *args, **kwargs)

    return cast("View[P]", ours)


@needs(Right.SEE)
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """List recordings, newest first, narrowed down by the filters in the address."""
    context: dict[str, object] = {"states": State.choices, "asked": request.GET}
    try:
        chosen = filters.read(request.GET)
    except filters.Invalid as exc:
        # htmx swaps a 422 in, and a browser shows a 400 as it is
        status = 422 if request.headers.get("HX-Request") else 400
        return render(request, "recordings/list.html", context | {"problem": exc}, status=status)
    may_read = may(request.user, Right.LISTEN)
    visible = Recording.objects.visible_to(request.user)
    found, count = _search(visible, chosen, may_read=may_read)
    said = Transcript.objects.filter(recording=OuterRef("pk")).exclude(text="")
    rows = list(chosen.page(found).annotate(has_transcript=Exists(said))[: PAGE + 1])
    more = rows[PAGE - 1] if len(rows) > PAGE else None
    context |= {
        "recordings": rows[:PAGE],
        "count": f"{COUNTED:,}+" if count > COUNTED else str(count),
        "chips": filters.chips(request.GET),
        "older": more
        and filters.address(request.GET, after=filters.cursor(more.started_at, more.pk)),
        "newest": chosen.after and filters.address(request.GET, after=None),
        "words_left_out": chosen.wants_words and not may_read,
    }
    response = render(request, "recordings/list.html", context)
    if request.headers.get("HX-Request"):  # the address of the list, without empty parameters
        response["HX-Push-Url"] = request.path + filters.address(request.GET).rstrip("?")
    return response


def _search(
    visible: RecordingQuerySet, chosen: filters.Filters, *, may_read: bool
) -> tuple[RecordingQuerySet, int]:
    """Return what matches, and how many that are, counted a little further than is told.

    A few matches are found by their index and then sorted; many by walking back in time.
    """
    found = chosen.choose(visible, may_read=may_read)
    keys = list(found.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    if chosen.is_search and len(keys) <= COUNTED:
        found = visible.filter(pk__in=keys)
    elif chosen.is_search:
        found = chosen.choose(visible, may_read=may_read, by_time=True)
    return found, len(keys)


@require_safe
@fails_closed
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a recording: where its file is, how it sounds, what was said."""
    recording = _visible(request, pk)
    if request.headers.get("HX-Request") and not recording.is_wanted:
        return HttpResponse(headers={"HX-Refresh": "true"})  # the file has come, or never will
    context = {"recording": recording, "play": secrets.token_urlsafe(9), "speeds": SPEEDS}
    if may(request.user, Right.LISTEN):
        transcripts, lines = texts.written(recording), texts.lines(recording)
        if transcripts or lines:
            _note(request, recording, "read transcript")
        context |= {"transcripts": transcripts, "lines": lines}
    return render(request, "recordings/detail.html", context)


@require_safe
@for_our_pages
@fails_closed
def sound(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a person hear a recording, or with ?download=1 keep it."""
    is_download = request.GET.get("download") == "1"
    recording = _visible(request, pk, Right.DOWNLOAD if is_download else Right.LISTEN)
    if not recording.is_stored:
        raise Http404(f"The file of this recording is not here: {recording.get_state_display()}.")
    if request.method == "GET":
        if is_download:
            audit.record(request.user, "download", recording.subject, sha256=recording.sha256)
        else:
            _note(request, recording, "play", page=request.GET.get("page", "")[:16])
    name = texts.file_name(recording, recording.path.rpartition(".")[2])
    return HttpResponse(
        content_type=recording.content_type,
        headers={
            **SERVED,
            "X-Accel-Redirect": f"/_media/{recording.path}",
            "ETag": f'"{recording.sha256}"',
            "Content-Disposition": content_disposition_header(is_download, name) or "inline",
        },
    )


@require_safe
@for_our_pages
@fails_closed
def waveform(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the waveform, in audiowaveform's format, no finer than a screen can show."""
    recording = _visible(request, pk, Right.LISTEN)
    if not recording.is_stored or not recording.peaks:
        raise Http404("There is no waveform of this recording.")
    try:
        dat = coarser(storage.read(recording.peaks), most=MOST_PIXELS)
    except (OSError, ValueError) as exc:
        raise Http404("The waveform of this recording cannot be read.") from exc
    return HttpResponse(dat, content_type="application/octet-stream", headers=SERVED)


@require_safe
@for_our_pages
@fails_closed
def transcript(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """Return what was said as txt, vtt or json; 404 with the reason where there is nothing."""
    recording = _visible(request, pk, Right.LISTEN)
    if kind not in texts.TYPES:
        raise Http404(f"A transcript comes as {', '.join(texts.TYPES)}, not as {kind[:20]}.")
    try:
        text = texts.export(recording, kind)
    except texts.Nothing as exc:
        return HttpResponse(str(exc), status=404, content_type=texts.TYPES["txt"])
    _note(request, recording, "read transcript")
    name = texts.file_name(recording, kind)
    headers = SERVED | {"Content-Disposition": content_disposition_header(False, name) or "inline"}
    return HttpResponse(text, content_type=texts.TYPES[kind], headers=headers)


def _visible(request: HttpRequest, pk: UUID, right: Right = Right.SEE) -> Recording:
    """Return a recording the person may see: else 404; and without the right: 403."""
    seen = Recording.objects.visible_to(request.user).select_related("call")
    recording = get_object_or_404(seen, pk=pk)
    if not may(request.user, right):
        raise PermissionDenied(f"Your account may not {right.value}.")
    return recording


def _note(request: HttpRequest, recording: Recording, verb: str, *, page: str = "") -> None:
    """Add a row to the audit trail, once per page and while; raises DatabaseError if it cannot.

    A player asks for a file in many ranges: they are one play.
    """
    lasts = timedelta(milliseconds=recording.duration_ms or 0)
    noted = AuditRow.objects.filter(
        subject=recording.subject,
        verb=verb,
        who_id=request.user.pk,
        at__gt=timezone.now() - max(NOTED_FOR, lasts),
        details__page=page,
    )
    if not noted.exists():
        audit.record(request.user, verb, recording.subject, page=page)
