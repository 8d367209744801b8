"""What was said, as files: txt, vtt, srt and json.

    Said -> text          raises Nothing

Each says where its times are from. A sentence without a time is no cue: subtitles leave it out,
and say how many they left out.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from recordings import said
from recordings.models import Recording
from recordings.said import Said
from recordings.sentences import ALIGNED, CAPTION, Sentence

TYPES = {
    "txt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "json": "application/json",
}
NOTHING = "There is no transcript of this recording."
UNTIMED = "The transcript of this recording has no times, so it has no cues: take transcript.txt."
FOUND = "Times were found in the sound by the desk."
TOLD = "Times marked ≈ are approximate: they were told with the live captions, when a line ended."
MEANT = {  # in JSON
    ALIGNED: "found in the sound by the desk",
    CAPTION: "told with the live caption, when the line ended: approximate",
}
NOT_FOUND = "not found in the sound"


class Nothing(Exception):
    """There is no text of this kind; the text says why."""


@dataclass(frozen=True, slots=True)
class File:
    """What was said in one format; `left_out` names what the format could not hold, or is ""."""

    text: str
    left_out: str = ""


def export(recording: Recording, kind: str) -> File:
    """Return what was said as txt, vtt, srt or json. Raises Nothing."""
    what = said.of(recording)
    if what is None:
        raise Nothing(NOTHING)
    if kind == "json":
        return File(_json(what))
    if kind == "txt":
        return File(_txt(what))
    if not what.has_times:
        raise Nothing(UNTIMED)
    return File(_srt(what) if kind == "srt" else _vtt(what), left_out(what))


def left_out(what: Said) -> str:
    """Return how many sentences subtitles leave out, in words; "" for none."""
    if not what.unplaced:
        return ""
    were = "were" if what.unplaced > 1 else "was"
    return (
        f"{what.unplaced} of {len(what.sentences)} sentences {were} {NOT_FOUND},"
        " so not in the subtitles"
    )


def sources(what: Said) -> list[str]:
    """Return where the times are from, in words."""
    origins = {sentence.origin for sentence in what.sentences}
    return [words for origin, words in ((ALIGNED, FOUND), (CAPTION, TOLD)) if origin in origins]


def _txt(what: Said) -> str:
    if not what.has_times and what.transcript is not None:
        return what.transcript.text + "\n"
    lines = [" ".join(sources(what)), ""]
    for sentence in what.sentences:
        speaker = what.speaker(sentence)
        lines.append(f"[{_place(sentence)}] {speaker and f'{speaker}: '}{sentence.text}")
    return "\n".join(lines) + "\n"


def _place(sentence: Sentence) -> str:
    if sentence.start_ms is None:
        return NOT_FOUND
    return f"{'≈ ' * sentence.is_approximate}{_stamp(sentence.start_ms)}"


def _json(what: Said) -> str:
    recording, transcript = what.recording, what.transcript
    content: dict[str, Any] = {
        "recording": str(recording.pk),
        "recording_id": recording.recording_id or None,
        "started_at": recording.started_at.isoformat(),
        "source": "captions" if transcript is None else transcript.source,
        "status": None if transcript is None else transcript.status or None,
        "language": (transcript.language or None) if transcript else None,
        "revision": transcript.revision if transcript else 0,
        "times_from": MEANT,
        "speakers": list(what.speakers),
        "segments": [_segment(what, sentence) for sentence in what.sentences],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _segment(what: Said, sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "start_ms": sentence.start_ms,
        "end_ms": sentence.end_ms,
        "times_from": sentence.origin,
        "confidence": sentence.confidence,
        "channel": sentence.channel,
        "speaker": what.speaker(sentence) or None,
        "words": [
            {"word": word.text, "start_ms": word.start_ms, "end_ms": word.end_ms}
            for word in sentence.words
        ],
    }


def _cues(what: Said) -> list[tuple[Sentence, int, int]]:
    """Return the sentences that have times, in the order of their times, and the times."""
    found = [
        (sentence, sentence.start_ms, max(sentence.end_ms, sentence.start_ms + 1))
        for sentence in what.sentences
        if sentence.start_ms is not None and sentence.end_ms is not None
    ]
    return sorted(found, key=lambda cue: cue[1])


def _vtt(what: Said) -> str:
    notes = [*sources(what), *filter(None, [left_out(what)])]
    cues = ["WEBVTT\n", f"NOTE {' '.join(notes)}\n"]
    for sentence, start_ms, end_ms in _cues(what):
        text, speaker = " ".join(sentence.text.split()), what.speaker(sentence)
        for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, entity)
        voice = speaker and f"<v {speaker}>"
        mark = "≈\n" * sentence.is_approximate  # the name of a cue: nobody sees it but who looks
        cues.append(f"{mark}{_stamp(start_ms)} --> {_stamp(end_ms)}\n{voice}{text}\n")
    return "\n".join(cues)


def _srt(what: Said) -> str:
    cues = []
    for number, (sentence, start_ms, end_ms) in enumerate(_cues(what), 1):
        text, speaker = " ".join(sentence.text.split()), what.speaker(sentence)
        times = f"{_stamp(start_ms)} --> {_stamp(end_ms)}".replace(".", ",")
        # players take tags for formatting, so that no sign of one may be left
        text = text.replace("<", "‹").replace(">", "›")  # noqa: RUF001
        cues.append(f"{number}\n{times}\n{speaker and f'{speaker}: '}{text}\n")
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
