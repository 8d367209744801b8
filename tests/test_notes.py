"""Comments: who reads and writes them, where they stand, threads, and that nothing gets lost."""

import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access import audit, policies
from access.models import AuditRow
from access.policies import Right, Role
from recordings import comments, moments
from recordings.models import Comment, Recording
from tests.test_recording_pages import make, url
from tests.together import together

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
WRITTEN = ("edit-comment", "delete-comment")
TURNED = ("resolve-comment", "reopen-comment")


@pytest.fixture
def recording(db):
    return make(duration_ms=125_400)


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


def write(recording, by, text="Well said.", **more):
    return comments.write(recording, text, by, press=uuid.uuid4(), **more)


def post(client, recording, name, *ids, **given):
    return client.post(url(name, recording, *ids), given, headers=HTMX)


def section(client, recording, **query):
    answer = client.get(url("notes", recording), query, headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def order(page, *texts):
    """Return the texts in the order in which the page shows them."""
    return sorted((text for text in texts if text in page), key=page.index)


# Who may


@pytest.mark.parametrize(
    ("who", "status"), [("sam", 200), ("lee", 200), ("olga", 403), ("max", 404)]
)
def test_comments_are_written_by_those_who_listen_and_write_notes(
    client, request, recording, who, status
):
    user = request.getfixturevalue(who)
    kim = User.objects.create_user("kim")
    comment, own = write(recording, kim), write(recording, user)
    client.force_login(user)
    trail = AuditRow.objects.count()
    answers = [
        post(client, recording, "comment", text="x"),
        post(client, recording, "answer-comment", comment.pk, text="x"),
        *(post(client, recording, name, own.pk, text="y") for name in WRITTEN),
        *(post(client, recording, name, comment.pk) for name in TURNED),
    ]
    assert {answer.status_code for answer in answers} == {status}
    added = AuditRow.objects.exclude(verb="read comments").count() - trail
    assert added == (6 if status == 200 else 0)


@pytest.mark.parametrize("name", WRITTEN)
def test_only_its_author_changes_a_comment(client, sam, lee, recording, name):
    comment = write(recording, sam)
    client.force_login(lee)
    assert post(client, recording, name, comment.pk, text="No.").status_code == 403
    comment.refresh_from_db()
    assert (comment.text, comment.edited_at) == ("Well said.", None)
    page = section(client, recording)
    assert url(name, recording, comment.pk) not in page


def test_nobody_inherits_the_comments_of_a_deleted_account(lee_in, recording):
    kim = User.objects.create_user("kim", first_name="Kim", last_name="Ode")
    comment = write(recording, kim)
    kim.delete()
    assert "Kim Ode" in section(lee_in, recording)
    assert post(lee_in, recording, "edit-comment", comment.pk, text="x").status_code == 403


def test_who_may_not_listen_reads_no_comment(client, olga, sam, recording):
    write(recording, sam, "A secret word.", place=(1000, None))
    client.force_login(olga)
    for page in (
        client.get(url("detail", recording)).content.decode(),
        section(client, recording),
    ):
        assert "secret" not in page
        assert "for those who may listen" in page
    assert not AuditRow.objects.filter(verb="read comments").exists()


def test_who_writes_notes_but_may_not_listen_has_no_comments(
    lee_in, lee, sam, recording, monkeypatch
):
    comment = write(recording, sam)
    monkeypatch.setitem(policies.HOLDERS, Right.LISTEN, frozenset({Role.SUPERVISOR}))
    for answer in (
        post(lee_in, recording, "comment", text="x"),
        post(lee_in, recording, "answer-comment", comment.pk, text="x"),
        post(lee_in, recording, "resolve-comment", comment.pk),
    ):
        assert answer.status_code == 403
    page = lee_in.get(url("notes", recording))
    assert page.context["notes"].threads == []
    tag = lee_in.post(url("tag", recording), {"name": "refund"}, headers=HTMX)
    assert tag.status_code == 200


def test_who_may_see_nothing_gets_no_section(client, max, recording):
    client.force_login(max)
    assert client.get(url("notes", recording)).status_code == 404


def test_another_recordings_comment_is_a_404(lee_in, lee, recording):
    elsewhere = write(make(), lee)
    for name in ("answer-comment", *WRITTEN, *TURNED):
        assert post(lee_in, recording, name, elsewhere.pk, text="x").status_code == 404
        assert post(lee_in, recording, name, uuid.uuid4(), text="x").status_code == 404


def test_an_answer_has_no_thread_of_its_own_to_resolve(lee_in, lee, recording):
    answer = write(recording, lee, answers=write(recording, lee))
    assert post(lee_in, recording, "resolve-comment", answer.pk).status_code == 404


def test_reading_comments_is_noted_once_in_a_while(lee_in, lee, recording):
    section(lee_in, recording)
    assert not AuditRow.objects.exists()  # there was nothing to read
    write(recording, lee)
    for _ in range(3):
        section(lee_in, recording)
    row = AuditRow.objects.get(verb="read comments")
    assert (row.who, row.subject) == (lee, recording.subject)


def test_what_the_trail_cannot_hold_is_neither_written_nor_shown(
    lee_in, lee, recording, monkeypatch
):
    comment = write(recording, lee)

    def fail(*args, **details):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record", fail)
    for answer in (
        post(lee_in, recording, "comment", text="New."),
        post(lee_in, recording, "edit-comment", comment.pk, text="Other."),
        post(lee_in, recording, "delete-comment", comment.pk),
        post(lee_in, recording, "resolve-comment", comment.pk),
        lee_in.get(url("notes", recording)),
        lee_in.get(url("detail", recording)),
    ):
        assert answer.status_code == 503
        assert "Well said." not in answer.content.decode()
    comment = Comment.objects.get()
    assert (comment.text, comment.resolved_at) == ("Well said.", None)


def test_the_trail_says_who_did_what_but_never_the_words(lee_in, lee, recording):
    post(lee_in, recording, "comment", text="A secret word.")
    comment = Comment.objects.get()
    post(lee_in, recording, "edit-comment", comment.pk, text="Another secret.", seen="")
    post(lee_in, recording, "resolve-comment", comment.pk)
    post(lee_in, recording, "reopen-comment", comment.pk)
    post(lee_in, recording, "delete-comment", comment.pk)
    rows = list(AuditRow.objects.exclude(verb="read comments").order_by("id"))
    assert [row.verb for row in rows] == [
        "comment",
        "edit comment",
        "resolve comment",
        "reopen comment",
        "delete comment",
    ]
    assert {row.details["comment"] for row in rows} == {str(comment.pk)}
    assert not any("secret" in str(row.details) for row in rows)
    assert Recording.objects.get().version == 5


# Moments


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("", (None, None)),
        ("0", (0, None)),
        ("65", (65_000, None)),
        ("1:05", (65_000, None)),
        ("1:05.25", (65_250, None)),
        (" 0:01:05 ", (65_000, None)),
        ("1:05-1:20", (65_000, 80_000)),
        ("1:05 \u2013 1:20.5", (65_000, 80_500)),
        ("1:05 to 1:20", (65_000, 80_000)),
        ("2:05.4", (125_400, None)),
    ],
)
def test_a_moment_is_read_as_people_write_it(lee_in, recording, typed, place):
    answer = post(lee_in, recording, "comment", text="Here.", at=typed)
    assert answer.status_code == 200
    comment = Comment.objects.get()
    assert (comment.start_ms, comment.end_ms) == place


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("soon", "'soon' is no time. Write minutes and seconds, as 1:05."),
        ("-5", "'' is no time."),
        ("1:2:3:4", "'1:2:3:4' is no time."),
        ("\u0661:\u0665", "is no time."),
        ("1-2-3", "has more than two times."),
        ("1:20-1:05", "The span ends at 1:05, which is not after 1:20."),
        ("1:05-1:05", "The span ends at 1:05, which is not after 1:05."),
        ("2:05.5", "2:05.5 is after the end of the recording, 2:05.4."),
        ("9999999", "9999999 is after the end of the recording, 2:05.4."),
        ("1" * 41, "at most 40 characters"),
    ],
)
def test_what_is_no_moment_is_said_and_the_text_is_kept(lee_in, recording, typed, complaint):
    answer = post(lee_in, recording, "comment", text="A long thought.", at=typed)
    page = answer.content.decode().replace("&#x27;", "'")
    assert answer.status_code == 422
    assert complaint in page
    assert "A long thought." in page
    assert not Comment.objects.exists()


