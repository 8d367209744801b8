"""The facts of legs, remembered: an event never changes, so each is read once.

    events of a leg --remember--> facts --facts(legs)--> fold

Their number and the sum of their keys tell whether all of a leg's are remembered; if not, they are
read anew.
"""

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from django.db import transaction
from django.db.models import Count, Sum

from calls import fold
from calls.models import WebhookEvent
from calls.telnyx import payloads

MOST = 50_000  # facts, about 40 MB: fifty of each of a thousand calls


class Fact(NamedTuple):
    """One event as the fold sees it, and its row."""

    event: fold.Event
    pk: int


Read: TypeAlias = dict[int, Fact | None]  # by the key of the row; None: it is no fact

_legs: dict[str, Read] = {}  # the one remembered longest ago first
_size = 0
_changing = threading.Lock()


def facts(legs: Collection[str]) -> dict[str, list[Fact]]:
    """Return the facts of legs that are committed, or written by this transaction."""
    rows = WebhookEvent.objects.filter(call_leg_id__in=legs, event_type__in=fold.TYPES)
    counted = rows.order_by().values_list("call_leg_id").annotate(Count("pk"), Sum("pk"))
    stamps = {leg: (size, total) for leg, size, total in counted}
    known = {leg: read for leg in stamps if (read := _legs.get(leg))}
    if unknown := [leg for leg in stamps if _stamp(known.get(leg, {})) != stamps[leg]]:
        found = _read(rows.filter(call_leg_id__in=unknown).iterator())
        transaction.on_commit(lambda: _keep(found))  # what is rolled back never was
        known |= found
    return {leg: [fact for fact in known.get(leg, {}).values() if fact] for leg in legs}


def _stamp(read: Read) -> tuple[int, int]:
    return len(read), sum(read)


def remember(events: Iterable[WebhookEvent]) -> None:
    """Read committed events that bear on state."""
    bearing = (it for it in events if it.call_leg_id and it.event_type in fold.TYPES)
    news = _read(bearing)
    _keep({leg: _legs.get(leg, {}) | read for leg, read in news.items()})


def _keep(news: Mapping[str, Read]) -> None:
    """Remember all that is known of legs, and forget those told of longest ago."""
    global _size
    with _changing:
        for leg, read in news.items():
            _size += len(read) - len(_legs.pop(leg, ()))
            _legs[leg] = read
        while _size > MOST:
            _size -= len(_legs.pop(next(iter(_legs))))


def _read(events: Iterable[WebhookEvent]) -> dict[str, Read]:
    found: dict[str, Read] = {}
    for event in events:
        found.setdefault(event.call_leg_id, {})[event.pk] = _fact(event)
    return found


def _fact(event: WebhookEvent) -> Fact | None:
    """Return what the fold sees of an event; what is unreadable is none, and marked on its row."""
    try:
        told = payloads.parse(bytes(event.raw)).payload
    except payloads.Unreadable:
        return None
    payload = {name: told[name] for name in fold.READ if name in told}
    at = event.occurred_at or event.received_at
    seen = fold.Event(event.event_id, event.event_type, at, event.received_at, payload)
    return Fact(seen, event.pk)


def forget() -> None:
    """Read every event anew."""
    global _size
    with _changing:
        _legs.clear()
        _size = 0
