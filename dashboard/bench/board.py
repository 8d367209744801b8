"""The live board under load: many calls, many watchers, many changes; and the web process killed.

    signed webhooks at a pace -> door -> worker -> rows -> hub -> gzip -> every watcher

Everything that is measured is driven for real; the watchers do all that browsers do but draw.
A change is a webhook. The desk may tell several changes of one row at once, which is counted.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calls.board import row_id
from dashboard.bench import kills, machine
from dashboard.bench.figures import percentile, table
from dashboard.bench.pace import Step
from dashboard.bench.room import Room
from dashboard.bench.stage import Broken, Stage
from dashboard.bench.watching import Board, Browser
from dashboard.bench.webhooks import Leg

NAME = "board"
TARGETS = {"bytes_per_row": 600.0, "p99_ms": 200.0, "cpu_share_of_polling": 0.05}
CYCLE = (  # what each call does in turn -> how its row shows it
    ("call.hold", ("held", False)),
    ("call.speak.started", ("held", True)),
    ("call.unhold", ("answered", True)),
    ("call.speak.ended", ("answered", False)),
)
POLL_EVERY_S = 2.0
POLLS = 6
JOIN_WITHIN_S, LAST_WITHIN_S = 30.0, 10.0
READERS = 4  # browsers that read what they hear; of the others, one in ten is read afterwards
MOST_LATE_S = 0.05  # at the 99th percentile; beyond it the pace was not kept

State = tuple[str, bool]


@dataclass(frozen=True)
class Sizes:
    """How many of everything."""

    calls: int = 1000
    watchers: int = 200
    changes_per_s: float = 500.0
    seconds: float = 60.0
    kills: int = 20
    kill_watchers: int = 20
    kill_ends: int = 3  # calls that end, and others that begin, per kill


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Open a control room, load it, measure; return the figures."""
    with Stage() as stage:
        room = Room(stage)
        say(f"placing {sizes.calls} calls")
        legs = room.place(sizes.calls)
        measured = asyncio.run(load(room, legs, sizes, say)) if sizes.seconds else {}
        shape = (sizes.kills, sizes.kill_watchers, sizes.kill_ends)
        killed = asyncio.run(kills.run(room, legs, *shape, say))
        return {"sizes": vars(sizes), "load": measured, "kills": killed}


