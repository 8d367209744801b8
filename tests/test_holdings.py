"""No start of a recording ends in silence: Telnyx is asked, and every start has one outcome."""

import itertools
import json
import random
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from calls import events, intake, projection, writer
from calls.line import telnyx
from calls.models import Call, Command, WebhookEvent
from recordings import fetch, outcomes, pairing, reconcile
from recordings.models import Recording, Sweep
from simulator import calling
from simulator.core import CONNECTION_ID
from tests.holdings import Past
from tests.passes import some
from tests.store import BUCKET

pytestmark = pytest.mark.django_db(transaction=True)

SAVED, ERROR = "call.recording.saved", "call.recording.error"


@pytest.fixture
def past(tmp_path, settings):
    past = Past(tmp_path)
    settings.TELNYX_BASE_URL = f"{past.url}/v2"
    settings.TELNYX_MEDIA_ALLOW = [past.url + BUCKET]
    telnyx.cache_clear()
    yield past
    past.close()


def deliver(*bodies):
    """Let webhooks arrive, in this order."""
    for body in bodies:
        writer.store([intake.read(body, received_at=timezone.now())])
    events.apply_due()


def accept(past):
    """Write the world's commands down as a desk that gave them."""
    for command_id, leg, action, body, at in past.commands:
        ids = {"session": leg.call_session_id, "control": leg.call_control_id}
        with transaction.atomic():
            call = projection.locked(leg.call_leg_id, **ids)
            Command.objects.get_or_create(
                id=command_id,
                defaults={
                    "request_id": command_id,
                    "call": call,
                    "kind": action,
                    "params": body,
                    "state": "accepted",
                    "requested_at": at,
                    "first_sent_at": at,
                    "accepted_at": at,
                    "expires_at": at,
                    "due_at": at,
                },
            )
            projection.refold(call)
    Call.objects.filter(line="ended").update(closed_at=past.now)  # not: just now


def ask(times=1):
    for _ in range(times):
        Sweep.objects.update(due_at=timezone.now())
        reconcile.due()
        events.apply_due()


def hang_up(past, leg):
    calling.end(past.world, leg, past.now, "normal_clearing", calling.far_side(leg))
    past.wait(30)


def without(past, *types):
    told = past.bodies()
    return [body for body in told if json.loads(body)["data"]["event_type"] not in types]


def test_a_recording_whose_webhook_was_lost_is_found_and_says_so(past):
    leg = past.call()
    made = past.record(leg)
    accept(past)
    deliver(*without(past, SAVED))
    assert not Recording.objects.exists()

    ask()
    fetch.fetch_due()

    recording = Recording.objects.get()
    assert (recording.recording_id, recording.state) == (made.id, "stored")
    assert (recording.found_by, recording.format) == ("asking", "wav")
    event = WebhookEvent.objects.get(event_type=SAVED)
    assert (event.source, event.state) == ("reconcile", "applied")
    assert Sweep.objects.get(name="recent").found == 1

    ask()
    assert Recording.objects.count() == 1
    assert Recording.objects.get().started_by_id == uuid.UUID(past.commands[0][0])


def test_a_text_whose_webhook_was_lost_is_found_too(past):
    leg = past.call()
    past.does(leg, "record_start", format="wav", channels="dual", transcription=True)
    past.world.say(leg, "Hello there.", past.now)
    past.wait(5)
    past.does(leg, "record_stop")
    past.wait(60)
    accept(past)
    deliver(*without(past, SAVED, "call.recording.transcription.saved"))
    ask(2)
    recording = Recording.objects.get()
    assert recording.has_transcript
    assert "Hello" in recording.transcripts.get().text


def test_what_was_found_is_followed_up_within_a_minute(past):
    past.record(past.call())
    ask()
    assert Sweep.objects.get(name="recent").due_at < timezone.now() + timedelta(minutes=2)
    Sweep.objects.update(due_at=timezone.now())
    ask()
    assert Sweep.objects.get(name="recent").due_at > timezone.now() + timedelta(minutes=8)


