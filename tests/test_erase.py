"""A deleted recording is gone at once and stays gone: for people, on our disk, at Telnyx."""

import hashlib
import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.urls import reverse
from django.utils import timezone

from access.models import AuditRow
from calls.line import telnyx
from recordings import download, erase, fetch, storage
from recordings.models import Recording, Transcript
from tests.desk import until
from tests.store import BUCKET, Store, wav, whole
from tests.test_recording_pages import make, make_call

pytestmark = pytest.mark.django_db

SAVED = "call.recording.saved"
SOUND = wav(2)
SHA = hashlib.sha256(SOUND).hexdigest()
REASON = "Recorded by mistake"


@pytest.fixture
def store(settings):
    store = Store()
    settings.TELNYX_MEDIA_ALLOW = [store.url + BUCKET]
    settings.TELNYX_BASE_URL = store.url + "/v2"
    telnyx.cache_clear()
    yield store
    store.close()


@pytest.fixture
def announced(deliver, store):
    """Have Telnyx announce the file; return its recording."""

    def announced(link=None, **changes):
        told = {
            "call_leg_id": str(uuid.uuid4()),
            "call_session_id": str(uuid.uuid4()),
            "recording_id": str(uuid.uuid4()),
            "format": "wav",
            "recording_started_at": "2026-03-02T15:04:36Z",
            "recording_ended_at": "2026-03-02T15:04:38Z",
            "recording_urls": {"wav": link or store.serve(whole(SOUND))},
        } | changes
        deliver(SAVED, **told)
        return Recording.objects.latest("announced_at")

    return announced


@pytest.fixture
def stored(announced):
    def stored(**changes):
        recording = announced(**changes)
        fetch.fetch_due()
        recording.refresh_from_db()
        assert recording.state == "stored"
        return recording

    return stored


def forgets(store, recording, body=None, status=200):
    """Have Telnyx answer the deletion of a recording."""
    store.rest(f"/recordings/{recording.recording_id}", body or {}, status, method="DELETE")


def deletions(store):
    return [path for path, _ in store.seen if path.startswith("DELETE")]


def files(settings):
    return sorted(path.name for path in settings.MEDIA_ROOT.rglob("*") if path.is_file())


def due_now(recording):
    Recording.objects.filter(pk=recording.pk).update(due_at=timezone.now())


def fresh(recording):
    return Recording.objects.get(pk=recording.pk)


def url(name, recording):
    return reverse(f"recordings:{name}", args=[recording.pk])


# The three steps


def test_nothing_is_served_from_the_moment_it_is_deleted(client, sam, stored):
    recording = stored()
    client.force_login(sam)
    assert client.get(url("audio", recording)).status_code == 200

    assert erase.request([recording], sam, REASON) == 1

    assert client.get(url("audio", recording)).status_code == 404
    assert client.get(url("audio", recording) + "?download=1").status_code == 404
    assert client.get(url("peaks", recording)).status_code == 404


def test_our_file_goes_then_telnyxs_copy(stored, sam, store, settings):
    recording = stored()
    forgets(store, recording)
    erase.request([recording], sam, REASON)

    assert erase.erase_due() == 1

    row = fresh(recording)
    assert files(settings) == []
    assert deletions(store) == [f"DELETE /v2/recordings/{recording.recording_id}"]
    assert (row.state, row.reason, row.deleted_by) == ("deleted", REASON, "sam")
    assert None not in (row.erased_at, row.provider_erased_at)
    assert (row.due_at, row.erasure_answer) == (None, "Telnyx deleted its copy")
    assert erase.erase_due() == 0


def test_the_trail_holds_who_and_why_and_each_step(stored, sam, store):
    recording = stored()
    forgets(store, recording)
    erase.request([recording], sam, f"  {REASON}\n ")
    erase.erase_due()
    rows = AuditRow.objects.filter(subject=recording.subject).order_by("id")
    assert [(row.verb, row.name) for row in rows] == [
        ("store", "the desk"),
        ("delete", "sam"),
        ("erase file", "the desk"),
        ("erase at Telnyx", "the desk"),
    ]
    assert rows[1].details == {"reason": REASON, "sha256": SHA}


