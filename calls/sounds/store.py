"""The bytes of the library's files, in the desk's storage: a folder, or a bucket.

Django's default storage here is one that publishes whole files durably; this names the part of it
that is used. What it says when it cannot is the storage's own, so every fault becomes Trouble.
"""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

logger = logging.getLogger(__name__)

FOLDER = "sounds"


class Trouble(Exception):
    """The storage cannot be used now; the text says why."""


class Place(Protocol):
    """What the desk's storages can do beyond Django's."""

    def publish(self, draft: Path, name: str, beat: Callable[[], None]) -> None:
        """Give a whole draft its final name at one stroke."""

    def blocks(self, name: str, span: range) -> Iterator[bytes]:
        """Yield the bytes of a span."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is gone already is removed."""

    def link(self, name: str, *, lasts_s: int, content_type: str, disposition: str) -> str:
        """Return a link into a bucket; "" if the desk has to serve the file."""


def _place() -> Place:
    return cast("Place", default_storage)


@contextmanager
def drafts(count: int) -> Iterator[list[Path]]:
    """Lend files in the making, where the sweep of drafts finds what a killed process left."""
    folder = Path(settings.MEDIA_ROOT, "tmp")
    paths = [folder / f"sound-{uuid.uuid4().hex}.part" for _ in range(count)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield paths
    except OSError as exc:
        raise Trouble(f"The media folder cannot be written: {exc.strerror or exc}.") from exc
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def publish(draft: Path, name: str) -> None:
    """Keep a draft under its name. Raises Trouble."""
    with _told():
        _place().publish(draft, name, lambda: None)


def read(name: str) -> bytes:
    """Return a whole file; the library's have 20 MB at most. Raises Trouble."""
    with _told():
        return b"".join(_place().blocks(name, range(1 << 62)))


def delete(name: str) -> None:
    """Remove a file for good. Raises Trouble."""
    with _told():
        _place().delete(name)


def link(name: str, *, lasts_s: int, content_type: str) -> str:
    """Return a link that a browser can follow for a while; "" where the desk serves the file."""
    with _told():
        return _place().link(
            name, lasts_s=lasts_s, content_type=content_type, disposition="inline"
        )


def names(*, older_than: timedelta) -> list[str]:
    """Return the library's files that have lain there for a while. Raises Trouble."""
    with _told():
        try:
            _, files = default_storage.listdir(FOLDER)
        except FileNotFoundError:  # nothing was uploaded yet
            return []
        limit = timezone.now() - older_than
        kept = (f"{FOLDER}/{file}" for file in files)
        return [name for name in kept if default_storage.get_modified_time(name) < limit]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # a disk's, a bucket's: each has its own, and all mean "not now"
        raise Trouble(str(exc) or type(exc).__name__) from exc
