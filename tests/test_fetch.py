"""Files get from Telnyx's store into ours: whole and once, or the row says why not."""

import hashlib
import os
import socket
import threading
import time
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from access.models import AuditRow
from calls.line import telnyx
from calls.models import Call, Command
from recordings import download, fetch, handlers, storage
from recordings.models import Recording
from tests.conftest import leg
from tests.store import BUCKET, Store, drip, endless, mp3, wav, whole

pytestmark = pytest.mark.django_db

SAVED = "call.recording.saved"
SOUND = wav(2)


@pytest.fixture
def store(settings):
    store = Store()
    settings.TELNYX_MEDIA_ALLOW = [store.url + BUCKET]
    settings.TELNYX_BASE_URL = store.url + "/v2"
    yield store
    store.close()


@pytest.fixture
def announced(deliver, store):
    """Have Telnyx announce a two-second file; return its recording."""

    def announced(link=None, *, format="wav", recording_id=None, **changes):
        recording_id = recording_id or str(uuid.uuid4())
        deliver(
            SAVED,
            **leg()
            | {
                "recording_id": recording_id,
                "format": format,
                "recording_started_at": "2026-03-02T15:04:36Z",
                "recording_ended_at": "2026-03-02T15:04:38Z",
                "recording_urls": {format: link or store.link()},
            }
            | changes,
        )
        return Recording.objects.latest("announced_at")

    return announced


def row(recording, store, **changes):
    """Have Telnyx's API know a recording."""
    known = {
        "id": recording.recording_id,
        "call_leg_id": recording.call.call_leg_id,
        "recording_started_at": "2026-03-02T15:04:36Z",
        "recording_ended_at": "2026-03-02T15:04:38Z",
        "duration_millis": 2000,
        "download_urls": {"wav": store.link("fresh")},
    } | changes
    store.rest(f"/recordings/{recording.recording_id}", {"data": known})
    return known


def files(settings):
    return sorted(path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file())


def due_now(recording):
    Recording.objects.filter(pk=recording.pk).update(due_at=timezone.now())


def test_a_file_is_stored_under_the_name_of_its_content(announced, store, settings):
    recording = announced(store.serve(whole(SOUND)))

    assert fetch.fetch_due() == 1

    recording.refresh_from_db()
    digest = hashlib.sha256(SOUND).hexdigest()
    assert (recording.state, recording.sha256) == ("stored", digest)
    assert recording.path == f"{digest[:2]}/{digest}.wav"
    assert (recording.size_bytes, recording.duration_ms, recording.channels) == (
        len(SOUND),
        2000,
        2,
    )
    assert (settings.MEDIA_ROOT / recording.path).read_bytes() == SOUND
    assert (settings.MEDIA_ROOT / recording.path).stat().st_mode & 0o777 == 0o440
    assert (recording.urls, recording.due_at, recording.failures) == ({}, None, 0)
    assert len(storage.read(recording.peaks)) == 24 + 100 * 4
    audit = AuditRow.objects.get()
    assert (audit.verb, audit.subject) == ("store", f"recording {recording.pk}")
    assert fetch.fetch_due() == 0


def test_an_mp3_is_stored(announced, store):
    pytest.importorskip("lameenc")
    recording = announced(store.serve(whole(mp3(2))), format="mp3")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.path[-4:]) == ("stored", ".mp3")
    assert recording.peaks


def test_the_call_is_shown_anew_when_its_file_is_stored(announced, store):
    recording = announced(store.serve(whole(SOUND)))
    version = Call.objects.get().version
    fetch.fetch_due()
    assert Call.objects.get().version > version
    recording.refresh_from_db()
    assert recording.version > 0


def test_the_store_never_sees_our_key_and_sends_no_compression(announced, store):
    announced(store.serve(whole(SOUND)))
    fetch.fetch_due()
    (headers,) = store.gets()
    assert "Authorization" not in headers
    assert "KEY-test" not in str(headers)
    assert headers["Accept-Encoding"] == "identity"


