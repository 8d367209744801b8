"""What the simulator's tests share: a world with its clock, a running server, a receiver."""

import json
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from simulator.server import Server
from simulator.settings import Settings
from simulator.switchboard import Options
from simulator.world import World

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CUSTOMER, COMPANY = "+13125550142", "+18005550101"


class Scene:
    """A pure world, its clock, and everything it has told so far."""

    def __init__(self, seed=1, **options):
        self.world = World(seed, **options)
        self.now = NOON
        self.events = []

    def call(self, **extra):
        """Place an answered and bridged call; return the customer's and the agent's leg."""
        return self.world.place_call(CUSTOMER, COMPANY, self.now, **extra)

    def wait(self, seconds):
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.events += self.world.advance(self.now)

    def command(self, leg, action, **body):
        """Give a command; return the answer."""
        answer = self.world.command(action, leg.call_control_id, body, self.now)
        self.events += self.world.advance(self.now)
        return answer

    def does(self, leg, action, **body):
        """Give a command that has to be accepted."""
        answer = self.command(leg, action, **body)
        assert answer.status == 200, answer
        return answer

    def said(self, leg=None):
        """Return the types of all events so far, of one leg or of all."""
        return [
            event.event_type
            for event in self.events
            if leg is None or event.call_leg_id == leg.call_leg_id
        ]

    def last(self, event_type):
        """Return the payload of the last event of a type."""
        return next(e.payload for e in reversed(self.events) if e.event_type == event_type)


def codes(answer):
    """Return a refusal's status and codes."""
    return answer.status, [entry["code"] for entry in answer.body["errors"]]


class Receiver:
    """A webhook's receiving end; `answers` holds what it answers next, 200 when empty."""

    def __init__(self):
        self.got = []
        self.answers = []
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver._note(dict(self.headers), body)
                self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhooks/telnyx"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _note(self, headers, body):
        with self._arrived:
            status = self.answers.pop(0) if self.answers else 200
            self.got.append((time.monotonic(), headers, body))
            self._arrived.notify_all()
            return status

    def wait_for(self, event_type, count=1, timeout=5.0):
        """Return the bodies of a type, once there are as many as wanted."""
        with self._arrived:
            assert self._arrived.wait_for(
                lambda: len(self.bodies(event_type)) >= count, timeout
            ), f"{len(self.bodies(event_type))} of {count} {event_type} came: {self.types()}"
            return self.bodies(event_type)

    def bodies(self, event_type):
        return [b for b in map(json.loads, self.raw()) if b["data"]["event_type"] == event_type]

    def types(self):
        return [json.loads(raw)["data"]["event_type"] for raw in self.raw()]

    def raw(self):
        return [body for _, _, body in self.got]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Client:
    """A client of a running stand-in: Telnyx's paths by `v2`, the levers by `lever`."""

    def __init__(self, server):
        self.server, self.url = server, server.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = "Bearer KEY-simulator"

    def v2(self, method, path, **extra):
        return self.session.request(method, f"{self.url}/v2{path}", timeout=10, **extra)

    def act(self, call, action, **body):
        token = call["call_control_id"]
        return self.v2("POST", f"/calls/{token}/actions/{action}", json=body)

    def lever(self, method, path, **body):
        got = self.session.request(
            method, f"{self.url}/_simulator/{path}", json=body or None, timeout=10
        )
        got.raise_for_status()
        return got.json() if got.content else None

    def call(self, **extra):
        return self.lever("POST", "calls", **{"from": CUSTOMER, "to": COMPANY}, **extra)

    def truth(self, call):
        calls = self.lever("GET", "calls")["calls"]
        return next(row for row in calls if row["call_leg_id"] == call["call_leg_id"])


@contextmanager
def running(folder, receiver=None, **settings):
    """Run a stand-in in this process, quick in everything that a test would have to wait for."""
    waits = ("saved_delay_s", "transcript_delay_s", "retry_first_s", "ring_s")
    options = Options(
        data=folder,
        webhook_url=receiver.url if receiver else "",
        seed=settings.pop("seed", 1),
        settings=Settings(**dict.fromkeys(waits, 0.05) | settings),
    )
    server = Server(options).start()
    try:
        yield Client(server)
    finally:
        server.stop()
