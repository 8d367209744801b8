"""What stands before every view of a recording: who may, and that the audit trail holds it.

Whatever ships sound or text writes its audit row first; if that fails, nothing is served.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from access import audit
from access.models import AuditRow
from access.policies import Right, may
from recordings.models import Recording

logger = logging.getLogger(__name__)

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

NOTED_FOR = timedelta(minutes=30)  # until more of the same is another row of the audit trail
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


def visible(request: HttpRequest, pk: UUID, right: Right = Right.SEE) -> Recording:
    """Return a recording the person may see: else 404; and without the right: 403."""
    seen = Recording.objects.visible_to(request.user).select_related("call")
    recording = get_object_or_404(seen, pk=pk)
    if not may(request.user, right):
        raise PermissionDenied(f"Your account may not {right.value}.")
    return recording


def note(request: HttpRequest, recording: Recording, verb: str, *, page: str = "") -> None:
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
