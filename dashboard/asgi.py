"""The one entry of the web process: three doors, and the order in which they open and close.

/webhooks/telnyx -> calls.intake      /live/ -> dashboard.live      everything else -> Django

Django is mounted as WSGI, which serves four times as many pages as its own ASGI handler.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from types import FrameType

from a2wsgi import WSGIMiddleware

from dashboard.wsgi import application as django  # loads the models that the next imports need

# isort: split
from calls import intake
from dashboard import live
from dashboard.files import serve_files
from dashboard.garbage import settle
from dashboard.live import Receive, Scope, Send
from dashboard.streams import serve_streams
from recordings import bundle, sheet

THREADS = 8  # pages at a time; each holds a database connection

makers = {"csv": sheet.blocks, "zip": bundle.blocks}
wsgi = WSGIMiddleware(django, workers=THREADS)  # type: ignore[arg-type]  # it is iterable
pages = serve_streams(serve_files(wsgi), makers)  # type: ignore[arg-type]  # its receive
doors = {
    "/webhooks/telnyx": intake.door,
    "/webhooks/telnyx/": intake.door,
    "/live/": live.stream,
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Send a request to its door."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await doors.get(scope["path"], pages)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1000})


async def lifespan(receive: Receive, send: Send) -> None:
    """Open what runs beside the requests, and close it when the last request is answered."""
    await receive()
    with suppress(OSError):  # the first look tries again
        await live.hub.lookout.start()
    live.hub.start()
    intake.start()
    end_streams_first()
    end_with_the_server()
    settle()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await live.hub.stop()
    await intake.stop()
    await send({"type": "lifespan.shutdown.complete"})


def end_streams_first() -> None:
    """End the live streams on SIGINT and SIGTERM, for the server would wait for them, then kill.

    The server's own handler still runs: asyncio calls its handlers by a wake-up descriptor, not
    by `signal.signal`, and one that is set by `signal.signal` is called from ours.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)

        def on_signal(number: int, stack: FrameType | None, before: object = before) -> None:
            loop.call_soon_threadsafe(live.hub.close)
            if callable(before):
                before(number, stack)

        signal.signal(number, on_signal)


def end_with_the_server() -> None:
    """Stop this worker when the server that started it was killed; else it keeps the port."""
    server = multiprocessing.parent_process()

    def follow() -> None:
        if server is not None:
            server.join()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="follow-server", daemon=True).start()
