"""The stream door makes files of plans while browsers take them, and never waits for one."""

import asyncio
import json
import threading

import pytest

from dashboard import files, streams
from dashboard.streams import serve_streams
from tests.test_file_door import Answer

PLAN = {"user": 1, "recordings": ["a", "b"]}


def app(kind="zip", *, plan=PLAN, **headers):
    """Return an application that has a file made of a plan."""

    async def app(scope, receive, send):
        sent = {"Content-Type": "application/zip", "Content-Length": "4"} | headers
        if kind:
            sent["X-Accel-Stream"] = kind
        pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
        body = json.dumps(plan).encode()
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": body[:9], "more_body": True})
        await send({"type": "http.response.body", "body": body[9:], "more_body": False})

    return app


class Maker:
    """Makes blocks, and counts how many and whether it was ended."""

    def __init__(self, number=5, *, fails_at=None):
        self.number, self.fails_at = number, fails_at
        self.plans, self.made, self.ended = [], 0, False

    def __call__(self, plan):
        self.plans.append(plan)
        try:
            for number in range(self.number):
                if number == self.fails_at:
                    raise RuntimeError("the disk is gone")
                self.made += 1
                yield b"block %d " % number
        finally:
            self.ended = True


async def served(maker, *, kind="zip", send=None, receive=None):
    messages = []

    async def collect(message):
        messages.append(message)

    async def wait():
        return await asyncio.Event().wait()

    door = serve_streams(app(kind), {"zip": maker})
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
    await door(scope, receive or wait, send or collect)
    return messages


def test_a_plan_becomes_its_file():
    maker = Maker()
    answer = Answer(asyncio.run(served(maker)))
    assert (answer.status, answer.body) == (200, b"block 0 block 1 block 2 block 3 block 4 ")
    assert answer.headers == {"content-type": "application/zip"}
    assert answer.is_ended
    assert maker.plans == [PLAN]


def test_blocks_are_made_beside_the_loop_that_serves_everybody():
    threads = set()

    def maker(plan):
        for _ in range(3):
            threads.add(threading.current_thread())
            yield b"x"

    asyncio.run(served(maker))
    assert threading.main_thread() not in threads
    assert threads


def test_other_answers_pass_untouched():
    maker = Maker()
    answer = Answer(asyncio.run(served(maker, kind="")))
    assert json.loads(answer.body) == PLAN
    assert maker.plans == []


def test_a_file_that_cannot_be_begun_is_an_error_that_the_browser_shows():
    answer = Answer(asyncio.run(served(Maker(fails_at=0))))
    assert answer.status == 500
    assert b"could not be made" in answer.body
    assert "content-disposition" not in answer.headers


def test_a_file_that_breaks_off_is_never_ended_as_if_it_were_whole():
    messages, maker = [], Maker(fails_at=2)

    async def send(message):
        messages.append(message)

    with pytest.raises(RuntimeError):
        asyncio.run(served(maker, send=send))
    assert messages[-1]["more_body"] is True
    assert maker.ended


def test_a_block_is_made_only_when_the_one_before_was_taken_and_ends_with_the_browser():
    maker, gone = Maker(1000), asyncio.Event()

    async def send(message):
        if message["type"] == "http.response.body":
            gone.set()
            await asyncio.Event().wait()  # the server's buffer is full, and nobody empties it

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    asyncio.run(asyncio.wait_for(served(maker, send=send, receive=receive), 5))

    assert maker.made == 1
    assert maker.ended


def test_a_browser_that_takes_nothing_is_forgotten(monkeypatch):
    monkeypatch.setattr(files, "STALLED_S", 0.05)
    maker = Maker()

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    asyncio.run(asyncio.wait_for(served(maker, send=send), 5))
    assert maker.ended


def stalled(door, number):
    """Begin streams that nobody takes a byte of; return their tasks."""

    async def wait():
        return await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
    return [asyncio.ensure_future(door(scope, wait, send)) for _ in range(number)]


def test_stalled_browsers_hold_no_thread():
    async def stall():
        door = serve_streams(app(), {"zip": Maker(1000)})
        tasks = stalled(door, 40)
        await asyncio.wait(tasks, timeout=0.3)
        free = await asyncio.wait_for(streams.in_thread(threading.get_ident), 2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return free

    assert asyncio.run(stall())


def test_there_is_an_end_to_how_many_are_served_at_a_time(monkeypatch):
    monkeypatch.setattr(streams, "MOST_STREAMS", 2)

    async def crowd():
        makers = {"zip": Maker(1000)}
        door = serve_streams(app(), makers)
        tasks = stalled(door, 2)
        await asyncio.wait(tasks, timeout=0.3)
        messages = []

        async def collect(message):
            messages.append(message)

        scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
        await door(scope, None, collect)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        makers["zip"] = Maker(1)
        after = []

        async def later(message):
            after.append(message)

        async def wait():
            return await asyncio.Event().wait()

        await door(scope, wait, later)
        return Answer(messages), Answer(after)

    refused, served_again = asyncio.run(crowd())
    assert (refused.status, refused.headers["retry-after"]) == (503, "60")
    assert b"try again in some minutes" in refused.body
    assert served_again.body == b"block 0 "


def test_other_protocols_pass():
    async def lifespan(scope, receive, send):
        await send({"type": "lifespan.startup.complete"})

    sent = []

    async def send(message):
        sent.append(message["type"])

    asyncio.run(serve_streams(lifespan, {})({"type": "lifespan"}, None, send))
    assert sent == ["lifespan.startup.complete"]
