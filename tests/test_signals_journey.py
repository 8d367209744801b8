"""A name on the board, a notice in the bell, a signed webhook, a neighbour that hears."""

import json

import pytest
from playwright.sync_api import expect

from calls.telnyx import signature
from tests.browser import in_a_browser
from tests.desk import until
from tests.loopback import Loopback

oracle = pytest.importorskip("standardwebhooks", reason="NO ORACLE: it is in requirements-dev.txt")
pytestmark = in_a_browser
NUMBER = "+13125550177"


@pytest.fixture
def receiver(desk):
    """One who hears, for the time of a test; until then everything was read."""
    desk.rows("UPDATE calls_notice SET read_at = CURRENT_TIMESTAMP")
    server = Loopback()
    yield server
    for table in ("forward", "neighbour", "delivery", "endpoint"):
        desk.rows(f"DELETE FROM calls_{table}")
    server.stop()


def test_a_name_a_notice_an_endpoint_and_a_neighbour(desk, sign_in, receiver):
    olga = sign_in("olga")
    olga.locator("#desk-menu > summary").click()
    olga.get_by_role("link", name="Neighbours").click()
    olga.get_by_label("Name").fill("Call flow")
    olga.get_by_label("Address").fill(f"{receiver.url}/flow")
    olga.get_by_label("This is inside our network").check()
    olga.get_by_role("button", name="Add").click()
    expect(olga.get_by_role("alert")).to_contain_text("Call flow hears what comes from now on.")

    olga.goto("/endpoints/")
    olga.get_by_label("Name").fill("CRM")
    olga.get_by_label("Address").fill(f"{receiver.url}/crm")
    olga.get_by_label("This is inside our network").check()
    olga.get_by_label("Call ended while paused").check()
    olga.get_by_role("button", name="Add").click()
    secret = olga.locator("#secret").inner_text()

    sam = sign_in("sam")
    call = desk.lever("POST", "calls", {"from": NUMBER, "to": "+18005550100"})
    row = sam.locator("#board-rows > tr", has_text="0177")
    expect(row).to_contain_text("Bridged")
    editor = sam.context.new_page()
    editor.goto("/contacts/")
    editor.get_by_label("Number", exact=True).fill("+1 312 555 0177")
    editor.get_by_label("Name", exact=True).fill("Ada Lovelace")
    editor.get_by_role("button", name="Add").click()
    row = sam.locator("#board-rows > tr", has_text="Ada Lovelace")
    expect(row).to_contain_text("Bridged")  # told by the stream, the page was not loaded again

    act = row.locator(".call-act")
    act.get_by_role("button", name="Record").click()
    sam.locator("dialog").get_by_role("button", name="Start recording").click()
    expect(row).to_contain_text("REC")
    act.locator(".slot-pause summary").click()
    act.get_by_role("button", name="Card payment").click()
    expect(row).to_contain_text("PAUSED")
    desk.lever("POST", f"calls/{call['call_control_id']}/hangup")

    expect(sam.locator("#bell")).to_contain_text("1 unread", timeout=20_000)
    sam.get_by_role("link", name="Notices 1 unread").click()
    notice = sam.locator(".told-row", has_text="A call ended while paused")
    notice.get_by_role("button", name="Mark as read").click()
    expect(sam.locator("#bell")).not_to_contain_text("unread")

    told = until(
        lambda: [request for request in receiver.requests if request.path == "/crm"],
        within_s=10,
        what="the signed webhook",
    )[0]
    headers = {name.lower(): value for name, value in told.headers.items()}
    assert oracle.Webhook(secret).verify(told.body, headers)["type"] == "call.ended_paused"

    heard = [request for request in receiver.requests if request.path == "/flow"]
    kinds = [json.loads(request.body)["data"]["event_type"] for request in heard]
    assert kinds.index("call.initiated") < kinds.index("call.hangup")
    assert all(signature.SIGNATURE.decode() in request.headers for request in heard)

    sam.goto("/recordings/?number=ada")
    expect(sam.locator("#results")).to_contain_text("Ada Lovelace", timeout=15_000)
    olga.goto("/neighbours/")
    expect(olga.locator("main")).to_contain_text("Hears")
