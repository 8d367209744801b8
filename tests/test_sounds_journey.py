"""Hands on the keyboard: a phrase is spoken into a call, a sound is uploaded and played."""

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import until
from tests.test_media_library import wav

pytestmark = in_a_browser
NUMBERS = iter(("+13125550101", "+13125550102", "+13125550103"))


@pytest.fixture
def call(desk):
    number = next(NUMBERS)
    ids = desk.lever("POST", "calls", {"from": number, "to": "+18005550100"})
    yield ids | {"shown": f"+1 312 555 {number[-4:]}"}
    desk.lever("POST", f"calls/{ids['call_control_id']}/hangup")


def sent(desk, call, action):
    """Return what the simulator got for a call and let take effect."""
    return [
        row["body"]
        for row in desk.lever("GET", "commands")["commands"]
        if row["action"] == action
        and row["call_control_id"] == call["call_control_id"]
        and row["took_effect"]
    ]


def row(page, call):
    return page.locator("#board-rows > tr", has_text=call["shown"])


def open_dialog(page, call, name):
    """Open a dialog from the row of a call that is answered, by the keyboard alone."""
    expect(row(page, call)).to_contain_text("Bridged")
    button = row(page, call).get_by_role("button", name=name, exact=True).first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dialog")).to_be_visible()


def test_a_phrase_is_found_filled_and_said_by_the_keyboard(page, desk, call):
    page.goto("/phrases/")
    for name, words in (
        ("Greeting", "Hello, your number {caller_number} is noted."),
        ("Goodbye", "Goodbye {caller_name|dear caller}."),
    ):
        page.get_by_label("Name").fill(name)
        page.get_by_label("Text", exact=True).fill(words)
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Save the phrase").press("Enter")
        expect(page.get_by_text(f"“{name}” is saved.")).to_be_visible()

    page.goto("/")
    open_dialog(page, call, "Say")
    expect(page.get_by_label("Find a phrase")).to_be_focused()
    page.keyboard.type("gree")
    expect(page.get_by_text("1 found")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("a[data-option]:focus")).to_contain_text("Greeting")
    page.keyboard.press("Enter")

    expect(page.locator("#ask-payload")).to_be_focused()
    expect(page.locator("#ask-said")).to_contain_text("number 1, 3 1 2, 5 5 5, 0 1 0 1 is noted")
    expect(page.locator("#ask-language")).to_be_hidden()  # Polly voices bring their own
    page.keyboard.press("Control+Enter")

    expect(page.locator("#dialog")).to_be_hidden()
    (said,) = until(lambda: sent(desk, call, "speak"), within_s=5)
    assert said["payload"] == "Hello, your number 1, 3 1 2, 5 5 5, 0 1 0 1 is noted."
    assert said["target_legs"] == "self"
    expect(row(page, call).locator(".sound").first).to_have_text("Speaking")


def test_a_voice_is_found_by_its_language_and_a_text_kept_as_a_phrase(page, desk, call):
    open_dialog(page, call, "Say")
    page.locator("#ask-payload").fill("Guten Tag {nobody}")
    expect(page.locator("#ask-said")).to_contain_text("{nobody}, which is no variable")
    page.locator("#ask-payload").fill("Guten Tag")
    page.locator("#ask-voice").fill("german")
    expect(page.locator("[data-voice-id]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#ask-voice")).to_have_value("AWS.Polly.Vicki-Neural")
    expect(page.locator("#ask-voices")).to_be_hidden()

    page.locator("#ask-save > summary").press("Enter")
    page.get_by_label("Name of the phrase").fill("Auf Deutsch")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_text("Saved as “Auf Deutsch”.")).to_be_visible()
    page.keyboard.press("Control+Enter")

    (said,) = until(lambda: sent(desk, call, "speak"), within_s=5)
    assert said["voice"] == "AWS.Polly.Vicki-Neural"
    page.goto("/phrases/")
    expect(page.get_by_role("link", name="Auf Deutsch", exact=True)).to_be_visible()


def test_a_sound_is_uploaded_heard_played_and_stopped(page, desk, call, tmp_path):
    file = tmp_path / "closing_time.wav"
    file.write_bytes(wav(20))
    page.goto("/media/")
    page.get_by_label("WAV or MP3 file").set_input_files(file)
    page.get_by_role("button", name="Upload").press("Enter")
    expect(page.get_by_text("Ready at Telnyx until")).to_be_visible()
    length = page.locator("audio").evaluate(
        "it => new Promise(done => { it.onloadedmetadata = () => done(it.duration); it.load();"
        " it.preload = 'metadata'; })"
    )
    assert length == pytest.approx(20, abs=0.1)
    page.locator("audio").press("Space")
    until(lambda: page.locator("audio").evaluate("it => it.currentTime > 0.1"), within_s=10)

    page.goto("/")
    open_dialog(page, call, "Play")
    page.keyboard.type("clos")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="closing time")).to_be_checked()
    expect(page.get_by_label("Sound from the web")).to_be_hidden()
    page.keyboard.press("Control+Enter")

    (played,) = until(lambda: sent(desk, call, "playback_start"), within_s=5)
    assert played["media_name"].startswith("tapeline-closing-time-")
    assert played["audio_type"] == "wav"
    expect(row(page, call).locator(".medium").first).to_have_text("closing time")
    truth = next(
        row
        for row in desk.lever("GET", "calls")["calls"]
        if row["call_control_id"] == call["call_control_id"]
    )
    assert truth["sound"] == "playing"

    open_dialog(page, call, "Queue")
    expect(page.locator(".queue .is-sounding")).to_contain_text("closing time")
    page.get_by_role("button", name="Stop all").press("Enter")

    (stopped,) = until(lambda: sent(desk, call, "playback_stop"), within_s=5)
    assert stopped["stop"] == "all"
    expect(page.get_by_text("Playing closing time")).to_have_count(0)
