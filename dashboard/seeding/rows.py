"""The rows of a seeded library, oldest first, as values by column: {model: {column: value}}.

Several hundred agents, customers who call again, weekdays and office hours, lengths as they are in
life; most files are stored, a few failed or are missing.
"""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

from dashboard.seeding.talk import SURNAMES, Sentence, conversation
from recordings.models import State, place_of
from recordings.search.document import document, lines

AGENTS = [f"sip:agent{number}@example-cc.sip.telnyx.com" for number in range(10, 410)]
LINES = [f"+1800555{number:04}" for number in range(100, 112)]
REGIONS = ("+1212", "+1312", "+1415", "+4420", "+4930", "+3361")
CALLS_PER_CUSTOMER = 4
MOST_CALLS = 1_000_000
TAGS = ("billing", "praise", "training", "vip", "escalated", "follow up", "legal", "language")
TAG_COLOURS = ("blue", "green", "yellow", "orange", "red", "purple", "grey", "blue")
STATES = (State.STORED, State.MISSING, State.FAILED, State.DELETED, State.CORRUPT)
STATE_WEIGHTS = (975, 10, 8, 6, 1)
REASONS = {
    State.MISSING: "Telnyx lists no recording of this call.",
    State.FAILED: "Telnyx reported an error: the call ended before recording began.",
    State.DELETED: "Deleted at the customer's request.",
    State.CORRUPT: "The file's checksum is not what it was when it was stored.",
}
FLAGS = ("Complaint about an agent", "Card number on the tape", "Worth hearing in the training")
WEEKDAYS = (20, 19, 18, 18, 17, 6, 2)
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 16, 22, 24, 22, 18, 20, 23, 22, 18, 12, 8, 6, 4, 3, 2, 1)

Values = dict[str, object]


@dataclass(frozen=True, slots=True)
class Sound:
    """A file that many recordings share, as the storage is content-addressed."""

    path: str
    peaks: str
    sha256: str
    size_bytes: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Seed:
    """One call with its recording, in the values of its rows."""

    call: Values
    recording: Values
    transcript: Values | None
    text: Values
    review: Values | None
    tag: int | None  # index into TAGS


def starts(chance: random.Random, count: int, first: datetime, days: int) -> Iterator[datetime]:
    """Yield so many moments, in order: most on weekdays and in office hours."""
    dates = [first.date() + timedelta(days=day) for day in range(days)]
    weights = [WEEKDAYS[date.weekday()] for date in dates]
    total, done, upto = sum(weights), 0, 0
    for date, weight in zip(dates, weights, strict=True):
        upto += weight
        today = count * upto // total - done
        done += today
        hours = chance.choices(range(24), HOURS, k=today)
        midnight = datetime.combine(date, time(), UTC)
        yield from sorted(
            midnight + timedelta(hours=hour, milliseconds=int(3_600_000 * chance.random()))
            for hour in hours
        )


def _number(chance: random.Random) -> str:
    region = REGIONS[int(len(REGIONS) * chance.random() ** 2)]
    return f"{region}{int(10_000_000 * chance.random()):07}"


@lru_cache(1)
def customers(town: str, count: int) -> list[str]:
    """Return the numbers of those who call, the same in every stretch of time."""
    chance = random.Random(town)  # noqa: S311  (the same customers every time)
    return [_number(chance) for _ in range(count)]


