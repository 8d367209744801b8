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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nacl.signing import SigningKey

from dashboard.bench.webhooks import Leg, Webhook, signed, status_of

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


class Connection(asyncio.Protocol):
    """One connection, opened when it is needed. asyncio's streams would cost twice as much."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.wire: asyncio.Transport | None = None
        self.heard = b""
        self.answer: asyncio.Future[bool] | None = None

    async def post(self, request: bytes) -> bool:
        """Say whether it was answered with 200."""
        loop = asyncio.get_running_loop()
        self.heard, self.answer = b"", loop.create_future()
        patience = loop.call_later(ANSWERED_WITHIN_S, self._give_up)
        try:
            if self.wire is None:
                self.wire, _ = await loop.create_connection(lambda: self, HOST, self.port)
            self.wire.write(request)
            return await self.answer
        except OSError:
            return False
        finally:
            patience.cancel()

    def data_received(self, data: bytes) -> None:
        """Note an answer that is whole."""
        self.heard += data
        if status := status_of(self.heard):
            self._tell(status == "200")

    def connection_lost(self, exc: Exception | None) -> None:
        """Begin a new one for the next."""
        self.wire = None
        self._tell(False)

    def _give_up(self) -> None:
        if self.wire is not None:
            self.wire.abort()
        self._tell(False)

    def _tell(self, is_kept: bool) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(is_kept)


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
