"""Tell other systems of signals, signed by the Standard Webhooks rules. The rows are the queue.

    Delivery due --claim--> POST, signed --> delivered | later, for three days | given up

Each endpoint has threads of its own. Source: the Standard Webhooks specification, 1.0.0
"""

import base64
import hashlib
import hmac
import json
import logging
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone

from calls import outbound, signals
from calls.couriers import Couriers
from calls.models import Delivery, Endpoint, Signal

logger = logging.getLogger(__name__)

WIDTH = 4  # threads for one endpoint in one process
LEASE = timedelta(seconds=40)
ANSWER_S = 15.0  # the specification asks for 15 to 30
WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)  # the specification's
JITTER = 0.1  # of a wait, so that not all come back together
SLOW_DOWN = {429, 502, 503, 504}  # then Retry-After counts
LONGEST_WAIT_S = 86_400
LOG = 20  # attempts kept
PREFIX = "whsec_"

State = Delivery.State


def deliver_due(*, overdue: timedelta = timedelta()) -> int:
    """Set threads to what is due (or overdue by so much); return how many deliveries that is."""
    now = timezone.now()
    found = 0
    for endpoint in Endpoint.objects.filter(state=Endpoint.State.ACTIVE).values_list(
        "pk", flat=True
    ):
        waiting = len(_due(endpoint, now - overdue).values_list("pk")[:WIDTH])
        if waiting:
            couriers.wake(endpoint, waiting)
            found += waiting
    return found


def _due(endpoint: int, before: datetime) -> "QuerySet[Delivery]":
    return Delivery.objects.filter(
        endpoint=endpoint, due_at__isnull=False, due_at__lte=before
    ).order_by("due_at", "id")


def carry(endpoint: int) -> bool:
    """Make one delivery to an endpoint; return whether there was one to be made."""
    delivery = _claim(endpoint)
    if delivery is None:
        return False
    _attempt(delivery)
    return True


couriers = Couriers("deliver", WIDTH, carry)


def _claim(endpoint: int) -> Delivery | None:
    """Take the delivery that is due longest. The attempt is counted before anything can fail."""
    if not Endpoint.objects.filter(pk=endpoint, state=Endpoint.State.ACTIVE).exists():
        return None
    now = timezone.now()
    keys = _due(endpoint, now).values_list("pk", "attempts", "due_at")
    for pk, attempts, due_at in keys[: WIDTH * 2]:
        taken = Delivery.objects.filter(pk=pk, attempts=attempts, due_at=due_at).update(
            state=State.SENDING,
            attempts=F("attempts") + 1,
            failures=F("failures") + 1,
            due_at=now + LEASE,
        )
        if taken:
            return Delivery.objects.select_related("endpoint", "signal").get(pk=pk)
    return None


@dataclass(frozen=True, slots=True)
class Told:
    """What one attempt came to."""

    status: int | None
    took_ms: int
    error: str
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def _attempt(delivery: Delivery) -> None:
    told = _post(delivery.endpoint, message_id(delivery.signal), body(delivery.signal))
    now = timezone.now()
    if told.is_success:
        _settle(delivery, State.DELIVERED, told, now)
    elif told.status == 410:
        with transaction.atomic():
            _settle(delivery, State.GIVEN_UP, told, now)
            _switch_off(delivery.endpoint, now)
    elif delivery.failures > len(WAITS_S):
        _settle(delivery, State.GIVEN_UP, told, now)
    else:
        due_at = now + timedelta(seconds=_wait_s(delivery.failures, told))
        _mine(delivery).update(state=State.QUEUED, due_at=due_at, log=_log(delivery, told, now))
    _note(delivery.endpoint, told, now)


def _post(endpoint: Endpoint, message: str, body: bytes) -> Told:
    """POST a signed message to an endpoint."""
    began = time.monotonic()
    headers = {"Content-Type": "application/json", "User-Agent": "Tapeline"}
    headers |= signed(endpoint, message, int(time.time()), body)
    try:
        answer = outbound.post(
            endpoint.url, body, headers, inside=endpoint.is_inside, total_s=ANSWER_S
        )
    except outbound.Unsent as exc:
        return Told(None, int((time.monotonic() - began) * 1000), str(exc)[:300])
    error = "" if answer.is_success else f"It answered {answer.status}."
    return Told(answer.status, answer.took_ms, error, answer.retry_after)


