"""The live hub, one per process: sees what changed and shows it to every browser that may.

ring("live"), or a second passed --look--> changed rows, rendered once --> queues --> browsers

It asks the database itself, in one thread of its own, so the broker only makes it quicker. Queues
are bounded: whoever falls behind gets the whole board again instead of the backlog.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.models import Count, Sum
from django.utils import timezone
from redis.asyncio import Redis
from redis.exceptions import RedisError

from calls import board
from calls.models import Call
from calls.ring import LIVE
from dashboard import home
from dashboard.viewers import Audience, audience_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

TICK_S = 0.05  # twenty looks a second at most, however many rings
IDLE_S = 1.0  # a look without a ring
STATUS_GAP_S = 0.5  # the counts cost more queries than the rows
BEAT_S = 5.0  # pages call themselves stale after ten seconds of silence
FRESH_S = 3.0  # a board read longer ago is stale
RECHECK_S = 30.0  # how long a right that was taken away may still show rows
QUEUE = 64  # frames one browser may lag behind
MOST_CLIENTS = 1000  # about 10 MB of streams; beyond it the answer is 503
BROKER_SILENCE_S = 10.0  # then ping; silent once more, the connection is dead
END = b""


def frame(event: str, text: str) -> bytes:
    """Return one event of the stream: a `data` line for each line of the text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join([f"event: {event}", *(f"data: {line}" for line in lines), "", ""]).encode()


