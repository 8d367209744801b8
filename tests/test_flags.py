"""The flag with its reason and the reviewed mark: who sets them, once, and what the page says."""

from functools import partial

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from access import audit
from access.models import AuditRow
from recordings import notes
from recordings.forms.notes import LONGEST_WORDS, REASONS
from recordings.models import Recording, Review
from tests.test_recording_pages import make, url
from tests.together import together

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
WHY = {"kind": "Complaint", "words": "shouted twice"}


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


def press(client, recording, verb, given=(), **headers):
    return client.post(url(verb, recording), dict(given), headers=headers or HTMX)


@pytest.mark.parametrize(
    ("who", "status"), [("sam", 200), ("lee", 200), ("olga", 403), ("max", 404)]
)
@pytest.mark.parametrize("verb", ["flag", "unflag", "review", "unreview"])
def test_flag_and_mark_are_for_those_who_write_notes(client, request, who, status, verb):
    client.force_login(request.getfixturevalue(who))
    assert press(client, make(), verb, WHY).status_code == status
    assert AuditRow.objects.exists() is (status == 200 and not verb.startswith("un"))


@pytest.mark.parametrize("verb", ["flag", "unflag", "review", "unreview", "tag", "untag"])
def test_a_look_at_the_address_changes_nothing(lee_in, verb):
    assert lee_in.get(url(verb, make())).status_code == 405


def test_a_flag_shows_who_why_and_when_and_comes_off(lee_in):
    recording = make()

    page = press(lee_in, recording, "flag", WHY).content.decode()
    assert "Complaint: shouted twice" in page
    assert "by lee" in page
    recording.refresh_from_db()
    assert (recording.flagged, recording.version) == (True, 1)
    page = press(lee_in, recording, "unflag").content.decode()

    assert "Not flagged." in page
    recording.refresh_from_db()
    assert (recording.flagged, recording.version) == (False, 2)
    trail = AuditRow.objects.order_by("id").values_list("verb", "subject", "details__reason")
    assert list(trail) == [
        ("flag", recording.subject, "Complaint: shouted twice"),
        ("unflag", recording.subject, None),
    ]


def test_who_only_sees_reads_the_reason_and_finds_no_button(client, olga, sam):
    recording = make()
    notes.flag([recording], "Quality", sam)
    notes.review([recording], sam)
    client.force_login(olga)
    page = client.get(url("detail", recording)).content.decode()
    assert "<q>Quality</q>" in page
    assert "Reviewed" in page
    assert "Remove the flag" not in page
    assert "Take back" not in page


@pytest.mark.parametrize("kind", [reason for reason in REASONS if reason != "Other"])
def test_a_reason_from_the_list_needs_no_words(lee_in, kind):
    recording = make()
    assert press(lee_in, recording, "flag", {"kind": kind}).status_code == 200
    assert Review.objects.get().flag_reason == kind


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "This field is required."),
        ({"kind": "Boredom"}, "Boredom is not one of the available choices."),
        ({"kind": "Other"}, "Say in words why."),
        ({"kind": "Other", "words": "x" * (LONGEST_WORDS + 1)}, f"at most {LONGEST_WORDS}"),
    ],
)
def test_a_flag_without_a_reason_is_refused_beside_the_field(lee_in, given, complaint):
    recording = make()
    answer = press(lee_in, recording, "flag", given)
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not Review.objects.exists()


def test_the_longest_words_fit(lee_in):
    recording = make()
    given = {"kind": "Compliance", "words": "x" * LONGEST_WORDS}
    assert press(lee_in, recording, "flag", given).status_code == 200
    assert len(Review.objects.get().flag_reason) == notes.LONGEST_REASON


def test_the_second_flag_is_told_of_the_first_whose_reason_stays(client, sam, lee):
    recording = make()
    for who, kind in ((sam, "Quality"), (lee, "Training")):
        client.force_login(who)
        answer = press(client, recording, "flag", {"kind": kind})
    assert "sam flagged it already: Quality" in answer["HX-Trigger"]
    assert Review.objects.get().flag_reason == "Quality"
    assert AuditRow.objects.count() == 1


