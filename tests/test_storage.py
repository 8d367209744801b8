"""One contract for both places of files: a folder, and a bucket of S3 over HTTP."""

import hashlib
import threading
from base64 import b64encode
from datetime import timedelta

import pytest
import requests
from django.core.files.storage import default_storage

from recordings import storage
from recordings.storage import bucket as buckets
from tests.buckets import PREFIX, slow_down

NAME = "ab/abcd.wav"
BYTES = bytes(range(256)) * 1000


def keep(name=NAME, body=BYTES, **more):
    with storage.draft(f"test.{threading.get_ident()}") as (path, file):
        file.write(body)
        storage.publish(path, file, name, **more)


def drafts(settings):
    return list((settings.MEDIA_ROOT / "tmp").glob("*"))


def test_what_was_published_can_be_read_in_every_way(place, settings):
    keep()

    assert storage.exists(NAME)
    assert storage.size(NAME) == len(BYTES)
    assert storage.read(NAME) == BYTES
    assert b"".join(storage.blocks(NAME, start=1000, stop=70_001)) == BYTES[1000:70_001]
    with storage.local_copy(NAME) as path:
        assert path.read_bytes() == BYTES
    assert default_storage.exists(NAME)
    assert default_storage.size(NAME) == len(BYTES)
    assert drafts(settings) == []


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 1, BYTES[:1]),
        (len(BYTES) - 1, len(BYTES), BYTES[-1:]),
        (len(BYTES) - 5, len(BYTES) + 99, BYTES[-5:]),
        (7, 7, b""),
        (len(BYTES) + 10, len(BYTES) + 20, b""),
    ],
)
def test_a_range_goes_as_far_as_the_file_does(place, start, stop, expected):
    keep()
    assert b"".join(storage.blocks(NAME, start=start, stop=stop)) == expected


def test_what_is_not_there_is_said_to_be_not_there(place):
    assert not storage.exists(NAME)
    assert not storage.exists("")
    for look in (storage.size, storage.read):
        with pytest.raises(FileNotFoundError):
            look(NAME)
    with pytest.raises(FileNotFoundError), storage.local_copy(NAME):
        pass


def test_what_goes_wrong_with_a_borrowed_file_is_no_fault_of_the_storage(place, settings):
    keep()
    with pytest.raises(OSError, match="mine"), storage.local_copy(NAME):
        raise OSError("mine")
    assert drafts(settings) == []


def test_deleting_may_be_repeated(place):
    keep()
    storage.delete(NAME)
    assert not storage.exists(NAME)
    storage.delete(NAME)
    storage.delete("")


def test_the_same_content_may_be_published_again_and_mends_what_was_spoilt(place):
    keep(body=b"spoilt")
    keep()
    keep()
    assert storage.read(NAME) == BYTES


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "ab/../../x", "ab/../x"])
def test_no_name_leads_out_of_the_place(place, name):
    for act in (storage.exists, storage.size, storage.read, storage.delete):
        with pytest.raises(ValueError, match="no name of a stored file"):
            act(name)


def test_an_empty_file_is_a_file(place):
    keep(body=b"")
    assert storage.exists(NAME)
    assert storage.read(NAME) == b""


def test_a_large_file_goes_in_parts_and_the_lease_is_extended_meanwhile(place, monkeypatch):
    monkeypatch.setattr(buckets, "PART_BYTES", 5 << 20)
    body = BYTES * 60  # 15 MB
    beats = []
    keep(body=body, beat=lambda: beats.append(1))
    assert storage.size(NAME) == len(body)
    assert hashlib.sha256(storage.read(NAME)).digest() == hashlib.sha256(body).digest()
    assert len(beats) >= (4 if place else 1)


def test_a_publisher_that_loses_its_lease_leaves_nothing(place, settings, monkeypatch):
    monkeypatch.setattr(buckets, "PART_BYTES", 5 << 20)

    def lost():
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        keep(body=BYTES * 60, beat=lost)

    assert not storage.exists(NAME)
    assert drafts(settings) == []
    if place:
        assert place.uploads() == []


def test_nothing_is_seen_of_a_file_before_it_is_whole(place, monkeypatch):
    monkeypatch.setattr(buckets, "PART_BYTES", 5 << 20)
    seen = []
    keep(body=BYTES * 60, beat=lambda: seen.append(storage.exists(NAME)))
    assert storage.exists(NAME)
    assert not any(seen[:-1])  # the last beat of an upload comes after its end


