"""The live stream: who is let in, what is sent, and what happens when something is away."""

import asyncio
import json
import queue
import re
import socket
import threading
import time
import zlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connections
from django.test import Client as Browser
from django.utils import timezone

from calls import attention, board, projection
from calls.models import Call
from calls.ring import ALL
from dashboard import hub as hub_module
from dashboard import live, lookout, screen
from dashboard.hub import Hub
from dashboard.lookout import Lookout
from dashboard.screen import Screen, frame
from dashboard.viewers import END, QUEUE, Audience, Client, audience_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loop():
    """An event loop in a thread of its own, as the server has one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


class Near(Lookout):
    """A lookout in a thread of the test, which sees the database of the test and its patches."""

    async def start(self):
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours, limit=lookout.ROOM)
        await self.stop()
        self.screen = Screen()
        thread = threading.Thread(target=self.serve, args=(theirs,), daemon=True)
        thread.start()
        self.process = SimpleNamespace(
            stdin=writer,
            stdout=reader,
            kill=writer.close,
            wait=lambda: asyncio.to_thread(thread.join, 5),
        )

    def serve(self, line):
        try:
            lookout.serve(self.screen, line.makefile("rb"), line.makefile("wb"))
        finally:
            connections.close_all()
            line.close()


@pytest.fixture
def hub(loop, monkeypatch):
    """A hub that runs, on the database of the test."""
    hub = Hub(Near())
    monkeypatch.setattr(live, "hub", hub)
    monkeypatch.setattr(hub_module, "WHOLE_S", 0.1)
    monkeypatch.setattr(hub_module, "BEAT_S", 0.1)
    monkeypatch.setattr(hub_module, "RECHECK_S", 0.1)

    async def start():
        hub.start()

    asyncio.run_coroutine_threadsafe(start(), loop).result(5)
    yield hub
    asyncio.run_coroutine_threadsafe(hub.stop(), loop).result(5)


class Stream:
    """A browser's side of one stream."""

    def __init__(self, loop, cookie="", *, method="GET", query=b"", headers=()):
        self.loop = loop
        self.events = queue.Queue()
        self.status = None
        self.headers = {}
        self.raw = b""
        self.is_over = False
        self.unpack = None
        self.may_read = threading.Event()
        self.may_read.set()
        self.leaving = asyncio.Event()
        scope = {
            "type": "http",
            "method": method,
            "path": "/live/",
            "query_string": query,
            "headers": [(b"cookie", cookie.encode()), *headers],
        }
        run = live.stream(scope, self._receive, self._send)
        self.task = asyncio.run_coroutine_threadsafe(run, loop)

    async def _receive(self):
        if not self.leaving.is_set():
            await self.leaving.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.disconnect"}

    async def _send(self, message):
        while not self.may_read.is_set():
            await asyncio.sleep(0.01)
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            if self.headers.get(b"content-encoding") == b"gzip":
                self.unpack = zlib.decompressobj(wbits=31)
            return
        self.raw += message["body"]
        text = self.unpack.decompress(message["body"]) if self.unpack else message["body"]
        for block in text.decode().split("\n\n"):
            name = re.search(r"^event: (.*)$", block, re.M)
            if name:
                lines = re.findall(r"^data: (.*)$", block, re.M)
                self.events.put((name[1], "\n".join(lines)))
        self.is_over = not message.get("more_body")

    def next(self, wanted, within=5):
        """Return the data of the next event of a name."""
        until = time.monotonic() + within
        while True:
            name, data = self.events.get(timeout=max(0.01, until - time.monotonic()))
            if name == wanted:
                return data

    def names_until(self, wanted, within=5):
        """Return the names of the events up to one, with it."""
        names = []
        while wanted not in names:
            names.append(self.events.get(timeout=within)[0])
        return names

    def leave(self):
        self.loop.call_soon_threadsafe(self.leaving.set)
        self.task.result(5)

    def answer(self):
        """Wait for the whole answer; return its status and text."""
        self.task.result(5)
        return self.status, self.raw.decode()


