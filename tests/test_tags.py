"""Tags: who puts them on and takes them off, how they are named, and many at once."""

from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditRow
from recordings import marks, notes
from recordings.models import Recording, Tag, Tagging
from tests.conftest import leg
from tests.test_recording_events import started
from tests.test_recording_pages import make, url
from tests.together import together

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


def tags(recording):
    return list(recording.taggings.order_by("tag__name").values_list("tag__name", flat=True))


def put(client, recording, name, **headers):
    return client.post(url("tag", recording), {"name": name}, headers=headers)


@pytest.mark.parametrize(
    ("who", "status"), [("sam", 200), ("lee", 200), ("olga", 403), ("max", 404)]
)
@pytest.mark.parametrize("verb", ["tag", "untag"])
def test_tags_are_for_those_who_write_notes(client, request, who, status, verb):
    recording = make()
    client.force_login(request.getfixturevalue(who))
    answer = client.post(url(verb, recording), {"name": "refund"}, headers=HTMX)
    assert answer.status_code == status
    assert tags(recording) == (["refund"] if status == 200 and verb == "tag" else [])


def test_who_sees_recordings_sees_their_tags_but_no_way_to_change_them(client, olga, sam):
    recording = make()
    notes.tag([recording], "refund", sam)
    client.force_login(olga)
    page = client.get(url("detail", recording)).content.decode()
    assert "refund" in page
    assert url("untag", recording) not in page
    assert url("tag", recording) not in page


def test_a_tag_is_put_on_and_taken_off_and_the_trail_says_so(lee_in, lee):
    recording = make()

    page = put(lee_in, recording, "  Refund   Asked ", **HTMX)
    assert "refund asked" in page.content.decode()
    assert tags(recording) == ["refund asked"]
    lee_in.post(url("untag", recording), {"name": "refund asked"}, headers=HTMX)

    assert tags(recording) == []
    trail = AuditRow.objects.order_by("id").values_list("verb", "subject", "name", "details__tag")
    assert list(trail) == [
        ("tag", recording.subject, "lee", "refund asked"),
        ("untag", recording.subject, "lee", "refund asked"),
    ]
    recording.refresh_from_db()
    assert recording.version == 2


def test_without_htmx_the_answer_leads_back_to_the_page_as_it_was(lee_in):
    recording = make()
    answer = lee_in.post(url("tag", recording) + "?t=12&q=bill", {"name": "refund"}, follow=True)
    assert answer.redirect_chain == [(f"{url('detail', recording)}?t=12&q=bill#tag-name", 302)]
    assert "Tagged refund." in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("", "Write the name of the tag."),
        (" \t ", "Write the name of the tag."),
        ("x" * 41, "The name has 41 characters, the limit is 40."),
        ("evil\u202egnp", "The name holds a character that cannot be seen."),
        ("nul\0", "Null characters are not allowed."),
        ("x" * 500, "at most 200 characters"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_bad_name_is_said_beside_the_field_and_nothing_is_written(
    lee_in, typed, complaint, headers
):
    recording = make()
    answer = put(lee_in, recording, typed, **headers)
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not Tag.objects.exists()
    assert not AuditRow.objects.exists()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Refund", "refund"),
        ("\uff36\uff29\uff30", "vip"),
        ("a  b\tc", "a b c"),
        ("ÄRGER", "ärger"),
        ("x" * 40,) * 2,
    ],
)
def test_a_name_is_kept_in_one_spelling(typed, kept):
    assert notes.tag_name(typed) == kept


def test_a_name_has_the_same_colour_on_every_desk():
    assert notes.colour_of("refund") == notes.colour_of("refund") in Tag.COLOURS
    assert len({notes.colour_of(f"tag {number}") for number in range(60)}) == len(Tag.COLOURS)


def test_markup_in_a_name_is_text(lee_in):
    page = put(lee_in, make(), "<img src=x onerror=alert(1)>", **HTMX).content.decode()
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_known_tags_are_suggested(lee_in, sam):
    notes.tag([make()], "billing", sam)
    page = lee_in.get(url("detail", make())).content.decode()
    assert '<option value="billing">' in page