def test_a_copy_that_is_gone_already_is_gone(stored, sam, store):
    recording = stored()
    erase.request([recording], sam, REASON)
    erase.erase_due()
    row = fresh(recording)
    assert row.provider_erased_at is not None
    assert row.erasure_answer == "Telnyx had no copy any more"


REFUSALS = {
    403: "Telnyx refused: Not allowed",
    500: "Telnyx could not do it now: Not allowed",
    429: "Telnyx asks to slow down: Not allowed",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_told_and_tried_again_later(stored, sam, store, settings, status):
    recording = stored()
    forgets(store, recording, {"errors": [{"code": "1", "title": "Not allowed"}]}, status)
    erase.request([recording], sam, REASON)

    erase.erase_due()

    row = fresh(recording)
    assert files(settings) == []
    assert row.erased_at is not None
    assert row.provider_erased_at is None
    assert row.erasure_answer.startswith(REFUSALS[status])
    assert row.due_at > timezone.now() + timedelta(seconds=3)

    forgets(store, recording)
    due_now(recording)
    erase.erase_due()
    assert fresh(recording).erasure_answer == "Telnyx deleted its copy"


def test_it_is_tried_ever_less_often_and_never_given_up(stored, sam, store):
    recording = stored()
    forgets(store, recording, {}, 403)
    erase.request([recording], sam, REASON)
    waits = []
    for _ in range(8):
        due_now(recording)
        erase.erase_due()
        waits.append(round((fresh(recording).due_at - timezone.now()).total_seconds()))
    assert waits == [5, 20, 60, 300, 1800, 3600, 3600, 3600]


def test_without_a_key_the_copy_waits_and_says_why(stored, sam, settings):
    recording = stored()
    settings.TELNYX_API_KEY = ""
    erase.request([recording], sam, REASON)
    erase.erase_due()
    row = fresh(recording)
    assert row.erased_at is not None
    assert "No Telnyx API key" in row.erasure_answer


def test_a_recording_without_an_id_is_looked_up_before_it_is_called_gone(announced, sam, store):
    recording = announced(recording_id=None)
    store.rest("/recordings", {"data": [], "meta": {}})
    erase.request([recording], sam, REASON)
    for _ in range(erase.MISSING_AFTER - 1):
        due_now(recording)
        erase.erase_due()
        assert fresh(recording).provider_erased_at is None
    due_now(recording)
    erase.erase_due()
    assert fresh(recording).erasure_answer == "Telnyx had no copy any more"


def test_the_simulators_copy_goes(simulator, sam, db):
    ids = simulator.call()
    for action, body in (
        ("record_start", {"format": "wav", "channels": "dual"}),
        ("record_stop", {}),
    ):
        telnyx().act(ids["call_control_id"], action, body, command_id=uuid.uuid4())
    of_leg = partial(telnyx().recordings, call_leg_id=ids["call_leg_id"])
    (listed,) = until(lambda: list(of_leg()), within_s=20, what="Telnyx's recording")
    recording = make(make_call(), recording_id=listed.recording_id)
    erase.request([recording], sam, REASON)
    erase.erase_due()
    assert fresh(recording).erasure_answer == "Telnyx deleted its copy"
    assert not list(of_leg())


# Asking for it


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 201])
def test_a_reason_that_is_none_is_refused(stored, sam, reason):
    recording = stored()
    with pytest.raises(ValueError, match="reason"):
        erase.request([recording], sam, reason)
    assert fresh(recording).state == "stored"


def test_many_are_deleted_at_once_and_counted(stored, sam):
    chosen = [stored() for _ in range(3)]
    assert erase.request(chosen[:1], sam, REASON) == 1
    assert erase.request(Recording.objects.all(), sam, REASON) == 2
    assert AuditRow.objects.filter(verb="delete").count() == 3


