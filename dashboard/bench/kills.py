"""The web process killed again and again while calls change: does every browser come to the truth?

A browser has converged when it shows every row that the database had when the desk listened again,
none older than that, and none that the database does not know.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dashboard.bench.figures import percentile
from dashboard.bench.pace import Step
from dashboard.bench.room import Room
from dashboard.bench.watching import Browser
from dashboard.bench.webhooks import Leg

CONVERGED_WITHIN_S = 5.0
PER_KILL, EVERY_S = 25, 0.12  # changes while the desk is up, down and up again
KILL_AFTER_S = (0.2, 1.5)
KINDS = ("call.hold", "call.unhold")


async def run(
    room: Room, legs: Sequence[Leg], kills: int, watchers: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Kill so often; return how long the browsers took, and what they show wrongly in the end."""
    if not kills:
        return {}
    say(f"killing the web process {kills} times under {watchers} watchers")
    steps = [
        Step(number * EVERY_S, KINDS[number // len(legs) % 2], number % len(legs))
        for number in range(PER_KILL * kills)
    ]
    poster = await asyncio.to_thread(room.poster, legs, steps)
    roles = list(room.cookies)
    browsers = [
        Browser(room.web, room.cookies[roles[number % len(roles)]], reads=True)
        for number in range(watchers)
    ]
    tasks = [asyncio.create_task(browser.stay()) for browser in browsers]
    await asyncio.gather(*(browser.is_on.wait() for browser in browsers))
    posting = asyncio.create_task(asyncio.to_thread(poster.post, time.perf_counter()))
    took = []
    for _ in range(kills):
        await asyncio.sleep(random.uniform(*KILL_AFTER_S))  # noqa: S311  (no secret)
        opened = {browser: browser.opened for browser in browsers}
        await asyncio.to_thread(room.kill)
        await asyncio.to_thread(room.start)
        start = time.perf_counter()
        took += await converge(opened, start, await asyncio.to_thread(room.truth))
    posted = await posting
    await asyncio.to_thread(room.rest)
    await asyncio.sleep(2)
    truth = await asyncio.to_thread(room.truth)
    shown = [browser.board.versions() for browser in browsers if browser.board]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "kills": kills,
        "watchers": watchers,
        "changes": len(steps),
        "posted_again": posted["again"],
        "converged_s": {f"p{n}": percentile(took, n) for n in (50, 99)} | {"most": max(took)},
        "late": sum(each > CONVERGED_WITHIN_S for each in took),
        "phantom_rows": sum(len(rows.keys() - truth.keys()) for rows in shown),
        "lost_rows": sum(len(truth.keys() - rows.keys()) for rows in shown),
        "old_rows": sum(
            rows.get(row, version) != version for rows in shown for row, version in truth.items()
        ),
    }


async def converge(
    opened: Mapping[Browser, int], start: float, truth: dict[str, int]
) -> list[float]:
    """Return after how many seconds each browser, opened anew, showed at least this."""
    took: dict[Browser, float] = {}
    while len(took) < len(opened) and time.perf_counter() - start < 4 * CONVERGED_WITHIN_S:
        await asyncio.sleep(0.05)
        for browser, before in opened.items():
            if browser in took or browser.opened == before or not browser.board:
                continue
            shown = browser.board.versions()
            if shown.keys() == truth.keys() and all(shown[row] >= truth[row] for row in truth):
                took[browser] = round(time.perf_counter() - start, 2)
    late = 4 * CONVERGED_WITHIN_S
    return [took.get(browser, late) for browser in opened]


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as text."""
    if not figures:
        return []
    took = figures["converged_s"]
    wrong = [figures[name] for name in ("phantom_rows", "lost_rows", "old_rows")]
    return [
        "",
        f"web process killed {figures['kills']} times under {figures['watchers']} watchers and"
        f" {figures['changes']} changes",
        f"converged after p50 {took['p50']} s, p99 {took['p99']} s, most {took['most']} s;"
        f" later than {CONVERGED_WITHIN_S:g} s: {figures['late']}",
        "in the end: {} phantom rows, {} lost, {} out of date".format(*wrong),
        "met" if not figures["late"] and not any(wrong) else "MISSED",
    ]
