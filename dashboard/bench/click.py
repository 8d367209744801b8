"""How long people wait, with the whole desk running, many calls live and many people watching.

click    a signed-in POST of a button -> the request at Telnyx's door
webhook  a signed POST -> the bytes of the changed row on each of the open live streams
"""

import asyncio
import random
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from calls.board import row_id
from dashboard.bench import machine
from dashboard.bench.desk import Desk, csrf_token
from dashboard.bench.figures import percentile, table
from dashboard.bench.stage import Broken, Stage
from dashboard.bench.webhooks import Leg, signed

NAME = "click"
WATCHER, CLICKER = "lee", "sam"
BETWEEN_CLICKS_S, BETWEEN_WEBHOOKS_S = (0.05, 0.15), (0.02, 0.08)  # at no fixed beat
PATIENCE_S = 5.0
MOST_CORES = 0.8  # of ours; beyond it we measure ourselves
ROW = re.compile(rb'id="(row-[0-9a-f]+)"')


@dataclass(frozen=True)
class Sizes:
    """How many of everything. Each click and each webhook has a call of its own."""

    calls: int = 200
    watchers: int = 50
    clicks: int = 60
    webhooks: int = 140


class Watcher:
    """One open live stream, and when each row last came on it."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.is_on = asyncio.Event()

    async def watch(self, web: str, cookie: str) -> None:
        """Read the stream until cancelled."""
        where = urlsplit(web)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        request = f"GET /live/ HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: {cookie}\r\n\r\n"
        writer.write(request.encode())
        try:
            text = b""
            while heard := await reader.read(1 << 20):
                now = time.perf_counter()
                text += heard
                frames, _, text = text.rpartition(b"\n\n")
                for found in ROW.finditer(frames):
                    self.seen[found[1].decode()] = now
                if b"event: board" in frames:
                    self.is_on.set()
        finally:
            writer.close()


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Start the desk, fill it, measure; return the figures."""
    with Stage() as stage:
        desk = Desk(stage, is_quiet=True)
        say(f"{sizes.calls} calls, {sizes.watchers} watchers")
        legs = place_calls(desk, sizes.calls)
        clicker = Clicker(desk)
        cookie = "; ".join(f"{c.name}={c.value}" for c in desk.sign_in(WATCHER).cookies)
        return asyncio.run(measure(desk, clicker, cookie, legs, sizes))


def place_calls(desk: Desk, count: int) -> list[Leg]:
    """Make calls and wait until the desk shows them all."""
    placed = [
        desk.lever("POST", "calls", **{"from": f"+1312555{number:04}", "to": "+18005550101"})
        for number in range(count)
    ]
    desk.stage.wait("the calls are live", lambda: desk.count_live() >= count, "desk")
    return [Leg(**{name: call[name] for name in Leg._fields}) for call in placed]


async def measure(
    desk: Desk, clicker: "Clicker", cookie: str, legs: Sequence[Leg], sizes: Sizes
) -> dict[str, Any]:
    """Click and post while the watchers watch."""
    watchers = [Watcher() for _ in range(sizes.watchers)]
    streams = [asyncio.create_task(watcher.watch(desk.web, cookie)) for watcher in watchers]
    try:
        boards = [watcher.is_on.wait() for watcher in watchers]
        await asyncio.wait_for(asyncio.gather(*boards), PATIENCE_S)
    except TimeoutError as exc:
        raise Broken("a live stream shows no board") from exc
    load, started, cpu = machine.load(), time.perf_counter(), time.process_time()
    clicks = await clicker.click(legs[: sizes.clicks])
    webhooks = await post(desk, legs[sizes.clicks :][: sizes.webhooks], watchers)
    cores = (time.process_time() - cpu) / (time.perf_counter() - started)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    expected = {"clicks": sizes.clicks, "webhooks": sizes.webhooks * sizes.watchers}
    return figures(clicks, webhooks, expected, cores) | {
        "calls": sizes.calls,
        "watchers": sizes.watchers,
        "load": load,
    }