@pytest.fixture
def watch(loop, hub):
    """Open a stream as a person; it has left when the test is over."""
    opened = []

    def watch(user, **options):
        stream = Stream(loop, cookie_of(user) if user else "", **options)
        opened.append(stream)
        return stream

    yield watch
    for stream in opened:
        stream.may_read.set()
        loop.call_soon_threadsafe(stream.leaving.set)
    for stream in opened:
        stream.task.result(5)


def cookie_of(user):
    browser = Browser()
    browser.force_login(user)
    return f"theme=dark; sessionid={browser.cookies['sessionid'].value}"


def call_row(number=1, **changes):
    values = {
        "call_leg_id": f"leg-{number}",
        "conversation": f"session-{number}",
        "call_control_id": f"v3:{number}",
        "direction": "incoming",
        "from_number": f"+1312945{number:04}",
        "to_number": "+18005550101",
        "line": Call.Line.ANSWERED,
    }
    call = Call.objects.create(**values | changes)
    call.first_heard_at = timezone.now() - timedelta(hours=1) + timedelta(seconds=number)
    call.save(update_fields=["first_heard_at"])
    return call


def rows_of(html):
    """Return the rows in some HTML: {id: version}, in their order."""
    found = {}
    for tag in re.findall(r"<tr\b[^>]*>", html):
        version = re.search(r'data-version="(\d+)"', tag)
        if version:
            found[re.search(r'\bid="([^"]+)"', tag)[1]] = int(version[1])
    return found


def wait_for(condition, within=5):
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


# Who is let in


def test_strangers_hear_401(watch):
    for stream in (watch(None), watch(None, headers=[(b"cookie", b"sessionid=nonsense")])):
        status, text = stream.answer()
        assert (status, text) == (401, "Sign in to see live calls.")


def test_only_people_who_may_see_calls_are_let_in(watch, sam, lee, max):
    assert watch(max).answer()[0] == 401
    for user in (sam, lee):
        stream = watch(user)
        stream.next("board")
        assert stream.status == 200


def test_a_session_counts_for_nothing_once_the_account_is_closed(watch, sam):
    cookie = cookie_of(sam)
    sam.is_active = False
    sam.save()

    assert watch(None, headers=[(b"cookie", cookie.encode())]).answer()[0] == 401


def test_a_session_counts_for_nothing_once_the_password_changed(watch, sam):
    cookie = cookie_of(sam)
    sam.set_password("quite another password")
    sam.save()

    assert watch(None, headers=[(b"cookie", cookie.encode())]).answer()[0] == 401


def test_looking_at_a_session_under_an_old_secret_leaves_it_where_it_is(sam, settings):
    settings.SECRET_KEY = "the old secret key of this desk"
    browser = Browser()
    browser.force_login(sam)
    settings.SECRET_KEY = "the new secret key of this desk"
    settings.SECRET_KEY_FALLBACKS = ["the old secret key of this desk"]
    key = browser.cookies["sessionid"].value

    assert audience_of(key) == Audience(control=True, operate=False)
    assert audience_of(key) == Audience(control=True, operate=False)


def test_only_get_is_answered_and_head_has_no_stream(watch, sam):
    assert watch(sam, method="POST").answer()[0] == 405
    assert watch(sam, method="HEAD").answer() == (200, "")
    assert watch(None, method="HEAD").answer()[0] == 401


def test_nobody_is_let_in_while_the_database_is_away(watch, sam, monkeypatch):
    def away(session_key):
        raise OperationalError("gone")

    monkeypatch.setattr(live, "audience_of", away)

    stream = watch(sam)

    assert stream.answer()[0] == 503
    assert stream.headers[b"retry-after"] == b"3"


def test_the_stream_is_told_to_no_cache_and_no_buffer(watch, sam):
    stream = watch(sam)
    stream.next("board")

    assert stream.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert stream.headers[b"cache-control"] == b"no-cache, no-transform"
    assert stream.headers[b"x-accel-buffering"] == b"no"
    retry = int(re.match(rb"retry: (\d+)\n\n", stream.raw)[1])
    assert 2000 <= retry <= 4000


# What is sent


def test_first_comes_the_whole_board_then_the_counts_and_the_time(watch, sam):
    call_row(1)
    call_row(2)
    call_row(3, line=Call.Line.UNKNOWN)

    stream = watch(sam)

    assert stream.names_until("clock") == ["board", "counts", "status", "clock"]
    again = watch(sam)
    assert len(rows_of(again.next("board"))) == 2
    assert abs(int(again.next("clock")) / 1000 - time.time()) < 2


