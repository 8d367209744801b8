# ruff: noqa: F811  (fixtures of another file)
"""Recordings in a bucket: fetched into it, served out of it, and nothing lost when it is away."""

import hashlib
import io
import os
import uuid
import zipfile

import pytest
import requests
from django.db import DatabaseError

from access import audit
from access.models import AuditRow
from recordings import erase, exports, fetch, storage
from recordings.models import Recording
from tests.buckets import slow_down
from tests.store import wav, whole
from tests.test_fetch import SOUND, announced, due_now, store  # noqa: F401  (fixtures)
from tests.test_recording_pages import url

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept(settings, bucket):
    settings.STORAGES = settings.STORAGES | bucket.storages
    return bucket


@pytest.fixture
def stored(kept, announced, store):
    """Return a recording whose file is in the bucket."""
    announced(store.serve(whole(SOUND)))
    fetch.fetch_due()
    return Recording.objects.get(state="stored")


def test_a_file_is_stored_in_the_bucket_and_nothing_of_it_stays_here(stored, kept, settings):
    digest = hashlib.sha256(SOUND).hexdigest()
    assert kept.names() == [f"{digest[:2]}/{digest}.dat", f"{digest[:2]}/{digest}.wav"]
    assert storage.read(stored.path) == SOUND
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_while_the_bucket_is_away_the_file_waits_and_nothing_is_lost(
    kept,
    announced,
    store,
    settings,
):
    for number in range(3):
        announced(store.serve(whole(wav(2, seed=number)), f"file{number}"))

    with kept.failing(slow_down):
        fetch.fetch_due()
    waiting = list(Recording.objects.all())
    assert {(each.state, each.failures) for each in waiting} == {("waiting_space", 0)}
    assert all("answered SlowDown" in each.reason for each in waiting)
    assert kept.names() == []
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []

    for each in waiting:
        due_now(each)
    fetch.fetch_due()
    assert Recording.objects.filter(state="stored").exclude(peaks="").count() == 3
    assert len(kept.names()) == 6


def test_a_bucket_that_fails_between_waveform_and_sound_is_tried_again(kept, announced, store):
    recording = announced(store.serve(whole(SOUND)))

    def no_sound(environ, start_response):
        is_put = environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith(".wav")
        return slow_down(environ, start_response) if is_put else None

    with kept.failing(no_sound):
        fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "waiting_space"

    due_now(recording)
    fetch.fetch_due()
    recording.refresh_from_db()
    assert recording.state == "stored"


def test_playing_leads_to_a_link_that_works_for_minutes_and_is_noted_first(client, sam, stored):
    client.force_login(sam)

    answer = client.get(url("audio", stored) + "?page=p1")

    assert answer.status_code == 302
    assert answer["Cache-Control"] == "private, no-store"
    assert "X-Amz-Expires=302" in answer["Location"]  # two seconds are heard
    played = requests.get(answer["Location"], headers={"Range": "bytes=0-99"}, timeout=10)
    assert (played.status_code, played.content) == (206, SOUND[:100])
    assert played.headers["Content-Type"] == "audio/wav"
    assert played.headers["Content-Disposition"].startswith("inline")
    assert AuditRow.objects.filter(verb="play", who=sam).count() == 1


def test_a_download_leads_to_an_attachment_and_is_noted(client, sam, stored):
    client.force_login(sam)
    answer = client.get(url("audio", stored) + "?download=1")
    whole_file = requests.get(answer["Location"], timeout=10)
    assert whole_file.headers["Content-Disposition"].startswith("attachment; filename=")
    assert whole_file.content == SOUND
    assert AuditRow.objects.filter(verb="download", who=sam).count() == 1


def test_without_an_audit_row_there_is_no_link(client, sam, stored, monkeypatch):
    client.force_login(sam)

    def refuse(*args, **kwargs):
        raise DatabaseError("no audit today")

    monkeypatch.setattr(audit, "record", refuse)
    for query in ("", "?download=1"):
        answer = client.get(url("audio", stored) + query)
        assert answer.status_code == 503
        assert "Location" not in answer


def test_who_may_not_download_gets_no_link(client, lee, stored):
    client.force_login(lee)
    assert client.get(url("audio", stored) + "?download=1").status_code == 403


def test_head_tells_of_the_file_without_a_link(client, sam, stored):
    client.force_login(sam)
    answer = client.head(url("audio", stored))
    assert (answer.status_code, answer["Content-Type"]) == (200, "audio/wav")
    assert "X-Accel-Redirect" not in answer
    assert not AuditRow.objects.filter(verb="play").exists()


def test_the_waveform_passes_through_the_desk(client, sam, stored, kept):
    client.force_login(sam)
    assert client.get(url("peaks", stored)).status_code == 200
    with kept.failing(slow_down):
        answer = client.get(url("peaks", stored))
    assert (answer.status_code, b"SlowDown" in answer.content) == (503, True)


def test_a_zip_of_recordings_is_made_from_the_bucket_and_kept_there(client, sam, stored, kept):
    gone = Recording.objects.get(pk=stored.pk)
    gone.pk, gone.recording_id, gone.path = uuid.uuid4(), "gone", f"ab/{'ab' * 32}.wav"
    gone.place = None
    gone.save(force_insert=True)
    export = exports.request(sam, chosen=[stored.pk, gone.pk])
    exports.make_due()
    export.refresh_from_db()
    assert (export.state, export.lacking) == (
        "ready",
        [[str(gone.pk), "The file is not in the storage."]],
    )

    client.force_login(sam)
    answer = client.get(f"/recordings/exports/{export.pk}/zip")

    assert answer.status_code == 302
    whole_zip = requests.get(answer["Location"], timeout=10)
    assert whole_zip.headers["Content-Disposition"].startswith("attachment; filename=")
    with zipfile.ZipFile(io.BytesIO(whole_zip.content)) as archive:
        sounds = [name for name in archive.namelist() if name.endswith(".wav")]
        assert [archive.read(name) for name in sounds] == [SOUND]
    assert AuditRow.objects.filter(verb="download").count() == 1

    exports.remove(export)
    exports.sweep()
    assert not storage.exists(export.path)


def test_the_sweep_outlives_a_bucket_that_is_away(kept, settings):
    old = settings.MEDIA_ROOT / "tmp" / "old.part"
    old.parent.mkdir(parents=True)
    old.touch()
    os.utime(old, (0, 0))
    with kept.failing(slow_down):
        fetch.sweep()
    assert not old.exists()


def test_the_player_may_mix_sound_that_comes_from_the_bucket(client, sam, stored):
    client.force_login(sam)
    page = client.get(f"/recordings/{stored.pk}/").content.decode()
    assert 'crossorigin="anonymous"' in page  # else Web Audio hears silence


def test_an_erased_recording_is_gone_from_the_bucket(sam, stored, kept, store):
    store.rest(f"/recordings/{stored.recording_id}", {}, status=404)
    erase.request([stored], sam, "asked for by the caller")
    erase.erase_due()
    assert kept.names() == []
    stored.refresh_from_db()
    assert stored.erased_at is not None


def test_an_erasure_waits_for_a_bucket_that_is_away(sam, stored, kept):
    erase.request([stored], sam, "asked for by the caller")
    with kept.failing(slow_down):
        erase.erase_due()
    stored.refresh_from_db()
    assert (stored.erased_at, len(kept.names())) == (None, 2)
    assert stored.due_at is not None
