"""Webhooks verified, durable and answered per second: the door beside the textbook view.

Both servers stand ready, each with a database of its own and one process. They take turns, and so
the ratio of a round is of one minute. Each gets the number of connections that saturates it. With
workers, the door's events are folded while it takes more; nobody works beside the textbook view.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from nacl.signing import SigningKey

from dashboard.bench import machine
from dashboard.bench.comparison import ALONGSIDE, TARGETS, Comparison, Round, Turn, lines
from dashboard.bench.databases import Database, Kind, SQLite, postgresql
from dashboard.bench.figures import percentile
from dashboard.bench.load import Order
from dashboard.bench.stage import FIRST_PORT, Broken, Stage, listens, stop
from dashboard.launch import worker
from dashboard.ports import HERE

__all__ = ["NAME", "Sizes", "lines", "run"]

NAME = "intake"
WARM_UP_S = 0.5
PENDING = "SELECT count(*) FROM calls_webhookevent WHERE state = 'pending'"
APPLIED = "SELECT count(*) FROM calls_webhookevent WHERE state = 'applied'"
SET_ASIDE = "UPDATE calls_webhookevent SET state = 'ignored' WHERE state = 'pending'"
IDS = "SELECT event_id FROM calls_webhookevent"


@dataclass(frozen=True)
class Sizes:
    """How long and how often."""

    rounds: int = 5
    seconds: float = 4.0
    modes: Sequence[str] = tuple(TARGETS)
    databases: Sequence[str] = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Server:
    """One of the two: where it listens, what it writes, and how to load it."""

    process: subprocess.Popen[bytes]
    port: int
    database: Database
    connections: int  # performance differs by them, so each has the number that saturates it
    most_per_s: int  # webhooks signed in advance; beyond any rate it reaches


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Compare on every database and in every mode; return the figures."""
    comparisons = []
    for make in (SQLite, postgresql):
        with Stage() as stage:
            if make.__name__.lower() not in sizes.databases:
                continue
            kind = make(stage)
            if kind is None:
                say("\nPOSTGRESQL IS NOT MEASURED: install the developers' packages (make check")
                say("does), or name a server in DATABASE_URL.\n")
                continue
            comparisons += Bench(stage, kind, sizes, say).run()
    return {"comparisons": [each.figures() for each in comparisons]}


