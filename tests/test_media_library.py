"""The library of sounds: what is taken in, what Telnyx gets, how it is kept alive and let go."""

import io
import os
import time
import wave
from datetime import timedelta

import numpy as np
import pytest
import requests
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from access.models import AuditRow
from calls.models import MediaFile
from calls.sounds import media, store
from calls.sounds.convert import Unfit, prepare
from simulator import audio, speech

State = MediaFile.State


def wav(seconds=1.0, *, rate=44_100, channels=2, width=2):
    """Return a WAV file with a plain tone of 440 Hz."""
    at = np.arange(int(seconds * rate)) / rate
    tone = np.repeat((9_000 * np.sin(2 * np.pi * 440 * at)).astype("<i2"), channels)
    frames = tone.tobytes() if width == 2 else ((tone >> 8) + 128).astype(np.uint8).tobytes()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return out.getvalue()


def mp3(tmp_path):
    if not audio.can_write_mp3():
        pytest.skip("NO LAMEENC: it is in requirements-dev.txt")
    source = tmp_path / "source.wav"
    source.write_bytes(wav(rate=8_000, channels=1))
    audio.write_mp3(tmp_path / "made.mp3", source)
    return (tmp_path / "made.mp3").read_bytes()


def converted(content, tmp_path):
    given, out = tmp_path / "given", tmp_path / "out"
    given.write_bytes(content)
    return prepare(given, out), out.read_bytes()


def upload(client, content, *, file="on_hold.wav", **more):
    return client.post("/media/", {"file": SimpleUploadedFile(file, content), **more})


def body(response):
    return response.content.decode()


def pitch(content):
    """Return the loudest frequency of a WAV file."""
    with wave.open(io.BytesIO(content)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        rate = file.getframerate()
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(power)) * rate / len(samples)


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def row(supervisor, simulator):
    """A sound that Telnyx holds."""
    assert upload(supervisor, wav()).status_code == 302
    media.keep_due()
    return MediaFile.objects.get()


def at_telnyx(simulator, row, part=""):
    address = f"{simulator.url}/v2/media/{row.media_name}{part}"
    headers = {"Authorization": f"Bearer {simulator.api_key}"}
    return requests.get(address, headers=headers, timeout=5)


def later(row, **changes):
    MediaFile.objects.filter(pk=row.pk).update(**changes)


# What is taken in


@pytest.mark.parametrize(
    ("shape", "rate"),
    [
        ({"rate": 44_100, "channels": 2}, 16_000),
        ({"rate": 48_000, "channels": 1}, 16_000),
        ({"rate": 11_025, "channels": 1}, 8_000),
        ({"rate": 8_000, "channels": 2}, 8_000),
        ({"rate": 16_000, "channels": 1, "width": 1}, 16_000),
    ],
)
def test_a_wav_becomes_mono_at_a_telephones_rate_and_keeps_its_pitch(shape, rate, tmp_path):
    prepared, out = converted(wav(**shape), tmp_path)

    with wave.open(io.BytesIO(out)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        assert file.getnframes() == pytest.approx(rate, abs=rate / 50)
    assert pitch(out) == pytest.approx(440, abs=5)
    assert prepared.duration_ms == pytest.approx(1000, abs=20)
    assert f"made {rate // 1000} kHz" in prepared.treatment


def test_a_wav_that_fits_is_kept_byte_for_byte(tmp_path):
    content = wav(rate=16_000, channels=1)

    prepared, out = converted(content, tmp_path)

    assert out == content
    assert prepared.treatment == "WAV, 16 kHz, mono; kept as it is"


def test_an_mp3_is_passed_on_as_it_is(tmp_path):
    content = mp3(tmp_path)

    prepared, out = converted(content, tmp_path)

    assert out == content
    assert (prepared.format, "kept as it is" in prepared.treatment) == ("mp3", True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"<html>Sorry</html>", "a web page"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "WAV file"),
        (wav()[:5_000], "cut short"),
        (b"\x7fELF" + bytes(500), "of an unknown kind"),
    ],
)
def test_what_is_no_sound_is_refused_whatever_its_name(content, reason, tmp_path):
    with pytest.raises(Unfit, match=reason):
        converted(content, tmp_path)


