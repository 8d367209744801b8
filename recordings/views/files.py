"""What is served of a recording's files. No page waits for the bytes.

They leave by X-Accel-Redirect; from a bucket by a link of its own, which works for minutes only.
"""

import re
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from access import audit
from access.policies import Right
from recordings import storage, texts
from recordings.models import Recording
from recordings.peaks import coarser
from recordings.views.gates import SERVED, fails_closed, for_our_pages, note, visible

PIXELS = 4000  # twice the widest screen, 16 kB
MOST_PIXELS = 65_536  # zoomed in, 256 kB
LINK_LIFE_S = 300  # of a link into a bucket, besides the length of what is heard through it


@require_safe
@for_our_pages
@fails_closed
def sound(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a person hear a recording, or with ?download=1 keep it."""
    is_download = request.GET.get("download") == "1"
    recording = visible(request, pk, Right.DOWNLOAD if is_download else Right.LISTEN)
    if not recording.is_stored:
        raise Http404(f"The file of this recording is not here: {recording.get_state_display()}.")
    if request.method == "GET":
        if is_download:
            audit.record(request.user, "download", recording.subject, sha256=recording.sha256)
        else:
            note(request, recording, "play", page=request.GET.get("page", "")[:16])
    name = texts.file_name(recording, recording.path.rpartition(".")[2])
    disposition = content_disposition_header(is_download, name) or "inline"
    link = _link(recording, disposition)
    if link and request.method == "GET":  # such a link is signed for GET alone
        return HttpResponseRedirect(link, headers=SERVED)
    where = {} if link else {"X-Accel-Redirect": f"/_media/{recording.path}"}
    return HttpResponse(
        content_type=recording.content_type,
        headers={
            **SERVED,
            **where,
            "ETag": f'"{recording.sha256}"',
            "Content-Disposition": disposition,
        },
    )


def _link(recording: Recording, disposition: str) -> str:
    """Return a link that outlives one hearing: browsers follow it again with every seek."""
    return storage.link(
        recording.path,
        lasts_s=LINK_LIFE_S + round(recording.duration_s or 0),
        content_type=recording.content_type,
        disposition=disposition,
    )


@require_safe
@for_our_pages
@fails_closed
def waveform(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the waveform, in audiowaveform's format, with at most ?pixels= or a screen's."""
    recording = visible(request, pk, Right.LISTEN)
    text = request.GET.get("pixels", str(PIXELS))
    most = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if not 0 < most <= MOST_PIXELS:
        complaint = f"pixels is {text[:40]!r}, which is no whole number from 1 to {MOST_PIXELS}."
        return HttpResponse(complaint, status=400, content_type="text/plain; charset=utf-8")
    if not recording.is_stored or not recording.peaks:
        raise Http404("There is no waveform of this recording.")
    try:
        dat = coarser(storage.read(recording.peaks), most=most)
    except (OSError, ValueError) as exc:
        raise Http404("The waveform of this recording cannot be read.") from exc
    except storage.Trouble as exc:
        return HttpResponse(str(exc), status=503, content_type="text/plain", headers=SERVED)
    return HttpResponse(dat, content_type="application/octet-stream", headers=SERVED)