async def load(
    room: Room, legs: Sequence[Leg], sizes: Sizes, say: Callable[[str], None]
) -> dict[str, Any]:
    """Let everybody watch while the calls change."""
    steps = changes(len(legs), sizes)
    poster = await asyncio.to_thread(room.poster, legs, steps)
    browsers = [
        Browser(room.web, room.cookies[role(number)], reads=number < READERS)
        for number in range(sizes.watchers)
    ]
    tasks = [asyncio.create_task(browser.watch()) for browser in browsers]
    say(f"{len(browsers)} watchers, {len(steps)} changes in {sizes.seconds:g} s")
    try:
        async with asyncio.timeout(JOIN_WITHIN_S):
            await asyncio.gather(*(browser.is_on.wait() for browser in browsers))
    except TimeoutError as exc:
        raise Broken("a live stream shows no board") from exc
    await asyncio.sleep(2)  # the last to come have made nobody's stream begin anew
    before = [(browser.size, len(browser.pieces)) for browser in browsers]
    boards = [browser.board for browser in browsers if browser.board]
    changed = [board.changed for board in boards]
    loads, cpu, own = machine.load(), room.cpu_s(), time.process_time()
    start = time.perf_counter() + 0.5
    posted = await asyncio.to_thread(poster.post, start)
    await asyncio.to_thread(room.rest)
    passed = time.perf_counter() - start
    cpu, own = room.cpu_s() - cpu, time.process_time() - own
    await asyncio.sleep(2)
    sizes_now = [browser.size for browser in browsers]
    changed = [board.changed - was for board, was in zip(boards, changed, strict=True)]
    seen = latencies(browsers, legs, steps, start)
    same = await compare(room, browsers)
    for task in tasks:
        task.cancel()
    ended = sum(
        isinstance(it, Exception)
        for it in await asyncio.gather(*tasks, return_exceptions=True)
        if not isinstance(it, asyncio.CancelledError)
    )
    poll_s = await asyncio.to_thread(poll, room)
    rows = sum(changed) / len(changed)
    received = [now - was for now, (was, _) in zip(sizes_now, before, strict=True)]
    polling = poll_s * len(browsers) / POLL_EVERY_S
    wanted = len(steps) * len(browsers)
    void = []
    if len(seen) != wanted:
        void.append(f"{wanted - len(seen)} of {wanted} changes were not seen")
    if ended:
        void.append(f"{ended} streams ended")
    if (late := percentile(posted["late_s"], 99)) > MOST_LATE_S:
        void.append(f"1 of 100 webhooks left more than {late * 1000:.0f} ms late")
    return {
        "webhooks": len(steps),
        "webhooks_per_s": round(len(steps) / sizes.seconds, 1),
        "posted_again": posted["again"],
        "rows_told": round(rows),
        "bytes_per_row": round(sum(received) / len(received) / rows, 1),
        "kbit_per_s": round(sum(received) / len(received) * 8 / 1000 / passed, 1),
        "p50_ms": round(float(np.percentile(seen, 50)), 1),
        "p99_ms": round(float(np.percentile(seen, 99)), 1),
        "most_ms": round(float(seen.max()), 1),
        "web_cores": round(cpu / passed, 3),
        "poll_ms": round(poll_s * 1000, 1),
        "polling_cores": round(polling, 2),
        "cpu_share_of_polling": round(cpu / passed / polling, 4),
        "watcher_cores": round(own / passed, 2),
        "poster_cores": round(posted["cpu_s"] / passed, 2),
        "boards": same,
        "load": loads,
        "void": void,
    }


def role(number: int) -> str:
    """Return who watches: every second one may control calls."""
    return ("supervisor", "reviewer")[number % 2]


