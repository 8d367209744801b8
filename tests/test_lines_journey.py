"""Placing, hearing and recording calls in a real browser, by keys alone, on a desk that runs."""

from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import until

pytestmark = in_a_browser
SOON_MS = 15_000


def leg(desk, number):
    """Return the simulator's truth about the newest leg to a number, once there is one."""
    return until(
        lambda: next(
            (it for it in desk.lever("GET", "calls")["calls"][::-1] if it["to"] == number), None
        ),
        within_s=15,
        what=f"a leg to {number}",
    )


def test_a_supervisor_calls_listens_in_and_leaves_by_keys(sign_in, desk):
    page = sign_in("sam")
    place = page.get_by_role("link", name="Place call")
    place.press("Enter")
    form = page.locator("dialog")
    form.get_by_label("Call", exact=True).fill("+1 (312) 555-0145")
    form.get_by_label("As", exact=True).fill("+1 800 555 0101")
    form.get_by_label("As", exact=True).press("Enter")
    row = page.locator("#board-rows > tr", has_text="+1 312 555 0145")
    expect(row).to_contain_text("Answered", timeout=SOON_MS)

    row.get_by_role("button", name="Listen in").press("Enter")
    phone = form.get_by_label("Your phone", exact=True)
    expect(phone).to_be_focused()
    phone.fill("312 555 0199")
    phone.press("Enter")
    row.locator("summary", has_text="supervisor").press("Enter", timeout=SOON_MS)
    listener = row.locator(".leg", has_text="Supervisor Sam")
    expect(listener).to_contain_text("(listening) Nobody hears them.", timeout=SOON_MS)
    mine = leg(desk, "+13125550199")
    assert mine["supervisor_role"] == "monitor"
    assert mine["supervises"] == leg(desk, "+13125550145")["call_control_id"]


def test_whispering_and_barging_in_by_keys(sign_in, desk):
    call = desk.lever("POST", "calls", {"from": "+13125550178", "to": "+18005550101"})
    page = sign_in("sam")
    row = page.locator("#board-rows > tr", has_text="+1 312 555 0178")
    row.locator(".call-act").get_by_role("button", name="Listen in").press("Enter")
    form = page.locator("dialog")
    expect(form.get_by_role("button", name="Call my phone")).to_be_focused()  # it is known
    expect(form).to_contain_text("If you whisper, only the agent hears you.")
    form.get_by_role("button", name="Call my phone").press("Enter")
    row.locator("summary", has_text="supervisor").press("Enter", timeout=SOON_MS)
    listener = row.locator(".leg", has_text="Supervisor Sam")
    expect(listener).to_contain_text("(listening) Nobody hears them.", timeout=SOON_MS)

    listener.get_by_role("button", name="Whisper").press("Enter")
    expect(listener).to_contain_text("Only the agent hears them.", timeout=SOON_MS)
    listener.locator(".slot-barge summary").press("Enter")  # asks back
    listener.get_by_role("button", name="Barge in? Yes").press("Enter")
    expect(listener).to_contain_text("Everybody hears them.", timeout=SOON_MS)
    expect(listener).to_contain_text("Telnyx sends no webhook for this")
    mine = leg(desk, "+13125550199")
    assert (mine["supervisor_role"], mine["line"]) == ("barge", "answered")
    assert mine["supervises"] == call["agent"]["call_control_id"]

    listener.locator(".slot-hangup summary").press("Enter")
    listener.get_by_role("button", name="Hang up? Yes").press("Enter")
    expect(listener).to_contain_text("has left", timeout=SOON_MS)
    assert leg(desk, "+13125550199")["line"] == "ended"
    expect(row).to_contain_text("Bridged")  # the others talk on
    verbs = "SELECT verb FROM access_auditrow WHERE verb LIKE '%listen%' ORDER BY id"
    until(lambda: desk.rows(verbs)[-1] == ("ended listening in",), within_s=10, what="the trail")


def test_a_rule_announces_and_records(sign_in, desk):
    operator = sign_in("olga")
    operator.goto("/rules/new/")
    operator.get_by_label("Name", exact=False).first.fill("Support line")
    operator.get_by_label("Our line").fill("+1 800 555 0103")
    operator.get_by_label("Announcement first").select_option("speak")
    operator.get_by_label("Phrase", exact=True).fill("This call is recorded.")
    operator.get_by_role("button", name="Keep rule").press("Enter")
    expect(operator.locator("main")).to_contain_text("Has not fired yet.")

    call = desk.lever("POST", "calls/ring", {"from": "+13125550188", "to": "+18005550103"})
    page = sign_in("sam")
    row = page.locator("#board-rows > tr", has_text="+1 312 555 0188")
    row.get_by_role("button", name="Answer").press("Enter", timeout=SOON_MS)
    expect(row).to_contain_text(
        "by rule Support line", timeout=3 * SOON_MS
    )  # it is announced first
    expect(row).to_contain_text("REC")

    did = [
        (it["action"], it["took_effect"])
        for it in desk.lever("GET", "commands")["commands"]
        if it["call_control_id"] == call["call_control_id"] and it["took_effect"]
    ]
    assert [action for action, _ in did] == ["answer", "speak", "record_start"]
    spoken = [
        it["event_type"]
        for it in desk.lever("GET", "webhooks")["webhooks"]
        if it["call_leg_id"] == call["call_leg_id"]
    ]
    assert "call.speak.ended" in spoken
    operator.reload()
    expect(operator.locator("main")).to_contain_text("Fired 1 time")