def test_those_who_may_not_control_get_rows_without_controls(watch, sam, lee):
    call_row()

    assert "formaction" in watch(sam).next("board")
    assert "formaction" not in watch(lee).next("board")


def test_a_change_sends_the_changed_row_alone(watch, sam):
    call, _ = call_row(1), call_row(2)
    stream = watch(sam)
    before = rows_of(stream.next("board"))

    projection.touch(call, line=Call.Line.BRIDGED)

    changed = rows_of(stream.next("rows"))
    assert list(changed) == [board.row_id(call.conversation)]
    assert changed[board.row_id(call.conversation)] > before[board.row_id(call.conversation)]


def test_a_new_call_appears_and_an_ended_one_leaves(watch, sam):
    stream = watch(sam)
    stream.next("board")

    call = call_row()
    assert list(rows_of(stream.next("rows"))) == [board.row_id(call.conversation)]

    over = timezone.now() - timedelta(seconds=board.ENDED_STAYS_S + 1)
    projection.touch(call, line=Call.Line.ENDED, closed_at=over)
    assert json.loads(stream.next("gone")) == [board.row_id(call.conversation)]


def test_a_late_subscriber_sees_the_same_board_as_an_old_one(watch, sam):
    calls = [call_row(number) for number in range(5)]
    old = watch(sam)
    seen = rows_of(old.next("board"))
    over = timezone.now() - timedelta(seconds=board.ENDED_STAYS_S + 1)

    projection.touch(calls[3], line=Call.Line.HELD)
    seen |= rows_of(old.next("rows"))
    projection.touch(calls[0], line=Call.Line.ENDED, closed_at=over)
    for row in json.loads(old.next("gone")):
        del seen[row]
    call_row(9)
    seen |= rows_of(old.next("rows"))

    late = rows_of(watch(sam).next("board"))
    assert late == seen
    assert list(late) == list(seen)  # oldest first


def test_the_last_event_id_of_a_browser_changes_nothing(watch, sam):
    call_row()

    stream = watch(sam, headers=[(b"last-event-id", b"7")])

    assert len(rows_of(stream.next("board"))) == 1
    assert b"\nid:" not in stream.raw


def test_the_counts_are_sent_when_they_change_and_not_before(watch, sam, monkeypatch):
    words = ["1 live"]
    monkeypatch.setattr(
        screen.home, "statuses", lambda operates, **more: dict.fromkeys(operates, words[0])
    )
    call = call_row()
    stream = watch(sam)
    assert stream.next("status") == "1 live"

    projection.touch(call)
    projection.touch(call, line=Call.Line.HELD)
    assert "status" not in stream.names_until("rows")

    words[0] = "1 live\r\n<script>\r"
    assert stream.next("status") == "1 live\n<script>\n"


def test_operators_get_their_own_counts(watch, sam, olga, monkeypatch):
    monkeypatch.setattr(
        screen.home, "statuses", lambda operates, **more: {it: f"{it}" for it in operates}
    )

    assert watch(sam).next("status") == "False"
    assert watch(olga).next("status") == "True"


def test_a_call_page_gets_the_versions_of_its_conversation_and_no_rows(watch, sam):
    call, other = call_row(1), call_row(2)
    stream = watch(sam, query=f"conversation={call.conversation}".encode())
    first = int(stream.next("changed"))
    assert first == board.versions(now=timezone.now())[call.conversation]

    projection.touch(other)
    projection.touch(call)

    assert int(stream.next("changed")) == first + 1
    assert b"<tr" not in stream.raw
    assert b"event: status" not in stream.raw


def test_a_call_page_hears_of_changes_long_after_the_call_has_left_the_board(watch, sam):
    long_ago = timezone.now() - timedelta(days=1)
    call = call_row(line=Call.Line.ENDED, closed_at=long_ago)
    stream = watch(sam, query=b"conversation=session-1")
    first = int(stream.next("changed"))

    projection.touch(call)  # its recording was fetched

    assert int(stream.next("changed")) == first + 1


