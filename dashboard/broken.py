"""The page of a fault of ours: which of our parts failed, and what still works."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader


def page(request: HttpRequest) -> HttpResponse:
    """Answer a fault: 503 if the database is away, else 500. It asks nothing of the database."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        text = loader.render_to_string("503.html")
        return HttpResponse(text, status=503, headers={"Retry-After": "5"})
    return HttpResponse(loader.render_to_string("500.html"), status=500)
