"""How far this machine's clock is from Telnyx's: the median over the webhooks that it signed.

    note(ours - theirs) --now and then--> Gauge row of this machine --> notices, health, doctor

A webhook takes a while on its way, and its stamp has whole seconds: a second or two mean nothing.
"""

import socket
import statistics
import threading
import time
from collections import deque
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from calls.models import Gauge

NAME = "skew:"
REMEMBERED = 200  # of the newest
FLUSH_S = 10.0
TELLS_FOR = timedelta(minutes=15)  # an older median says nothing of now
WARN_S, BAD_S = 30.0, 120.0  # Telnyx's signatures are refused beyond 300


class Skews:
    """The newest differences that this process saw."""

    def __init__(self) -> None:
        self.newest: deque[float] = deque(maxlen=REMEMBERED)
        self.lock = threading.Lock()
        self.is_new = False
        self.flushed = float("-inf")

    def note(self, seconds: float) -> None:
        """Take in how old a webhook's stamp was by our clock."""
        self.newest.append(seconds)
        self.is_new = True

    def flush(self) -> None:
        """Write the median down, now and then. On a database error it waits for the next time."""
        with self.lock:
            if not self.is_new or time.monotonic() - self.flushed < FLUSH_S:
                return
            self.is_new, self.flushed = False, time.monotonic()
        known = list(self.newest)
        told = {"value": statistics.median(known), "count": len(known), "at": timezone.now()}
        try:
            name = f"{NAME}{socket.gethostname()}"[:120]
            Gauge.objects.update_or_create(name=name, defaults=told)
        except DatabaseError:
            self.is_new = True


skews = Skews()


def worst(*, now: datetime) -> Gauge | None:
    """Return the figure of the machine whose clock is farthest off; None if none told lately."""
    told = Gauge.objects.filter(name__startswith=NAME, at__gt=now - TELLS_FOR)
    return max(told, key=lambda gauge: abs(gauge.value), default=None)
