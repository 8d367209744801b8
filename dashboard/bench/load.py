"""The load generator, a process of its own: it signs first, then posts as fast as it is answered.

JSON order on argv -> "ready" on stdout -> a line on stdin -> JSON answer on stdout
"""

import asyncio
import base64
import json
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass

from nacl.signing import SigningKey

from dashboard.bench.webhooks import Webhook, lives, status_of

HOST = "127.0.0.1"
PATIENCE_S = 30.0  # for the answers that are under way at the end


@dataclass(frozen=True)
class Order:
    """What to post: `most` webhooks over kept-alive connections, for so many seconds."""

    port: int
    connections: int
    seconds: float
    most: int
    key: str  # Base64 of the signing key's seed


@dataclass(frozen=True)
class Answer:
    """What came of it. Only a 200 acknowledges."""

    seconds: float
    cpu_s: float
    statuses: dict[str, int]
    latencies_ms: list[float]
    acknowledged: list[str]


class Line(asyncio.Protocol):
    """One connection: the next webhook leaves when the one before is answered."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.heard = b""
        self.webhook: Webhook | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (it is TCP)
        self.transport = transport

    def send(self) -> None:
        """Post the next webhook, or note that this connection is done."""
        self.webhook = self.load.next()
        if self.webhook is None:
            self.load.leave(self)
            return
        self.sent_at = time.perf_counter()
        self.transport.write(self.webhook.request)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        status = status_of(self.heard)
        if not status:
            return
        self.heard = b""
        if self.webhook is not None:
            self.load.answered(self.webhook, status, self.sent_at)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.webhook is not None:
            self.load.statuses["lost"] += 1
            self.load.leave(self)


class Load:
    """All connections, and what was answered on them."""

    def __init__(self, order: Order, webhooks: list[Webhook]) -> None:
        self.order = order
        self.webhooks = deque(webhooks)
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.acknowledged: list[str] = []
        self.lines: set[Line] = set()

    def next(self) -> Webhook | None:
        """Return what to post next, None when the time or the webhooks are over."""
        if not self.webhooks or time.perf_counter() >= self.ends_at:
            return None
        return self.webhooks.popleft()

    def answered(self, webhook: Webhook, status: str, sent_at: float) -> None:
        """Note an answer."""
        self.statuses[status] += 1
        if status == "200":
            self.latencies.append(time.perf_counter() - sent_at)
            self.acknowledged.append(webhook.event_id)

    def leave(self, line: Line) -> None:
        """Close a connection; the last one ends the run."""
        line.webhook = None
        self.lines.discard(line)
        line.transport.close()
        if not self.lines:
            self.over.set()

    async def run(self) -> Answer:
        """Post until the time is over and everything posted is answered."""
        loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        for _ in range(self.order.connections):
            _, line = await loop.create_connection(lambda: Line(self), HOST, self.order.port)
            self.lines.add(line)
        started, cpu = time.perf_counter(), time.process_time()
        self.ends_at = started + self.order.seconds
        for line in list(self.lines):
            line.send()
        try:
            await asyncio.wait_for(self.over.wait(), self.order.seconds + PATIENCE_S)
        except TimeoutError:
            self.statuses["unanswered"] += len(self.lines)
        return Answer(
            time.perf_counter() - started,
            time.process_time() - cpu,
            dict(self.statuses),
            [round(latency * 1000, 3) for latency in self.latencies],
            self.acknowledged,
        )


def main() -> None:
    """Obey the order on the command line."""
    order = Order(**json.loads(sys.argv[1]))
    key = SigningKey(base64.b64decode(order.key))
    load = Load(order, lives(order.most, key=key, port=order.port))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.readline():  # the end of the stream means that nobody waits any more
        json.dump(asdict(asyncio.run(load.run())), sys.stdout)


if __name__ == "__main__":
    main()
