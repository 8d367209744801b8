"""What the live board shows: read from the database, rendered once, told in whole or in part.

versions --what changed?--> conversations --> rows --> events of the stream

Where a ring named what changed, nobody asks for versions.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from calls import board, contacts
from calls.models import Call
from dashboard import home
from dashboard.viewers import View

STATUS_GAP_S = 0.5  # the notices cost more queries than the rows


def frame(event: str, text: str) -> bytes:
    """Return one event of the stream."""
    return _event(event, lines(text))


def lines(text: str) -> bytes:
    """Return a text as data of an event: each of its lines is one of them."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"data: {text}".replace("\n", "\ndata: ").encode()


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

    changed: Collection[Row]
    gone: list[str]  # row ids
    counts: bool
    statuses: Collection[bool]  # the right to operate of those whose notices changed
    conversations: Collection[str]  # keys of those that pages of a call watch


class Screen:
    """The board as last read, for one thread."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.counts: dict[str, int] = {}
        self.statuses: dict[bool, str] = {}
        self.status_due = 0.0
        self.versions: dict[str, int] = {}  # of the conversations that pages of a call watch

    def warm(self) -> None:
        """Render every row before anybody asks: after a restart all browsers come at once."""
        self.rows, _ = self._rows(timezone.now())

    def read(self, views: Sequence[View], named: Collection[str] | None = None) -> list[bytes]:
        """Look, and return what each of these views lacks, all of it or what changed."""
        news = self.look(views, named)
        return [self.whole(view) if view.is_behind else self.part(view, news) for view in views]

    def look(self, views: Collection[View], named: Collection[str] | None = None) -> News:
        """Read and render what changed for these views; a look that fails changes nothing.

        Of the conversations that are named, if any are, else of all.
        """
        now = timezone.now()
        audiences = {view.audience for view in views if not view.conversation}
        rows, counts, statuses = self.rows, self.counts, self.statuses
        pairs: list[tuple[Row | None, Row | None]] = []  # of rows that may differ
        if audiences:
            rows, seen = self._rows(now, named)
            pairs = [(self.rows.get(key), rows.get(key)) for key in seen]
            if not counts or any(_tiles(before) != _tiles(after) for before, after in pairs):
                counts = home.counts(row.tiles for row in rows.values())
            operates = {audience.operate for audience in audiences}
            statuses = self._statuses(now, operates, is_empty=not counts[home.ALL])
        watched = {view.conversation for view in views} - {""}
        versions = self.versions | _versions(watched if named is None else watched & set(named))
        news = News(
            changed=[after for before, after in pairs if after and _is_news(before, after)],
            gone=[before.id for before, after in pairs if before and not after],
            counts=counts != self.counts,
            statuses=[key for key in statuses if statuses[key] != self.statuses.get(key)],
            conversations=[key for key in versions if versions[key] != self.versions.get(key)],
        )
        self.rows, self.counts = rows, counts
        self.statuses = statuses
        self.versions = {key: versions[key] for key in watched & versions.keys()}
        return news

    def _rows(
        self, now: datetime, named: Collection[str] | None = None
    ) -> tuple[dict[str, Row], Collection[str]]:
        """Return the rows of the board, and the keys of those that were looked at or have left."""
        if named is None:
            versions = board.versions(now=now)
            wanted: Collection[str] = [
                key for key, version in versions.items() if not self._has(key, version, now)
            ]
            seen: Collection[str] = {*wanted, *(self.rows.keys() - versions.keys())}
        else:
            wanted = seen = named
        if wanted:
            contacts.look_again()  # a row may have changed because a name did
        found = board.conversations(now=now, keys=wanted) if wanted else []
        rows = self.rows.copy()
        for key in seen:
            rows.pop(key, None)
        return rows | {conversation.key: _row(conversation) for conversation in found}, seen

    def _has(self, key: str, version: int, now: datetime) -> bool:
        """Say whether a row is as it was."""
        row = self.rows.get(key)
        return row is not None and row.version == version and not (row.until and row.until <= now)

    def _statuses(self, now: datetime, operates: set[bool], *, is_empty: bool) -> dict[bool, str]:
        """Return the notices, read twice a second at most and for those who have none yet."""
        is_due = time.monotonic() >= self.status_due
        if is_due:
            self.status_due = time.monotonic() + STATUS_GAP_S
        wanted = operates if is_due else operates - self.statuses.keys()
        new = home.statuses(wanted, now=now, is_empty=is_empty) if wanted else {}
        return self.statuses | new

    def whole(self, view: View) -> bytes:
        """Return everything that a view should show."""
        if view.conversation:
            return frame("changed", str(self.versions.get(view.conversation, 0)))
        rows = sorted(self.rows.values(), key=lambda row: row.place)
        data = [row.data[view.audience.control] for row in rows] or [b"data: "]
        return (
            _event("board", *data)
            + self._counts()
            + frame("status", self.statuses[view.audience.operate])
        )

    def part(self, view: View, news: News) -> bytes:
        """Return what changed for a view that shows the rest."""
        if view.conversation:
            return self.whole(view) if view.conversation in news.conversations else b""
        sent = b""
        if news.changed:
            rows = (row.data[view.audience.control] for row in news.changed)
            sent += _event("rows", *rows)
        if news.gone:
            sent += frame("gone", json.dumps(news.gone))
        if news.counts:
            sent += self._counts()
        if view.audience.operate in news.statuses:
            sent += frame("status", self.statuses[view.audience.operate])
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


def _is_news(before: Row | None, after: Row) -> bool:
    return before is None or (before.version, before.needs) != (after.version, after.needs)


def _tiles(row: Row | None) -> Collection[str]:
    return row.tiles if row else ()


def _versions(keys: Collection[str]) -> dict[str, int]:
    """Return the versions of conversations, also of those that left the board long ago."""
    if not keys:
        return {}
    return board.sums(Call.objects.filter(conversation__in=keys))
