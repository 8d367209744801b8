"""When the words of a text are said: the queue of alignments. The rows are the queue.

    text + stored file -> due -> claim -> align, apart -> timed | untimed, with the reason
    captions + stored file -> due, a little later -> a text, unless Telnyx sent one meanwhile
    a text that never came -> due -> asked for at Telnyx

A crash costs an alignment and nothing else. How rows are claimed is in claims.py.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from calls.telnyx.errors import TelnyxError
from recordings import asked, claims, fitting, missed, said, storage
from recordings.alignment.child import NotAligned, align_apart
from recordings.alignment.recogniser import model_for
from recordings.models import Recording, Revision, State, Transcript
from recordings.search.index import index
from recordings.sentences import ALIGNED, Sentence, aligned, joined, rows

logger = logging.getLogger(__name__)

LEAST_TIMEOUT_S = 300.0  # and as long as the sound lasts: it takes a tenth of that

Timing, Source = Transcript.Timing, Transcript.Source
NOT_FOUND = "None of its words were found in the sound."
NO_MODEL = "There is no model for the language {}, so nobody looked for its words in the sound."
DIED = "The process ended each time this text was aligned."


# What makes a text due


def ask(texts: QuerySet[Transcript]) -> int:
    """Queue texts whose recording is stored; return how many. Ring "texts" after the commit."""
    now = timezone.now()
    return (
        texts.filter(recording__state=State.STORED)
        .exclude(text="")
        .update(timing=Timing.DUE, timing_since=now, timing_reason="", due_at=now, failures=0)
    )


def ask_for(recording: Recording) -> None:
    """Queue what was said in a file just stored; it may be another file than before."""
    ask(Transcript.objects.filter(recording=recording))
    expect_captions(recording)


def expect_captions(recording: Recording) -> None:
    """Queue the captions of a stored recording, if there are any, for a little later."""
    if recording.start_inferred or not said.captions(recording).exists():
        return
    transcript, _ = Transcript.objects.get_or_create(
        recording=recording,
        source=Source.CAPTIONS,
        defaults={
            "call": recording.call,
            "recording_key": recording.recording_id,
            "told_at": timezone.now(),
        },
    )
    now = timezone.now()
    Transcript.objects.filter(pk=transcript.pk, revision=0).update(
        timing=Timing.DUE,
        timing_since=now,
        timing_reason="",
        due_at=now + claims.PATIENCE,
        failures=0,
    )


# The work


def time_due(*, overdue: timedelta = timedelta()) -> int:
    """Align until nothing is due (or none is overdue by so much); return how many."""
    done = 0
    while (transcript := claims.claim(timezone.now() - overdue)) is not None:
        _time(transcript)
        done += 1
    return done


def _time(transcript: Transcript) -> None:
    """Align one text and write down what came of it."""
    try:
        if transcript.failures > claims.MOST_FAILURES:  # nobody lived to write down why
            claims.leave(transcript, Timing.UNTIMED, DIED)
        elif _is_ready(transcript):
            _align(transcript)
    except claims.Lost:
        logger.warning("transcript %s: somebody else works on it by now", transcript.pk)
    except OperationalError as exc:  # the database is busy or gone: the lease ends by itself
        logger.warning("transcript %s waits for the database: %s", transcript.pk, exc)
    except (NotAligned, TelnyxError, FileNotFoundError, ValueError, storage.Trouble) as exc:
        claims.try_later(transcript, str(exc))
    except Exception as exc:  # a row must outlive whatever its file does to us
        logger.exception("transcript %s: %s", transcript.pk, exc)
        claims.try_later(transcript, f"{type(exc).__name__}: {exc}"[:500])


def _is_ready(transcript: Transcript) -> bool:
    """Say whether there is something to align now; else put it where it belongs."""
    recording = transcript.recording
    if (
        recording
        and transcript.status == Transcript.MISSED
        and not missed.is_told(transcript, recording)
    ):
        return False
    if recording is None or not recording.is_stored:
        claims.leave(transcript, Timing.NONE, "")  # it is asked for again when the file is there
        return False
    if transcript.source != Source.CAPTIONS or transcript.revision:
        return bool(transcript.text) or claims.leave(transcript, Timing.NONE, "")
    telnyx = recording.transcripts.filter(source=Source.TELNYX).exclude(text="")
    if telnyx.filter(timing__in=Transcript.WANTED).exists():
        claims.postpone(transcript)
        return False
    if telnyx.filter(timing=Timing.TIMED).exists():
        return claims.leave(transcript, Timing.NONE, "")  # that one is better
    return _gather(transcript, recording)


def _gather(transcript: Transcript, recording: Recording) -> bool:
    """Make a text of what the captions told; return False if that is nothing."""
    told = said.lines(recording)
    transcript.text, transcript.segments = joined(told), rows(told)
    with transaction.atomic():
        claims.keep(transcript, text=transcript.text, segments=transcript.segments)
        recording.tell_transcripts()
        index(recording.pk)
    return bool(told) or claims.leave(transcript, Timing.NONE, "")


def _align(transcript: Transcript) -> None:
    recording = transcript.recording
    assert recording is not None  # noqa: S101  (else it was not ready)
    told = transcript.language or _language(transcript, recording)
    language = told or asked.SITE_LANGUAGE
    if model_for(language) is None:
        claims.keep(transcript, language=told)
        claims.leave(transcript, Timing.UNTIMED, NO_MODEL.format(language))
        return
    timeout_s = LEAST_TIMEOUT_S + (recording.duration_s or 0)
    with claims.heartbeat(transcript), storage.local_copy(recording.path) as path:
        found = aligned(align_apart(path, transcript.text, language, timeout_s))
    sentences = _fitted(transcript, found)
    is_timed = any(sentence.origin == ALIGNED for sentence in sentences)
    with transaction.atomic():
        claims.keep(
            transcript,
            segments=rows(sentences),
            language=told,
            timing=Timing.TIMED if is_timed else Timing.UNTIMED,
            timing_since=timezone.now(),
            timing_reason="" if is_timed else NOT_FOUND,
            due_at=None,
            failures=0,
        )
        if transcript.revision:
            Revision.objects.filter(transcript=transcript, number=transcript.revision).update(
                segments=rows(sentences)
            )
        Recording.objects.filter(pk=recording.pk).change()
        index(recording.pk)  # another text may be the best one now


def _language(transcript: Transcript, recording: Recording) -> str:
    """Return the language that was asked for; "" if nobody told one."""
    if transcript.source == Source.CAPTIONS:
        return asked.language_of_captions(recording.call)
    wanted = asked.of(recording)
    return wanted.language if wanted else ""


def _fitted(transcript: Transcript, found: list[Sentence]) -> list[Sentence]:
    """Return the sentences with their new times: the aligner's, unless there are some already."""
    if transcript.source == Source.CAPTIONS and not transcript.revision:
        return fitting.settled(fitting.fit(said.sentences_of(transcript), found))
    if not transcript.revision:
        return found
    bare = [_without_times(sentence) for sentence in said.sentences_of(transcript)]
    return fitting.fit(bare, found)


def _without_times(sentence: Sentence) -> Sentence:
    """Return a sentence without what an earlier alignment found; it may have been another file."""
    if sentence.origin != ALIGNED:
        return sentence
    return replace(
        sentence, words=(), start_ms=None, end_ms=None, confidence=None, channel=None, origin=None
    )
