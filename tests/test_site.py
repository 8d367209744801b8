"""The frame: signing in, what every answer carries, the board's page, what is wrong, formats."""

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings as desk_settings
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import AuditRow
from calls import board, clocks
from calls.models import Call, Command, Heartbeat, Refusal
from dashboard import home, notices
from dashboard.signin import MOST_TRIES
from dashboard.templatetags import desk
from tests.conftest import leg

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough password"  # of everybody in conftest
DASH = "\N{EN DASH}"
NOW = datetime(2026, 3, 2, 14, 3, 20, tzinfo=UTC)


def body(response):
    return response.content.decode()


def text(html):
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def sign_in(client, name="sam", password=PASSWORD, **more):
    return client.post("/login/", {"username": name, "password": password}, **more)


def trail():
    return [(row.name, row.verb, row.subject) for row in AuditRow.objects.order_by("pk")]


# Signing in and out


def test_signing_in_leads_back_and_is_written_down(client, sam):
    answer = client.post(
        "/login/?next=/calls/", {"username": "sam", "password": PASSWORD, "next": "/calls/"}
    )

    assert answer.url == "/calls/"
    assert trail() == [("sam", "signed in", "from 127.0.0.1")]


def test_signing_in_leads_to_no_other_site(client, sam):
    typed = {"username": "sam", "password": PASSWORD, "next": "https://evil.example/"}

    assert client.post("/login/", typed).url == "/"


def test_signing_out_is_a_post_and_is_written_down(client, sam):
    client.force_login(sam)
    assert client.get("/logout/").status_code == 405

    answer = client.post("/logout/")

    assert answer.url == "/login/"
    assert client.get("/").url == "/login/?next=/"
    assert trail() == [("sam", "signed out", "from 127.0.0.1")]


def test_after_five_wrong_passwords_not_even_the_right_one_opens(client, sam):
    for _ in range(MOST_TRIES):
        answer = sign_in(client, password="wrong")
        assert answer.status_code == 200

    answer = sign_in(client)

    assert answer.status_code == 429
    assert "Too many failed tries" in text(body(answer))
    assert [row[1:] for row in trail()] == [("sign-in refused", "127.0.0.1 sam")] * MOST_TRIES


def test_wrong_passwords_are_forgotten_after_a_quarter_of_an_hour(client, sam):
    for _ in range(MOST_TRIES):
        sign_in(client, password="wrong")
    AuditRow.objects.update(at=timezone.now() - timedelta(minutes=15, seconds=1))

    assert sign_in(client).url == "/"


def test_wrong_passwords_keep_out_neither_another_name_nor_another_address(client, sam, lee):
    for _ in range(MOST_TRIES):
        sign_in(client, password="wrong")

    assert sign_in(Client(REMOTE_ADDR="10.0.0.9")).url == "/"
    assert sign_in(Client(), name="lee").url == "/"


@pytest.mark.parametrize(("https", "counted"), [(True, "203.0.113.7"), (False, "127.0.0.1")])
def test_only_our_own_proxy_says_where_a_try_comes_from(client, sam, settings, https, counted):
    settings.HTTPS = https

    sign_in(client, password="wrong", headers={"X-Forwarded-For": "10.1.1.1, 203.0.113.7"})

    assert trail()[0][2] == f"{counted} sam"


def test_a_name_with_a_nul_is_only_a_wrong_name(client, sam):
    assert sign_in(client, name="sam\0").status_code == 200


def test_an_account_that_was_closed_cannot_sign_in(client, sam):
    sam.is_active = False
    sam.save()

    assert sign_in(client).status_code == 200


def test_a_part_asked_for_after_the_session_ended_sends_the_whole_page_to_the_sign_in(client):
    answer = client.get(
        "/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/recordings/?q=a"},
        follow=True,
    )

    assert answer["HX-Redirect"] == "/login/?next=%2Frecordings%2F%3Fq%3Da"
    assert answer.content == b""


