"""The transcript in a real browser: words are heard, marked and found; the list yields."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import until
from tests.test_asgi import BASE, Web

pytestmark = in_a_browser
TALK = """
import django, sys
django.setup()
from calls.models import Call
from recordings.models import Transcript
from tests.said import make, row, timed
from tests.store import wav
from tests.browser import in_a_browser
from recordings import storage

def spoken(number, text, at_ms):
    words = [[word, at_ms + 500 * n, at_ms + 500 * n + 400] for n, word in enumerate(text.split())]
    return row(text, at_ms, words[-1][2], words=words, channel=number % 2)

count = int(sys.argv[1])
recording = make(duration_ms=count * 3000)
recording.path = f"{recording.sha256[:2]}/{recording.sha256}.wav"
path = storage.local_path(recording.path)
path.parent.mkdir(parents=True, exist_ok=True)
path.write_bytes(wav(count * 3))
lines = [spoken(n, f"This is sentence number {n}.", n * 3000) for n in range(count)]
lines[3] = spoken(3, "I want a refund please.", 9000)
lines[count - 2] = spoken(0, "The refund is on its way.", (count - 2) * 3000)
lines.insert(4, row("Mumble mumble."))
timed(recording, *lines)
print(recording.pk)
"""
TIME = "document.querySelector('audio').currentTime"
MARKED = "[...(CSS.highlights.get('tapeline-%s') || [])].map((range) => range.toString())"


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    web = Web(tmp_path_factory.mktemp("said"))
    web.start()
    yield web
    web.stop()


def talk(web, count):
    """Return a recording of so many sentences, three seconds each."""
    made = subprocess.run(
        [sys.executable, "-c", TALK, str(count)],
        env=web.environment,
        cwd=BASE,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.split()[-1]


@pytest.fixture(scope="module")
def recording(web):
    return talk(web, 40)


@pytest.fixture
def page(web, chromium):
    """A signed-in page; it must not print a word to the console."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{web.port}")
    context.add_cookies(
        [{"name": "sessionid", "value": web.session, "url": f"http://127.0.0.1:{web.port}"}]
    )
    page = context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


def visit(page, recording, query=""):
    page.goto(f"/recordings/{recording}/{query}")
    expect(page.locator(".said-tools")).to_be_visible()
    return page


def press_word(page, row, word):
    """Press the middle of a word of a row."""
    words = page.locator(".turn .words").nth(row)
    at = words.evaluate(
        """(element, word) => {
          const node = element.firstChild;
          const range = new Range();
          range.setStart(node, node.data.indexOf(word));
          range.setEnd(node, node.data.indexOf(word) + word.length);
          const [box, all] = [range.getBoundingClientRect(), element.getBoundingClientRect()];
          return {x: box.x - all.x + box.width / 2, y: box.y - all.y + box.height / 2};
        }""",
        word,
    )
    words.click(position=at)


def wait(page, script):
    """Wait until an expression holds; wait_for_function would need eval, which our CSP forbids."""
    return until(lambda: page.evaluate(script), within_s=10, what=script)


def is_in_view(page, row):
    return page.evaluate(
        """(row) => {
          const list = document.querySelector(".turns").getBoundingClientRect();
          const {top, bottom} = document.querySelectorAll(".turn")[row].getBoundingClientRect();
          return top >= list.top - 1 && bottom <= list.bottom + 1;
        }""",
        row,
    )


def test_a_word_pressed_is_heard_from_just_before_it_and_marked(page, recording):
    visit(page, recording)
    press_word(page, 3, "refund")
    wait(page, f"{TIME} > 10.2 && {TIME} < 14")  # it is said at 10.5 s
    assert page.locator(".turn.is-now .words").inner_text() == "I want a refund please."
    wait(page, f"{MARKED % 'word'}[0] === 'refund'")
    assert page.locator(".turn[aria-current=true]").count() == 1
    assert page.evaluate("document.querySelectorAll('.words *').length") == 0


def test_a_sentence_that_was_not_found_seeks_nowhere(page, recording):
    visit(page, recording)
    press_word(page, 4, "mumble")
    page.wait_for_timeout(200)
    assert page.evaluate(TIME) == 0


def test_the_button_of_a_row_seeks(page, recording):
    visit(page, recording)
    page.locator(".turn").nth(2).get_by_role("button").click()
    wait(page, f"{TIME} > 5.6 && {TIME} < 9")


def seek(page, seconds):
    page.evaluate(f"document.getElementById('player').seek({seconds})")