@pytest.mark.parametrize("ms", [0, 900, 65_200, 125_400, 3_600_000, 7_384_900])
def test_a_moment_that_is_written_is_read_as_the_same(ms):
    assert moments.read(moments.write(ms)) == (ms, None)
    assert moments.read(moments.write(ms, ms + 1500)) == (ms, ms + 1500)


def test_a_moment_no_column_holds_is_refused_where_the_length_is_unknown(lee_in):
    recording = make(state="announced", duration_ms=None)
    answer = post(lee_in, recording, "comment", text="x", at="999:59:59")
    assert answer.status_code == 422


def test_times_can_be_heard_and_pinned(lee_in, lee, recording):
    moment = write(recording, lee, place=(65_200, None))
    span = write(recording, lee, "Quoted & <b>bold</b>", place=(70_000, 80_500))
    write(recording, lee, "On all of it.")
    page = section(lee_in, recording)
    assert '<button class="at" type="button" data-at="65.2" disabled>' in page
    assert "1:10\u20131:20" in page
    assert f'data-pin="{moment.pk}" data-start="65.2" data-label' in page
    assert f'data-pin="{span.pk}" data-start="70.0" data-end="80.5" data-label' in page
    assert page.count("data-pin=") == 2


def test_a_file_that_is_not_here_has_times_without_a_button(lee_in, lee):
    recording = make(state="failed", attempts=1)
    write(recording, lee, place=(1000, None))
    page = section(lee_in, recording)
    assert "data-at" not in page
    assert '<span class="at">0:01</span>' in page


