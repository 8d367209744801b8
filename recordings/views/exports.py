"""The page of a person's exports: how far each is, what it lacks, its ZIP, its end."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from access import audit
from access.policies import Right, needs
from recordings import exports, storage
from recordings.models import Export
from recordings.views.gates import SERVED, fails_closed, for_our_pages

MOST_LISTED = 50
LINK_LIFE_S = 300
ZIP = "application/zip"


@needs(Right.DOWNLOAD)
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """List a person's exports; who looks at the page has been told of those that are ready."""
    mine = list(exports.mine(request.user)[:MOST_LISTED])
    over = [export.pk for export in mine if export.state not in Export.WANTED]
    Export.objects.filter(pk__in=over, seen_at=None).update(seen_at=timezone.now())
    is_working = len(over) < len(mine)
    context = {"exports": mine, "is_working": is_working, "kept": exports.KEPT}
    return render(request, "recordings/exports.html", context)


@needs(Right.SEE)
@require_GET
def notice(request: HttpRequest) -> HttpResponse:
    """Return the note of the header on what is being made and what is ready."""
    return render(request, "recordings/_notice.html")


@needs(Right.DOWNLOAD)
@require_safe
@for_our_pages
@fails_closed
def download(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a ZIP that was made; every recording in it is on the audit trail before."""
    export = get_object_or_404(Export, pk=pk, owner=request.user.pk)
    if export.state != Export.State.READY or not exports.is_allowed(export):
        raise Http404("This ZIP is not here any more, or not yet: the page of exports says why.")
    name = f"recordings-{timezone.localtime(export.requested_at):%Y-%m-%dT%H-%M-%S%z}.zip"
    if request.method == "GET":
        subject = f"export {export.pk}"
        audit.record(request.user, "export", subject, recordings=len(export.chosen))
        shipped = [f"recording {key}" for key in export.chosen]
        audit.record_each(request.user, "download", shipped, zip=subject)
    disposition = f'attachment; filename="{name}"'
    link = storage.link(
        export.path, lasts_s=LINK_LIFE_S, content_type=ZIP, disposition=disposition
    )
    if link and request.method == "GET":  # such a link is signed for GET alone
        return HttpResponseRedirect(link, headers=SERVED)
    where = {} if link else {"X-Accel-Redirect": f"/_media/{export.path}"}
    return HttpResponse(
        content_type=ZIP, headers={**SERVED, **where, "Content-Disposition": disposition}
    )


@needs(Right.DOWNLOAD)
@require_POST
def remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give up an export that is being made, or remove one that is ready."""
    export = get_object_or_404(Export, pk=pk, owner=request.user.pk)
    try:
        exports.remove(export)
    except storage.Trouble as exc:
        messages.warning(request, f"The export is still here: {exc} Try again in a minute.")
    else:
        messages.success(request, "The export is removed. The recordings are all there.")
    return redirect("recordings:exports")
