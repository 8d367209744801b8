"""The library in a real browser: ticking, filters without a reload, news, small screens."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.test_asgi import Web

pytestmark = in_a_browser
MINUTE_OF_PLACE = 60_000 << 20


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    web = Web(tmp_path_factory.mktemp("library"))
    web.start()
    for number in range(1, 30):
        copy(web, number)
    yield web
    web.stop()


def copy(web, minutes_ago, **changes):
    """Copy the desk's recording as one that began some minutes before it."""
    (columns,) = zip(
        *web.execute("SELECT name FROM pragma_table_info('recordings_recording')"), strict=True
    )
    new = {
        "id": f"'{uuid.uuid4().hex}'",
        "recording_id": f"'{uuid.uuid4()}'",
        "started_at": f"datetime(started_at, '{-minutes_ago:+d} minutes')",
        "place": f"place - {minutes_ago * MINUTE_OF_PLACE}",
        "flagged": str(minutes_ago % 2),
    } | changes
    values = ", ".join(new.get(column, f'"{column}"') for column in columns)
    web.execute(
        f"INSERT INTO recordings_recording SELECT {values} FROM recordings_recording"
        " WHERE recording_id = 'r'"
    )


@pytest.fixture
def page(web, chromium):
    """A signed-in browser; it must not print a word to the console."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{web.port}")
    context.add_cookies([{"name": "sessionid", "value": web.session, "url": context_url(web)}])
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text))
    yield page
    context.close()
    assert complaints == []


def context_url(web):
    return f"http://127.0.0.1:{web.port}"


def test_rows_are_ticked_one_by_one_by_span_and_all(page):
    page.goto("/recordings/")
    boxes, told = page.locator('[name="recording"]'), page.locator("#bulk-count")
    expect(told).to_have_text("Nothing selected")
    boxes.nth(2).check()
    expect(told).to_have_text("1 selected")
    boxes.nth(6).click(modifiers=["Shift"])
    expect(told).to_have_text("5 selected")
    page.get_by_label("Select all on this page").check()
    expect(told).to_have_text("30 selected")
    page.locator('[name="all"]').check()
    expect(told).to_have_text("All selected")


def test_enter_in_the_tag_field_tags_what_was_ticked_with_keys_alone(page):
    page.goto("/recordings/")
    page.locator('[name="recording"]').first.focus()
    page.keyboard.press("Space")
    page.locator("#bulk-tag").focus()
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    expect(page.locator(".alert")).to_have_text("Tagged “refund”: 1 recording.")
    expect(page.locator(".library .tag")).to_have_text(["refund"])


def test_filters_work_in_place_and_the_address_follows(page):
    page.goto("/recordings/?q=")
    page.locator("summary", has_text="More filters").click()
    page.get_by_label("Flagged").select_option("yes")
    expect(page).to_have_url("/recordings/?flagged=yes")
    expect(page.locator(".found p")).to_have_text("15 recordings")
    expect(page.locator(".more-filters")).to_have_attribute("open", "")
    page.reload()
    expect(page.locator(".found p")).to_have_text("15 recordings")
    expect(page.locator(".more-filters")).to_have_attribute("open", "")
    page.get_by_title("Remove this filter").click()
    expect(page).to_have_url("/recordings/?q=")


def test_news_are_told_and_the_list_stays_as_it_is(page, web):
    page.clock.install()
    page.goto("/recordings/?q=")
    first = page.locator(".library tbody tr").first.inner_text()
    now = datetime.now(UTC) + timedelta(seconds=2)
    copy(web, -5, announced_at=f"'{now:%Y-%m-%d %H:%M:%S.%f}'")
    try:
        page.clock.run_for(11_000)
        pill = page.locator("#news a")
        expect(pill).to_have_text("1 new")
        assert page.locator(".library tbody tr").first.inner_text() == first
        pill.click()
        expect(page.locator(".found p")).to_have_text("31 recordings")
        expect(page.locator("#news a")).to_have_count(0)
    finally:
        web.execute(
            "DELETE FROM recordings_recording WHERE place > (SELECT place FROM"
            " recordings_recording WHERE recording_id = 'r')"
        )


def test_a_hidden_tab_asks_for_nothing(page):
    page.clock.install()
    page.goto("/recordings/?q=")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []


def test_a_menu_closes_by_escape_and_gives_the_focus_back(page):
    page.goto("/recordings/?flagged=yes")
    summary = page.locator("summary", has_text="Save this view")
    summary.press("Enter")
    name = page.get_by_label("Name")
    expect(name).to_be_visible()
    name.focus()
    page.keyboard.press("Escape")
    expect(name).to_be_hidden()
    expect(summary).to_be_focused()


@pytest.mark.parametrize("path", ["?flagged=yes", "views/", "exports/"])
def test_nothing_is_wider_than_the_screen(page, path):
    widths = {}
    for width in (320, 360, 640, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"/recordings/{path}")
        widths[width] = page.evaluate("document.documentElement.scrollWidth")
    assert {screen: wide for screen, wide in widths.items() if wide > screen} == {}


def test_without_script_the_form_filters_and_ticks_tag(chromium, web):
    context = chromium.new_context(base_url=context_url(web), java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": web.session, "url": context_url(web)}])
    page = context.new_page()
    page.goto("/recordings/?q=")
    page.locator("summary", has_text="More filters").click()
    page.get_by_label("Flagged").select_option("yes")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".found p")).to_have_text("15 recordings")
    page.locator('[name="recording"]').first.check()
    page.locator("#bulk-tag").fill("slow")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator(".alert")).to_have_text("Tagged “slow”: 1 recording.")
    expect(page.locator(".found p")).to_have_text("15 recordings")
    context.close()
