"""The webhook door: prove who sent it, keep it, say 200, ring.

    POST --check--> Row --writer--> committed --> 200

The ASGI callable `door` batches through the writer's thread; the Django view `webhook` (any WSGI
server, the test client) stores one by one. Both share `check` and `store`. There is no way to
switch verification off. Sources: docs/telnyx.md#signature, docs/telnyx.md#delivery
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from nacl.signing import VerifyKey

from calls import knock, passing
from calls.models import WebhookEvent
from calls.skew import skews
from calls.telnyx import payloads, signature
from calls.writer import Row, Writer, refusals, ring_for_webhooks, store

logger = logging.getLogger(__name__)

Headers = Iterable[tuple[bytes, bytes]]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 2 * 1024 * 1024  # our choice: Telnyx's largest event so far has a few KiB
V1 = "v1"
RETRY = (b"retry-after", b"5")


class Refused(Exception):
    """The door does not open; `status` is the answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@cache
def keys() -> Sequence[VerifyKey]:
    """Return the public keys that may have signed a webhook."""
    return signature.parse_keys(settings.TELNYX_PUBLIC_KEYS)


def check(headers: Headers, body: bytes, *, now: float) -> Row:
    """Return the row that a signed webhook becomes. Raises Refused."""
    headers = list(headers)
    try:
        signature.check(headers, body, keys=keys(), now=now)
    except signature.BadSignature as exc:
        status = 503 if exc.reason is signature.Reason.NO_KEYS else 401
        raise Refused(status, exc.reason, str(exc)) from exc
    named = dict(headers)
    skews.note(now - float(named[signature.TIMESTAMP]))
    kept = passing.headers_of(named)
    return read(body, received_at=datetime.fromtimestamp(now, UTC), headers=kept)


def read(body: bytes, *, received_at: datetime, headers: str = "") -> Row:
    """Read the columns out of a body. What cannot be read is kept too: a retry cannot help."""
    try:
        event = payloads.parse(body)
    except payloads.Unreadable as exc:
        return Row(
            event_id=payloads.body_id(body),
            event_type="unreadable",
            occurred_at=None,
            call_leg_id="",
            call_session_id="",
            call_control_id="",
            raw=body,
            received_at=received_at,
            state=WebhookEvent.State.DEAD,
            error=str(exc)[:500],
            headers=headers,
        )
    if event.is_v1:
        refusals.add(V1)
    return Row(
        event_id=event.event_id,
        event_type=event.event_type,
        occurred_at=event.occurred_at,
        call_leg_id=event.call_leg_id,
        call_session_id=event.call_session_id,
        call_control_id=event.call_control_id,
        raw=body,
        received_at=received_at,
        state=WebhookEvent.State.IGNORED if event.is_v1 else WebhookEvent.State.PENDING,
        error="",
        headers=headers,
    )


_writer: Writer | None = None
_lock = threading.Lock()


def start() -> Writer:
    """Return the writer of this process, started if need be."""
    global _writer
    with _lock:
        if _writer is None or _writer.closing:
            _writer = Writer()
        return _writer


async def stop() -> None:
    """Commit what is queued; no acknowledged webhook is lost."""
    if _writer is not None:
        await asyncio.to_thread(_writer.close)


async def door(scope: Scope, receive: Receive, send: Send) -> None:
    """Take one webhook: 200 once it is durable; 401, 405, 413, 415; 503 when we cannot store."""
    proof, body = "", b""
    try:
        _check_form(scope["method"], scope["headers"])
        body = await _read(receive)
        row = check(scope["headers"], body, now=time.time())
        status = 200 if await start().write(row) else 503
    except Refused as exc:
        proof = knock.answer(scope["headers"], body)
        if not proof:
            refusals.add(exc.reason)
            start()  # it writes the count down
        status = exc.status
    headers = [(b"content-length", b"0")]
    if proof:
        headers.append((knock.ANSWER, proof.encode()))
    if status == 503:
        headers.append(RETRY)
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _check_form(method: str, headers: Headers) -> None:
    """Refuse what cannot be a webhook, before a byte of it is read."""
    if method != "POST":
        raise Refused(405, "method", f"{method} is not POST")
    named = dict(headers)
    kind = named.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refused(415, "content_type", f"{kind[:60]!r} is not application/json")
    if named.get(b"content-encoding", b"identity") != b"identity":
        raise Refused(415, "encoding", "compressed bodies are not accepted")
    length = named.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MOST_BYTES:
        raise Refused(413, "size", f"{length[:20]!r} bytes, the limit is {MOST_BYTES}")


async def _read(receive: Receive) -> bytes:
    """Read the body, counting, whatever its announced length."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "gone", "the sender left")
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            raise Refused(413, "size", f"over {MOST_BYTES} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


@login_not_required
@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    """Take one webhook without the writer thread: for WSGI servers and the test client."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
    ]
    proof, body = "", b""
    try:
        _check_form(request.method or "", headers)
        body = request.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise Refused(413, "size", f"over {MOST_BYTES} bytes")
        row = check(headers, body, now=time.time())
        status = 200 if row.event_id in store([row]) else 503
    except Refused as exc:
        proof = knock.answer(headers, body)
        if not proof:
            refusals.add(exc.reason)
            refusals.flush()
        status = exc.status
    except DatabaseError as exc:
        logger.error("a webhook cannot be stored, answering 503: %s", exc)
        status = 503
    else:
        refusals.flush()
        skews.flush()
        ring_for_webhooks()
    response = HttpResponse(status=status)
    if proof:
        response[knock.ANSWER.decode()] = proof
    if status == 503:
        response["Retry-After"] = "5"
    if status == 405:
        response["Allow"] = "POST"
    return response