def test_the_admin_sites_own_sign_in_is_ours(client, sam, olga):
    assert client.get("/admin/login/?next=/admin/").url == "/login/?next=%2Fadmin%2F"
    assert client.post("/admin/login/", {"username": "olga", "password": PASSWORD}).url.startswith(
        "/login/"
    )

    client.force_login(sam)
    assert client.get("/admin/", follow=True).status_code == 403

    client.force_login(olga)
    client.post("/admin/logout/")
    assert trail()[-1][:2] == ("olga", "signed out")


def test_somebody_without_a_role_is_told_so_and_can_sign_out(client, max):
    client.force_login(max)

    answer = client.get("/")

    assert answer.status_code == 403
    assert "Your account may not see calls and recordings." in text(body(answer))
    assert 'action="/logout/"' in body(answer)


# What every answer carries


@pytest.fixture
def pages(client, sam, deliver):
    """Return every kind of page of the desk, by its address."""
    ids = leg()
    deliver("call.initiated", **ids)
    deliver("call.answered", **ids)
    call = Call.objects.get(call_leg_id=ids["call_leg_id"])
    found = {"/login/": client.get("/login/")}
    client.force_login(sam)
    commands = f"/calls/{call.pk}/commands"
    for address in [
        "/",
        f"/calls/{call.pk}/",
        "/calls/",
        f"{commands}/speak/",
        f"{commands}/record_start/",
        f"{commands}/hangup/",
        "/nowhere/",
        f"/calls/{call.pk}/?part=panel",
    ]:
        found[address] = client.get(address)
    return found


def test_no_page_has_an_inline_script_style_or_handler(pages):
    for address, page in pages.items():
        html = body(page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", html), address
        assert not re.search(r"<style|\sstyle=|\son\w+=|\shx-on|javascript:", html), address


def test_the_policy_allows_nothing_unsafe_and_nothing_from_elsewhere(pages):
    for address, page in pages.items():
        policy = page["Content-Security-Policy"]
        assert "default-src 'none'" in policy, address
        assert "unsafe" not in policy, address
        assert "http" not in policy, address
        assert re.search(r"script-src 'self'(;|$)", policy), address


def test_a_name_that_is_not_ours_gets_a_page_with_the_same_policy(client, settings):
    settings.SECURE_SSL_REDIRECT = True  # of HTTPS, which looks at the name first

    answer = client.get("/", headers={"host": "elsewhere.example"})

    assert answer.status_code == 400
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_every_answer_forbids_copies_and_what_the_desk_never_needs(pages):
    for address, page in pages.items():
        assert "no-store" in page["Cache-Control"], address
        assert page["X-Content-Type-Options"] == "nosniff", address
        assert page["Referrer-Policy"] == "same-origin", address
        assert page["X-Frame-Options"] == "DENY", address
        assert "microphone=()" in page["Permissions-Policy"], address
        assert "HX-Request" in page["Vary"], address


def test_every_page_names_the_zone_once_and_has_one_live_region_for_messages(pages):
    for address, page in pages.items():
        if "part=" not in address:
            html = body(page)
            assert html.count(f"Times in {desk_settings.TIME_ZONE}") == 1, address
            assert html.count('id="announce"') == 1, address
            assert html.count("<h1") + html.count("<h2") >= 1, address
            assert '<a class="skip" href="#main">' in html, address


def test_ids_are_unique_on_every_page(pages):
    for address, page in pages.items():
        ids = re.findall(r'\sid="([^"]+)"', body(page))
        assert sorted(ids) == sorted(set(ids)), address


def test_htmx_is_told_to_run_nothing_and_to_show_conflicts(client):
    page = body(client.get("/login/"))

    config = re.search(r"<meta name=\"htmx-config\" content='([^']+)'", page)[1]
    for rule in ('"allowEval":false', '"allowScriptTags":false', '"historyCacheSize":0'):
        assert rule in config
    assert '{"code":"409|422","swap":true}' in config


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("sam", ["Live", "Recordings", "Sounds", "Problems", "Contacts", "Notices", "My phone"]),
        ("lee", ["Live", "Recordings", "Contacts", "Notices"]),
        (
            "olga",
            [
                *("Live", "Recordings", "Sounds", "Problems", "Admin"),
                *("Contacts", "Notices", "Rules", "Neighbours", "Endpoints"),
            ],
        ),
        ("max", []),
    ],
)
def test_the_way_round_the_desk_depends_on_the_role(client, request, name, links):
    client.force_login(request.getfixturevalue(name))

    page = body(client.get("/"))

    nav = re.search(r'<nav aria-label="Main">(.*?)</nav>', page, re.DOTALL)
    assert (re.findall(r"<a [^>]*>([^<]+)</a>", nav[1]) if nav else []) == links


