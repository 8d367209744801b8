"""Webhooks on their way: signed, posted, tried again, and disturbed on request.

    send(event) -> its leg's worker -> sign, POST -> 2xx: delivered | 4xx: failed | else: again

A leg's events leave in order; a retry waits without holding up what comes after it.
"""

import base64
import json
import threading
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import urllib3
from nacl.signing import SigningKey

from simulator.answers import Json
from simulator.faults import Faults, Rule
from simulator.legs import Event, stamp
from simulator.queues import Queue
from simulator.settings import Settings

WORKERS = 8
KEPT = 20_000  # deliveries remembered, and twice as many attempts
BODY_KEPT = 10_000  # Telnyx keeps 10 kB of an answer
RETRIED_4XX = (408, 429)
REORDER_LIMIT_S = 2.0
ANSWERED_BADLY, NOT_REACHED = 75499, 75001  # Telnyx's codes for attempts that failed
BAD_SIGNATURE = base64.b64encode(bytes(64)).decode()


@dataclass(eq=False)
class Delivery:
    """One webhook on its way to one address."""

    id: str
    event: Event
    url: str
    rule: Rule | None = None
    status: str = "pending"  # pending, delivered or failed
    attempts: list[Json] = field(default_factory=list)
    started: float | None = None  # monotonic, of the first attempt
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def as_json(self) -> Json:
        """Return the delivery as Telnyx's webhook_deliveries shows it, its last attempt first."""
        return {
            "record_type": "webhook_delivery",
            "id": self.id,
            "user_id": "00000000-0000-4000-8000-000000000001",
            "status": self.status,
            "started_at": stamp(self.started_at) if self.started_at else None,
            "finished_at": stamp(self.finished_at) if self.finished_at else None,
            "attempts": self.attempts[::-1],
            "webhook": self.event.data(),
        }


