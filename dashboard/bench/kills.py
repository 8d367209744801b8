"""The web process killed again and again while calls change: does every browser come to the truth?

A browser has converged when it shows every row that the database had when the desk listened again,
calls aside that end meanwhile, and none older than that. In the end no row may be left over, lost
or out of date.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from calls.board import ENDED_STAYS_S, row_id
from dashboard.bench.figures import percentile
from dashboard.bench.pace import Step
from dashboard.bench.room import Room
from dashboard.bench.watching import Browser
from dashboard.bench.webhooks import Leg, new_leg

CONVERGED_WITHIN_S = 5.0
EVERY_S = 0.12  # between changes, while the desk is up, down and up again
CHANGES, BETWEEN_ENDS = 16, 5  # per kill; and how many of them from one call's end to the next
KILL_AFTER_S = (0.2, 1.5)
KINDS = ("call.hold", "call.unhold")
GONE_AFTER_S = ENDED_STAYS_S + 2


async def run(
    room: Room,
    legs: Sequence[Leg],
    kills: int,
    watchers: int,
    ends_each: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Kill so often; return how long the browsers took, and what they show wrongly in the end."""
    if not kills:
        return {}
    say(f"killing the web process {kills} times under {watchers} watchers")
    ends = min(ends_each * kills, len(legs) // 2)
    steps = changes(len(legs), kills, ends)
    ending = {row_id(leg.call_session_id) for leg in legs[len(legs) - ends :]}
    calls = [*legs, *(new_leg() for _ in range(ends))]
    poster = await asyncio.to_thread(room.poster, calls, steps)
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
        truth = await asyncio.to_thread(room.truth)
        lasting = {row: version for row, version in truth.items() if row not in ending}
        took += await converge(opened, start, lasting)
    posted = await posting
    await asyncio.to_thread(room.rest)
    await asyncio.sleep(GONE_AFTER_S if ends else 2)
    truth = await asyncio.to_thread(room.truth)
    shown = [browser.board.versions for browser in browsers if browser.board]
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


def changes(calls: int, kills: int, ends: int) -> list[Step]:
    """Return what happens: most calls are put on hold and back, some end, as many begin."""
    lasting, told = calls - ends, []
    for number in range(CHANGES * kills):
        told.append((KINDS[number // lasting % 2], number % lasting))
        if ends and number % BETWEEN_ENDS == 0:
            ends -= 1
            new = 2 * calls - lasting - ends - 1
            told += [("call.hangup", lasting + ends)]
            told += [("call.initiated", new), ("call.answered", new)]
    return [Step(number * EVERY_S, *each) for number, each in enumerate(told)]


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
            shown = browser.board.versions
            if all(shown.get(row, -1) >= version for row, version in truth.items()):
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
