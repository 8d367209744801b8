"""A whole review with keys alone: sign in, find what was said, hear it, judge it, write it down.

No mouse: the page is driven by what a keyboard sends, and each step is reached by Tab or a key.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import until
from tests.review_story import Story

pytestmark = in_a_browser
MOST_TABS = 60
HEARD = "I never asked for express delivery."


@pytest.fixture(scope="module")
def story(desk):
    """Two calls of one customer, the second with a transcript."""
    desk.lever("POST", "settings", {"saved_delay_s": 0.2, "transcript_delay_s": 0.2})
    for text in ("Hello, is anybody there?", HEARD):
        story = Story(desk, number="+13125550143")
        story.press("record_start", format="wav", channels="dual", transcription="on")
        story.say("Good morning, this is Dana.", "agent")
        story.say(text)
        story.say("I will take it off the invoice.", "agent")
        story.press("hangup")
        story.recordings = story.stored(1)
    return story


@pytest.fixture
def page(desk, story, chromium):
    context, complaints = chromium.new_context(base_url=desk.web), []
    page = context.new_page()
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def tab_to(page, selector, *, back=False):
    """Press Tab until an element has the focus: what cannot be reached so fails."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached within {MOST_TABS} tabs")


def player(page, what):
    return page.evaluate(f"document.getElementById('player').{what}")


def test_a_review_needs_no_mouse(page, desk):
    keys = page.keyboard

    # sign in
    page.goto("/")
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "[name=username]")
    keys.type("lee")
    keys.press("Tab")
    keys.type(desk.people["lee"])
    keys.press("Enter")
    expect(page.locator("#board")).to_be_attached()

    # find what was said
    tab_to(page, "nav[aria-label=Main] a[href='/recordings/']")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
    tab_to(page, "#filter-q")
    keys.type('"express delivery"')
    keys.press("Enter")
    expect(page.locator(".library-said mark")).to_have_text("express delivery")
    expect(page.locator(".library tbody tr")).to_have_count(1)
    tab_to(page, "a.library-said")
    keys.press("Enter")
    page.wait_for_selector("recording-player.has-facts", state="attached")

    # the words are timed by now, or will be in a moment
    turn = page.locator(".turns li", has_text=HEARD)
    expect(turn.locator("button[data-at]")).to_be_enabled(timeout=60_000)

    # hear it
    page.evaluate("document.activeElement.blur()")
    keys.press("Home")
    keys.press("Space")
    until(lambda: player(page, "time") > 0.3, within_s=10, what="sound")
    keys.press("k")
    assert player(page, "paused")
    keys.press("5")
    assert player(page, "time") == pytest.approx(player(page, "duration") / 2, abs=0.1)
    keys.press("[")
    keys.press("ArrowRight")
    keys.press("]")
    assert player(page, "span") is not None
    keys.press("\\")
    assert player(page, "span") is None
    keys.press(">")
    assert page.evaluate("document.querySelector('audio').playbackRate") == 1.25
    keys.press("<")

    # read it, find in it, correct it
    keys.press("/")
    keys.type("invoice")
    keys.press("Enter")
    expect(page.locator("#said-count")).to_have_text(re.compile("1 of 1"))
    keys.press("Escape")
    tab_to(page, ".turns li button[data-at]")
    keys.press("Enter")
    until(lambda: not player(page, "paused"), within_s=5, what="sound")
    page.evaluate("document.activeElement.blur()")
    keys.press("Space")

    # judge it and write it down
    keys.press("c")
    keys.type("We promised a credit here.")
    tab_to(page, "#comment-save")
    keys.press("Enter")
    expect(page.locator(".comment-text")).to_have_text("We promised a credit here.")
    page.evaluate("document.activeElement.blur()")
    keys.press("r")
    expect(page.locator("#reviewed")).to_contain_text("Reviewed")
    page.evaluate("document.activeElement.blur()")
    keys.press("f")
    tab_to(page, "#flag-ask form button")
    keys.press("Enter")
    expect(page.locator("#flag")).to_contain_text("Flagged")
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "#notes [name=name]")
    keys.type("promise")
    keys.press("Enter")
    expect(page.locator("#notes .note-tag")).to_contain_text("promise")

    # help, and back to the list
    page.evaluate("document.activeElement.blur()")
    keys.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    keys.press("Escape")
    expect(page.locator("#keys-help")).to_be_hidden()
    page.goto("/recordings/")
    expect(page.locator(".library tbody tr").first).to_contain_text("Flagged")
    tab_to(page, ".library-time a")
    keys.press("Enter")
    page.wait_for_selector("recording-player.has-facts", state="attached")
    here = page.url.partition("?")[0]
    keys.press("n")
    page.wait_for_url(lambda url: not url.startswith(here))
    page.wait_for_selector("recording-player.has-facts", state="attached")
    keys.press("b")
    page.wait_for_url(lambda url: url.startswith(here))
