"""The web process itself, in a process of its own: its doors, its quickness, its end."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from functools import cache
from pathlib import Path

import pytest
import redis

from dashboard import broker
from dashboard.bench import machine
from tests.conftest import KEY, OTHER_KEY, payload, public, signed
from tests.ready import copy_tables, prepare

BASE = Path(__file__).resolve().parent.parent
SET_UP = """
import django
django.setup()
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from calls.models import Call
from recordings.models import Recording
sam = User.objects.create_user("sam", password="a long enough password")
sam.groups.add(Group.objects.get_or_create(name="supervisor")[0])
call = Call.objects.create(
    call_leg_id="leg", conversation="session", from_number="+13129457420", line="answered"
)
now = timezone.now()
recording = Recording.objects.create(
    call=call, recording_id="r", state="stored", since=now, announced_at=now, started_at=now,
    duration_ms=1000, format="wav", channels=2, sha256="ab" * 32, path="ab/long.wav",
    size_bytes=64_000_000,
)
browser = Client()
browser.force_login(sam)
print(call.pk, recording.pk, browser.session.session_key)
"""


TOKEN = "a" * 32
"""What a page and its cookie share; Django asks only that both are the same."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, within=10):
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


@cache
def furnished(secret_key):
    """Return (ids of a call, its recording and a session, the database that has them)."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "tapeline.sqlite3")
        copy_tables(database)
        told = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "PYTHONPATH": str(BASE)}
        told |= {"TAPELINE_DATA": folder, "SECRET_KEY": secret_key}
        made = subprocess.run(
            [sys.executable, "-c", SET_UP], env=told, cwd=BASE, capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.split()[-3:], database.read_bytes()


class Web:
    """A web process on data of its own."""

    def __init__(self, folder, redis_url=""):
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
        } | {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "PYTHONPATH": str(BASE),
            "TAPELINE_DATA": str(folder),
            "SECRET_KEY": "the secret key of a desk that lives for a few seconds",
            "TELNYX_PUBLIC_KEYS": public(KEY),
            "REDIS_URL": redis_url,
        }
        prepare(folder)
        self.database = folder / "tapeline.sqlite3"
        (self.call, self.recording, self.session), rows = furnished(self.environment["SECRET_KEY"])
        self.database.write_bytes(rows)
        self.cookie = f"sessionid={self.session}; csrftoken={TOKEN}"
        (folder / "media" / "ab").mkdir(parents=True)
        with (folder / "media" / "ab" / "long.wav").open("wb") as file:
            file.truncate(64_000_000)
        self.server = None
        self.port = free_port()

    def start(self):
        with (self.folder / "web.log").open("ab") as log:
            where = ["--host", "127.0.0.1", "--port", str(self.port)]
            how = ["--interface", "asgi", "--workers", "1", "--workers-kill-timeout", "3"]
            self.server = subprocess.Popen(
                [sys.executable, "-m", "granian", *where, *how, "dashboard.asgi:application"],
                env=self.environment,
                cwd=BASE,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self.answers("/healthz"), within=60)  # a machine busy with other tests

    def stop(self):
        """End it; return how long that took."""
        if self.server is None or self.server.poll() is not None:
            return 0.0
        since = time.monotonic()
        self.server.terminate()
        self.server.wait(10)
        return time.monotonic() - since

    def ask(self, method, path, body=None, **headers):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            line.close()

    def answers(self, path):
        try:
            return self.ask("GET", path)[0] == 200
        except OSError:
            return False

    def post(self, path="/webhooks/telnyx", key=KEY):
        """Post an event of its own; return its id and the status."""
        event_id = str(uuid.uuid4())
        body = json.dumps(payload("call.initiated", id=event_id)).encode()
        headers = signed(body, key=key) | {"content-type": "application/json"}
        return event_id, self.ask("POST", path, body, **headers)[0]

    def execute(self, statement, *values):
        with sqlite3.connect(self.database, timeout=10) as database:
            rows = database.execute(statement, values).fetchall()
        database.close()
        return rows

    def stored(self):
        return {
            event_id for (event_id,) in self.execute("SELECT event_id FROM calls_webhookevent")
        }

    def change(self):
        """Change the call as a worker would; return its new version."""
        self.execute("UPDATE calls_call SET version = version + 1")
        return self.execute("SELECT version FROM calls_call")[0][0]


class Watcher:
    """A browser that watches the board."""

    def __init__(self, web):
        self.line = http.client.HTTPConnection("127.0.0.1", web.port, timeout=15)
        self.line.request("GET", "/live/", headers={"cookie": web.cookie})
        self.answer = self.line.getresponse()
        assert self.answer.status == 200

    def next(self, wanted):
        """Return the data of the next event of a name."""
        name, lines = "", []
        while True:
            line = self.answer.readline().decode()
            assert line, "the stream has ended"
            if line.startswith("event: "):
                name, lines = line[7:].strip(), []
            elif line.startswith("data: "):
                lines.append(line[6:])
            elif line == "\n" and name == wanted:
                return "".join(lines)

    def rest(self):
        """Read to the end, which must be a proper one: a cut stream raises IncompleteRead."""
        return self.answer.read()

    def close(self):
        self.line.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A web process without a broker."""
    web = Web(tmp_path_factory.mktemp("desk"))
    yield web
    web.stop()


