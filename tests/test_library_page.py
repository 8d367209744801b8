"""The library's page: what a row tells, how the list is narrowed, sorted and renewed."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recordings import listing
from recordings.listing import Page
from recordings.models import Comment, Recording, State, Tag, Tagging
from recordings.search.extract import Extract
from tests.test_recording_pages import LIST, STARTED, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


def page(client, **query):
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return answer


def html(client, **query):
    return page(client, **query).content.decode()


def tag(recording, name, colour="blue"):
    word, _ = Tag.objects.get_or_create(name=name, colour=colour)
    Tagging.objects.create(tag=word, recording=recording, place=recording.place, at=timezone.now())


def comment(recording):
    Comment.objects.create(
        recording=recording, name="sam", text="Listen!", written_at=timezone.now()
    )


# Rows


def test_a_row_tells_what_people_made_of_the_recording(lee_in):
    recording = make(
        agent="sip:lee@example.com",
        has_transcript=True,
        flagged=True,
        reviewed=True,
        paused=True,
    )
    tag(recording, "refund", "orange")
    comment(recording)
    comment(recording)

    shown = html(lee_in)

    for text in ("lee@example.com", "Flagged", "Reviewed", "Paused", "Transcript", "2 comments"):
        assert text in shown
    assert '<span class="tag is-orange">refund</span>' in shown


def test_a_row_leads_to_its_page_with_the_list_it_stands_in(lee_in):
    recording = make()
    (row,) = page(lee_in, state="stored", number="0100").context["rows"]
    address = urlsplit(row.address)
    assert address.path == recording.get_absolute_url()
    assert parse_qs(address.query) == {"list": ["number=0100&state=stored"]}
    assert lee_in.get(row.address).status_code == 200


def test_what_a_search_found_is_marked_and_leads_to_its_moment(lee_in, monkeypatch):
    recording = make()
    parts = [("I want a ", False), ("refund", True), (" <now>", False)]
    found = Page([recording], "1", None, snippets={recording.pk: Extract(tuple(parts), 754.24)})
    monkeypatch.setattr(listing, "find", lambda *_, **__: found)

    answer = page(lee_in, q="refund")

    moment = parse_qs(urlsplit(answer.context["rows"][0].moment).query)
    assert moment == {"t": ["754.2"], "q": ["refund"], "list": ["q=refund"]}
    said = answer.content.decode()
    assert '<span class="at">12:34</span> I want a <mark>refund</mark> &lt;now&gt;' in said


def test_a_sentence_without_a_time_is_given_none(lee_in, monkeypatch):
    recording = make()
    found = Page([recording], "1", None, snippets={recording.pk: Extract((("Hm", True),), None)})
    monkeypatch.setattr(listing, "find", lambda *_, **__: found)
    answer = page(lee_in, q="hm")
    assert parse_qs(urlsplit(answer.context["rows"][0].moment).query).keys() == {"q", "list"}
    assert '<span class="at">' not in answer.content.decode()


def test_a_list_that_is_not_whole_says_so_and_can_be_gone_on_with(lee_in, monkeypatch):
    found = Page([], "0", "17", "Searched back to 2 March; go on for older ones.")
    monkeypatch.setattr(listing, "find", lambda *_, **__: found)
    shown = html(lee_in, q="zebra")
    assert "Searched back to 2 March" in shown
    assert 'href="/recordings/?q=zebra&amp;after=17"' in shown
    assert "not everything was searched" in shown


def test_a_list_is_shown_before_all_of_it_is_counted(lee_in, monkeypatch):
    made = make(flagged=True)
    known = Page([made], "85+", "17", may_count_on=True)
    monkeypatch.setattr(listing, "find", lambda *_, **__: known)
    shown = html(lee_in, flagged="yes")
    assert "<b>85+</b> recordings" in shown
    assert 'hx-get="/recordings/count?flagged=yes" hx-trigger="load"' in shown
    assert "All that match" in shown
    counted = lee_in.get("/recordings/count?flagged=yes", headers={"HX-Request": "true"})
    assert counted.content.decode().strip() == "<b>1</b> recording"
    plain = lee_in.get("/recordings/count?flagged=yes").content.decode()
    assert "<b>1</b> recording" in plain
    assert 'href="/recordings/?flagged=yes"' in plain


def test_a_list_that_is_known_whole_is_not_counted_again(lee_in):
    make(flagged=True)
    assert "/recordings/count" not in html(lee_in, flagged="yes")


def test_who_may_not_see_recordings_counts_none(client, max):
    client.force_login(max)
    assert client.get("/recordings/count?flagged=yes").status_code == 403


def test_a_count_refuses_what_is_no_filter(lee_in):
    assert lee_in.get("/recordings/count?colour=red").status_code == 400


def test_as_many_queries_for_many_rows_as_for_one(lee_in):
    def count():
        with CaptureQueriesContext(connection) as queries:
            page(lee_in)
        return len(queries)

    make()
    count()  # the first request looks up who it is
    few = count()
    for _ in range(20):
        recording = make(flagged=True, reviewed=True, paused=True)
        tag(recording, "refund")
        comment(recording)
    for state in State.values:
        make(state=state, failures=2, attempts=1, due_at=timezone.now(), ended_at=timezone.now())
    assert count() == few


# Filters and order


@pytest.mark.parametrize(
    ("query", "is_open"),
    [
        ({}, False),
        ({"q": "0100", "number": "0100", "from": "2026-01-01", "to": "2026-12-31"}, False),
        ({"flagged": "no"}, True),
        ({"state": "stored"}, True),
        ({"tag": " "}, False),
    ],
)
def test_more_filters_stay_open_while_one_of_them_is_used(lee_in, query, is_open):
    make()
    assert ('<details class="more more-filters" open>' in html(lee_in, **query)) is is_open


def test_the_form_shows_what_is_asked_for(lee_in):
    shown = html(lee_in, q="0100", party="lee", longer="60", tag="vip", flagged="no", channels="2")
    for text in (
        'name="q" value="0100"',
        'name="party" value="lee"',
        'name="longer" value="60"',
        'name="tag" value="vip"',
        '<option value="no" selected>No</option>',
        '<option value="2" selected>',
    ):
        assert text in shown


def test_headers_sort_and_say_how_it_is_sorted(lee_in):
    make()
    answer = page(lee_in, state="stored")
    started, length = answer.context["columns"].values()
    assert (started["order"], started["address"]) == ("descending", "?state=stored&sort=oldest")
    assert (length["order"], length["address"]) == ("", "?state=stored&sort=longest")
    assert answer.content.decode().count("aria-sort=") == 1


def test_clearing_every_filter_is_never_answered_with_the_default_view(lee_in):
    make()
    shown = html(lee_in, q="0100", state="stored")
    assert 'href="/recordings/?q="' in shown
    (only,) = page(lee_in, state="stored").context["chips"]
    assert only.without == "?q="


# New ones


def come(minutes_ago=0, **more):
    """Make a recording that is announced now and began some time ago."""
    return make(started_at=timezone.now() - timedelta(minutes=minutes_ago), **more)


def test_new_recordings_are_counted_also_when_they_began_before_the_newest(lee_in):
    come(5)
    address = page(lee_in).context["news"]
    assert lee_in.get(address).status_code == 204
    come(0)
    come(240)  # the longest that Telnyx records
    make(started_at=STARTED)  # imported: it stands far down, and is no news

    answer = lee_in.get(address)

    assert (answer.status_code, answer.content.decode().strip()) == (
        200,
        '<a class="pill" href="/recordings/?q=">2 new</a>',
    )


def test_only_what_matches_the_list_is_news(lee_in):
    address = page(lee_in, flagged="yes").context["news"]
    come()
    assert lee_in.get(address).status_code == 204
    come(flagged=True)
    assert 'href="/recordings/?flagged=yes">1 new' in lee_in.get(address).content.decode()


def test_older_pages_and_other_orders_have_no_news(lee_in):
    for number in range(listing.PAGE + 1):
        make(started_at=STARTED - timedelta(minutes=number))
    older = page(lee_in).context["older"]
    assert lee_in.get(LIST + older).context["news"] == ""
    assert "data-news" not in lee_in.get(LIST + older).content.decode()


@pytest.mark.parametrize(
    "query",
    ["", "since=x", "since=-62135596800000", "since=9999999999999999999", "since=1&what=1"],
)
def test_an_odd_question_for_news_is_a_400(lee_in, query):
    assert lee_in.get(f"{LIST}new?{query}").status_code == 400


def test_news_are_for_those_who_may_see_recordings(client, max):
    client.force_login(max)
    assert client.get(f"{LIST}new?since=1").status_code == 403


# Nothing


def test_an_empty_list_tells_why_it_is_empty(lee_in):
    assert "Nothing was recorded yet" in html(lee_in)
    assert "No recordings match this filter" in html(lee_in, state="failed")
    assert "No recordings match these 2 filters" in html(lee_in, state="failed", flagged="yes")
    make()
    first = Recording.objects.get().place
    assert "no more recordings in this list" in html(lee_in, after=str(first))


@pytest.mark.parametrize(
    ("who", "offered"),
    [
        ("sam", {"zip", "csv", "tag", "untag", "reviewed"}),
        ("lee", {"csv", "tag", "untag", "reviewed"}),
        ("olga", {"csv"}),
    ],
)
def test_everybody_is_offered_what_they_may_do(client, request, who, offered):
    client.force_login(request.getfixturevalue(who))
    make()
    shown = html(client)
    acts = {"zip", "csv", "tag", "untag", "reviewed"}
    assert {act for act in acts if f'name="act" value="{act}"' in shown} == offered
