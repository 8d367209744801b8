"""Practice calls: a person asks a stand-in for Telnyx to ring this desk, where there is one."""

import logging
import random

import requests
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from access import audit
from access.policies import Right, needs

logger = logging.getLogger(__name__)

TIMEOUT_S = 3.0
TO = "+18005550100"


@needs(Right.CONTROL)
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Let a call come in; the board shows it as it shows any other, once its webhooks are here."""
    if not settings.PRACTICE_CALLS_URL:
        raise Http404("PRACTICE_CALLS_URL is not set.")
    caller = f"+1312555{random.randint(100, 199):04}"  # noqa: S311  (no secret)
    wanted = {"from": caller, "to": TO, "talk": True}
    try:
        requests.post(
            settings.PRACTICE_CALLS_URL, json=wanted, timeout=TIMEOUT_S
        ).raise_for_status()
    except requests.RequestException as exc:
        logger.warning("a practice call could not be started: %s", exc)
        text = "The practice call could not be started: look whether the simulator runs."
        messages.error(request, text)
    else:
        audit.record(request.user, "started practice call", caller)
        messages.info(request, f"A practice call from {caller} is coming in.")
    return redirect("home")
