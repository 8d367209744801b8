"""The examination of the desk, as a command and as a page; the knock at our own door."""

import json
import time
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from access.models import AuditRow
from calls import asking, intake, knock
from calls.line import telnyx
from calls.models import Checkup, Gauge, Heartbeat, Question, Refusal, WebhookEvent
from dashboard import connect, doctor
from dashboard.doctor import Check, Finding, Level, door, machine, provider
from recordings import storage
from simulator.core import CONNECTION_ID
from tests.conftest import KEY, public, signed
from tests.simulator_rig import Client as Levers
from tests.simulator_rig import running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(tmp_path, settings, live_server):
    """A Telnyx in this process, a desk that listens, and everything set as it should be."""
    settings.PUBLIC_URL = live_server.url
    settings.TELNYX_CONNECTION_ID = CONNECTION_ID
    settings.TELNYX_API_KEY = "KEY-simulator"
    with running(tmp_path / "world") as world:
        settings.TELNYX_BASE_URL = f"{world.url}/v2"
        telnyx.cache_clear()
        settings.TELNYX_PUBLIC_KEYS = world.server.board.public_key
        intake.keys.cache_clear()
        point(world, door.url())
        yield world


def point(world, url):
    world.server.board.application["webhook_event_url"] = url
    world.server.board.courier.url = url


# The knock


def test_the_door_answers_a_knock_of_its_own_and_counts_it_nowhere(client):
    sent = knock.headers()

    got = client.post(
        "/webhooks/telnyx", data=knock.BODY, content_type="application/json", headers=sent
    )

    assert got.status_code == 401
    told = [sent[name.decode()] for name in (knock.KNOCK, b"telnyx-timestamp")]
    assert got[knock.ANSWER.decode()] == knock.expected(
        *told, sent["telnyx-signature-ed25519"], knock.BODY
    )
    assert not Refusal.objects.exists()
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("token", ["", "made up", "a:b:c", "\xff", "changed", "of another use"])
def test_a_knock_that_is_not_ours_is_an_unsigned_webhook_like_any_other(client, token):
    if token == "changed":
        token = knock.headers()["tapeline-knock"] + "x"
    elif token == "of another use":
        token = connect.signing.TimestampSigner(salt="another").sign("nonce")
    sent = knock.headers() | {"tapeline-knock": token}

    got = client.post(
        "/webhooks/telnyx", data=knock.BODY, content_type="application/json", headers=sent
    )

    assert got.status_code == 401
    assert knock.ANSWER.decode() not in got
    assert Refusal.objects.get().reason == "mismatch"


def test_an_old_knock_is_not_answered(client, monkeypatch):
    sent = knock.headers()
    later = time.time() + knock.FRESH_S + 2
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)

    got = client.post(
        "/webhooks/telnyx", data=knock.BODY, content_type="application/json", headers=sent
    )

    assert got.status_code == 401
    assert knock.ANSWER.decode() not in got


def test_a_knock_opens_nothing_even_with_a_body_worth_taking(client):
    body = b'{"data":{"id":"1","event_type":"call.hangup","payload":{"call_leg_id":"leg"}}}'

    got = client.post(
        "/webhooks/telnyx", data=body, content_type="application/json", headers=knock.headers()
    )

    assert got.status_code == 401
    assert not WebhookEvent.objects.exists()


def test_a_signed_webhook_that_knocks_is_a_webhook(client):
    body = json.dumps({"data": {"id": "1", "event_type": "call.hangup", "payload": {}}}).encode()

    got = client.post(
        "/webhooks/telnyx", data=body, content_type="application/json",
        headers=knock.headers() | signed(body),
    )  # fmt: skip

    assert (got.status_code, knock.ANSWER.decode() in got) == (200, False)


def test_what_is_changed_on_the_way_is_noticed(world, monkeypatch):
    assert door.reachable().level == Level.OK
    told = door.knock.BODY
    monkeypatch.setattr(
        door.requests.Session,
        "post",
        wrapped(door.requests.Session.post, data=told.replace(b":  ", b": ")),
    )

    finding = door.reachable()

    assert finding.level == Level.WRONG
    assert "changed on the way" in finding.text


def wrapped(post, **changes):
    return lambda session, url, **more: post(session, url, **(more | changes))


def test_somebody_else_at_the_address_is_noticed(world, settings):
    settings.PUBLIC_URL = world.url

    finding = door.reachable()

    assert finding.level == Level.WRONG
    assert "Somebody else answers" in finding.text
    assert "status 404" in finding.text


