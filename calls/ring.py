"""The doorbell: `ring(lane)` says "look" to whoever works that lane, and never waits or raises.

The rows are the queue. A lost ring costs a second: the pump finds what is overdue. So a ring is
handed to a thread, which publishes at most every 20 ms and is quiet for 5 s after a failure.
A ring for the hubs may name the conversations that changed, which saves them to look at all.
"""

import json
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cache

import redis
from celery import current_app
from django.conf import settings

logger = logging.getLogger(__name__)

TASKS = {
    "control": "calls.tasks.control",
    "events": "calls.tasks.events",
    "media": "recordings.tasks.media",
    "texts": "recordings.tasks.texts",
    "forward": "calls.tasks.forward",
    "signals": "calls.tasks.signals",
}
LIVE = "live"  # the hubs of the web processes listen on this channel
GAP_S = 0.02  # a publish costs as much as storing a webhook
QUIET_S = 5.0
ALL = ""  # the name of everything
ENOUGH = 8  # rings waiting in a lane; one more would not make anybody look sooner


@cache
def broker() -> "redis.Redis":
    """Return this process's connection to the broker; without retries of its own."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=0.5,
        socket_timeout=0.5,
        retry=None,
        decode_responses=True,
    )


class Ringer:
    """Collects lanes and publishes them from a thread of its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lanes: defaultdict[str, set[str]] = defaultdict(set)
        self.wanted = threading.Condition()
        self.quiet_until = 0.0
        self.failed_at: datetime | None = None  # until a publish works again
        threading.Thread(target=self.run, name="ringer", daemon=True).start()

    def ring(self, lane: str, named: Collection[str]) -> None:
        with self.wanted:
            self.lanes[lane].update(named)
            self.wanted.notify()

    def run(self) -> None:
        while True:
            with self.wanted:
                self.wanted.wait_for(lambda: self.lanes)
                lanes, self.lanes = self.lanes, defaultdict(set)
            if time.monotonic() >= self.quiet_until:
                self.publish(lanes)
            time.sleep(GAP_S)

    def publish(self, lanes: Mapping[str, set[str]]) -> None:
        try:
            for lane, named in sorted(lanes.items()):
                publish(lane, named)
            self.failed_at = None
        except Exception as exc:  # whatever the broker or its client does, the rows are safe
            self.quiet_until = time.monotonic() + QUIET_S
            self.failed_at = self.failed_at or datetime.now(UTC)
            logger.warning("the broker is out of reach, the pump takes over: %s", exc)


def publish(lane: str, named: Collection[str]) -> None:
    """Tell the workers of a lane, or the live hubs, to look. Raises what the broker raises."""
    if lane == LIVE:
        broker().publish(LIVE, json.dumps(sorted(named)))
    elif broker().llen(lane) < ENOUGH:
        current_app.send_task(TASKS[lane], queue=lane, retry=False, ignore_result=True)


_ringer: Ringer | None = None
_lock = threading.Lock()
_lost_elsewhere: datetime | None = None


def broker_lost_at() -> datetime | None:
    """Return since when this process cannot reach the broker; None if it can, or did not try."""
    return _ringer.failed_at if _ringer is not None else _lost_elsewhere


def lost_elsewhere(since: datetime | None) -> None:
    """Take another process's word for it, in one that rings nobody."""
    global _lost_elsewhere
    _lost_elsewhere = since


def ring(lane: str, named: Collection[str] = (ALL,)) -> None:
    """Ask for a look at a lane (a key of TASKS, or live). Call it after the commit.

    Who changed a few conversations names them to the hubs.
    """
    global _ringer
    if not settings.REDIS_URL:
        return
    with _lock:
        if _ringer is None or _ringer.pid != os.getpid():
            _ringer = Ringer()
    _ringer.ring(lane, named)