def test_the_reviewed_mark_shows_who_and_when_and_is_taken_back(lee_in):
    recording = make()
    assert "by lee" in press(lee_in, recording, "review").content.decode()
    assert Recording.objects.get().reviewed is True
    assert "lee reviewed it already" in press(lee_in, recording, "review")["HX-Trigger"]
    assert "Not reviewed yet." in press(lee_in, recording, "unreview").content.decode()
    assert Recording.objects.get().reviewed is False
    assert "taken back already" in press(lee_in, recording, "unreview")["HX-Trigger"]
    assert AuditRow.objects.count() == 2


def test_without_htmx_the_answer_leads_back_and_says_what_happened(lee_in):
    recording = make()
    answer = lee_in.post(url("review", recording), follow=True)
    assert answer.redirect_chain == [(url("detail", recording) + "#turn-reviewed", 302)]
    assert "Marked as reviewed." in answer.content.decode()


def test_without_htmx_a_wrong_form_is_a_page_with_the_field_marked(lee_in):
    recording = make()
    answer = lee_in.post(url("flag", recording), {"kind": "Other"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert page.startswith("<!doctype html>")
    assert "Say in words why." in page
    assert url("detail", recording) in page


def test_markup_in_a_reason_is_text(lee_in):
    given = {"kind": "Other", "words": "<script>alert(1)</script>"}
    page = press(lee_in, make(), "flag", given).content.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_what_the_trail_cannot_hold_does_not_happen(lee_in, monkeypatch):
    def fail(*args, **details):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record_each", fail)
    recording = make()
    for verb in ("flag", "review"):
        assert press(lee_in, recording, verb, WHY).status_code == 503
    recording.refresh_from_db()
    assert (recording.flagged, recording.reviewed, recording.version) == (False, False, 0)
    assert not Review.objects.exists()


def test_many_are_flagged_and_reviewed_in_few_queries(sam):
    for _ in range(20):
        make()
    notes.flag(Recording.objects.all()[:5], "Quality", sam)
    with CaptureQueriesContext(connection) as queries:
        assert notes.flag(Recording.objects.all(), "Training", sam) == 15
        assert notes.review(Recording.objects.all(), sam) == 20
    assert len(queries) <= 20
    assert Review.objects.filter(flag_reason="Quality").count() == 5
    assert notes.unflag(Recording.objects.all(), sam) == 20
    assert notes.unreview(Recording.objects.all(), sam) == 20
    assert not Recording.objects.filter(flagged=True).exists()
    assert Review.objects.filter(flagged_at=None, reviewed_at=None).count() == 20


def test_a_reason_must_be_given_and_fit():
    for reason in ("", "x" * 201):
        with pytest.raises(notes.Invalid):
            notes.flag([], reason, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["flag", "review"])
def test_two_at_once_end_in_one_truth_and_one_of_them_is_told(sam, lee, verb):
    for _ in range(10):
        recording = make()
        works = [
            partial(notes.flag, [recording], by.username, by)
            if verb == "flag"
            else partial(notes.review, [recording], by)
            for by in (sam, lee)
        ]
        counts = together(*works)
        winner = (sam, lee)[counts.index(1)]
        review = Review.objects.get(recording=recording)
        assert sorted(counts) == [0, 1]
        assert winner.username in (review.flag_reason, review.reviewed_by)
        assert AuditRow.objects.get(subject=recording.subject).name == winner.username


@pytest.mark.django_db(transaction=True)
def test_flag_and_unflag_at_once_leave_the_column_and_the_reason_agreeing(sam, lee):
    for _ in range(10):
        recording = make()
        notes.flag([recording], "Quality", sam)
        together(
            partial(notes.unflag, [recording], sam),
            partial(notes.flag, [recording], "Training", lee),
        )
        recording.refresh_from_db()
        review = Review.objects.get(recording=recording)
        assert recording.flagged is (review.flagged_at is not None) is bool(review.flag_reason)


@pytest.mark.django_db(transaction=True)
def test_two_who_choose_the_same_recordings_in_another_order_do_not_wait_for_each_other(sam, lee):
    recordings = [make() for _ in range(20)]
    counts = together(
        partial(notes.review, recordings, sam), partial(notes.review, recordings[::-1], lee)
    )
    assert sum(counts) == 20