def test_the_twenty_first_tag_is_refused_with_the_limit(lee_in, sam):
    recording = make()
    for number in range(notes.MOST_TAGS):
        assert notes.tag([recording], f"tag {number}", sam) == 1
    answer = put(lee_in, recording, "one more", **HTMX)
    assert answer.status_code == 422
    assert "has 20 tags, the most there can be" in answer.content.decode()
    assert put(lee_in, recording, "tag 3", **HTMX).status_code == 200  # it is there already
    assert len(tags(recording)) == 20


def test_a_repeated_press_is_told_and_changes_nothing(lee_in):
    recording = make()
    put(lee_in, recording, "refund", **HTMX)
    again = put(lee_in, recording, "Refund", **HTMX)
    assert "It was tagged refund already." in again["HX-Trigger"]
    lee_in.post(url("untag", recording), {"name": "refund"}, headers=HTMX)
    gone = lee_in.post(url("untag", recording), {"name": "refund"}, headers=HTMX)
    assert "was off already" in gone["HX-Trigger"]
    assert AuditRow.objects.count() == 2


def test_many_are_tagged_in_few_queries_each_with_its_own_row_of_the_trail(sam):
    recordings = [make() for _ in range(30)]
    notes.tag(recordings[:10], "refund", sam)
    with CaptureQueriesContext(connection) as queries:
        assert notes.tag(Recording.objects.all(), "refund", sam) == 20
    assert len(queries) <= 12
    assert Tagging.objects.count() == 30
    assert set(AuditRow.objects.values_list("subject", flat=True)) == {
        it.subject for it in recordings
    }
    assert AuditRow.objects.count() == 30
    assert set(Recording.objects.values_list("version", flat=True)) == {1}
    assert notes.untag(Recording.objects.all(), "refund", sam) == 30


def test_more_than_a_batch_is_tagged_in_several(sam, monkeypatch):
    monkeypatch.setattr(notes, "BATCH", 4)
    for _ in range(9):
        make()
    assert notes.tag(Recording.objects.all(), "refund", sam) == 9
    assert Tagging.objects.count() == 9


def test_a_tagging_keeps_the_place_of_its_recording(sam):
    recording = make()
    notes.tag([recording], "refund", sam)
    assert Tagging.objects.get().place == recording.place


def test_a_told_failure_that_becomes_a_file_takes_its_tags_along(deliver, sam):
    ids = leg()
    deliver("call.recording.error", **ids)
    failed = Recording.objects.get()
    started(failed.call)
    notes.tag([failed], "refund", sam)
    deliver("call.recording.saved", **ids)
    recording = Recording.objects.get()
    assert recording.place != failed.place
    assert Tagging.objects.get().place == recording.place


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_put_on_one_tag_and_one_of_them_is_told_so(sam, lee):
    for number in range(10):
        recording = make()
        works = [partial(notes.tag, [recording], f"tag {number}", by) for by in (sam, lee)]
        counts = together(*works)
        assert sorted(counts) == [0, 1]
        assert AuditRow.objects.filter(subject=recording.subject).count() == 1


@pytest.mark.django_db(transaction=True)
def test_however_many_at_once_there_are_never_more_than_twenty(sam):
    recording = make()
    for number in range(notes.MOST_TAGS - 1):
        notes.tag([recording], f"tag {number}", sam)
    counts = together(*(partial(notes.tag, [recording], name, sam) for name in "abcd"))
    assert sum(counts) == 1
    assert recording.taggings.count() == notes.MOST_TAGS


# Marks in a list


def test_marks_of_many_recordings_take_two_queries(sam, django_assert_num_queries):
    keys = []
    for _ in range(12):
        recording = make()
        notes.tag([recording], "refund", sam)
        keys.append(recording.pk)
    with django_assert_num_queries(2):
        assert {key: [tag.name for tag in tags] for key, tags in marks.tags_of(keys).items()} == {
            key: ["refund"] for key in keys
        }
        assert marks.comments_of(keys) == {}


def test_a_tag_outlives_the_account_that_put_it_on(sam):
    recording = make()
    other = User.objects.create_user("kim", password="a long enough password")
    notes.tag([recording], "refund", other)
    other.delete()
    assert tags(recording) == ["refund"]
    assert AuditRow.objects.get().name == "kim"


def test_the_time_of_a_tagging_is_now(sam):
    before = timezone.now()
    notes.tag([make()], "refund", sam)
    assert before <= Tagging.objects.get().at <= timezone.now()
