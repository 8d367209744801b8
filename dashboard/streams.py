"""The stream door: Django decides and audits, this makes a file and sends it as it comes to be.

    app: X-Accel-Stream: zip, and a plan as its body -> makers["zip"](plan) -> blocks -> browser

A block is made when the browser took the one before, in a thread that then is free again: however
many browsers stall, pages are served, and a file of gigabytes costs no more than its blocks.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

from dashboard.files import App, Message, pour, refuse, value
from dashboard.live import Receive, Scope, Send
from dashboard.threads import with_connection

logger = logging.getLogger(__name__)

T = TypeVar("T")
Blocks = Generator[bytes, None, None]
Maker = Callable[[dict[str, Any]], Blocks]

KIND = b"x-accel-stream"
OURS = {KIND, b"content-length"}
THREADS = 4  # blocks in the making at a time; each thread holds a database connection
MOST_STREAMS = 50  # at a time: each may hold a file open
FULL = "Too many files are being downloaded from this desk: try again in some minutes."


def serve_streams(app: App, makers: Mapping[str, Maker]) -> App:
    """Wrap an application: where it answers with X-Accel-Stream, make that file of its plan."""
    open_now = 0

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal open_now
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        start: Message | None = None
        plan = bytearray()

        async def watch(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and value(message, KIND):
                start = message
            elif start is not None:
                plan.extend(message.get("body", b""))
            else:
                await send(message)

        await app(scope, receive, watch)
        if start is None:
            return
        if open_now >= MOST_STREAMS:
            await refuse(send, 503, FULL, [(b"retry-after", b"60")])
            return
        open_now += 1
        try:
            await _answer(start, bytes(plan), makers, receive, send)
        finally:
            open_now -= 1

    return door


async def _answer(
    start: Message, plan: bytes, makers: Mapping[str, Maker], receive: Receive, send: Send
) -> None:
    maker = makers[value(start, KIND).decode("latin-1")]
    headers = [(key, text) for key, text in start["headers"] if key.lower() not in OURS]
    making = await in_thread(partial(maker, json.loads(plan)))
    try:
        first = await in_thread(partial(next, making, b""))  # what fails here is still told
    except Exception as exc:
        logger.exception("a stream could not begin: %s", exc)
        await refuse(send, 500, "The file could not be made.", [])
        return
    await send({"type": "http.response.start", "status": start["status"], "headers": headers})
    await pour(_blocks(first, making), receive, send)


async def _blocks(first: bytes, making: Blocks) -> AsyncGenerator[bytes, None]:
    """Yield block after block, each made when it is asked for."""
    try:
        block: bytes | None = first
        while block is not None:
            if block:
                yield block
            block = await in_thread(partial(next, making, None))
    finally:
        await in_thread(making.close)  # its files


async def in_thread(work: Callable[[], T]) -> T:
    """Do a step of a stream in one of the threads for them."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), with_connection, work)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "stream")