def test_a_desk_with_another_secret_is_somebody_else(world, monkeypatch, settings):
    monkeypatch.setattr(intake.knock, "answer", lambda headers, body: "")
    assert door.reachable().level == Level.UNKNOWN  # nobody set a key here, so nothing is proved

    settings.SECRET_KEY = "a key that somebody chose"

    assert "Somebody else" in door.reachable().text


def test_an_address_that_leads_nowhere_is_not_called_wrong(world, settings):
    settings.PUBLIC_URL = "http://127.0.0.1:9"

    finding = door.reachable()

    assert finding.level == Level.UNKNOWN
    assert "Telnyx may" in finding.text


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("https://desk.example", Level.OK),
        ("http://desk.example", Level.WARNING),
        ("https://127.0.0.1:8000", Level.WRONG),
        ("https://localhost", Level.WRONG),
        ("https://10.1.2.3", Level.WRONG),
        ("https://desk.local", Level.WRONG),
    ],
)
def test_an_address_must_be_one_that_the_internet_knows(settings, url, level):
    settings.PUBLIC_URL = url
    settings.TELNYX_BASE_URL = "https://api.telnyx.com/v2"

    assert door.address().level == level


# Telnyx's side


def test_a_desk_that_is_set_up_well_hears_so(world, settings):
    settings.REDIS_URL = ""
    Heartbeat.objects.create(name="pump", beat_at=timezone.now())
    asking.begin()
    while asking.ask_due() or Question.objects.filter(done_at=None).exclude(name="pace").exists():
        time.sleep(0.05)
    world.call()
    wait_until(lambda: provider.deliveries().level == Level.OK)

    found = {each.name: each for each in doctor.examine()}

    assert {name for name, each in found.items() if each.level != "ok"} == {"broker"}
    assert "call-router" in found["application"].text
    assert "byte for byte" in found["door"].text
    assert "came here" in found["deliveries"].text
    assert found["broker"].level == "warning"


def wait_until(condition, within_s=5):
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"webhook_event_url": "https://old.example/hook"}, Level.WRONG, "https://old.example/"),
        ({"webhook_api_version": "1"}, Level.WRONG, "Webhook API version: 1, must be 2"),
        ({"webhook_timeout_secs": 1}, Level.WRONG, "Telnyx gives up: 1, must be 5"),
        ({"webhook_timeout_secs": 25}, Level.OK, "version 2"),
        ({"active": False}, Level.WRONG, "switched off"),
        (
            {"webhook_event_failover_url": "https://spare.example"},
            Level.WARNING,
            "goes to https://spare.example",
        ),
    ],
)
def test_the_application_is_compared_with_what_the_desk_needs(world, changes, level, words):
    world.server.board.application |= changes

    finding = provider.application()

    assert finding.level == level
    assert words in finding.text


@pytest.mark.parametrize("connection_id", ["", "1"])
def test_a_wrong_connection_names_those_that_there_are(world, settings, connection_id):
    settings.TELNYX_CONNECTION_ID = connection_id

    finding = provider.application()

    assert finding.level == Level.WRONG
    assert f"{CONNECTION_ID} (call-router)" in finding.text
    assert "TELNYX_CONNECTION_ID" in finding.remedy


def test_a_wrong_key_is_told_and_how_to_mend_it(world, settings):
    settings.TELNYX_API_KEY = "KEY-of-somebody"
    telnyx.cache_clear()

    finding = provider.key()

    assert finding.level == Level.WRONG
    assert "Set TELNYX_API_KEY" in finding.remedy


def test_a_telnyx_that_is_away_is_not_a_wrong_key(world, settings):
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"
    telnyx.cache_clear()

    assert provider.key().level == provider.application().level == Level.UNKNOWN


@pytest.mark.parametrize(
    ("keys", "level"), [("", Level.WRONG), ("c2hvcnQ=", Level.WRONG), ("good", Level.OK)]
)
def test_public_keys_must_be_keys(settings, keys, level):
    settings.TELNYX_PUBLIC_KEYS = settings.TELNYX_PUBLIC_KEYS if keys == "good" else keys

    assert provider.public_keys().level == level


def test_a_key_that_does_not_fit_is_seen_by_how_telnyx_fares(world, settings):
    settings.TELNYX_PUBLIC_KEYS = public(KEY)
    intake.keys.cache_clear()
    world.call()

    wait_until(lambda: provider.deliveries().level == Level.WRONG)

    finding = provider.deliveries()
    assert "the answer was 401" in finding.text
    assert "TELNYX_PUBLIC_KEYS" in finding.remedy


def test_nothing_delivered_says_what_to_do(world):
    finding = provider.deliveries()

    assert finding.level == Level.UNKNOWN
    assert "Call one of your numbers" in finding.remedy


