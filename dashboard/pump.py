"""The guarantee: whatever is overdue by a second gets done, without a broker and without workers.

One timer thread asks each lane every second, or every quarter of one. Each lane has a thread of
its own, so that a download never delays a command, but for the quick errands and the slow sweeps,
which share one each: a thread costs a connection. Where it finds that nobody did the work it
leaves out the wait for a minute. Several pumps may run: rows are claimed, not owned.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connections

from calls import (
    asking,
    commands,
    deliveries,
    events,
    forwarding,
    guard,
    letters,
    reconcile,
    rules,
    signals,
    silence,
)
from calls.models import Heartbeat
from calls.sounds import media as library
from calls.sounds import voices
from recordings import erase, exports, fetch, scrub, timing
from recordings import reconcile as holdings

logger = logging.getLogger(__name__)

TICK_S = 0.25  # at which the lanes look where a person waits
SOON_S = 1.0  # and all the others
HEAD_START = timedelta(seconds=1)  # of the workers, over new work
LONG_WORK = 5  # times the head start, where a worker may be at work on the row before
ALONE_S = 60.0  # so long nobody gets a head start in a lane where none used it
ERRANDS, SWEEPS = "errands", "sweeps"  # quick and in the database alone; as slow as the storage


@dataclass(slots=True)
class Lane:
    """One kind of work, at most one round of it at a time."""

    name: str
    work: Callable[[timedelta], object]  # given the head start, returns how much it did
    every_s: float = SOON_S
    shares: str = ""  # the name of a thread
    next_at: float = 0.0
    alone_until: float = 0.0
    busy: threading.Lock = field(default_factory=threading.Lock)
    healthy: bool = True

    def run(self) -> None:
        try:
            close_old_connections()
            head_start = timedelta() if time.monotonic() < self.alone_until else HEAD_START
            if self.work(head_start) and head_start:
                self.alone_until = time.monotonic() + ALONE_S
            self.healthy = True
        except Exception as exc:  # the pump outlives every fault of a round; the rows stay due
            if self.healthy:
                logger.exception("pump: %s failed: %s", self.name, exc)
            self.healthy = False
            close_old_connections()
        finally:
            self.busy.release()


def lanes() -> list[Lane]:
    """Return what the pump does, and how often."""
    watchman = guard.Watchman()
    return [
        Lane("control", lambda wait: commands.send_due(overdue=wait), TICK_S),
        Lane("events", lambda wait: events.apply_due(overdue=wait), TICK_S),
        Lane("media", lambda wait: fetch.fetch_due(overdue=wait)),
        Lane("erasures", lambda wait: erase.erase_due(overdue=wait)),
        Lane("texts", lambda wait: timing.time_due(overdue=wait * LONG_WORK)),
        Lane("exports", lambda wait: exports.make_due(overdue=wait)),
        Lane("forward", lambda wait: forwarding.forward_due(overdue=wait), TICK_S),
        Lane("signals", lambda _: signals.fan_out_due(), shares=ERRANDS),
        Lane("deliveries", lambda wait: deliveries.deliver_due(overdue=wait)),
        Lane("mail", lambda wait: letters.mail_due(overdue=wait)),
        Lane("silence", lambda _: silence.watch(), every_s=30, shares=ERRANDS),
        Lane("library", lambda wait: library.keep_due(overdue=wait)),
        Lane("library sweep", lambda _: library.sweep(), every_s=3600, shares=SWEEPS),
        Lane("voices", lambda _: voices.refresh_due(), every_s=2),
        Lane("guards", lambda _: watchman.look(), TICK_S),
        Lane("rules", lambda wait: rules.advance_due(overdue=wait)),
        Lane("old rules", lambda _: rules.sweep(), every_s=600, shares=SWEEPS),
        Lane("clock", lambda _: commands.watch(), shares=ERRANDS),
        Lane("probes", lambda _: reconcile.probe_due()),
        Lane("questions", lambda _: asking.ask_due()),
        Lane("heartbeat", lambda _: Heartbeat.objects.beat("pump"), every_s=5, shares=ERRANDS),
        Lane("sweep", lambda _: fetch.sweep(), every_s=600, shares=SWEEPS),
        Lane("old forwards", lambda _: forwarding.sweep(), every_s=600, shares=SWEEPS),
        Lane("old signals", lambda _: signals.sweep(), every_s=600, shares=SWEEPS),
        Lane("old exports", lambda _: exports.sweep(), every_s=60, shares=SWEEPS),
        Lane("holdings", lambda _: holdings.due(), every_s=5),
        Lane("scrub", lambda _: scrub.due(), every_s=10),
    ]


class Pump:
    """Runs every lane until told to stop."""

    def __init__(self) -> None:
        self.lanes = lanes()
        self.stopping = threading.Event()

    def stop(self) -> None:
        """End after the work at hand."""
        self.stopping.set()

    def try_once(self, work: Callable[[], object]) -> None:
        """Do something at the start that the pump can live without."""
        try:
            work()
        except DatabaseError as exc:
            logger.warning("pump: the database is not there yet: %s", exc)

    def run(self) -> None:
        """Pump until `stop`."""
        self.try_once(asking.begin)
        names = {lane.shares or lane.name for lane in self.lanes}
        pools = {name: ThreadPoolExecutor(1, f"pump-{name}") for name in names}
        now = 0.0
        while not self.stopping.wait(TICK_S):
            now += TICK_S
            for lane in self.lanes:
                if now >= lane.next_at and lane.busy.acquire(blocking=False):
                    lane.next_at = now + lane.every_s
                    pools[lane.shares or lane.name].submit(lane.run)
        for pool in pools.values():
            pool.submit(connections.close_all)  # nobody else can: it is that thread's
            pool.shutdown(wait=False)
