"""Files in a folder of this machine: the default. A rename within one disk publishes them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.storage import FileSystemStorage

from recordings.storage.contract import BLOCK_BYTES
from recordings.storage.drafts import local_path


class FolderStorage(FileSystemStorage):
    """Files below MEDIA_ROOT."""

    def path(self, name: str) -> str:
        return str(local_path(name))

    def exists(self, name: str) -> bool:
        return local_path(name).is_file()

    def delete(self, name: str) -> None:
        path = local_path(name)
        if path.exists():
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)  # else a power cut could bring the file back

    def publish(self, draft: Path, name: str, beat: Callable[[], None]) -> None:
        target = local_path(name)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        beat()
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.chmod(0o440)
        draft.replace(target)
        for folder in (target.parent, target.parent.parent):
            _sync_folder(folder)

    def blocks(self, name: str, span: range) -> Iterator[bytes]:
        with local_path(name).open("rb") as file:
            file.seek(span.start)
            left = len(span)
            while left > 0 and (block := file.read(min(left, BLOCK_BYTES))):
                left -= len(block)
                yield block

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        path = local_path(name)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {name}.")
        yield path

    def link(self, name: str, *, lasts_s: int, content_type: str, disposition: str) -> str:
        return ""

    def sweep(self) -> int:
        return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