def test_the_clock_is_compared_with_both_of_telnyxs_times(world):
    assert provider.clock().level == Level.OK
    assert "Telnyx's answers" in provider.clock().text

    Gauge.objects.create(name="skew:here", value=-45, count=7, at=timezone.now())
    assert provider.clock().level == Level.WARNING
    Gauge.objects.update(value=200)
    assert provider.clock().level == Level.WRONG


# This machine's side


def test_a_database_with_old_tables_is_told(monkeypatch):
    class Behind:
        def __init__(self, connection):
            self.loader = type("", (), {"graph": type("", (), {"leaf_nodes": lambda it: []})()})

        def migration_plan(self, targets):
            return [("calls.0099_new", False)]

    assert machine.database().level == Level.OK
    monkeypatch.setattr(machine, "MigrationExecutor", Behind)

    assert "migrations are not applied" in machine.database().text


def test_storage_is_written_read_back_and_left_as_it_was(settings):
    assert machine.storage_works().level in (Level.OK, Level.WARNING)
    left = [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    assert left == []


def test_a_storage_that_takes_nothing_is_told(monkeypatch):
    def full(*args):
        raise storage.NoRoom("The media folder has 1 MB free.")

    monkeypatch.setattr(storage, "check_room", full)

    assert machine.storage_works() == Finding(
        Level.WRONG,
        "The media folder has 1 MB free.",
        "Free space, or give the desk the right to write there.",
    )


def test_a_broker_that_is_away_is_told(settings):
    settings.REDIS_URL = "unix:///nobody/listens"

    assert machine.broker().level == Level.WRONG


def test_a_silent_pump_is_wrong_and_a_silent_worker_a_warning(settings):
    settings.REDIS_URL = "redis://broker"
    assert machine.processes().level == Level.WRONG

    Heartbeat.objects.create(name="pump", beat_at=timezone.now())

    assert machine.processes().level == Level.WARNING
    assert "-Q control,events,media,texts" in machine.processes().remedy


def test_questions_that_telnyx_has_not_answered_for_long_are_told(settings):
    settings.TELNYX_CONNECTION_ID = "1"
    now = timezone.now()
    Question.objects.create(name="board", due_at=now, done_at=now)
    old = now - timedelta(minutes=20)
    row = Question.objects.create(name="deliveries", due_at=now, done_at=old)

    assert machine.questions().level == Level.WARNING
    assert "Which webhooks got lost: " in machine.questions().text
    Question.objects.filter(pk=row.pk).update(done_at=now)
    assert machine.questions().level == Level.OK
    settings.TELNYX_CONNECTION_ID = ""
    assert "TELNYX_CONNECTION_ID is not set" in machine.questions().text


# All together


def test_a_check_that_hangs_or_breaks_hides_no_other():
    def breaks():
        raise RuntimeError("out of luck")

    wanted = [
        Check("slow", "Slow", lambda: time.sleep(1) or Finding(Level.OK, ""), 0.1),
        Check("broken", "Broken", breaks),
        Check("good", "Good", lambda: Finding(Level.OK, "Well.")),
    ]

    found = {each.name: each for each in doctor.examine(wanted)}

    assert found["good"].level == "ok"
    assert (found["slow"].level, found["slow"].text) == ("unknown", "It took longer than 0.1 s.")
    assert "out of luck" in found["broken"].text


def run(*args, monkeypatch=None, answer=None):
    out, err = StringIO(), StringIO()
    if answer is not None:
        monkeypatch.setattr("builtins.input", lambda prompt: answer)
    try:
        call_command("doctor", *args, stdout=out, stderr=err)
        code = 0
    except SystemExit as exc:
        code = exc.code
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("levels", "code"),
    [(["ok", "warning"], 0), (["ok", "unknown"], 2), (["wrong", "unknown"], 1)],
)
def test_the_command_says_it_by_its_end_and_as_json(monkeypatch, levels, code):
    checks = [
        Check(f"c{place}", "Check", lambda level=level: Finding(Level(level), "Said.", "Do."))
        for place, level in enumerate(levels)
    ]
    monkeypatch.setattr(doctor, "checks", lambda: checks)
    monkeypatch.setattr(doctor.examine, "__defaults__", (checks,))

    ended, out, _ = run("--json")
    _, text, _ = run()

    assert ended == code
    assert [row["level"] for row in json.loads(out)] == levels
    assert "-> Do." in text


