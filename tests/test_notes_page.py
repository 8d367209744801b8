"""The notes in a real browser: keys, pins, what others write, and a half-written text."""

import json
import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.test_asgi import Web

pytestmark = in_a_browser
LOOK_MS = 15_500
# What the notes may use of the player, without a file to play.
PLAYER = """() => {
  const player = document.querySelector('recording-player');
  player.at = 65.23;
  Object.defineProperty(player, 'time', {get: () => player.at, configurable: true});
  Object.defineProperty(player, 'span', {get: () => player.loop ?? null, configurable: true});
  player.setPins = pins => { player.pins = pins; };
  const detail = {seconds: player.at};
  player.dispatchEvent(new CustomEvent('tapeline:time', {bubbles: true, detail}));
}"""
PINS = "() => document.querySelector('recording-player').pins"


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    web = Web(tmp_path_factory.mktemp("notes"))
    web.execute("UPDATE recordings_recording SET duration_ms = 120000")
    web.start()
    yield web
    web.stop()


@pytest.fixture
def page(web, chromium):
    """A signed-in reader of a recording without notes; the page must not complain."""
    for table in ("comment", "tagging", "review"):
        web.execute(f"DELETE FROM recordings_{table}")
    web.execute("UPDATE recordings_recording SET flagged = 0, reviewed = 0")
    context = chromium.new_context()
    address = f"http://127.0.0.1:{web.port}"
    context.add_cookies([{"name": "sessionid", "value": web.session, "url": address}])
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text))
    page.clock.install()
    page.goto(f"{address}/recordings/{web.recording}/")
    page.evaluate(PLAYER)
    yield page
    context.close()
    assert [it for it in complaints if not re.search("status of (404|409|422)", it)] == []


def write(page, text, at=None):
    page.get_by_label("Comment", exact=False).first.fill(text)
    if at is not None:
        page.get_by_label("Moment or span").fill(at)
    page.locator("#comment-save").click()


def somebody_writes(web, text="From elsewhere."):
    """Add a comment as another process does."""
    web.execute(
        "INSERT INTO recordings_comment (id, recording_id, name, text, start_ms, written_at,"
        " resolved_by) VALUES (?, ?, 'Lee', ?, 1000, '2026-03-02 12:00:00', '')",
        uuid.uuid4().hex,
        uuid.UUID(web.recording).hex,
        text,
    )
    web.execute("UPDATE recordings_recording SET version = version + 1")


def test_a_comment_at_the_playhead_is_saved_told_pinned_and_in_focus(page):
    page.get_by_role("button", name="At 1:05").click()
    expect(page.locator("#comment-text")).to_be_focused()
    expect(page.locator("#comment-at")).to_have_value("1:05.2")
    write(page, "Here.")

    expect(page.locator("#announce")).to_have_text("Comment saved.")
    comment = page.locator(".comment")
    expect(comment).to_contain_text("Here.")
    expect(comment).to_be_focused()
    expect(page.locator("#comment-text")).to_have_value("")
    [pin] = page.evaluate(PINS)
    assert (pin["start"], pin["end"], pin["label"]) == (65.2, None, "sam: Here.")
    assert comment.get_attribute("id") == f"comment-{pin['id']}"