def test_a_page_that_does_not_exist_helps_to_go_on(client, sam):
    client.force_login(sam)

    answer = client.get("/nowhere/")

    assert answer.status_code == 404
    assert "or your account may not see it" in text(body(answer))
    assert reverse("home") in body(answer)


def test_a_fault_of_ours_says_what_still_works(client, sam, monkeypatch):
    client.force_login(sam)
    client.raise_request_exception = False
    monkeypatch.setattr(home, "counts", lambda tiles: 1 / 0)

    answer = client.get("/")

    assert answer.status_code == 500
    assert "The desk keeps receiving webhooks" in text(body(answer))


def test_the_page_of_a_fault_needs_no_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert "The desk keeps receiving webhooks" in render_to_string("500.html")


def test_a_form_without_its_token_is_refused_with_what_to_do(sam):
    client = Client(enforce_csrf_checks=True)
    client.force_login(sam)

    answer = client.post("/logout/")

    assert answer.status_code == 403
    assert "go back, reload the page, and try again" in text(body(answer))


def test_htmx_brings_the_token_along(client, sam):
    client.force_login(sam)

    assert re.search(r"<body[^>]* hx-headers='{\"X-CSRFToken\":\"\w+\"}'", body(client.get("/")))


# The board's page


def live_call(**values):
    ids = leg()
    return Call.objects.create(
        line="answered", conversation=ids["call_session_id"], **ids, **values
    )


def test_the_board_shows_the_rows_that_the_stream_will_keep_true(client, lee):
    live_call(from_number="+13129457420", direction="incoming")
    client.force_login(lee)

    page = body(client.get("/"))

    (conversation,) = board.conversations(now=timezone.now())
    rows = page.partition('data-live-url="/live/"')[2].partition(">")[2]
    assert rows.startswith(f'<tr id="{conversation.id}"')
    assert "+1 312 945 7420" in page


@pytest.mark.parametrize("many", [1, 20])
def test_the_number_of_queries_of_the_board_does_not_grow(
    client, sam, django_assert_max_num_queries, many
):
    for _ in range(many):
        live_call()
    client.force_login(sam)

    with django_assert_max_num_queries(20):  # 5 of the person, 2 shared, 3 rows, 10 others
        client.get("/")


def test_conversations_are_counted_once_by_what_their_recording_does():
    one = live_call(recording="on")
    live_call(recording="on")
    live_call(recording="paused")
    live_call(recording="doubt")
    Call.objects.create(
        call_leg_id="other", conversation=one.conversation, line="bridged", recording="off"
    )
    Call.objects.create(call_leg_id="gone", conversation="gone", line="ended", recording="off")

    rows = board.conversations(now=timezone.now())

    counted = home.counts(row.tiles for row in rows)
    assert counted == {"live": 4, "recording": 2, "paused": 1, "problems": 1}


def test_an_empty_board_says_what_makes_calls_appear(client, lee, settings, deliver):
    settings.PUBLIC_URL = "https://desk.example"
    client.force_login(lee)

    page = text(body(client.get("/")))
    assert "Calls appear when Telnyx sends call.initiated to https://desk.example/webhooks" in page
    assert "No webhook was ever received." in page

    deliver("call.hangup", **leg())

    assert re.search(r"Last webhook received: \d\d:\d\d:\d\d", text(body(client.get("/"))))


def test_the_status_is_the_same_in_the_page_and_in_the_stream(client, lee):
    client.force_login(lee)

    assert home.statuses([False], now=timezone.now())[False].strip() in body(client.get("/"))


# What is wrong


@pytest.fixture
def alive(settings):
    """Let every process have given a sign of life just now."""
    for name in ("pump", *notices.LANES):
        Heartbeat.objects.create(name=name, beat_at=NOW)


def titles():
    return [notice.title for notice in notices.notices(now=NOW)]


