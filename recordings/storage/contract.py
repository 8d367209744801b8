"""What every place for files can do, and how it says that it cannot."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

BLOCK_BYTES = 1 << 20


class Trouble(Exception):
    """The storage cannot be used now; the text says why. Nobody's file is to blame."""


class NoRoom(Trouble):
    """The storage takes no file now."""


class Unreachable(Trouble):
    """The storage does not answer, or will not let us in."""


class Place(Protocol):
    """A Django storage that files can be published in. Raises Unreachable, FileNotFoundError."""

    def exists(self, name: str) -> bool:
        """Say whether there is a file of this name."""

    def size(self, name: str) -> int:
        """Return how many bytes a file has."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is gone already is removed."""

    def publish(self, draft: Path, name: str, beat: Callable[[], None]) -> None:
        """Give a whole draft its final name at one stroke; the same content may come again."""

    def blocks(self, name: str, span: range) -> Iterator[bytes]:
        """Yield the bytes of a span, as far as the file has them."""

    def local_copy(self, name: str) -> AbstractContextManager[Path]:
        """Lend the file on this machine's disk."""

    def link(self, name: str, *, lasts_s: int, content_type: str, disposition: str) -> str:
        """Return a link that a browser can follow for a while; "" if the desk has to serve it."""

    def sweep(self) -> int:
        """Remove what a dead publisher left behind; return how many."""
