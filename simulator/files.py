"""The recordings' files and their links: rendered when first wanted, signed links that expire.

/telephony-recorder-prod/<recording>/<date>/<name>.wav?X-Amz-Date=...&X-Amz-Expires=600&X-Amz-Signature=...
"""

import hashlib
import hmac
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from simulator import audio
from simulator.legs import Recording
from simulator.settings import Settings

BUCKET = "/telephony-recorder-prod/"
TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
DATE = "%Y%m%dT%H%M%SZ"


def recording_id(path: str) -> str:
    """Return the id of the recording that a link's path leads to."""
    return path.removeprefix(BUCKET).partition("/")[0]


class Shelf:
    """The files of finished recordings."""

    def __init__(
        self, folder: Path, secret: bytes, settings: Settings, fetch: audio.Fetch
    ) -> None:
        self.base_url = ""  # known once the server has its port
        self._folder = folder / "recordings"
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.iterdir():  # of an earlier world, whose ids may come again
            left.unlink(missing_ok=True)
        self._secret, self._settings, self._fetch = secret, settings, fetch
        self._lock = threading.Lock()

    def formats(self) -> tuple[str, ...]:
        """Return the formats that files can have here."""
        return ("mp3", "wav") if audio.can_write_mp3() else ("wav",)

    def file(self, recording: Recording, extension: str) -> Path:
        """Return a recording's file, rendering it first if need be."""
        path = self._path(recording, extension)
        if path.exists():
            return path
        with self._lock:
            if not path.exists():
                self._render(recording, path, extension)
        return path

    def drop(self, recording: Recording) -> None:
        """Remove a recording's files."""
        with self._lock:
            for extension in TYPES:
                self._path(recording, extension).unlink(missing_ok=True)

    def link(self, recording: Recording, extension: str, at: datetime) -> str:
        """Return a link that works from now on, for as long as the settings say."""
        date, expires = at.strftime(DATE), max(1, round(self._settings.link_ttl_s))
        path = f"{BUCKET}{recording.id}/{at:%Y-%m-%d}/{recording.name}.{extension}"
        credential = f"SIMULATOR%2F{at:%Y%m%d}%2Fus-east-1%2Fs3%2Faws4_request"
        return (
            f"{self.base_url}{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}"
            f"&X-Amz-Date={date}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host"
            f"&X-Amz-Signature={self._signature(path, date, str(expires))}"
        )

    def links(self, recording: Recording, at: datetime) -> dict[str, str]:
        """Return a fresh link for every format."""
        return {extension: self.link(recording, extension, at) for extension in self.formats()}

    def verdict(
        self, path: str, query: dict[str, str], now: datetime
    ) -> Literal["good", "expired", "forged"]:
        """Return whether a link works."""
        date, expires = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
        expected = self._signature(path, date, expires)
        if not hmac.compare_digest(query.get("X-Amz-Signature", "").encode(), expected.encode()):
            return "forged"
        signed_at = datetime.strptime(date, DATE).replace(tzinfo=UTC)
        return "good" if now < signed_at + timedelta(seconds=int(expires)) else "expired"

    def _path(self, recording: Recording, extension: str) -> Path:
        return self._folder / f"{recording.id}.{extension}"

    def _render(self, recording: Recording, path: Path, extension: str) -> None:
        part = path.with_suffix(".part")
        if extension == "wav":
            audio.write_wav(part, recording, self._fetch)
        else:
            wav = self._path(recording, "wav")
            if not wav.exists():
                self._render(recording, wav, "wav")
            audio.write_mp3(part, wav)
        part.replace(path)

    def _signature(self, path: str, date: str, expires: str) -> str:
        text = f"{path}\n{date}\n{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
