"""The live door: GET /live/ is a stream of server-sent events for people who may see calls.

board    every row, first and whenever the browser fell behind
rows     rows that changed       gone   the ids of rows that left
counts   the numbers on the tiles       status the notices
clock    the server's time: what you see is true now
stale    the time of the last true board, when the database is away
bye      sign in again           changed  with ?conversation=KEY its version, instead of rows

Nothing depends on Last-Event-ID: whoever comes back sees the whole board. Where the browser takes
gzip, the board is sent compressed; rows carry no secret of a session that its size could betray.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import Error
from django.http import parse_cookie

from dashboard.hub import MOST_CLIENTS, Hub
from dashboard.packing import HEAD, accepts_gzip, pack
from dashboard.viewers import END, Audience, Client, audience_of

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ADMISSION_S = 5.0  # for the database to say who asks
STALLED_S = 30.0  # a browser that takes no byte for so long is gone
RETRY_MS = (2000, 4000)  # spread, so that a restart does not bring everybody back at once
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"accept-encoding"),
]
GZIP = (b"content-encoding", b"gzip")

hub = Hub()


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Show one browser the board until it leaves; HEAD only says whether it would be let in."""
    if scope["method"] not in ("GET", "HEAD"):
        await _refuse(send, 405, "GET only", (b"allow", b"GET, HEAD"))
        return
    if not hub.is_open or len(hub.clients) >= MOST_CLIENTS:
        await _refuse(send, 503, "No room for another stream now.", (b"retry-after", b"3"))
        return
    session_key = _session_key(scope)
    try:
        audience = await _admit(session_key)
    except (Error, TimeoutError) as exc:
        logger.warning("live: nobody is let in while the database is away: %r", exc)
        await _refuse(send, 503, "The desk cannot be read now.", (b"retry-after", b"3"))
        return
    if audience is None:
        await _refuse(send, 401, "Sign in to see live calls.")
        return
    query = parse_qs(scope["query_string"].decode("latin-1"))
    conversation = query.get("conversation", [""])[0].replace("\0", "")  # PostgreSQL chokes
    offers = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    is_packed = not conversation and accepts_gzip(offers)
    headers = [*HEADERS, GZIP] if is_packed else HEADERS
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
    client = Client(session_key, audience, conversation=conversation, is_packed=is_packed)
    await _show(client, receive, send)


def _session_key(scope: Scope) -> str:
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    return parse_cookie(cookies.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")


async def _admit(session_key: str) -> Audience | None:
    if not session_key:
        return None
    return await asyncio.wait_for(hub.in_thread(partial(audience_of, session_key)), ADMISSION_S)


async def _show(client: Client, receive: Receive, send: Send) -> None:
    """Feed a client until it leaves, stalls, or the hub ends it."""
    hub.join(client)
    ways = (_feed(client, send), _left(receive), _stalled(client))
    work = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(client)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def _feed(client: Client, send: Send) -> None:
    text = f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311  (no secret)
    if client.is_packed:
        text = HEAD + pack(text)[0]
    while text != END:
        client.sends_since = time.monotonic()
        await send({"type": "http.response.body", "body": text, "more_body": True})
        client.sends_since = None
        text = await client.queue.get()
    await send({"type": "http.response.body", "body": b""})


async def _stalled(client: Client) -> None:
    """Wait until it has taken no byte for long. A timer around each send would cost more."""
    while client.sends_since is None or time.monotonic() < client.sends_since + STALLED_S:
        await asyncio.sleep(STALLED_S / 3)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    plain = (b"content-type", b"text/plain; charset=utf-8")
    no_store = (b"cache-control", b"no-store")
    start = {"status": status, "headers": [plain, no_store, *headers]}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": text.encode()})
