"""One run of the desk on this machine, behind `make run`.

prepare -> broker -> web, pump, workers, simulator -> /healthz answers -> say so -> until a signal
"""

import http.client
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import ERROR
from django.db import connections

from dashboard import broker, demo, env, folder, prepare
from dashboard.checks import public_keys_are_keys, telnyx_can_be_asked
from dashboard.ports import HERE, BadPort, Ports
from dashboard.processes import Crew, Service

WEB_PORT, SIMULATOR_PORT = 8000, 8801
READY_WITHIN_S = 60.0
STOP_WITHIN_S, BROKER_STOPS_WITHIN_S = 3.3, 0.5  # together under five seconds
MIXED = {
    folder.DEMO: "{} holds the calls of a real account, and TELNYX_API_KEY is not set."
    " Set it, or set TAPELINE_DATA to another folder for the demo",
    folder.ACCOUNT: "{} holds the invented calls of the demo, and TELNYX_API_KEY is set."
    " Set TAPELINE_DATA to another folder for the real account",
}


class Refused(Exception):
    """The desk does not start; the message says why and what to do."""


class Desk:
    """What the processes of one run are given, and what is said about them."""

    def __init__(self, crew: Crew, say: Callable[[str], None]) -> None:
        self.crew, self.say = crew, say
        self.data: Path = settings.DATA_DIR
        self.is_demo = not settings.TELNYX_API_KEY
        self.is_stopping = False

    def run(self) -> None:
        """Keep the desk running until SIGINT or SIGTERM. Raises Refused or Fell."""
        folder.clear(self.data)
        self.check()
        self.take_ports()
        self.server = None if settings.REDIS_URL else broker.find_server()
        self.socket = broker.socket_path(self.data) if self.server else None
        people = self.prepare()
        made = self.environment()
        environment = dict(os.environ) | made
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self.on_signal)
        try:
            self.start(environment)
            if self.wait_for_web():
                folder.lend(self.data, {k: v for k, v in made.items() if k not in os.environ})
                folder.tell(self.data, self.addresses(), people)
                self.report(people)
            while not self.is_stopping:
                self.crew.tend()
        finally:
            folder.clear(self.data)
            self.stop()

    def on_signal(self, number: int, frame: object) -> None:
        """Note that it is time to stop."""
        self.is_stopping = True

    # before the start

    def check(self) -> None:
        """Refuse keys that are none, and a folder or database that is not ours to use."""
        for message in (*public_keys_are_keys(), *telnyx_can_be_asked()):
            if message.level >= ERROR:
                raise Refused(message.msg)
        purpose = folder.DEMO if self.is_demo else folder.ACCOUNT
        found = folder.purpose(self.data)
        if found not in {None, purpose}:
            raise Refused(MIXED[purpose].format(self.data))
        if found is None and self.is_demo and demo.has_strangers():
            raise Refused(
                "The database already has people of its own, so the demo would mix invented calls"
                " with their work. Set TELNYX_API_KEY, or another TAPELINE_DATA or DATABASE_URL"
            )
        folder.dedicate(self.data, purpose)

    def take_ports(self) -> None:
        """Take what PORT names, else what is free. Raises Refused."""
        wanted, self.ports = env.text("PORT"), Ports()
        try:
            self.port = self.ports.named(wanted) if wanted else self.ports.first_free(WEB_PORT)
        except BadPort as exc:
            raise Refused(str(exc)) from exc
        if str(self.port) != (wanted or str(WEB_PORT)):
            self.say(f"Port {wanted or WEB_PORT} is taken: using {self.port}")
        self.simulator_port = self.ports.first_free(SIMULATOR_PORT)

    def prepare(self) -> list[dict[str, str]]:
        """Bring database and static files up to date; return who can sign in to the demo."""
        self.say(f"Starting Tapeline, data in {self.data}")
        prepare.migrate()
        prepare.collect_static()
        people = demo.people(self.data / "demo" / "people.json") if self.is_demo else []
        self.has_people = bool(people) or User.objects.filter(is_active=True).exists()
        connections.close_all()  # the launcher only watches from here on
        return people

    # what the processes are told

    @property
    def web(self) -> str:
        """Return the address of the desk on this machine."""
        return f"http://{HERE}:{self.port}"

    @property
    def simulator(self) -> str:
        """Return the address of the simulator."""
        return f"http://{HERE}:{self.simulator_port}"

    def addresses(self) -> dict[str, str]:
        """Return what answers where."""
        return {"web": self.web} | ({"simulator": self.simulator} if self.is_demo else {})

    def environment(self) -> dict[str, str]:
        """Return the settings of all processes, where they differ from the launcher's own."""
        told = {
            "TAPELINE_DATA": str(self.data),
            "SECRET_KEY": env.text("SECRET_KEY") or folder.secret_key(self.data),
            "PUBLIC_URL": env.text("PUBLIC_URL") or self.web,
        }
        if self.socket:
            told["REDIS_URL"] = broker.url(self.socket)
        if self.is_demo:
            self.key_file = self.data / "demo" / "signing.key"
            self.api_key = f"demo-{secrets.token_urlsafe(16)}"
            key = demo.signing_key(self.key_file)
            told |= demo.environment(self.simulator, key, self.api_key)
        return told

    def services(self, environment: dict[str, str]) -> Iterator[Service]:
        """Return everything but the broker, what a page needs first."""

        def python(name: str, *arguments: str, is_vital: bool = False) -> Service:
            return Service(name, [sys.executable, *arguments], environment, is_vital=is_vital)

        granian = (
            "-m",
            "granian",
            "--interface",
            "asgi",
            "--host",
            HERE,
            "--port",
            str(self.port),
        )
        limits = ("--workers", "1", "--workers-kill-timeout", "3", "--log-level", "warning")
        yield python("web", *granian, *limits, "dashboard.asgi:application", is_vital=True)
        yield python("pump", "manage.py", "pump")
        if "REDIS_URL" in environment:
            yield python("worker", *worker("desk", "control,events,forward,signals", 5))
            yield python("media", *worker("media", "media,texts", 3))
        if self.is_demo:
            command = demo.simulator_command(
                self.simulator_port, self.web, self.data, self.key_file, self.api_key
            )
            yield python("simulator", *command)

    # the run

    def start(self, environment: dict[str, str]) -> None:
        """Start every process; the broker first, so that nobody has to look for it twice."""
        if self.server and self.socket:
            command = broker.command(self.server, self.socket, self.data)
            self.crew.start([Service("broker", command, environment, is_mute=True)])
            deadline = time.monotonic() + 2
            while not broker.answers(self.socket) and time.monotonic() < deadline:
                self.crew.tend(0.005)
        elif not settings.REDIS_URL:
            self.say(
                "No valkey-server or redis-server found: going on without a broker."
                " Everything works, about a second later."
            )
        self.crew.start(list(self.services(environment)))

    def wait_for_web(self) -> bool:
        """Wait until the desk answers; return False if it is to stop before. Raises Refused."""
        deadline = time.monotonic() + READY_WITHIN_S
        host = urlsplit(env.text("PUBLIC_URL") or self.web).netloc
        while not self.is_stopping:
            self.crew.tend(0.05)
            if is_healthy(self.port, host):
                self.crew.is_settled = True
                return True
            if time.monotonic() > deadline:
                words = "\n".join(self.crew.last_words("web"))
                raise Refused(
                    f"{self.web}/healthz did not answer within {READY_WITHIN_S:.0f} s\n{words}"
                )
        return False

    def report(self, people: list[dict[str, str]]) -> None:
        """Say where the desk is, who can sign in, and how to stop it."""
        self.say(f"\nTapeline is ready: {self.web}\n")
        for person in people:
            self.say(f"  {person['username']:<6}{person['password']:<19}{person['role']}")
        if self.is_demo:
            self.say(f"\nThis is the demo: a simulator at {self.simulator} plays Telnyx.")
        else:
            public = env.text("PUBLIC_URL")
            self.say(
                f"Telnyx has to reach {public.rstrip('/')}/webhooks/telnyx"
                if public
                else "Telnyx cannot reach this desk yet: set PUBLIC_URL to its public address."
            )
            for message in public_keys_are_keys():
                self.say(f"{message.msg} {message.hint}")
        if not self.has_people:
            self.say("Nobody can sign in yet: run .venv/bin/python manage.py createsuperuser")
        self.say("Press Ctrl-C to stop.\n")

    def stop(self) -> None:
        """End everything, the broker last."""
        self.say("Stopping.")
        names = [name for name in self.crew.processes if name != "broker"]
        self.crew.stop(names, within_s=STOP_WITHIN_S)
        self.crew.stop(["broker"], within_s=BROKER_STOPS_WITHIN_S)
        if self.socket and self.socket.parent != self.data:
            shutil.rmtree(self.socket.parent, ignore_errors=True)
        self.say("Stopped.")


def worker(name: str, lanes: str, threads: int) -> list[str]:
    """Return the arguments of one Celery worker."""
    return [
        *("-W", "ignore:You're running the worker with superuser", "-m", "celery", "-q"),
        *("-A", "dashboard", "worker", "-n", f"{name}@%h"),
        *("-P", "threads", "-c", str(threads), "-Q", lanes, "-l", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def is_healthy(port: int, host: str) -> bool:
    """Say whether the desk answers for itself."""
    connection = http.client.HTTPConnection(HERE, port, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