# Threads


def test_an_answer_to_an_answer_stands_in_the_same_thread(lee_in, sam, lee, recording):
    first = write(recording, sam, "Why so slow?")
    answer = write(recording, lee, "The line was bad.", answers=first)
    post(lee_in, recording, "answer-comment", answer.pk, text="Very bad.")
    assert Comment.objects.get(text="Very bad.").parent == first
    assert [len(thread.answers) for thread in comments.threads(recording)] == [2]


def test_a_thread_is_resolved_and_reopened_with_who_and_when(lee_in, sam, recording):
    comment = write(recording, sam)
    page = post(lee_in, recording, "resolve-comment", comment.pk).content.decode()
    assert "Resolved</span> by lee" in page
    again = post(lee_in, recording, "resolve-comment", comment.pk)
    assert "lee resolved it already" in again["HX-Trigger"]
    page = post(lee_in, recording, "reopen-comment", comment.pk).content.decode()
    assert "Resolved</span>" not in page
    assert "1 open" in page
    assert "open already" in post(lee_in, recording, "reopen-comment", comment.pk)["HX-Trigger"]


def test_only_open_threads_or_all_by_moment_or_newest(lee_in, lee, recording):
    late = write(recording, lee, "said late", place=(90_000, None))
    write(recording, lee, "said early", place=(10_000, None))
    write(recording, lee, "said of all")
    comments.resolve(late, lee)
    texts = ("said late", "said early", "said of all")

    assert order(section(lee_in, recording), *texts) == ["said of all", "said early", "said late"]
    newest = section(lee_in, recording, comments_by="newest")
    assert order(newest, *texts) == ["said of all", "said early", "said late"]
    still_open = section(lee_in, recording, comments="open", comments_by="newest")
    assert order(still_open, *texts) == ["said of all", "said early"]


def test_newest_first_is_not_by_moment(lee_in, lee, recording):
    write(recording, lee, "older", place=(10_000, None))
    write(recording, lee, "newer", place=(90_000, None))
    assert order(section(lee_in, recording), "older", "newer") == ["older", "newer"]
    newest = section(lee_in, recording, comments_by="newest")
    assert order(newest, "older", "newer") == ["newer", "older"]


