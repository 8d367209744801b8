"""What the webhook door writes down for the neighbours, in the commit of the event itself.

    (event, headers) x neighbours that are not paused --one statement--> Forward rows

Who the neighbours are is decided inside the statement; whether there are any is remembered for a
second, so that a desk without neighbours pays nothing.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from django.db import connection

from calls.lately import Lately
from calls.models import Neighbour
from calls.telnyx import signature

Statement: TypeAlias = tuple[str, list[Any]]  # and its values

LONGEST = 200  # characters of a header
# Few values a row: writing them into the statement costs more than all that the database does.
INSERT = """
WITH told (event_id, headers) AS (VALUES {places})
INSERT INTO calls_forward
  (neighbour_id, event_id, leg, headers, received_at, due_at, state, attempts, error)
SELECT calls_neighbour.id, told.event_id, calls_webhookevent.call_leg_id, told.headers,
  %s, %s, 'queued', 0, ''
FROM told
JOIN calls_webhookevent ON calls_webhookevent.event_id = told.event_id
CROSS JOIN calls_neighbour
WHERE NOT calls_neighbour.is_paused
ON CONFLICT (event_id, neighbour_id) DO NOTHING
"""
NAMES = (signature.SIGNATURE, signature.TIMESTAMP, b"content-type", b"user-agent")


def headers_of(named: Mapping[bytes, bytes]) -> str:
    """Return what is passed on of the headers of a verified webhook, as JSON."""
    return json.dumps({name.decode(): _text(named[name]) for name in NAMES if name in named})


def _text(value: bytes) -> str:
    return value.decode("latin-1").replace("\0", "")[:LONGEST]


is_wanted = Lately(lambda: Neighbour.objects.filter(is_paused=False).exists())
"""Say whether there is a neighbour who hears webhooks."""


def insert(told: Sequence[tuple[str, str]], received_at: datetime) -> Statement:
    """Return what writes down, once, what each neighbour is to hear, with its values.

    Each is an event's id and its headers. It belongs into the commit of the events.
    """
    values = [value for one in told for value in one]
    places = ", ".join(["(%s, %s)"] * len(told))
    at = connection.ops.adapt_datetimefield_value(received_at)
    return INSERT.format(places=places), [*values, at, at]