def test_a_conversation_that_nobody_knows_has_no_version(watch, sam):
    assert watch(sam, query=b"conversation=%00%ff%F0%9F").next("changed") == "0"


def test_a_board_that_was_not_watched_for_a_while_is_read_anew(watch, sam):
    call = call_row()
    first = watch(sam)
    first.next("clock")
    first.leave()
    watcher = watch(sam, query=b"conversation=session-1")
    watcher.next("changed")
    projection.touch(call, line=Call.Line.HELD)
    watcher.next("changed")

    version = rows_of(watch(sam).next("board"))[board.row_id(call.conversation)]

    assert version == board.versions(now=timezone.now())[call.conversation]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("one", b"event: e\ndata: one\n\n"),
        ("one\ntwo", b"event: e\ndata: one\ndata: two\n\n"),
        ("one\r\ntwo\rthree", b"event: e\ndata: one\ndata: two\ndata: three\n\n"),
        ("", b"event: e\ndata: \n\n"),  # without the data line browsers drop the event
        ("a\n\nevent: bye", b"event: e\ndata: a\ndata: \ndata: event: bye\n\n"),
        ("ü", "event: e\ndata: ü\n\n".encode()),
    ],
)
def test_every_line_of_a_text_is_a_data_line(text, sent):
    assert frame("e", text) == sent


def test_a_pause_that_becomes_a_long_one_is_marked_though_nothing_happened(watch, sam):
    since = timezone.now() - attention.LONG_PAUSE + timedelta(seconds=0.5)
    call_row(recording="paused", recording_since_ours=since)
    stream = watch(sam)
    assert "Paused for long" not in stream.next("board")
    assert json.loads(stream.next("counts"))["problems"] == 0

    assert "Paused for long" in stream.next("rows")
    assert json.loads(stream.next("counts"))["problems"] == 1


# Compressed

VERSION = board.VERSION_PER_LEG
GZIP = [(b"accept-encoding", b"deflate, gzip;q=0.9")]


def test_a_browser_that_takes_gzip_reads_what_the_others_read(watch, sam):
    calls = [call_row(number) for number in range(30)]
    plain, packed = watch(sam), watch(sam, headers=GZIP)
    assert packed.next("board") == plain.next("board")
    assert b"content-encoding" not in plain.headers

    for number, line in enumerate((Call.Line.HELD, Call.Line.BRIDGED), start=1):
        for call in calls[:3]:
            projection.touch(call, line=line)
        wanted = {board.row_id(call.conversation): VERSION + number for call in calls[:3]}
        for stream in (plain, packed):
            seen = {}
            while seen != wanted:
                seen |= rows_of(stream.next("rows"))
    assert len(packed.raw) < len(plain.raw) / 5


def test_who_takes_gzip_joins_lags_and_leaves_in_words(hub, watch, sam, monkeypatch):
    monkeypatch.setattr(hub_module, "TICK_S", 0.0)
    call = call_row()
    slow, quick = watch(sam, headers=GZIP), watch(sam, headers=GZIP)
    slow.next("clock")
    quick.next("clock")
    slow.may_read.clear()
    for _ in range(3 * QUEUE):
        projection.touch(call)
        live.hub.tasks[0].get_loop().call_soon_threadsafe(live.hub.hear, [ALL])
        quick.next("rows")
        if any(client.is_behind for client in live.hub.clients):
            break
    slow.may_read.set()
    slow.next("board")
    late = watch(sam, headers=GZIP)
    late.next("board")
    projection.touch(call)
    for stream in (slow, quick, late):
        assert rows_of(stream.next("rows"))

    sam.groups.clear()

    assert slow.next("bye") == quick.next("bye") == "signed out"


def test_a_page_of_a_call_is_not_worth_compressing(watch, sam):
    stream = watch(sam, query=b"conversation=x", headers=GZIP)
    stream.next("changed")

    assert b"content-encoding" not in stream.headers


# Cost


def test_a_changed_row_is_rendered_once_for_any_number_of_browsers(watch, sam, lee, monkeypatch):
    call = call_row()
    streams = [watch(user) for user in (sam, sam, sam, lee, lee)]
    for stream in streams:
        stream.next("clock")
    rendered = []
    real = board.rows
    monkeypatch.setattr(board, "rows", lambda row: rendered.append(row.id) or real(row))

    projection.touch(call)

    for stream in streams:
        stream.next("rows")
    assert rendered == [board.row_id(call.conversation)]


