"""Webhooks that never came, found again at Telnyx and kept like any other fact.

    quoted by webhook_deliveries or call_events --unknown here--> WebhookEvent(source=reconcile)

The unique event id is that of the delivery, so whichever comes first is the only one. What is kept
says in its `meta` how it was found, and the timeline tells.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from django.utils import timezone

from calls import intake, writer
from calls.models import Command, Kind, WebhookEvent
from calls.ring import ring
from calls.telnyx.values import Unreadable, decode, table, text
from calls.writer import Row

DELIVERIES = "webhook_deliveries"
LOG = "call_events"
WORDS = {DELIVERIES: ", Telnyx could not deliver it", LOG: " in Telnyx's log of the call"}
CAPTION = "call.transcription"
BATCH = 50  # events in one statement


def keep(bodies: Iterable[bytes], how: str) -> int:
    """Store those of some quoted webhooks that the desk does not know; return how many."""
    now = timezone.now()
    rows = {row.event_id: row for row in (intake.read(body, received_at=now) for body in bodies)}
    new = [row for some in _some(list(rows)) for row in _unknown(some, rows)]
    private = _with_pauses({row.call_leg_id for row in new if row.event_type == CAPTION})
    kept = [
        replace(row, raw=_marked(row.raw, how))
        for row in new
        # when it was said cannot be compared with our clock, and in a pause nobody may read it
        if not (row.event_type == CAPTION and row.call_leg_id in private)
    ]
    for at in range(0, len(kept), BATCH):
        writer.store(kept[at : at + BATCH], source=WebhookEvent.Source.RECONCILE)
    if kept:
        ring("events")
    return len(kept)


def how_found(raw: bytes) -> str:
    """Return how a kept webhook was found again, in words; "" for one that came by itself."""
    try:
        meta = table(table(decode(raw)).get("meta"))
    except Unreadable:
        return ""
    return WORDS.get(text(meta.get("found_by"), 32), "")


def _unknown(ids: Sequence[str], rows: dict[str, Row]) -> list[Row]:
    events = WebhookEvent.objects.filter(event_id__in=ids)
    known = set(events.values_list("event_id", flat=True))
    return [rows[event_id] for event_id in ids if event_id not in known]


def _some(ids: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(ids), 500):
        yield ids[at : at + 500]


def _with_pauses(legs: set[str]) -> set[str]:
    """Keep the legs on which a pause took effect, or may have."""
    pauses = Command.objects.filter(kind=Kind.RECORD_PAUSE, call__call_leg_id__in=legs)
    harmless = [Command.State.FAILED, Command.State.EXPIRED]
    return set(pauses.exclude(state__in=harmless).values_list("call__call_leg_id", flat=True))


def _marked(raw: bytes, how: str) -> bytes:
    """Write into a body how it was found; its id was taken before."""
    body = json.loads(raw)
    if not isinstance(body, dict):
        return raw
    meta = body.get("meta")
    return json.dumps(
        body | {"meta": (meta if isinstance(meta, dict) else {}) | {"found_by": how}}
    ).encode()
