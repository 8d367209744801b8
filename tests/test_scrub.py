# ruff: noqa: F811  (fixtures of another file)
"""A stored file that is not what it was is found, not played, and fetched again if it can be."""

import hashlib
import io
import math
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from access.models import AuditRow
from calls.models import Call
from recordings import fetch, scrub, storage
from recordings.models import Recording, numbers
from tests.store import wav, whole
from tests.test_fetch import announced, row, store  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db

NIGHT = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
DAY = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _as_fast_as_can_be(monkeypatch, settings):
    settings.TIME_ZONE = "UTC"
    monkeypatch.setattr(scrub, "BYTES_PER_S", math.inf)
    scrub.share.cache_clear()
    yield
    scrub.share.cache_clear()


def keep(body=None, *, checked_at=NIGHT - timedelta(days=31), **more):
    """Return a stored recording and its file."""
    body = body if body is not None else uuid.uuid4().bytes
    digest = hashlib.sha256(body).hexdigest()
    name = storage.content_name(digest, "wav")
    if not storage.exists(name):
        with storage.draft(f"test.{uuid.uuid4()}") as (path, file):
            file.write(body)
            storage.publish(path, file, name)
    leg, now = str(uuid.uuid4()), timezone.now()
    return Recording.objects.create(
        **{
            "call": Call.objects.create(call_leg_id=leg, conversation=leg),
            "recording_id": str(uuid.uuid4()),
            "state": "stored",
            "since": now,
            "announced_at": now,
            "started_at": now,
            "path": name,
            "sha256": digest,
            "size_bytes": len(body),
            "checked_at": checked_at,
            **numbers("+12125550100", "+18005550101"),
        }
        | more
    )


def spoil(recording, body=None):
    """Let a bit of the stored file flip."""
    path = storage.local_path(recording.path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(content) if body is None else body)


def test_an_unharmed_file_says_when_it_was_checked(place):
    recording = keep()
    assert scrub.check(recording) == ""
    recording.refresh_from_db()
    assert (recording.state, recording.checked_at.date()) == ("stored", timezone.now().date())


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda one: spoil(one), "other bytes than when it was stored"),
        (lambda one: spoil(one, b"short"), "The file has 5 bytes; it had 16."),
        (lambda one: storage.delete(one.path), "The file is gone."),
        (lambda one: Recording.objects.filter(pk=one.pk).update(path="../x"), "is no name"),
    ],
)
def test_a_harmed_file_is_found_told_and_not_played(harm, said, client, sam):
    recording = keep()
    harm(recording)
    recording.refresh_from_db()

    wrong = scrub.check(recording)

    assert said in wrong
    recording.refresh_from_db()
    assert (recording.state, recording.reason) == ("corrupt", wrong)
    audit = AuditRow.objects.get(subject=recording.subject)
    assert (audit.verb, audit.details["why"]) == ("find damaged", wrong)
    client.force_login(sam)
    assert client.get(f"/recordings/{recording.pk}/audio").status_code == 404
    assert escape(wrong) in client.get(f"/recordings/{recording.pk}/").content.decode()


def test_a_flipped_bit_in_a_bucket_is_found_too(settings, bucket):
    settings.STORAGES = settings.STORAGES | bucket.storages
    recording = keep(b"0123456789")
    bucket.put(recording.path, b"0123456780")
    assert "other bytes" in scrub.check(recording)


def test_a_bucket_that_is_away_harms_nothing(settings, bucket):
    settings.STORAGES = settings.STORAGES | bucket.storages
    recording = keep()
    with bucket.failing():
        scrub.due(now=NIGHT)
        with pytest.raises(storage.Trouble):
            scrub.check(recording)
    recording.refresh_from_db()
    assert (recording.state, recording.checked_at) == ("stored", NIGHT - timedelta(days=31))


def test_content_that_several_share_is_read_once_and_told_of_all(monkeypatch):
    shared = [keep(b"the same words") for _ in range(3)]
    read = []
    blocks = storage.blocks
    monkeypatch.setattr(storage, "blocks", lambda name: read.append(name) or blocks(name))

    scrub.check(shared[0])
    assert len(read) == 1
    assert Recording.objects.filter(checked_at__gt=NIGHT).count() == 3

    spoil(shared[0])
    scrub.check(shared[1])
    assert Recording.objects.filter(state="corrupt").count() == 3
    assert AuditRow.objects.filter(verb="find damaged").count() == 3


def test_each_night_reads_a_thirtieth_and_begins_with_the_oldest():
    kept = [keep(checked_at=NIGHT - timedelta(days=40 - number)) for number in range(31)]
    assert scrub.due(now=NIGHT) == 2
    checked = Recording.objects.filter(checked_at__gte=NIGHT)
    assert set(checked) == set(kept[:2])


def test_the_share_of_a_night_is_done_once():
    for number in range(60):
        keep(checked_at=NIGHT - timedelta(days=70 - number))
    now = timezone.localtime().replace(hour=2)
    assert scrub.due(now=now) == 2
    Recording.objects.filter(checked_at__gte=NIGHT).update(checked_at=now)
    assert scrub.due(now=now) == 0
    assert scrub.due(now=now + timedelta(minutes=30)) == 0


