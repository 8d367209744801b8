"""Posts webhooks at a pace, a process of its own: each leaves at its moment, answered or not.

JSON order on stdin -> "ready" on stdout -> the start, by the monotonic clock -> JSON answer

Telnyx does not wait for one webhook before it sends the next, so a server that falls behind gets
no rest here. What is not answered with 200 is posted again until it is.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nacl.signing import SigningKey

from dashboard.bench.webhooks import Leg, Webhook, signed

HOST = "127.0.0.1"
AGAIN_S, ANSWERED_WITHIN_S = 0.1, 5.0
NAMES = ("JORDAN SMITH", "AMARA OKAFOR", "WIRELESS CALLER", "LEE CHEN", "MARIA GARCIA LOPEZ", "")


@dataclass(frozen=True)
class Step:
    """One webhook: after how many seconds, what, of which call."""

    at_s: float
    event_type: str
    call: int


@dataclass(frozen=True)
class Order:
    """What to post, in the order of time; `calls` are the ids of the legs that it speaks of."""

    port: int
    connections: int
    key: str  # Base64 of the signing key's seed
    calls: Sequence[Leg]
    steps: Sequence[Step]


def caller(number: int) -> tuple[str, str]:
    """Return the number and name of a caller; no two numbers are the same."""
    return f"+1{2025550000 + 7919 * number}", NAMES[number % len(NAMES)]


class Poster:
    """Kept-alive connections, and what was posted late or again."""

    def __init__(self, order: Order) -> None:
        self.order = order
        key, now = SigningKey(base64.b64decode(order.key)), datetime.now(UTC)
        self.webhooks: list[Webhook] = [
            signed(
                step.event_type,
                order.calls[step.call],
                now + timedelta(seconds=step.at_s),
                key=key,
                port=order.port,
                caller=caller(step.call),
            )
            for step in order.steps
        ]
        self.free: asyncio.Queue[Connection] = asyncio.Queue()
        self.late_s: list[float] = []
        self.again = 0

    async def run(self, start: float) -> None:
        """Post everything, each at its moment."""
        for _ in range(self.order.connections):
            self.free.put_nowait(Connection(self.order.port))
        posts = []
        for step, webhook in zip(self.order.steps, self.webhooks, strict=True):
            await asyncio.sleep(max(0.0, start + step.at_s - time.perf_counter()))
            connection = await self.free.get()
            self.late_s.append(time.perf_counter() - start - step.at_s)
            posts.append(asyncio.create_task(self._post(connection, webhook)))
        await asyncio.gather(*posts)

    async def _post(self, connection: "Connection", webhook: Webhook) -> None:
        while not await connection.post(webhook.request):
            self.again += 1
            await asyncio.sleep(AGAIN_S)
        self.free.put_nowait(connection)


class Connection:
    """One connection, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, request: bytes) -> bool:
        """Say whether it was answered with 200."""
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                if self.streams is None:
                    self.streams = await asyncio.open_connection(HOST, self.port)
                reader, writer = self.streams
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or b"0"))
        except (OSError, EOFError, TimeoutError, ValueError):
            with suppress(TypeError):
                self.streams[1].close()  # type: ignore[index]  # None is what TypeError is for
            self.streams = None
            return False
        return head.startswith(b"HTTP/1.1 200")


def main() -> None:
    """Obey the order on stdin."""
    said = json.loads(sys.stdin.readline())
    order = Order(
        said["port"],
        said["connections"],
        said["key"],
        [Leg(*ids) for ids in said["calls"]],
        [Step(*step) for step in said["steps"]],
    )
    poster = Poster(order)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    start = sys.stdin.readline()
    if not start:  # nobody waits any more
        return
    cpu = time.process_time()
    asyncio.run(poster.run(float(start)))
    answer = {
        "late_s": [round(late, 4) for late in poster.late_s],
        "again": poster.again,
        "cpu_s": time.process_time() - cpu,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
