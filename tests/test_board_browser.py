"""The board in a real browser: filters, order, search, keys, and that nothing moves unasked."""

import re

import pytest
from playwright.sync_api import expect

from calls import board
from tests.browser import in_a_browser
from tests.test_asgi import wait_for
from tests.test_finding import CASES, HAYSTACK
from tests.test_live_page import ROW, address, desk, is_live, page, ring_in, web  # noqa: F401

pytestmark = in_a_browser

STILL = """() => [...document.querySelectorAll('#board-rows > tr')].map(row => {
  row = row.cloneNode(true);
  for (const clock of row.querySelectorAll('[data-since]')) clock.textContent = '';
  for (const name of ['tabindex', 'hidden']) row.removeAttribute(name);
  for (const each of row.querySelectorAll('[open], .htmx-request')) each.removeAttribute('open');
  return row.outerHTML.replace(/\\s+/g, ' ');
})"""


@pytest.fixture(autouse=True)
def _calm(web):  # noqa: F811
    web.execute("UPDATE calls_call SET line = 'answered', recording = 'off'")
    web.execute("DELETE FROM access_choice")


def change(web, number, **columns):  # noqa: F811
    """Change a call of ring_in, as the fold would."""
    values = ", ".join(f"{name} = '{value}'" for name, value in columns.items())
    key = f"session-{number}" if number else "session"
    web.execute(
        f"UPDATE calls_call SET {values}, version = version + 1 WHERE conversation = '{key}'"
    )


def order(page):  # noqa: F811
    rows = page.locator("#board-rows > tr:not([hidden])")
    return rows.evaluate_all("rows => rows.map(row => '#' + row.id)")


def three(web, page, path="/"):  # noqa: F811
    """Show three calls; return their rows, in the order of their age."""
    rows = [ROW, ring_in(web, 2), ring_in(web, 3)]
    page.goto(address(web, path))
    is_live(page)
    return rows


def test_a_row_that_comes_to_need_somebody_is_marked_and_moves_when_asked(web, page):  # noqa: F811
    one, two, three_ = three(web, page)
    expect(page.locator("#sort")).to_have_text("Sort")

    change(web, 3, recording="doubt")

    expect(page.locator(f"{three_} .need")).to_contain_text("Recording in doubt")
    expect(page.locator("#sort")).to_have_text("1 needs you: Sort")
    expect(page.locator("[data-count=problems]")).to_have_text("1")
    assert order(page) == [one, two, three_]
    page.locator("#sort").click()
    assert order(page) == [three_, one, two]
    expect(page.locator("#sort")).to_have_text("Sort")
    page.reload()
    assert order(page) == [three_, one, two]


def test_tiles_filter_without_a_reload_and_back_leads_back(web, page):  # noqa: F811
    _, two, _ = three(web, page)
    page.evaluate("window.stays = true")
    change(web, 2, recording="paused")
    expect(page.locator("[data-count=paused]")).to_have_text("1")

    page.locator(".tile.is-paused").click()

    assert order(page) == [two]
    expect(page).to_have_url(re.compile(r"/\?show=paused$"))
    expect(page.locator("#showing")).to_contain_text("Showing 1 of 3 calls.")
    expect(page.locator("[data-count=live]")).to_have_text("3")
    expect(page.locator(".tile.is-paused")).to_have_attribute("aria-current", "true")

    change(web, 2, recording="on")
    expect(page.locator(two)).to_be_hidden()
    expect(page.locator("#nothing")).to_be_visible()
    change(web, 3, recording="paused")
    expect(page.locator(f"#{board.row_id('session-3')}")).to_be_visible()

    page.go_back()
    assert len(order(page)) == 3
    assert page.evaluate("window.stays")


def test_a_filter_in_the_address_holds_for_what_the_stream_brings(web, page):  # noqa: F811
    three(web, page)
    change(web, 0, recording="on")
    page.goto(address(web, "/?show=recording"))
    is_live(page)
    assert order(page) == [ROW]

    third = f"#{board.row_id('session-3')}"
    expect(page.locator(third)).to_have_count(1)

    expect(page.locator(third)).to_be_hidden()
    page.locator("#show-all").click()
    expect(page.locator(third)).to_be_visible()


