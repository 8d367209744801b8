"""Files in a bucket of S3, or of a service that speaks S3. A finished upload publishes them.

    draft -> PUT, or parts and then one "complete" -> HEAD: size and SHA-256 as sent

Each request carries the SHA-256 of its bytes, so the store refuses what was altered on the way.
"""

import threading
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from django.utils import timezone
from storages.backends.s3 import S3Storage

from recordings.storage import drafts
from recordings.storage.contract import BLOCK_BYTES, Unreachable

PART_BYTES = 8 << 20  # S3: at least 5 MiB, at most 10,000 parts
PATIENCE = {"connect_timeout": 5, "read_timeout": 30}
TRIES = 3  # within one request of ours; then the recording waits for a minute
UPLOAD_DEAD_AFTER = timedelta(days=1)
TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
ENDLESS = 1 << 62
PLAINLY: dict[type[Exception], str] = {
    ConnectTimeoutError: "does not answer",
    EndpointConnectionError: "cannot be reached",
    NoCredentialsError: "needs keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ReadTimeoutError: "does not answer",
}


class BucketStorage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """Files in one bucket, below a prefix."""

    def __init__(self, **options: Any) -> None:
        style = options.pop("addressing_style")
        options["client_config"] = Config(
            **PATIENCE,
            s3={"addressing_style": style},
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": TRIES},
            # only the checksums named here: other services refuse those they do not know
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        super().__init__(**options)
        self._lock = threading.Lock()

    @cached_property
    def _client_once(self) -> Any:
        return self.connection.meta.client

    @property
    def client(self) -> Any:
        """The client: threads may share one, and making one takes a tenth of a second."""
        with self._lock:
            return self._client_once

    def key(self, name: str) -> str:
        """Return the name within the bucket. Raises ValueError for a name out of bounds."""
        drafts.local_path(name)
        return "/".join(filter(None, [self.location.strip("/"), name]))

    def exists(self, name: str) -> bool:
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return int(self._head(name)["ContentLength"])

    def delete(self, name: str) -> None:
        with self._named_faults(name):
            self.client.delete_object(**self._at(name))

    def publish(self, draft: Path, name: str, beat: Callable[[], None]) -> None:
        size = draft.stat().st_size
        try:
            checksum = (
                self._put(draft, name) if size <= PART_BYTES else self._send(draft, name, beat)
            )
            beat()
            kept = self._head(name)
        except FileNotFoundError as exc:
            raise Unreachable(f"The bucket {self.bucket_name} did not keep a file.") from exc
        # a service that keeps no SHA-256 was at least given one with each request; of parts the
        # checksum may be told with their number, or without
        told = kept.get("ChecksumSHA256", checksum).partition("-")[0]
        if kept["ContentLength"] != size or told != checksum:
            self.delete(name)
            raise Unreachable(f"The bucket {self.bucket_name} kept other bytes than were sent.")

    def blocks(self, name: str, span: range) -> Iterator[bytes]:
        if not span:
            return
        part = {} if span == range(ENDLESS) else {"Range": f"bytes={span.start}-{span.stop - 1}"}
        with self._named_faults(name, empty_range=True):
            body = self.client.get_object(**self._at(name), **part)["Body"]
            try:
                yield from body.iter_chunks(BLOCK_BYTES)
            finally:
                body.close()

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        drafts.check_room(self.size(name))
        with drafts.scratch(f"copy.{uuid.uuid4()}") as path:
            for block in self.blocks(name, range(ENDLESS)):
                drafts.append(path, block)
            yield path

    def link(self, name: str, *, lasts_s: int, content_type: str, disposition: str) -> str:
        shown = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        asked = self._at(name) | shown | {"ResponseCacheControl": "private, no-store"}
        with self._named_faults(name):  # without a request: it is computed here
            return str(self.client.generate_presigned_url("get_object", asked, ExpiresIn=lasts_s))

    def sweep(self) -> int:
        """Abort the uploads of publishers that must be dead; return how many."""
        with self._named_faults("uploads"):
            prefix = f"{self.location.strip('/')}/".lstrip("/")
            listed = self.client.list_multipart_uploads(Bucket=self.bucket_name, Prefix=prefix)
            dead = [each for each in listed.get("Uploads", ()) if _is_dead(each["Initiated"])]
            for each in dead:
                self.client.abort_multipart_upload(
                    Bucket=self.bucket_name, Key=each["Key"], UploadId=each["UploadId"]
                )
        return len(dead)

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self.key(name)}

    def _head(self, name: str) -> dict[str, Any]:
        with self._named_faults(name):
            found: dict[str, Any] = self.client.head_object(
                **self._at(name), ChecksumMode="ENABLED"
            )
        return found

    def _put(self, draft: Path, name: str) -> str:
        """Upload a small file; return its checksum as the store will tell it."""
        body = draft.read_bytes()
        checksum = _sha256(body)
        sums = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum}
        with self._named_faults(name):
            self.client.put_object(**self._at(name), **sums, Body=body, ContentType=_type(name))
        return checksum

    def _send(self, draft: Path, name: str, beat: Callable[[], None]) -> str:
        """Upload a large file in parts; return the checksum of its parts' checksums."""
        with self._named_faults(name):
            upload = self._at(name) | {
                "UploadId": self.client.create_multipart_upload(
                    **self._at(name), ContentType=_type(name), ChecksumAlgorithm="SHA256"
                )["UploadId"]
            }
            try:
                parts = list(self._parts(draft, upload, beat))
                self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except BaseException:
                self._abort(upload)
                raise
        return _sha256(b"".join(b64decode(part["ChecksumSHA256"]) for part in parts))

    def _parts(
        self, draft: Path, upload: dict[str, str], beat: Callable[[], None]
    ) -> Iterator[dict[str, Any]]:
        with draft.open("rb") as file:
            number = 1
            while body := file.read(PART_BYTES):
                beat()
                told = {"PartNumber": number, "ChecksumSHA256": _sha256(body)}
                kept = self.client.upload_part(
                    **upload, **told, Body=body, ChecksumAlgorithm="SHA256"
                )
                yield told | {"ETag": kept["ETag"]}
                number += 1

    def _abort(self, upload: dict[str, str]) -> None:
        """Take an upload back; one that cannot be is for the sweep."""
        try:
            self.client.abort_multipart_upload(**upload)
        except (BotoCoreError, ClientError):
            pass

    @contextmanager
    def _named_faults(self, name: str, *, empty_range: bool = False) -> Iterator[None]:
        """Turn what the store or the line to it says into FileNotFoundError or Unreachable."""
        try:
            yield
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", ""))
            if code in ("404", "NoSuchKey"):
                raise FileNotFoundError(f"There is no file {name}.") from exc
            if code == "InvalidRange" and empty_range:
                return
            raise Unreachable(f"The bucket {self.bucket_name} answered {code[:40]}.") from exc
        except (BotoCoreError, OSError) as exc:
            why = PLAINLY.get(type(exc), f"cannot be used: {type(exc).__name__}")
            raise Unreachable(f"The bucket {self.bucket_name} {why}.") from exc


def _is_dead(initiated: datetime) -> bool:
    return initiated < timezone.now() - UPLOAD_DEAD_AFTER


def _type(name: str) -> str:
    return TYPES.get(name.rpartition(".")[2], "application/octet-stream")


def _sha256(body: bytes) -> str:
    """Return the checksum as S3 spells it."""
    return b64encode(sha256(body).digest()).decode()