def told():
    return [f"{it.title} {it.text} {it.remedy}" for it in notices.notices(now=NOW)]


def test_nothing_is_said_while_all_is_well(alive, settings):
    settings.REDIS_URL = "redis://broker"

    assert told() == []


def test_a_silent_pump_is_told_first(alive, settings):
    settings.REDIS_URL = "redis://broker"
    Heartbeat.objects.filter(name="pump").update(beat_at=NOW - timedelta(seconds=16))
    Heartbeat.objects.filter(name="worker:media").delete()

    assert titles() == [
        "The pump gives no sign of life.",
        "The media worker gives no sign of life.",
    ]
    assert "The pump does the work" not in " ".join(told())


def test_a_silent_worker_is_no_disaster(alive, settings):
    settings.REDIS_URL = "redis://broker"
    Heartbeat.objects.filter(name="worker:control").delete()

    (said,) = told()

    assert "It sends the commands. The pump does the work, a second later." in said
    assert "celery -A dashboard worker -P threads -Q control" in said


def test_without_a_broker_no_worker_is_missed(settings):
    Heartbeat.objects.create(name="pump", beat_at=NOW)

    assert told() == []


def test_without_a_broker_a_silent_pump_means_that_nothing_is_done():
    (said,) = told()

    assert "Nothing is sent, applied or fetched." in said


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            "mismatch",
            "12 webhooks were refused since 13:00 because no configured key fits their "
            "signature. Check TELNYX_PUBLIC_KEYS",
        ),
        ("stale", "were refused since 13:00 because they were signed too long ago"),
        ("v1", "Set the webhook API version of your application to 2"),
        ("something_new", "because of something_new"),
    ],
)
def test_refused_webhooks_are_counted_with_the_reason_and_the_remedy(alive, reason, words):
    hour = NOW.replace(minute=0, second=0)
    earlier = NOW - timedelta(minutes=20)
    Refusal.objects.create(reason=reason, hour=hour, count=5, last_at=NOW)
    Refusal.objects.create(reason=reason, hour=hour - timedelta(hours=1), count=7, last_at=earlier)
    Refusal.objects.create(
        reason=reason, hour=hour - timedelta(hours=9), count=99, last_at=NOW - timedelta(hours=9)
    )

    (said,) = told()

    assert words in said


def test_one_refused_webhook_is_said_in_the_singular(alive):
    Refusal.objects.create(reason="size", hour=NOW, count=1, last_at=NOW)

    assert "1 webhook was refused since" in told()[0]


def test_a_refusal_of_more_than_an_hour_ago_is_not_told(alive):
    at = NOW - timedelta(minutes=61)
    Refusal.objects.create(reason="mismatch", hour=at, count=5, last_at=at)

    assert told() == []


def test_every_refusal_of_the_door_has_words_of_its_own():
    from calls.telnyx.signature import Reason

    of_the_door = {"method", "content_type", "encoding", "size", "gone"}

    assert {str(reason) for reason in Reason} | of_the_door <= notices.REFUSED.keys()


def test_missing_settings_are_told(alive, settings):
    settings.TELNYX_API_KEY = settings.TELNYX_PUBLIC_KEYS = ""

    said = " ".join(told())

    assert "Set TELNYX_PUBLIC_KEYS" in said
    assert "Set TELNYX_API_KEY" in said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "Telnyx does not accept the API key. Hang up, at 14:03: No. Set TELNYX_API_KEY"),
        (403, "Telnyx forbids it to this account. Hang up, at 14:03: No. Look at the account"),
    ],
)
def test_what_telnyx_denies_the_account_is_told_until_it_accepts_again(alive, status, words):
    denied = _answered(status, state="failed", error="No.")
    assert words in told()[0]

    accepted = _answered(200, state="accepted", requested_at=NOW + timedelta(seconds=1))
    assert told() == []

    accepted.delete()
    Command.objects.filter(pk=denied.pk).update(requested_at=NOW - timedelta(minutes=61))
    assert told() == []


def _answered(status, **columns):
    times = dict.fromkeys(("requested_at", "expires_at", "due_at"), NOW)
    return Command.objects.create(
        kind="hangup", request_id=uuid.uuid4().hex, http_status=status, **(times | columns)
    )


