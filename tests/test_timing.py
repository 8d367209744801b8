"""The queue of alignments: what becomes due, who does it, what faults and late texts do to it."""

import itertools
import os
import subprocess
import sys
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from calls.audio import Audio
from calls.line import telnyx
from calls.models import Command
from recordings import claims, fetch, missed, said, storage, timing
from recordings.alignment.child import NotAligned, align_apart
from recordings.models import Caption, Recording, Transcript
from tests.conftest import leg
from tests.desk import until
from tests.passes import some
from tests.said import (
    STARTED,
    TEXT,
    caption,
    find_all,
    find_none,
    make,
    make_call,
    pause,
    received,
    say,
    started,
)
from tests.store import Store, wav

pytestmark = pytest.mark.django_db(transaction=True)

SAVED, TEXT_SAVED = "call.recording.saved", "call.recording.transcription.saved"


@pytest.fixture(autouse=True)
def alignments(monkeypatch):
    """Stand in for the aligner, which test_alignment.py tests; return what it was asked."""
    asked = []

    def align(path, text, language, timeout_s):
        asked.append((text, language))
        return find_all(path, text, language, timeout_s)

    monkeypatch.setattr(timing, "align_apart", align)
    return asked


def ask(transcript):
    return timing.ask(Transcript.objects.filter(pk=transcript.pk))


def make_due():
    """Let the time pass that something waits for."""
    Transcript.objects.filter(timing__in=Transcript.WANTED).update(due_at=timezone.now())


# What becomes due


def test_a_text_of_a_stored_recording_is_timed(deliver, alignments):
    ids = leg()
    call = make_call(call_leg_id=ids["call_leg_id"])
    recording = make(call, with_file=True)
    deliver(TEXT_SAVED, **ids, recording_id=recording.recording_id, transcription_text=TEXT)
    assert Transcript.objects.get().timing == "due"

    assert timing.time_due() == 1

    transcript = Transcript.objects.get()
    assert (transcript.timing, transcript.timing_reason, transcript.due_at) == ("timed", "", None)
    assert transcript.segments[0]["words"][1] == ["there.", 1000, 1800]
    assert transcript.segments[0]["origin"] == "aligned"
    assert timing.time_due() == 0


def test_a_text_whose_file_is_still_to_come_waits_for_it(alignments):
    recording = make(state="fetching", attempts=1, with_file=True)
    transcript = say(recording)
    assert ask(transcript) == 0
    sound = Audio("wav", 2, 8000, 16000, True)

    fetch._keep(recording, fetch.File(recording.path, recording.sha256, 64044, sound, ""))

    assert Transcript.objects.get().timing == "due"


def test_another_file_means_another_alignment(alignments):
    recording = make(with_file=True)
    transcript = say(recording)
    ask(transcript)
    timing.time_due()

    timing.ask_for(recording)
    timing.time_due()

    assert len(alignments) == 2


def deliver_all(deliver, ids, order, recording_id):
    for name in order:
        more = {"recording_id": recording_id}
        if name == TEXT_SAVED:
            more["transcription_text"] = TEXT
        if name == "stored":
            for recording in Recording.objects.all():
                fetch_it(recording)
        elif name == "timed":
            timing.time_due()
        else:
            deliver(name, **ids, **({} if name == "call.initiated" else more))
    for recording in Recording.objects.exclude(state="stored"):
        fetch_it(recording)
    timing.time_due()


def fetch_it(recording):
    """Store a file for a recording, as the fetcher does at its end."""
    if recording.state == "stored":
        return
    Recording.objects.filter(pk=recording.pk).update(state="fetching")
    recording.refresh_from_db()
    made = make(make_call(), with_file=True)
    sound = Audio("wav", 2, 8000, 16000, True)
    fetch._keep(recording, fetch.File(made.path, made.sha256, 64044, sound, ""))


ORDERS = itertools.permutations(["call.initiated", SAVED, TEXT_SAVED, "stored", "timed"])