@pytest.fixture
def web(desk):
    if desk.server is None or desk.server.poll() is not None:
        desk.start()
    return desk


class Valkey:
    """A private broker that can be lost and come back."""

    def __init__(self, server, folder):
        self.path = broker.socket_path(folder)
        self.command = broker.command(server, self.path, folder)
        self.line = redis.Redis.from_url(broker.url(self.path))

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        wait_for(lambda: broker.answers(self.path))

    def lose(self):
        self.process.kill()
        self.process.wait()

    def ring(self):
        self.line.publish("live", '[""]')

    def has_a_hub(self):
        return self.line.pubsub_numsub("live")[0][1] == 1


@pytest.fixture
def valkey(tmp_path):
    server = broker.find_server()
    if server is None:
        pytest.skip("no Valkey or Redis server on this machine")
    valkey = Valkey(server, tmp_path)
    valkey.start()
    yield valkey
    valkey.lose()


def lookout(web):
    """Return the process that reads the board for the live streams of a web process."""
    within = machine.tree(web.server.pid) if sys.platform == "linux" else ()
    return next((pid for pid in within if "lookout" in machine.command(pid)), None)


def there(pid):
    return Path(f"/proc/{pid}").exists()


# The doors


def test_three_doors_stand_behind_one_port(web):
    assert web.ask("GET", "/healthz")[:2] == (200, b"ok")
    assert web.ask("GET", "/live/")[0] == 401
    status, _, headers = web.ask("GET", "/")
    assert (status, headers["location"].partition("?")[0]) == (302, "/login/")
    for path in ("/webhooks/telnyx", "/webhooks/telnyx/"):
        event_id, status = web.post(path)
        assert status == 200
        assert event_id in web.stored()


def test_a_forged_webhook_is_refused_at_the_port(web):
    event_id, status = web.post(key=OTHER_KEY)

    assert status == 401
    assert event_id not in web.stored()


def test_live_streams_leave_the_pages_their_threads(web):
    watchers = [Watcher(web) for _ in range(20)]  # more than twice the threads
    for watcher in watchers:
        watcher.next("board")

    assert web.answers("/healthz")

    for watcher in watchers:
        watcher.close()


def slowest_page(web):
    """Return how long the slowest of some pages and a button takes, in seconds."""
    signed_in = {"cookie": web.cookie}
    press = {**signed_in, "x-csrftoken": TOKEN, "hx-request": "true"}
    button = f"/calls/{web.call}/commands/hangup/"
    slowest = 0.0
    for _ in range(5):
        for method, path, headers in (
            ("GET", "/", signed_in),
            ("GET", "/recordings/", signed_in),
            ("GET", f"/recordings/{web.recording}/", signed_in),
            ("GET", f"/calls/{web.call}/", signed_in),
            ("POST", button, press),
        ):
            since = time.monotonic()
            assert web.ask(method, path, **headers)[0] == 200
            slowest = max(slowest, time.monotonic() - since)
    return slowest


