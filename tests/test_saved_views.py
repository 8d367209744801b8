"""Saved views: a list under a name, one's own or shared, and the one that is opened first."""

import pytest
from django.db import IntegrityError

from recordings import saved
from recordings.models import SavedView
from tests.test_recording_pages import LIST, make

pytestmark = pytest.mark.django_db

VIEWS = f"{LIST}views/"


@pytest.fixture
def sam_in(client, sam):
    client.force_login(sam)
    return client


def view(owner, name, query="state=failed", **more):
    return SavedView.objects.create(owner=owner, name=name, query=query, **more)


def save(client, name="Failed", query="state=failed", **more):
    return client.post(VIEWS, {"name": name, "query": query, **more})


def test_a_list_is_saved_in_its_one_spelling_and_opened(sam_in, sam):
    answer = save(sam_in, query="after=12&state=failed&q=&from=2026-01-01")

    kept = SavedView.objects.get()
    assert (kept.owner, kept.name, kept.query) == (sam, "Failed", "from=2026-01-01&state=failed")
    assert not kept.is_shared
    assert not kept.is_default
    assert answer["Location"] == f"{LIST}?from=2026-01-01&state=failed"
    assert sam_in.get(answer["Location"]).context["current"] == kept


@pytest.mark.parametrize(
    ("posted", "complaint"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "  "}, "This field is required"),
        ({"name": "x" * 61}, "at most 60 characters"),
        ({"name": "a\0b"}, "Null characters are not allowed"),
        ({"query": "colour=red"}, "There is no filter &#x27;colour&#x27;"),
        ({"query": "state=gone"}, "There is no state &#x27;gone&#x27;"),
        ({"name": " mine "}, "You have a view called “mine” already"),
        ({"name": "MINE"}, "You have a view called “MINE” already"),
    ],
)
def test_a_view_that_cannot_be_saved_says_why(sam_in, sam, posted, complaint):
    view(sam, "Mine")
    answer = save(sam_in, **({"name": "New"} | posted))
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert SavedView.objects.count() == 1


def test_two_people_may_use_one_name(sam_in, lee):
    view(lee, "Failed")
    assert save(sam_in).status_code == 302


def test_nobody_keeps_more_views_than_a_menu_holds(sam_in, sam, monkeypatch):
    monkeypatch.setattr(saved, "MOST", 2)
    for name in "ab":
        view(sam, name)
    answer = save(sam_in)
    assert answer.status_code == 422
    assert "You have 2 views, which is the limit" in answer.content.decode()


def test_a_name_taken_in_the_same_moment_is_an_error_of_the_form(sam_in, sam, monkeypatch):
    def refuse(*_, **__):
        raise IntegrityError("saved_view_name")

    monkeypatch.setattr(SavedView, "save", refuse)
    answer = save(sam_in)
    assert answer.status_code == 422
    assert "already" in answer.content.decode()


def test_own_views_come_first_then_shared_ones_with_whose_they_are(sam_in, sam, lee):
    view(lee, "Alpha", is_shared=True)
    view(lee, "Secret")
    view(sam, "Zulu")
    answer = sam_in.get(LIST, {"q": ""})
    assert [one.name for one in answer.context["views"]] == ["Zulu", "Alpha"]
    page = answer.content.decode()
    assert "shared by lee" in page
    assert "Secret" not in page


def test_the_default_view_opens_where_nothing_is_asked_for(sam_in, sam, lee):
    view(lee, "Theirs", "state=missing", is_shared=True, is_default=True)
    view(sam, "Mine", is_default=True)
    assert sam_in.get(LIST)["Location"] == f"{LIST}?state=failed"
    assert sam_in.get(LIST, {"state": "stored"}).status_code == 200


def test_everything_is_still_to_be_seen_with_a_default_view(sam_in, sam):
    recording = make()
    view(sam, "Mine", is_default=True)
    everything = sam_in.get(f"{LIST}?q=")
    assert list(everything.context["recordings"]) == [recording]
    assert f'href="{LIST}?q="' in sam_in.get(f"{LIST}?state=failed").content.decode()


def test_the_form_without_script_is_not_sent_to_the_default_view(sam_in, sam):
    view(sam, "Mine", is_default=True)
    empty = sam_in.get(LIST, dict.fromkeys(["q", "number", "from", "to", "state", "tag"], ""))
    assert empty.status_code == 200
    by_htmx = sam_in.get(LIST, headers={"HX-Request": "true"})
    assert (by_htmx.status_code, by_htmx["HX-Push-Url"]) == (200, f"{LIST}?q=")


def test_only_one_view_is_the_default(sam_in, sam):
    first = view(sam, "First", is_default=True)
    save(sam_in, "Second", is_default="on")
    assert [one.name for one in SavedView.objects.filter(is_default=True)] == ["Second"]
    sam_in.post(f"{VIEWS}{first.pk}/", {"name": "First", "is_default": "on"})
    assert [one.name for one in SavedView.objects.filter(is_default=True)] == ["First"]


def test_a_view_is_renamed_and_shared_and_keeps_its_list(sam_in, sam):
    mine = view(sam, "Mine")
    sam_in.post(f"{VIEWS}{mine.pk}/", {"name": "Ours", "is_shared": "on"})
    mine.refresh_from_db()
    assert (mine.name, mine.is_shared, mine.query) == ("Ours", True, "state=failed")


def test_a_rename_that_fails_shows_what_was_typed_and_why(sam_in, sam):
    view(sam, "Taken")
    mine = view(sam, "Mine")
    answer = sam_in.post(f"{VIEWS}{mine.pk}/", {"name": "taken"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="taken"' in page
    assert "already" in page
    mine.refresh_from_db()
    assert mine.name == "Mine"


def test_a_view_is_deleted(sam_in, sam):
    mine = view(sam, "Mine")
    assert sam_in.post(f"{VIEWS}{mine.pk}/delete").status_code == 302
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("path", ["", "delete"])
def test_the_view_of_somebody_else_is_a_404_even_when_it_is_shared(sam_in, lee, path):
    theirs = view(lee, "Theirs", is_shared=True)
    assert sam_in.post(f"{VIEWS}{theirs.pk}/{path}", {"name": "Mine"}).status_code == 404
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_views_are_for_those_who_may_see_recordings(client, max):
    client.force_login(max)
    assert client.get(VIEWS).status_code == 403
    assert save(client).status_code == 403


def test_without_a_view_the_page_says_how_to_get_one(sam_in):
    assert "There are no views yet" in sam_in.get(VIEWS).content.decode()