def test_the_keys_comment_flag_and_review(page):
    page.locator("#main").focus()
    page.keyboard.press("r")
    expect(page.locator("#reviewed")).to_contain_text("Reviewed by sam")
    page.keyboard.press("f")
    expect(page.locator("#flag-kind")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("#main").focus()
    page.keyboard.press("c")
    expect(page.locator("#comment-at")).to_have_value("1:05.2")
    page.keyboard.type("crf")
    expect(page.locator("#comment-text")).to_have_value("crf")
    expect(page.locator("#reviewed")).to_contain_text("Reviewed by sam")
    page.evaluate("document.querySelector('recording-player').at = 99")
    page.locator("#main").focus()
    page.keyboard.press("c")
    expect(page.locator("#comment-at")).to_have_value("1:05.2")  # half written already


def test_the_span_of_the_loop_is_a_press_away(page):
    page.evaluate("document.querySelector('recording-player').loop = [65, 80.55]")
    page.evaluate(
        "document.querySelector('recording-player').dispatchEvent("
        "new CustomEvent('tapeline:time', {bubbles: true, detail: {seconds: 65}}))"
    )
    page.get_by_role("button", name="Loop 1:05\u20131:20").click()
    expect(page.locator("#comment-at")).to_have_value("1:05-1:20.5")
    write(page, "All of this.")
    expect(page.locator(".comment")).to_contain_text("1:05\u20131:20")
    assert page.evaluate(PINS)[0]["end"] == 80.5


def test_a_pin_leads_to_its_comment(page):
    write(page, "Here.", at="0:10")
    expect(page.locator(".comment")).to_be_focused()
    page.locator("#main").focus()
    pin = page.evaluate(PINS)[0]["id"]
    page.evaluate(
        "id => document.querySelector('recording-player').dispatchEvent("
        "new CustomEvent('tapeline:pin', {detail: {id}}))",
        pin,
    )
    expect(page.locator(f"#comment-{pin}")).to_be_focused()


def test_what_others_write_appears_and_takes_no_half_written_answer_along(page, web):
    write(page, "A question?")
    page.locator(".thread summary", has_text="Answer").click()
    answer = page.locator(".thread", has_text="A question?").locator("textarea[id^=answer]")
    answer.fill("Half an ans")
    answer.press("Home")
    somebody_writes(web)

    page.clock.run_for(LOOK_MS)
    expect(page.locator(".comment")).to_have_count(1)  # somebody is typing
    page.locator("#main").focus()
    page.clock.run_for(LOOK_MS)

    expect(page.locator(".comment")).to_have_count(2)
    expect(page.get_by_text("From elsewhere.")).to_be_visible()
    expect(answer).to_have_value("Half an ans")
    expect(answer).to_be_visible()
    assert len(page.evaluate(PINS)) == 1


def test_another_press_in_the_section_takes_no_half_written_comment_along(page):
    write(page, "A question?")
    expect(page.locator(".comment")).to_have_count(1)
    press = page.locator("#comment-press").input_value()
    page.locator("#comment-text").fill("Half a com")
    page.locator("#comment-at").fill("0:30")
    page.get_by_role("button", name="Mark as reviewed").click()

    expect(page.get_by_role("button", name="Take back")).to_be_focused()
    expect(page.locator("#comment-text")).to_have_value("Half a com")
    expect(page.locator("#comment-at")).to_have_value("0:30")
    expect(page.locator("#comment-press")).to_have_value(press)


def test_a_page_nobody_looks_at_asks_for_nothing(page, web):
    write(page, "One.")
    expect(page.locator(".comment")).to_have_count(1)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    somebody_writes(web)
    page.clock.run_for(4 * LOOK_MS)
    assert [address for address in asked if "/notes" in address] == []
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: false, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(page.locator(".comment")).to_have_count(2)


def test_a_wrong_moment_is_marked_in_focus_and_can_be_mended(page):
    write(page, "A long thought.", at="soon")
    expect(page.locator("#comment-at")).to_be_focused()
    expect(page.locator("#comment-at_errors")).to_contain_text("is no time")
    expect(page.locator("#comment-text")).to_have_value("A long thought.")
    page.locator("#comment-at").fill("0:05")
    page.locator("#comment-save").click()
    expect(page.locator(".comment")).to_contain_text("A long thought.")


def test_an_answer_an_edit_and_a_deletion_in_place(page):
    write(page, "A question?")
    page.locator(".thread summary", has_text="Answer").click()
    page.locator("textarea[id^=answer]").fill("An answer.")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(".answers .comment")).to_be_focused()
    expect(page.locator("textarea[id^=answer]")).to_be_hidden()
    page.locator(".answers summary", has_text="Edit").click()
    page.locator(".answers textarea").fill("A better answer.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".answers .comment-text")).to_have_text("A better answer.")
    expect(page.locator(".answers")).to_contain_text("edited")
    page.locator(".thread > .comment summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator(".thread")).to_contain_text("Deleted by its author.")
    expect(page.locator(".answers .comment-text")).to_have_text("A better answer.")


def test_the_list_narrows_down_and_the_address_says_so(page):
    write(page, "A question?")
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("button", name="Reopen")).to_be_focused()
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.get_by_text("Every thread is resolved.")).to_be_visible()
    assert page.url.endswith("/?comments=open")
    page.reload()
    expect(page.get_by_text("Every thread is resolved.")).to_be_visible()


def test_tags_come_and_go_and_the_field_keeps_the_focus(page):
    field = page.get_by_label("Tag", exact=True)
    for name in ("refund", "vip"):
        field.fill(name)
        field.press("Enter")
        expect(page.locator("#tags")).to_contain_text(name)
        expect(field).to_be_focused()
    page.get_by_role("button", name="Remove the tag refund").click()
    expect(page.locator("#tags")).not_to_contain_text("refund")
    expect(field).to_be_focused()


def test_a_flag_is_asked_for_its_reason(page):
    page.locator("#flag-ask summary").click()
    page.get_by_label("Reason").select_option("Other")
    page.locator("#flag-save").click()
    expect(page.locator("#flag-words")).to_be_focused()
    page.locator("#flag-words").fill("Listen to the end.")
    page.locator("#flag-save").click()
    expect(page.locator("#flag")).to_contain_text("Other: Listen to the end.")
    page.get_by_role("button", name="Remove the flag").click()
    expect(page.locator("#flag")).to_contain_text("Not flagged.")


def test_a_link_to_a_comment_leads_to_it(page):
    write(page, "Here.")
    href = page.locator(".comment-head a").get_attribute("href")
    page.goto(page.url.split("#")[0] + href)
    expect(page.locator(".comment:target")).to_contain_text("Here.")
    assert json.dumps(href).startswith('"#comment-')