HTML = b"<!DOCTYPE html><html><body>Sorry</body></html>"
XML = b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'
OPEN_WAV = SOUND[:40] + b"\xff\xff\xff\xff" + SOUND[44:]
BAD = {
    "truncated": (whole(SOUND[:9000], length=len(SOUND)), "came cut short: 9,000 of 64,044"),
    "truncated without a length": (whole(SOUND[:9000], length=False), "cut short"),
    "header of a longer file": (whole(SOUND[:9000]), "cut short"),
    "no length anywhere": (whole(OPEN_WAV, length=False), "says how long"),
    "empty": (whole(b""), "empty"),
    "a web page": (whole(HTML), "a web page"),
    "XML": (whole(XML), "a web page or an XML"),
    "JSON": (whole(b'{"errors": []}'), "a JSON message"),
    "random bytes": (whole(b"\x93" * 5000), "unknown kind"),
    "a header alone": (whole(SOUND[:44]), "cut short"),
    "no samples": (whole(SOUND[:36]), "no samples"),
    "another type than announced": (whole(SOUND), "Announced was mp3"),
    "longer than it took": (whole(wav(9)), "too many"),
    "a server fault": (whole(b"", status=500), "answered 500"),
    "a part": (whole(SOUND, status=206), "answered 206"),
    "compressed": (whole(SOUND, Content_Encoding="gzip"), "compressed"),
    "a length that is none": (whole(SOUND, length="12x"), "no number"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_never_stored_and_is_tried_again(announced, store, settings, name):
    answer, reason = BAD[name]
    recording = announced(store.serve(answer), format="mp3" if "another type" in name else "wav")

    fetch.fetch_due()

    recording.refresh_from_db()
    assert recording.state == "announced"
    assert reason in recording.reason
    assert recording.due_at > timezone.now()
    assert files(settings) == []
    assert not AuditRow.objects.exists()


def test_a_redirect_is_not_followed(announced, store):
    target = store.serve(whole(SOUND), "target")
    recording = announced(store.serve(whole(b"", status=302, Location=target)))
    fetch.fetch_due()
    recording.refresh_from_db()
    assert "redirect" in recording.reason
    assert store.gets("target") == []


def test_a_drip_is_cut_off_by_the_deadline(announced, store, monkeypatch):
    monkeypatch.setattr(download, "GRACE_S", 0.2)
    recording = announced(store.serve(drip(SOUND)))
    started = time.monotonic()
    fetch.fetch_due()
    recording.refresh_from_db()
    assert "too slowly" in recording.reason
    assert time.monotonic() - started < 5


def test_headers_that_drip_are_cut_off_too(announced, store, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_S", 0.2)

    def headers_only(request):
        try:
            for _ in range(500):
                request.wfile.write(b"X")
                request.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass

    recording = announced(store.serve(headers_only))
    started = time.monotonic()
    fetch.fetch_due()
    recording.refresh_from_db()
    assert "The line to the store failed" in recording.reason
    assert time.monotonic() - started < 5


def test_an_endless_body_is_cut_off_at_the_limit(announced, store, monkeypatch, settings):
    monkeypatch.setattr(download, "MOST_BYTES", 1 << 20)
    recording = announced(store.serve(endless()))
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.due_at) == ("failed", None)
    assert "limit of 1 MB" in recording.reason
    assert files(settings) == []


def test_a_file_over_the_limit_is_refused_before_its_first_byte(announced, store, monkeypatch):
    monkeypatch.setattr(download, "MOST_BYTES", 1000)
    recording = announced(store.serve(whole(SOUND)))
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert "64,044 bytes" in recording.reason


def test_a_wav_that_proves_its_length_needs_no_length_from_the_store(announced, store):
    recording = announced(store.serve(whole(SOUND, length=False)))
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "stored"


@pytest.mark.parametrize("status", [403, 410])
def test_an_expired_link_is_replaced_in_the_same_attempt(announced, store, status):
    recording = announced(store.serve(whole(b"", status=status)))
    row(recording, store)
    store.serve(whole(SOUND), "fresh")

    fetch.fetch_due()

    recording.refresh_from_db()
    assert (recording.state, recording.attempts) == ("stored", 1)
    assert len(store.gets()) == len(store.gets("fresh")) == 1


def test_an_old_link_is_not_even_tried(announced, store):
    recording = announced(store.serve(whole(SOUND)))
    Recording.objects.update(urls_at=timezone.now() - timedelta(minutes=9))
    row(recording, store)
    store.serve(whole(SOUND), "fresh")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "stored"
    assert store.gets() == []


def test_a_second_attempt_uses_a_fresh_link(announced, store):
    recording = announced(store.serve(whole(HTML)))
    row(recording, store)
    store.serve(whole(SOUND), "fresh")
    fetch.fetch_due()
    due_now(recording)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.attempts) == ("stored", 2)


def test_a_length_that_differs_from_telnyx_s_is_not_stored(announced, store):
    recording = announced(store.serve(whole(b"", status=403)))
    row(recording, store, duration_millis=9_000)
    store.serve(whole(SOUND), "fresh")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "announced"
    assert "7.0 too few" in recording.reason


def test_a_paused_recording_may_be_shorter_than_telnyx_says(announced, store):
    recording = announced(store.serve(whole(b"", status=403)))
    now = timezone.now()
    Command.objects.create(
        call=recording.call,
        kind="record_pause",
        state="accepted",
        requested_at=now,
        expires_at=now,
        due_at=now,
    )
    row(recording, store, duration_millis=9_000)
    store.serve(whole(SOUND), "fresh")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "stored"


def test_a_truncated_mp3_of_unknown_length_is_caught_by_telnyx_s_duration(announced, store):
    pytest.importorskip("lameenc")
    cut = mp3(20)[: len(mp3(20)) // 2]
    recording = announced(
        store.serve(whole(cut, length=False)),
        format="mp3",
        recording_ended_at="2026-03-02T15:04:56Z",
    )
    row(recording, store, duration_millis=20_000, download_urls={"mp3": store.link()})
    fetch.fetch_due()
    due_now(recording)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.attempts) == ("announced", 2)
    assert "too few" in recording.reason


def test_a_recording_without_an_id_gets_it_from_telnyx_s_list(announced, store):
    recording = announced(store.serve(whole(SOUND)), recording_id=None)
    Recording.objects.update(recording_id="")
    known = row(recording, store) | {"id": "found", "recording_started_at": "2026-03-02T15:04:37Z"}
    other = known | {"id": "other", "recording_started_at": "2026-03-02T15:09:00Z"}
    store.rest("/recordings", {"data": [other, known], "meta": {"total_pages": 1}})
    store.serve(whole(SOUND), "fresh")

    fetch.fetch_due()

    recording.refresh_from_db()
    assert (recording.state, recording.recording_id) == ("stored", "found")


def test_a_recording_without_an_id_does_not_take_that_of_another(announced, store):
    other = announced(store.serve(whole(SOUND)))
    recording = announced(store.link(), call_leg_id=other.call.call_leg_id)
    Recording.objects.filter(pk=recording.pk).update(recording_id="")
    known = row(other, store)
    later = known | {"id": "later", "recording_started_at": "2026-03-02T15:04:37.5Z"}
    store.rest("/recordings", {"data": [known, later], "meta": {"total_pages": 1}})
    store.serve(whole(SOUND), "fresh")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.recording_id) == ("stored", "later")