def test_only_operators_are_told_the_remedy(client, sam, olga):
    client.force_login(sam)
    page = text(body(client.get("/")))
    assert "The pump gives no sign of life." in page
    assert "manage.py pump" not in page

    client.force_login(olga)
    assert "Start it: manage.py pump." in text(body(client.get("/")))


# How things are written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("+12125550100", "+1 212 555 0100"),
        ("+4930123456", "+49 30 123456"),
        ("+442071838750", "+44 20 7183 8750"),
        ("anonymous", "Withheld"),
        ("Anonymous", "Withheld"),
        ("sip:anonymous@anonymous.invalid", "Withheld"),
        ("+anonymous", "Withheld"),
        ("sip:dana@desk.example", "dana@desk.example"),
        ("sip:agent17@a-very-long-name.sip.telnyx.com", "agent17@a-very-l….sip.telnyx.com"),
        ("+999", "+999"),
        ("+", "+"),
        ("5550100", "5550100"),
        ("", DASH),
        (None, DASH),
    ],
)
def test_numbers_are_written_for_people(value, written):
    assert desk.phone(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0:00"),
        (62, "1:02"),
        (59.99, "0:59"),
        (3600, "1:00:00"),
        (14 * 3600 + 61, "14:01:01"),
        (-5, "0:00"),
        (None, DASH),
        (timedelta(minutes=2), "2:00"),
    ],
)
def test_durations_are_written_with_a_colon(seconds, written):
    assert clocks.duration(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (134, "2 min 14 s"),
        (60, "1 min"),
        (0, "0 s"),
        (3605, "1 h 5 s"),
        (7200, "2 h"),
        (None, DASH),
    ],
)
def test_durations_in_sentences_carry_their_units(seconds, written):
    assert desk.span(seconds) == written


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (3_400_000, "3.4 MB"),
        (999_960, "1.0 MB"),
        (10**16, "10000.0 TB"),
        (None, DASH),
    ],
)
def test_sizes_are_written_as_people_do(size, written):
    assert desk.size(size) == written


def test_times_are_those_of_the_site_with_utc_beside_them():
    with timezone.override("Europe/Berlin"):
        written = clocks.clock(NOW)

    assert written == (
        '<time datetime="2026-03-02T14:03:20.000+00:00"'
        ' title="2026-03-02 14:03:20 UTC, here UTC+01:00">15:03:20</time>'
    )


@pytest.mark.parametrize(
    ("at", "now", "written"),
    [
        ("2026-03-12T14:03:22", "2026-03-12T20:00:00", "14:03:22"),
        ("2026-03-12T14:03:22", "2026-03-13T00:00:00", "12 Mar 14:03"),
        ("2025-03-02T14:03:22", "2026-03-12T20:00:00", "2 Mar 2025 14:03"),
    ],
)
def test_a_time_carries_its_date_once_it_is_not_today(monkeypatch, at, now, written):
    at, now = (datetime.fromisoformat(f"{it}+00:00") for it in (at, now))
    monkeypatch.setattr(timezone, "now", lambda: now)

    assert text(desk.moment(at)) == written


def test_today_ends_at_midnight_of_the_site(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 3, 12, 22, 30, tzinfo=UTC))

    with timezone.override("Europe/Berlin"):
        written = text(desk.moment(datetime(2026, 3, 12, 23, 30, tzinfo=UTC)))

    assert written == "13 Mar 00:30"


def test_nothing_is_written_as_a_dash():
    assert clocks.clock(None) == desk.moment(None) == clocks.ticking(None, NOW) == DASH


# Vendored files


def test_vendored_files_are_those_of_the_list():
    vendor = Path(desk_settings.BASE_DIR) / "static" / "vendor"
    listed = dict(
        re.findall(
            r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (vendor / "README.md").read_text(), re.M
        )
    )

    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.iterdir()
        if path.suffix in (".css", ".js")
    }

    assert found == listed
    for path in vendor.iterdir():
        assert "sourceMappingURL" not in path.read_text() or path.name == "README.md"


def test_the_icon_is_found_where_browsers_guess_it(client):
    assert client.get("/favicon.ico").url.endswith("desk.svg")
