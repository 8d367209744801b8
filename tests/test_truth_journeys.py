"""Problems and Connect in a browser: what an operator and a supervisor do there, and see."""

import json
import re
import subprocess
import sys

import pytest

from tests.browser import in_a_browser
from tests.simulator_rig import running
from tests.test_asgi import BASE, Web

pytestmark = in_a_browser

DONE = re.compile("^Examined")

SET_UP = """
import json
import django
django.setup()
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from datetime import timedelta
from calls.models import Call, Command, WebhookEvent
from recordings.models import Recording
sessions = {}
for name, role in (("sam", "supervisor"), ("olga", "operator")):
    person = User.objects.get_or_create(username=name)[0]
    person.groups.add(Group.objects.get_or_create(name=role)[0])
    browser = Client()
    browser.force_login(person)
    sessions[name] = browser.session.session_key
now = timezone.now()
call = Call.objects.get()
for number in range(60):
    at = now - timedelta(minutes=number + 10)
    WebhookEvent.objects.create(
        event_id=f"dead-{number}", event_type="call.hangup", raw=b"{}", received_at=at, due_at=at,
        state="dead", error=f"ValueError: number {number}",
    )
at = now - timedelta(minutes=5)
Command.objects.create(
    call=call, kind="speak", state="unknown", requested_by=User.objects.get(username="sam"),
    error="Telnyx did not answer, and after a minute it is not safe to ask again.",
    params={"payload": "One moment.", "voice": "AWS.Polly.Joanna"}, request_id="a",
    requested_at=at, expires_at=at, due_at=at,
)
print(json.dumps(sessions))
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A web process, and a Telnyx that sends its webhooks somewhere else."""
    web = Web(tmp_path_factory.mktemp("desk"))
    with running(tmp_path_factory.mktemp("telnyx")) as telnyx:
        web.environment |= {
            "TELNYX_API_KEY": "KEY-simulator",
            "TELNYX_BASE_URL": f"{telnyx.url}/v2",
            "TELNYX_CONNECTION_ID": "2684641123236054244",
            "TELNYX_PUBLIC_KEYS": telnyx.server.board.public_key,
            "PUBLIC_URL": f"http://127.0.0.1:{web.port}",
        }
        telnyx.server.board.application["webhook_event_url"] = "https://old.example/hook"
        made = subprocess.run(
            [sys.executable, "-c", SET_UP],
            env=web.environment,
            cwd=BASE,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        web.sessions, web.telnyx = json.loads(made.stdout.splitlines()[-1]), telnyx
        web.start()
        yield web
        web.stop()


@pytest.fixture
def browse(desk, chromium):
    contexts = []

    def open_as(who, **options):
        context = chromium.new_context(reduced_motion="reduce", **options)
        address = f"http://127.0.0.1:{desk.port}"
        cookie = {"name": "sessionid", "value": desk.sessions[who], "url": address}
        context.add_cookies([cookie])
        contexts.append(context)
        page = context.new_page()
        page.goto(address + "/problems/")
        return page

    yield open_as
    for context in contexts:
        context.close()


def test_an_operator_pages_tries_again_and_dismisses_with_keys_alone(browse):
    page = browse("olga")
    assert page.locator(".problems > li").count() == 50
    page.get_by_role("link", name="Newer").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**after=**")
    assert page.get_by_role("link", name="asked for by sam").is_visible()

    page.get_by_role("link", name="Webhooks that could not be applied").click()
    page.get_by_role("button", name="Apply again: all that it may help").focus()
    page.keyboard.press("Enter")
    page.get_by_text("60 problems are tried again").wait_for()

    page.get_by_role("link", name="All problems").or_(
        page.get_by_role("link", name="All")
    ).first.click()
    summary = page.locator(".problems > li", has_text="One moment.").locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("The caller heard it.")
    page.keyboard.press("Enter")
    page.get_by_text("1 problem is dismissed, until it happens anew.").wait_for()
    page.get_by_text("Nothing needs you.").wait_for()


def test_a_telephone_shows_problems_without_scrolling_sideways(browse):
    page = browse("sam", viewport={"width": 360, "height": 700})

    wide = page.evaluate("document.documentElement.scrollWidth")

    assert wide <= 360


def test_an_operator_has_the_desk_examined_and_the_webhooks_set(browse, desk):
    page = browse("olga")
    page.goto(f"http://127.0.0.1:{desk.port}/connect/")
    page.get_by_role("button", name="Examine the desk").click()
    page.get_by_text(DONE).wait_for(timeout=60_000)
    said = page.locator(".checks").inner_text()
    assert "Webhook address: https://old.example/hook" in said
    assert "byte for byte" in said

    page.get_by_role("link", name="Set the webhooks at Telnyx").click()
    assert page.get_by_text("https://old.example/hook").is_visible()
    page.get_by_role("button", name="Set it at Telnyx").click()
    page.get_by_text("Telnyx sends the webhooks here from now on.").wait_for()

    here = f"http://127.0.0.1:{desk.port}/webhooks/telnyx"
    assert desk.telnyx.server.board.application["webhook_event_url"] == here
    page.get_by_role("button", name="Examine again").click()
    page.get_by_text("sends its webhooks here, in version 2").wait_for(timeout=60_000)


def test_without_javascript_the_check_up_comes_all_the_same(browse, desk):
    page = browse("olga", java_script_enabled=False)
    page.goto(f"http://127.0.0.1:{desk.port}/connect/")

    page.locator("#examine").click()

    page.get_by_text(DONE).wait_for(timeout=60_000)  # the page asks for itself again
    assert page.locator(".checks > li").count() == 12
