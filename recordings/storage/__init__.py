"""Where files live, under the name that their content gives them: a folder, or a bucket of S3.

    draft on this disk --publish, at one stroke--> <sha[:2]>/<sha>.<extension>

A file is either whole and under its final name, or a draft and nobody's. Both places are Django
storages behind `default_storage` and keep one contract (tests/test_storage.py).
Raises FileNotFoundError for what is not there, Trouble when the storage cannot be used.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files.storage import default_storage

from recordings.storage import drafts
from recordings.storage.contract import BLOCK_BYTES, NoRoom, Place, Trouble, Unreachable
from recordings.storage.drafts import FREE_FLOOR_BYTES, check_room, discard, draft, local_path

__all__ = [
    "BLOCK_BYTES",
    "FREE_FLOOR_BYTES",
    "NoRoom",
    "Trouble",
    "Unreachable",
    "blocks",
    "check_room",
    "content_name",
    "delete",
    "discard",
    "draft",
    "exists",
    "link",
    "local_copy",
    "local_path",
    "publish",
    "read",
    "size",
    "sweep",
]

ENDLESS = 1 << 62


def _place() -> Place:
    return cast("Place", default_storage)  # the settings name one of our two, nothing else


def content_name(sha256: str, extension: str) -> str:
    """Return the name of the file with this content."""
    return f"{sha256[:2]}/{sha256}.{extension}"


def exists(name: str) -> bool:
    """Say whether there is a file of this name."""
    return bool(name) and _place().exists(name)


def size(name: str) -> int:
    """Return how many bytes a file has."""
    return _place().size(name)


def read(name: str) -> bytes:
    """Return a whole file; for small ones."""
    return b"".join(blocks(name))


def blocks(name: str, *, start: int = 0, stop: int = ENDLESS) -> Iterator[bytes]:
    """Yield a file, or a range of it, in blocks of a megabyte at most."""
    return _place().blocks(name, range(start, stop))


def local_copy(name: str) -> AbstractContextManager[Path]:
    """Lend a file as a path on this machine's disk, for those who must seek or map it."""
    return _place().local_copy(name)


def publish(
    part: Path, file: BinaryIO, name: str, *, beat: Callable[[], None] = lambda: None
) -> None:
    """Give a draft its final name, durably. The same content twice is the same file.

    `beat` is called now and then: an upload may take longer than a lease.
    """
    file.flush()
    _place().publish(part, name, beat)


def delete(name: str) -> None:
    """Remove a file for good. One that is gone already is no fault."""
    if name:
        _place().delete(name)


def link(name: str, *, lasts_s: int, content_type: str, disposition: str) -> str:
    """Return a link to the file that any browser can follow for so long.

    "" where there is none, and the desk sends the bytes itself.
    """
    return _place().link(name, lasts_s=lasts_s, content_type=content_type, disposition=disposition)


def sweep() -> int:
    """Remove drafts and uploads whose writer must be dead; return how many."""
    return drafts.sweep() + _place().sweep()