@pytest.mark.parametrize("order", some(ORDERS, 15))
def test_the_text_is_timed_in_whatever_order_things_come(deliver, order):
    recording_id = str(uuid.uuid4())

    deliver_all(deliver, leg(), order, recording_id)

    transcript = Transcript.objects.get()
    assert (transcript.timing, transcript.attempts) == ("timed", 1)
    assert transcript.recording.recording_id == recording_id


# The language


@pytest.mark.parametrize(
    ("params", "language", "kept"),
    [
        ({"transcription": True, "transcription_language": "en-GB"}, "en-GB", "en-GB"),
        ({"transcription": True}, "en-US", "en-US"),  # what Telnyx takes
        ({"transcription": True, "transcription_language": "auto_detect"}, "en", ""),
        (None, "en", ""),
    ],
)
def test_the_language_is_what_the_recording_was_started_with(
    alignments, sam, params, language, kept
):
    recording = make(with_file=True)
    if params is not None:
        started(recording, sam, **params)
    ask(say(recording))

    timing.time_due()

    assert alignments == [(TEXT, language)]
    assert Transcript.objects.get().language == kept


def test_a_language_without_a_model_is_not_timed_and_says_so(alignments, sam):
    recording = make(with_file=True)
    started(recording, sam, transcription=True, transcription_language="de-DE")
    ask(say(recording, "Grüß Gott."))

    timing.time_due()

    transcript = Transcript.objects.get()
    assert alignments == []
    assert transcript.timing == "untimed"
    assert "no model for the language de-DE" in transcript.timing_reason
    assert transcript.segments is None


def test_captions_tell_their_language(alignments, sam):
    recording = make(with_file=True)
    caption(recording, "bonjour", 5)
    command = started(recording, sam)
    Command.objects.filter(pk=command.pk).update(
        kind="transcription_start", params={"transcription_engine_config": {"language": "fr"}}
    )
    timing.ask_for(recording)
    make_due()
    timing.time_due()
    assert "language fr" in Transcript.objects.get().timing_reason


# Faults


def test_nothing_found_is_untimed_with_the_reason(monkeypatch):
    monkeypatch.setattr(timing, "align_apart", find_none)
    recording = make(with_file=True)
    ask(say(recording))

    timing.time_due()

    transcript = Transcript.objects.get()
    assert (transcript.timing, transcript.timing_reason) == ("untimed", timing.NOT_FOUND)
    assert transcript.segments[0]["start_ms"] is None


@pytest.mark.parametrize(
    "fault", [NotAligned("It took too long."), RuntimeError("odd"), MemoryError()]
)
def test_a_fault_is_tried_again_later_and_then_given_up(monkeypatch, fault):
    tries = []

    def fail(*args):
        tries.append(args)
        raise fault

    monkeypatch.setattr(timing, "align_apart", fail)
    ask(say(make(with_file=True)))

    for _ in range(10):
        timing.time_due()
        make_due()

    transcript = Transcript.objects.get()
    assert len(tries) == claims.MOST_FAILURES
    assert transcript.timing == "untimed"
    assert str(fault) in transcript.timing_reason


def test_a_lost_file_is_tried_again_and_says_which():
    recording = make()
    ask(say(recording))
    timing.time_due()
    transcript = Transcript.objects.get()
    assert transcript.timing == "due"
    assert recording.path in transcript.timing_reason


class Killed(BaseException):
    """The process is gone: nothing that it might still do happens."""


def die(*args):
    raise Killed


def test_a_killed_worker_costs_time_and_nothing_else(monkeypatch, alignments):
    ask(say(make(with_file=True)))
    with monkeypatch.context() as patch:
        patch.setattr(timing, "align_apart", die)
        with pytest.raises(Killed):
            timing.time_due()
    assert Transcript.objects.get().timing == "working"
    assert timing.time_due() == 0  # the lease holds

    Transcript.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    timing.time_due()

    assert Transcript.objects.get().timing == "timed"


def test_a_text_that_kills_every_worker_is_given_up(monkeypatch):
    monkeypatch.setattr(timing, "align_apart", die)
    ask(say(make(with_file=True)))
    for _ in range(claims.MOST_FAILURES):
        with pytest.raises(Killed):
            timing.time_due()
        make_due()

    timing.time_due()

    assert Transcript.objects.get().timing_reason == timing.DIED


