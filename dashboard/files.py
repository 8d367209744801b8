"""The file door: Django decides and audits, this sends the bytes; no thread waits for a browser.

    browser -> serve_files(app) -> app: X-Accel-Redirect: /_media/<name> -> file below MEDIA_ROOT

nginx understands the same header. One range (RFC 9110); a part is at most half a megabyte, for
browsers ask again and a seek then moves no more. Attachments come whole.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.live import Receive, Scope, Send

logger = logging.getLogger(__name__)

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Message = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]

PREFIX = "/_media/"
PART_BYTES = 512 * 1024
BLOCK_BYTES = 256 * 1024
STALLED_S = 600.0  # a browser that takes no byte for so long has forgotten us
RANGE = re.compile(rb"bytes=(\d{0,100})-(\d{0,100})", re.IGNORECASE)
TRICKS = (b"x-accel-", b"x-sendfile")  # nobody outside may send these
OURS = {b"x-accel-redirect", b"content-length", b"content-range", b"accept-ranges"}


class Unsatisfiable(Exception):
    """The range lies outside the file."""


def serve_files(app: App) -> App:
    """Wrap an application: where it answers with X-Accel-Redirect, send that file instead."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if not pair[0].lower().startswith(TRICKS)]
        redirect: Message | None = None

        async def listen() -> Message:
            return await receive()  # granian's is no coroutine, and a2wsgi takes nothing else

        async def watch(message: Message) -> None:
            nonlocal redirect
            if message["type"] == "http.response.start" and value(message, b"x-accel-redirect"):
                redirect = message
            if redirect is None:  # else its body is of no interest
                await send(message)

        await app({**scope, "headers": headers}, listen, watch)
        if redirect is not None:
            await _answer(scope["method"], headers, redirect, receive, send)

    return door


async def _answer(
    method: str, asked: Headers, response: Message, receive: Receive, send: Send
) -> None:
    name = value(response, b"x-accel-redirect").decode("latin-1")
    found = await asyncio.to_thread(_find, name)
    if found is None:
        logger.error("the file %r is not there", name)
        await refuse(send, 404, "The file is not in the storage.", [])
        return
    path, size = found
    headers = [(key, value) for key, value in response["headers"] if key.lower() not in OURS]
    is_attachment = value(response, b"content-disposition").startswith(b"attachment")
    headers.append((b"accept-ranges", b"none" if is_attachment else b"bytes"))
    try:
        span = None if is_attachment else _span(method, asked, value(response, b"etag"), size)
    except Unsatisfiable:
        whole = f"bytes */{size}".encode()
        await refuse(send, 416, "The range lies outside the file.", [(b"content-range", whole)])
        return
    if span is not None:
        told = f"bytes {span.start}-{span.stop - 1}/{size}"
        headers.append((b"content-range", told.encode()))
    status = response["status"] if span is None else 206
    span = range(size) if span is None else span
    headers.append((b"content-length", str(len(span)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if method == "HEAD" or not span:
        await send({"type": "http.response.body", "body": b""})
    else:
        await pour(_blocks(path, span), receive, send)


def _find(name: str) -> tuple[Path, int] | None:
    """Return a file's place and size, if it is one below the media folder."""
    root = Path(settings.MEDIA_ROOT).resolve()
    try:
        path = (root / name.removeprefix(PREFIX)).resolve()
        if not name.startswith(PREFIX) or not path.is_relative_to(root) or not path.is_file():
            return None
        return path, path.stat().st_size
    except (OSError, ValueError):
        return None


def value(message: Message, name: bytes) -> bytes:
    """Return a header of an answer, or nothing."""
    return next((value for key, value in message.get("headers", ()) if key.lower() == name), b"")


def _span(method: str, asked: Headers, etag: bytes, size: int) -> range | None:
    """Return which bytes are asked for; None for all of them. Raises Unsatisfiable.

    What cannot be read, several ranges, and a range of an older version all mean: everything.
    """
    ranges = [value for key, value in asked if key.lower() == b"range"]
    versions = [value for key, value in asked if key.lower() == b"if-range"]
    found = RANGE.fullmatch(ranges[0]) if len(ranges) == 1 and method == "GET" else None
    if found is None or found[0].endswith(b"=-"):
        return None
    if versions and (versions != [etag] or not etag.startswith(b'"')):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return range(start, min(stop, start + PART_BYTES))


async def _blocks(path: Path, span: range) -> AsyncGenerator[bytes, None]:
    """Yield part of a file, each block read when it is asked for."""
    for start in range(span.start, span.stop, BLOCK_BYTES):
        stop = min(start + BLOCK_BYTES, span.stop)
        yield await asyncio.to_thread(_read, path, start, stop - start)


async def pour(blocks: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Send a body block by block, as long as the browser is there to take it."""
    leaving = asyncio.ensure_future(_departure(receive))
    try:
        async for block in blocks:
            if leaving.done() or not await _taken(block, leaving, send):
                return
        await send({"type": "http.response.body", "body": b""})
    finally:
        leaving.cancel()
        await blocks.aclose()


async def _taken(block: bytes, leaving: asyncio.Future[None], send: Send) -> bool:
    """Send one block; False when the browser has gone or forgotten us."""
    body = {"type": "http.response.body", "body": block, "more_body": True}
    sending = asyncio.ensure_future(send(body))
    await asyncio.wait({sending, leaving}, timeout=STALLED_S, return_when=asyncio.FIRST_COMPLETED)
    if not sending.done():
        sending.cancel()
        return False
    sending.result()
    return True


async def _departure(receive: Receive) -> None:
    """Return when the browser has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _read(path: Path, start: int, size: int) -> bytes:
    """Read a block; the file is not kept open for a browser that may never ask for the next."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


async def refuse(send: Send, status: int, text: str, more: Headers) -> None:
    """Answer with a sentence instead of a file."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(text)).encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
