"""What Telnyx tells of recordings becomes rows: each file once, each text with its recording."""

import itertools
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from calls import events
from calls.models import Call, Command, WebhookEvent
from recordings import fetch
from recordings.models import Caption, Recording, Transcript
from tests.conftest import leg
from tests.passes import some

pytestmark = pytest.mark.django_db

SAVED, TEXT = "call.recording.saved", "call.recording.transcription.saved"


def started(call, count=1):
    """Have the desk start so many recordings of a call."""
    now = timezone.now()
    for _ in range(count):
        Command.objects.create(
            call=call,
            kind="record_start",
            state="accepted",
            request_id=str(uuid.uuid4()),
            requested_at=now,
            first_sent_at=now,
            accepted_at=now,
            expires_at=now + timedelta(seconds=20),
            due_at=now,
        )


def test_a_saved_file_is_announced_and_due_at_once(deliver):
    ids = leg()

    deliver(SAVED, **ids)

    recording = Recording.objects.get()
    assert (recording.state, recording.format, recording.channels) == ("announced", "mp3", 2)
    assert recording.recording_id == "10cd86ac-fef8-4765-b203-0f7511f9fc75"
    assert recording.call.call_leg_id == ids["call_leg_id"]
    assert recording.due_at <= timezone.now()
    assert list(recording.urls) == ["mp3"]


def test_the_same_file_told_twice_is_one_recording(deliver):
    ids = leg()
    for _ in range(2):
        deliver(SAVED, **ids)
    deliver(SAVED, **ids, recording_id=None)
    assert Recording.objects.count() == 1


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
def test_without_an_id_a_file_is_known_by_its_start(deliver, order):
    ids = leg()
    told = [
        {"recording_id": None},
        {"recording_id": None},
        {"recording_id": "the-id", "recording_started_at": "2026-03-02T15:04:37.5Z"},
    ]
    for number in order:
        deliver(SAVED, **ids, **told[number])
    assert Recording.objects.get().recording_id == "the-id"


def test_two_recordings_of_a_call_stay_two(deliver):
    ids = leg()
    deliver(SAVED, **ids, recording_id="one")
    deliver(SAVED, **ids, recording_id="two")
    deliver(SAVED, **ids, recording_id=None, recording_started_at="2026-03-02T16:00:00Z")
    assert Recording.objects.count() == 3


def test_a_start_that_telnyx_did_not_tell_is_marked_as_inferred(deliver):
    untold = {"recording_started_at": None, "start_time": None}
    deliver(SAVED, **leg(), **untold)
    recording = Recording.objects.get()
    assert recording.start_inferred
    assert recording.started_at == WebhookEvent.objects.get().occurred_at


def test_a_replay_of_the_event_does_not_fetch_a_stored_file_again(deliver):
    deliver(SAVED, **leg())
    Recording.objects.update(state="stored", due_at=None, urls={})
    before = Recording.objects.get()

    events.replay(WebhookEvent.objects.all())
    events.apply_due()

    after = Recording.objects.get()
    assert (after.state, after.due_at, after.urls) == ("stored", None, {})
    assert after.version == before.version


def test_a_file_told_by_an_old_event_has_a_whole_day_to_come(deliver):
    deliver(SAVED, **leg())
    Recording.objects.all().delete()
    long_ago = timezone.now() - timedelta(days=3)
    WebhookEvent.objects.update(received_at=long_ago)
    events.replay(WebhookEvent.objects.all())
    events.apply_due()
    recording = Recording.objects.get()
    assert recording.announced_at > timezone.now() - timedelta(minutes=1)
    assert recording.urls_at == long_ago


def test_a_fresher_link_replaces_an_older_one_while_the_file_is_wanted(deliver):
    ids = leg()
    deliver(SAVED, **ids)
    deliver(SAVED, **ids, recording_urls={"mp3": "https://s3.amazonaws.com/x/fresh.mp3"})
    assert Recording.objects.get().urls == {"mp3": "https://s3.amazonaws.com/x/fresh.mp3"}


