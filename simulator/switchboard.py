"""The running stand-in: one world under one lock, driven by the real clock.

HTTP thread   --act-->      world --events--> courier
ticker thread --when due--> world --events--> courier
"""

import base64
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from nacl.signing import SigningKey

from simulator import past, sounds
from simulator.answers import Answer, Json
from simulator.clips import Clip
from simulator.core import CONNECTION_ID
from simulator.delivery import Courier, Delivery
from simulator.demo import Centre
from simulator.faults import Faults
from simulator.files import Shelf, recording_id
from simulator.legs import Event, Leg, Sound, stamp
from simulator.library import Library
from simulator.settings import Settings
from simulator.world import World

FETCH_LIMIT_S = 3.0
FETCH_LIMIT_BYTES = 20 * 1024 * 1024  # Telnyx's limit for media
KEPT = 50_000

T = TypeVar("T")
log = logging.getLogger("simulator")


@dataclass
class Options:
    """How a stand-in is started."""

    data: Path
    webhook_url: str = ""
    seed: int = 1
    is_quiet: bool = True
    api_key: str = "KEY-simulator"
    signing_seed: bytes | None = None  # None: derived from the seed
    settings: Settings = field(default_factory=Settings)


class Switchboard:
    """A world that runs."""

    def __init__(self, options: Options) -> None:
        self._began, self._began_monotonic = datetime.now(UTC), time.monotonic()
        self.options, self.settings, self.faults = options, options.settings, Faults()
        secret = hashlib.sha256(f"tapeline simulator {options.seed}".encode()).digest()
        key = SigningKey(options.signing_seed or secret)
        self.public_key = base64.b64encode(bytes(key.verify_key)).decode()
        self.library = Library(self._began)
        self.shelf = Shelf(options.data, secret, self.settings, self.library.samples)
        self.world = World(
            options.seed,
            sounds=self.library,
            settings=self.settings,
            link=self.shelf.link,
            formats=self.shelf.formats(),
        )
        self.courier = Courier(options.webhook_url, key, self.settings, self.faults, self.now)
        self.application = _application(options.webhook_url, self._began)
        self.events: deque[tuple[Event, Delivery | None]] = deque(maxlen=KEPT)
        self.commands: deque[Json] = deque(maxlen=KEPT)
        self._is_stopped = False
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._darkroom = ThreadPoolExecutor(1, thread_name_prefix="darkroom")
        self._fetchers = ThreadPoolExecutor(4, thread_name_prefix="fetcher")
        self._pool = urllib3.PoolManager(maxsize=4, retries=False)

    def now(self) -> datetime:
        """Return the time; it never jumps, whatever happens to the machine's clock."""
        return self._began + timedelta(seconds=time.monotonic() - self._began_monotonic)

    def start(self, base_url: str) -> None:
        """Start the clock, the couriers and, unless it is to be quiet, the contact centre."""
        self.shelf.base_url = base_url
        self.courier.start()
        threading.Thread(target=self._tick, name="ticker", daemon=True).start()
        if not self.options.is_quiet:
            self._live_through_the_past()
            self.act(lambda world, now: Centre(world).open(now))

    def _live_through_the_past(self) -> None:
        """Give a desk calls to find, once: it keeps them, and needs no others later."""
        told = self.options.data / "past"
        if not told.exists():
            self.act(past.live_through)
            told.touch()

    def act(self, what: Callable[[World, datetime], T]) -> T:
        """Do something with the world now, and put on its way what comes of it."""
        with self._lock:
            result = what(self.world, self.now())
            self._flush()
            self._wake.notify()
            return result

    def command(self, action: str, call_control_id: str, body: Json) -> Answer:
        """Carry out a command, and remember it."""

        def carry_out(world: World, now: datetime) -> Answer:
            if action == "dial":
                answer = world.dial(body, now)
            else:
                answer = world.command(action, call_control_id, body, now)
            self._note(action, call_control_id, body, now, answer)
            return answer

        return self.act(carry_out)

    def intercept(self, action: str, call_control_id: str, body: Json) -> None:
        """Remember a command that a fault keeps from the world."""
        self.act(lambda world, now: self._note(action, call_control_id, body, now, None))

    def _note(
        self, action: str, call_control_id: str, body: Json, now: datetime, answer: Answer | None
    ) -> None:
        if action == "dial" and answer and answer.body and "data" in answer.body:
            call_control_id = answer.body["data"]["call_control_id"]
        leg = self.world.legs.get(call_control_id)
        self.commands.append(
            {
                "action": action,
                "call_control_id": call_control_id,
                "call_leg_id": leg.call_leg_id if leg else None,
                "call_session_id": leg.call_session_id if leg else None,
                "command_id": body.get("command_id"),
                "body": body,
                "at": stamp(now),
                "status": answer.status if answer else None,
                "took_effect": answer.took_effect if answer else False,
            }
        )

    def fetch(self, url: str) -> bytes | None:
        """Return what is at an http address; None if not to be had in three seconds and 20 MB."""
        if not url.startswith(("http://", "https://")):
            return None
        ends = time.monotonic() + FETCH_LIMIT_S
        try:
            limit = urllib3.Timeout(total=FETCH_LIMIT_S)
            got = self._pool.request("GET", url, timeout=limit, preload_content=False)
            content = bytearray()
            for block in got.stream(65_536):
                content += block
                if len(content) > FETCH_LIMIT_BYTES or time.monotonic() > ends:
                    got.close()
                    return None
            got.release_conn()
            return bytes(content) if got.status == 200 else None
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return None

    def stop(self) -> None:
        """Let nothing more happen, and leave no thread behind."""
        with self._lock:
            self._is_stopped = True
            self._wake.notify()
        self.courier.stop()
        self._darkroom.shutdown(wait=False, cancel_futures=True)
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    def _tick(self) -> None:
        with self._lock:
            while not self._is_stopped:
                due = self.world.next_due()
                wait = (due - self.now()).total_seconds() if due else None
                if wait is None or wait > 0:
                    self._wake.wait(min(wait or 60.0, 60.0))
                try:
                    self._flush()
                except Exception:
                    log.exception("something that was due failed")  # the clock goes on

    def _flush(self) -> None:
        """Send what has happened, and fetch what is wanted."""
        for event in self.world.advance(self.now()):
            if event.event_type == "call.recording.saved":
                self._darkroom.submit(self._develop, event)
            else:
                self._send(event)
        while self.world.wanted:
            self._fetchers.submit(self._supply, *self.world.wanted.pop())

    def _send(self, event: Event) -> None:
        self.events.append((event, self.courier.send(event)))

    def _develop(self, event: Event) -> None:
        """Make a recording's file, then tell that it is saved."""
        try:
            for extension, link in event.payload["recording_urls"].items():
                recording = self.world.recordings[recording_id(urlsplit(link).path)]
                self.shelf.file(recording, extension)
        except Exception:
            log.exception("a recording could not be rendered")
        with self._lock:
            self._send(event)

    def _supply(self, leg: Leg, sound: Sound) -> None:
        """Hand the world the audio that a playback asked for."""
        content = (
            base64.b64decode(sound.content)
            if sound.content is not None
            else self.fetch(str(sound.source["media_url"]))
        )
        found: Clip | str = sounds.NOT_FOUND
        if content:
            found = self.library.fetched(content) or sounds.FAILED
        self.act(lambda world, now: sounds.supply(world, leg, sound, found, now))


def _application(url: str, now: datetime) -> Json:
    """Return the account's one Call Control Application."""
    return {
        "id": CONNECTION_ID,
        "record_type": "call_control_application",
        "application_name": "call-router",
        "active": True,
        "anchorsite_override": "Latency",
        "call_cost_in_webhooks": False,
        "dtmf_type": "RFC 2833",
        "first_command_timeout": False,
        "first_command_timeout_secs": 30,
        "inbound": {"channel_limit": None, "shaken_stir_enabled": True},
        "outbound": {"channel_limit": None, "outbound_voice_profile_id": "1293384261075731499"},
        "redact_dtmf_debug_logging": False,
        "tags": [],
        "webhook_api_version": "2",
        "webhook_event_url": url,
        "webhook_event_failover_url": "",
        "webhook_timeout_secs": None,
        "created_at": stamp(now),
        "updated_at": stamp(now),
    }
