"""What the live board shows: read from the database, rendered once, told in whole or in part.

versions --what changed?--> conversations --> rows --> events of the stream

Where a ring named what changed, nobody asks for versions.
"""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from calls import board, contacts
from calls.models import Call
from dashboard import home
from dashboard.viewers import Client

STATUS_GAP_S = 0.5  # the notices cost more queries than the rows


def frame(event: str, text: str) -> bytes:
    """Return one event of the stream."""
    return _event(event, lines(text))


def lines(text: str) -> bytes:
    """Return a text as data of an event: each of its lines is one of them."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    each = text.split("\n")
    return "\n".join(f"data: {line}" for line in each).encode()


def _event(event: str, *data: bytes) -> bytes:
    return b"\n".join([f"event: {event}".encode(), *data, b"", b""])


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation, as those see it who may control calls, and those who may not."""

    id: str
    version: int
    place: tuple[int, int, str]  # on a board that is sorted
    needs: str  # what a person should look at
    until: datetime | None  # when time alone changes the row
    tiles: Collection[str]
    data: Mapping[bool, bytes]  # its HTML, ready to be sent


@dataclass(frozen=True, slots=True)
class News:
    """What one look found."""

    changed: Collection[str]  # keys
    gone: list[str]  # row ids
    counts: bool
    statuses: Collection[bool]  # the right to operate of those whose notices changed
    conversations: Collection[str]  # keys of those that pages of a call watch


class Screen:
    """The board as last read; `look` runs in the hub's thread and nowhere else."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.counts: dict[str, int] = {}
        self.statuses: dict[bool, str] = {}
        self.status_due = 0.0
        self.versions: dict[str, int] = {}  # of the conversations that pages of a call watch

    def warm(self) -> None:
        """Render every row before anybody asks: after a restart all browsers come at once."""
        self.rows = self._rows(timezone.now())

    def look(self, clients: Collection[Client], named: Collection[str] | None = None) -> News:
        """Read and render what changed for these clients; a look that fails changes nothing.

        Of the conversations that are named, if any are, else of all.
        """
        now = timezone.now()
        audiences = {client.audience for client in clients if not client.conversation}
        rows, counts, statuses = self.rows, self.counts, self.statuses
        if audiences:
            rows = self._rows(now, named)
            counts = home.counts(row.tiles for row in rows.values())
            operates = {audience.operate for audience in audiences}
            statuses = self._statuses(now, operates, is_empty=not counts[home.ALL])
        watched = {client.conversation for client in clients} - {""}
        versions = self.versions | _versions(watched if named is None else watched & set(named))
        news = News(
            changed=[key for key, row in rows.items() if self._is_news(key, row)],
            gone=[self.rows[key].id for key in self.rows.keys() - rows.keys()],
            counts=counts != self.counts,
            statuses=[key for key in statuses if statuses[key] != self.statuses.get(key)],
            conversations=[key for key in versions if versions[key] != self.versions.get(key)],
        )
        self.rows, self.counts = rows, counts
        self.statuses = statuses
        self.versions = {key: versions[key] for key in watched & versions.keys()}
        return news

    def _is_news(self, key: str, row: Row) -> bool:
        before = self.rows.get(key)
        return before is not row and (before is None or _stamp(before) != _stamp(row))

    def _rows(self, now: datetime, named: Collection[str] | None = None) -> dict[str, Row]:
        """Return the rows of the board, rendering only what changed."""
        if named is None:
            kept, wanted = self._kept(now)
        else:
            kept = {key: row for key, row in self.rows.items() if key not in named}
            wanted = named
        if wanted:
            contacts.look_again()  # a row may have changed because a name did
        found = board.conversations(now=now, keys=wanted) if wanted else []
        return kept | {conversation.key: _row(conversation) for conversation in found}

    def _kept(self, now: datetime) -> tuple[dict[str, Row], Collection[str]]:
        """Return the rows that are as they were, and the keys of those to be rendered."""
        versions = board.versions(now=now)
        kept = {
            key: row
            for key, row in self.rows.items()
            if versions.get(key) == row.version and (row.until is None or row.until > now)
        }
        return kept, versions.keys() - kept.keys()

    def _statuses(self, now: datetime, operates: set[bool], *, is_empty: bool) -> dict[bool, str]:
        """Return the notices, read twice a second at most and for those who have none yet."""
        is_due = time.monotonic() >= self.status_due
        if is_due:
            self.status_due = time.monotonic() + STATUS_GAP_S
        wanted = operates if is_due else operates - self.statuses.keys()
        new = home.statuses(wanted, now=now, is_empty=is_empty) if wanted else {}
        return self.statuses | new

    def whole(self, client: Client) -> bytes:
        """Return everything a client should see."""
        if client.conversation:
            return frame("changed", str(self.versions.get(client.conversation, 0)))
        rows = sorted(self.rows.values(), key=lambda row: row.place)
        data = [row.data[client.audience.control] for row in rows] or [b"data: "]
        return (
            _event("board", *data)
            + self._counts()
            + frame("status", self.statuses[client.audience.operate])
        )

    def part(self, client: Client, news: News) -> bytes:
        """Return what changed for a client that has seen the rest."""
        if client.conversation:
            return self.whole(client) if client.conversation in news.conversations else b""
        sent = b""
        if news.changed:
            rows = (self.rows[key].data[client.audience.control] for key in news.changed)
            sent += _event("rows", *rows)
        if news.gone:
            sent += frame("gone", json.dumps(news.gone))
        if news.counts:
            sent += self._counts()
        if client.audience.operate in news.statuses:
            sent += frame("status", self.statuses[client.audience.operate])
        return sent

    def _counts(self) -> bytes:
        return frame("counts", json.dumps(self.counts))


def _row(conversation: board.Conversation) -> Row:
    return Row(
        id=conversation.id,
        version=conversation.version,
        place=conversation.place,
        needs=conversation.attention.words,
        until=conversation.attention.until,
        tiles=conversation.tiles,
        data={control: lines(html) for control, html in board.rows(conversation).items()},
    )


def _stamp(row: Row) -> tuple[int, str]:
    return row.version, row.needs


def _versions(keys: Collection[str]) -> dict[str, int]:
    """Return the versions of conversations, also of those that left the board long ago."""
    if not keys:
        return {}
    return board.sums(Call.objects.filter(conversation__in=keys))
