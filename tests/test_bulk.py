"""Many recordings at once: what was ticked or all that match, by those who may, noted each."""

import io
import json
import uuid
import zipfile
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import DatabaseError

from access import audit
from access.models import AuditRow
from recordings import bundle, sheet
from recordings.models import Export, Recording, Review, Tag, Tagging
from recordings.views import bulk
from tests.shelf import keep
from tests.store import wav
from tests.test_recording_pages import LIST, STARTED, make

pytestmark = pytest.mark.django_db

BULK = f"{LIST}bulk"


@pytest.fixture
def sam_in(client, sam):
    client.force_login(sam)
    return client


def act(client, what, *recordings, **more):
    chosen = [str(getattr(one, "pk", one)) for one in recordings]
    return client.post(BULK, {"act": what, "recording": chosen, "list": "", **more})


def told(answer):
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def noted(verb):
    return sorted(AuditRow.objects.filter(verb=verb).values_list("subject", flat=True))


# Marks


def test_a_tag_is_put_on_what_was_ticked(sam_in, sam):
    wanted, other = [make(), make()], make()

    answer = act(sam_in, "tag", *wanted, tag="  Card   Payment ", list="state=stored")

    assert Tag.objects.get().name == "card payment"
    taggings = Tagging.objects.all()
    assert {one.recording_id for one in taggings} == {one.pk for one in wanted}
    assert {(one.place, one.by) for one in taggings} == {(one.place, sam) for one in wanted}
    assert noted("tag") == sorted(one.subject for one in wanted)
    assert answer["Location"] == f"{LIST}?state=stored"
    assert "2 recordings" in told(answer)
    versions = Recording.objects.in_bulk()
    assert [versions[one.pk].version for one in (*wanted, other)] == [1, 1, 0]


def test_a_tag_is_put_on_once_however_often_it_is_pressed(sam_in):
    recording = make()
    act(sam_in, "tag", recording, tag="vip")
    answer = act(sam_in, "tag", recording, make(), tag="VIP")
    assert Tagging.objects.count() == 2
    assert "1 recording. 1 needed no change" in told(answer)
    assert len(noted("tag")) == 2


def test_a_tag_is_taken_off(sam_in):
    first, second = make(), make()
    act(sam_in, "tag", first, second, tag="vip")
    act(sam_in, "tag", first, tag="other")
    act(sam_in, "untag", first, tag="vip")
    left = Tagging.objects.values_list("recording", "tag__name")
    assert {*left} == {(second.pk, "vip"), (first.pk, "other")}
    assert noted("untag") == [first.subject]


def test_recordings_are_marked_as_reviewed_and_keep_who_did_it_first(sam_in):
    flagged, done, new = make(), make(reviewed=True), make()
    Review.objects.create(recording=flagged, flag_reason="Rude")
    Review.objects.create(recording=done, reviewed_at=STARTED, reviewed_by="lee")

    act(sam_in, "reviewed", flagged, done, new)

    by = dict(Review.objects.values_list("recording", "reviewed_by"))
    assert by == {flagged.pk: "sam", done.pk: "lee", new.pk: "sam"}
    assert Recording.objects.filter(reviewed=True).count() == 3
    assert Review.objects.get(recording=flagged).flag_reason == "Rude"
    assert noted("review") == sorted([flagged.subject, new.subject])


def test_all_that_match_are_meant_and_not_only_the_page(sam_in):
    wanted = [make(started_at=STARTED + timedelta(minutes=number)) for number in range(60)]
    failed = make(state="failed")
    act(sam_in, "tag", wanted[0], tag="vip", all="1", list="state=stored&after=12")
    assert Tagging.objects.count() == 60
    assert not failed.taggings.exists()


def test_too_many_are_refused_with_the_limit(sam_in, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_MARKED", 2)
    for _ in range(3):
        make()
    answer = act(sam_in, "tag", tag="vip", all="1")
    assert "more than 2 recordings match, which is the limit" in told(answer)
    assert not Tagging.objects.exists()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "Write the name"),
        ("  ", "Write the name"),
        ("x" * 41, "41 characters"),
        ("a\0", "cannot be seen"),
    ],
)
def test_a_tag_that_cannot_be_says_why(sam_in, name, complaint):
    answer = act(sam_in, "tag", make(), tag=name)
    assert (answer.status_code, complaint in told(answer)) == (302, True)
    assert not Tag.objects.exists()


def test_nothing_ticked_says_what_to_do(sam_in):
    make()
    answer = act(sam_in, "reviewed", list="state=stored")
    assert answer["Location"] == f"{LIST}?state=stored"
    assert "tick recordings first" in told(answer)


