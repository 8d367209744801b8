"""A pause in a real browser: why by keyboard, the countdown, the warning, an extension, the end.

Two calls at once: one pause is extended and then resumed by the desk; of the other, paused by
mouse, Telnyx refuses the resume.
"""

import re

from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import until
from tests.stage import GUARD_S
from tests.test_accessible import AXE, RUN

pytestmark = in_a_browser
STEP_MS = 5_000
REFUSED = {"errors": [{"code": "90099", "title": "Cannot resume now"}]}


def recorded(page, desk, number):
    """Place a call, record it; return its ids and its row."""
    call = desk.lever("POST", "calls", {"from": number, "to": "+18005550100"})
    row = page.locator("#board-rows > tr", has_text=re.compile(number[-4:]))
    expect(row).to_contain_text("Bridged", timeout=STEP_MS)
    row.locator(".slot-record").first.click()
    page.locator("dialog").get_by_role("button", name="Start recording").click()
    expect(row).to_contain_text("REC", timeout=STEP_MS)
    return call, row


def left(row):
    """Return the seconds on the countdown."""
    minutes, seconds = row.locator(".until [data-until]").inner_text().split()[0].split(":")
    return int(minutes) * 60 + int(seconds)


def focused(page):
    return page.evaluate("document.activeElement.textContent.trim()")


def test_a_pause_from_its_reason_to_its_end(page, desk):
    _, row = recorded(page, desk, "+13125550171")
    refused, other = recorded(page, desk, "+13125550172")
    fault = {"action": "record_resume", "call_control_id": refused["call_control_id"]}
    told = {"do": "status", "status": 422, "body": REFUSED}
    desk.lever("POST", "faults", {"routes": [fault | told]})

    # by keyboard: open, Enter takes the first reason
    row.locator(".slot-pause summary").focus()
    page.keyboard.press("Enter")
    expect(row.get_by_role("button", name="Card payment")).to_be_focused()
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    page.keyboard.press("Enter")
    expect(row).to_contain_text("PAUSED", timeout=STEP_MS)
    expect(row).to_contain_text("Card payment, paused by Sam")
    expect(row.locator(".guard")).to_have_class(re.compile("is-watching"))
    assert focused(page).startswith("Resume")  # in the place of Pause

    # by mouse, on the other one; Escape leaves it as it was
    other.locator(".slot-pause summary").click()
    page.keyboard.press("Escape")
    expect(other.locator(".slot-pause .reasons-list")).to_be_hidden()
    other.locator(".slot-pause summary").click()
    other.get_by_role("button", name="Customer request").click()
    expect(other).to_contain_text("PAUSED", timeout=STEP_MS)

    # it counts down, then warns: the look, and once for those who listen
    first = left(row)
    assert first <= GUARD_S
    until(lambda: left(row) < first, within_s=3, what="the countdown")
    expect(row.locator(".guard")).to_have_class(re.compile("is-warning"), timeout=GUARD_S * 1000)
    polite = page.locator("[aria-live=polite]", has_text="the recording resumes in")
    expect(polite).to_have_text(re.compile(r"\+1 312 555 01(71|72): the recording resumes in"))

    # one extension, with a reason
    row.locator(".slot-extend summary").click()
    row.get_by_role("button", name="Personal data").click()
    expect(row).to_contain_text("extended by Sam: Personal data", timeout=STEP_MS)
    expect(page.locator("#announce")).to_contain_text("Paused until")
    assert left(row) > GUARD_S / 2
    expect(row.locator(".slot-extend")).to_have_count(0)

    # Telnyx refuses: a person is called, on the row, in the banner, and aloud
    expect(other).to_contain_text("Still paused.", timeout=2 * GUARD_S * 1000)
    expect(other).to_contain_text("Cannot resume now")
    page.mouse.move(0, 0)
    banner = page.locator("#board-status .alert-danger")
    expect(banner).to_contain_text("A recording is still paused.", timeout=STEP_MS)
    expect(page.locator("[aria-live=assertive]")).to_contain_text("the recording is still paused")
    assert page.evaluate(RUN) == []

    # a person mends it
    desk.lever("DELETE", "faults")
    other.get_by_role("button", name="Resume").click()
    expect(other.locator(".call-rec .rec")).to_contain_text("REC", timeout=STEP_MS)
    expect(banner).to_have_count(0, timeout=STEP_MS)

    # and the desk resumes the first one by itself
    expect(row.locator(".call-rec .rec")).to_contain_text("REC", timeout=2 * GUARD_S * 1000)
    expect(row).to_contain_text("by the desk")
    expect(row.locator(".guard")).to_have_count(0)
