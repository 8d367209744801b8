"""What was said in a recording: as Telnyx wrote it down afterwards, and line by line as it came.

Telnyx's text has no times and no speakers, and none are invented. A live caption is told when its
line ends, and a pause left out of the file shifts it, so its place is approximate.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from calls import timeline
from recordings.models import Caption, Recording, Transcript

TYPES = {
    "txt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
}
LATE = timedelta(seconds=10)  # a caption may be told so long after the recording's end
LONGEST_MS, SHORTEST_MS = 5_000, 500  # our choice, for a line of which only the end is known
SIDES = {"inbound": "This leg", "outbound": "Other side"}
NOTHING = "There is no transcript of this recording."
UNTIMED = "The transcript of this recording has no times, so it has no cues: take transcript.txt."


@dataclass(frozen=True, slots=True)
class Line:
    """One caption, and where in the file it belongs, approximately."""

    told_at: datetime
    from_ms: int  # our guess: after the line before, and not longer ago than a line lasts
    to_ms: int
    side: str
    text: str
    confidence: float | None

    @property
    def from_s(self) -> float:
        return self.from_ms / 1000


def written(recording: Recording) -> list[Transcript]:
    """Return the texts of a recording; of one without an id, also the call's unclaimed ones."""
    mine = Q(recording=recording)
    unclaimed = Q(call=recording.call_id, recording=None)
    if recording.recording_id:
        unclaimed &= Q(recording_key="")
    return list(Transcript.objects.filter(mine | unclaimed).exclude(text=""))


def lines(recording: Recording) -> list[Line]:
    """Return the captions that were told while it was recorded, and not while it was paused."""
    if recording.start_inferred:
        return []
    said = Caption.objects.filter(
        call=recording.call_id, is_final=True, occurred_at__gte=recording.started_at
    ).exclude(event_id__in=timeline.unheard(recording.call).values("event_id"))
    if recording.ended_at is not None:
        said = said.filter(occurred_at__lte=recording.ended_at + LATE)
    found: list[Line] = []
    before_ms = 0
    for caption in said:
        told_ms = (caption.occurred_at - recording.started_at) // timedelta(milliseconds=1)
        to_ms = max(SHORTEST_MS, min(told_ms, recording.duration_ms or told_ms))
        from_ms = min(max(before_ms, to_ms - LONGEST_MS), to_ms - SHORTEST_MS)
        side = SIDES.get(caption.track, "Call")
        line = Line(caption.occurred_at, from_ms, to_ms, side, caption.text, caption.confidence)
        found.append(line)
        before_ms = to_ms
    return found


class Nothing(Exception):
    """There is no text of this kind; the text says why."""


def export(recording: Recording, kind: str) -> str:
    """Return what was said as txt, vtt or json. Raises Nothing."""
    transcripts, captions = written(recording), lines(recording)
    if not transcripts and not captions:
        raise Nothing(NOTHING)
    if kind == "json":
        return _json(recording, transcripts, captions)
    if kind == "vtt":
        return _vtt(captions)
    if transcripts:
        return "\n\n".join(transcript.text for transcript in transcripts) + "\n"
    return "".join(f"[{_stamp(line.from_ms)}] {line.side}: {line.text}\n" for line in captions)


def _json(recording: Recording, transcripts: list[Transcript], captions: list[Line]) -> str:
    content = {
        "recording": str(recording.pk),
        "recording_id": recording.recording_id or None,
        "started_at": recording.started_at.isoformat(),
        "transcripts": [
            {"source": one.source, "status": one.status, "text": one.text} for one in transcripts
        ],
        "captions": [
            {
                "told_at": line.told_at.isoformat(),
                "approximate_from_ms": line.from_ms,
                "approximate_to_ms": line.to_ms,
                "side": line.side,
                "text": line.text,
                "confidence": line.confidence,
            }
            for line in captions
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _vtt(captions: list[Line]) -> str:
    """Return the captions as cues: each from the one before, until the moment it was told."""
    if not captions:
        raise Nothing(UNTIMED)
    cues = ["WEBVTT\n\nNOTE The times are approximate: live captions are told when a line ends.\n"]
    for line in captions:
        text = " ".join(line.text.split())
        for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, entity)
        times = f"{_stamp(line.from_ms)} --> {_stamp(line.to_ms)}"
        cues.append(f"{times}\n<v {line.side}>{text}\n")
    return "\n".join(cues)


def _stamp(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"


def file_name(recording: Recording, extension: str) -> str:
    """Return a name that says when and who, with the offset from UTC: 2026-03-29T01-30-00+0100."""
    started = timezone.localtime(recording.started_at).strftime("%Y-%m-%dT%H-%M-%S%z")
    parties = [recording.from_number, recording.to_number]
    words = [
        re.sub(r"[^\w+.@-]+", "-", party, flags=re.ASCII)[:40].strip("-.") for party in parties
    ]
    return "_".join([started, *filter(None, words), f"{str(recording.pk)[:8]}.{extension}"])