def test_the_command_mends_the_application_with_consent_alone(world, monkeypatch):
    world.server.board.application |= {
        "webhook_event_url": "https://old.example/hook",
        "webhook_api_version": "1",
    }
    with pytest.raises(CommandError, match="nothing was changed"):
        run("--fix", monkeypatch=monkeypatch, answer="n")
    assert world.server.board.application["webhook_api_version"] == "1"

    _, _, said = run("--fix", "--yes")

    assert "https://old.example/hook -> " in said
    application = world.server.board.application
    assert application["webhook_event_url"] == door.url()
    assert application["webhook_api_version"] == "2"
    row = AuditRow.objects.get(verb="set webhooks")
    assert (row.name, row.details["before"]["Webhook API version"]) == ("the desk", "1")


def test_telnyx_wants_the_name_and_the_address_with_every_change(world: Levers):
    path = f"/call_control_applications/{CONNECTION_ID}"

    got = world.v2("PATCH", path, json={"webhook_api_version": "2"})

    assert got.status_code == 422
    assert got.json()["errors"][0]["code"] == "10004"


# The page


@pytest.fixture
def operator(olga):
    browser = Client()
    browser.force_login(olga)
    return browser


@pytest.mark.parametrize("who", ["sam", "lee", "max"])
def test_the_page_is_for_operators(request, who):
    browser = Client()
    browser.force_login(request.getfixturevalue(who))

    for address in ("/connect/", "/connect/webhooks/"):
        assert browser.get(address).status_code == 403
    assert browser.post("/connect/check/").status_code == 403
    assert not Checkup.objects.exists()


def test_a_check_up_is_filled_while_the_page_looks(operator, world, monkeypatch):
    started = []
    monkeypatch.setattr(connect, "begin", started.append)
    assert "not examined yet" in operator.get("/connect/").content.decode()

    operator.post("/connect/check/")
    operator.post("/connect/check/")  # another press joins
    half = operator.get("/connect/").content.decode()
    connect.fill(Checkup.objects.get().pk)
    whole = operator.get("/connect/").content.decode()

    assert len(started) == 1
    assert 'hx-trigger="every 1s"' in half
    assert half.count("checking…") == len(doctor.checks())
    assert "every 1s" not in whole
    assert "byte for byte" in whole
    assert AuditRow.objects.get(verb="examined").name == "olga"


def test_a_check_up_whose_process_died_can_be_made_again(operator):
    old = timezone.now() - connect.LASTS * 2
    Checkup.objects.create(started_at=old)

    assert "broken off" in operator.get("/connect/").content.decode()


def test_with_consent_the_application_is_set_and_the_trail_tells_both_sides(operator, world):
    world.server.board.application["webhook_event_url"] = "https://old.example/hook"
    page = operator.get("/connect/webhooks/")
    assert "https://old.example/hook" in page.content.decode()

    answer = operator.post("/connect/webhooks/", {"seen": page.context["seen"]}, follow=True)

    assert world.server.board.application["webhook_event_url"] == door.url()
    assert "Telnyx sends the webhooks here" in answer.content.decode()
    details = AuditRow.objects.get(verb="set webhooks").details
    assert details["before"]["Webhook address"] == "https://old.example/hook"
    assert details["after"]["Webhook address"] == door.url()


@pytest.mark.parametrize("case", ["changed", "forged", "missing"])
def test_consent_is_to_what_was_seen(operator, world, case):
    application = world.server.board.application
    application["webhook_event_url"] = "https://old.example/hook"
    seen = operator.get("/connect/webhooks/").context["seen"]
    if case == "changed":
        application["webhook_event_url"] = "https://other.example/hook"
    given = {"changed": seen, "forged": seen + "x", "missing": ""}[case]

    answer = operator.post("/connect/webhooks/", {"seen": given})

    assert answer.status_code == 409
    assert "Nothing was changed" in answer.content.decode()
    assert application["webhook_event_url"] != door.url()
    assert not AuditRow.objects.filter(verb="set webhooks").exists()


def test_a_telnyx_that_does_not_answer_is_told_instead_of_a_form(operator, world, settings):
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"
    telnyx.cache_clear()

    answer = operator.get("/connect/webhooks/", follow=True)

    assert "The application cannot be read: Telnyx cannot be reached" in answer.content.decode()


def test_old_check_ups_are_forgotten(operator, monkeypatch):
    monkeypatch.setattr(connect, "begin", lambda pk: None)
    for days in range(30):
        Checkup.objects.create(
            id=uuid.uuid4(), started_at=timezone.now() - timezone.timedelta(days=days + 1)
        )

    operator.post("/connect/check/")

    assert Checkup.objects.count() == connect.KEPT
    connection.close()
