"""The page of a recording in a real browser, on a conversation that was really recorded.

Keys, loop, mute, links, resume, one source at a time, without JavaScript, and its end.
"""

import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import until
from tests.review_story import tell

pytestmark = in_a_browser
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def story(desk):
    desk.lever("POST", "settings", {"saved_delay_s": 0.3})
    return tell(desk)


@pytest.fixture
def open_page(desk, story, chromium):
    """Open the page of one of the story's recordings; nothing may complain on it."""
    contexts, complaints = [], []

    def open_page(number=0, query="", *, context=None, forgive=None, before=None, **how):
        if context is None:
            context = chromium.new_context(base_url=desk.web, **how)
            context.add_cookies(desk.cookies("sam"))
            contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: line.text == forgive or complaints.append(line.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if before:
            before(page)
        page.goto(f"/recordings/{story.recordings[number]}/{query}")
        if how.get("java_script_enabled", True):
            page.wait_for_selector("recording-player.has-facts", state="attached")
            page.wait_for_selector(".wave-area:not(.is-loading)")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def now(page):
    return page.evaluate("document.getElementById('player').time")


def ask(page, what):
    return page.evaluate(f"document.getElementById('player').{what}")


def plays(page):
    until(lambda: not ask(page, "paused") and now(page) > 0, within_s=5, what="sound")


def near(page, seconds):
    assert now(page) == pytest.approx(seconds, abs=0.05)


def test_keys_play_move_and_change_the_speed(open_page):
    page = open_page()
    keys = page.keyboard
    keys.press("Space")
    plays(page)
    keys.press("k")
    assert ask(page, "paused")
    length = ask(page, "duration")
    for key, wanted in [
        ("Home", 0),
        ("ArrowRight", 5),
        ("l", 15 if length > 15 else length),
        ("j", (15 if length > 15 else length) - 10),
        ("ArrowLeft", max(0, (15 if length > 15 else length) - 15)),
        ("5", length / 2),
        ("0", 0),
        ("End", length),
        ("Home", 0),
    ]:
        keys.press(key)
        near(page, wanted)
    keys.press(">")
    keys.press(">")
    assert page.evaluate("document.querySelector('audio').playbackRate") == 1.5
    assert page.evaluate("document.querySelector('audio').preservesPitch")
    page.reload()
    expect(page.locator("[data-speed]")).to_have_value("1.5")  # remembered
    keys.press("<")
    assert page.evaluate("document.querySelector('audio').playbackRate") == 1.25


def test_p_visits_every_event_and_tells_it(open_page):
    page = open_page()
    told = []
    for _ in range(3):
        page.keyboard.press("p")
        told.append(page.locator("[data-mark-told]").inner_text())
    assert "Text spoken into the call" in told[0]
    assert any("Recording paused by" in text for text in told)
    assert page.locator(".mark.is-pause").count() == 1
    assert page.locator(".wave-strip .is-overlap").get_attribute("d")


def test_the_help_lists_every_key_and_can_turn_them_off(open_page):
    page = open_page()
    page.keyboard.press("?")
    dialog = page.locator("#keys-help")
    expect(dialog).to_contain_text("Play or pause")
    expect(dialog).to_contain_text("Loop from here")
    dialog.get_by_label(re.compile("Keys act")).uncheck()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    page.keyboard.press("ArrowRight")
    near(page, 0)
    page.get_by_role("button", name="Keys").click()
    dialog.get_by_label(re.compile("Keys act")).check()
    dialog.get_by_role("button", name="Close").click()
    page.keyboard.press("ArrowRight")
    near(page, 5)


def test_keys_are_letters_where_somebody_writes(open_page):
    page = open_page()
    page.locator("#delete summary").click()
    page.get_by_label("In your words").fill("")
    page.get_by_label("In your words").press_sequentially("k5l ?")
    expect(page.get_by_label("In your words")).to_have_value("k5l ?")
    near(page, 0)
    assert ask(page, "paused")
    expect(page.locator("#keys-help")).to_have_count(0)


def test_a_loop_is_played_again_and_again(open_page):
    page = open_page()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("[")
    page.evaluate("document.getElementById('player').seek(5.6)")
    page.keyboard.press("]")
    assert ask(page, "span") == [5, 5.6]
    page.evaluate(
        """window.back = 0; window.most = 0; let last = 0;
        document.addEventListener('tapeline:time', ({ detail }) => {
          if (detail.seconds < last) window.back += 1;
          window.most = Math.max(window.most, last = detail.seconds);
        })"""
    )
    page.keyboard.press("Space")
    until(lambda: page.evaluate("window.back") >= 3, within_s=10, what="the loop's third round")
    assert page.evaluate("window.most") < 6
    page.keyboard.press("\\")
    assert ask(page, "span") is None
    until(lambda: now(page) > 6.2, within_s=5, what="what follows the loop")


def test_a_side_can_be_silenced_and_the_other_is_heard_in_both_ears(open_page):
    page = open_page()
    gains = (
        "[...document.getElementById('player').channels.gains].map(e => e.map(g => g.gain.value))"
    )
    assert not page.evaluate("Boolean(document.getElementById('player').channels.context)")
    page.get_by_role("button", name="Mute customer").click()
    assert page.evaluate(gains) == [[0, 0], [1, 1]]  # the customer's is the file's first channel
    page.keyboard.press("k")
    plays(page)
    page.get_by_role("button", name="Mute customer").click()
    page.get_by_label("Volume of the agent").fill("0.5")
    assert page.evaluate(gains) == [[1, 0], [0, 0.5]]
    assert page.evaluate("document.getElementById('player').channels.context.state") == "running"


def test_silence_is_skipped_when_asked_for(open_page):
    page = open_page()
    silences = page.evaluate("document.getElementById('player').timeline.silences")
    (start, stop) = max(silences, key=lambda span: span[1] - span[0])
    assert stop - start > 2
    page.keyboard.press("s")
    expect(page.locator("[data-skip]")).to_be_checked()
    page.evaluate(
        """([from, to]) => {
          window.inside = 0;
          document.addEventListener('tapeline:time', ({ detail: { seconds } }) => {
            if (seconds > from && seconds < to) window.inside += 1;
          });
        }""",
        [start + 0.8, stop - 0.4],
    )
    page.evaluate(f"document.getElementById('player').seek({start - 0.3}, true)")
    until(lambda: now(page) > stop, within_s=3, what="the end of the silence")
    assert page.evaluate("window.inside") == 0


def test_a_link_to_a_moment_opens_there_and_waits(open_page, desk, story):
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("document.getElementById('player').seek(7.5)")
    page.get_by_role("button", name="Copy link").click()
    until(lambda: page.evaluate("navigator.clipboard.readText()"), within_s=5, what="the link")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{desk.web}/recordings/{story.recordings[0]}/?t=7.5"
    for query, seconds in ((f"?{link.partition('?')[2]}", 7.5), ("?t=0:09", 9), ("#t=0:03", 3)):
        other = open_page(0, query)
        near(other, seconds)
        assert ask(other, "paused")
        other.keyboard.press("k")
        until(lambda tab=other, at=seconds: now(tab) > at + 0.2, within_s=5, what="sound")
        assert now(other) < seconds + 5


def test_an_odd_time_in_the_address_is_named(open_page):
    page = open_page(0, "?t=soon")
    expect(page.get_by_role("alert")).to_contain_text("t is “soon”, which is no time like 754.2")
    near(page, 0)


def test_who_comes_back_may_go_on_where_he_stopped(open_page):
    page = open_page()
    page.evaluate("document.getElementById('player').seek(6)")
    with page.expect_response(re.compile("/position")) as answer:
        page.keyboard.press("Space")
        until(lambda: now(page) > 6.3, within_s=5, what="sound")
        page.keyboard.press("Space")
    assert answer.value.status == 204
    again = open_page(context=page.context)
    near(again, 0)
    again.get_by_role("button", name="Resume at 0:06").click()
    until(lambda: now(again) > 6.2, within_s=5, what="the old place")
    expect(again.get_by_role("button", name="Resume at")).to_have_count(0)


def test_one_tab_at_a_time_is_heard(open_page):
    first = open_page()
    first.keyboard.press("k")
    plays(first)
    second = open_page(1, context=first.context)
    second.keyboard.press("k")
    until(lambda: ask(first, "paused"), within_s=5, what="silence in the first tab")
    expect(first.get_by_role("alert")).to_contain_text("another tab plays")


def test_the_end_offers_the_next_recording_of_the_conversation(open_page, story):
    page = open_page()
    after = page.get_by_role("link", name="Next recording of this conversation")
    expect(after).not_to_be_visible()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.evaluate(f"document.getElementById('player').seek({ask(page, 'duration') - 0.4}, true)")
    expect(after).to_be_visible(timeout=5_000)
    after.click()
    page.wait_for_url(f"**/{story.recordings[1]}/")


def test_n_and_b_walk_through_the_results(open_page, story):
    page = open_page(0, "?list=number%3D0142")
    page.keyboard.press("b")
    page.wait_for_url(f"**/{story.recordings[1]}/?list=number%3D0142")
    page.wait_for_selector("recording-player.has-facts", state="attached")
    page.keyboard.press("n")
    page.wait_for_url(f"**/{story.recordings[0]}/?list=number%3D0142")


def test_zoom_brings_what_is_heard_closer_and_follows_it(open_page):
    page = open_page()
    page.evaluate("document.getElementById('player').seek(7)")
    window = page.locator(".wave-scroll")
    with page.expect_response(re.compile(r"/peaks\?pixels=")):
        page.keyboard.press("+")
    page.get_by_role("button", name="Zoom in").click()
    wide, shown = window.evaluate("it => [it.scrollWidth, it.clientWidth]")
    assert wide == pytest.approx(4 * shown, rel=0.01)
    assert window.evaluate("it => it.scrollLeft") > 0
    page.evaluate("document.getElementById('player').seek(1)")
    assert window.evaluate("it => it.scrollLeft") == 0  # it follows
    page.locator(".mark.is-pause").click()
    assert 5 < now(page) < 8
    page.keyboard.press("-")
    page.keyboard.press("-")
    expect(page.get_by_role("button", name="Zoom out")).to_be_disabled()
    assert window.evaluate("it => it.scrollWidth == it.clientWidth")


def test_pins_of_notes_are_drawn_and_can_be_pressed(open_page):
    page = open_page()
    page.evaluate(
        """window.pressed = [];
        document.addEventListener('tapeline:pin', ({ detail }) => window.pressed.push(detail.id));
        document.getElementById('player').setPins([
          { id: 'n1', start: 4, end: null, label: 'Listen' },
          { id: 'n2', start: 8, end: 10, label: 'And here' },
        ])"""
    )
    page.locator(".pin").nth(1).click()
    assert page.evaluate("window.pressed") == ["n2"]
    near(page, 8)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740), (640, 400)])
