"""Names to offer in forms, asked of Telnyx: its stored sounds.

A form never waits longer than a second for them. Without an answer the field is plain text.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice

from django.conf import settings

from calls import numbers
from calls.line import telnyx
from calls.models import Kind
from calls.sounds.names import OURS

logger = logging.getLogger(__name__)

FRESH_S = 300.0
FAILED_S = 30.0  # how long we do not ask again after a failure
PATIENCE_S = 1.0
MOST = 500


def _media() -> list[str]:
    names = {media.name for media in islice(telnyx().media(), MOST)}
    return sorted(
        name for name in names if not OURS.fullmatch(name)
    )  # ours have a place of their own


SOURCES: Mapping[str, Callable[[], list[str]]] = {"media": _media}
FIELDS: Mapping[str, Mapping[str, str]] = {  # kind -> field -> source
    Kind.PLAYBACK_START: {"media_name": "media"},
}


class Shelf:
    """What each source last said, and when to ask it again."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="suggestions")
        self.lock = threading.Lock()
        self.known: dict[str, list[str]] = {}
        self.good_until: dict[str, float] = {}
        self.asked: dict[str, Future[None]] = {}

    def names(self, source: str) -> list[str]:
        """Return what a source offers; what it said before, or nothing, if it takes too long."""
        with self.lock:
            asked = self.asked.get(source)
            if time.monotonic() >= self.good_until.get(source, 0) and asked is None:
                asked = self.asked[source] = self.pool.submit(self._ask, source)
        if asked is not None:
            wait([asked], timeout=PATIENCE_S)
        return self.known.get(source, [])

    def _ask(self, source: str) -> None:
        good_for = FAILED_S
        try:
            self.known[source] = SOURCES[source]()
            good_for = FRESH_S
        except Exception as exc:  # whatever it is, the form works without suggestions
            logger.info("no suggestions of %s: %s", source, exc)
        with self.lock:
            self.good_until[source] = time.monotonic() + good_for
            self.asked.pop(source, None)


_shelf = Shelf()


def for_form(kind: str) -> dict[str, Sequence[str]]:
    """Return suggestions by field of a command's form, where there are any."""
    if kind == Kind.DIAL:
        return {"from": numbers.own()}
    if not settings.TELNYX_API_KEY:
        return {}
    named = {field: _shelf.names(source) for field, source in FIELDS.get(kind, {}).items()}
    return {field: names for field, names in named.items() if names}