class Clicker:
    """A person who controls calls; presses as htmx does from the board."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.browser = desk.sign_in(CLICKER)
        self.token = csrf_token(self.browser.get(f"{desk.web}/", timeout=10).text)
        rows = desk.database.rows("SELECT call_leg_id, id FROM calls_call")
        self.ids = {str(leg): uuid.UUID(str(pk)) for leg, pk in rows}

    async def click(self, legs: Sequence[Leg]) -> list[float]:
        """Start the recording of each call; return how long each request was on its way, in ms."""
        pressed: dict[str, float] = {}
        for leg in legs:
            await asyncio.sleep(random.uniform(*BETWEEN_CLICKS_S))  # noqa: S311  (no secret)
            pressed[leg.call_control_id] = time.time()
            answer = await asyncio.to_thread(self.press, leg)
            if answer.status_code != 200:
                raise Broken(f"a click was answered with status {answer.status_code}")
        await asyncio.sleep(1)  # the last ones are under way
        commands = await asyncio.to_thread(self.desk.lever, "GET", "commands")
        return [
            (_seconds(each["at"]) - pressed[each["call_control_id"]]) * 1000
            for each in commands["commands"]
            if each["action"] == "record_start" and each["call_control_id"] in pressed
        ]

    def press(self, leg: Leg) -> requests.Response:
        """Press "Start recording" of a call."""
        call = self.ids[leg.call_leg_id]
        return self.browser.post(
            f"{self.desk.web}/calls/{call}/commands/record_start/",
            data={"request_id": uuid.uuid4().hex, "format": "mp3", "channels": "dual"},
            headers={
                "X-CSRFToken": self.token,
                "HX-Request": "true",
                "HX-Current-URL": f"{self.desk.web}/",
            },
            timeout=10,
        )


async def post(desk: Desk, legs: Sequence[Leg], watchers: Sequence[Watcher]) -> list[float]:
    """Put each call on hold by a webhook; return when each watcher had the row, in ms."""
    port = urlsplit(desk.web).port or 80
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    posted: dict[str, float] = {}
    for leg in legs:
        await asyncio.sleep(random.uniform(*BETWEEN_WEBHOOKS_S))  # noqa: S311  (no secret)
        webhook = signed("call.hold", leg, datetime.now(UTC), key=desk.key, port=port)
        posted[row_id(leg.call_session_id)] = time.perf_counter()
        writer.write(webhook.request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise Broken(f"a webhook was answered with {head[:40]!r}")
    writer.close()
    deadline = time.perf_counter() + PATIENCE_S
    while _missing(posted, watchers) and time.perf_counter() < deadline:
        await asyncio.sleep(0.1)
    return [
        (watcher.seen[row] - at) * 1000
        for watcher in watchers
        for row, at in posted.items()
        if watcher.seen.get(row, 0) > at
    ]


def _missing(posted: dict[str, float], watchers: Sequence[Watcher]) -> bool:
    return any(watcher.seen.get(row, 0) < at for watcher in watchers for row, at in posted.items())


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def figures(
    clicks: Sequence[float], webhooks: Sequence[float], expected: dict[str, int], cores: float
) -> dict[str, Any]:
    """Return the figures, and why they must not be used, if they must not."""
    void = [
        f"{wanted - len(came)} of {wanted} {name} did not arrive"
        for (name, wanted), came in zip(expected.items(), (clicks, webhooks), strict=True)
        if len(came) != wanted
    ]
    if cores > MOST_CORES:
        void.append(f"the measuring process used {cores:.2f} of a core")
    return {
        "click_ms": {f"p{n}": percentile(clicks, n) for n in (50, 95)},
        "webhook_ms": {f"p{n}": percentile(webhooks, n) for n in (50, 99)},
        "clicks": len(clicks),
        "rows_seen": len(webhooks),
        "generator_cores": round(cores, 2),
        "void": void,
    }


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as text."""
    click, webhook = figures["click_ms"], figures["webhook_ms"]
    rows = [
        ["click to Telnyx's door", click["p50"], click["p95"], "", figures["clicks"]],
        ["webhook to a watcher", webhook["p50"], "", webhook["p99"], figures["rows_seen"]],
    ]
    return [
        "",
        f"{figures['calls']} calls live, {figures['watchers']} people watching",
        *table(["ms", "p50", "p95", "p99", "measured"], rows),
        *(f"VOID: {reason}" for reason in figures["void"]),
    ]