def test_the_list_follows_the_player_until_the_reader_scrolls(page, recording):
    visit(page, recording)
    seek(page, 90.1)
    expect(page.locator(".turn").nth(31)).to_have_class(re.compile("is-now"))
    wait(page, "document.querySelector('.turns').scrollTop > 100")
    assert page.locator("[data-back]").is_hidden()

    page.locator(".turns").hover()
    page.mouse.wheel(0, -5000)
    expect(page.get_by_role("button", name="Back to now")).to_be_visible()
    wait(page, "document.querySelector('.turns').scrollTop === 0")
    seek(page, 93.1)
    expect(page.locator(".turn").nth(32)).to_have_class(re.compile("is-now"))
    assert page.evaluate("document.querySelector('.turns').scrollTop") == 0

    page.get_by_role("button", name="Back to now").click()
    wait(page, "document.querySelector('.turns').scrollTop > 100")
    expect(page.locator("[data-back]")).to_be_hidden()


def test_follow_is_switched_off_by_a_key_and_stays_off(page, recording):
    visit(page, recording)
    page.keyboard.press("t")
    expect(page.locator("[data-follow]")).to_have_attribute("aria-pressed", "false")
    seek(page, 90.1)
    expect(page.locator(".turn").nth(31)).to_have_class(re.compile("is-now"))
    assert page.evaluate("document.querySelector('.turns').scrollTop") == 0
    page.reload()
    expect(page.locator("[data-follow]")).to_have_attribute("aria-pressed", "false")


def test_find_counts_steps_and_never_plays(page, recording):
    visit(page, recording)
    page.keyboard.press("/")
    page.keyboard.type("REFUND")
    count = page.locator("#said-count")
    expect(count).to_have_text("1 of 2")
    assert page.evaluate(MARKED % "found") == ["refund", "refund"]
    page.keyboard.press("Enter")
    expect(count).to_have_text("2 of 2")
    wait(page, f"{TIME} > 114")
    assert is_in_view(page, 39)
    page.keyboard.press("Enter")
    expect(count).to_have_text("1 of 2")
    page.keyboard.press("Shift+Enter")
    expect(count).to_have_text("2 of 2")
    assert page.evaluate("document.querySelector('audio').paused")
    assert page.locator(".turn.is-found").count() == 1

    page.keyboard.press("Escape")
    expect(count).to_have_text("")
    assert page.evaluate(MARKED % "found") == []
    assert page.locator(".turn.is-found").count() == 0


def test_a_search_of_the_library_opens_at_the_words(page, recording):
    visit(page, recording, '?q="refund please" -nobody')
    expect(page.locator("#said-count")).to_have_text("1 of 1")
    assert page.evaluate(MARKED % "here") == ["refund please"]


def test_a_moment_in_the_address_is_shown(page, recording):
    visit(page, recording, "?t=105.5")
    wait(page, "document.querySelector('.turns').scrollTop > 100")
    expect(page.locator(".turn.is-now .words")).to_have_text("This is sentence number 35.")
    assert is_in_view(page, 36)


def test_shift_and_arrows_step_from_turn_to_turn(page, recording):
    visit(page, recording)
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    wait(page, f"Math.abs({TIME} - 9) < 0.1 || Math.abs({TIME} - 6) < 0.1")
    before = page.evaluate(TIME)
    page.keyboard.press("Shift+ArrowLeft")
    wait(page, f"Math.abs({TIME} - {before} + 3) < 0.1")
    assert page.evaluate("document.activeElement.matches('button[data-at]')")


def test_a_correction_takes_the_place_of_its_row(page, web):
    visit(page, talk(web, 12))
    row = page.locator(".turn").nth(1)
    row.hover()
    row.get_by_role("link", name="Correct").click()
    box = page.get_by_label("What was said")
    expect(box).to_be_focused()
    box.fill("This is the first sentence.")
    page.get_by_role("button", name="Save").click()
    expect(row.locator(".words")).to_have_text("This is the first sentence.")
    expect(row.get_by_role("link")).to_be_focused()
    expect(page.get_by_role("link", name="Corrections (1)")).to_be_visible()
    press_word(page, 1, "first")  # a word without a time: its sentence is heard
    wait(page, f"{TIME} > 2.6 && {TIME} < 6")


def test_two_hours_of_talk_stay_quick(page, web):
    visit(page, talk(web, 2400))
    took = page.evaluate(
        """() => {
          const player = document.getElementById("player");
          const started = performance.now();
          for (let n = 0; n < 200; n += 1) {
            player.dispatchEvent(new CustomEvent("tapeline:time",
              {bubbles: true, detail: {seconds: (n * 977) % 7200}}));
          }
          return (performance.now() - started) / 200;
        }"""
    )
    assert took < 50  # ms for a jump anywhere; a quarter second lies between two while it plays
    page.keyboard.press("/")
    page.keyboard.type("number 23")
    expect(page.locator("#said-count")).to_have_text("1 of 110")
