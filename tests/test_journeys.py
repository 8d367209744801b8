"""Whole stories in a real browser: the desk as `make run` starts it, signed webhooks, real Celery.

Told three times: with everything running, with a broker that hangs, and with hung workers as well.
"""

import re
import time
import wave

import numpy as np
import pytest
from playwright.sync_api import expect

from simulator import speech
from simulator.core import VOICES
from tests.browser import in_a_browser
from tests.desk import until

pytestmark = in_a_browser
WINDOW, STEP = 320, 160  # samples: 40 ms, 20 ms
SENTENCE = "A supervisor has joined this call. Please continue."
BEFORE = "I would like to pay my bill."
SECRET = "The number is four four nine two."
AFTER = "Thank you, that was all."


def channels(path):
    """Return the two channels of a stored file."""
    with wave.open(str(path)) as file:
        frames = file.readframes(file.getnframes())
    return np.frombuffer(frames, dtype=np.int16).reshape(-1, 2).T


def heard(recorded, text, voices):
    """Return (how well, when) a sentence is found, whichever of these voices said it."""
    return max(place(recorded, text, voice) for voice in voices)


def bands(samples):
    """Return the loudness of 20 bands up to 3 kHz every 20 ms: how speech looks, not its phase."""
    count = (len(samples) - WINDOW) // STEP
    frames = samples[np.arange(WINDOW) + STEP * np.arange(count)[:, None]] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, 2:122]
    return np.log1p(power.reshape(count, 20, 6).sum(2) / 2000)


def place(recorded, text, voice):
    """Return (how alike a sentence and the most alike part of a channel are, at what second)."""
    wanted = bands(speech.speak(text, voice).samples.astype(np.float64))
    wanted -= wanted.mean(0)
    rows = bands(recorded.astype(np.float64))
    best = (0.0, 0.0)
    for at in range(len(rows) - len(wanted) + 1):
        part = rows[at : at + len(wanted)]
        part = part - part.mean(0)
        alike = (part * wanted).sum() / np.sqrt((part**2).sum() * (wanted**2).sum() + 1e-9)
        best = max(best, (float(alike), at * STEP / 8_000))
    return best


@pytest.mark.parametrize("frozen", [(), ("broker",), ("broker", "worker", "media")], ids=str)
def test_a_call_from_ring_to_reviewed_recording(page, desk, frozen):
    number = f"+1312555{len(frozen):04d}"
    desk.lever("POST", "settings", {"saved_delay_s": 0.5, "transcript_delay_s": 0.5})
    desk.freeze(*frozen)
    step_ms = 3_000
    try:
        call = desk.lever("POST", "calls", {"from": number, "to": "+18005550100"})
        row = page.locator("#board-rows > tr", has_text=re.compile(number[-4:]))
        expect(row).to_contain_text("Bridged", timeout=step_ms)
        act = row.locator(".call-act")

        def say(text, party="customer"):
            spoken = desk.lever(
                "POST", f"calls/{call['call_control_id']}/say", {"party": party, "text": text}
            )
            time.sleep(spoken["duration_ms"] / 1000 + 0.3)  # speech takes its time

        act.get_by_role("button", name="Record").click()
        page.locator("dialog").get_by_label("Format").select_option("wav")
        page.locator("dialog").get_by_role("button", name="Start recording").click()
        expect(row).to_contain_text("REC", timeout=step_ms)
        expect(row).to_contain_text("Telnyx sends no webhook for this", timeout=step_ms)
        say(BEFORE)

        act.get_by_role("button", name="Say").click()
        page.locator("dialog").locator("[name=payload]").fill(SENTENCE)
        page.locator("dialog").get_by_role("button", name="Say").click()
        expect(row).to_contain_text("Speaking", timeout=step_ms)
        expect(row).to_contain_text("confirmed", timeout=step_ms)
        expect(row).to_contain_text("Silent", timeout=15_000)

        act.get_by_role("button", name="Play").click()
        page.locator("dialog").locator("[name=media_name]").fill("hold-music")
        page.locator("dialog").get_by_role("button", name="Play").click()
        expect(row).to_contain_text("Playing", timeout=step_ms)
        act.get_by_role("button", name="Stop sound").click()
        expect(row).to_contain_text("Silent", timeout=step_ms)

        act.locator(".slot-pause summary").click()
        act.get_by_role("button", name="Card payment").click()
        expect(row).to_contain_text("PAUSED", timeout=step_ms)
        say(SECRET)
        act.get_by_role("button", name="Resume").click()
        recording = row.locator(".call-rec .rec")  # beside it "REC in" counts down
        expect(recording).to_contain_text("REC", timeout=step_ms)
        say(AFTER)

        act.locator(".slot-record summary").click()
        act.get_by_role("button", name=re.compile("Stop.*Yes")).click()
        expect(row).to_contain_text("OFF", timeout=step_ms)
        act.locator(".slot-hangup summary").click()
        act.get_by_role("button", name=re.compile("Hang up.*Yes")).click()
        expect(row).to_contain_text("Ended", timeout=step_ms)
        expect(row).to_have_count(0, timeout=15_000)

        review(page, desk, call)
    finally:
        desk.thaw()


def review(page, desk, call):
    """Open the recording, hear it, seek in it, read it; then look into the stored file."""
    find = "SELECT r.id, r.path FROM recordings_recording r JOIN calls_call c ON r.call_id=c.id"
    where = " WHERE c.call_leg_id=? AND r.state='stored'"
    (stored,) = until(
        lambda: desk.rows(find + where, call["call_leg_id"]),
        within_s=10,
        what="the stored recording",
    )
    page.goto("/recordings/")
    page.locator(f"a[href*='{stored[0][:8]}']").first.click()
    for sentence in ("A supervisor has joined this call.", "Please continue."):  # a row for each
        expect(page.locator("#transcript")).to_contain_text(sentence, timeout=10_000)
    expect(page.locator("main")).not_to_contain_text("four four nine two")
    audio = "document.querySelector('audio')"
    page.evaluate(f"{audio}.play()")
    until(lambda: page.evaluate(f"{audio}.currentTime") > 0.5, within_s=10, what="sound")
    page.evaluate(f"{audio}.currentTime = 4")
    until(lambda: page.evaluate(f"{audio}.currentTime") > 4.3, within_s=10, what="the place")

    customer, others = channels(desk.data / "media" / stored[1])
    before, after = (heard(customer, text, VOICES["customer"]) for text in (BEFORE, AFTER))
    said = heard(others, SENTENCE, ["en-us+f1"])
    secret = max(heard(side, SECRET, VOICES["customer"]) for side in (customer, others))
    assert min(before[0], said[0], after[0]) > 0.8  # seen: 0.95 and more
    assert before[1] < said[1] < after[1]
    assert secret[0] < 0.5  # seen: at most 0.3