def test_nothing_jumps_and_nothing_sticks_out(open_page, width, height):
    """640 x 400 is a window of 1280 x 800 at 200 %."""

    def watch(page):
        page.add_init_script(SHIFTS)
        line = page.context.new_cdp_session(page)
        line.send("Emulation.setCPUThrottlingRate", {"rate": 4})  # to see what comes late

    page = open_page(viewport={"width": width, "height": height}, before=watch)
    page.wait_for_timeout(300)  # for shifts that would come late
    assert page.evaluate("window.shifted") < 0.02
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("scrollTo(0, 600)")
    stays = page.evaluate("document.querySelector('.deck').getBoundingClientRect().top") == 0
    assert stays is (height > 544)


def test_a_file_that_is_gone_is_explained_in_place(open_page, desk):
    not_found = "Failed to load resource: the server responded with a status of 404 (Not Found)"
    page = open_page(forgive=not_found)
    page.route("**/audio?*", lambda route: route.fulfill(status=404, body="gone"))
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Reload this page to see why")
    page.unroute("**/audio?*")
    page.get_by_role("button", name="Play", exact=True).click()
    plays(page)
    expect(page.locator(".trouble")).not_to_be_visible()


def test_without_javascript_the_browsers_own_player_is_there(open_page):
    page = open_page(java_script_enabled=False)
    expect(page.locator("audio[controls]")).to_be_visible()
    expect(page.get_by_role("button", name="Copy link")).not_to_be_visible()
    expect(page.locator(".wave")).not_to_be_visible()
    expect(page.locator("#timeline")).to_contain_text("Recording paused by")


def test_a_deleted_recording_leaves_its_tombstone(open_page, desk, story):
    def files():
        return {path.name for path in (desk.data / "media").rglob("*.wav")}

    page, before = open_page(1), files()
    (((gone),),) = desk.rows(
        "SELECT path FROM recordings_recording WHERE id = ?", uuid.UUID(story.recordings[1]).hex
    )
    page.locator("#delete summary").click()
    page.get_by_label("Why").select_option("Test call")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("#media")).to_contain_text("Telnyx deleted its copy", timeout=10_000)
    expect(page.locator("#media")).to_contain_text("Our file erased")
    expect(page.locator("audio")).to_have_count(0)
    assert files() == before - {Path(gone).name} != before
