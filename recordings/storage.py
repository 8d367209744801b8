"""Where files live: below MEDIA_ROOT, under the name that their content gives them.

    tmp/<name>.part --publish, atomically--> <sha[:2]>/<sha>.<extension>

A file is either whole and under its final name, or below tmp and nobody's.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

FREE_FLOOR_BYTES = (
    1 << 30
)  # our choice: room for the largest file, so that it cannot fill the disk


class NoRoom(Exception):
    """The storage takes no file now; the text says why."""


def local_path(name: str) -> Path:
    """Return where a file is on this machine. Raises ValueError for a name out of bounds."""
    root = Path(settings.MEDIA_ROOT)
    path = root / name
    if not name or ".." in path.parts or not path.is_relative_to(root):
        raise ValueError(f"{name!r} is no name of a stored file")
    return path


@contextmanager
def local_copy(name: str) -> Iterator[Path]:
    """Yield where a file can be read on this machine. Raises FileNotFoundError."""
    path = local_path(name)
    if not path.is_file():
        raise FileNotFoundError(f"The file {name} is not in the storage.")
    yield path


def exists(name: str) -> bool:
    """Say whether there is a file of this name."""
    return bool(name) and local_path(name).is_file()


def size(name: str) -> int:
    """Return how many bytes a file has. Raises FileNotFoundError."""
    return local_path(name).stat().st_size


def read(name: str) -> bytes:
    """Return a whole file; for small ones. Raises FileNotFoundError."""
    return local_path(name).read_bytes()


def content_name(sha256: str, extension: str) -> str:
    """Return the name of the file with this content."""
    return f"{sha256[:2]}/{sha256}.{extension}"


@contextmanager
def draft(name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file below tmp; it is gone afterwards unless it was published.

    Raises NoRoom for whatever the disk says, also inside the block.
    """
    part = local_path(f"tmp/{name}.part")
    try:
        with _disk_faults():
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield part, file
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _disk_faults() -> Iterator[None]:
    """Turn what the disk says into NoRoom."""
    try:
        yield
    except OSError as exc:
        raise NoRoom(f"The media folder cannot be written: {exc.strerror or exc}.") from exc


def check_room(wanted_bytes: int = 0) -> None:
    """Raise NoRoom if a file of this size would leave too little free."""
    root = Path(settings.MEDIA_ROOT)
    with _disk_faults():
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
    if free - wanted_bytes < FREE_FLOOR_BYTES:
        raise NoRoom(
            f"The media folder has {free >> 20} MB free,"
            f" and {FREE_FLOOR_BYTES >> 20} MB must stay free."
        )


def publish(part: Path, file: BinaryIO, name: str) -> None:
    """Give a draft its final name, durably. The same content twice is the same file."""
    target = local_path(name)
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    part.chmod(0o440)
    part.replace(target)
    for folder in (target.parent, target.parent.parent):
        _sync_folder(folder)


def remove(name: str) -> None:
    """Remove a published file, durably; harmless if it is gone. Raises NoRoom."""
    path = local_path(name)
    with _disk_faults():
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(prefix: str) -> None:
    """Remove the drafts whose names begin so."""
    for part in Path(settings.MEDIA_ROOT, "tmp").glob(f"{prefix}*.part"):
        part.unlink(missing_ok=True)


def sweep(*, older_than: timedelta = timedelta(hours=1)) -> int:
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