def test_a_worker_that_lost_its_lease_leaves_no_trace(monkeypatch):
    ask(say(make(with_file=True)))

    def be_slow(*args):
        Transcript.objects.update(attempts=7)  # another one claimed it
        return find_all(*args)

    monkeypatch.setattr(timing, "align_apart", be_slow)
    timing.time_due()

    transcript = Transcript.objects.get()
    assert (transcript.timing, transcript.segments) == ("working", None)


def test_the_lease_of_a_long_alignment_is_extended(monkeypatch):
    monkeypatch.setattr(claims, "BEAT_S", 0.01)
    ask(say(make(with_file=True)))
    extended = threading.Event()

    def be_slow(*args):
        first = Transcript.objects.get().due_at
        while Transcript.objects.get().due_at == first:
            pass
        extended.set()
        return find_all(*args)

    monkeypatch.setattr(timing, "align_apart", be_slow)
    timing.time_due()

    assert extended.is_set()
    assert Transcript.objects.get().timing == "timed"


def test_a_row_is_worked_on_once_however_many_look(monkeypatch, alignments):
    for _ in range(3):
        ask(say(make(with_file=True)))

    def look():
        timing.time_due()
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(alignments) == 3
    assert set(Transcript.objects.values_list("timing", "attempts")) == {("timed", 1)}


def test_the_child_aligns_in_a_process_of_its_own_and_says_what_is_wrong(tmp_path):
    file = tmp_path / "page.wav"
    file.write_bytes(b"<html>")
    with pytest.raises(NotAligned, match="web page"):
        align_apart(file, "Hello.", "en", 30)


# Texts that come late, or again


def test_a_text_that_is_replaced_while_it_is_aligned_is_aligned_again(
    deliver, monkeypatch, alignments
):
    ids = leg()
    recording = make(make_call(call_leg_id=ids["call_leg_id"]), with_file=True)
    told = {"recording_id": recording.recording_id, "recording_transcription_id": "one"}
    deliver(TEXT_SAVED, **ids, **told, transcription_text="Half of it.", status="in-progress")

    def replace(*args):
        monkeypatch.setattr(timing, "align_apart", find_all)
        deliver(TEXT_SAVED, **ids, **told, transcription_text="All of it, to the end.")
        return find_all(*args)

    monkeypatch.setattr(timing, "align_apart", replace)
    timing.time_due()

    transcript = Transcript.objects.get()
    assert transcript.timing == "timed"
    assert [each["text"] for each in transcript.segments] == ["All of it, to the end."]


def test_a_text_that_is_replaced_is_shown_before_it_is_aligned(deliver, alignments):
    ids = leg()
    recording = make(make_call(call_leg_id=ids["call_leg_id"]), with_file=True)
    told = {"recording_id": recording.recording_id, "recording_transcription_id": "one"}
    deliver(TEXT_SAVED, **ids, **told, transcription_text="Half of it.", status="in-progress")
    timing.time_due()

    deliver(TEXT_SAVED, **ids, **told, transcription_text="All of it.")

    assert [each.text for each in said.of(recording).sentences] == ["All of it."]


def test_the_same_text_told_again_is_not_aligned_again(deliver, alignments):
    ids = leg()
    recording = make(make_call(call_leg_id=ids["call_leg_id"]), with_file=True)
    for _ in range(2):
        deliver(TEXT_SAVED, **ids, recording_id=recording.recording_id, transcription_text=TEXT)
        timing.time_due()
    assert len(alignments) == 1


# Captions


def test_captions_become_the_transcript_when_no_text_comes(alignments):
    recording = make(with_file=True)
    caption(recording, "good morning", 3)
    caption(recording, "what can I do", 6, track="outbound")
    timing.ask_for(recording)
    assert timing.time_due() == 0  # Telnyx's text may still come

    make_due()
    timing.time_due()

    transcript = said.best(recording)
    assert (transcript.source, transcript.timing) == ("captions", "timed")
    assert [each["channel"] for each in transcript.segments] == [0, 1]
    assert [each["start_ms"] for each in transcript.segments] == [0, 2000]
    recording.refresh_from_db()
    assert recording.has_transcript