def test_a_file_that_is_too_large_for_telnyx_once_converted_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("calls.sounds.convert.MEDIA_BYTES", 10_000)

    with pytest.raises(Unfit, match=r"has 0\.0 MB, the limit at Telnyx is 0 MB: shorten it"):
        converted(wav(), tmp_path)


def test_a_refused_file_leaves_nothing_behind(supervisor, settings):
    answer = upload(supervisor, b"not a sound at all")

    assert answer.status_code == 422
    assert "not WAV or MP3" in body(answer)
    assert not MediaFile.objects.exists()
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_a_file_over_the_limit_is_named_and_never_kept(supervisor, monkeypatch):
    monkeypatch.setattr("calls.sounds.uploads.MOST_BYTES", 50_000)
    monkeypatch.setattr("calls.sounds.views.media.MOST_BYTES", 50_000)

    answer = upload(supervisor, wav())

    assert answer.status_code == 422
    assert "The file has about 0.2 MB, the limit is 0 MB. Nothing was stored." in body(answer)
    assert not MediaFile.objects.exists()


def test_a_name_is_taken_once(supervisor, row):
    answer = upload(supervisor, wav(), name="ON HOLD")

    assert answer.status_code == 422
    assert "Another sound is called “ON HOLD”." in body(answer)


# What Telnyx gets


def test_an_upload_goes_to_telnyx_with_a_name_and_a_life_of_its_own(row, simulator):
    told = at_telnyx(simulator, row).json()["data"]

    assert row.state == State.READY
    assert row.name == "on hold"
    assert row.media_name.startswith("tapeline-on-hold-")
    assert told["content_type"] == "audio/wav"
    assert row.expires_at - timezone.now() > timedelta(days=29)
    assert at_telnyx(simulator, row, "/download").content == store.read(row.path)


def test_the_uploaded_sound_is_what_a_call_hears(row, simulator):
    ids = simulator.call()
    address = f"{simulator.url}/v2/calls/{ids['call_control_id']}/actions/playback_start"
    headers = {"Authorization": f"Bearer {simulator.api_key}"}
    params = {"media_name": row.media_name, "audio_type": row.format}
    answer = requests.post(address, json=params, headers=headers, timeout=5)

    assert answer.status_code == 200
    (leg,) = (
        leg
        for leg in simulator.lever("GET", "calls")["calls"]
        if leg["call_control_id"] == ids["call_control_id"]
    )
    assert leg["sound"] == "playing"
    assert len(audio.decode(store.read(row.path))) == pytest.approx(speech.RATE, rel=0.02)


def test_telnyx_down_is_tried_again_and_said(supervisor, simulator):
    simulator.fault(action="POST /media", do="status", status=503, times=1)
    upload(supervisor, wav())

    assert media.keep_due() == 1

    row = MediaFile.objects.get()
    assert (row.state, row.failures) == (State.UPLOADING, 1)
    assert row.due_at > timezone.now()
    assert "Telnyx could not do it now" in body(supervisor.get("/media/"))
    later(row, due_at=timezone.now())
    media.keep_due()
    assert MediaFile.objects.get().state == State.READY


def test_a_refusal_stands_until_somebody_tries_again(supervisor, simulator):
    simulator.fault(action="POST /media", do="status", status=422, times=1)
    upload(supervisor, wav())
    media.keep_due()
    row = MediaFile.objects.get()

    assert (row.state, row.due_at) == (State.FAILED, None)
    page = body(supervisor.get("/media/"))
    assert "Telnyx refused it." in page
    assert "Try again" in page

    assert supervisor.post(f"/media/{row.pk}/retry/").status_code == 302
    media.keep_due()
    assert MediaFile.objects.get().state == State.READY


