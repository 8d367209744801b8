"""Compresses streams: a piece once for all who heard the same before it.

    raw + what its hearers heard last --pack--> bytes, and what they have heard now

A piece may point back into those before it, which is what makes it small, so it fits only who has
exactly these. When its hearers have not all the same behind them, because one has just joined or
had to be told everything anew, it is made to point nowhere. The bytes are one gzip stream, never
ended: a browser takes it as it comes.
"""

import zlib
from collections.abc import Collection

HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # gzip, of no time and no system (RFC 1952)
LEVEL = 6
LARGE, LARGE_LEVEL = 200_000, 1  # a whole board: twice as quick, a third larger


class Piece:
    """The last thing that somebody heard."""

    __slots__ = ("is_last", "squeezer")

    def __init__(self, level: int) -> None:
        self.squeezer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self.is_last = level == LEVEL  # the next one may go on from here


def pack(raw: bytes, heard: Collection[Piece | None] = ()) -> tuple[bytes, Piece]:
    """Compress for hearers who heard these pieces last; return what to send and what that was."""
    before = next(iter(heard)) if len(set(heard)) == 1 else None
    now = Piece(LARGE_LEVEL if len(raw) > LARGE else LEVEL)
    if before is not None and before.is_last:
        before.is_last = False  # who does not hear this one cannot go on from there
        now.squeezer, now.is_last = before.squeezer, True
    return now.squeezer.compress(raw) + now.squeezer.flush(zlib.Z_SYNC_FLUSH), now


def accepts_gzip(header: bytes) -> bool:
    """Say whether an Accept-Encoding names gzip and does not rule it out."""
    for offer in header.lower().split(b","):
        name, _, weight = offer.partition(b";")
        if name.strip() in (b"gzip", b"x-gzip"):
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False