def test_what_was_asked_for_stays_asked_for(lee_in, lee, recording):
    comment = write(recording, lee)
    query = "?comments=open&q=bill"
    page = lee_in.post(
        url("resolve-comment", recording, comment.pk) + query, headers=HTMX
    ).content.decode()
    assert "Every thread is resolved." in page
    assert f"{url('comment', recording)}?comments=open&amp;q=bill" in page
    answer = lee_in.post(url("reopen-comment", recording, comment.pk) + query)
    assert answer["Location"] == f"{url('detail', recording)}{query}#turn-{comment.pk}"


def test_a_wrong_answer_in_a_thread_that_was_resolved_meanwhile_is_not_lost(
    lee_in, lee, recording
):
    comment = write(recording, lee)
    comments.resolve(comment, lee)
    given = {"text": "x" * 4001}
    answer = lee_in.post(
        url("answer-comment", recording, comment.pk) + "?comments=open", given, headers=HTMX
    )
    assert answer.status_code == 422
    assert "x" * 4001 in answer.content.decode()


# Writing and changing


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Write something."),
        (" \r\n ", "Write something."),
        ("x" * 4001, "This has 4,001 characters, the limit is 4,000."),
        ("nul\0", "Null characters are not allowed."),
    ],
)
def test_nothing_and_too_much_are_refused_beside_the_field(
    lee_in, lee, recording, text, complaint
):
    comment = write(recording, lee)
    for answer in (
        post(lee_in, recording, "comment", text=text),
        post(lee_in, recording, "answer-comment", comment.pk, text=text),
        post(lee_in, recording, "edit-comment", comment.pk, text=text),
    ):
        assert answer.status_code == 422
        assert complaint in answer.content.decode()
    assert Comment.objects.count() == 1


def test_a_line_end_counts_as_the_one_character_it_is_in_the_browser(lee_in, recording):
    text = "x\r\n" * 1999 + "xy"
    assert post(lee_in, recording, "comment", text=text).status_code == 200
    assert Comment.objects.get().text == text.replace("\r\n", "\n")


def test_markup_and_links_are_text_and_lines_stay_lines(lee_in, recording):
    evil = "<script>alert(1)</script>\n{{ 7|add:7 }} javascript:alert(1) https://evil.example"
    page = post(lee_in, recording, "comment", text=evil).content.decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n{{ 7|add:7 }}" in page
    assert 'href="https://evil' not in page
    assert 'href="javascript' not in page


def test_a_name_is_text_too(lee_in, recording):
    kim = User.objects.create_user("kim", first_name='"><img src=x>')
    write(recording, kim, place=(1000, None))
    page = section(lee_in, recording)
    assert "<img" not in page


def test_a_saved_comment_is_told_and_the_page_goes_there(lee_in, recording):
    answer = post(lee_in, recording, "comment", text="Here.")
    comment = Comment.objects.get()
    assert "Comment saved." in answer["HX-Trigger"]
    assert answer["Desk-Target"] == "#notes"
    page = answer.content.decode()
    assert page.lstrip().startswith('<section id="notes"')
    assert f'data-focus-on="comment-{comment.pk}"' in page
    assert f'id="comment-{comment.pk}"' in page


def test_without_htmx_the_answer_leads_to_the_comment(lee_in, recording):
    answer = lee_in.post(url("comment", recording), {"text": "Here.", "at": "1:05"}, follow=True)
    comment = Comment.objects.get()
    assert answer.redirect_chain == [(f"{url('detail', recording)}#comment-{comment.pk}", 302)]
    page = answer.content.decode()
    assert "Comment saved." in page
    assert f'href="#comment-{comment.pk}"' in page