def test_without_an_id_the_webhook_s_link_still_works(announced, store):
    recording = announced(store.serve(whole(SOUND)))
    Recording.objects.update(recording_id="")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.recording_id) == ("stored", "")


def test_a_recording_that_telnyx_does_not_know_ends_up_missing(announced, store):
    recording = announced(store.serve(whole(b"", status=404)))
    gone = {"errors": [{"code": "10005", "title": "Resource not found"}]}
    store.rest(f"/recordings/{recording.recording_id}", gone, status=404)
    for _ in range(fetch.MISSING_AFTER):
        due_now(recording)
        fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.due_at) == ("missing", None)
    assert "does not know" in recording.reason


def test_a_file_in_the_customer_s_own_bucket_is_left_there(announced, store):
    recording = announced("s3://their-bucket/call.wav")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.due_at) == ("failed", None)
    assert "your own bucket: s3://their-bucket/call.wav" in recording.reason


FOREIGN = [
    "https://s3.amazonaws.com/another-bucket/x.wav",
    "https://s3.amazonaws.com/telephony-recorder-prod/../another-bucket/x.wav",
    "https://s3.amazonaws.com/telephony-recorder-prod/%2e%2e/another-bucket/x.wav",
    "https://s3.amazonaws.com/telephony-recorder-prod/..%2fanother-bucket/x.wav",
    "https://s3.amazonaws.com/telephony-recorder-production/x.wav",
    "http://s3.amazonaws.com/telephony-recorder-prod/x.wav",
    "https://s3.amazonaws.com:8443/telephony-recorder-prod/x.wav",
    "https://s3.amazonaws.com.evil.example/telephony-recorder-prod/x.wav",
    "https://user@s3.amazonaws.com/telephony-recorder-prod/x.wav",
    "https://s3.amazonaws.com@127.0.0.1/telephony-recorder-prod/x.wav",
    "https://127.0.0.1/telephony-recorder-prod/x.wav",
    "https://2130706433/telephony-recorder-prod/x.wav",
    "https://0x7f.1/telephony-recorder-prod/x.wav",
    "https://[::1]/telephony-recorder-prod/x.wav",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1%25lo]/telephony-recorder-prod/x.wav",
    "https://s3.amazonaws.com\\@127.0.0.1/telephony-recorder-prod/x.wav",
    "https://s3.amazonaws.com/telephony-recorder-prod/x.wav\r\nHost: evil",
    "https://s3.amazonaws.com:port/telephony-recorder-prod/x.wav",
    "file:///etc/passwd",
    "https://",
]