def _mine(delivery: Delivery) -> "QuerySet[Delivery]":
    return Delivery.objects.filter(pk=delivery.pk, state=State.SENDING, attempts=delivery.attempts)


def _settle(delivery: Delivery, state: str, told: Told, now: datetime) -> None:
    _mine(delivery).update(state=state, due_at=None, settled_at=now, log=_log(delivery, told, now))


def _log(delivery: Delivery, told: Told, now: datetime) -> list[dict[str, object]]:
    entry = {
        "at": now.isoformat(),
        "status": told.status,
        "ms": told.took_ms,
        "error": told.error,
    }
    return [*delivery.log, entry][-LOG:]


def _wait_s(failures: int, told: Told) -> float:
    """Return how long to wait, as the schedule says, or longer if the endpoint asks for that."""
    wait_s = WAITS_S[failures - 1] * (1 + random.random() * JITTER)  # noqa: S311  (no secret)
    if told.status in SLOW_DOWN and told.retry_after.isascii() and told.retry_after.isdigit():
        return max(wait_s, min(int(told.retry_after[:6]), LONGEST_WAIT_S))
    return wait_s


def _note(endpoint: Endpoint, told: Told, now: datetime) -> None:
    same = Endpoint.objects.filter(pk=endpoint.pk)
    if told.is_success:
        same.update(last_success_at=now)
    else:
        same.update(last_failure_at=now, last_error=told.error)


def _switch_off(endpoint: Endpoint, now: datetime) -> None:
    """Stop telling an endpoint that says it is gone, and let an operator know."""
    off = Endpoint.objects.filter(pk=endpoint.pk, state=Endpoint.State.ACTIVE)
    if off.update(state=Endpoint.State.GONE):
        signals.tell(
            "endpoint.gone",
            f"{endpoint.name} is switched off",
            "It answered 410 Gone. Nothing is told to it before an operator switches it on.",
            reverse("endpoints:detail", args=[endpoint.pk]),
            cause=f"{endpoint.pk}:{now.isoformat()}",
        )


def resend(delivery: Delivery) -> bool:
    """Send again, with the same id; return False for one that is being sent."""
    idle = Delivery.objects.filter(pk=delivery.pk).exclude(state=State.SENDING)
    again = idle.update(state=State.QUEUED, due_at=timezone.now(), settled_at=None, failures=0)
    return bool(again)


def try_out(endpoint: Endpoint) -> Told:
    """POST a signed test that says it is one."""
    now = timezone.now()
    text = {"type": "tapeline.test", "timestamp": now.isoformat(), "data": {}}
    return _post(endpoint, f"msg_{secrets.token_hex(16)}", _json(text))


# What is sent


def message_id(signal: Signal) -> str:
    """Return the id by which an endpoint knows that it heard something before."""
    return f"msg_{signal.pk.hex}"


def body(signal: Signal) -> bytes:
    """Return what an endpoint is told: ids and the page's address, no sound and no text."""
    data = {**signal.ids, "url": f"{settings.PUBLIC_URL}{signal.url}"}
    return _json({"type": signal.kind, "timestamp": signal.at.isoformat(), "data": data})


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def new_secret() -> str:
    """Return a secret to sign with: 256 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(endpoint: Endpoint, message: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove a message; while a secret is replaced, by both."""
    keys = [endpoint.secret]
    if endpoint.old_secret and endpoint.old_until and endpoint.old_until > timezone.now():
        keys.append(endpoint.old_secret)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signature(key, message, at, body) for key in keys),
    }


def signature(secret: str, message: str, at: int, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 over its id, its time and its bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = f"{message}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def rotate(endpoint: Endpoint) -> str:
    """Give an endpoint a new secret; the old one signs beside it for a day."""
    fresh = new_secret()
    Endpoint.objects.filter(pk=endpoint.pk).update(
        secret=fresh,
        old_secret=endpoint.secret,
        old_until=timezone.now() + Endpoint.OVERLAP,
    )
    return fresh
