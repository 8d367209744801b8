"""Which recording came of which start: as many pairs as fit, in order, as near in time as can be.

    pair([Start(...), ...], [File(...), ...]) -> {start: file}

The start is timed by our clock and the file by Telnyx's, so a pair may be some minutes apart: a
desk whose clock is further off takes no webhook at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

APART = timedelta(minutes=5)  # the window in which webhooks are believed (signature.py)

Best: TypeAlias = tuple[int, float, tuple[tuple[UUID, UUID], ...]]  # pairs (negative), s apart
NOTHING: Best = (0, 0.0, ())


@dataclass(frozen=True, slots=True)
class Start:
    """An accepted start."""

    key: UUID
    at: datetime
    recording_id: str = ""  # promised by Telnyx, for a call recorded from its answer on


@dataclass(frozen=True, slots=True)
class File:
    """A recording, or what came instead of one."""

    key: UUID
    at: datetime
    recording_id: str = ""
    is_later: bool = False  # its time is when it ended or failed, not when it began


def pair(starts: Sequence[Start], files: Sequence[File]) -> dict[UUID, UUID]:
    """Return the file of each start that has one."""
    promised = {file.recording_id: file for file in files if file.recording_id}
    exact = {
        start.key: promised[start.recording_id].key
        for start in starts
        if start.recording_id in promised
    }
    # a promise that nothing kept is nobody else's file
    rest = sorted(
        (start for start in starts if not start.recording_id), key=lambda start: start.at
    )
    taken = set(exact.values())
    free = sorted((file for file in files if file.key not in taken), key=lambda file: file.at)
    return exact | _in_order(rest, free)


def _in_order(starts: Sequence[Start], files: Sequence[File]) -> dict[UUID, UUID]:
    """Pair most, then nearest: the best of skipping a start, skipping a file, or pairing both."""
    row: list[Best] = [NOTHING] * (len(files) + 1)  # of the starts after this one
    for start in reversed(starts):
        above, row = row, [NOTHING] * (len(files) + 1)
        for place in range(len(files) - 1, -1, -1):
            row[place] = min(above[place], row[place + 1])
            apart_s = _apart_s(start, files[place])
            if apart_s is not None:
                fewer, cost, keys = above[place + 1]
                both = (start.key, files[place].key)
                row[place] = min(row[place], (fewer - 1, cost + apart_s, (both, *keys)))
    return dict(row[0][2])


def _apart_s(start: Start, file: File) -> float | None:
    """Return how far a file is from a start, in seconds; None if they cannot belong together."""
    apart = file.at - start.at
    if apart < -APART or (apart > APART and not file.is_later):
        return None
    return abs(apart.total_seconds())