def test_after_a_ring_only_what_it_names_is_looked_at(hub, loop, watch, sam, monkeypatch):
    calls = [call_row(number) for number in range(3)]
    stream = watch(sam)
    stream.next("clock")
    hub.whole_at = time.monotonic() + 60
    with monkeypatch.context() as asked:
        asked.setattr(board, "versions", lambda **more: 1 / 0)

        for call in calls[:2]:
            projection.touch(call)
        loop.call_soon_threadsafe(hub.hear, [calls[0].conversation])

        assert list(rows_of(stream.next("rows"))) == [board.row_id(calls[0].conversation)]
        Call.objects.filter(pk=calls[0].pk).delete()
        loop.call_soon_threadsafe(hub.hear, [calls[0].conversation])
        assert json.loads(stream.next("gone")) == [board.row_id(calls[0].conversation)]

    hub.whole_at = 0.0  # a second later

    assert list(rows_of(stream.next("rows"))) == [board.row_id(calls[1].conversation)]


def test_who_changes_a_call_names_its_conversation(monkeypatch):
    rings = []
    monkeypatch.setattr(projection, "ring", lambda lane, named: rings.append((lane, named)))
    call = call_row()

    projection.touch(call)
    projection.touch(call, conversation="another")

    assert rings == [("live", {"session-1"}), ("live", {ALL})]


def test_the_first_reader_of_another_role_gets_every_row_and_the_others_get_none(watch, sam, lee):
    calls = [call_row(number) for number in range(3)]
    first = watch(sam)
    first.next("clock")

    assert len(rows_of(watch(lee).next("board"))) == 3

    projection.touch(calls[0])
    assert list(rows_of(first.next("rows"))) == [board.row_id(calls[0].conversation)]


def test_a_board_read_ahead_is_not_rendered_again_for_those_who_come(
    hub, loop, watch, sam, lee, monkeypatch
):
    call_row()
    asyncio.run_coroutine_threadsafe(hub.lookout.start(), loop).result(5)
    wait_for(lambda: hub.lookout.screen.rows)
    monkeypatch.setattr(board, "rows", lambda row: 1 / 0)

    for user in (sam, lee):
        assert len(rows_of(watch(user).next("board"))) == 1


def test_a_database_that_is_away_at_the_start_stops_nobody(hub, loop, watch, sam, monkeypatch):
    with monkeypatch.context() as outage:
        looks = []
        outage.setattr(board, "versions", lambda **more: looks.append(1) or 1 / 0)
        asyncio.run_coroutine_threadsafe(hub.lookout.start(), loop).result(5)
        wait_for(lambda: looks)

    assert watch(sam).next("board") == ""


def test_nobody_watching_costs_no_query(hub, monkeypatch):
    looks = []
    monkeypatch.setattr(board, "versions", lambda **more: looks.append(1) or {})
    hub.is_open = True

    for _ in range(3):
        hub.tasks[0].get_loop().call_soon_threadsafe(hub.hear, [ALL])
        wait_for(lambda: not hub.wanted.is_set())

    assert not looks


def test_many_rings_are_one_look(hub, watch, sam, monkeypatch):
    stream = watch(sam)
    stream.next("clock")
    looks = []
    real = board.versions
    monkeypatch.setattr(board, "versions", lambda **more: looks.append(1) or real(**more))

    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        hub.tasks[0].get_loop().call_soon_threadsafe(hub.hear, [ALL])
        time.sleep(0.001)

    assert len(looks) <= 0.5 / hub_module.TICK_S + 2


def test_who_does_not_read_gets_the_board_and_not_the_backlog(watch, sam, lee, monkeypatch):
    monkeypatch.setattr(hub_module, "TICK_S", 0.0)
    call = call_row()
    slow, quick = watch(sam), watch(lee)
    slow.next("clock")
    quick.next("clock")
    slow.may_read.clear()
    client = next(c for c in live.hub.clients if c.audience.control)

    for _ in range(200):
        projection.touch(call)
        live.hub.tasks[0].get_loop().call_soon_threadsafe(live.hub.hear, [ALL])
        quick.next("rows")
        assert client.queue.qsize() <= QUEUE
        if client.is_behind:
            break
    assert client.is_behind
    slow.may_read.set()

    version = rows_of(slow.next("board"))[board.row_id(call.conversation)]
    call.refresh_from_db()
    assert version == board.versions(now=timezone.now())[call.conversation]


