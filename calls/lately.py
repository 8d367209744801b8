"""Answers that may be a second old: asked of the database once for all the events in it."""

import time
from collections.abc import Callable

KNOWN_FOR_S = 1.0


class Lately:
    """A yes or no, and when it was last asked for."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self.ask = ask
        self.last = False  # the last answer; reading it asks nobody
        self.until = 0.0

    def __call__(self) -> bool:
        """Return the answer of the last second."""
        now = time.monotonic()
        if now >= self.until:
            self.last = self.ask()
            self.until = now + KNOWN_FOR_S
        return self.last

    def forget(self) -> None:
        """Ask again at once: the answer has changed."""
        self.until = 0.0
