"""Does the length of a file fit the pauses that Telnyx accepted? The only proof there will be.

    length of the file, how long the recording ran, its pauses --> Proof

Telnyx confirms no pause and no resume, and does not say whether a file holds silence for a pause
or nothing. Either fits; a length that fits neither means that something was recorded which should
not have been, or the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calls.models import WebhookEvent
from recordings import pauses
from recordings.filetime import merged, total_s
from recordings.models import Recording
from recordings.pauses import How, Pause

LEAST_TOLERANCE_S = 2.0
TOLERANCE = 0.02  # of the length


@dataclass(frozen=True, slots=True)
class Proof:
    """The lengths, in seconds, and whether they fit; None where nobody can tell."""

    file_s: float
    ran_s: float
    paused_s: float
    fits: bool | None

    @property
    def expected_s(self) -> float:
        """Return how long the file is without what was paused."""
        return self.ran_s - self.paused_s


def of(recording: Recording, found: Sequence[Pause], *, is_trimmed: bool) -> Proof | None:
    """Hold a file's length against its pauses; None if a length is missing."""
    if recording.duration_s is None or recording.took_ms is None:
        return None
    file_s, ran_s = recording.duration_s, recording.took_ms / 1000
    paused_s = total_s(merged(pause.stretch for pause in found))
    tolerance = max(LEAST_TOLERANCE_S, TOLERANCE * ran_s)
    off = min(abs(file_s - (ran_s - paused_s)), abs(file_s - ran_s))
    is_bound = bool(found or recording.paused) and not is_trimmed
    return Proof(file_s, ran_s, paused_s, off <= tolerance if is_bound else None)


def marks(recording: Recording) -> dict[str, bool]:
    """Return the columns that say how a file stands to its pauses; two queries."""
    commands = pauses.moves(recording)
    events = WebhookEvent.objects.filter(
        call_leg_id=recording.call.call_leg_id, occurred_at__isnull=False
    )
    ahead = pauses.skew(recording, commands, events.defer("raw")[:CLOCKED])
    found = pauses.of(recording, commands, ahead)
    trimmed = any(command.params.get("trim") == "trim-silence" for command in commands)
    proof = of(recording, found, is_trimmed=trimmed)
    return {
        "pause_unverified": proof is not None and proof.fits is False,
        "ended_paused": any(pause.how is How.CALL_END for pause in found),
    }


CLOCKED = 200  # events that tell how far apart the clocks are
