"""What is still to come of a transcript: whether it was asked for, since when, what went wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import TextChoices

from recordings import asked
from recordings.models import Recording, Transcript
from recordings.said import Said

SOON = timedelta(hours=1)  # after it, a text that did not come is not waited for by the page
IN_PROGRESS = "in-progress"

Timing, Source = Transcript.Timing, Transcript.Source


class Text(TextChoices):
    """What is known of Telnyx's text."""

    HERE = "here"
    PENDING = "pending"  # wanted at the start of the recording, not here
    ASKED = "asked"  # Telnyx is asked where it stays
    MISSED = "missed"  # and does not have it
    EMPTY = "empty"  # Telnyx heard nobody speak
    NOT_ASKED = "not asked for"
    UNKNOWN = "unknown"  # the recording was not started from here


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a page says beside what was said."""

    text: Text
    since: datetime | None  # that a text is pending
    missed: str  # why asking Telnyx for it did not help
    timing: str
    timing_since: datetime | None
    reason: str  # why there are no times, or not yet
    again_at: datetime | None  # when the next attempt to find times begins

    @property
    def is_lacking(self) -> bool:
        """Say whether Telnyx may have a text that did not reach us."""
        return self.text in (Text.PENDING, Text.MISSED, Text.UNKNOWN)

    @property
    def is_due(self) -> bool:
        return self.timing == Timing.DUE

    @property
    def is_working(self) -> bool:
        return self.timing == Timing.WORKING

    @property
    def is_untimed(self) -> bool:
        return self.timing == Timing.UNTIMED


def of(recording: Recording, what: Said | None) -> Outlook:
    """Return what is to come of a recording's transcript."""
    transcript = what.transcript if what else None
    text, since, missed = _text(recording)
    if transcript is None:
        return Outlook(text, since, missed, Timing.NONE, None, "", None)
    return Outlook(
        Text.HERE if transcript.source == Source.TELNYX else text,
        since,
        missed,
        transcript.timing,
        transcript.timing_since,
        transcript.timing_reason,
        transcript.due_at if transcript.timing == Timing.DUE else None,
    )


def moves(recording: Recording, what: Said | None, outlook: Outlook, *, now: datetime) -> bool:
    """Say whether the page should look again by itself."""
    if outlook.is_due or outlook.is_working:
        return True
    is_fresh = now - (recording.ended_at or recording.announced_at) < SOON
    is_pending = outlook.text == Text.PENDING and is_fresh
    is_pending = is_pending or outlook.text == Text.ASKED
    is_live = what is not None and what.transcript is None and is_fresh
    return is_pending or is_live


def version(what: Said | None, outlook: Outlook) -> str:
    """Return what changes whenever the page would show something else."""
    transcript = what.transcript if what else None
    shown = (transcript.pk, transcript.attempts, transcript.revision) if transcript else ()
    count = len(what.sentences) if what else 0
    return "-".join(str(part) for part in (*shown, outlook.text, outlook.timing, count)).replace(
        " ", "_"
    )


def _text(recording: Recording) -> tuple[Text, datetime | None, str]:
    """Return what is known of Telnyx's text, since when it is pending, and why still."""
    told = list(recording.transcripts.filter(source=Source.TELNYX).defer("segments"))
    if any(transcript.text for transcript in told):
        return Text.HERE, None, ""
    for transcript in told:
        if transcript.status == IN_PROGRESS:
            return Text.PENDING, transcript.told_at, ""
        if transcript.status == Transcript.MISSED:
            is_over = transcript.timing == Timing.UNTIMED
            return (
                Text.MISSED if is_over else Text.ASKED,
                transcript.timing_since,
                transcript.timing_reason,
            )
    if told:
        return Text.EMPTY, None, ""
    wanted = asked.of(recording)
    if wanted is None:
        return Text.UNKNOWN, None, ""
    if not wanted.text:
        return Text.NOT_ASKED, None, ""
    return Text.PENDING, recording.ended_at or recording.announced_at, ""
