"""Placing, hearing and recording calls in a real browser, by keys alone, on a desk that runs."""

import re
import sqlite3

import pytest
from playwright.sync_api import expect

from tests.browser import in_a_browser
from tests.desk import Desk, until

pytestmark = in_a_browser
SOON_MS = 15_000


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("lines"))
    yield desk
    desk.stop()


@pytest.fixture
def signed_in(chromium, desk):
    """Open a page as somebody; no page may print a word to the console."""
    contexts, said = [], []

    def sign_in(name):
        context = chromium.new_context(base_url=desk.web)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto("/login/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(desk.people[name])
        page.get_by_label("Password").press("Enter")
        expect(page.get_by_role("button", name=re.compile("Sign out"))).to_be_visible()
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert said == []


def leg(desk, number):
    """Return the simulator's truth about the newest leg to a number, once there is one."""
    return until(
        lambda: next(
            (it for it in desk.lever("GET", "calls")["calls"][::-1] if it["to"] == number), None
        ),
        within_s=15,
        what=f"a leg to {number}",
    )


def test_a_supervisor_calls_listens_in_and_leaves_by_keys(signed_in, desk):
    page = signed_in("sam")
    place = page.get_by_role("link", name="Place call")
    place.press("Enter")
    form = page.locator("dialog")
    form.get_by_label("Call", exact=True).fill("+1 (312) 555-0142")
    form.get_by_label("As", exact=True).fill("+1 800 555 0101")
    form.get_by_label("As", exact=True).press("Enter")
    row = page.locator("#board-rows > tr", has_text="+1 312 555 0142")
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
    assert mine["supervises"] == leg(desk, "+13125550142")["call_control_id"]


def test_whispering_and_barging_in_by_keys(signed_in, desk):
    call = desk.lever("POST", "calls", {"from": "+13125550177", "to": "+18005550101"})
    page = signed_in("sam")
    row = page.locator("#board-rows > tr", has_text="+1 312 555 0177")
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
    with sqlite3.connect(desk.data / "tapeline.sqlite3") as database:
        verbs = "SELECT verb FROM access_auditrow WHERE verb LIKE '%listen%' ORDER BY id"
        until(
            lambda: database.execute(verbs).fetchall()[-1] == ("ended listening in",),
            within_s=10,
            what="the trail",
        )


def test_a_rule_announces_and_records(signed_in, desk):
    operator = signed_in("olga")
    operator.goto("/rules/new/")
    operator.get_by_label("Name", exact=False).first.fill("Support line")
    operator.get_by_label("Our line").fill("+1 800 555 0103")
    operator.get_by_label("Announcement first").select_option("speak")
    operator.get_by_label("Phrase", exact=True).fill("This call is recorded.")
    operator.get_by_role("button", name="Keep rule").press("Enter")
    expect(operator.locator("main")).to_contain_text("Has not fired yet.")

    call = desk.lever("POST", "calls/ring", {"from": "+13125550188", "to": "+18005550103"})
    page = signed_in("sam")
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