def test_ending_a_client_that_lags_drops_its_backlog():
    client = Client("key", Audience(control=True, operate=False))
    for number in range(QUEUE):
        client.offer(b"%d" % number)

    client.end(b"bye")

    assert [client.queue.get_nowait() for _ in range(2)] == [b"bye", END]


def test_what_is_offered_after_the_end_does_not_undo_it():
    client = Client("key", Audience(control=True, operate=False))
    client.end()
    for _ in range(2 * QUEUE):
        client.offer(b"more")

    assert client.queue.get_nowait() == END


def test_a_stream_let_in_while_the_hub_closes_ends_at_once(hub, loop, watch, sam, monkeypatch):
    def slow(key):
        time.sleep(0.2)
        return audience_of(key)

    monkeypatch.setattr(live, "audience_of", slow)
    stream = watch(sam)
    time.sleep(0.1)

    loop.call_soon_threadsafe(hub.close)

    stream.task.result(5)
    assert stream.is_over


# What is away


def test_a_lookout_that_is_lost_is_replaced_and_everybody_told_everything(
    hub, loop, watch, sam, caplog
):
    calls = [call_row(number) for number in range(2)]
    stream = watch(sam)
    stream.next("clock")
    process = hub.lookout.process

    loop.call_soon_threadsafe(process.kill)
    Call.objects.filter(pk=calls[0].pk).delete()

    assert list(rows_of(stream.next("board"))) == [board.row_id(calls[1].conversation)]
    assert hub.lookout.process is not process
    assert caplog.text.count("the board cannot be read") == 1


def test_a_lookout_that_does_not_answer_is_replaced(hub, watch, sam, monkeypatch):
    stream = watch(sam)
    stream.next("clock")
    may_answer = threading.Event()
    with monkeypatch.context() as stuck:
        stuck.setattr(lookout, "PATIENCE_S", 0.2)
        stuck.setattr(board, "versions", lambda **more: may_answer.wait(10))
        screen = hub.lookout.screen
        wait_for(lambda: hub.lookout.screen is not screen)
    may_answer.set()

    assert stream.next("board") == ""


def test_a_row_that_cannot_be_rendered_is_told_in_the_log(hub, watch, sam, monkeypatch, caplog):
    stream = watch(sam)
    stream.next("clock")

    with monkeypatch.context() as broken:
        broken.setattr(board, "rows", lambda row: {}["no such part"])
        call_row()
        wait_for(lambda: "no such part" in caplog.text)

    assert len(rows_of(stream.next("rows"))) == 1


def test_a_broker_that_the_hubs_process_lost_is_told_on_the_board(hub, watch, sam, monkeypatch):
    monkeypatch.setattr(screen, "STATUS_GAP_S", 0.0)
    told = []
    monkeypatch.setattr(lookout.ring, "lost_elsewhere", told.append)
    lost_at = timezone.now()
    monkeypatch.setattr(lookout.ring, "broker_lost_at", lambda: lost_at)

    watch(sam).next("board")

    assert told[-1] == lost_at


def test_a_change_that_a_failed_look_had_read_is_not_lost(hub, watch, sam, monkeypatch):
    call = call_row()
    stream = watch(sam)
    stream.next("clock")
    failures = []

    def fails_once(keys):
        if not failures:
            failures.append(projection.touch(call))
            raise OperationalError("gone between two queries")
        return {}

    monkeypatch.setattr(screen, "_versions", fails_once)

    assert rows_of(stream.next("rows"))
    assert failures


