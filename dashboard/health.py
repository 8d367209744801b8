"""What machines ask: is the process alive, can the desk do its work, how much of it is there.

/healthz   200 "ok" while pages are served       /readyz   200 or 503 {"ready": ...}
/metrics   figures; for loopback and for `Authorization: Bearer METRICS_TOKEN`, like the details
"""

import ipaddress
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from calls import skew
from calls.models import Heartbeat
from dashboard import env, metrics
from dashboard.notices import LANES
from recordings import storage

LATE_S = {"control": 10.0, "guards": 10.0, "events": 30.0, "media": 900.0, "texts": 21_600.0}
"""How long work may wait before the desk is not ready; files and texts queue behind each other."""

FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


class NotReady(Exception):
    """The desk cannot do its work; the text says what is wrong."""


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process lives and serves pages."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether the desk can do its work, and to those it concerns, what is wrong."""
    now = timezone.now()
    found = {name: _outcome(check, now) for name, check in CHECKS.items()}
    is_ready = all(is_good for is_good, _ in found.values())
    body: dict[str, object] = {"ready": is_ready}
    if is_trusted(request):
        body["checks"] = {
            name: {"ok": is_good, "detail": text} for name, (is_good, text) in found.items()
        }
    return JsonResponse(body, status=200 if is_ready else 503)


@login_not_required
@never_cache
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """Return the desk's figures."""
    if not is_trusted(request):
        return HttpResponse("A metrics token is needed.", status=401, content_type="text/plain")
    text = metrics.exposition(now=timezone.now())
    return HttpResponse(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def is_trusted(request: HttpRequest) -> bool:
    """Say whether it comes from this very machine, past no proxy, or with the metrics token."""
    token = env.text("METRICS_TOKEN")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and scheme.lower() == "bearer" and constant_time_compare(given.strip(), token):
        return True
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _outcome(check: Callable[[datetime], str], now: datetime) -> tuple[bool, str]:
    try:
        return True, check(now)
    except NotReady as exc:
        return False, str(exc)
    except DatabaseError as exc:
        connection.close()  # so that the next check, and the next request, try a new one
        return False, f"the database cannot be used: {exc}"


def _database(now: datetime) -> str:
    """Write and read."""
    Heartbeat.objects.update_or_create(name="readyz", defaults={"beat_at": now})
    if Heartbeat.objects.get(name="readyz").beat_at < now:
        raise NotReady("what was written cannot be read back")
    return "written and read"


def _lanes(now: datetime) -> str:
    waits = metrics.overdue_s(now=now)
    late = [
        f"{lane} waits for {waits[lane]:.0f} s, the limit is {limit:.0f} s"
        for lane, limit in LATE_S.items()
        if waits[lane] > limit
    ]
    if late:
        raise NotReady("; ".join(late))
    return ", ".join(f"{lane} {seconds:.1f} s" for lane, seconds in waits.items())


def _processes(now: datetime) -> str:
    """The pump does everything, if need be alone; without it the desk is not ready."""
    expected = ["pump", *(LANES if settings.REDIS_URL else ())]
    missing = Heartbeat.objects.missing(expected, now=now)
    if "pump" in missing:
        raise NotReady(f"no sign of life of {', '.join(missing)}")
    if missing:
        return f"the pump works alone, no sign of life of {', '.join(missing)}"
    return f"{', '.join(expected)} alive"


def _disk(now: datetime) -> str:
    try:
        storage.check_room()
    except storage.NoRoom as exc:
        raise NotReady(str(exc)) from exc
    return "enough room"


def _clock(now: datetime) -> str:
    worst = skew.worst(now=now)
    if worst is None:
        return "no webhook came lately"
    told = f"{worst.value:+.1f} s from Telnyx, the limit is {skew.BAD_S:.0f} s"
    if abs(worst.value) > skew.BAD_S:
        raise NotReady(f"the clock is {told}")
    return told


CHECKS: dict[str, Callable[[datetime], str]] = {
    "database": _database,
    "lanes": _lanes,
    "processes": _processes,
    "disk": _disk,
    "clock": _clock,
}

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", figures, name="metrics"),
]
