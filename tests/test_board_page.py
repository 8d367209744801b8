"""The page of the board without JavaScript: tiles and search choose rows, the view is kept."""

import re

import pytest

from access.choices import chosen
from access.models import Choice
from tests.test_board import call, text, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client, sam):
    client.force_login(sam)

    def page(address="/"):
        answer = client.get(address)
        assert answer.status_code == 200
        return answer.content.decode()

    return page


@pytest.fixture
def calls():
    return {
        "calm": call(from_number="+12125550100", caller_name="AMARA OKAFOR"),
        "recorded": call(from_number="+12125550111", recording="on"),
        "paused": call(from_number="+12125550122", recording="paused"),
        "doubt": call(from_number="+12125550133", recording="doubt"),
    }


def numbers(html):
    return re.findall(r'class="call-name"[^>]*title="([^"]+)"', html)


def tile(html, name):
    return re.search(rf'<a class="tile is-{name}[^>]*>.*?</a>', html, re.S)[0]


@pytest.mark.parametrize(
    ("address", "ends"),
    [
        ("/?show=recording", ["11"]),
        ("/?show=problems", ["33", "22"]),
        ("/?show=live", ["33", "22", "00", "11"]),
        ("/?q=0100", ["00"]),
        ("/?q=okafor", ["00"]),
        ("/?show=recording&q=0100", []),
    ],
)
def test_tiles_and_search_choose_rows(page, calls, address, ends):
    call_ends = {number[-2:] for number in numbers(page(address))}

    assert call_ends == set(ends)


def test_the_tiles_count_everything_whatever_is_chosen(page, calls):
    wish(calls["calm"], "speak", "failed")
    for address in ("/", "/?show=paused", "/?q=nobody"):
        html = page(address)
        counted = {
            name: int(re.search(r"<b[^>]*>(\d+)</b>", tile(html, name))[1])
            for name in ("live", "recording", "paused", "problems")
        }
        assert counted == {"live": 4, "recording": 1, "paused": 1, "problems": 3}


def test_the_tiles_are_links_that_keep_the_search_and_say_which_is_chosen(page, calls):
    html = page("/?show=paused&q=55 50")

    assert 'href="/?show=recording&amp;q=55+50"' in tile(html, "recording")
    assert 'href="/?q=55+50"' in tile(html, "live")
    assert 'aria-current="true"' in tile(html, "paused")
    assert 'aria-current="true"' not in tile(html, "live")
    assert '<input type="hidden" name="show" value="paused">' in html


def test_a_board_that_is_narrowed_down_says_of_how_many(page, calls):
    assert "Showing 1 of 4 calls. Show all" in text(page("/?show=paused"))
    assert re.search(r'id="showing" hidden', page("/"))
    assert re.search(r'id="nothing" hidden', page("/"))
    assert not re.search(r'id="nothing" hidden', page("/?q=nobody"))


@pytest.mark.parametrize("address", ["/?show=nonsense", "/?q=" + "9" * 101])
def test_what_no_board_knows_is_refused_not_ignored(client, sam, address):
    client.force_login(sam)

    assert client.get(address).status_code == 400


def test_what_is_typed_is_shown_as_text(page, calls):
    assert 'value="&lt;b&gt;"' in page("/?q=<b>")


def test_the_view_is_kept_for_the_person_in_every_browser(client, sam, lee, page):
    assert 'class="board is-compact is-empty"' in page()

    answer = client.post(
        "/view/", {"density": "comfortable", "column": ["time", "note"], "next": "/?show=paused"}
    )

    assert (answer.status_code, answer["Location"]) == (302, "/?show=paused")
    assert 'class="board is-comfortable no-sound no-way is-empty' in page()
    assert chosen(sam, "board") == {"density": "comfortable", "hidden": ["sound", "way"]}
    client.force_login(lee)
    assert 'class="board is-compact is-empty is-watched"' in page()


@pytest.mark.parametrize(
    "posted", [{"density": "huge"}, {"density": "compact", "column": "salary"}, {}]
)
def test_a_view_that_does_not_exist_is_refused(client, sam, posted):
    client.force_login(sam)

    assert client.post("/view/", posted).status_code == 400
    assert not Choice.objects.exists()


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example", ""])
def test_keeping_the_view_leads_nowhere_else(client, sam, back):
    client.force_login(sam)

    answer = client.post("/view/", {"density": "compact", "next": back})

    assert answer["Location"] == "/"


@pytest.mark.parametrize("kept", [[], "x", {"density": 7, "hidden": "time"}, {"hidden": ["x"]}])
def test_a_view_kept_by_another_version_of_the_desk_breaks_nothing(sam, page, kept):
    Choice.objects.create(user=sam, name="board", value=kept)

    assert 'class="board is-compact' in page()


def test_people_without_the_right_to_see_keep_no_view(client, max):
    client.force_login(max)

    assert client.post("/view/", {"density": "compact"}).status_code == 403


# Practice calls


def test_an_empty_board_offers_a_practice_call_where_somebody_can_place_one(
    client, sam, lee, page, settings, simulator
):
    assert "practice call" not in page()
    settings.PRACTICE_CALLS_URL = f"{simulator.url}/_simulator/calls"
    assert "Start a practice call" in page()
    before = len(simulator.lever("GET", "calls")["calls"])

    answer = client.post("/calls/practice/", follow=True)

    assert "A practice call from +1312555" in answer.content.decode()
    assert len(simulator.lever("GET", "calls")["calls"]) > before
    client.force_login(lee)
    assert "practice call" not in page()
    assert client.post("/calls/practice/").status_code == 403


def test_a_practice_call_that_nobody_can_place_says_so(client, sam, settings):
    client.force_login(sam)
    assert client.post("/calls/practice/").status_code == 404
    settings.PRACTICE_CALLS_URL = "http://127.0.0.1:9/nobody"

    answer = client.post("/calls/practice/", follow=True)

    assert "could not be started" in answer.content.decode()
