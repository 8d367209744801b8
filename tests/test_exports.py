"""Large ZIPs are made in the background: once, whole, for their owner, gone after three days."""

import io
import os
import signal
import subprocess
import sys
import uuid
import zipfile
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from access import audit
from access.models import AuditRow
from recordings import exports, listing, storage
from recordings.bundle import Bundle
from recordings.exports import KEPT, LEASE, MOST_ATTEMPTS, MOST_WAITING
from recordings.models import Export, Recording
from tests.conftest import person
from tests.ready import ROOT
from tests.shelf import keep, spoil
from tests.store import wav
from tests.test_recording_pages import LIST, STARTED, make

pytestmark = pytest.mark.django_db

EXPORTS = f"{LIST}exports/"


@pytest.fixture
def sam_in(client, sam):
    client.force_login(sam)
    return client


def files():
    """Return the names of all files that exports left in the storage."""
    return sorted(
        str(path.relative_to(storage.local_path("x").parent))
        for folder in ("exports", "tmp")
        for path in storage.local_path(folder).glob("*")
    )


def opened(export):
    return zipfile.ZipFile(io.BytesIO(storage.read(export.path)))


def sounds(export):
    return [name for name in opened(export).namelist() if name.endswith(".wav")]


def fresh(export):
    return Export.objects.get(pk=export.pk)


# Making one


def test_all_that_match_are_in_the_zip(sam):
    for number in range(3):
        keep(wav(0.2), started_at=STARTED + timedelta(minutes=number))
    make(state="failed")
    export = exports.request(sam, query="state=stored")

    assert exports.make_due() == 1

    made = fresh(export)
    assert (made.state, made.total, made.done, made.lacking) == ("ready", 3, 3, [])
    assert made.size_bytes == storage.size(made.path)
    assert opened(made).testzip() is None
    assert len(sounds(made)) == 3
    assert files() == [made.path]


def test_what_was_ticked_is_in_the_zip_and_what_lacks_is_listed(sam):
    good, bad, lost = keep(wav(0.2)), keep(wav(0.3)), make()
    spoil(bad)
    export = exports.request(sam, chosen=[good.pk, bad.pk, lost.pk])

    exports.make_due()

    made = fresh(export)
    assert (made.state, made.done) == ("ready", 3)
    assert [key for key, _ in made.lacking] == [str(bad.pk), str(lost.pk)]
    assert made.chosen == [str(good.pk)]


def test_progress_is_told_while_it_is_made(sam, monkeypatch):
    monkeypatch.setattr(exports, "BEAT_S", 0)
    for number in range(3):
        keep(started_at=STARTED + timedelta(minutes=number))
    export = exports.request(sam)
    seen = []
    write = exports._update

    def watch(row, **columns):
        write(row, **columns)
        seen.append((fresh(row).done, fresh(row).total))

    monkeypatch.setattr(exports, "_update", watch)
    exports.make_due()
    assert seen == sorted(seen)
    assert {(1, 3), (2, 3), (3, 3)} <= {*seen}
    assert fresh(export).state == "ready"


def test_more_than_anybody_can_use_is_refused_with_the_limit(sam, monkeypatch):
    monkeypatch.setattr(exports, "MOST", 2)
    monkeypatch.setattr(listing, "STEP", 1)
    for number in range(3):
        keep(started_at=STARTED + timedelta(minutes=number))
    export = exports.request(sam)
    exports.make_due()
    made = fresh(export)
    assert (made.state, files()) == ("failed", [])
    assert "More than 2 recordings match" in made.reason


def test_a_query_that_is_no_list_any_more_fails_with_the_reason(sam):
    export = exports.request(sam, query="colour=red")
    exports.make_due()
    assert "There is no filter 'colour'" in fresh(export).reason


def test_who_may_not_download_any_more_gets_nothing(sam):
    export = exports.request(sam, chosen=[keep().pk])
    sam.groups.clear()
    exports.make_due()
    assert (fresh(export).state, files()) == ("failed", [])
    assert "may not download" in fresh(export).reason


def test_one_person_asks_for_a_few_at_a_time(sam, lee):
    for _ in range(MOST_WAITING):
        exports.request(sam)
    with pytest.raises(exports.Refused, match="wait for one"):
        exports.request(sam)
    exports.request(lee)


# Twice, and in the middle