def changes(calls: int, sizes: Sizes) -> list[Step]:
    """Return the changes: all calls in turn, and each goes through its cycle."""
    return [
        Step(number / sizes.changes_per_s, CYCLE[number // calls % len(CYCLE)][0], number % calls)
        for number in range(int(sizes.changes_per_s * sizes.seconds))
    ]


def latencies(
    browsers: Sequence[Browser], legs: Sequence[Leg], steps: Sequence[Step], start: float
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return, for each change and each browser, how long it took to be shown, in ms."""
    found = []
    for group in range(2):
        kind = [browser for number, browser in enumerate(browsers) if number % 2 == group]
        readers = [browser for browser in kind if browser.board]
        pieces = shown_in(readers[0], legs, steps, start)
        at = start + np.array([step.at_s for step in steps])
        for browser in kind:
            came: dict[int | None, float] = {mark: when for when, mark in reversed(browser.pieces)}
            times = np.array([came.get(piece, np.nan) for piece in pieces])
            took = (times - at) * 1000
            found.append(took[~np.isnan(took)])
    return np.concatenate(found)


def shown_in(
    reader: Browser, legs: Sequence[Leg], steps: Sequence[Step], start: float
) -> list[int | None]:
    """Return in which piece of a stream each change was shown, or one that came after it."""
    came: defaultdict[str, list[tuple[float, int, State]]] = defaultdict(list)
    for when, mark, told in reader.seen:
        for row, line, speaks in told:
            came[row].append((when, mark, (line, speaks)))
    rows = [row_id(leg.call_session_id) for leg in legs]
    states = [state for _, state in CYCLE]
    found: list[int | None] = []
    for step in steps:
        place = [kind for kind, _ in CYCLE].index(step.event_type)
        fitting = {states[(place + ahead) % len(states)] for ahead in range(3)}
        found.append(
            next(
                (
                    mark
                    for when, mark, state in came[rows[step.call]]
                    if when >= start + step.at_s and state in fitting
                ),
                None,
            )
        )
    return found


async def compare(room: Room, browsers: Sequence[Browser]) -> dict[str, int]:
    """Return how many browsers show the same as one that comes now, and as the page."""
    late = [Browser(room.web, room.cookies[role(number)], reads=True) for number in range(2)]
    tasks = [asyncio.create_task(browser.watch()) for browser in late]
    async with asyncio.timeout(JOIN_WITHIN_S):
        await asyncio.gather(*(browser.is_on.wait() for browser in late))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    truth = await asyncio.to_thread(room.truth)
    read = same = alike = 0
    for group in range(2):
        kind = [browser for number, browser in enumerate(browsers) if number % 2 == group]
        newest, first = late[group].board, kind[0]
        page = await asyncio.to_thread(room.page, role(group))
        assert newest is not None  # noqa: S101  (it reads)
        shown = {row: still(html) for row, html in newest.rows.items()}
        is_true = newest.versions == truth and shown == {
            row: still(html) for row, html in rows_of(page).items()
        }
        marks = [mark for _, mark in first.pieces]
        for browser in kind:
            if browser.board is not None:
                read += 1
                same += is_true and browser.board.rows == newest.rows
            else:
                heard = [mark for _, mark in browser.pieces]
                alike += heard[-len(heard) // 2 :] == marks[-len(heard) // 2 :]
    return {
        "read": read,
        "read_and_same": same,
        "heard": len(browsers) - read,
        "heard_the_same": alike,
    }


def rows_of(page: str) -> dict[str, str]:
    """Return the rows of a page."""
    board = Board()
    board.put(page.partition("<tbody")[2].partition(">")[2], counts=False)
    return board.rows


def still(html: str) -> str:
    """Return a row without what its clocks say."""
    return re.sub(r'(data-since="\d+">)[\d:]+<', r"\1<", re.sub(r"\s+", " ", html))


def poll(room: Room) -> float:
    """Return the CPU seconds of one page of the board, as a browser that polls asks for it."""
    room.page("supervisor")
    cpu = room.cpu_s()
    for number in range(POLLS):
        room.page(role(number))
    return (room.cpu_s() - cpu) / POLLS


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as text."""
    sizes, load = figures["sizes"], figures["load"]
    said = [""]
    if load:
        boards = load["boards"]
        said += [
            f"{sizes['calls']} calls live, {sizes['watchers']} watchers,"
            f" {load['webhooks_per_s']:g} signed webhooks a second for {sizes['seconds']:g} s",
            *table(
                ["", "measured", "target"],
                [
                    ["bytes on the wire per changed row", load["bytes_per_row"], 600],
                    ["webhook to a watcher, p50 ms", load["p50_ms"], ""],
                    ["webhook to a watcher, p99 ms", load["p99_ms"], 200],
                    ["rows told per webhook", load["rows_told"] / load["webhooks"], ""],
                    ["kbit/s per watcher", load["kbit_per_s"], ""],
                    ["web process, cores", load["web_cores"], ""],
                    ["CPU ms of a poll", load["poll_ms"], ""],
                    [f"polling every {POLL_EVERY_S:g} s, cores", load["polling_cores"], ""],
                    ["CPU as a share of polling", load["cpu_share_of_polling"], 0.05],
                ],
            ),
            f"boards at the end: {boards['read_and_same']} of {boards['read']} that were read are"
            f" the same as a late one and the page; {boards['heard_the_same']} of the other"
            f" {boards['heard']} heard the same bytes",
            *(
                f"{name}: {'met' if load[name] <= limit else 'MISSED'}"
                for name, limit in TARGETS.items()
            ),
            *(f"VOID: {reason}" for reason in load["void"]),
        ]
    return said + kills.lines(figures["kills"])
