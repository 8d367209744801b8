"""What the two sides say of a round: the truth of the simulator, and the rows of the desk."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import requests

from dashboard.bench import machine
from dashboard.bench.desk import Desk
from dashboard.torture.hands import Press

Row = dict[str, Any]
COLUMNS = {
    "calls_call": "id call_leg_id line recording sound",
    "calls_command": "id call_id request_id kind state attempts error",
    "calls_webhookevent": "event_id event_type state error",
    "recordings_recording": "recording_id call_id state reason path sha256 size_bytes attempts",
}


class File(NamedTuple):
    """What a file is, apart from its name."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Truth:
    """What the simulator knows of the calls of a round."""

    calls: list[Row]
    commands: list[Row]
    webhooks: list[Row]
    files: dict[str, File] = field(default_factory=dict)  # by recording_id


@dataclass(frozen=True)
class Book:
    """What the desk has written down of them. Ids are spelled as Telnyx has them."""

    calls: dict[str, Row]  # by call_leg_id
    commands: list[Row]
    events: dict[str, Row]  # by event_id
    recordings: list[Row]
    files: dict[str, File] = field(default_factory=dict)  # on our disk, by path
    drafts: list[str] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)


class Clerk:
    """Reads both books of a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.media = desk.stage.folder / "media"
        self.files: dict[str, File] = {}  # of Telnyx, which never change
        command = next(filter(lambda line: "--api-key" in line, self._command_lines()))
        self.headers = {"Authorization": f"Bearer {command[command.index('--api-key') + 1]}"}

    def _command_lines(self) -> Iterable[list[str]]:
        return map(machine.command, machine.tree(self.desk.process.pid))

    def truth(self, sessions: Collection[str]) -> Truth:
        """Ask the simulator."""
        calls = [
            call
            for call in self.desk.lever("GET", "calls")["calls"]
            if call["call_session_id"] in sessions
        ]
        legs = {call["call_leg_id"] for call in calls}

        def of_round(what: str) -> list[Row]:
            rows = self.desk.lever("GET", what)[what]
            return [row for row in rows if row["call_leg_id"] in legs]

        made = [made for call in calls for made in call["recordings"] if made["state"] == "saved"]
        files = {each["id"]: self.file(each["id"], each["format"]) for each in made}
        return Truth(calls, of_round("commands"), of_round("webhooks"), files)

    def file(self, recording_id: str, extension: str) -> File:
        """Return what Telnyx gives for a recording now."""
        if recording_id not in self.files:
            url = f"{self.desk.simulator}/v2/recordings/{recording_id}"
            answer = requests.get(url, headers=self.headers, timeout=10)
            answer.raise_for_status()
            got = requests.get(answer.json()["data"]["download_urls"][extension], timeout=30)
            got.raise_for_status()
            self.files[recording_id] = _file(got.content)
        return self.files[recording_id]

    def book(self, legs: Collection[str], presses: Iterable[Press]) -> Book:
        """Read the desk's rows about some legs, and the files that they name."""
        calls = self._rows("calls_call", "call_leg_id", legs)
        ids = [row["id"] for row in calls]
        recordings = self._rows("recordings_recording", "call_id", ids)
        paths = {row["path"] for row in recordings if row["path"]}
        return Book(
            {row["call_leg_id"]: row for row in calls},
            [
                row | {"id": str(UUID(row["id"]))}
                for row in self._rows("calls_command", "call_id", ids)
            ],
            {
                row["event_id"]: row
                for row in self._rows("calls_webhookevent", "call_leg_id", legs)
            },
            recordings,
            {path: found for path in paths if (found := self._found(self.media / path))},
            sorted(path.name for path in self.media.glob("tmp/*")),
            list(presses),
        )

    def _found(self, path: Path) -> File | None:
        return _file(path.read_bytes()) if path.exists() else None

    def _rows(self, table: str, column: str, keys: Collection[str]) -> list[Row]:
        names = COLUMNS[table].split()
        wanted = ", ".join(f"'{key}'" for key in keys)  # ids that the desk or simulator minted
        sql = f"SELECT {', '.join(names)} FROM {table} WHERE {column} IN ({wanted})"  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in self.desk.database.rows(sql)]


def _file(content: bytes) -> File:
    return File(len(content), hashlib.sha256(content).hexdigest())