class Courier:
    """Delivers webhooks, and remembers every attempt."""

    def __init__(
        self,
        url: str,
        key: SigningKey,
        settings: Settings,
        faults: Faults,
        now: Callable[[], datetime],
    ) -> None:
        self.url = url
        self.deliveries: OrderedDict[str, Delivery] = OrderedDict()
        self.tries: deque[Json] = deque(maxlen=2 * KEPT)
        self._key, self._settings, self._faults, self._now = key, settings, faults, now
        self._pool = urllib3.PoolManager(maxsize=WORKERS, retries=False)
        self._queues = [Queue[Delivery]() for _ in range(WORKERS)]
        self._held: dict[str, Delivery] = {}  # by leg: waits for the leg's next event
        self._ids = count(1)

    def start(self) -> None:
        """Start the workers."""
        for number, queue in enumerate(self._queues):
            threading.Thread(
                target=self._work, args=(queue,), name=f"courier-{number}", daemon=True
            ).start()

    def stop(self) -> None:
        """Stop the workers; what is on its way stays where it is."""
        for queue in self._queues:
            queue.close()

    def send(self, event: Event) -> Delivery | None:
        """Put an event on its way; None if there is nowhere to send it, or it got lost."""
        url = event.webhook_url or self.url
        rule = self._faults.delivery(event.event_type, event.call_leg_id)
        if not url or (rule and rule.do == "lose"):
            return None
        delivery = self._keep(event, url, rule)
        if rule and rule.do == "drop":
            self._fail_unsent(delivery)
            return delivery
        for copy in range(rule.get("copies", 2) if rule and rule.do == "duplicate" else 1):
            self._queue(event, copy).put(delivery, self._due(rule))
        self._release(event, delivery if rule and rule.do == "reorder" else None)
        return delivery

    def _keep(self, event: Event, url: str, rule: Rule | None) -> Delivery:
        delivery = Delivery(
            f"{next(self._ids):08x}-0000-4000-8000-{event.id[24:]}", event, url, rule
        )
        self.deliveries[delivery.id] = delivery
        if len(self.deliveries) > KEPT:
            self.deliveries.popitem(last=False)
        return delivery

    def _queue(self, event: Event, copy: int) -> Queue[Delivery]:
        """Return the queue of an event's leg; copies go to others, to arrive together."""
        return self._queues[(zlib.crc32(event.call_leg_id.encode()) + copy) % WORKERS]

    def _due(self, rule: Rule | None) -> float:
        if rule and rule.do in ("delay", "reorder"):
            default = REORDER_LIMIT_S if rule.do == "reorder" else 1.0
            return time.monotonic() + float(rule.get("seconds", default))
        return time.monotonic()

    def _release(self, event: Event, held: Delivery | None) -> None:
        """Let a delivery that was held back follow the one that has just been sent."""
        leg = event.call_leg_id
        waiting = self._held.pop(leg, None)
        if waiting:
            self._queue(event, 0).hurry(lambda delivery: delivery is waiting)
        if held:
            self._held[leg] = held

    def _fail_unsent(self, delivery: Delivery) -> None:
        now = self._now()
        delivery.started_at = delivery.finished_at = now
        delivery.status = "failed"
        self._log(delivery, 0, now, status=None, error="dropped")

    def _work(self, queue: Queue[Delivery]) -> None:
        while delivery := queue.get():
            wait = self._attempt(delivery)
            if wait is not None:
                queue.put(delivery, time.monotonic() + wait)

    def _attempt(self, delivery: Delivery) -> float | None:
        """Post a webhook once; return after how many seconds to try again, or None."""
        number = len(delivery.attempts) + 1
        begun, monotonic = self._now(), time.monotonic()
        delivery.started_at = delivery.started_at or begun
        delivery.started = delivery.started or monotonic
        body = json.dumps(
            delivery.event.body(attempt=number, delivered_to=delivery.url),
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        headers = self._headers(body, delivery.rule)
        status, answer, error = self._post(delivery.url, body, headers)
        ended = self._now()
        is_delivered = status is not None and 200 <= status < 300
        delivery.attempts.append(
            {
                "status": "delivered" if is_delivered else "failed",
                "started_at": stamp(begun),
                "finished_at": stamp(ended),
                "errors": [] if is_delivered else [ANSWERED_BADLY if status else NOT_REACHED],
                "http": {
                    "request": {
                        "url": delivery.url,
                        "headers": [list(h) for h in headers.items()],
                    },
                    "response": answer,
                },
            }
        )
        self._log(delivery, number, begun, status=status, error=error)
        delivery.finished_at = ended
        if is_delivered or delivery.status == "delivered":
            delivery.status = "delivered"
            return None
        return self._again(delivery, number, status)

    def _again(self, delivery: Delivery, number: int, status: int | None) -> float | None:
        """Return how long to wait for the next attempt; a delivery that gets none has failed."""
        is_final = status is not None and 400 <= status < 500 and status not in RETRIED_4XX
        wait: float = self._settings.retry_first_s * 2 ** (number - 1)
        spent = time.monotonic() - (delivery.started or 0)
        if is_final or spent + wait > self._settings.retry_for_s:
            delivery.status = "failed"
            return None
        return wait

    def _headers(self, body: bytes, rule: Rule | None) -> dict[str, str]:
        timestamp = str(int(time.time()))  # the machine's clock: ours stands still while it sleeps
        signature = sign(self._key, timestamp, body)
        if rule and rule.do == "bad_signature":
            signature = BAD_SIGNATURE
        return {
            "Content-Type": "application/json",
            "User-Agent": "telnyx-webhooks",
            "telnyx-signature-ed25519": signature,
            "telnyx-timestamp": timestamp,
        }

    def _post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int | None, Json | None, str | None]:
        limit = urllib3.Timeout(total=self._settings.delivery_timeout_s)
        try:
            got = self._pool.request(
                "POST", url, body=body, headers=headers, timeout=limit, redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            return None, None, f"{type(exc).__name__}: {exc}"
        answer: dict[str, Any] = {
            "status": got.status,
            "headers": [list(pair) for pair in got.headers.items()],
            "body": got.data[:BODY_KEPT].decode("utf-8", "replace"),
        }
        return got.status, answer, None

    def _log(
        self,
        delivery: Delivery,
        number: int,
        at: datetime,
        *,
        status: int | None,
        error: str | None,
    ) -> None:
        event = delivery.event
        self.tries.append(
            {
                "event_id": event.id,
                "event_type": event.event_type,
                "call_leg_id": event.call_leg_id,
                "occurred_at": stamp(event.occurred_at),
                "url": delivery.url,
                "attempt": number,
                "at": stamp(at),
                "status": status,
                "error": error,
            }
        )

    def finished(self) -> Iterator[Delivery]:
        """Yield the deliveries that have come to an end, the newest first."""
        for delivery in reversed(list(self.deliveries.values())):
            if delivery.status != "pending":
                yield delivery


def sign(key: SigningKey, timestamp: str, body: bytes) -> str:
    """Return Telnyx's signature of a webhook: Ed25519 over `timestamp|body`, in Base64."""
    return base64.b64encode(key.sign(timestamp.encode() + b"|" + body).signature).decode()