def test_ten_stalled_downloads_delay_no_page_and_no_button(web):
    alone = slowest_page(web)  # what this machine takes anyway, busy as it is
    stalled = []
    for _ in range(10):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", web.port))
        path = f"/recordings/{web.recording}/audio?download=1"
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {web.cookie}\r\n\r\n".encode()
        )
        assert b" 200 " in line.recv(64)
        stalled.append(line)  # and never read from again

    slowest = slowest_page(web)
    for line in stalled:
        line.close()

    assert slowest < max(0.2, 3 * alone)  # seen on a quiet machine: well below 0.2


# Quickness


def latencies(web, watcher, count, ring=lambda: None):
    taken = []
    for number in range(count):
        time.sleep(0.06 + 0.013 * number)  # at no particular moment of the hub's second
        version = web.change()
        since = time.monotonic()
        ring()
        while f'data-version="{1_000_000 + version}"' not in watcher.next("rows"):
            pass
        taken.append(time.monotonic() - since)
    return taken


def test_without_a_broker_a_change_is_seen_within_about_a_second(web):
    watcher = Watcher(web)
    watcher.next("clock")

    taken = latencies(web, watcher, 5)

    watcher.close()
    print(f"without a broker: {[round(one * 1000) for one in taken]} ms")  # noqa: T201
    assert max(taken) < 1.3


def test_with_a_broker_a_change_is_seen_at_once_and_without_it_within_a_second(
    tmp_path_factory, valkey
):
    web = Web(tmp_path_factory.mktemp("rung"), redis_url=broker.url(valkey.path))
    web.start()
    try:
        watcher = Watcher(web)
        watcher.next("clock")
        wait_for(valkey.has_a_hub)
        taken = latencies(web, watcher, 20, valkey.ring)
        print(f"with a broker: median {statistics.median(taken) * 1000:.0f} ms")  # noqa: T201
        assert statistics.median(taken) < 0.1

        valkey.lose()
        assert max(latencies(web, watcher, 3)) < 1.5

        valkey.start()
        wait_for(valkey.has_a_hub)
        assert statistics.median(latencies(web, watcher, 5, valkey.ring)) < 0.1
        watcher.close()
    finally:
        assert web.stop() < 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_lookout_that_is_killed_is_replaced_and_the_whole_board_told(web):
    watcher = Watcher(web)
    watcher.next("clock")
    killed = lookout(web)

    os.kill(killed, signal.SIGKILL)

    assert "data-version" in watcher.next("board")
    assert lookout(web) not in (None, killed)
    watcher.close()


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_open_streams_properly_and_quickly(web, number):
    watchers = [Watcher(web) for _ in range(20)]
    for watcher in watchers:
        watcher.next("board")
    reader = lookout(web)

    since = time.monotonic()
    web.server.send_signal(number)
    web.server.wait(10)
    taken = time.monotonic() - since

    for watcher in watchers:
        watcher.rest()
    print(f"stopped in {taken * 1000:.0f} ms")  # noqa: T201
    assert taken < 3
    assert web.server.returncode == 0
    assert not there(reader)


def test_no_acknowledged_webhook_is_lost_by_a_stop(web):
    watcher = Watcher(web)
    watcher.next("board")
    acknowledged, is_over = set(), threading.Event()

    def deliver():
        while not is_over.is_set():
            try:
                event_id, status = web.post()
            except OSError:
                return
            except http.client.HTTPException:
                return
            if status == 200:
                acknowledged.add(event_id)

    senders = [threading.Thread(target=deliver) for _ in range(4)]
    for sender in senders:
        sender.start()
    wait_for(lambda: len(acknowledged) > 50)

    taken = web.stop()
    is_over.set()
    for sender in senders:
        sender.join(10)

    assert taken < 3
    assert acknowledged <= web.stored()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_does_not_outlive_a_killed_server(web):
    children = Path(f"/proc/{web.server.pid}/task/{web.server.pid}/children").read_text().split()
    workers = [pid for pid in children if "granian" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert workers
    reader = lookout(web)

    web.server.kill()
    web.server.wait(5)

    wait_for(lambda: not any(there(pid) for pid in [*workers, reader]))