def test_files_that_were_never_checked_come_first():
    keep(checked_at=NIGHT - timedelta(days=300))
    never = keep(checked_at=None)
    assert scrub.due(now=NIGHT) == 1
    never.refresh_from_db()
    assert never.checked_at is not None


def test_the_next_file_to_check_is_found_by_an_index():
    if connection.vendor == "postgresql":
        pytest.skip("so few rows are read as they lie")
    recording = keep()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        next(scrub.oldest(before=NIGHT))
        scrub.check(recording)
    looks = [each["sql"] for each in asked if " WHERE " in each["sql"]]
    assert len(looks) >= 3
    for sql in looks:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = " ".join(str(line) for line in cursor.fetchall())
        assert (
            "recording_by_check" in plan or "recording_by_content (sha256=? AND state=?)" in plan
        )
        assert "TEMP B-TREE" not in plan


def test_by_day_only_what_was_asked_for_is_read():
    asked, other = keep(), keep()
    assert scrub.due(now=DAY) == 0
    assert scrub.ask_for([asked]) == 1
    assert scrub.due(now=DAY) == 1
    other.refresh_from_db()
    assert other.checked_at == NIGHT - timedelta(days=31)


def test_the_disk_is_read_at_a_pace(monkeypatch):
    monkeypatch.setattr(scrub, "BYTES_PER_S", 32 << 20)
    slept = []
    monkeypatch.setattr(scrub.time, "sleep", slept.append)
    scrub.fault_of(keep(bytes(8 << 20)), bytes_per_s=1 << 20)
    assert sum(slept) > 6  # of eight megabytes, one a second


# Mended, if it can be.


SOUND = wav(2)


@pytest.fixture
def damaged(announced, store):
    """Return a recording whose stored file was spoilt, and the store it came from."""
    recording = announced(store.serve(whole(SOUND)))
    fetch.fetch_due()
    recording.refresh_from_db()
    spoil(recording)
    scrub.check(recording)
    return recording


def test_a_damaged_file_is_fetched_again_from_telnyx(damaged, store):
    row(damaged, store)
    store.serve(whole(SOUND), "fresh")

    assert scrub.heal_due() == 1
    fetch.fetch_due()

    damaged.refresh_from_db()
    assert (damaged.state, damaged.reason) == ("stored", "")
    assert storage.read(damaged.path) == SOUND
    verbs = AuditRow.objects.filter(subject=damaged.subject).order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == [
        "store",
        "find damaged",
        "fetch again",
        "store",
    ]


def test_a_damaged_file_that_telnyx_has_no_more_stays_damaged_and_says_so(damaged, store):
    gone = {"errors": [{"code": "10005", "title": "Resource not found"}]}
    store.rest(f"/recordings/{damaged.recording_id}", gone, status=404)
    assert scrub.heal_due() == 0
    damaged.refresh_from_db()
    assert (damaged.state, damaged.due_at) == ("corrupt", None)
    assert damaged.reason.endswith("(SHA-256). Telnyx has no copy any more.")


def test_while_telnyx_cannot_be_asked_it_is_asked_later(damaged, store):
    store.rest(f"/recordings/{damaged.recording_id}", {}, status=503)
    assert scrub.heal_due() == 0
    damaged.refresh_from_db()
    assert damaged.state == "corrupt"
    assert damaged.due_at > timezone.now() + timedelta(minutes=50)


def test_a_file_put_back_from_a_backup_is_played_again(damaged):
    storage.delete(damaged.path)
    with storage.draft("backup") as (path, file):
        file.write(SOUND)
        storage.publish(path, file, damaged.path)
    assert scrub.heal_due() == 1
    damaged.refresh_from_db()
    assert (damaged.state, damaged.reason) == ("stored", "")


def test_a_recording_erased_meanwhile_is_left_alone(monkeypatch):
    recording = keep()

    def erase(*args, **more):
        Recording.objects.filter(pk=recording.pk).update(state="deleted")
        return "The file is gone."

    monkeypatch.setattr(scrub, "fault_of", erase)
    scrub.check(recording)
    recording.refresh_from_db()
    assert recording.state == "deleted"
    assert not AuditRow.objects.exists()


# On demand.


def command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("scrub", *arguments, stdout=out, stderr=err)
    except CommandError as exc:
        return out.getvalue(), f"{err.getvalue()}{exc}"
    return out.getvalue(), err.getvalue()


def test_the_command_checks_a_thirtieth_or_all():
    for _ in range(31):
        keep()
    out, _ = command()
    assert "2 of 2, 0 damaged" in out
    out, _ = command("--all")
    assert "100%  31 of 31, 0 damaged" in out


def test_the_command_names_what_is_damaged_and_fails():
    harmed = keep()
    keep()
    spoil(harmed)
    out, err = command("--all")
    assert "2 of 2, 1 damaged" in out
    assert f"{harmed.pk}: The file has other bytes" in err
    assert "1 damaged." in err


def test_an_operator_can_have_files_checked(client, olga):
    recording = keep()
    client.force_login(olga)
    answer = client.post(
        "/admin/recordings/recording/",
        {"action": "verify", "_selected_action": [str(recording.pk)]},
        follow=True,
    )
    assert "1 will be read" in answer.content.decode()
    recording.refresh_from_db()
    assert recording.checked_at == scrub.ASKED_FOR
    assert AuditRow.objects.filter(verb="verify").count() == 1