@pytest.mark.parametrize("link", FOREIGN)
def test_a_link_to_anywhere_else_is_refused(link):
    allow = ["https://s3.amazonaws.com/telephony-recorder-prod/"]
    with pytest.raises(download.Refused):
        download.place_of(link, allow)


def test_a_link_of_the_store_is_allowed():
    link = "https://s3.amazonaws.com/telephony-recorder-prod/a/b.mp3?X-Amz-Expires=600"
    allow = ["https://telephony-recorder-prod.s3.amazonaws.com/", link.partition("a/b")[0]]
    assert download.place_of(link, allow).host == "s3.amazonaws.com"


def test_a_refused_link_fails_at_once_and_names_the_host(announced, settings):
    settings.TELNYX_MEDIA_ALLOW = ["https://s3.amazonaws.com/telephony-recorder-prod/"]
    recording = announced("https://acct.blob.core.windows.net/calls/x.wav?sig=secret")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert "https://acct.blob.core.windows.net/calls/" in recording.reason
    assert "secret" not in recording.reason


@pytest.mark.parametrize(
    ("peer", "host", "is_good"),
    [
        ("52.216.1.1", "s3.amazonaws.com", True),
        ("127.0.0.1", "s3.amazonaws.com", False),
        ("10.1.2.3", "s3.amazonaws.com", False),
        ("169.254.169.254", "s3.amazonaws.com", False),
        ("::1", "s3.amazonaws.com", False),
        ("::ffff:127.0.0.1", "s3.amazonaws.com", False),
        ("64:ff9b::7f00:1", "s3.amazonaws.com", False),
        ("64:ff9b::34d8:101", "s3.amazonaws.com", True),
        ("224.0.0.1", "s3.amazonaws.com", False),
        ("fe80::1%lo", "s3.amazonaws.com", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("10.1.2.3", "localhost", False),
        ("127.0.0.1", "127.0.0.2", False),
    ],
)
def test_only_public_addresses_are_spoken_to(peer, host, is_good):
    if is_good:
        download._check_peer(peer, host)
    else:
        with pytest.raises(download.Unusable):
            download._check_peer(peer, host)


def test_a_name_that_turns_into_a_local_address_gets_no_request(
    announced, store, settings, monkeypatch
):
    port = store.server.server_port
    settings.TELNYX_MEDIA_ALLOW = [f"http://store.example:{port}{BUCKET}"]
    store.serve(whole(SOUND))
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **how: real("127.0.0.1", *more, **how)
    )
    recording = announced(f"http://store.example:{port}{BUCKET}file")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert "not a public address" in recording.reason
    assert store.seen == []