def test_a_start_that_telnyx_has_nothing_of_is_missing_and_says_when_it_ran(past):
    leg = past.call()
    past.lose(past.record(leg))
    accept(past)
    deliver(*without(past, SAVED))

    ask()

    recording = Recording.objects.get()
    start, stop = past.commands[0][4], past.commands[1][4]
    assert (recording.state, recording.started_at, recording.ended_at) == ("missing", start, stop)
    assert recording.reason.startswith("Telnyx has no recording for this call (checked ")
    assert recording.due_at > timezone.now()
    assert not outcomes.unanswered(since=past.now - timedelta(days=1)).exists()


def test_what_telnyx_lists_is_not_given_up_before_its_event_is_applied(past):
    leg = past.call()
    past.record(leg)
    accept(past)
    deliver(*without(past, SAVED))
    for _ in range(2):
        Sweep.objects.update(due_at=timezone.now())
        reconcile.due()  # and nobody applies what it found
    assert not Recording.objects.exists()


def test_a_start_whose_file_may_yet_come_is_open(past):
    past.now = timezone.now() - timedelta(minutes=5)
    leg = past.call()
    past.lose(past.record(leg))
    accept(past)
    deliver(*without(past, SAVED))
    ask()
    assert not Recording.objects.exists()
    (start,) = outcomes.still_open(outcomes.unanswered(since=past.now - timedelta(days=1)))
    assert start.ended_at is not None
    assert not start.is_late(timezone.now())


def test_a_recording_that_still_runs_is_open(past):
    leg = past.call()
    past.does(leg, "record_start", format="wav", channels="dual")
    past.wait(600)
    accept(past)
    deliver(*past.bodies())
    ask()
    assert not Recording.objects.exists()


def test_a_call_that_ended_without_a_stop_settles_its_start(past):
    leg = past.call()
    past.does(leg, "record_start", format="wav", channels="dual")
    past.wait(5)
    hang_up(past, leg)
    past.lose(leg.recordings[0])
    deliver(*without(past, SAVED))
    accept(past)
    ask()
    assert Recording.objects.get().state == "missing"


def test_a_missing_one_whose_webhook_comes_late_becomes_the_recording(past):
    leg = past.call()
    made = past.record(leg)
    past.lose(made)
    accept(past)
    deliver(*without(past, SAVED))
    ask()
    assert Recording.objects.get().state == "missing"
    made.state = "saved"

    deliver(*past.bodies(SAVED))
    fetch.fetch_due()

    recording = Recording.objects.get()
    assert (recording.state, recording.recording_id) == ("stored", made.id)
    assert (recording.found_by, recording.failures) == ("webhook", 0)
    assert recording.started_by_id == uuid.UUID(past.commands[0][0])


def test_a_missing_one_is_looked_for_again_and_found(past):
    leg = past.call()
    made = past.record(leg)
    past.lose(made)
    accept(past)
    deliver(*without(past, SAVED))
    ask()
    waits = []
    for _ in range(3):
        Recording.objects.update(due_at=timezone.now())
        reconcile.look_again_due()
        due_at = Recording.objects.get().due_at
        waits.append(due_at and round((due_at - timezone.now()).total_seconds() / 3600))
    assert waits == [6, 17, None]

    made.state = "saved"
    assert reconcile.look_again(Recording.objects.all()) == 1
    assert reconcile.look_again_due() == 1
    events.apply_due()
    fetch.fetch_due()
    assert Recording.objects.get().state == "stored"


def test_an_error_that_comes_late_explains_a_missing_one(past):
    leg = past.call()
    past.lose(past.record(leg))
    accept(past)
    deliver(*without(past, SAVED))
    ask()
    deliver(error_of(past, leg, past.now))
    recording = Recording.objects.get()
    assert recording.state == "failed"
    assert "Telnyx reported an error: no credentials" in recording.reason
    assert recording.started_by_id is not None


def error_of(past, leg, at):
    """Return Telnyx's word that a recording of a leg failed."""
    told = {
        "id": past.world.new_id(),
        "event_type": ERROR,
        "occurred_at": at.isoformat(),
        "payload": {**leg.ids(), "reason": "no credentials"},
    }
    return json.dumps({"data": told}).encode()


def test_of_two_starts_the_one_that_is_lost_is_told_from_the_one_that_is_not(past):
    leg = past.call()
    first = past.record(leg)
    past.wait(900)
    second = past.record(leg)
    past.lose(first)
    accept(past)
    deliver(*without(past, SAVED))

    ask(2)

    missing = Recording.objects.get(state="missing")
    found = Recording.objects.exclude(state="missing").get()
    assert missing.started_by_id == uuid.UUID(past.commands[0][0])
    assert (found.started_by_id, found.recording_id) == (
        uuid.UUID(past.commands[2][0]),
        second.id,
    )


