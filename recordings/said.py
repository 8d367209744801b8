"""What was said in a recording: the best text there is, as sentences with times and speakers.

    Transcripts, captions -> best -> Said

Best is what a person corrected; then Telnyx's text with our times, captions with our times,
Telnyx's text without, captions as they were told. While the file is still to come, the captions
are read as they come.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet

from calls import timeline
from recordings import sides
from recordings.fitting import SHORTEST_MS
from recordings.models import Caption, Recording, Transcript
from recordings.sentences import CAPTION, Sentence, read, split

LATE = timedelta(seconds=10)  # a caption may be told so long after the recording's end
LONGEST_MS = 5_000  # our choice, for a line of which only the end is known
CHANNELS = {"inbound": 0, "outbound": 1}

Timing, Source = Transcript.Timing, Transcript.Source


@dataclass(frozen=True, slots=True)
class Said:
    """What was said, as it is shown; `transcript` is None while there are only live captions."""

    recording: Recording
    transcript: Transcript | None
    sentences: Sequence[Sentence]
    speakers: tuple[str, str]  # of the channels

    @property
    def is_timed(self) -> bool:
        """Say whether times were looked for and found."""
        return self.transcript is not None and self.transcript.timing == Timing.TIMED

    @property
    def has_times(self) -> bool:
        return any(sentence.start_ms is not None for sentence in self.sentences)

    @property
    def is_captions(self) -> bool:
        return self.transcript is None or self.transcript.source == Source.CAPTIONS

    @property
    def unplaced(self) -> int:
        """How many sentences have no time."""
        return sum(sentence.start_ms is None for sentence in self.sentences)

    @property
    def upper(self) -> str:
        """Return whose side of the waveform is drawn above."""
        agent = sides.NAMES[sides.AGENT]
        return agent if agent in self.speakers else self.speakers[0]

    def speaker(self, sentence: Sentence) -> str:
        """Return who says a sentence; "" if nobody can tell."""
        return "" if sentence.channel is None else self.speakers[sentence.channel]


def best(recording: Recording) -> Transcript | None:
    """Return the best text of a recording, which may be one that names no recording of ours."""
    return best_of([recording]).get(recording.pk)


def best_of(recordings: Iterable[Recording]) -> dict[UUID, Transcript]:
    """Return the best text of each recording that has one; one query."""
    asked = list(recordings)
    calls = {recording.call_id for recording in asked}
    # a text of a recording is of its call too
    texts = Transcript.objects.filter(call__in=calls).exclude(text="")
    attached: defaultdict[UUID, list[Transcript]] = defaultdict(list)
    unclaimed: defaultdict[int | UUID, list[Transcript]] = defaultdict(list)
    for transcript in texts:
        if transcript.recording_id is not None:
            attached[transcript.recording_id].append(transcript)
        else:
            unclaimed[transcript.call_id].append(transcript)
    found = {
        recording.pk: attached[recording.pk]
        + [each for each in unclaimed[recording.call_id] if _may_be_of(each, recording)]
        for recording in asked
    }
    # both came in the order in which they were told; of equals the latest is the best
    return {pk: max(reversed(each), key=_rank) for pk, each in found.items() if each}


def is_of(transcript: Transcript, recording: Recording) -> bool:
    """Say whether a text is, or can be, of this recording."""
    if transcript.recording_id is not None:
        return transcript.recording_id == recording.pk
    return transcript.call_id == recording.call_id and _may_be_of(transcript, recording)


def _may_be_of(transcript: Transcript, recording: Recording) -> bool:
    """Say whether a text that names no recording of ours can be of this one."""
    return not transcript.recording_key or not recording.recording_id


def _rank(transcript: Transcript) -> tuple[bool, bool, int]:
    is_telnyx = transcript.source == Source.TELNYX
    worth = 2 * (transcript.timing == Timing.TIMED) + is_telnyx
    return transcript.revision > 0, transcript.recording_id is not None, worth


def of(recording: Recording) -> Said | None:
    """Return what was said in a recording; None if nothing is known to have been said."""
    transcript = best(recording)
    sentences = lines(recording) if transcript is None else sentences_of(transcript)
    return shown(recording, transcript, sentences) if sentences else None


def shown(
    recording: Recording, transcript: Transcript | None, sentences: Sequence[Sentence]
) -> Said:
    """Return sentences as they are shown."""
    return Said(recording, transcript, sentences, sides.names(recording))


def sentences_of(transcript: Transcript) -> list[Sentence]:
    """Return the sentences of a transcript, the latest of each."""
    if transcript.segments is None:
        return split(transcript.text)
    return read(transcript.segments)


def lines(recording: Recording) -> list[Sentence]:
    """Return the captions told while it was recorded, and not while it was paused.

    A line is told when it ends, and a pause left out of the file shifts it: its times are
    approximate.
    """
    if recording.start_inferred:
        return []
    heard = captions(recording).exclude(
        event_id__in=timeline.unheard(recording.call).values("event_id")
    )
    found: list[Sentence] = []
    before_ms = 0
    for caption in heard:
        text = " ".join(caption.text.split())
        if not text:
            continue
        told_ms = (caption.occurred_at - recording.started_at) // timedelta(milliseconds=1)
        to_ms = max(SHORTEST_MS, min(told_ms, recording.duration_ms or told_ms))
        from_ms = min(max(before_ms, to_ms - LONGEST_MS), to_ms - SHORTEST_MS)
        channel = CHANNELS.get(caption.track)
        found.append(
            Sentence(text, (), from_ms, to_ms, caption.confidence, channel, origin=CAPTION)
        )
        before_ms = to_ms
    return found


def captions(recording: Recording) -> QuerySet[Caption]:
    """Return the final captions of the call that fall into a recording, pauses and all."""
    told = Caption.objects.filter(
        call=recording.call_id, is_final=True, occurred_at__gte=recording.started_at
    )
    if recording.ended_at is not None:
        told = told.filter(occurred_at__lte=recording.ended_at + LATE)
    return told
