"""Files in the making, below MEDIA_ROOT/tmp on this machine's disk, wherever they go later.

A draft is nobody's until it is published; whoever opened it removes it, and the sweep the rest.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from recordings.storage.contract import NoRoom

FREE_FLOOR_BYTES = (
    1 << 30
)  # our choice: room for the largest file, so that it cannot fill the disk
DEAD_AFTER = timedelta(hours=1)


def local_path(name: str) -> Path:
    """Return where a file is on this machine. Raises ValueError for a name out of bounds."""
    root = Path(settings.MEDIA_ROOT)
    path = root / name
    if not name or ".." in path.parts or not path.is_relative_to(root):
        raise ValueError(f"{name!r} is no name of a stored file")
    return path


@contextmanager
def draft(name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file below tmp; it is gone afterwards unless it was published.

    Raises NoRoom for whatever the disk says, also inside the block.
    """
    part = local_path(f"tmp/{name}.part")
    try:
        with disk_faults():
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield part, file
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Lend an empty file below tmp; what goes wrong inside the block is the borrower's own."""
    part = local_path(f"tmp/{name}.part")
    try:
        with disk_faults():
            part.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
        yield part
    finally:
        part.unlink(missing_ok=True)


def append(part: Path, block: bytes) -> None:
    """Write on. Raises NoRoom for whatever the disk says."""
    with disk_faults(), part.open("ab") as file:
        file.write(block)


@contextmanager
def disk_faults() -> Iterator[None]:
    """Turn what the disk says into NoRoom."""
    try:
        yield
    except OSError as exc:
        raise NoRoom(f"The media folder cannot be written: {exc.strerror or exc}.") from exc


def check_room(wanted_bytes: int = 0) -> None:
    """Raise NoRoom if a file of this size would leave too little free."""
    root = Path(settings.MEDIA_ROOT)
    with disk_faults():
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
    if free - wanted_bytes < FREE_FLOOR_BYTES:
        raise NoRoom(
            f"The media folder has {free >> 20} MB free,"
            f" and {FREE_FLOOR_BYTES >> 20} MB must stay free."
        )


def discard(prefix: str) -> None:
    """Remove the drafts whose names begin so."""
    for part in Path(settings.MEDIA_ROOT, "tmp").glob(f"{prefix}*.part"):
        part.unlink(missing_ok=True)


def sweep(*, older_than: timedelta = DEAD_AFTER) -> int:
    """Remove drafts whose writer must be dead; return how many."""
    removed = 0
    limit = time.time() - older_than.total_seconds()
    for part in Path(settings.MEDIA_ROOT, "tmp").glob("*.part"):
        try:
            if part.stat().st_mtime < limit:
                part.unlink()
                removed += 1
        except FileNotFoundError:  # its writer was quicker
            continue
    return removed
