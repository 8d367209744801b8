"""axe finds nothing on any page, for any role, in light and in dark, with everything open."""

import json
import subprocess
import sys
from importlib import resources

import pytest

from tests.browser import in_a_browser
from tests.test_asgi import BASE, Web

axe = pytest.importorskip("axe_playwright_python", reason="NO AXE: it is in requirements-dev.txt")
pytestmark = in_a_browser
AXE = resources.files(axe).joinpath("axe.min.js").read_text(encoding="utf-8")
TOLD = "resultTypes: ['violations'], selectors: false"  # a third less work, the same rules
RUN = f"""async (seen) => (await axe.run({{exclude: seen ?? []}}, {{{TOLD}}}))
    .violations.map(({{id, nodes}}) => [id, nodes[0].html])"""
RUN_COLOURS = RUN.replace(TOLD, f"{TOLD}, runOnly: ['color-contrast', 'link-in-text-block']")
RUN_REST = RUN.replace(TOLD, f"{TOLD}, rules: {{'color-contrast': {{enabled: false}}}}")
SETTLED = """
() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  done();
})))
"""
OPEN = "() => document.querySelectorAll('details:not(.sure)').forEach(it => { it.open = true; })"
HEADER = ["body > header"]
DIFFERENT = ("board", "call", "library", "recording", "problems", "notices", "contacts")
PEOPLE = ("sam", "lee", "olga")
SET_UP = """
import json, uuid
from datetime import timedelta
import django
django.setup()
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from calls import contacts, signals
from calls.models import Call, Checkup, Command, MediaFile, Phrase, WebhookEvent
from calls.models import Contact, Delivery, Endpoint, Neighbour
from dashboard import doctor
from recordings import comments, notes
from recordings.models import Recording, Transcript, numbers
people, sessions = {}, {}
for name, role in (("sam", "supervisor"), ("lee", "reviewer"), ("olga", "operator")):
    person = User.objects.get_or_create(username=name, defaults={"is_staff": name == "olga"})[0]
    person.groups.add(Group.objects.get_or_create(name=role)[0])
    browser = Client()
    browser.force_login(person)
    people[name], sessions[name] = person, browser.session.session_key
stored, now = Recording.objects.get(), timezone.now()
Recording.objects.update(**numbers("+12125550100", "+18005550101"), duration_ms=90_000)
text = Transcript.objects.create(
    call=stored.call, recording=stored, recording_key="r", recording_transcription_id="t",
    text="Hello, this is the billing department. How may I help you?", told_at=now,
)
for name in ("refund", "vip"):
    notes.tag([stored], name, people["sam"])
notes.flag([stored], "Complaint: shouted", people["sam"])
notes.review([stored], people["lee"])
def write(by, text, **more):
    return comments.write(stored, text, people[by], press=uuid.uuid4(), **more)
first = write("sam", "A promise.", place=(5000, None))
write("lee", "It was kept.", answers=first)
comments.resolve(write("lee", "A long wait.", place=(20000, 31500)), people["sam"])
comments.delete(first, people["sam"])
write("sam", "Well done.")
def made(state, **more):
    return Recording.objects.create(
        call=stored.call, recording_id=state, state=state, since=now, announced_at=now,
        started_at=now, **numbers("+12125550100", "+18005550101"), **more
    )
failed = made("failed", reason="The link answers 403.", attempts=8)
deleted = made("deleted", reason="Deleted by sam.")
coming = made("waiting_space", attempts=1)
contacts.put([("+12125550100", "Jane Doe", "A note"), ("+12125550101", "Bob", "")])
contact = Contact.objects.first()
signals.tell("call.ended_paused", "A call ended while paused", "Why.", "/", cause="1")
Neighbour.objects.create(name="Flow", url="https://flow.example/", failures=7, last_error="No.",
                         last_failure_at=now, down_since=now)
endpoint = Endpoint.objects.create(name="CRM", url="https://crm.example/",
    kinds=["call.ended_paused"], secret="whsec_eA==", last_success_at=now)
signals.fan_out_due()
Delivery.objects.update(attempts=1, log=[
    {"at": now.isoformat(), "status": 500, "ms": 12, "error": "It answered 500."}])
WebhookEvent.objects.create(
    event_id="dead", event_type="call.hangup", raw=b"{}", received_at=now, due_at=now,
    state="dead", error="ValueError: no",
)
Command.objects.create(
    call=stored.call, kind="speak", state="unknown", error="Telnyx did not answer.",
    requested_by=people["sam"], request_id="a", requested_at=now, expires_at=now, due_at=now,
)
Checkup.objects.create(started_at=now, finished_at=now, asked_by=people["olga"], findings=[
    doctor.Found(check.name, check.label, level, "Said.", "Do this.").as_json()
    for check, level in zip(doctor.checks(), ["ok", "warning", "wrong", "unknown"] * 3)
])
addresses = {
    "board": "/",
    "call": stored.call.get_absolute_url(),
    "library": "/recordings/",
    "library, narrowed down": "/recordings/?state=stored&number=0100",
    "library, nothing found": "/recordings/?number=99999999",
    "library, a wrong filter": "/recordings/?from=yesterday",
    "recording": stored.get_absolute_url(),
    "recording, open notes": stored.get_absolute_url() + "?comments=open&comments_by=newest",
    "recording, failed": failed.get_absolute_url(),
    "recording, deleted": deleted.get_absolute_url(),
    "recording, coming": coming.get_absolute_url(),
    "notes": stored.get_absolute_url() + "notes",
    "no such page": "/recordings/nothing/",
    "exports": "/recordings/exports/",
    "listen in": f"/calls/{stored.call.pk}/commands/listen/",
    "my phone": "/phone/",
    "place call": "/calls/",
    "views": "/recordings/views/",
    "missing": "/recordings/missing/",
    "problems": "/problems/",
    "problems, one kind": "/problems/?kind=command",
    "history": f"{stored.get_absolute_url()}transcript/{text.pk}/history/",
    "notices": "/notices/",
    "choices": "/notices/choices/",
    "contacts": "/contacts/",
    "contact": f"/contacts/{contact.pk}/",
    "import of contacts": "/contacts/import/",
    "correction": f"{stored.get_absolute_url()}transcript/{text.pk}/0/",
}
from calls.models import RecordRule, RuleFiring
rules = [
    RecordRule.objects.create(
        name=name, line=line, announcement="speak", phrase="This call is recorded.", enabled=on
    )
    for name, line, on in (("Sales", "+1800*", True), ("Support", "+18005550101", False))
]
RuleFiring.objects.create(
    conversation="c", rule=rules[0], call=stored.call, state="failed", due_at=now,
    answered_at=now, reason="The announcement was not heard: wrong voice.",
)
operated = {
    "neighbours": "/neighbours/",
    "endpoints": "/endpoints/",
    "endpoint": f"/endpoints/{endpoint.pk}/",
    "connect": "/connect/",
    "rules": "/rules/",
    "a rule": f"/rules/{rules[0].pk}/",
    "new rule": "/rules/new/",
    "admin": "/admin/",
    "admin, recordings": "/admin/recordings/recording/",
    "admin, a recording": f"/admin/recordings/recording/{stored.pk}/change/",
    "admin, tags": "/admin/recordings/tag/",
    "admin, events": "/admin/calls/webhookevent/",
    "admin, trail": "/admin/access/auditrow/",
    "admin, people": "/admin/auth/user/",
}
live = Call.objects.create(
    call_leg_id=str(uuid.uuid4()), conversation="live", line="answered", sound="playing",
    from_number="+12125550100", to_number="+18005550101", direction="incoming",
)
Phrase.objects.create(name="Greeting", text="Hello {caller_name|there}.")
def sound(**more):
    MediaFile.objects.create(
        media_name=str(uuid.uuid4()), format="wav", size_bytes=16044, duration_ms=1000, since=now,
        **more
    )
sound(name="Hold", state="ready", expires_at=now + timedelta(days=30))
sound(name="Refused", state="failed", failures=1, error="Telnyx refused: no.")
sounded = {
    "phrases": "/phrases/",
    "a phrase": f"/phrases/{Phrase.objects.get().pk}/",
    "sounds": "/media/",
    "voices": "/voices/",
    "say": f"/calls/{live.pk}/commands/speak/",
    "play": f"/calls/{live.pk}/commands/playback_start/",
    "queue": f"/calls/{live.pk}/sounds/",
    "live call": live.get_absolute_url(),
}
print(json.dumps({
    "sessions": sessions, "addresses": addresses, "operated": operated, "sounded": sounded,
}))
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    web = Web(tmp_path_factory.mktemp("accessible"))
    command = [sys.executable, "-c", SET_UP]
    made = subprocess.run(command, env=web.environment, cwd=BASE, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    web.people = json.loads(made.stdout.splitlines()[-1])
    web.start()
    yield web
    web.stop()


def browse(web, chromium, session=None):
    """Return a page of a browser, signed in or not."""
    context = chromium.new_context(color_scheme="light", reduced_motion="reduce")
    if session:
        address = f"http://127.0.0.1:{web.port}"
        context.add_cookies([{"name": "sessionid", "value": session, "url": address}])
    return context.new_page()


def violations(web, page, address, *, seen=(), colours=True):
    """Return what axe finds on a page with everything in it open, and on its dark colours.

    It need not look again at what it has `seen` on another page. Colours are most of its work.
    """
    page.emulate_media(color_scheme="light")
    page.goto(f"http://127.0.0.1:{web.port}{address}")
    page.evaluate(OPEN)
    page.evaluate(AXE)
    found = page.evaluate(RUN if colours else RUN_REST, seen)
    if not colours:
        return found
    page.emulate_media(color_scheme="dark")
    page.evaluate(SETTLED)
    return found + [["dark", *wrong] for wrong in page.evaluate(RUN_COLOURS, seen)]


@pytest.mark.parametrize("who", PEOPLE)
def test_axe_finds_nothing(web, chromium, who):
    page = browse(web, chromium, web.people["sessions"][who])
    own = {"olga": "operated", "sam": "sounded"}.get(who)
    addresses = web.people["addresses"]
    less = () if who == "sam" else DIFFERENT  # the same pages with less on them
    addresses = {name: addresses[name] for name in less or addresses}
    addresses |= web.people[own] if own else {}
    found = {}
    for name, address in addresses.items():
        seen = HEADER if found else []
        colours = name not in less or not found  # those of the header too
        found[name] = violations(web, page, address, seen=seen, colours=colours)
    page.context.close()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_where_people_sign_in(web, chromium):
    page = browse(web, chromium)
    wrong = violations(web, page, "/login/")
    page.context.close()
    assert wrong == []


def test_axe_would_find_something(web, chromium):
    page = browse(web, chromium, web.people["sessions"]["sam"])
    assert violations(web, page, "/recordings/", seen=HEADER) == []
    page.evaluate("document.querySelector('main').innerHTML = '<input>'")
    assert page.evaluate(RUN, HEADER) != []
    assert page.evaluate(RUN_REST, HEADER) != []
    page.evaluate(
        "document.querySelector('main').innerHTML = '<p>Grey</p>';"
        "document.querySelector('main p').style.color = '#444'"
    )
    assert page.evaluate(RUN_COLOURS, HEADER) != []  # fine on white, not on the dark page
    page.context.close()