def test_an_upload_whose_answer_was_lost_is_found_and_not_sent_twice(supervisor, simulator):
    upload(supervisor, wav())
    simulator.fault(action="POST /media", do="apply_then_drop", times=1)
    media.keep_due()
    row = MediaFile.objects.get()
    assert row.state == State.UPLOADING
    simulator.fault(action="POST /media", do="status", status=500)  # a second upload would fail

    later(row, due_at=timezone.now())
    media.keep_due()

    assert MediaFile.objects.get().state == State.READY


def test_killed_between_sending_and_writing_it_is_found_and_not_sent_twice(
    supervisor, simulator, monkeypatch
):
    upload(supervisor, wav())
    with monkeypatch.context() as patch:
        patch.setattr(media, "_ready", lambda row, expires_at: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            media.keep_due()
    row = MediaFile.objects.get()
    assert row.state == State.UPLOADING
    assert media.keep_due() == 0  # until the lease ends
    simulator.fault(action="POST /media", do="status", status=500)

    later(row, due_at=timezone.now())
    media.keep_due()

    assert MediaFile.objects.get().state == State.READY


# Keeping it alive


def test_a_life_is_renewed_each_day(row, simulator):
    simulator.fault(action="POST /media", do="status", status=500)  # it is not sent again
    short = timezone.now() + timedelta(days=2)
    later(row, expires_at=short, due_at=timezone.now())

    assert media.keep_due() == 1

    row.refresh_from_db()
    assert row.expires_at > short + timedelta(days=20)
    assert row.due_at > timezone.now() + timedelta(hours=23)


def test_a_life_that_telnyx_did_not_make_longer_begins_anew(row, simulator):
    soon = (timezone.now() + timedelta(days=1)).isoformat()
    told = {"data": {"media_name": row.media_name, "expires_at": soon}}
    simulator.fault(action="PUT /media/{media_name}", do="status", status=200, body=told)
    later(row, due_at=timezone.now())

    media.keep_due()

    row.refresh_from_db()
    assert row.expires_at > timezone.now() + timedelta(days=29)
    assert at_telnyx(simulator, row).status_code == 200


def test_what_telnyx_lost_is_uploaded_again(row, simulator):
    address = f"{simulator.url}/v2/media/{row.media_name}"
    requests.delete(address, headers={"Authorization": "Bearer KEY-test"}, timeout=5)
    later(row, due_at=timezone.now())

    media.keep_due()

    row.refresh_from_db()
    assert row.state == State.READY
    assert at_telnyx(simulator, row).status_code == 200


def test_a_call_that_missed_a_sound_has_it_uploaded_again(row, deliver):
    deliver("call.playback.ended", status="file_not_found", media_name=row.media_name)

    row.refresh_from_db()
    assert row.state == State.UPLOADING
    assert row.due_at <= timezone.now()


def test_while_telnyx_is_down_a_living_sound_stays_playable(row, supervisor, simulator):
    simulator.fault(action="PUT /media/{media_name}", do="status", status=503)
    later(row, due_at=timezone.now())

    media.keep_due()

    row.refresh_from_db()
    assert row.is_playable
    assert "Its life could not be renewed" in body(supervisor.get("/media/"))


def test_an_outcome_that_comes_too_late_changes_nothing(row, sam, simulator):
    stale = MediaFile.objects.get()
    media.delete(row, by=sam)

    media._ready(stale, timezone.now() + timedelta(days=1))

    assert MediaFile.objects.get().state == State.DELETING


# Letting it go


def test_a_deleted_sound_is_gone_here_and_at_telnyx(row, supervisor, simulator, settings):
    assert supervisor.post(f"/media/{row.pk}/delete/").status_code == 302
    assert supervisor.get(f"/media/{row.pk}/sound").status_code == 404

    media.keep_due()

    assert not MediaFile.objects.exists()
    assert at_telnyx(simulator, row).status_code == 404
    assert not (settings.MEDIA_ROOT / row.path).exists()


def test_a_deletion_waits_for_telnyx_and_the_name_is_free_at_once(row, supervisor, simulator):
    simulator.fault(action="DELETE /media/{media_name}", do="status", status=503, times=1)
    supervisor.post(f"/media/{row.pk}/delete/")
    media.keep_due()
    assert MediaFile.objects.get().state == State.DELETING

    assert upload(supervisor, wav()).status_code == 302

    later(row, due_at=timezone.now())
    media.keep_due()
    assert [it.state for it in MediaFile.objects.all()] == [State.READY]


def test_a_deletion_lets_an_upload_end_that_is_under_way(supervisor, sam, simulator):
    upload(supervisor, wav())
    row = MediaFile.objects.get()
    assert media._claim(row)  # another process is at it

    media.delete(MediaFile.objects.get(), by=sam)

    assert media.keep_due() == 0
    assert MediaFile.objects.get().due_at > timezone.now() + timedelta(seconds=60)


def test_a_file_whose_row_was_never_written_is_swept_and_no_other(row, settings):
    orphan = settings.MEDIA_ROOT / "sounds" / "of-nobody.wav"
    fresh = settings.MEDIA_ROOT / "sounds" / "on-its-way.wav"
    for file in (orphan, fresh):
        file.write_bytes(b"RIFF")
    old = time.time() - 7200
    for file in (orphan, settings.MEDIA_ROOT / row.path):
        os.utime(file, (old, old))

    assert media.sweep() == 1

    assert not orphan.exists()
    assert fresh.exists()
    assert store.read(row.path)


def test_without_any_upload_there_is_nothing_to_sweep(db):
    assert media.sweep() == 0


def test_the_library_lives_in_a_folder_and_in_a_bucket(place, supervisor, simulator):
    upload(supervisor, wav(rate=16_000, channels=1))
    media.keep_due()
    row = MediaFile.objects.get()
    assert row.state == State.READY
    assert at_telnyx(simulator, row, "/download").content == store.read(row.path)
    heard = supervisor.get(f"/media/{row.pk}/sound")
    assert heard.status_code == (302 if place else 200)
    assert store.names(older_than=timedelta(days=-1)) == [row.path]

    supervisor.post(f"/media/{row.pk}/delete/")
    media.keep_due()

    assert store.names(older_than=timedelta(days=-1)) == []


# The page


def test_a_person_hears_it_in_parts_through_the_file_door(row, supervisor):
    answer = supervisor.get(f"/media/{row.pk}/sound")

    assert answer["X-Accel-Redirect"] == f"/_media/{row.path}"
    assert answer["Content-Type"] == "audio/wav"
    assert answer["ETag"] == f'"{row.sha256}"'


def test_who_may_and_who_may_not(client, lee, max, olga, row):
    addresses = ("/media/", f"/media/{row.pk}/sound", "/phrases/", "/voices/")
    for person, status in ((lee, 403), (max, 403), (olga, 200)):
        client.force_login(person)
        assert [client.get(address).status_code for address in addresses] == [status] * 4
        assert ("Sounds</a>" in body(client.get("/"))) is (status == 200)
    client.logout()
    assert client.get("/media/").status_code == 302


def test_what_people_do_is_in_the_trail(row, supervisor):
    supervisor.post(f"/media/{row.pk}/", {"name": "waiting"})
    supervisor.post(f"/media/{row.pk}/delete/")

    verbs = list(AuditRow.objects.order_by("id").values_list("verb", "details"))
    assert [verb for verb, _ in verbs] == ["add sound", "rename sound", "delete sound"]
    assert verbs[1][1] == {"before": "on hold", "after": "waiting"}


def test_a_rename_keeps_the_name_at_telnyx(row, supervisor):
    supervisor.post(f"/media/{row.pk}/", {"name": "  waiting   music "})

    again = MediaFile.objects.get()
    assert (again.name, again.media_name) == ("waiting music", row.media_name)


def test_a_rename_to_nothing_or_to_anothers_name_says_so(row, supervisor):
    upload(supervisor, wav(), name="other")
    for name, reason in (("", "Give it a name."), ("Other", "another is called “Other”")):
        answer = supervisor.post(f"/media/{row.pk}/", {"name": name}, follow=True)
        assert reason in body(answer)
    row.refresh_from_db()
    assert row.name == "on hold"
