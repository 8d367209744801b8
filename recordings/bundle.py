"""Recordings as one ZIP, made while it is read: never more than a block of it is in memory.

<when>_<who>.wav  .txt  .json  for each recording        manifest.csv, SHA256SUMS at the end

Every file is read and compared with its checksum before a byte of it goes in. What lacks, or is
not what it was when it was stored, is in the manifest with the reason.
"""

import hashlib
import zipfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from access.policies import Right, may
from recordings import sheet, storage, texts
from recordings.models import Caption, Recording, State, Transcript

BLOCK_BYTES = 256 * 1024
YEARS = (1980, 2107)  # what a ZIP can say
TEXTS = ("txt", "json")
GONE = "There is no such recording any more, or you may not see it."
HEADER = (
    *("File", "SHA-256", "Size (bytes)", "Recording", "Telnyx's id", "Started (UTC)"),
    *("Ended (UTC)", "Direction", "From", "To", "Agent", "Length (s)", "Reason if lacking"),
)


class Lacking(Exception):
    """The sound of a recording cannot go into the ZIP; the text says why."""


class Sink:
    """What zipfile writes to: it keeps the bytes until somebody takes them."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self.parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing: zipfile asks for it."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self.parts)
        self.parts.clear()
        return taken


@dataclass
class Bundle:
    """One ZIP in the making: how far it is, and what is not in it."""

    user: User
    keys: list[UUID]
    done: int = 0
    shipped: list[UUID] = field(default_factory=list)
    lacking: list[tuple[str, str]] = field(default_factory=list)  # id, why

    def blocks(self) -> Generator[bytes, None, None]:
        """Yield the bytes of the ZIP; `done` tells how many recordings are through."""
        self.sink, self.sums = Sink(), list[str]()
        self.manifest: list[tuple[object, ...]] = [HEADER]
        self.archive = zipfile.ZipFile(self.sink, "w")  # type: ignore[call-overload]  # writes only
        with self.archive:
            yield from self._recordings()
            self._write("manifest.csv", sheet.lines(self.manifest), timezone.now())
            self._write("SHA256SUMS", "".join(self.sums).encode(), timezone.now())
        yield self.sink.take()

    def _recordings(self) -> Iterator[bytes]:
        seen: set[UUID] = set()
        may_read = may(self.user, Right.LISTEN)
        for recordings in sheet.chosen(self.user, self.keys):
            written = _calls_with_texts(recordings) if may_read else set()
            for recording in recordings:
                seen.add(recording.pk)
                yield from self._sound(recording)
                if recording.call_id in written:
                    self._texts(recording)
                self.done += 1
                yield self.sink.take()
        for key in self.keys:
            if key not in seen:
                self.lacking.append((str(key), GONE))
                self.manifest.append(("", "", "", key, *[""] * 8, GONE))
                self.done += 1

    def _sound(self, recording: Recording) -> Iterator[bytes]:
        """Add the sound of a recording, or say why not."""
        try:
            file = _unharmed(recording)
        except Lacking as exc:
            self.lacking.append((str(recording.pk), str(exc)))
            self._list("", "", "", recording, str(exc))
            return
        name = texts.file_name(recording, recording.path.rpartition(".")[2])
        entry = _entry(name, recording.started_at)
        entry.file_size = (
            recording.size_bytes or 0
        )  # so that zipfile knows whether it is a large one
        with closing(file), self.archive.open(entry, "w") as out:
            while block := file.read(BLOCK_BYTES):
                out.write(block)
                yield self.sink.take()
        self.shipped.append(recording.pk)
        self._list(name, recording.sha256, recording.size_bytes, recording)

    def _texts(self, recording: Recording) -> None:
        """Add what was said."""
        for kind in TEXTS:
            try:
                text = texts.export(recording, kind).text.encode()
            except texts.Nothing:
                return
            name = texts.file_name(recording, kind)
            self._list(name, hashlib.sha256(text).hexdigest(), len(text), recording)
            self._write(name, text, recording.started_at)

    def _list(
        self, name: str, sha256: str, size: object, recording: Recording, reason: str = ""
    ) -> None:
        """Add a file, or a lack of one, to the manifest."""
        one = recording
        if name:
            self.sums.append(f"{sha256}  {name}\n")
        times = (sheet.utc(one.started_at), sheet.utc(one.ended_at))
        parties = (one.direction, one.from_number, one.to_number, one.agent)
        ids = (one.pk, one.recording_id)
        self.manifest.append((name, sha256, size, *ids, *times, *parties, one.duration_s, reason))

    def _write(self, name: str, content: bytes, at: datetime) -> None:
        if name == "manifest.csv":
            self.sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        self.archive.writestr(_entry(name, at), content)


def blocks(plan: dict[str, Any]) -> Generator[bytes, None, None]:
    """Yield the ZIP of {"user", "recordings"}."""
    user = User.objects.get(pk=plan["user"])
    return Bundle(user, [UUID(key) for key in plan["recordings"]]).blocks()


def _calls_with_texts(recordings: list[Recording]) -> set[UUID]:
    """Return the calls of which something is written down: most of a desk's may have nothing."""
    calls = [recording.call_id for recording in recordings]
    some: set[UUID] = set()
    for texts_of_calls in (Transcript.objects, Caption.objects):
        some.update(texts_of_calls.filter(call__in=calls).values_list("call_id", flat=True))
    return some


def _unharmed(recording: Recording) -> BinaryIO:
    """Return the open file, read once to see that it is what was stored. Raises Lacking, Trouble.

    A copy from a bucket is gone by its name then, and lives as long as it is open.
    """
    if not recording.is_stored:
        state = State(recording.state).label
        raise Lacking(f"{state}: {recording.reason}" if recording.reason else f"{state}.")
    try:
        with storage.local_copy(recording.path) as path:
            file = path.open("rb")
    except FileNotFoundError as exc:
        raise Lacking("The file is not in the storage.") from exc
    except (OSError, ValueError) as exc:
        raise Lacking(f"The file cannot be read: {exc}.") from exc
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != recording.sha256:
        file.close()
        raise Lacking(f"The stored file is not what it was: its SHA-256 is {digest} now.")
    file.seek(0)
    return file


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    local = timezone.localtime(at)
    year = min(max(YEARS[0], local.year), YEARS[1])
    entry = zipfile.ZipInfo(name, (year, *local.timetuple()[1:6]))
    entry.external_attr = 0o644 << 16
    return entry
