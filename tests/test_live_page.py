"""The board in a real browser: what the stream does to it, what it says when it is cut off."""

import re
import time
import uuid

import pytest
from playwright.sync_api import expect

from calls import board
from tests.browser import in_a_browser
from tests.test_asgi import Web, wait_for

pytestmark = in_a_browser
ROW = f"#{board.row_id('session')}"
HOLD = "UPDATE calls_call SET line = 'held', version = version + 1"
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    web = Web(tmp_path_factory.mktemp("page"))
    yield web
    web.stop()


@pytest.fixture
def web(desk):
    if desk.server is None or desk.server.poll() is not None:
        desk.start()
    desk.execute("DELETE FROM calls_call WHERE conversation != 'session'")
    return desk


@pytest.fixture
def page(web, chromium):
    """A signed-in browser; it must have had nothing to complain about."""
    context = chromium.new_context()
    context.add_cookies([{"name": "sessionid", "value": web.session, "url": address(web)}])
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text))
    page.clock.install()
    yield page
    context.close()
    # A stream that is refused or cut is what some of these tests are about.
    assert [it for it in complaints if not re.search("ERR_|status of (401|502|503)", it)] == []


def address(web, path="/"):
    return f"http://127.0.0.1:{web.port}{path}"


def ring_in(web, number):
    """Copy the call as another conversation, heard of later; return its row."""
    (columns,) = zip(*web.execute("SELECT name FROM pragma_table_info('calls_call')"), strict=True)
    new = {
        "id": f"'{number:032x}'",
        "call_leg_id": f"'leg-{number}'",
        "conversation": f"'session-{number}'",
        "first_heard_at": f"datetime(first_heard_at, '+{number} minutes')",
    }
    values = ", ".join(new.get(column, f'"{column}"') for column in columns)
    web.execute(f"INSERT INTO calls_call SELECT {values} FROM calls_call WHERE call_leg_id='leg'")
    return f"#{board.row_id(f'session-{number}')}"


def is_live(page):
    expect(page.locator("#freshness")).to_have_text("Live", timeout=15_000)


def version(page):
    return int(page.locator(ROW).get_attribute("data-version"))


def button(page, place):
    leg = page.locator(f"{ROW} [id$='-{place}']")
    expect(leg).to_be_visible()
    return leg


def test_calls_come_change_and_go_without_a_reload(web, page):
    page.goto(address(web))
    is_live(page)
    page.evaluate("window.stays = true")

    later, earlier = ring_in(web, 3), ring_in(web, 2)
    for row in (later, earlier):
        expect(page.locator(row)).to_be_visible()
    rows = page.locator("#board-rows > tr").evaluate_all("rows => rows.map(row => '#' + row.id)")
    assert rows == [ROW, earlier, later]

    web.execute(f"{HOLD} WHERE conversation = 'session-2'")
    expect(page.locator(earlier)).to_have_class(re.compile("is-held"))

    web.execute("UPDATE calls_call SET line = 'unknown' WHERE conversation = 'session-2'")
    expect(page.locator(earlier)).to_have_count(0)
    assert page.evaluate("window.stays")


def test_the_focus_survives_a_change_of_its_row(web, page):
    page.goto(address(web))
    is_live(page)
    say = button(page, "say")
    say.focus()
    before = version(page)

    web.change()

    wait_for(lambda: version(page) > before)
    expect(say).to_be_focused()


def test_what_is_asked_back_stays_under_the_finger_and_is_renewed_afterwards(web, page):
    page.goto(address(web))
    is_live(page)
    button(page, "hangup").locator("summary").click()
    before = version(page)

    web.change()
    other = ring_in(web, 4)
    expect(page.locator(other)).to_be_visible()  # so the change of the other row came as well

    assert version(page) == before
    expect(button(page, "hangup")).to_have_attribute("open", "")
    button(page, "hangup").locator("summary").click()
    page.clock.run_for(1500)
    wait_for(lambda: version(page) > before)


def test_no_row_leaves_under_a_hand_that_aims(web, page):
    page.goto(address(web))
    is_live(page)
    leaves, stays = ring_in(web, 5), ring_in(web, 6)
    expect(page.locator(stays)).to_be_visible()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    page.locator(stays).hover()

    web.execute("UPDATE calls_call SET line = 'unknown' WHERE conversation = 'session-5'")
    later = ring_in(web, 7)
    expect(page.locator(later)).to_be_visible()  # so the news of the other row came as well

    expect(page.locator(leaves)).to_be_visible()
    page.clock.run_for(4000)
    expect(page.locator(leaves)).to_have_count(0)


def test_a_page_that_is_cut_off_says_so_and_lets_nobody_act_until_it_is_back(web, page):
    page.goto(address(web))
    is_live(page)

    web.stop()
    page.clock.fast_forward(12_000)
    expect(page.locator("#freshness")).to_have_text(
        re.compile(r"^Reconnecting… last update \d\d:\d\d:\d\d$")
    )
    expect(page.locator("#controls")).to_have_js_property("disabled", False)
    page.clock.fast_forward(20_000)
    expect(page.locator("#freshness")).to_contain_text("Controls are off")
    expect(page.locator("#controls")).to_have_js_property("disabled", True)
    expect(page.locator(ROW)).to_be_visible()

    missed, before = ring_in(web, 5), version(page)
    web.change()
    web.start()
    since = time.monotonic()
    while page.locator(missed).count() == 0:
        page.clock.run_for(1000)
        assert time.monotonic() - since < 15
    is_live(page)
    assert version(page) > before
    expect(page.locator("#controls")).to_have_js_property("disabled", False)


def test_a_hidden_page_leaves_the_stream_and_comes_back_to_a_true_board(web, page):
    def streams():
        lines = web.ask("GET", "/metrics")[1].decode().splitlines()
        return next(line for line in lines if line.startswith("tapeline_live_streams "))[-1]

    page.goto(address(web))
    is_live(page)
    wait_for(lambda: streams() == "1")

    page.evaluate(HIDE, True)
    wait_for(lambda: streams() == "0")
    missed = ring_in(web, 6)
    page.clock.fast_forward(60_000)
    expect(page.locator(missed)).to_have_count(0)

    page.evaluate(HIDE, False)
    expect(page.locator(missed)).to_be_visible()
    expect(page.locator("#controls")).to_have_js_property("disabled", False)


def test_the_page_of_a_call_renews_itself_when_its_call_changes(web, page):
    (((pk),),) = web.execute("SELECT id FROM calls_call WHERE call_leg_id = 'leg'")
    page.goto(address(web, f"/calls/{uuid.UUID(pk)}/"))
    expect(page.locator("#panel")).to_contain_text("Answered")

    web.execute(HOLD)
    expect(page.locator("#panel")).to_contain_text("On hold")

    web.execute("UPDATE calls_call SET line = 'answered', version = version + 1")
    expect(page.locator("#panel")).to_contain_text("Answered")


def test_who_was_signed_out_elsewhere_is_asked_to_sign_in(web, page):
    page.goto(address(web))
    is_live(page)
    sessions = web.execute("SELECT session_key, session_data, expire_date FROM django_session")
    web.execute("DELETE FROM django_session")
    try:
        page.evaluate(HIDE, True)
        page.evaluate(HIDE, False)
        page.clock.fast_forward(12_000)
        page.clock.run_for(2000)

        expect(page).to_have_url(re.compile(r"/login/\?next=/$"), timeout=15_000)
    finally:
        for row in sessions:
            web.execute("INSERT INTO django_session VALUES (?, ?, ?)", *row)