def test_a_recording_that_somebody_else_started_is_nobody_s_outcome(past):
    leg = past.call()
    others = past.record(leg)
    past.commands.clear()
    past.wait(1800)
    past.lose(past.record(leg))
    accept(past)
    deliver(*without(past, SAVED))
    ask(2)
    assert Recording.objects.get(recording_id=others.id).started_by is None
    assert Recording.objects.get(state="missing").started_by_id is not None


def test_a_call_recorded_from_its_answer_is_an_outcome_too(past):
    body = {
        "connection_id": CONNECTION_ID,
        "from": "+18005550100",
        "to": "+13125550101",
        "record": "record-from-answer",
        "record_format": "wav",
    }
    answer = past.world.dial(body, past.now)
    ids = answer.body["data"]
    past.wait(60)
    leg = past.world.legs[ids["call_control_id"]]
    hang_up(past, leg)
    deliver(*without(past, SAVED))
    past.commands.append((past.world.new_id(), leg, "dial", body, past.now))
    accept(past)
    Command.objects.update(answer={"recording_id": ids["recording_id"]})

    ask(2)

    recording = Recording.objects.get()
    assert recording.recording_id == ids["recording_id"]
    assert recording.started_by.kind == "dial"


def test_a_dialled_call_that_nobody_answered_has_no_start(past):
    now = timezone.now() - timedelta(hours=1)
    call = Call.objects.create(call_leg_id="x", conversation="x", line="ended", closed_at=now)
    Command.objects.create(
        call=call,
        kind="dial",
        params={"record": "record-from-answer"},
        state="accepted",
        requested_at=now,
        accepted_at=now,
        expires_at=now,
        due_at=now,
    )
    ask()
    assert not Recording.objects.exists()


def test_telnyx_out_of_reach_gives_nothing_up_and_is_asked_again_soon(past, settings):
    leg = past.call()
    past.lose(past.record(leg))
    accept(past)
    deliver(*without(past, SAVED))
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"
    telnyx.cache_clear()

    ask()

    assert not Recording.objects.exists()
    sweep = Sweep.objects.get(name="recent")
    assert (sweep.done_at, sweep.error) == (None, "Telnyx cannot be reached")
    assert sweep.due_at < timezone.now() + timedelta(minutes=2)


def test_two_pumps_ask_once(past, monkeypatch):
    asked = []
    monkeypatch.setattr(reconcile, "ask", lambda **_: asked.append(1) or (0, 0))
    reconcile.due()
    reconcile.due()
    assert len(asked) == len(reconcile.SWEEPS)


def test_without_a_key_nothing_is_asked(settings):
    settings.TELNYX_API_KEY = ""
    assert reconcile.due() == 0
    assert not Sweep.objects.exists()


def test_a_tombstone_is_not_found_anew(past):
    leg = past.call()
    made = past.record(leg)
    accept(past)
    deliver(*past.bodies())
    Recording.objects.update(state="deleted", due_at=None)
    ask(2)
    assert Recording.objects.get().state == "deleted"
    assert made.state == "saved"


# Every start has exactly one outcome, whatever gets lost on the way.


class Chance:
    """A random story: what was recorded, what of it was told, and what is true."""

    def __init__(self, past, seed):
        self.past, self.dice = past, random.Random(seed)
        self.expected = Counter()
        self.told = []

    def play(self):
        leg = self.past.call()
        for _ in range(self.dice.randint(1, 4)):
            self._take(leg)
        hang_up(self.past, leg)
        for recording in leg.recordings:
            self._fate(recording, leg)
        self.past.wait(5)
        others = without(self.past, SAVED)
        self.told += [body for body in others if self.dice.random() < 0.9 or b"hangup" in body]

    def _take(self, leg):
        past, dice = self.past, self.dice
        past.wait(dice.choice([1, 5, 60]))
        past.does(leg, "record_start", format="wav", channels="dual")
        for _ in range(dice.randint(0, 2)):
            past.wait(dice.choice([0.5, 2]))
            past.does(leg, "record_pause")
            past.wait(dice.choice([0.5, 2]))
            past.does(leg, "record_resume")
        past.wait(dice.choice([1, 3]))
        if leg.recording == "on":
            past.does(leg, "record_stop")

    def _fate(self, recording, leg):
        """Let Telnyx keep, lose or fail a recording, and tell of it well, badly or not at all."""
        body = next(each for each in self.past.bodies(SAVED) if recording.id.encode() in each)
        fate = self.dice.choice(["stored", "stored", "stored", "missing", "failed"])
        self.expected[fate] += 1
        if fate != "stored":
            self.past.lose(recording)
        if fate == "failed":
            self.told += [error_of(self.past, leg, recording.ended_at)]
        elif fate == "stored":
            self.told += [body] * self.dice.choice([0, 1, 1, 2])