def test_a_second_fetcher_finds_nothing_to_do(announced, store, monkeypatch):
    announced(store.serve(whole(SOUND)))
    stream = download.stream

    def stream_while_another_looks(*args, **kwargs):
        assert fetch.fetch_due() == 0
        return stream(*args, **kwargs)

    monkeypatch.setattr(download, "stream", stream_while_another_looks)
    assert fetch.fetch_due() == 1
    assert len(store.gets()) == 1


@pytest.mark.django_db(transaction=True)
def test_eight_fetchers_at_once_download_each_file_once(announced, store):
    for number in range(12):
        announced(store.serve(whole(wav(2, seed=number)), f"file{number}"))

    def work():
        try:
            fetch.fetch_due()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert Recording.objects.filter(state="stored").count() == 12
    assert [len(store.gets(f"file{number}")) for number in range(12)] == [1] * 12


class Killed(BaseException):
    """The process ends here: nothing of ours catches it."""


def test_a_kill_between_publish_and_commit_costs_a_download_only(
    announced, store, settings, monkeypatch
):
    recording = announced(store.serve(whole(SOUND)))

    def die(*args):
        raise Killed

    monkeypatch.setattr(fetch, "_keep", die)
    with pytest.raises(Killed):
        fetch.fetch_due()
    monkeypatch.undo()
    recording.refresh_from_db()
    assert recording.state == "fetching"
    assert fetch.fetch_due() == 0  # the lease of the dead still runs

    row(recording, store, download_urls={"wav": store.link()})
    due_now(recording)
    assert fetch.fetch_due() == 1

    recording.refresh_from_db()
    assert (recording.state, recording.attempts) == ("stored", 2)
    assert [path.suffix for path in files(settings)] == [".dat", ".wav"]


def test_a_stored_file_leaves_no_draft_of_a_killed_attempt(announced, store, settings):
    recording = announced(store.serve(whole(SOUND)))
    folder = settings.MEDIA_ROOT / "tmp"
    folder.mkdir(parents=True)
    others = folder / f"{uuid.uuid4()}.1.part"
    for path in (folder / f"{recording.pk}.1.part", folder / f"{recording.pk}.1.peaks.part"):
        path.touch()  # a killed process removes nothing
    others.touch()
    Recording.objects.update(attempts=1)

    assert fetch.fetch_due() == 1

    assert list(folder.iterdir()) == [others]


def test_a_process_that_dies_each_time_ends_the_attempts(announced, store, monkeypatch):
    recording = announced(store.serve(whole(SOUND)))

    def die(*args):
        raise Killed

    monkeypatch.setattr(fetch, "_get", die)
    for _ in range(fetch.MOST_FAILURES):
        due_now(recording)
        with pytest.raises(Killed):
            fetch.fetch_due()
    due_now(recording)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "failed"
    assert "process ended each time" in recording.reason


def test_a_fetcher_that_lost_its_lease_changes_nothing(announced, store, settings, monkeypatch):
    recording = announced(store.serve(whole(SOUND)))
    mine = fetch._claim(timezone.now())
    Recording.objects.filter(pk=recording.pk).update(attempts=7)

    fetch._fetch(mine)

    recording.refresh_from_db()
    assert (recording.state, recording.attempts, recording.path) == ("fetching", 7, "")
    assert not AuditRow.objects.exists()