def test_a_lost_database_makes_the_stream_say_stale_and_then_recover(
    hub, watch, sam, monkeypatch, caplog
):
    monkeypatch.setattr(hub_module, "FRESH_S", 0.3)
    call = call_row()
    stream = watch(sam)
    stream.next("clock")

    def away(**more):
        raise OperationalError("the database is gone")

    with monkeypatch.context() as outage:
        outage.setattr(board, "versions", away)
        since = int(stream.next("stale"))
        assert 0 < time.time() - since / 1000 < 5
        stream.next("stale")
        assert caplog.text.count("the board cannot be read") == 1  # an outage, not every look

    projection.touch(call)
    assert stream.next("rows")
    assert stream.next("clock")


def test_a_browser_that_comes_during_an_outage_hears_that_and_is_served_later(
    hub, watch, sam, monkeypatch
):
    with monkeypatch.context() as outage:
        outage.setattr(board, "versions", lambda **more: 1 / 0)
        stream = watch(sam)
        assert stream.next("stale") == "0"

    assert stream.next("board") == ""


def test_a_broker_that_is_not_there_costs_a_second_and_not_the_stream(
    loop, monkeypatch, settings, sam
):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    hub = Hub(Near())
    monkeypatch.setattr(live, "hub", hub)
    loop.call_soon_threadsafe(hub.start)
    wait_for(lambda: hub.is_open)
    call = call_row()
    stream = Stream(loop, cookie_of(sam))
    stream.next("clock")

    since = time.monotonic()
    projection.touch(call)
    stream.next("rows")

    assert time.monotonic() - since < 1.5
    asyncio.run_coroutine_threadsafe(hub.stop(), loop).result(5)
    stream.task.result(5)


# How it ends


@pytest.mark.parametrize("loss", ["sign out", "password", "role", "account"])
def test_who_loses_the_right_is_sent_away(watch, sam, loss, monkeypatch):
    browser = Browser()
    browser.force_login(sam)
    stream = watch(
        None, headers=[(b"cookie", f"sessionid={browser.session.session_key}".encode())]
    )
    stream.next("board")

    if loss == "sign out":
        browser.logout()
    elif loss == "password":
        sam.set_password("quite another password")
        sam.save()
    elif loss == "role":
        sam.groups.clear()
    else:
        sam.is_active = False
        sam.save()

    assert stream.next("bye") == "signed out"
    stream.task.result(5)
    assert stream.is_over


def test_who_gets_another_role_is_asked_to_come_again(watch, sam, lee, monkeypatch):
    stream = watch(sam)
    stream.next("board")

    sam.groups.set(lee.groups.all())

    assert stream.next("bye") == "other rights"


def test_who_keeps_the_right_is_not_disturbed(hub, watch, sam, monkeypatch):
    checks = []
    monkeypatch.setattr(
        hub_module, "audience_of", lambda key: checks.append(key) or audience_of(key)
    )
    stream = watch(sam)

    wait_for(lambda: len(checks) > 3)

    assert not stream.is_over
    assert stream.names_until("clock") == ["board", "counts", "status", "clock"]


def test_a_browser_that_leaves_is_forgotten_at_once(hub, watch, sam):
    stream = watch(sam)
    stream.next("board")
    assert len(hub.clients) == 1

    stream.leave()

    assert not hub.clients


def test_a_browser_that_takes_nothing_is_dropped(hub, watch, sam, monkeypatch):
    monkeypatch.setattr(live, "STALLED_S", 0.05)
    stream = watch(sam)
    stream.next("board")
    stream.may_read.clear()
    call_row()

    wait_for(lambda: not hub.clients)


def test_closing_ends_every_stream_and_lets_nobody_in(hub, loop, watch, sam):
    streams = [watch(sam) for _ in range(3)]
    for stream in streams:
        stream.next("board")

    loop.call_soon_threadsafe(hub.close)

    for stream in streams:
        stream.task.result(1)
        assert stream.is_over
    assert watch(sam).answer()[0] == 503


def test_there_is_an_end_to_how_many_may_watch(watch, sam, monkeypatch):
    monkeypatch.setattr(live, "MOST_CLIENTS", 1)
    watch(sam).next("board")

    assert watch(sam).answer()[0] == 503


def test_a_step_that_fails_is_taken_again(caplog):
    taken = []

    async def step():
        taken.append(1)
        if len(taken) > 1:
            raise asyncio.CancelledError
        raise ValueError("odd")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(hub_module._repeat(step))

    assert len(taken) == 2
    assert "a step failed" in caplog.text