class Client:
    """One open stream: whose it is, what it shows, and what was not sent to it yet."""

    def __init__(self, session_key: str, audience: Audience, *, conversation: str = "") -> None:
        self.session_key = session_key
        self.audience = audience
        self.conversation = conversation  # the one whose changes matter; "" for the whole board
        self.is_behind = True  # the next look sends everything
        self.is_over = False
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)

    def offer(self, sent: bytes) -> None:
        """Queue bytes; when there is no room, drop the backlog and start over."""
        if self.is_over:
            return
        if self.queue.full():
            self._forget()
            self.is_behind = True
        else:
            self.queue.put_nowait(sent)

    def end(self, last_words: bytes = END) -> None:
        """Let the stream send these last words, then end."""
        self.is_over = True
        self._forget()
        self.queue.put_nowait(last_words)
        self.queue.put_nowait(END)

    def _forget(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation, as those see it who may control calls, and those who may not."""

    id: str
    version: int
    order: int
    html: Mapping[bool, str]


@dataclass(frozen=True, slots=True)
class News:
    """What one look found."""

    changed: Collection[str]  # keys
    gone: list[str]  # row ids
    statuses: Collection[bool]  # the right to operate of those whose counts changed
    conversations: Collection[str]  # keys of those that pages of a call watch


class Screen:
    """The board as last read; `look` runs in the hub's thread and nowhere else."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.statuses: dict[bool, str] = {}
        self.status_due = 0.0
        self.versions: dict[str, int] = {}  # of the conversations that pages of a call watch

    def look(self, clients: Collection[Client]) -> News:
        """Read and render what changed for these clients; a look that fails changes nothing."""
        now = timezone.now()
        audiences = {client.audience for client in clients if not client.conversation}
        rows, statuses = self.rows, self.statuses
        if audiences:
            rows = self._rows(now, {audience.control for audience in audiences})
            statuses = self._statuses(now, {audience.operate for audience in audiences})
        versions = _versions({client.conversation for client in clients} - {""})
        news = News(
            changed=[key for key, row in rows.items() if self._version(key) != row.version],
            gone=[row.id for key, row in self.rows.items() if key not in rows],
            statuses=[key for key in statuses if statuses[key] != self.statuses.get(key)],
            conversations=[key for key in versions if versions[key] != self.versions.get(key)],
        )
        self.rows, self.statuses, self.versions = rows, statuses, versions
        return news

    def _version(self, key: str) -> int | None:
        return self.rows[key].version if key in self.rows else None

    def _rows(self, now: datetime, controls: set[bool]) -> dict[str, Row]:
        """Return the rows of the board, rendering only what changed or was not needed before."""
        versions = board.versions(now=now)
        kept = {
            key: row
            for key, row in self.rows.items()
            if versions.get(key) == row.version and row.html.keys() >= controls
        }
        missing = [key for key in versions if key not in kept]
        found = board.conversations(now=now, keys=missing) if missing else []
        return kept | {
            conversation.key: Row(
                id=board.row_id(conversation.key),
                version=conversation.version,
                order=int(conversation.order),
                html={control: board.row(conversation, control=control) for control in controls},
            )
            for conversation in found
        }

    def _statuses(self, now: datetime, operates: set[bool]) -> dict[bool, str]:
        """Return the counts, read twice a second at most and for those who have none yet."""
        is_due = time.monotonic() >= self.status_due
        if is_due:
            self.status_due = time.monotonic() + STATUS_GAP_S
        wanted = operates if is_due else operates - self.statuses.keys()
        return self.statuses | {
            operate: home.status_html(now=now, operate=operate) for operate in wanted
        }

    def whole(self, client: Client) -> bytes:
        """Return everything a client should see."""
        if client.conversation:
            return frame("changed", str(self.versions.get(client.conversation, 0)))
        rows = sorted(self.rows.values(), key=lambda row: (row.order, row.id))
        html = "".join(row.html[client.audience.control] for row in rows)
        return frame("board", html) + frame("status", self.statuses[client.audience.operate])

    def part(self, client: Client, news: News) -> bytes:
        """Return what changed for a client that has seen the rest."""
        if client.conversation:
            return self.whole(client) if client.conversation in news.conversations else b""
        sent = b""
        if news.changed:
            rows = (self.rows[key].html[client.audience.control] for key in news.changed)
            sent += frame("rows", "".join(rows))
        if news.gone:
            sent += frame("gone", json.dumps(news.gone))
        if client.audience.operate in news.statuses:
            sent += frame("status", self.statuses[client.audience.operate])
        return sent


class Hub:
    """Every open stream of this process, and the tasks that feed them."""

    def __init__(self) -> None:
        self.clients: set[Client] = set()
        self.screen = Screen()
        self.is_open = False
        self.is_healthy = True
        self.hears_broker = True
        self.read_at = 0.0  # when the screen was last true, by the monotonic clock
        self.read_at_ms = 0  # and by the wall's
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look. Call it inside the running loop."""
        self.wanted = asyncio.Event()
        self.pool = ThreadPoolExecutor(1, "hub")
        self.is_open = True
        steps = [self._watch, self._beat, self._recheck]
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
        self.pool.submit(connections.close_all)
        self.pool.shutdown(wait=False)

    def join(self, client: Client) -> None:
        """Feed a client, from a look that begins now."""
        self.clients.add(client)
        self.wanted.set()
        if not self.is_open:  # closed while it was being let in
            client.end()

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do database work in the hub's one thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, partial(_with_connection, work))

    async def look(self) -> None:
        """Read what changed and tell everybody; on a fault keep what we have."""
        present = list(self.clients)  # who joins meanwhile asks for the next look
        try:
            news = await self.in_thread(partial(self.screen.look, present))
        except Exception as exc:  # the database is away, or a row cannot be rendered
            if self.is_healthy:
                logger.exception("live: the board cannot be read: %s", exc)
            self.is_healthy = False
            return
        self.is_healthy = True
        self.read_at, self.read_at_ms = time.monotonic(), _now_ms()
        self._tell(present, news)

    def _tell(self, clients: Collection[Client], news: News) -> None:
        """Queue for each client what it lacks, put together once for all of a kind."""
        made: dict[tuple[Audience, str, bool], bytes] = {}
        for client in self.clients.intersection(clients):
            kind = (client.audience, client.conversation, client.is_behind)
            if kind not in made:
                made[kind] = (
                    self.screen.whole(client) + self._clock()
                    if client.is_behind
                    else self.screen.part(client, news)
                )
            client.is_behind = False
            if made[kind]:
                client.offer(made[kind])

    def _clock(self) -> bytes:
        """Return a sign of life: the server's time, or since when the board is stale."""
        if time.monotonic() - self.read_at < FRESH_S:
            return frame("clock", str(_now_ms()))
        return frame("stale", str(self.read_at_ms))

    # The tasks, one step each

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(IDLE_S):  # wait_for may swallow the cancelling of stop()
                await self.wanted.wait()
        except TimeoutError:
            pass
        self.wanted.clear()
        if self.clients:
            await self.look()
        await asyncio.sleep(TICK_S)

    async def _beat(self) -> None:
        await asyncio.sleep(BEAT_S)
        sign = self._clock()
        for client in self.clients:
            if not client.is_behind or not self.is_healthy:  # else its first look is under way
                client.offer(sign)

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
                    self.wanted.set()
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


def _versions(keys: Collection[str]) -> dict[str, int]:
    """Return the versions of conversations, also of those that left the board long ago."""
    if not keys:
        return {}
    calls = Call.objects.filter(conversation__in=keys).order_by().values("conversation")
    return {
        row["conversation"]: row["changes"] + board.VERSION_PER_LEG * row["size"]
        for row in calls.annotate(changes=Sum("version"), size=Count("pk"))
    }


def _with_connection(work: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return work()
    except Exception:
        connections.close_all()  # no request ends here, so nothing else would clean it
        raise


def _now_ms() -> int:
    return int(time.time() * 1000)
