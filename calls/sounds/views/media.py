"""The library of sounds: upload, listen, rename, try again, delete."""

import re
from pathlib import Path
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access.policies import Right, needs
from calls.models import MediaFile
from calls.ring import ring
from calls.sounds import media, store
from calls.sounds.convert import Unfit
from calls.sounds.forms import NAME, RenameForm, UploadForm
from calls.sounds.uploads import MOST_BYTES

LINK_LIFE_S = 300  # of a link into a bucket, besides the length of the sound
SERVED = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@needs(Right.SOUNDS)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """List the library, and take an upload."""
    if request.method != "POST":
        return _page(request, UploadForm(auto_id="new-%s"))
    form = UploadForm(request.POST, request.FILES, auto_id="new-%s")
    if _is_too_long(request):
        form.errors["file"] = form.error_class([_too_long(request)])
    elif form.is_valid() and (kept := _keep(request, form)):
        ring("media")
        messages.success(request, f"“{kept.name}” is stored here and on its way to Telnyx.")
        return redirect("calls:media")
    return _page(request, form, status=422)


def _page(request: HttpRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
    rows = MediaFile.objects.select_related("added_by")
    # one that waits for its next try moves too slowly to be watched
    is_moving = rows.filter(state__in=["uploading", "deleting"], failures=0).exists()
    context = {"rows": rows, "form": form, "now": timezone.now(), "is_moving": is_moving}
    return render(request, "calls/media.html", context, status=status)


def _is_too_long(request: HttpRequest) -> bool:
    """Say whether the file was left out because it is too large."""
    return "file" not in request.FILES and _length(request) > MOST_BYTES


def _too_long(request: HttpRequest) -> str:
    size, most = _length(request) / 1e6, MOST_BYTES / 1e6
    return f"The file has about {size:.1f} MB, the limit is {most:.0f} MB. Nothing was stored."


def _length(request: HttpRequest) -> int:
    told = request.META.get("CONTENT_LENGTH") or "0"
    return int(told) if str(told).isdigit() else 0


def _keep(request: HttpRequest, form: UploadForm) -> MediaFile | None:
    """Store an upload, or leave at its fields what is wrong with it."""
    file: UploadedFile[bytes] = form.cleaned_data["file"]
    origin = Path(file.name or "sound").name
    name = form.cleaned_data["name"] or _named_after(origin)
    try:
        with store.drafts(1) as (draft,):
            with draft.open("wb") as out:
                for chunk in file.chunks():
                    out.write(chunk)
            return media.add(draft, name=name, origin=origin, by=request.user)
    except Unfit as exc:
        form.add_error("file", str(exc))
    except media.NameTaken:
        form.add_error("name", f"Another sound is called “{name}”.")
    except store.Trouble as exc:
        form.add_error("file", f"Nothing was stored: {exc}")
    return None


def _named_after(origin: str) -> str:
    """Return on_hold-2.wav as "on hold 2"."""
    words = re.sub(r"[\W_]+", " ", Path(origin).stem).strip()
    return words[:NAME] or "sound"


@needs(Right.SOUNDS)
@require_POST
def rename(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give a sound another name."""
    row = get_object_or_404(MediaFile, pk=pk)
    form = RenameForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"“{row.name}” keeps its name. {form.errors['name'][0]}")
        return redirect("calls:media")
    name = form.cleaned_data["name"]
    try:
        media.rename(row, name, by=request.user)
        messages.success(request, f"“{row.name}” is now called “{name}”.")
    except media.NameTaken:
        messages.error(request, f"“{row.name}” keeps its name: another is called “{name}”.")
    return redirect("calls:media")


@needs(Right.SOUNDS)
@require_POST
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a sound here and at Telnyx."""
    row = get_object_or_404(MediaFile, pk=pk)
    if media.delete(row, by=request.user):
        ring("media")
        messages.success(request, f"“{row.name}” is being deleted, here and at Telnyx.")
    return redirect("calls:media")


@needs(Right.SOUNDS)
@require_POST
def retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a sound to Telnyx again."""
    row = get_object_or_404(MediaFile, pk=pk)
    if media.retry(row, by=request.user):
        ring("media")
        messages.success(request, f"“{row.name}” is sent to Telnyx again.")
    else:
        messages.info(request, f"“{row.name}” needs no other try.")
    return redirect("calls:media")


@needs(Right.SOUNDS)
@require_safe
def sound(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a person hear a sound of the desk's own: no call's audio, so no row of the trail."""
    row = get_object_or_404(MediaFile.objects.exclude(state=MediaFile.State.DELETING), pk=pk)
    lasts_s = LINK_LIFE_S + round(row.duration_s)
    kind = media.TYPES[row.format]
    try:
        link = store.link(row.path, lasts_s=lasts_s, content_type=kind)
    except store.Trouble as exc:
        return HttpResponse(str(exc), status=503, content_type="text/plain", headers=SERVED)
    if link and request.method == "GET":  # such a link is signed for GET alone
        return HttpResponseRedirect(link, headers=SERVED)
    where = {} if link else {"X-Accel-Redirect": f"/_media/{row.path}"}
    name = content_disposition_header(False, f"{row.name}.{row.format}") or "inline"
    return HttpResponse(
        content_type=kind,
        headers={**SERVED, **where, "ETag": f'"{row.sha256}"', "Content-Disposition": name},
    )
