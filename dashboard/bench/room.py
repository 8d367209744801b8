"""A control room to measure in: web, worker, broker on SQLite; calls that webhooks place.

No simulator and no pump: what the calls do comes from outside, webhook by webhook, at a pace.
"""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple
from typing import Any

import requests
from django.conf import settings
from nacl.signing import SigningKey

from calls.board import VERSION_PER_LEG, row_id
from dashboard.bench import machine
from dashboard.bench.databases import SQLite
from dashboard.bench.pace import Order, Step
from dashboard.bench.stage import FIRST_PORT, Broken, Stage, listens, stop
from dashboard.bench.webhooks import Leg, new_leg
from dashboard.launch import worker
from dashboard.ports import HERE

PENDING = "SELECT count(*) FROM calls_webhookevent WHERE state = 'pending'"
CONNECTIONS = 256
PLACED_PER_S = 400.0
ON_BOARD = """
    SELECT conversation, sum(version), count(*) FROM calls_call WHERE conversation IN
    (SELECT conversation FROM calls_call WHERE line IN ('ringing', 'answered', 'bridged', 'held'))
    GROUP BY conversation
"""


class Room:
    """The processes, and the calls that live."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.database = SQLite(stage).make("room")
        self.key = SigningKey.generate()
        self.port = stage.ports.first_free(FIRST_PORT)
        self.web = f"http://{HERE}:{self.port}"
        self.environment = stage.environment(
            DATABASE_URL=self.database.url,
            REDIS_URL=stage.broker(),
            TELNYX_PUBLIC_KEYS=base64.b64encode(self.key.verify_key.encode()).decode(),
            TELNYX_API_KEY="KEY-bench",
            TELNYX_BASE_URL="http://127.0.0.1:9/v2",  # nobody is asked for anything
            PUBLIC_URL=self.web,
        )
        stage.run("static", "collectstatic", "--noinput", environment=self.environment)
        self.cookies = self.sign_in()
        self.start()
        stage.python("worker", *worker("desk", "control,events", 4), environment=self.environment)
        beat = "SELECT 1 FROM calls_heartbeat WHERE name = 'worker:events'"
        stage.wait("the worker beats", lambda: self.database.rows(beat), "worker")

    def sign_in(self) -> dict[str, str]:
        """Return the cookie of a person of each role."""
        process = self.stage.python(
            "visitors", "-m", "dashboard.bench.visitors", environment=self.environment
        )
        if process.wait(30):
            raise Broken(f"nobody can sign in\n{self.stage.last_words('visitors')}")
        cookies: dict[str, str] = json.loads(self.stage.log("visitors").read_text())
        return cookies

    def start(self) -> None:
        """Start the web process and wait until it listens."""
        self.server = self.stage.python(
            "web",
            *("-m", "granian", "--interface", "asgi", "--workers", "1", "--host", HERE),
            *("--port", str(self.port), "--workers-kill-timeout", "3", "--log-level", "warning"),
            "dashboard.asgi:application",
            environment=self.environment,
        )
        self.stage.wait("the desk listens", lambda: listens(self.port), "web")

    def kill(self) -> None:
        """End the web process and its children as the kernel does when memory is short."""
        for pid in machine.tree(self.server.pid):
            subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)  # noqa: S603, S607
        stop(self.server)

    def poster(self, calls: Sequence[Leg], steps: Sequence[Step]) -> "Poster":
        """Return a process that has signed these webhooks and waits for its start."""
        order = Order(
            self.port,
            CONNECTIONS,
            base64.b64encode(bytes(self.key)).decode(),
            calls,
            steps,
        )
        return Poster(self.stage, order)

    def place(self, count: int) -> list[Leg]:
        """Let so many calls begin and be answered; return them once the desk knows them all."""
        legs = [new_leg() for _ in range(count)]
        steps = [
            Step(number / PLACED_PER_S, event_type, number // 2)
            for number, event_type in enumerate(["call.initiated", "call.answered"] * count)
        ]
        self.poster(legs, steps).post(time.perf_counter())
        self.rest()
        if (found := len(self.truth())) != count:
            raise Broken(f"{found} of {count} calls are live")
        return legs

    def rest(self) -> None:
        """Wait until every webhook is applied."""
        self.stage.wait(
            "every webhook is applied",
            lambda: self.database.rows(PENDING) == [(0,)],
            "worker",
            within_s=60,
        )

    def truth(self) -> dict[str, int]:
        """Return the rows that a board must show, with their versions."""
        return {
            row_id(str(key)): int(str(changes)) + VERSION_PER_LEG * int(str(legs))
            for key, changes, legs in self.database.rows(ON_BOARD)
        }

    def page(self, role: str) -> str:
        """Return the board as a page."""
        answer = requests.get(f"{self.web}/", headers={"Cookie": self.cookies[role]}, timeout=30)
        answer.raise_for_status()
        return answer.text

    def cpu_s(self) -> float:
        """Return what the web process has used."""
        return machine.cpu_s(machine.tree(self.server.pid))


class Poster:
    """The process that posts; dashboard/bench/pace.py."""

    def __init__(self, stage: Stage, order: Order) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.bench.pace"],
            cwd=settings.BASE_DIR,
            env=stage.environment(),
            process_group=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stage.stack.callback(stop, self.process)
        said = asdict(order) | {
            "calls": [list(leg) for leg in order.calls],
            "steps": [astuple(step) for step in order.steps],
        }
        assert self.process.stdin  # noqa: S101  (they are pipes)
        assert self.process.stdout  # noqa: S101
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "ready\n":
            raise Broken("the poster did not start")

    def post(self, start: float) -> dict[str, Any]:
        """Post from a moment on; return what it says when everything is answered with 200."""
        said, _ = self.process.communicate(f"{start}\n")
        try:
            answer: dict[str, Any] = json.loads(said)
        except ValueError as exc:
            raise Broken(f"the poster ended with code {self.process.returncode}") from exc
        return answer