def test_the_first_of_two_deletions_is_the_one_that_counts(stored, sam, lee):
    recording = stored()
    erase.request([recording], sam, "Test call")
    assert erase.request([recording], lee, "Other") == 0
    row = fresh(recording)
    assert (row.reason, row.deleted_by) == ("Test call", "sam")


@pytest.mark.parametrize("state", ["announced", "waiting_space", "failed", "missing", "corrupt"])
def test_whatever_state_the_file_is_in_it_can_go(announced, sam, state):
    recording = announced()
    Recording.objects.filter(pk=recording.pk).update(state=state)
    assert erase.request([recording], sam, REASON) == 1
    assert fetch.fetch_due() == 0
    assert fetch.again([recording]) == 0
    erase.erase_due()
    assert fresh(recording).state == "deleted"


def test_a_deletion_that_the_trail_cannot_hold_does_not_happen(stored, sam, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("the trail is full")

    recording = stored()
    monkeypatch.setattr(erase, "record", broken)
    with pytest.raises(RuntimeError):
        erase.request([recording], sam, REASON)
    assert fresh(recording).state == "stored"


# Nothing brings it back


@pytest.mark.parametrize("is_named", [True, False])
def test_webhooks_do_not_bring_it_back(stored, sam, deliver, store, is_named):
    recording = stored()
    erase.request([recording], sam, REASON)
    erase.erase_due()
    deliver(
        SAVED,
        call_leg_id=recording.call.call_leg_id,
        recording_id=recording.recording_id if is_named else None,
        format="wav",
        recording_started_at="2026-03-02T15:04:36Z",
        recording_ended_at="2026-03-02T15:04:38Z",
        recording_urls={"wav": store.link()},
    )
    assert [row.state for row in Recording.objects.all()] == ["deleted"]
    assert fetch.fetch_due() == 0


def test_an_id_that_is_told_late_still_has_its_copy_deleted(announced, sam, deliver, store):
    recording = announced(recording_id=None)
    store.rest("/recordings", {"data": [], "meta": {}})
    erase.request([recording], sam, REASON)
    for _ in range(erase.MISSING_AFTER):
        due_now(recording)
        erase.erase_due()
    assert fresh(recording).provider_erased_at is not None
    late = str(uuid.uuid4())
    store.rest(f"/recordings/{late}", {}, method="DELETE")
    deliver(
        SAVED,
        call_leg_id=recording.call.call_leg_id,
        recording_id=late,
        format="wav",
        recording_started_at="2026-03-02T15:04:36Z",
        recording_urls={"wav": store.link()},
    )
    erase.erase_due()
    assert deletions(store) == [f"DELETE /v2/recordings/{late}"]


def test_a_download_that_runs_does_not_bring_it_back(announced, sam, store, settings, monkeypatch):
    recording = announced()
    stream = download.stream

    def meanwhile(*args, **kwargs):
        erase.request([fresh(recording)], sam, REASON)
        return stream(*args, **kwargs)

    monkeypatch.setattr(download, "stream", meanwhile)
    fetch.fetch_due()
    assert fresh(recording).state == "deleted"
    erase.erase_due()
    assert fresh(recording).erased_at is not None
    assert files(settings) == []


def test_a_deletion_between_the_look_and_the_claim_of_a_fetcher_wins(announced, sam, monkeypatch):
    recording = announced()
    Recording.objects.filter(pk=recording.pk).update(state="fetching")  # of a dead fetcher

    def parties(self):
        erase.request([fresh(recording)], sam, REASON)
        return {}

    monkeypatch.setattr(Recording, "parties_of_call", parties)
    assert fetch.fetch_due() == 0
    assert fresh(recording).state == "deleted"


def at_publishing(monkeypatch, act, *, after=False):
    """Do something when a sound (not a waveform) is about to get, or has got, its name."""
    publish = storage.publish

    def published(part, file, name, **more):
        is_sound = name.endswith(".wav")
        if is_sound and not after:
            act()
        publish(part, file, name, **more)
        if is_sound and after:
            act()

    monkeypatch.setattr(storage, "publish", published)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_file_published_after_the_deletion_is_erased_all_the_same(
    announced, sam, store, settings, monkeypatch, after
):
    recording = announced()

    def delete():
        erase.request([fresh(recording)], sam, REASON)
        assert erase.erase_due() == 0  # the download's lease goes on

    at_publishing(monkeypatch, delete, after=after)
    fetch.fetch_due()
    assert fresh(recording).state == "deleted"
    erase.erase_due()
    assert files(settings) == []


def test_a_file_of_a_download_that_was_killed_is_erased_when_its_lease_ends(
    announced, sam, store, settings, monkeypatch
):
    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    recording = announced()
    at_publishing(monkeypatch, kill, after=True)
    with pytest.raises(Killed):
        fetch.fetch_due()
    erase.request([fresh(recording)], sam, REASON)
    assert f"{SHA}.wav" in files(settings)
    assert erase.erase_due() == 0
    assert timezone.now() < fresh(recording).due_at < timezone.now() + fetch.LEASE

    due_now(recording)
    erase.erase_due()
    assert files(settings) == []


def test_an_erasure_that_was_killed_goes_on(stored, sam, store, settings, monkeypatch):
    class Killed(BaseException):
        pass

    recording = stored()
    forgets(store, recording)
    erase.request([recording], sam, REASON)
    remove, calls = storage.delete, []

    def killed(name):
        remove(name)
        calls.append(name)
        if len(calls) == 1:
            raise Killed

    monkeypatch.setattr(storage, "delete", killed)
    with pytest.raises(Killed):
        erase.erase_due()
    assert erase.erase_due() == 0  # the lease
    due_now(recording)
    assert erase.erase_due() == 1
    assert files(settings) == []
    assert fresh(recording).provider_erased_at is not None


def test_a_download_that_ends_during_the_erasure_has_it_look_again(
    stored, sam, store, settings, monkeypatch
):
    recording = stored()
    forgets(store, recording)
    erase.request([recording], sam, REASON)
    erase_copy = erase._erase_copy

    def meanwhile(row):
        storage.local_path(row.path).write_bytes(SOUND)
        erase.revisit(row)
        erase_copy(row)
        monkeypatch.setattr(erase, "_erase_copy", erase_copy)

    monkeypatch.setattr(erase, "_erase_copy", meanwhile)
    erase.erase_due()
    assert files(settings) == []
    assert fresh(recording).due_at is None


# The same sound twice


def test_the_file_stays_as_long_as_another_recording_has_the_same_sound(
    stored, sam, settings, client
):
    one, other = stored(), stored()
    assert one.sha256 == other.sha256
    erase.request([one], sam, REASON)
    erase.erase_due()
    assert f"{SHA}.wav" in files(settings)
    client.force_login(sam)
    assert client.get(url("audio", other)).status_code == 200
    assert "another recording has the very same sound" in (
        client.get(url("detail", one)).content.decode()
    )

    erase.request([other], sam, REASON)
    erase.erase_due()
    assert files(settings) == []


def test_two_deletions_at_once_leave_no_file(stored, sam, settings):
    chosen = [stored(), stored()]
    erase.request(chosen, sam, REASON)
    erase.erase_due()
    assert files(settings) == []


def test_a_file_stored_during_the_erasure_of_its_twin_is_not_lost(
    stored, announced, sam, store, settings, monkeypatch
):
    """The erasure has looked for others and found none; then the other one comes, and waits."""
    one = stored()
    other = announced()
    erase.request([one], sam, REASON)
    remove = storage.delete

    def slowly(name):
        if name.endswith(".wav"):
            fetch.fetch_due()  # the whole download happens just before the file is removed
        remove(name)

    monkeypatch.setattr(storage, "delete", slowly)
    erase.erase_due()
    assert fresh(other).state == "announced"
    assert "being erased" in fresh(other).reason

    due_now(other)
    fetch.fetch_due()
    assert fresh(other).state == "stored"
    assert f"{SHA}.wav" in files(settings)


def test_an_erasure_sees_the_twin_that_is_being_stored(
    stored, announced, sam, store, settings, monkeypatch
):
    one = stored()
    other = announced()

    def delete():
        erase.request([one], sam, REASON)
        erase.erase_due()

    at_publishing(monkeypatch, delete, after=True)
    fetch.fetch_due()
    assert fresh(one).erased_at is not None
    assert fresh(other).state == "stored"
    assert f"{SHA}.wav" in files(settings)


# The page


def test_a_tombstone_stays(client, sam, lee, stored, store):
    recording = stored()
    Transcript.objects.create(
        call=recording.call,
        recording=recording,
        recording_key=recording.recording_id,
        text="Words that stay.",
        told_at=timezone.now(),
    )
    erase.request([recording], sam, REASON)
    client.force_login(lee)
    waiting = client.get(url("detail", recording)).content.decode()
    assert "Our file is not served any more" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    forgets(store, recording, {"errors": [{"code": "1", "title": "Not allowed"}]}, 403)
    erase.erase_due()
    refused = client.get(url("detail", recording)).content.decode()
    assert "Our file erased" in refused
    assert "Telnyx refused: Not allowed" in refused
    assert "Trying again at" in refused
    forgets(store, recording)
    due_now(recording)
    erase.erase_due()
    done = client.get(url("detail", recording)).content.decode()
    assert "Telnyx deleted its copy:" in done
    for page in (waiting, refused, done):
        assert "by sam:</b> Recorded by mistake" in page
        assert "Transcript and notes are kept." in page
        assert "Words that stay." in page
        assert "<audio" not in page
        assert "Delete this recording" not in page


def test_the_supervisor_deletes_with_a_reason(client, sam, stored):
    recording = stored()
    client.force_login(sam)
    assert "Delete this recording" in client.get(url("detail", recording)).content.decode()
    answer = client.post(url("delete", recording), {"reason": "Test call"})
    assert (answer.status_code, answer["Location"]) == (302, url("detail", recording))
    assert (fresh(recording).state, fresh(recording).reason) == ("deleted", "Test call")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "Choose why this recording is to go."),
        ({"reason": "other"}, "Say why, in a few words."),
        ({"reason": "other", "other": "x" * 201}, "at most 200 characters"),
        ({"reason": "because"}, "because"),
    ],
)
def test_a_deletion_without_a_reason_asks_for_one(client, sam, stored, given, complaint):
    recording = stored()
    client.force_login(sam)
    answer = client.post(url("delete", recording), given)
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert fresh(recording).state == "stored"


def test_a_reason_in_ones_own_words_is_kept(client, sam, stored):
    recording = stored()
    client.force_login(sam)
    client.post(url("delete", recording), {"reason": "other", "other": "A prank."})
    assert fresh(recording).reason == "A prank."


@pytest.mark.parametrize(("who", "status"), [("lee", 403), ("olga", 403), ("max", 404)])
def test_nobody_else_deletes(client, request, stored, who, status):
    recording = stored()
    client.force_login(request.getfixturevalue(who))
    page = client.get(url("detail", recording))
    assert "Delete this recording" not in page.content.decode()
    assert client.post(url("delete", recording), {"reason": "Test call"}).status_code == status
    assert fresh(recording).state == "stored"


def test_two_people_who_erase_at_the_same_time_leave_one_answer(stored, sam, store, settings):
    recording = stored()
    forgets(store, recording)
    erase.request([recording], sam, REASON)
    first = erase._claim(timezone.now())
    assert erase._claim(timezone.now()) is None
    due_now(recording)
    second = erase._claim(timezone.now())
    erase._erase(second)
    erase._erase(first)
    assert AuditRow.objects.filter(verb="erase at Telnyx").count() == 1
    assert fresh(recording).due_at is None
