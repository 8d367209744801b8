"""When the words of a text are said: the queue of alignments. The rows are the queue.

    text + stored file -> due -> claim -> align, apart -> timed | untimed, with the reason
    captions + stored file -> due, a little later -> a text, unless Telnyx sent one meanwhile

A claim is a lease with a heartbeat, fenced by the attempts: who loses it leaves no trace. A crash
costs an alignment and nothing else.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from recordings import asking, fitting, said, storage
from recordings.alignment.child import NotAligned, align_apart
from recordings.alignment.recogniser import model_for
from recordings.models import Recording, Revision, State, Transcript
from recordings.sentences import ALIGNED, Sentence, aligned, joined, rows

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
BEAT_S = 30.0
BACKOFF_S = (30, 300, 1800)
MOST_FAILURES = len(BACKOFF_S) + 1  # also counts attempts that their process did not survive
PATIENCE = timedelta(seconds=20)  # for Telnyx's text, or for a last caption, before captions count
LEAST_TIMEOUT_S = 300.0  # and as long as the sound lasts: it takes a tenth of that

Timing, Source = Transcript.Timing, Transcript.Source
NOT_FOUND = "None of its words were found in the sound."
NO_MODEL = "There is no model for the language {}, so nobody looked for its words in the sound."
DIED = "The process ended each time this text was aligned."


class Lost(Exception):
    """Somebody else works on it by now, or the text changed."""


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
        timing=Timing.DUE, timing_since=now, timing_reason="", due_at=now + PATIENCE, failures=0
    )


# The work


def time_due(*, overdue: timedelta = timedelta()) -> int:
    """Align until nothing is due (or none is overdue by so much); return how many."""
    done = 0
    while (transcript := _claim(timezone.now() - overdue)) is not None:
        _time(transcript)
        done += 1
    return done


def _claim(due_before: datetime) -> Transcript | None:
    """Take the text that is due longest. The attempt is counted before anything can fail."""
    due = Transcript.objects.filter(timing__in=Transcript.WANTED, due_at__lte=due_before)
    keys = due.order_by("due_at", "id").values_list("pk", "attempts", "due_at")
    for pk, attempts, due_at in keys[:20]:
        now = timezone.now()
        taken = Transcript.objects.filter(
            pk=pk, timing__in=Transcript.WANTED, attempts=attempts, due_at=due_at
        ).update(
            timing=Timing.WORKING,
            timing_since=now,
            attempts=F("attempts") + 1,
            failures=F("failures") + 1,
            due_at=now + LEASE,
        )
        if taken:
            claimed = Transcript.objects.select_related("recording__call").get(pk=pk)
            claimed.attempts = attempts + 1  # ours, whoever came after us
            return claimed
    return None


def _held(transcript: Transcript) -> QuerySet[Transcript]:
    """Return the row as long as it is ours, and says what it said when we took it."""
    return Transcript.objects.filter(
        pk=transcript.pk,
        timing=Timing.WORKING,
        attempts=transcript.attempts,
        revision=transcript.revision,
    )


def _time(transcript: Transcript) -> None:
    """Align one text and write down what came of it."""
    try:
        if transcript.failures > MOST_FAILURES:  # nobody lived to write down why
            _leave(transcript, Timing.UNTIMED, DIED)
        elif _is_ready(transcript):
            _align(transcript)
    except Lost:
        logger.warning("transcript %s: somebody else works on it by now", transcript.pk)
    except OperationalError as exc:  # the database is busy or gone: the lease ends by itself
        logger.warning("transcript %s waits for the database: %s", transcript.pk, exc)
    except (NotAligned, FileNotFoundError, ValueError) as exc:
        _try_later(transcript, str(exc))
    except Exception as exc:  # a row must outlive whatever its file does to us
        logger.exception("transcript %s: %s", transcript.pk, exc)
        _try_later(transcript, f"{type(exc).__name__}: {exc}"[:500])


def _is_ready(transcript: Transcript) -> bool:
    """Say whether there is something to align now; else put it where it belongs."""
    recording = transcript.recording
    if recording is None or not recording.is_stored:
        _leave(transcript, Timing.NONE, "")  # it is asked for again when the file is there
        return False
    if transcript.source != Source.CAPTIONS or transcript.revision:
        return bool(transcript.text) or _leave(transcript, Timing.NONE, "")
    telnyx = recording.transcripts.filter(source=Source.TELNYX).exclude(text="")
    if telnyx.filter(timing__in=Transcript.WANTED).exists():
        _postpone(transcript)
        return False
    if telnyx.filter(timing=Timing.TIMED).exists():
        return _leave(transcript, Timing.NONE, "")  # that one is better
    return _gather(transcript, recording)


def _gather(transcript: Transcript, recording: Recording) -> bool:
    """Make a text of what the captions told; return False if that is nothing."""
    told = said.lines(recording)
    transcript.text, transcript.segments = joined(told), rows(told)
    with transaction.atomic():
        _keep(transcript, text=transcript.text, segments=transcript.segments)
        recording.tell_transcripts()
    return bool(told) or _leave(transcript, Timing.NONE, "")


def _align(transcript: Transcript) -> None:
    recording = transcript.recording
    assert recording is not None  # noqa: S101  (else it was not ready)
    told = transcript.language or _language(transcript, recording)
    language = told or asking.SITE_LANGUAGE
    if model_for(language) is None:
        _keep(transcript, language=told)
        _leave(transcript, Timing.UNTIMED, NO_MODEL.format(language))
        return
    timeout_s = LEAST_TIMEOUT_S + (recording.duration_s or 0)
    with _heartbeat(transcript), storage.local_copy(recording.path) as path:
        found = aligned(align_apart(path, transcript.text, language, timeout_s))
    sentences = _fitted(transcript, found)
    is_timed = any(sentence.origin == ALIGNED for sentence in sentences)
    with transaction.atomic():
        _keep(
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


def _language(transcript: Transcript, recording: Recording) -> str:
    """Return the language that was asked for; "" if nobody told one."""
    if transcript.source == Source.CAPTIONS:
        return asking.language_of_captions(recording.call)
    wanted = asking.of(recording)
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


@contextmanager
def _heartbeat(transcript: Transcript) -> Iterator[None]:
    """Extend the lease now and then, until it is lost or no longer needed."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            try:
                if not _held(transcript).update(due_at=timezone.now() + LEASE):
                    return
            except DatabaseError as exc:
                logger.warning("transcript %s: no heartbeat: %s", transcript.pk, exc)
            finally:
                connection.close()

    thread = threading.Thread(target=beat, name="alignment", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# What becomes of it


def _keep(transcript: Transcript, **columns: object) -> None:
    """Write columns of a row that is still ours. Raises Lost."""
    if not _held(transcript).update(**columns):
        raise Lost


def _leave(transcript: Transcript, timing: str, reason: str) -> bool:
    """Leave it without times; returns False, so that a caller can say so. Raises Lost."""
    _keep(
        transcript,
        timing=timing,
        timing_since=timezone.now(),
        timing_reason=reason,
        due_at=None,
        failures=0,
    )
    if transcript.recording_id:
        Recording.objects.filter(pk=transcript.recording_id).change()
    return False


def _postpone(transcript: Transcript) -> None:
    """Look again a little later, when the better text is done."""
    _keep(
        transcript,
        timing=Timing.DUE,
        due_at=timezone.now() + PATIENCE,
        failures=F("failures") - 1,
    )


def _try_later(transcript: Transcript, reason: str) -> None:
    """Plan the next attempt; after some, give up."""
    logger.warning("transcript %s was not aligned: %s", transcript.pk, reason)
    try:
        if transcript.failures >= MOST_FAILURES:
            _leave(transcript, Timing.UNTIMED, reason)
            return
        now = timezone.now()
        wait_s = BACKOFF_S[min(transcript.failures, len(BACKOFF_S)) - 1]
        _keep(
            transcript,
            timing=Timing.DUE,
            timing_since=now,
            timing_reason=reason,
            due_at=now + timedelta(seconds=wait_s),
        )
    except Lost:
        logger.warning("transcript %s: somebody else works on it by now", transcript.pk)
