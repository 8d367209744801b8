"""Browsers that watch the board, without the picture: their streams, and the rows they would show.

A stream is compressed once for all who hear the same. So some browsers read it, and of the others
it is enough to note when each piece came, and that it was the same.
"""

import asyncio
import json
import random
import re
import time
import zlib
from contextlib import suppress
from urllib.parse import urlsplit

RETRY_S = (2.0, 4.0)  # as the desk tells browsers
ROW = re.compile(
    r'<tr\b[^>]*?\bid="(row-[0-9a-f]+)" class="call is-(\w+)[^>]*?data-version="(\d+)"'
)
CHUNK = b"\r\n"


class Board:
    """What a browser shows: row id -> its HTML."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.rest = ""
        self.changed = 0  # rows that came one by one
        self.has_whole = False

    def hear(self, text: str) -> list[tuple[str, str, bool]]:
        """Take what came; return (row id, line, is speaking) of each row that came."""
        *frames, self.rest = (self.rest + text).split("\n\n")
        came = []
        for frame in frames:
            lines = frame.split("\n")
            name = lines[0].removeprefix("event: ")
            data = "\n".join(line[6:] for line in lines[1:])
            if name == "board":
                self.rows, self.versions, self.has_whole = {}, {}, True
            if name in ("board", "rows"):
                came += self.put(data, counts=name == "rows")
            elif name == "gone":
                for row in json.loads(data):
                    self.rows.pop(row, None)
                    self.versions.pop(row, None)
        return came

    def put(self, html: str, *, counts: bool) -> list[tuple[str, str, bool]]:
        """Show rows."""
        came = []
        for row in html.split("</tr>")[:-1]:
            row = row.strip()
            if found := ROW.match(row):
                self.rows[found[1]], self.versions[found[1]] = row, int(found[3])
                came.append((found[1], found[2], ">Speaking<" in row))
                self.changed += counts
        return came


class Line(asyncio.Protocol):
    """A stream's connection: takes HTTP's chunks apart. asyncio's own streams cost three times."""

    def __init__(self, browser: "Browser") -> None:
        self.browser = browser
        self.rest = b""
        self.is_open = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Tell the browser of every piece that is all there."""
        self.rest += data
        try:
            if not self.is_open:
                head, end, rest = self.rest.partition(CHUNK * 2)
                if not end:
                    return
                self.browser.open(head)
                self.is_open, self.rest = True, rest
            while piece := self._piece():
                self.browser.hear(piece)
        except ValueError as exc:
            self._end(exc)

    def _piece(self) -> bytes:
        """Cut the next piece off; there is none while it is not all there, or after the last."""
        said, is_said, rest = self.rest.partition(CHUNK)
        size = int(said, 16) if is_said else -1
        if size == 0:
            self._end(None)
        if size <= 0 or len(rest) < size + len(CHUNK):
            return b""
        self.rest = rest[size + len(CHUNK) :]
        return rest[:size]

    def connection_lost(self, exc: Exception | None) -> None:
        """End in the middle, if it had not ended."""
        self._end(exc or EOFError("the stream was cut"))

    def _end(self, exc: Exception | None) -> None:
        if self.over.done():
            return
        if exc:
            self.over.set_exception(exc)
        else:
            self.over.set_result(None)


class Browser:
    """One open stream. Pieces are (when, what by its checksum)."""

    def __init__(self, web: str, cookie: str, *, reads: bool) -> None:
        self.web, self.cookie = web, cookie
        self.board = Board() if reads else None
        self.pieces: list[tuple[float, int]] = []
        self.seen: list[tuple[float, int, list[tuple[str, str, bool]]]] = []
        self.size = 0
        self.opened = 0
        self.is_on = asyncio.Event()
        self.packed: zlib._Decompress | None = None

    async def stay(self) -> None:
        """Come back after every loss, as an EventSource does, until cancelled."""
        while True:
            with suppress(OSError, EOFError, ValueError):
                await self.watch()
            await asyncio.sleep(random.uniform(*RETRY_S))  # noqa: S311  (no secret)

    async def watch(self) -> None:
        """Read one stream to its end. Raises what ends it."""
        where = urlsplit(self.web)
        loop = asyncio.get_running_loop()
        wire, line = await loop.create_connection(
            lambda: Line(self), str(where.hostname), where.port or 80
        )
        try:
            wire.write(
                f"GET /live/ HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: {self.cookie}\r\n"
                "Accept-Encoding: gzip\r\n\r\n".encode()
            )
            await line.over
        finally:
            wire.close()

    def open(self, head: bytes) -> None:
        """Begin to read a stream. Raises ValueError if it was refused."""
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"the stream was refused: {head[:40]!r}")
        self.packed = zlib.decompressobj(wbits=31) if b"gzip" in head.lower() else None
        self.opened += 1
        if self.board:
            self.board.rest = ""

    def hear(self, piece: bytes) -> None:
        """Note a piece, and show what it says."""
        now, mark = time.perf_counter(), zlib.crc32(piece)
        self.size += len(piece)
        self.pieces.append((now, mark))
        if self.board:
            text = self.packed.decompress(piece) if self.packed else piece
            self.seen.append((now, mark, self.board.hear(text.decode())))
            if not self.board.has_whole:
                return
        self.is_on.set()
