"""What was said, as a file."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from access.policies import Right
from recordings import texts
from recordings.views.gates import SERVED, fails_closed, for_our_pages, note, visible


@require_safe
@for_our_pages
@fails_closed
def transcript(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """Return what was said as txt, vtt or json; 404 with the reason where there is nothing."""
    recording = visible(request, pk, Right.LISTEN)
    if kind not in texts.TYPES:
        raise Http404(f"A transcript comes as {', '.join(texts.TYPES)}, not as {kind[:20]}.")
    try:
        text = texts.export(recording, kind)
    except texts.Nothing as exc:
        return HttpResponse(str(exc), status=404, content_type=texts.TYPES["txt"])
    note(request, recording, "read transcript")
    name = texts.file_name(recording, kind)
    headers = SERVED | {"Content-Disposition": content_disposition_header(False, name) or "inline"}
    return HttpResponse(text, content_type=texts.TYPES[kind], headers=headers)
