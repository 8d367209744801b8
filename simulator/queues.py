"""A worker's queue: items come out when they are due, and may be hurried."""

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Queue(Generic[Item]):
    """What one worker has to do, ordered by when it is due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Item]] = []
        self._wake = threading.Condition()
        self._count = count()
        self._is_closed = False

    def put(self, item: Item, due: float = 0.0) -> None:
        """Add something, due at a monotonic time."""
        with self._wake:
            heapq.heappush(self._heap, (due, next(self._count), item))
            self._wake.notify()

    def get(self) -> Item | None:
        """Wait until something is due and return it; None once the queue is closed."""
        with self._wake:
            while not self._is_closed:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._wake.wait(wait)
        return None

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._wake:
            self._is_closed = True
            self._wake.notify_all()

    def hurry(self, wanted: Callable[[Item], bool]) -> None:
        """Make the items that are wanted due now, after what is due already."""
        with self._wake:
            now = time.monotonic()
            self._heap = [
                (min(due, now), number, item) if wanted(item) else (due, number, item)
                for due, number, item in self._heap
            ]
            heapq.heapify(self._heap)
            self._wake.notify()