# What only a bucket does.


@pytest.fixture
def kept(settings, bucket):
    settings.STORAGES = settings.STORAGES | bucket.storages
    return bucket


def test_a_small_file_carries_its_checksum_and_its_type(kept):
    keep()
    told = kept.client.head_object(
        Bucket=kept.name, Key=f"{PREFIX}/{NAME}", ChecksumMode="ENABLED"
    )
    assert told["ChecksumSHA256"] == b64encode(hashlib.sha256(BYTES).digest()).decode()
    assert told["ContentType"] == "audio/wav"


def test_a_store_that_kept_other_bytes_is_not_believed(kept, monkeypatch):
    real = buckets.BucketStorage._head

    def shorter(self, name):
        return real(self, name) | {"ContentLength": 5}

    monkeypatch.setattr(buckets.BucketStorage, "_head", shorter)
    with pytest.raises(storage.Unreachable, match="other bytes than were sent"):
        keep()
    monkeypatch.undo()
    assert not storage.exists(NAME)


def test_a_store_that_tells_another_checksum_is_not_believed(kept, monkeypatch):
    real = buckets.BucketStorage._head

    def altered(self, name):
        return real(self, name) | {"ChecksumSHA256": "AAAA"}

    monkeypatch.setattr(buckets.BucketStorage, "_head", altered)
    with pytest.raises(storage.Unreachable, match="other bytes than were sent"):
        keep()


def test_a_store_that_answers_503_is_trouble_and_no_missing_file(kept):
    keep()
    with kept.failing(slow_down):
        for act in (storage.exists, storage.size, storage.read):
            with pytest.raises(storage.Unreachable, match=r"answered (SlowDown|503)"):
                act(NAME)
        with pytest.raises(storage.Unreachable):
            keep("ab/other.wav")
    assert kept.names() == [NAME]


def test_a_bucket_that_is_not_there_is_named(settings, kept):
    options = kept.storages["default"]["OPTIONS"] | {"bucket_name": "no-such-bucket"}
    default = kept.storages["default"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    with pytest.raises(storage.Unreachable, match=r"no-such-bucket answered NoSuchBucket"):
        keep()


def test_a_store_that_is_away_is_told_in_plain_words(settings, kept):
    options = kept.storages["default"]["OPTIONS"] | {"endpoint_url": "http://127.0.0.1:9"}
    default = kept.storages["default"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    with pytest.raises(storage.Unreachable, match="cannot be reached"):
        storage.exists(NAME)


def test_a_failed_part_leaves_no_upload_behind(kept, monkeypatch):
    monkeypatch.setattr(buckets, "PART_BYTES", 5 << 20)

    def second_part(environ, start_response):
        if "partNumber=2" in environ["QUERY_STRING"]:
            return slow_down(environ, start_response)
        return None

    with kept.failing(second_part), pytest.raises(storage.Unreachable):
        keep(body=BYTES * 60)
    assert kept.names() == []
    assert kept.uploads() == []


def test_the_sweep_ends_the_uploads_of_dead_publishers_only(kept, monkeypatch):
    for name in (f"{PREFIX}/ab/dead.wav", "elsewhere/other.wav"):
        kept.client.create_multipart_upload(Bucket=kept.name, Key=name)
    monkeypatch.setattr(buckets, "UPLOAD_DEAD_AFTER", timedelta(days=36_500))
    assert storage.sweep() == 0  # it may yet be alive

    monkeypatch.undo()  # moto's uploads all began in 2010
    assert storage.sweep() == 1
    assert [upload["Key"] for upload in kept.uploads()] == ["elsewhere/other.wav"]


def test_a_link_serves_the_file_with_ranges_and_as_the_type_it_is(kept):
    keep()
    link = storage.link(
        NAME,
        lasts_s=300,
        content_type="audio/wav",
        disposition='attachment; filename="call.wav"',
    )

    whole = requests.get(link, timeout=10)
    part = requests.get(link, headers={"Range": "bytes=100-199"}, timeout=10)

    assert (whole.status_code, whole.content) == (200, BYTES)
    assert whole.headers["Content-Type"] == "audio/wav"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="call.wav"'
    assert (part.status_code, part.content) == (206, BYTES[100:200])
    assert "X-Amz-Expires=300" in link
    assert "no secret" not in link


def test_a_folder_has_no_links():
    assert storage.link("ab/x.wav", lasts_s=9, content_type="audio/wav", disposition="") == ""