@pytest.mark.parametrize(
    "odd",
    [{"act": "burn"}, {"recording": "x"}, {"list": "colour=red"}, {"list": "state=gone"}],
)
def test_an_odd_form_is_a_400(sam_in, odd):
    posted = {"act": "reviewed", "recording": str(make().pk), "list": ""} | odd
    assert sam_in.post(BULK, posted).status_code == 400
    assert not Review.objects.exists()


def test_unknown_recordings_are_a_404(sam_in):
    for what in ("zip", "csv", "reviewed", "tag"):
        assert act(sam_in, what, uuid.uuid4(), tag="vip").status_code == 404


MAY = {
    "sam": {"zip": 200, "csv": 200, "tag": 302, "untag": 302, "reviewed": 302},
    "lee": {"zip": 403, "csv": 200, "tag": 302, "untag": 302, "reviewed": 302},
    "olga": {"zip": 403, "csv": 200, "tag": 403, "untag": 403, "reviewed": 403},
    "max": dict.fromkeys(["zip", "csv", "tag", "untag", "reviewed"], 403),
}


@pytest.mark.parametrize("who", MAY)
def test_each_role_does_what_it_may(client, request, who):
    client.force_login(request.getfixturevalue(who))
    recording = make()
    assert {what: act(client, what, recording, tag="x").status_code for what in MAY[who]} == MAY[
        who
    ]


def test_a_batch_without_its_audit_rows_is_not_done(sam_in, monkeypatch):
    def refuse(*_, **__):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record_each", refuse)
    assert act(sam_in, "reviewed", make()).status_code == 503
    assert not Review.objects.exists()
    assert not Recording.objects.filter(reviewed=True).exists()


def test_who_may_see_nothing_changes_nothing(client, max):
    client.force_login(max)
    recording = make()
    assert act(client, "tag", recording, tag="vip").status_code in (403, 404)
    assert act(client, "reviewed", recording).status_code in (403, 404)
    assert not Tagging.objects.exists()
    assert not Review.objects.exists()


# Files


def zipped(answer):
    assert (answer.status_code, answer["X-Accel-Stream"]) == (200, "zip")
    made = b"".join(bundle.blocks(json.loads(answer.content)))
    return zipfile.ZipFile(io.BytesIO(made))


def test_what_was_ticked_comes_as_a_zip_and_each_is_noted_before(sam_in):
    wanted, other = [keep(wav(0.2)), keep(wav(0.3))], keep(wav(0.4))
    answer = act(sam_in, "zip", *wanted)
    assert noted("download") == sorted(one.subject for one in wanted)
    names = zipped(answer).namelist()
    assert len([name for name in names if name.endswith(".wav")]) == 2
    assert not [name for name in names if str(other.pk)[:8] in name]
    assert answer["Content-Disposition"].startswith('attachment; filename="recordings-')


def test_without_audit_rows_nothing_is_zipped(sam_in, monkeypatch):
    def refuse(*_, **__):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record_each", refuse)
    answer = act(sam_in, "zip", keep())
    assert (answer.status_code, "X-Accel-Stream" in answer) == (503, False)


@pytest.mark.parametrize("limit", ["MOST_AT_ONCE", "MOST_BYTES"])
@pytest.mark.parametrize("is_all", [True, False])
def test_what_is_too_much_for_one_answer_is_made_in_the_background(
    sam_in, sam, monkeypatch, limit, is_all
):
    monkeypatch.setattr(bulk, limit, 2)
    recordings = [keep() for _ in range(3)]

    answer = act(
        sam_in, "zip", *recordings, list="state=stored", **({"all": "1"} if is_all else {})
    )

    export = Export.objects.get()
    assert (export.owner, export.state) == (sam, "requested")
    assert export.query == "state=stored"
    assert export.chosen == ([] if is_all else [str(one.pk) for one in recordings])
    assert answer["Location"] == f"{LIST}exports/"
    assert noted("ask for export") == [f"export {export.pk}"]
    assert noted("download") == []  # nothing has left yet


def test_nothing_that_matches_is_no_zip(sam_in):
    make()
    answer = act(sam_in, "zip", all="1", list="state=failed")
    assert "nothing to download" in told(answer)


def test_what_was_ticked_comes_as_csv(sam_in):
    wanted, _ = make(), make()
    answer = act(sam_in, "csv", wanted)
    lines = b"".join(sheet.blocks(json.loads(answer.content))).decode().splitlines()
    assert [line[:36] for line in lines[1:]] == [str(wanted.pk)]
    assert AuditRow.objects.get().details == {"recordings": [str(wanted.pk)]}


def test_all_that_match_come_as_csv(sam_in):
    recordings = [make(started_at=STARTED - timedelta(minutes=number)) for number in range(3)]
    make(state="failed")
    answer = act(sam_in, "csv", all="1", list="state=stored")
    lines = b"".join(sheet.blocks(json.loads(answer.content))).decode().splitlines()
    assert [line[:36] for line in lines[1:]] == [str(one.pk) for one in recordings]