def test_search_as_it_is_typed_finds_what_the_desk_finds(web, page):  # noqa: F811
    three(web, page)
    found = page.evaluate(
        """async ([typed, haystack]) => {
          const { src } = document.querySelector('script[src*="/board."]');
          const [, rows] = (await (await fetch(src)).text()).match(/from "\\.\\/(rows[^"]*)"/);
          const { finds } = await import(new URL(rows, src));
          return typed.map((text) => finds(text, haystack));
        }""",
        [[typed for typed, _ in CASES], HAYSTACK],
    )
    assert found == [is_found for _, is_found in CASES]

    page.keyboard.press("/")
    page.keyboard.type("no such name")
    page.clock.run_for(500)
    expect(page.locator("#nothing")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=no\+such\+name$"))


def test_nothing_in_a_row_is_touched_but_what_changed(web, page):  # noqa: F811
    three(web, page)
    page.locator(f"{ROW} .slot-say").evaluate("it => { it.same = true; it.focus(); }")
    page.locator(f"{ROW} .call-more > details").evaluate("it => { it.open = true; }")

    change(web, 0, line="held")

    expect(page.locator(ROW)).to_have_class(re.compile("is-held"))
    say = page.locator(f"{ROW} .slot-say")
    assert say.evaluate("it => it.same")
    expect(say).to_be_focused()
    expect(page.locator(f"{ROW} .call-more > details")).to_have_attribute("open", "")


def test_who_came_early_who_comes_late_and_who_has_no_script_see_the_same(web, page, chromium):  # noqa: F811
    one, two, _ = three(web, page)
    change(web, 2, recording="paused")
    change(web, 3, line="held", sound="playing")
    change(web, 0, recording="doubt")
    ring_in(web, 4)
    expect(page.locator(f"{one} .need")).to_be_visible()
    expect(page.locator("#board-rows > tr")).to_have_count(4)
    page.locator("#sort").click()

    def other(**options):
        context = chromium.new_context(**options)
        context.add_cookies([{"name": "sessionid", "value": web.session, "url": address(web)}])
        late = context.new_page()
        late.goto(address(web))
        if options.get("java_script_enabled", True):
            is_live(late)
            return late.evaluate(STILL)
        return late.content()

    old = page.evaluate(STILL)
    assert other() == old
    plain = other(java_script_enabled=False)
    page.goto("about:blank")
    page.set_content(plain.replace("<script", "<template").replace("</script", "</template"))
    assert page.evaluate(STILL) == old
    assert [two in f"#{row}" for row in re.findall(r'<tr id="(row-\w+)"', plain)].count(True) == 1


def test_the_board_needs_no_mouse(web, page):  # noqa: F811
    one, two, three_ = three(web, page)
    change(web, 2, recording="on")
    expect(page.locator(f"{two} .rec.is-on")).to_be_visible()
    press = page.keyboard.press

    press("j")
    expect(page.locator(one)).to_be_focused()
    press("j")
    press("ArrowDown")
    expect(page.locator(three_)).to_be_focused()
    press("k")
    expect(page.locator(two)).to_be_focused()

    press("r")
    expect(page.get_by_role("button", name="Stop? Yes")).to_be_focused()
    press("Escape")
    expect(page.locator(f"{two} details.slot-record")).not_to_have_attribute("open", "")
    press(".")
    expect(page.locator(f"{two} .call-more > details")).to_have_attribute("open", "")
    press(".")
    press("s")
    expect(page.locator("#dialog")).to_be_visible()
    press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()

    press("/")
    expect(page.locator("#find-text")).to_be_focused()
    press("Enter")
    expect(page.locator(one)).to_be_focused()
    press("?")
    expect(page.locator("#keys-help")).to_contain_text("Pause or resume")
    page.locator("#keys-help input").uncheck()
    press("Escape")
    page.locator(one).focus()
    press("j")
    expect(page.locator(one)).to_be_focused()
    page.evaluate("localStorage.clear()")

    press("Enter")
    expect(page).to_have_url(re.compile("/calls/"))
    page.go_back()
    is_live(page)
    press("g")
    press("r")
    expect(page).to_have_url(re.compile("/recordings/$"))


def test_only_one_row_is_reached_by_tab_and_its_end_hands_the_focus_on(web, page):  # noqa: F811
    one, two, three_ = three(web, page)
    page.locator(two).focus()
    tabs = page.locator("#board-rows > tr[tabindex='0']")
    expect(tabs).to_have_count(1)

    web.execute("UPDATE calls_call SET line = 'unknown' WHERE conversation = 'session-2'")

    expect(page.locator(two)).to_have_count(0)
    expect(page.locator(three_)).to_be_focused()
    expect(tabs).to_have_attribute("id", three_[1:])
    assert order(page) == [one, three_]


def test_ears_hear_what_needs_somebody_once_and_what_happens_to_their_row(web, page):  # noqa: F811
    _, two, _ = three(web, page)
    page.locator(two).focus()
    told = page.locator("#board-news")

    change(web, 0, recording="doubt")
    change(web, 3, recording="doubt")
    change(web, 2, line="held")
    for row in (ROW, two):
        expect(page.locator(row)).to_have_class(re.compile("is-held|in-problems"))
    expect(page.locator("[data-count=problems]")).to_have_text("2")
    page.clock.run_for(5000)

    expect(told).to_have_text(re.compile(r"^2 calls need you\. \+1 [\d ]+: On hold$"))


def test_the_view_changes_at_once_and_is_there_again(web, page):  # noqa: F811
    three(web, page)
    height = "document.querySelector('#board-rows > tr').getBoundingClientRect().height"
    assert page.evaluate(height) == pytest.approx(41, abs=1)  # with its line

    page.locator("#view > summary").click()
    with page.expect_response("**/view/"):
        page.get_by_label("Comfortable").check()
    with page.expect_response("**/view/"):
        page.get_by_label("Sound", exact=True).uncheck()

    assert page.evaluate(height) == pytest.approx(53, abs=1)
    expect(page.locator("td.call-sound").first).to_be_hidden()
    page.reload()
    assert page.evaluate(height) == pytest.approx(53, abs=1)
    expect(page.locator("td.call-sound").first).to_be_hidden()


def test_five_hundred_rows_take_news_in_a_fraction_of_a_frame(web, page):  # noqa: F811
    three(web, page)
    took = page.evaluate(
        """([many, each, frames]) => {
          const place = document.getElementById('board-rows');
          const source = place.firstElementChild.outerHTML;
          const id = place.firstElementChild.id;
          const row = (number, version, line) => source.replaceAll(id, `row-${number}`)
            .replace(/data-version="\\d+"/, `data-version="${version}"`)
            .replace(/data-order="\\d+"/, `data-order="${number}"`)
            .replaceAll('Answered', line).replace('is-answered', `is-${line.toLowerCase()}`);
          const { on } = window.tapeline.board;
          const rows = (length, make) => Array.from({ length }, (_, at) => make(at)).join('');
          on.board(rows(many, (number) => row(number, 1, 'Answered')));
          place.getBoundingClientRect();
          return Array.from({ length: frames }, (_, frame) => {
            const line = frame % 2 ? 'Answered' : 'Held';
            const news = rows(each, (at) => row((frame * each + at) % many, frame + 2, line));
            const start = performance.now();
            on.rows(news);
            place.getBoundingClientRect();
            return performance.now() - start;
          });
        }""",
        [500, 50, 20],
    )
    assert page.locator("#board-rows > tr").count() >= 500
    assert sorted(took)[len(took) // 2] < 100


def test_the_board_says_when_nothing_is_live(web, page):  # noqa: F811
    web.execute("UPDATE calls_call SET line = 'unknown'")
    page.goto(address(web))
    is_live(page)
    expect(page.locator("#empty")).to_be_visible()

    change(web, 0, line="answered")

    expect(page.locator(ROW)).to_be_visible()
    expect(page.locator("#empty")).to_be_hidden()
    wait_for(lambda: order(page) == [ROW])
