"""Let people hear what became of a recording. Call it in the transaction that writes it down."""

from calls import signals
from recordings.models import FoundBy, Recording, State

KINDS = {
    State.STORED: "recording.stored",
    State.MISSING: "recording.missing",
    State.FAILED: "recording.failed",
    State.CORRUPT: "recording.damaged",
}
WORDS = {
    State.STORED: "A recording is stored",
    State.MISSING: "A recording is missing",
    State.FAILED: "A recording failed",
    State.CORRUPT: "A recording is damaged",
}


def tell(recording: Recording, state: str, reason: str = "") -> None:
    """Tell that a recording came to a state that people hear of; an import of years is no news."""
    known = State(state)
    if known not in KINDS or (known == State.STORED and recording.found_by == FoundBy.IMPORT):
        return
    signals.tell(
        KINDS[known],
        f"{WORDS[known]}: {recording}",
        reason,
        recording.get_absolute_url(),
        cause=f"{recording.pk}:{recording.attempts}",
        recording=recording.pk,
        call=recording.call_id,
    )