def test_a_fetcher_that_lost_its_lease_stops_downloading(announced, store, settings, monkeypatch):
    recording = announced(store.serve(endless()))
    monkeypatch.setattr(fetch, "BEAT_S", 0.0)
    mine = fetch._claim(timezone.now())
    Recording.objects.filter(pk=recording.pk).update(attempts=7)
    fetch._fetch(mine)  # without the heartbeat it would run into the limit
    recording.refresh_from_db()
    assert (recording.state, recording.attempts) == ("fetching", 7)
    assert files(settings) == []


def test_a_zombie_s_failure_does_not_touch_its_successor(announced, store):
    recording = announced(store.serve(whole(HTML)))
    zombie = fetch._claim(timezone.now())
    Recording.objects.filter(pk=recording.pk).update(attempts=9)
    version = Call.objects.get().version
    fetch._fetch(zombie)
    recording.refresh_from_db()
    assert (recording.state, recording.attempts, recording.reason) == ("fetching", 9, "")
    assert Call.objects.get().version == version


def test_the_lease_is_extended_while_bytes_flow(announced, store, monkeypatch):
    recording = announced(store.serve(whole(SOUND)))
    monkeypatch.setattr(fetch, "BEAT_S", 0.0)
    mine = fetch._claim(timezone.now())
    Recording.objects.update(due_at=timezone.now())
    fetch._heartbeat(mine)()
    recording.refresh_from_db()
    assert recording.due_at > timezone.now() + timedelta(seconds=100)


def test_without_room_it_waits_and_goes_on_later(announced, store, monkeypatch, settings):
    recording = announced(store.serve(whole(SOUND)))
    monkeypatch.setattr(
        storage.drafts.shutil, "disk_usage", lambda path: SimpleNamespace(free=700 << 20)
    )
    for _ in range(3):
        due_now(recording)
        fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.failures) == ("waiting_space", 0)
    assert "700 MB free" in recording.reason
    assert files(settings) == []

    monkeypatch.undo()
    due_now(recording)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "stored"


def test_a_disk_that_fills_up_in_the_middle_leaves_no_rest(
    announced, store, settings, monkeypatch
):
    recording = announced(store.serve(whole(SOUND)))
    settings.MEDIA_ROOT.joinpath("tmp").mkdir(parents=True)
    (settings.MEDIA_ROOT / "tmp" / f"{recording.pk}.1.part").symlink_to("/dev/full")

    fetch.fetch_due()

    recording.refresh_from_db()
    assert recording.state == "waiting_space"
    assert "No space left" in recording.reason
    assert files(settings) == []


def test_a_failed_audit_row_leaves_nothing_stored(announced, store, monkeypatch):
    recording = announced(store.serve(whole(SOUND)))

    def refuse(*args, **kwargs):
        raise DatabaseError("no audit today")

    monkeypatch.setattr(fetch, "record", refuse)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "announced"
    assert "no audit today" in recording.reason


def test_a_waveform_that_cannot_be_made_does_not_make_the_file_less_stored(
    announced, store, monkeypatch
):
    recording = announced(store.serve(whole(SOUND)))

    def fail(*args):
        raise ValueError("odd bytes")

    monkeypatch.setattr(fetch, "peaks", fail)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.peaks) == ("stored", "")


def test_waits_grow_and_end_after_a_day(announced, store):
    recording = announced(store.serve(whole(HTML)))
    row(recording, store, download_urls={"wav": store.link()})
    waits = []
    for _ in range(6):
        due_now(recording)
        fetch.fetch_due()
        recording.refresh_from_db()
        waits.append(round((recording.due_at - timezone.now()).total_seconds()))
    assert waits == [5, 20, 60, 300, 1800, 3600]

    Recording.objects.update(announced_at=timezone.now() - timedelta(hours=23, minutes=30))
    due_now(recording)
    fetch.fetch_due()

    recording.refresh_from_db()
    assert (recording.state, recording.due_at) == ("failed", None)
    assert "a web page" in recording.reason


def test_fetch_again_starts_afresh(announced, store):
    recording = announced(store.serve(whole(SOUND)))
    Recording.objects.update(state="failed", due_at=None, attempts=30, failures=29)
    row(recording, store, download_urls={"wav": store.link()})
    assert fetch.again(Recording.objects.all()) == 1
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.attempts) == ("stored", 31)


