"""The page of a recording: where its file is, how it sounds, what was said."""

import secrets
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from recordings.views import transcript
from recordings.views.gates import fails_closed, visible

SPEEDS = ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "2.5", "3")


@require_safe
@fails_closed
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a recording: where its file is, how it sounds, what was said."""
    recording = visible(request, pk)
    if request.headers.get("HX-Request") and not recording.is_wanted:
        return HttpResponse(headers={"HX-Refresh": "true"})  # the file has come, or never will
    context = {"recording": recording, "play": secrets.token_urlsafe(9), "speeds": SPEEDS}
    context |= transcript.context(request, recording)
    return render(request, "recordings/detail.html", context)