def test_without_htmx_a_wrong_form_is_a_page_that_keeps_what_was_written(lee_in, recording):
    answer = lee_in.post(url("comment", recording), {"text": "A long thought.", "at": "soon"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert page.startswith("<!doctype html>")
    assert "A long thought." in page
    assert url("detail", recording) in page


def test_a_double_click_writes_one_comment(lee_in, recording):
    given = {"text": "Once.", "at": "0:10", "press": str(uuid.uuid4())}
    for _ in range(3):
        assert post(lee_in, recording, "comment", **given).status_code == 200
    assert Comment.objects.count() == 1
    assert AuditRow.objects.filter(verb="comment").count() == 1


def test_the_form_that_comes_back_with_another_text_is_another_comment(lee_in, recording):
    press = str(uuid.uuid4())
    for text in ("One.", "Two."):
        post(lee_in, recording, "comment", text=text, press=press)
    assert set(Comment.objects.values_list("text", flat=True)) == {"One.", "Two."}


def test_the_id_of_somebody_elses_comment_changes_nothing_of_it(lee_in, sam, recording):
    theirs = write(recording, sam)
    post(lee_in, recording, "comment", text="Mine.", press=str(theirs.pk))
    post(lee_in, make(), "comment", text="Mine.", press=str(theirs.pk))
    theirs.refresh_from_db()
    assert (theirs.text, theirs.by) == ("Well said.", sam)
    assert Comment.objects.count() == 3


def test_an_id_that_is_none_is_refused(lee_in, recording):
    assert post(lee_in, recording, "comment", text="x", press="1; DROP").status_code == 422


def test_each_form_has_a_press_of_its_own(lee_in, lee, recording):
    write(recording, lee)
    page = section(lee_in, recording)
    presses = [part.split('"')[0] for part in page.split('name="press" value="')[1:]]
    assert len(set(presses)) == len(presses) == 2
    assert all(uuid.UUID(press) for press in presses)


def test_an_edited_comment_says_so(lee_in, lee, recording):
    comment = write(recording, lee)
    page = post(lee_in, recording, "edit-comment", comment.pk, text="Better.", seen="")
    assert "Better." in page.content.decode()
    assert ">edited " in page.content.decode()
    assert "Well said." not in page.content.decode()


def test_saving_the_same_text_is_no_edit(lee_in, lee, recording):
    comment = write(recording, lee)
    page = post(lee_in, recording, "edit-comment", comment.pk, text="Well said.", seen="")
    assert page.status_code == 200
    comment.refresh_from_db()
    assert comment.edited_at is None


def test_an_edit_in_another_window_is_shown_before_it_is_replaced(lee_in, lee, recording):
    comment = write(recording, lee)
    comments.edit(comment, "From there.", lee, seen="")
    answer = post(lee_in, recording, "edit-comment", comment.pk, text="From here.", seen="")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "From there." in page
    assert "From here.</textarea>" in page
    assert "You changed this comment in another window." in page
    comment.refresh_from_db()
    seen = comments.edition(comment)
    assert f'name="seen" value="{seen}"' in page
    post(lee_in, recording, "edit-comment", comment.pk, text="From here.", seen=seen)
    comment.refresh_from_db()
    assert comment.text == "From here."


def test_an_edit_of_what_was_deleted_becomes_a_new_comment_and_is_not_lost(lee_in, lee, recording):
    comment = write(recording, lee, place=(65_000, 70_000))
    comments.delete(comment, lee)
    answer = post(lee_in, recording, "edit-comment", comment.pk, text="From here.", seen="")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "From here.</textarea>" in page
    assert 'value="1:05-1:10"' in page
    assert "You deleted this comment in another window." in page


def test_a_deleted_comment_is_gone_unless_it_was_answered(lee_in, sam, lee, recording):
    alone, asked = write(recording, lee, "Said alone."), write(recording, lee, "Said and asked.")
    answer = write(recording, sam, "The answer.", answers=asked)
    for comment in (alone, asked):
        page = post(lee_in, recording, "delete-comment", comment.pk).content.decode()
    assert "Said" not in page
    assert page.count("Deleted by its author.") == 1
    assert "The answer." in page
    assert Comment.objects.get(pk=alone.pk).text == ""
    again = post(lee_in, recording, "delete-comment", alone.pk)
    assert "deleted already" in again["HX-Trigger"]
    comments.delete(answer, sam)
    assert comments.threads(recording) == []


def test_an_answer_to_what_is_deleted_meanwhile_is_kept(lee_in, sam, lee, recording):
    comment = write(recording, sam)
    comments.delete(comment, sam)
    page = post(lee_in, recording, "answer-comment", comment.pk, text="My answer.")
    assert "My answer." in page.content.decode()
    assert "Deleted by its author." in page.content.decode()


def test_one_comment_more_than_there_can_be_is_refused_and_its_text_kept(
    lee_in, lee, recording, monkeypatch
):
    monkeypatch.setattr(comments, "MOST", 2)
    for _ in range(2):
        write(recording, lee)
    answer = post(lee_in, recording, "comment", text="One more.")
    assert answer.status_code == 409
    assert "has 2 comments, and there can be no more" in answer.content.decode()
    assert "One more.</textarea>" in answer.content.decode()


# What others write


def test_a_page_that_has_seen_everything_is_sent_nothing(lee_in, lee, recording):
    write(recording, lee)
    version = Recording.objects.get().version
    address = url("notes", recording)
    with CaptureQueriesContext(connection) as queries:
        assert lee_in.get(address, {"seen": version}, headers=HTMX).status_code == 204
    assert len(queries) <= 4
    write(recording, lee, "And this.")
    answer = lee_in.get(address, {"seen": version, "comments": "open"}, headers=HTMX)
    page = answer.content.decode()
    assert "And this." in page
    assert f'data-version="{version + 1}"' in page
    assert "seen=" not in page


def test_the_section_alone_is_a_page_without_htmx(lee_in, recording):
    page = lee_in.get(url("notes", recording)).content.decode()
    assert page.startswith("<!doctype html>")
    assert '<section id="notes"' in page


def test_other_sites_get_no_section(lee_in, recording):
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert lee_in.get(url("notes", recording), headers=headers).status_code == 403


def test_the_section_takes_as_many_queries_for_fifty_threads_as_for_one(lee_in, lee, recording):
    def count():
        with CaptureQueriesContext(connection) as queries:
            section(lee_in, recording)
        return len(queries)

    first = write(recording, lee)
    section(lee_in, recording)  # notes the reading
    one = count()
    for _ in range(25):
        write(recording, lee, answers=write(recording, lee))
        write(recording, lee, answers=first)
    assert count() == one <= 9


# At one moment


@pytest.mark.django_db(transaction=True)
def test_presses_of_one_form_at_one_moment_are_one_comment(lee):
    recording = make()
    for _ in range(5):
        press = uuid.uuid4()
        work = partial(comments.write, recording, "Once.", lee, press=press)
        rows = together(*[work] * 4)
        assert {row.pk for row in rows} == {press}
    assert Comment.objects.count() == 5
    assert AuditRow.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_an_answer_survives_the_deletion_of_what_it_answers_at_the_same_moment(sam, lee):
    recording = make()
    for _ in range(10):
        comment = write(recording, sam)
        together(
            partial(comments.delete, comment, sam),
            partial(write, recording, lee, "My answer.", answers=comment),
        )
    assert [len(thread.answers) for thread in comments.threads(recording)] == [1] * 10


@pytest.mark.django_db(transaction=True)
def test_two_who_resolve_at_once_are_one_and_one_who_is_told(sam, lee):
    recording = make()
    for _ in range(10):
        comment = write(recording, sam)
        people = (sam, lee)
        moved = together(*(partial(comments.resolve, comment, by) for by in people))
        comment.refresh_from_db()
        assert sorted(moved) == [False, True]
        assert comment.resolved_by == people[moved.index(True)].username


@pytest.mark.django_db(transaction=True)
def test_a_delete_and_an_edit_at_once_never_bring_a_deleted_text_back(sam):
    recording = make()

    def edit(comment):
        try:
            return comments.edit(comment, "Edited.", sam, seen="")
        except comments.NotNow:
            return False

    for _ in range(10):
        comment = write(recording, sam)
        together(partial(comments.delete, comment, sam), partial(edit, comment))
        comment.refresh_from_db()
        assert comment.text == ""


def test_times_are_those_of_our_clock(lee, recording):
    comment = write(recording, lee)
    assert timezone.now() - comment.written_at < timedelta(seconds=5)