def test_a_caption_that_is_not_found_keeps_the_time_it_was_told(monkeypatch):
    monkeypatch.setattr(timing, "align_apart", find_none)
    recording = make(with_file=True)
    caption(recording, "good morning", 3)
    timing.ask_for(recording)
    make_due()

    timing.time_due()

    transcript = Transcript.objects.get()
    assert transcript.timing == "untimed"
    assert [(each["start_ms"], each["origin"]) for each in transcript.segments] == [(0, "caption")]


def test_a_better_text_takes_over_when_it_comes(deliver, alignments):
    ids = leg()
    recording = make(make_call(call_leg_id=ids["call_leg_id"]), with_file=True)
    caption(recording, "hello there", 3)
    timing.ask_for(recording)
    make_due()
    timing.time_due()
    assert said.best(recording).source == "captions"

    deliver(TEXT_SAVED, **ids, recording_id=recording.recording_id, transcription_text=TEXT)
    assert said.best(recording).source == "captions"  # until the other has times
    timing.time_due()

    assert said.best(recording).source == "telnyx"


def test_captions_are_not_aligned_beside_a_timed_text(alignments):
    recording = make(with_file=True)
    caption(recording, "hello there", 3)
    say(recording)
    timing.ask_for(recording)
    make_due()

    timing.time_due()

    assert alignments == [(TEXT, "en")]
    assert said.best(recording).source == "telnyx"


def test_captions_wait_for_a_text_that_is_being_aligned(alignments):
    recording = make(with_file=True)
    caption(recording, "hello there", 3)
    text = say(recording, timing="working", due_at=timezone.now() + timedelta(minutes=2))
    timing.expect_captions(recording)
    Transcript.objects.exclude(pk=text.pk).update(due_at=timezone.now())

    timing.time_due()

    captions = Transcript.objects.exclude(pk=text.pk).get()
    assert alignments == []
    assert (captions.timing, captions.failures) == ("due", 0)
    assert captions.due_at > timezone.now()


def test_captions_step_in_where_the_text_was_not_found(monkeypatch):
    def find_captions(path, text, *args):
        return (find_all if text == "hello there" else find_none)(path, text, *args)

    monkeypatch.setattr(timing, "align_apart", find_captions)
    recording = make(with_file=True)
    caption(recording, "hello there", 3)
    say(recording)
    timing.ask_for(recording)
    for _ in range(2):
        timing.time_due()
        make_due()

    assert said.best(recording).source == "captions"


def test_a_caption_that_comes_late_joins_the_transcript(deliver):
    ids = leg()
    recording = make(make_call(call_leg_id=ids["call_leg_id"]), with_file=True)
    caption(recording, "good morning", 3)
    timing.ask_for(recording)
    make_due()
    timing.time_due()

    deliver("call.transcription", **ids, occurred_at="2026-03-02T15:04:56.000Z")
    make_due()
    timing.time_due()

    latest = Caption.objects.order_by("occurred_at").last()
    assert said.best(recording).text == f"good morning\n{latest.text}"


def test_what_was_said_in_a_pause_never_becomes_text(sam, alignments):
    recording = make(with_file=True)
    told = timezone.now()
    for text, at_s in (("my card number is", 10), ("four one one one", 20), ("thank you", 40)):
        received(caption(recording, text, at_s), told + timedelta(seconds=at_s))
    pause(recording, sam, told=told, first_s=15, last_s=30)
    timing.ask_for(recording)
    make_due()

    timing.time_due()

    transcript = Transcript.objects.get()
    assert transcript.text == "my card number is\nthank you"
    assert "four" not in str(transcript.segments)
    assert alignments == [("my card number is\nthank you", "en")]


def test_captions_without_a_known_start_are_no_transcript(alignments):
    recording = make(with_file=True, start_inferred=True)
    caption(recording, "hello", 3)
    timing.ask_for(recording)
    assert not Transcript.objects.exists()


