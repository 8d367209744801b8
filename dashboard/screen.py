"""What the live board shows: read from the database, rendered once, told in whole or in part.

versions --what changed?--> conversations --> rows --> events of the stream
"""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Sum
from django.utils import timezone

from calls import board, contacts
from calls.models import Call
from dashboard import home
from dashboard.viewers import Client

STATUS_GAP_S = 0.5  # the counts cost more queries than the rows


def frame(event: str, text: str) -> bytes:
    """Return one event of the stream: a `data` line for each line of the text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join([f"event: {event}", *(f"data: {line}" for line in lines), "", ""]).encode()


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation, as those see it who may control calls, and those who may not."""

    id: str
    version: int
    order: int
    html: Mapping[bool, str]


@dataclass(frozen=True, slots=True)
class News:
    """What one look found."""

    changed: Collection[str]  # keys
    gone: list[str]  # row ids
    statuses: Collection[bool]  # the right to operate of those whose counts changed
    conversations: Collection[str]  # keys of those that pages of a call watch


class Screen:
    """The board as last read; `look` runs in the hub's thread and nowhere else."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.statuses: dict[bool, str] = {}
        self.status_due = 0.0
        self.versions: dict[str, int] = {}  # of the conversations that pages of a call watch

    def look(self, clients: Collection[Client]) -> News:
        """Read and render what changed for these clients; a look that fails changes nothing."""
        now = timezone.now()
        audiences = {client.audience for client in clients if not client.conversation}
        rows, statuses = self.rows, self.statuses
        if audiences:
            rows = self._rows(now, {audience.control for audience in audiences})
            statuses = self._statuses(now, {audience.operate for audience in audiences})
        versions = _versions({client.conversation for client in clients} - {""})
        news = News(
            changed=[key for key, row in rows.items() if self._version(key) != row.version],
            gone=[row.id for key, row in self.rows.items() if key not in rows],
            statuses=[key for key in statuses if statuses[key] != self.statuses.get(key)],
            conversations=[key for key in versions if versions[key] != self.versions.get(key)],
        )
        self.rows, self.statuses, self.versions = rows, statuses, versions
        return news

    def _version(self, key: str) -> int | None:
        return self.rows[key].version if key in self.rows else None

    def _rows(self, now: datetime, controls: set[bool]) -> dict[str, Row]:
        """Return the rows of the board, rendering only what changed or was not needed before."""
        versions = board.versions(now=now)
        kept = {
            key: row
            for key, row in self.rows.items()
            if versions.get(key) == row.version and row.html.keys() >= controls
        }
        missing = [key for key in versions if key not in kept]
        if missing:
            contacts.look_again()  # a row may have changed because a name did
        found = board.conversations(now=now, keys=missing) if missing else []
        return kept | {
            conversation.key: Row(
                id=board.row_id(conversation.key),
                version=conversation.version,
                order=int(conversation.order),
                html={control: board.row(conversation, control=control) for control in controls},
            )
            for conversation in found
        }

    def _statuses(self, now: datetime, operates: set[bool]) -> dict[bool, str]:
        """Return the counts, read twice a second at most and for those who have none yet."""
        is_due = time.monotonic() >= self.status_due
        if is_due:
            self.status_due = time.monotonic() + STATUS_GAP_S
        wanted = operates if is_due else operates - self.statuses.keys()
        return self.statuses | {
            operate: home.status_html(now=now, operate=operate) for operate in wanted
        }

    def whole(self, client: Client) -> bytes:
        """Return everything a client should see."""
        if client.conversation:
            return frame("changed", str(self.versions.get(client.conversation, 0)))
        rows = sorted(self.rows.values(), key=lambda row: (row.order, row.id))
        html = "".join(row.html[client.audience.control] for row in rows)
        return frame("board", html) + frame("status", self.statuses[client.audience.operate])

    def part(self, client: Client, news: News) -> bytes:
        """Return what changed for a client that has seen the rest."""
        if client.conversation:
            return self.whole(client) if client.conversation in news.conversations else b""
        sent = b""
        if news.changed:
            rows = (self.rows[key].html[client.audience.control] for key in news.changed)
            sent += frame("rows", "".join(rows))
        if news.gone:
            sent += frame("gone", json.dumps(news.gone))
        if client.audience.operate in news.statuses:
            sent += frame("status", self.statuses[client.audience.operate])
        return sent


def _versions(keys: Collection[str]) -> dict[str, int]:
    """Return the versions of conversations, also of those that left the board long ago."""
    if not keys:
        return {}
    calls = Call.objects.filter(conversation__in=keys).order_by().values("conversation")
    return {
        row["conversation"]: row["changes"] + board.VERSION_PER_LEG * row["size"]
        for row in calls.annotate(changes=Sum("version"), size=Count("pk"))
    }