class Centre:
    """A contact centre with its people; deterministic by its seed."""

    def __init__(self, seed: str, sounds: Sequence[Sound], town: str, count: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311  (the same calls every time)
        self.sounds = sounds
        self.customers = customers(town, max(3, min(count, MOST_CALLS) // CALLS_PER_CUSTOMER))

    def calls(self, count: int, first: datetime, days: int) -> Iterator[Seed]:
        """Yield calls, oldest first."""
        for start in starts(self.chance, count, first, days):
            yield self._call(start)

    def _call(self, start: datetime) -> Seed:
        chance = self.chance
        customer_at = int(len(self.customers) * chance.random() ** 2)
        customer, line = self.customers[customer_at], chance.choice(LINES)
        surname = SURNAMES[customer_at * 7919 % len(SURNAMES)]
        is_incoming = chance.random() < 0.7
        caller, called = (customer, line) if is_incoming else (line, customer)
        direction = "incoming" if is_incoming else "outgoing"
        agent = AGENTS[int(len(AGENTS) * chance.random() ** 1.3)]
        leg, pk = self._uuid(), self._uuid()
        sound = chance.choice(self.sounds)
        end = start + timedelta(milliseconds=sound.duration_ms)
        (state,) = chance.choices(STATES, STATE_WEIGHTS)
        said: list[Sentence] = []
        if chance.random() < 0.85 and state in (State.STORED, State.CORRUPT):
            said = conversation(chance, sound.duration_ms)
        text = " ".join(sentence.text for sentence in said)
        call: Values = {
            "id": leg,
            "call_leg_id": str(leg),
            "call_control_id": f"v3:{leg}",
            "conversation": str(leg),
            "first_heard_at": start,
            "closed_at": end,
            "line": "ended",
            "direction": direction,
            "from_number": caller,
            "to_number": called,
            "caller_name": surname if is_incoming else "",
            "started_at": start,
            "answered_at": start,
            "ended_at": end,
            "hangup_cause": "normal_clearing",
        }
        flagged, reviewed = chance.random() < 0.01, chance.random() < 0.2
        recording: Values = {
            "id": pk,
            "call": leg,
            "recording_id": str(self._uuid()),
            "state": state,
            "since": end,
            "reason": REASONS.get(state, ""),
            "announced_at": end,
            "place": place_of(start, pk),
            "started_at": start,
            "ended_at": end,
            "from_number": caller,
            "to_number": called,
            "direction": direction,
            "agent": agent,
            "has_transcript": bool(said),
            "flagged": flagged,
            "reviewed": reviewed,
            "paused": chance.random() < 0.08,
        }
        if state in (State.STORED, State.CORRUPT):
            recording |= {
                "format": "wav",
                "channels": 2 if chance.random() < 0.9 else 1,
                "duration_ms": sound.duration_ms,
                "path": sound.path,
                "peaks": sound.peaks,
                "sha256": sound.sha256,
                "size_bytes": sound.size_bytes,
            }
        addresses = [caller, called, agent]
        return Seed(
            call,
            recording,
            self._transcript(leg, pk, recording, said, text, end) if said else None,
            {
                "recording": pk,
                "place": recording["place"],
                "document": document(text, addresses, str(call["caller_name"])),
                "lines": lines((each.text, each.start_ms) for each in said),
            },
            self._review(pk, end, flagged=flagged, reviewed=reviewed),
            int(len(TAGS) * chance.random() ** 3) if chance.random() < 0.12 else None,
        )

    def _transcript(
        self,
        leg: uuid.UUID,
        pk: uuid.UUID,
        recording: Values,
        said: list[Sentence],
        text: str,
        end: datetime,
    ) -> Values:
        segments = [
            {
                "text": each.text,
                "start_ms": each.start_ms,
                "end_ms": each.end_ms,
                "confidence": 0.9,
                "channel": each.side,
                "words": [],
            }
            for each in said
        ]
        return {
            "call": leg,
            "recording": pk,
            "recording_key": recording["recording_id"],
            "recording_transcription_id": str(self._uuid()),
            "status": "completed",
            "text": text,
            "told_at": end,
            "language": "en",
            "segments": segments,
            "timing": "timed",
        }

    def _review(
        self, pk: uuid.UUID, end: datetime, *, flagged: bool, reviewed: bool
    ) -> Values | None:
        if not flagged and not reviewed:
            return None
        later = end + timedelta(hours=20 * self.chance.random())
        return {
            "recording": pk,
            "flagged_at": later if flagged else None,
            "flagged_by": "lee" if flagged else "",
            "flag_reason": self.chance.choice(FLAGS) if flagged else "",
            "reviewed_at": later if reviewed else None,
            "reviewed_by": "lee" if reviewed else "",
        }

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.chance.getrandbits(128), version=4)