def test_a_stored_file_is_not_fetched_again(announced, store):
    announced(store.serve(whole(SOUND)))
    fetch.fetch_due()
    assert fetch.again(Recording.objects.all()) == 0


def test_a_recording_of_an_unnamed_call_learns_the_parties_before_it_is_stored(announced, store):
    recording = announced(store.serve(whole(SOUND)), **{"from": None, "to": None})
    Call.objects.update(from_number="+13125550101", to_number="+18005550100", direction="incoming")
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.from_number, recording.direction) == ("+13125550101", "incoming")


def test_without_a_key_a_fresh_link_waits_for_one(announced, store, settings):
    settings.TELNYX_API_KEY = ""
    recording = announced(store.serve(whole(b"", status=403)))
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "announced"
    assert "no Telnyx API key" in recording.reason


def test_the_sweep_removes_drafts_of_the_dead_only(settings):
    folder = settings.MEDIA_ROOT / "tmp"
    folder.mkdir(parents=True)
    old, young, other = (folder / name for name in ("old.part", "young.part", "old.txt"))
    for path in (old, young, other):
        path.touch()
    hour_ago = time.time() - 3700
    os.utime(old, (hour_ago, hour_ago))
    os.utime(other, (hour_ago, hour_ago))
    assert fetch.sweep() == 1
    assert sorted(folder.iterdir()) == [other, young]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "ab/../../x", ""])
def test_no_name_leads_out_of_the_media_folder(name):
    with pytest.raises(ValueError, match="no name of a stored file"):
        storage.local_path(name)


def test_the_media_lane_is_rung_after_the_commit(
    deliver, monkeypatch, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(handlers, "ring", rung.append)
    with django_capture_on_commit_callbacks() as callbacks:
        deliver(SAVED, **leg())
    assert rung == []
    for callback in callbacks:
        callback()
    assert rung == ["media"]


@pytest.fixture
def taped(simulator, settings, deliver):
    """Have the simulator record a call; return the recording that its webhook would announce."""
    settings.TELNYX_MEDIA_ALLOW = [simulator.url + BUCKET]
    simulator.lever("POST", "settings", {"saved_delay_s": 0.0})

    def taped(format):
        ids = simulator.call()
        tell = {"format": format, "channels": "dual"}
        for action, params in (("record_start", tell), ("record_stop", {})):
            telnyx().act(ids["call_control_id"], action, params, command_id=uuid.uuid4())
            simulator.lever("POST", f"calls/{ids['call_control_id']}/say", HELLO)
        deadline = time.monotonic() + 10
        while not (rows := list(telnyx().recordings(call_leg_id=ids["call_leg_id"]))):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        deliver(
            SAVED,
            call_leg_id=ids["call_leg_id"],
            recording_id=rows[0].recording_id,
            format=format,
            recording_urls=rows[0].urls,
            recording_started_at=rows[0].started_at.isoformat(),
            recording_ended_at=rows[0].ended_at.isoformat(),
        )
        return Recording.objects.get(recording_id=rows[0].recording_id)

    return taped


HELLO = {"party": "customer", "text": "Hello."}


@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_what_the_simulator_records_is_stored(taped, format):
    recording = taped(format)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.format, recording.reason) == ("stored", format, "")
    assert recording.peaks


@pytest.mark.parametrize(
    "fault", ["truncate", "html", "expire", "status", "wrong_type", "no_length"]
)
def test_one_fault_of_the_store_is_overcome(taped, simulator, fault):
    recording = taped("wav")
    simulator.lever("POST", "faults", {"downloads": [{"do": fault, "times": 1}]})
    for _ in range(3):
        Recording.objects.filter(pk=recording.pk, due_at__isnull=False).update(
            due_at=timezone.now()
        )
        fetch.fetch_due()
    recording.refresh_from_db()
    assert (recording.state, recording.reason) == ("stored", "")
