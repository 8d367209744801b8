"""The live hub, one per process: sees what changed and shows it to every browser that may.

ring("live"), or a second passed --lookout--> changed rows, rendered once --> queues --> browsers

A ring names what changed, and that is looked at; all is looked at once a second, so the broker
only makes it quicker. Queues are bounded: whoever falls behind gets the whole board again instead
of the backlog.
"""

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import connections
from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls.ring import ALL, LIVE
from dashboard.lookout import Lookout, Lost
from dashboard.packing import pack
from dashboard.screen import frame
from dashboard.threads import with_connection
from dashboard.viewers import Client, View, audience_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

TICK_S = 0.03  # thirty looks a second at most, however many rings
WHOLE_S = 1.0  # from one look at everything to the next, with or without a ring
BEAT_S = 5.0  # pages call themselves stale after ten seconds of silence
FRESH_S = 3.0  # a board read longer ago is stale
RECHECK_S = 30.0  # how long a right that was taken away may still show rows
MOST_CLIENTS = 1000  # about 10 MB of streams; beyond it the answer is 503
BROKER_SILENCE_S = 10.0  # then ping; silent once more, the connection is dead


class Hub:
    """Every open stream of this process, and the tasks that feed them."""

    def __init__(self, lookout: Lookout | None = None) -> None:
        self.clients: set[Client] = set()
        self.lookout = lookout or Lookout()
        self.is_open = False
        self.is_healthy = True
        self.hears_broker = True
        self.read_at = 0.0  # when the screen was last true, by the monotonic clock
        self.read_at_ms = 0  # and by the wall's
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look. Call it inside the running loop."""
        self.wanted = asyncio.Event()
        self.named: set[str] = set()
        self.whole_at = 0.0  # when everything is looked at next, by the monotonic clock
        self.pool = ThreadPoolExecutor(1, "hub")
        self.is_open = True
        steps: list[Callable[[], Awaitable[None]]] = [self._watch, self._beat, self._recheck]
        if settings.REDIS_URL:
            steps.append(self._listen)
        self.tasks = [asyncio.create_task(_repeat(step), name=step.__name__) for step in steps]

    def close(self) -> None:
        """End every stream at once and take no new one; browsers come back by themselves."""
        self.is_open = False
        for client in self.clients:
            client.end()

    async def stop(self) -> None:
        """End everything."""
        self.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.lookout.stop()
        self.pool.submit(connections.close_all)
        self.pool.shutdown(wait=False)

    def join(self, client: Client) -> None:
        """Feed a client, from a look that begins now."""
        self.clients.add(client)
        self.hear([ALL])
        if not self.is_open:  # closed while it was being let in
            client.end()

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)

    def hear(self, named: Iterable[str]) -> None:
        """Look soon at what a ring names."""
        self.named.update(named)
        self.wanted.set()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Ask the database about somebody, in the hub's one thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, partial(with_connection, work))

    async def look(self) -> None:
        """Read what changed and tell everybody; on a fault keep what we have."""
        named, self.named = self.named, set()
        everything = ALL in named or time.monotonic() >= self.whole_at
        if everything:
            self.whole_at = time.monotonic() + WHOLE_S
        views = _by_view(self.clients)  # later ones ask again
        try:
            pieces = await self.lookout.read(list(views), None if everything else named)
        except Exception as exc:  # the database is away, or a row cannot be rendered
            if self.is_healthy:
                logger.exception("live: the board cannot be read: %s", exc)
            self.is_healthy = False
            self.named.add(ALL)
            if isinstance(exc, Lost):
                for client in self.clients:
                    client.is_behind = True
            return
        was_stale = not self._is_fresh()
        self.is_healthy = True
        if everything:
            self.read_at, self.read_at_ms = time.monotonic(), _now_ms()
        for (view, clients), raw in zip(views.items(), pieces, strict=True):
            kept_up = [client for client in clients if client.view == view]
            for client in kept_up:
                client.is_behind = False
            if raw:
                self._tell(kept_up, raw + self._clock() * view.is_behind)
        if was_stale:
            self._give_sign()

    def _tell(self, clients: Iterable[Client], raw: bytes) -> None:
        """Queue the same bytes for clients, compressed once for those who want it so."""
        there = [client for client in clients if client in self.clients]
        packed = [client for client in there if client.is_packed]
        if packed:
            piece, heard = pack(raw, {client.heard for client in packed})
            for client in packed:
                client.heard = heard
        for client in there:
            client.offer(piece if client.is_packed else raw)

    def _clock(self) -> bytes:
        """Return a sign of life: the server's time, or since when the board is stale."""
        if self._is_fresh():
            return frame("clock", str(_now_ms()))
        return frame("stale", str(self.read_at_ms))

    def _is_fresh(self) -> bool:
        return time.monotonic() - self.read_at < FRESH_S

    def _give_sign(self) -> None:
        """Tell who sees the board that it is true now, or that it is not."""
        sign = self._clock()
        for view, clients in _by_view(self.clients).items():
            if not view.is_behind or not self.is_healthy:  # else their first look is under way
                self._tell(clients, sign)

    # The tasks, one step each

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(WHOLE_S):  # wait_for may swallow the cancelling of stop()
                await self.wanted.wait()
        except TimeoutError:
            self.named.add(ALL)
        self.wanted.clear()
        if self.clients:
            await self.look()
        else:
            self.named.clear()  # who comes sees everything
        await asyncio.sleep(TICK_S)

    async def _beat(self) -> None:
        await asyncio.sleep(BEAT_S)
        self._give_sign()

    async def _recheck(self) -> None:
        """Dismiss those who signed out, or whose rights are no longer what they were."""
        await asyncio.sleep(RECHECK_S)
        for session_key in {client.session_key for client in self.clients}:
            audience = await self.in_thread(partial(audience_of, session_key))
            for client in self.clients:
                if client.session_key == session_key and client.audience != audience:
                    client.end(frame("bye", "signed out" if audience is None else "other rights"))

    async def _listen(self) -> None:
        """Wake at every ring until the broker is lost; then come back, a second later."""
        broker = Redis.from_url(
            settings.REDIS_URL, retry=None, socket_connect_timeout=0.5, socket_timeout=2
        )
        try:
            async with broker.pubsub() as line:
                await line.subscribe(LIVE)
                silences = 0
                while silences < 2:
                    message = await line.get_message(timeout=BROKER_SILENCE_S)
                    if message is None:
                        silences += 1
                        await line.ping()
                        continue
                    silences = 0
                    self.hears_broker = True
                    is_ring = message["type"] == "message"  # else rings may have been missed
                    self.hear(json.loads(message["data"]) if is_ring else [ALL])
            raise ConnectionError("it does not answer")
        except (RedisError, OSError) as exc:
            if self.hears_broker:
                logger.warning("live: the broker is lost, looking every second: %s", exc)
            self.hears_broker = False
        finally:
            await broker.aclose()
        await asyncio.sleep(1)


async def _repeat(step: Callable[[], Awaitable[None]]) -> None:
    """Take a step forever: a task that dies in silence would leave the pages stale for good."""
    while True:
        try:
            await step()
        except Exception:
            logger.exception("live: a step failed")
            await asyncio.sleep(1)


def _by_view(clients: Iterable[Client]) -> dict[View, list[Client]]:
    views: defaultdict[View, list[Client]] = defaultdict(list)
    for client in clients:
        views[client.view].append(client)
    return views


def _now_ms() -> int:
    return int(time.time() * 1000)
