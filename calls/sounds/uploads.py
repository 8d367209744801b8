"""Uploads end at Telnyx's limit: what is longer is read and dropped, and never lies on the disk.

The settings put it before Django's own handlers, for the body is parsed before any view runs.
"""

from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from calls.telnyx.api import MEDIA_BYTES

MOST_BYTES = MEDIA_BYTES


class Bounded(FileUploadHandler):
    """Passes a file on until it is too long."""

    def new_file(self, *args: object, **kwargs: object) -> None:
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > MOST_BYTES:
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None  # the next handler makes the file