@pytest.mark.parametrize("seed", some(range(40), 8))
def test_every_accepted_start_ends_in_exactly_one_outcome(past, seed):
    story = Chance(past, seed)
    story.play()
    dice = random.Random(seed)
    dice.shuffle(story.told)
    late = [story.told.pop() for _ in range(dice.randint(0, len(story.told) // 3))]
    accept(past)
    deliver(*story.told)
    Call.objects.update(closed_at=past.now)
    ask(2)
    deliver(*late)
    ask(2)
    fetch.fetch_due()

    starts = Command.objects.filter(kind="record_start")
    assert starts.count() == sum(story.expected.values())
    assert starts.filter(made=None).count() == 0
    assert Recording.objects.count() == starts.count()
    assert Counter(Recording.objects.values_list("state", flat=True)) == story.expected
    kept = {each.id for each in past.world.recordings.values() if each.state == "saved"}
    stored = Recording.objects.filter(state="stored")
    assert set(stored.values_list("recording_id", flat=True)) == kept
    assert all(Recording.objects.filter(state="missing").values_list("reason", flat=True))


# Which recording came of which start.


def starts_at(*seconds):
    begin = timezone.now()
    return [
        pairing.Start(uuid.UUID(int=number), begin + timedelta(seconds=at))
        for number, at in enumerate(seconds)
    ], begin


def test_pairs_are_as_many_as_fit_and_as_near_as_can_be():
    starts, begin = starts_at(0, 1000, 2000)
    files = [
        pairing.File(uuid.UUID(int=100 + i), begin + timedelta(seconds=s))
        for i, s in enumerate([1002, 1999])
    ]
    pairs = pairing.pair(starts, files)
    assert pairs == {uuid.UUID(int=1): uuid.UUID(int=100), uuid.UUID(int=2): uuid.UUID(int=101)}


def test_of_two_starts_the_nearer_one_made_the_file():
    starts, begin = starts_at(0, 100)
    file = pairing.File(uuid.UUID(int=100), begin + timedelta(seconds=98))
    assert pairing.pair(starts, [file]) == {starts[1].key: file.key}


def test_a_file_of_another_time_is_no_pair():
    starts, begin = starts_at(0)
    far = [pairing.File(uuid.UUID(int=100), begin + timedelta(seconds=301))]
    assert pairing.pair(starts, far) == {}
    late = [pairing.File(uuid.UUID(int=100), begin + timedelta(seconds=9000), is_later=True)]
    assert len(pairing.pair(starts, late)) == 1


def test_the_order_of_what_is_given_does_not_matter():
    starts, begin = starts_at(0, 30, 60)
    files = [
        pairing.File(uuid.UUID(int=100 + i), begin + timedelta(seconds=s))
        for i, s in enumerate([2, 33])
    ]
    results = {
        tuple(sorted(pairing.pair(one, two).items()))
        for one in itertools.permutations(starts)
        for two in itertools.permutations(files)
    }
    assert len(results) == 1


def test_a_promised_recording_is_known_by_its_id():
    starts, begin = starts_at(0)
    promised = pairing.Start(uuid.UUID(int=50), begin, "promised")
    files = [pairing.File(uuid.UUID(int=100), begin + timedelta(hours=2), "promised")]
    assert pairing.pair([*starts, promised], files) == {promised.key: files[0].key}
    assert pairing.pair([promised], [pairing.File(uuid.UUID(int=101), begin, "other")]) == {}
