"""The page that connects the desk with Telnyx: examine everything, and mend the application.

POST check  -> a Checkup row, filled by a thread of this process; the page looks each second
webhooks/   -> what is set at Telnyx and what would be; with consent, one PATCH, audited
"""

import logging
import threading
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.db import DatabaseError, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import audit
from access.policies import Right, needs
from calls.line import telnyx
from calls.models import Checkup
from calls.telnyx.errors import TelnyxError
from calls.telnyx.readings import Application
from dashboard import doctor
from dashboard.doctor import provider

logger = logging.getLogger(__name__)

KEPT = 20  # check-ups
LASTS = timedelta(seconds=60)  # longer than any; then its process must have died
SEEN = "tapeline.connect.seen"  # salt of what a person consented to
SEEN_FOR_S = 900


@needs(Right.OPERATE)
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the last check-up, finished or not."""
    return render(request, "connect.html", _context())


def _context() -> dict[str, object]:
    last = Checkup.objects.select_related("asked_by").order_by("-started_at").first()
    running = last is not None and _is_running(last)
    found = {row["name"]: doctor.Found(**row) for row in (last.findings if last else [])}
    lines = [
        found.get(check.name) or doctor.Found(check.name, check.label, "running", "", "")
        for check in doctor.checks()
        if last and (running or check.name in found)
    ]
    return {
        "checkup": last,
        "running": running,
        "broken_off": bool(last and not running and last.finished_at is None),
        "lines": lines,
        "wrong": sum(line.level == "wrong" for line in lines),
        "may_mend": any(line.name == "application" and line.level == "wrong" for line in lines),
        "now": timezone.now(),
    }


def _is_running(checkup: Checkup) -> bool:
    return checkup.finished_at is None and checkup.started_at > timezone.now() - LASTS


@needs(Right.OPERATE)
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """Examine the desk, unless somebody has it examined just now."""
    last = Checkup.objects.order_by("-started_at").first()
    if last is None or not _is_running(last):
        audit.record(request.user, "examined", "the desk")
        made = Checkup.objects.create(asked_by_id=request.user.pk, started_at=timezone.now())
        old = Checkup.objects.order_by("-started_at").values_list("pk", flat=True)[KEPT:]
        Checkup.objects.filter(pk__in=list(old)).delete()
        begin(made.pk)
    return redirect("connect")


def begin(pk: UUID) -> None:
    """Fill a check-up from a thread: not a worker's, for the workers may be what is wrong."""
    threading.Thread(target=fill, args=(pk,), name="check-up", daemon=True).start()


def fill(pk: UUID) -> None:
    """Do the checks, and write each finding down as it comes."""
    rows = Checkup.objects.filter(pk=pk)
    findings: list[dict[str, str]] = []
    try:
        for found in doctor.examine():
            findings.append(found.as_json())
            rows.update(findings=findings)
        rows.update(finished_at=timezone.now())
    except DatabaseError as exc:  # then the page cannot be read either; manage.py doctor can
        logger.warning("a check-up was broken off: %s", exc)
    finally:
        connections.close_all()


@needs(Right.OPERATE)
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """Show what would be set at Telnyx; with consent, set it."""
    try:
        found = telnyx().application(settings.TELNYX_CONNECTION_ID)
    except (TelnyxError, ValueError) as exc:
        return _unreadable(request, exc)
    wanted = provider.changes(found)
    seen = _seen(found)
    if request.method == "POST" and _consented(request, seen):
        return _mend(request, found, wanted)
    changed = request.method == "POST"
    context = {
        "application": found,
        "changes": wanted,
        "seen": signing.dumps(seen, salt=SEEN),
        "changed": changed,
    }
    return render(request, "connect_webhooks.html", context, status=409 if changed else 200)


def _seen(found: Application) -> list[str]:
    patience = "" if found.webhook_timeout_s is None else str(found.webhook_timeout_s)
    return [found.application_id, found.webhook_url, found.webhook_api_version, patience]


def _consented(request: HttpRequest, seen: list[str]) -> bool:
    """Say whether the person saw what is set now."""
    try:
        agreed = signing.loads(request.POST.get("seen", ""), salt=SEEN, max_age=SEEN_FOR_S)
    except signing.BadSignature:
        return False
    return bool(agreed == seen)


def _mend(
    request: HttpRequest, found: Application, wanted: dict[str, tuple[str, str]]
) -> HttpResponse:
    if not wanted:
        messages.info(request, "Nothing had to be changed.")
        return redirect("connect")
    before = {what: now for what, (now, _) in wanted.items()}
    after = {what: then for what, (_, then) in wanted.items()}
    subject = f"application {found.application_id}"
    with transaction.atomic():
        audit.record(request.user, "set webhooks", subject, before=before, after=after)
    try:
        left = provider.changes(provider.apply_changes(found))
    except (TelnyxError, ValueError) as exc:
        messages.error(request, f"Telnyx was asked, and may not have done it: {exc}")
        return redirect("connect-webhooks")
    if left:
        messages.warning(request, f"Telnyx accepted it, and left: {', '.join(left)}.")
    else:
        messages.success(request, "Telnyx sends the webhooks here from now on.")
    return redirect("connect")


def _unreadable(request: HttpRequest, exc: TelnyxError | ValueError) -> HttpResponse:
    if not settings.TELNYX_CONNECTION_ID:
        exc = ValueError("TELNYX_CONNECTION_ID is not set")
    messages.error(request, f"The application cannot be read: {exc}. Examine the desk.")
    return redirect("connect")


urlpatterns = [
    path("connect/", page, name="connect"),
    path("connect/check/", check, name="connect-check"),
    path("connect/webhooks/", webhooks, name="connect-webhooks"),
]