def test_recordings_that_came_before_their_call_learn_who_called_whom(deliver):
    ids = leg()
    deliver(SAVED, **ids, **{"from": None, "to": None})
    assert Recording.objects.get().from_number == ""

    deliver("call.initiated", **ids)

    recording = Recording.objects.get()
    assert (recording.from_number, recording.direction) == ("+13129457420", "incoming")


def test_the_call_of_a_new_recording_is_shown_anew(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    version = Call.objects.get().version
    deliver(SAVED, **ids)
    assert Call.objects.get().version > version


@pytest.mark.parametrize("order", list(itertools.permutations([SAVED, TEXT, "call.initiated"])))
def test_a_text_finds_its_recording_in_whatever_order_they_come(deliver, order):
    ids = leg()
    for name in order:
        deliver(name, **ids)
    transcript = Transcript.objects.get()
    assert transcript.recording == Recording.objects.get()
    assert transcript.text.startswith("Thank you for calling")


def test_a_text_told_twice_is_one_transcript(deliver):
    ids = leg()
    deliver(TEXT, **ids)
    deliver(TEXT, **ids)
    assert Transcript.objects.count() == 1


def test_an_unfinished_text_told_late_does_not_erase_the_finished_one(deliver):
    ids = leg()
    deliver(TEXT, **ids)
    deliver(TEXT, **ids, status="in-progress", transcription_text="")
    assert Transcript.objects.get().status == "completed"


def test_a_finished_text_fills_an_unfinished_one(deliver):
    ids = leg()
    deliver(TEXT, **ids, status="in-progress", transcription_text="")
    deliver(TEXT, **ids)
    assert Transcript.objects.get().text.startswith("Thank you")


def test_texts_without_any_id_are_kept_once_per_call(deliver):
    nameless = {"recording_id": None, "recording_transcription_id": None}
    first, second = leg(), leg()
    for ids in (first, first, second):
        deliver(TEXT, **ids, **nameless)
    assert Transcript.objects.count() == 2


def test_captions_are_kept_with_the_words_and_the_side(deliver):
    ids = leg()
    deliver("call.transcription", id="caption", **ids)
    deliver("call.transcription", id="caption", **ids)
    caption = Caption.objects.get()
    assert (caption.text, caption.track, caption.is_final) == (
        "hi i am calling about my last invoice",
        "inbound",
        True,
    )


def test_an_error_of_telnyx_is_a_failed_recording_with_its_reason(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    started(Call.objects.get())

    deliver("call.recording.error", id="error", **ids)
    deliver("call.recording.error", id="again", **ids)

    recording = Recording.objects.get()
    assert (recording.state, recording.due_at) == ("failed", None)
    assert "Failed to authorize with storage using custom credentials" in recording.reason
    assert recording.from_number == "+13129457420"


def test_an_error_of_a_recording_that_has_its_file_changes_nothing(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    started(Call.objects.get())
    deliver(SAVED, **ids)
    deliver("call.recording.error", **ids)
    assert [recording.state for recording in Recording.objects.all()] == ["announced"]


@pytest.mark.parametrize("order", some(itertools.permutations(["error", "one", "two"]), 2))
@pytest.mark.parametrize(("starts", "states"), [(3, 3), (2, 2), (0, 3)])
def test_errors_and_files_add_up_in_whatever_order_they_come(deliver, order, starts, states):
    ids = leg()
    deliver("call.initiated", **ids)
    started(Call.objects.get(), starts)
    for name in order:
        if name == "error":
            deliver("call.recording.error", **ids)
        else:
            deliver(SAVED, **ids, recording_id=name)
    assert Recording.objects.count() == states
    assert Recording.objects.filter(state="announced").count() == 2
    assert Recording.objects.filter(state="failed").count() == states - 2


def test_an_error_alone_can_be_fetched_again_by_an_operator(deliver):
    ids = leg()
    deliver("call.recording.error", **ids)
    assert fetch.again(Recording.objects.all()) == 1
    assert Recording.objects.get().state == "announced"