def test_one_is_made_at_a_time_and_one_that_is_held_is_left_alone(sam):
    first, second = exports.request(sam), exports.request(sam)
    assert exports._claim(timezone.now()) == first
    assert exports.make_due() == 0
    Export.objects.filter(pk=first.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    assert exports.make_due() == 2
    assert {fresh(first).state, fresh(second).state} == {"ready"}
    assert fresh(first).attempts == 2


def test_who_lost_the_lease_leaves_no_trace(sam, monkeypatch):
    export = exports.request(sam, chosen=[keep().pk])
    blocks = Bundle.blocks

    def overtaken(bundle):
        yield from blocks(bundle)
        Export.objects.update(attempts=9)

    monkeypatch.setattr(Bundle, "blocks", overtaken)
    exports.make_due()
    assert (fresh(export).state, fresh(export).attempts, files()) == ("working", 9, [])


def test_removing_one_that_is_being_made_stops_the_work(sam, monkeypatch):
    monkeypatch.setattr(exports, "BEAT_S", 0)
    export = exports.request(sam, chosen=[keep(wav(20)).pk])
    blocks, made = Bundle.blocks, []

    def given_up(bundle):
        for block in blocks(bundle):
            made.append(block)
            if len(made) == 1:
                exports.remove(fresh(export))
            yield block

    monkeypatch.setattr(Bundle, "blocks", given_up)
    exports.make_due()
    assert (len(made), Export.objects.count(), files()) == (1, 0, [])


def test_a_full_disk_is_waited_for_and_told(sam, monkeypatch):
    def full(_=0):
        raise storage.NoRoom("The media folder has 3 MB free.")

    monkeypatch.setattr(storage, "check_room", full)
    export = exports.request(sam, chosen=[keep().pk])
    exports.make_due()
    waiting = fresh(export)
    assert (waiting.state, waiting.reason) == ("requested", "The media folder has 3 MB free.")
    assert waiting.due_at > timezone.now()


def test_an_export_that_fails_each_time_is_given_up(sam, monkeypatch):
    def fail(_):
        raise RuntimeError("a bad day")
        yield

    monkeypatch.setattr(Bundle, "blocks", fail)
    export = exports.request(sam, chosen=[keep().pk])
    for _ in range(MOST_ATTEMPTS):
        Export.objects.update(due_at=timezone.now())
        exports.make_due()
    given_up = fresh(export)
    assert (given_up.state, given_up.reason, given_up.due_at) == ("failed", "a bad day", None)
    assert files() == []


def test_an_export_that_kills_its_process_each_time_is_given_up(sam):
    export = exports.request(sam, chosen=[keep().pk])
    Export.objects.update(attempts=MOST_ATTEMPTS, state="working")
    exports.make_due()
    assert (fresh(export).state, files()) == ("failed", [])


STALLING = """
import django
django.setup()
from threading import Event
from recordings import exports
from recordings.bundle import Bundle
blocks = Bundle.blocks
def some(bundle):
    for number, block in enumerate(blocks(bundle)):
        yield block
        if number == 5:
            print("in the middle", flush=True)
            Event().wait()
Bundle.blocks = some
exports.make_due()
"""


def database_url():
    """Return the address of the database of this test."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


@pytest.mark.django_db(transaction=True)
def test_a_kill_9_in_the_middle_leaves_nothing_and_the_zip_is_made_again_whole(
    sam, settings, tmp_path
):
    content = [wav(20, seed=number) for number in range(4)]
    recordings = [keep(one) for one in content]
    export = exports.request(sam, chosen=[one.pk for one in recordings])
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "MEDIA_STORAGE": str(settings.MEDIA_ROOT),
        "TAPELINE_DATA": str(tmp_path / "killed"),
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
    }
    maker = subprocess.Popen(
        [sys.executable, "-c", STALLING],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert maker.stdout.readline() == "in the middle\n"
    maker.send_signal(signal.SIGKILL)
    maker.wait(10)
    half = fresh(export)
    assert (half.state, half.attempts, half.path) == ("working", 1, "")
    assert files() == [f"tmp/{export.pk}.1.part"]

    assert exports.make_due() == 0  # its lease is not over
    Export.objects.update(due_at=half.due_at - LEASE)
    assert exports.make_due() == 1

    made = fresh(export)
    assert (made.state, made.attempts, files()) == ("ready", 2, [made.path])
    assert opened(made).testzip() is None
    assert sorted(opened(made).read(name) for name in sounds(made)) == sorted(content)


# The page, the notice, the download


def ready(owner, *recordings):
    export = exports.request(owner, chosen=[one.pk for one in recordings])
    exports.make_due()
    return fresh(export)


def test_the_zip_is_for_its_owner_and_each_recording_is_noted_before(sam_in, sam):
    first, second = keep(wav(0.2)), keep(wav(0.3))
    export = ready(sam, first, second)

    answer = sam_in.get(f"{EXPORTS}{export.pk}/zip")

    assert answer["X-Accel-Redirect"] == f"/_media/{export.path}"
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith("attachment")
    noted = AuditRow.objects.filter(verb="download").values_list("subject", flat=True)
    assert {*noted} == {first.subject, second.subject}
    assert AuditRow.objects.get(verb="export").subject == f"export {export.pk}"


def test_without_audit_rows_no_zip_is_served(sam_in, sam, monkeypatch):
    export = ready(sam, keep())

    def refuse(*_, **__):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record_each", refuse)
    answer = sam_in.get(f"{EXPORTS}{export.pk}/zip")
    assert (answer.status_code, "X-Accel-Redirect" in answer) == (503, False)


def test_what_is_not_ready_or_somebody_elses_is_a_404(sam_in, sam):
    theirs, waiting = ready(person("ann", "supervisor"), keep()), exports.request(sam)
    for export in (waiting, theirs):
        assert sam_in.get(f"{EXPORTS}{export.pk}/zip").status_code == 404
    assert sam_in.get(f"{EXPORTS}{uuid.uuid4()}/zip").status_code == 404
    assert sam_in.post(f"{EXPORTS}{theirs.pk}/remove").status_code == 404
    assert str(theirs.pk) not in sam_in.get(EXPORTS).content.decode()


@pytest.mark.parametrize(("who", "status"), [("lee", 403), ("olga", 403), ("max", 403)])
def test_exports_are_for_those_who_may_download(client, request, who, status):
    user = request.getfixturevalue(who)
    export = exports.request(user)
    client.force_login(user)
    assert client.get(EXPORTS).status_code == status
    assert client.get(f"{EXPORTS}{export.pk}/zip").status_code == status


def test_the_header_of_every_page_tells_what_is_made_and_ready_until_it_was_seen(sam_in, sam):
    def header():
        return sam_in.get(f"{LIST}?q=").content.decode()

    assert "Making" not in header()
    exports.request(sam, chosen=[keep().pk])
    assert "Making 1 ZIP…" in header()
    assert 'hx-get="/recordings/exports/notice"' in header()
    exports.make_due()
    assert "ZIP ready: 1" in header()
    assert "ZIP ready: 1" in sam_in.get(f"{EXPORTS}notice").content.decode()
    assert "/recordings/exports/notice" not in header()  # nothing to wait for
    sam_in.get(EXPORTS)
    assert "ZIP ready" not in header()


def test_the_page_tells_each_state(sam_in, sam, monkeypatch):
    bad = keep()
    spoil(bad)
    ready(sam, bad)
    page = sam_in.get(EXPORTS).content.decode()
    assert "1 without sound" in page
    assert "is not what it was" in page
    assert 'hx-trigger="every 2s"' not in page
    export = exports.request(sam)
    assert "Its turn comes" in sam_in.get(EXPORTS).content.decode()
    Export.objects.filter(pk=export.pk).update(state="working", done=3, total=7)
    page = sam_in.get(EXPORTS).content.decode()
    assert "3 of 7 recordings" in page
    assert 'hx-trigger="every 2s"' in page
    Export.objects.filter(pk=export.pk).update(state="failed", reason="A bad day.")
    assert "A bad day." in sam_in.get(EXPORTS).content.decode()


def test_without_exports_the_page_says_how_to_get_one(sam_in):
    assert "You have no exports" in sam_in.get(EXPORTS).content.decode()


def test_removing_one_removes_its_file(sam_in, sam):
    export = ready(sam, keep())
    sam_in.post(f"{EXPORTS}{export.pk}/remove")
    assert (Export.objects.count(), files()) == (0, [])
    assert Recording.objects.count() == 1


# Its end


def test_after_three_days_the_file_is_gone_and_the_page_says_so(sam_in, sam):
    old, new = ready(sam, keep()), ready(sam, keep(wav(0.3)))
    Export.objects.filter(pk=old.pk).update(ready_at=timezone.now() - KEPT - timedelta(minutes=1))

    assert exports.sweep() == 1

    assert (fresh(old).state, fresh(old).path, files()) == ("expired", "", [new.path])
    assert sam_in.get(f"{EXPORTS}{old.pk}/zip").status_code == 404
    assert "Its days were over" in sam_in.get(EXPORTS).content.decode()


@pytest.mark.parametrize("by", ["the sweep", "the download"])
def test_a_zip_that_holds_a_deleted_recording_is_gone_with_it(sam_in, sam, by):
    deleted, kept = keep(wav(0.2)), keep(wav(0.3))
    export, other = ready(sam, deleted, kept), ready(sam, kept)
    Recording.objects.filter(pk=deleted.pk).update(state="deleted")

    if by == "the sweep":
        assert exports.sweep() == 1
    assert sam_in.get(f"{EXPORTS}{export.pk}/zip").status_code == 404

    assert (fresh(export).state, files()) == ("expired", [other.path])
    assert not AuditRow.objects.filter(verb="download").exists()
    assert "was deleted since" in sam_in.get(EXPORTS).content.decode()
    assert sam_in.get(f"{EXPORTS}{other.pk}/zip").status_code == 200


def test_a_file_that_no_row_knows_goes_once_its_maker_must_be_dead(sam):
    export = ready(sam, keep())
    orphan = storage.local_path("exports/orphan.1.zip")
    orphan.touch()
    assert exports.sweep() == 0
    os.utime(orphan, (0, 0))
    assert exports.sweep() == 1
    assert files() == [export.path]