class Bench:
    """The two servers on one database, and the turns they take."""

    def __init__(self, stage: Stage, kind: Kind, sizes: Sizes, say: Callable[[str], None]) -> None:
        self.stage, self.kind, self.sizes, self.say = stage, kind, sizes, say
        self.key = SigningKey.generate()

    def run(self) -> list[Comparison]:
        """Return one comparison per mode."""
        self.told = {
            "TELNYX_PUBLIC_KEYS": base64.b64encode(self.key.verify_key.encode()).decode(),
            "REDIS_URL": self.stage.broker(),
        }
        self.door = self.serve("door", "dashboard.asgi:application", 64, 12_000)
        self.textbook = self.serve("textbook", "dashboard.wsgi:application", 16, 4_000)
        return [self.compare(mode) for mode in self.sizes.modes]

    def serve(self, name: str, application: str, connections: int, most_per_s: int) -> Server:
        """Start one of the two servers, each in its natural shape."""
        database = self.kind.make(name)
        port = self.stage.ports.first_free(FIRST_PORT)
        shape = ["--interface", "asgi"]
        settings = "dashboard.settings"
        if name == "textbook":
            shape = ["--interface", "wsgi", "--blocking-threads", "8"]
            settings = "dashboard.bench.textbook_settings"
        process = self.stage.python(
            name,
            *("-m", "granian", *shape, "--workers", "1", "--host", HERE),
            *("--port", str(port), "--workers-kill-timeout", "3", "--log-level", "warning"),
            application,
            environment=self.stage.environment(
                DATABASE_URL=database.url, DJANGO_SETTINGS_MODULE=settings, **self.told
            ),
        )
        self.stage.wait(f"{name} listens", lambda: listens(port), name)
        return Server(process, port, database, connections, most_per_s)

    def compare(self, mode: str) -> Comparison:
        """Let the two take turns."""
        helper = self.start_worker() if mode == ALONGSIDE else None
        for server in (self.door, self.textbook):
            self.turn(server, WARM_UP_S)
        rounds = []
        for number in range(1, self.sizes.rounds + 1):
            load = machine.load()
            door = self.turn(self.door, self.sizes.seconds)
            textbook = self.turn(self.textbook, self.sizes.seconds)
            rounds.append(Round(door, textbook, load))
            self.say(
                f"{self.kind.name}, {mode}, round {number}: {door.per_s:,.0f}/s beside"
                f" {textbook.per_s:,.0f}/s, ratio {rounds[-1].ratio:.2f}, load {load}"
            )
        if helper:
            stop(helper)
        return Comparison(self.kind.name, mode, rounds)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start the worker that folds the door's events, as the launcher does."""
        environment = self.stage.environment(DATABASE_URL=self.door.database.url, **self.told)
        process = self.stage.python(
            "worker", *worker("desk", "control,events,forward,signals", 5), environment=environment
        )
        beat = "SELECT 1 FROM calls_heartbeat WHERE name = 'worker:events'"
        self.stage.wait("the worker beats", lambda: self.door.database.rows(beat), "worker")
        return process

    def turn(self, server: Server, seconds: float) -> Turn:
        """Load one server once, and look whether it kept what it acknowledged."""
        generator = Generator(self.stage, server, seconds, self.key)
        folded = self.count(server, APPLIED)
        web, database = self.cpu_s(server.process.pid), self.cpu_s(self.kind.pid)
        answer = generator.go()
        web = self.cpu_s(server.process.pid) - web
        database = self.cpu_s(self.kind.pid) - database
        folded = self.count(server, APPLIED) - folded
        kept = {event_id for (event_id,) in server.database.rows(IDS)}
        self.rest(server)
        acknowledged = set(answer["acknowledged"])
        count = len(acknowledged) or 1
        return Turn(
            per_s=round(len(acknowledged) / answer["seconds"], 1),
            cpu_us=round(web / count * 1e6, 1),
            database_us=round(database / count * 1e6, 1),
            p50_ms=percentile(answer["latencies_ms"], 50),
            p99_ms=percentile(answer["latencies_ms"], 99),
            folded_per_s=round(folded / answer["seconds"], 1),
            generator_cores=round(answer["cpu_s"] / answer["seconds"], 2),
            refused=sum(answer["statuses"].values()) - len(answer["acknowledged"]),
            missing=len(acknowledged - kept),
        )

    def rest(self, server: Server) -> None:
        """Set aside what is not folded yet, so that the other server's turn is undisturbed."""
        server.database.rows(SET_ASIDE)
        self.stage.wait("the worker rests", lambda: not self.count(server, PENDING))

    def count(self, server: Server, sql: str) -> int:
        return int(str(server.database.rows(sql)[0][0]))

    def cpu_s(self, pid: int | None) -> float:
        return machine.cpu_s(machine.tree(pid)) if pid else 0.0


class Generator:
    """The load generator's process; the clock is its own and starts at `go`."""

    def __init__(self, stage: Stage, server: Server, seconds: float, key: SigningKey) -> None:
        order = Order(
            port=server.port,
            connections=server.connections,
            seconds=seconds,
            most=int(server.most_per_s * seconds),
            key=base64.b64encode(bytes(key)).decode(),
        )
        self.process = subprocess.Popen(  # noqa: S603  (our own command line)
            [sys.executable, "-m", "dashboard.bench.load", json.dumps(asdict(order))],
            cwd=settings.BASE_DIR,
            env=stage.environment(),
            process_group=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stage.stack.callback(stop, self.process)
        assert self.process.stdout  # noqa: S101  (it is a pipe)
        if self.process.stdout.readline() != "ready\n":
            raise Broken("the load generator did not start")

    def go(self) -> dict[str, Any]:
        """Start the clock and return the answer. Raises Broken."""
        said, _ = self.process.communicate("go\n")
        with suppress(ValueError):
            answer: dict[str, Any] = json.loads(said)
            return answer
        raise Broken(f"the load generator ended with code {self.process.returncode}")
