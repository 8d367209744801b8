"""Threads that carry things out of the house: a bounded number for each receiver, and no more.

    wake(receiver) --fewer than so many at work?--> thread: work(receiver) until it finds nothing

So whoever is slow or dead holds up nobody else. The threads end with their process: what they held
is leased, and due again when the lease ends.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable

from django.db import connections

logger = logging.getLogger(__name__)


class Couriers:
    """Carries for each receiver with at most `width` threads."""

    def __init__(self, name: str, width: int, work: Callable[[int], bool]) -> None:
        self.name = name
        self.width = width
        self.work = work  # does one thing for a receiver; returns whether there was one
        self.busy: Counter[int] = Counter()
        self.rung: set[int] = set()  # receivers with something new since a thread last looked
        self.changed = threading.Condition()

    def wake(self, receiver: int, wanted: int = 1) -> None:
        """See to it that so many things for a receiver are being carried, or will be."""
        with self.changed:
            self.rung.add(receiver)
            fresh = min(self.width, wanted) - self.busy[receiver]
            for _ in range(max(0, fresh)):
                self.busy[receiver] += 1
                threading.Thread(
                    target=self._carry,
                    args=(receiver,),
                    name=f"{self.name}-{receiver}",
                    daemon=True,
                ).start()

    def _carry(self, receiver: int) -> None:
        while True:
            with self.changed:
                self.rung.discard(receiver)
            found = False
            try:
                found = self.work(receiver)
            except Exception as exc:  # the rows stay due, and the pump wakes us again
                logger.exception("%s %s: %s", self.name, receiver, exc)
                connections.close_all()
            with self.changed:
                if found or receiver in self.rung:
                    continue
                connections.close_all()
                self.busy[receiver] -= 1
                self.changed.notify_all()
                return

    def rest(self, within_s: float) -> bool:
        """Wait until nobody is at work; return whether that came about in time."""
        with self.changed:
            return self.changed.wait_for(lambda: not +self.busy, timeout=within_s)