def test_captions_told_after_another_recording_stay_there():
    call = make_call()
    first = make(call, with_file=True)
    second = make(
        call,
        with_file=True,
        started_at=STARTED + timedelta(minutes=5),
        ended_at=STARTED + timedelta(minutes=6),
    )
    caption(second, "only in the second", 5)
    for recording in (first, second):
        timing.ask_for(recording)
    make_due()
    timing.time_due()
    assert said.best(first) is None
    assert said.best(second).text == "only in the second"


# A text that never came


@pytest.fixture
def lost(settings):
    """A recording whose text never came, and what plays Telnyx."""
    store = Store()
    settings.TELNYX_BASE_URL = f"{store.url}/v2"
    telnyx.cache_clear()
    yield make(with_file=True), store
    store.close()


def text_row(recording, text, key="text-1"):
    return {
        "id": key,
        "recording_id": recording.recording_id,
        "status": "completed" if text else "in-progress",
        "transcription_text": text,
    }


def answer(store, *rows, status=200):
    store.rest("/recording_transcriptions", {"data": list(rows), "meta": {}}, status=status)


def test_a_text_that_never_came_is_asked_for_and_timed(lost, alignments):
    recording, store = lost
    answer(store, text_row(recording, "", "text-0"), text_row(recording, TEXT))
    assert missed.inquire(recording)

    timing.time_due()

    transcript = Transcript.objects.get()
    assert (transcript.text, transcript.timing) == (TEXT, "timed")
    assert transcript.recording_transcription_id == "text-1"
    assert not missed.inquire(recording)


def test_a_text_that_telnyx_does_not_have_says_so(lost):
    recording, store = lost
    answer(store)
    missed.inquire(recording)
    timing.time_due()
    transcript = Transcript.objects.get()
    assert transcript.timing == "untimed"
    assert transcript.timing_reason.startswith("Telnyx has none, asked ")
    assert missed.inquire(recording)  # it may be asked again
    assert Transcript.objects.count() == 1


def test_telnyx_out_of_order_is_asked_again_later(lost):
    recording, store = lost
    answer(store, status=500)
    missed.inquire(recording)
    timing.time_due()
    assert Transcript.objects.get().timing == "due"
    assert Transcript.objects.get().timing_reason


def test_a_text_that_came_meanwhile_is_not_kept_twice(lost, alignments):
    recording, store = lost
    answer(store, text_row(recording, TEXT))
    missed.inquire(recording)
    say(recording, "", recording_transcription_id="text-1", status="in-progress")

    timing.time_due()

    transcript = Transcript.objects.get()
    assert (transcript.text, transcript.timing, transcript.status) == (TEXT, "timed", "completed")


# For real


PARENT, NICENESS = 1, 16  # in /proc/<pid>/stat, after the name
WORK = """
import django
django.setup()
from recordings import timing
timing.time_due()
"""


def test_a_worker_killed_for_real_takes_its_aligner_along(tmp_path):
    """The row is taken up by the next one; nothing of the dead one goes on burning a processor."""
    if connection.vendor != "sqlite":
        pytest.skip("the process below reads the file of this test's database")
    recording = make(with_file=True)
    storage.local_path(recording.path).write_bytes(wav(900))
    ask(say(recording, "one two three four five six seven eight nine ten " * 100))
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "MEDIA_STORAGE": str(settings.MEDIA_ROOT),
    }
    worker = subprocess.Popen([sys.executable, "-c", WORK], env=environment)
    try:
        child = until(lambda: children(worker.pid), within_s=60, what="the aligner")[0]
        worker.kill()
        worker.wait()
        until(lambda: is_dead(child), within_s=5, what="its end")
    finally:
        worker.kill()
    assert Transcript.objects.get().timing == "working"
    make_due()
    timing.time_due()
    assert Transcript.objects.get().timing == "timed"


def is_dead(pid):
    """Say whether a process runs no more, though nobody may have asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def children(pid):
    """Return the aligners that a process runs, once they have begun: then they are nice."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        is_nice = stat[NICENESS] == str(min(19, os.nice(0) + 10))
        if stat[PARENT] == str(pid) and b"alignment" in words and is_nice:
            found.append(int(entry.name))
    return found
