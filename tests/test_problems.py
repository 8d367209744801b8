"""The page of problems: what it calls one, who sees it, what its buttons do."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access.models import AuditRow
from calls import commands, problems
from calls.models import Call, Command, Dismissal, WebhookEvent
from calls.problems import Kind, Told
from dashboard import problems as page
from recordings.models import Recording
from tests.conftest import leg

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    page._known.clear()


@pytest.fixture
def inside():
    def sign_in(person):
        browser = Client()
        browser.force_login(person)
        return browser

    return sign_in


def call(**columns):
    ids = leg()
    columns = {
        "line": "answered",
        "direction": "incoming",
        "from_number": "+12125550100",
    } | columns
    return Call.objects.create(**ids, conversation=ids["call_session_id"], **columns)


def command(on, *, ago_s=60, by=None, **columns):
    at = timezone.now() - timedelta(seconds=ago_s)
    times = dict.fromkeys(("requested_at", "expires_at", "due_at"), at)
    columns = {"kind": "record_pause", "state": "failed", "error": "Telnyx refused."} | columns
    return Command.objects.create(
        call=on, request_id=uuid.uuid4().hex, requested_by=by, **times, **columns
    )


def dead(*, ago_s=60, **columns):
    at = timezone.now() - timedelta(seconds=ago_s)
    columns = {"event_type": "call.hangup", "error": "ValueError: no"} | columns
    return WebhookEvent.objects.create(
        event_id=uuid.uuid4().hex, raw=b"{}", received_at=at, due_at=at, state="dead", **columns
    )


def recording(on, *, ago_s=60, **columns):
    at = timezone.now() - timedelta(seconds=ago_s)
    columns = {
        "state": "failed",
        "reason": "The link answers 403.",
        "urls": {"mp3": "x"},
    } | columns
    return Recording.objects.create(
        call=on, recording_id=uuid.uuid4().hex, since=at, announced_at=at, started_at=at,
        **columns,
    )  # fmt: skip


def titles(person, **more):
    return [line.told.title for line in page.listing(person, **more).lines]


def kinds(person):
    return {line.kind.name for line in page.listing(person).lines}


def test_everything_is_listed_oldest_first_with_age_and_reason(sam, olga, inside):
    on = call(doubted_at=timezone.now() - timedelta(seconds=300))
    dead(ago_s=400)
    recording(on, ago_s=200)
    command(on, ago_s=100, by=sam)

    text = inside(olga).get("/problems/").content.decode()

    said = ("Webhook call.hangup", "Telnyx does not say", "answers 403.", "Telnyx refused.")
    places = [text.index(words) for words in said]  # a token of the page may hold any digits
    assert places == sorted(places)
    assert "for 6" in text
    assert "asked for by sam" in text
    assert "ValueError: no" in text


def test_who_sees_what(sam, lee, olga, max, inside):
    on = call()
    dead()
    command(on)
    recording(on)

    assert kinds(olga) == {"webhook", "command", "recording"}
    assert kinds(sam) == {"command", "recording"}
    assert [inside(who).get("/problems/").status_code for who in (sam, olga, lee, max)] == [
        *(200, 200, 403, 403)
    ]


def test_nothing_wrong_says_so(sam, inside):
    assert "Nothing needs you." in inside(sam).get("/problems/").content.decode()


@pytest.mark.parametrize(
    "columns",
    [
        {"code": "90018"},
        {"state": "expired", "error": "The call ended before this was sent."},
        {"state": "accepted"},
        {"ago_s": 4 * 86_400},
    ],
)
def test_what_harmed_nobody_is_no_problem(sam, columns):
    command(call(), **columns)

    assert titles(sam) == []


def test_a_command_that_a_later_one_made_good_is_no_problem(sam):
    on = call()
    command(on)
    assert len(titles(sam)) == 1

    command(on, ago_s=30, state="accepted", error="")

    assert titles(sam) == []


def test_of_a_chain_the_last_link_alone_is_told(sam):
    on = call()
    first = command(on, kind="record_stop", state="unknown")
    command(on, kind="record_stop", state="unknown", ago_s=10, follows=first)

    assert len(titles(sam)) == 1


def test_pages_go_on_where_the_last_ended_across_kinds(olga, inside):
    on = call()
    for number in range(40):
        at = (100 - number) * 10
        command(on, ago_s=at, kind="speak")
        dead(ago_s=at)

    first = page.listing(olga)
    second = page.listing(olga, after=first.after)

    keys = [line.key for line in (*first.lines, *second.lines)]
    assert len(keys) == len(set(keys)) == 80
    times = [line.since for line in (*first.lines, *second.lines)]
    assert times == sorted(times)
    assert second.after == ""
    assert 'rel="next"' in inside(olga).get("/problems/").content.decode()


def test_rows_of_one_moment_are_neither_lost_nor_repeated(olga, monkeypatch):
    monkeypatch.setattr(page, "PAGE", 3)
    at = timezone.now() - timedelta(minutes=1)
    on = call()
    for _ in range(5):
        Command.objects.filter(pk=command(on, kind="speak").pk).update(requested_at=at)
        WebhookEvent.objects.filter(pk=dead().pk).update(received_at=at)

    found, after = [], ""
    while True:
        listing = page.listing(olga, after=after)
        found += [line.key for line in listing.lines]
        after = listing.after
        if not after:
            break

    assert len(found) == len(set(found)) == 10


@pytest.mark.parametrize(
    "after", ["x", "2026-01-01T00:00:00~command~1", "2026-01-01T00:00:00Z~nothing~1", "~~", "\0"]
)
def test_a_place_that_nobody_was_given_is_a_400(olga, inside, after):
    assert inside(olga).get("/problems/", {"after": after}).status_code == 400


def test_an_unknown_kind_or_row_is_a_404(olga, inside):
    browser = inside(olga)
    assert browser.get("/problems/?kind=nothing").status_code == 404
    assert browser.post("/problems/webhook/99/retry/").status_code == 404
    assert browser.post("/problems/webhook/abc/retry/").status_code == 404
    assert browser.post(f"/problems/webhook/{uuid.uuid4().hex}/retry/").status_code == 404
    assert browser.post(f"/problems/command/{uuid.uuid4().hex}/retry/").status_code == 404


# Trying again


def test_a_dead_webhook_is_applied_again_and_the_trail_says_so(olga, inside):
    event = dead()

    inside(olga).post(f"/problems/webhook/{event.pk}/retry/")

    event.refresh_from_db()
    assert (event.state, event.attempts) == ("pending", 0)
    assert AuditRow.objects.get().subject == f"webhook event {event.event_id}"
    assert titles(olga) == []


def test_what_cannot_be_read_cannot_be_applied(olga, inside):
    event = dead(event_type="unreadable", error="not JSON")

    answer = inside(olga).post(f"/problems/webhook/{event.pk}/retry/", follow=True)

    event.refresh_from_db()
    assert event.state == "dead"
    assert "Nothing was done." in answer.content.decode()
    assert not AuditRow.objects.exists()


def test_all_of_a_kind_are_tried_again_at_one_press(olga, inside):
    for _ in range(7):
        dead()
    hopeless = dead(event_type="unreadable")

    answer = inside(olga).post("/problems/webhook/retry/", {"narrowed": "1"}, follow=True)

    assert "7 problems are tried again" in answer.content.decode()
    assert list(WebhookEvent.objects.filter(state="dead")) == [hopeless]
    assert AuditRow.objects.count() == 7
    assert answer.redirect_chain[0][0] == "/problems/?kind=webhook"


@pytest.mark.parametrize(("who", "asked"), [("sam", 1), ("olga", 0)])
def test_a_command_is_asked_again_by_those_who_control_calls(request, inside, who, asked):
    person = request.getfixturevalue(who)
    on = call(recording="on")
    failed = command(on, params={"recording_id": "r"})

    inside(person).post(f"/problems/command/{failed.pk.hex}/retry/")

    again = Command.objects.exclude(pk=failed.pk)
    assert again.count() == asked
    if asked:
        assert (again.get().kind, again.get().requested_by) == ("record_pause", person)
        assert again.get().params == {"recording_id": "r"}


def test_a_command_that_the_calls_state_rules_out_is_not_asked_again(sam, inside):
    failed = command(call(recording="off"))

    answer = inside(sam).post(f"/problems/command/{failed.pk.hex}/retry/", follow=True)

    assert Command.objects.count() == 1
    assert "The call is not being recorded." in answer.content.decode()


def test_sentences_are_never_said_again_all_at_once(sam, inside):
    command(call(), kind="speak")

    assert inside(sam).post("/problems/command/retry/").status_code == 404


def test_a_call_is_never_placed_again_from_here(sam, inside):
    failed = command(None, kind="dial", state="unknown")

    inside(sam).post(f"/problems/command/{failed.pk.hex}/retry/")

    assert Command.objects.count() == 1


def test_a_recording_is_looked_for_again(sam, inside):
    failed = recording(call())

    inside(sam).post(f"/problems/recording/{failed.pk.hex}/retry/")

    failed.refresh_from_db()
    assert failed.state == "announced"


def test_a_call_in_doubt_is_asked_about_at_once(sam, inside):
    on = call(doubted_at=timezone.now() - timedelta(minutes=5))

    inside(sam).post(f"/problems/call/{on.pk.hex}/retry/")

    on.refresh_from_db()
    assert on.probe_at <= timezone.now()


def test_a_try_that_cannot_be_written_down_does_not_happen(olga, inside, monkeypatch):
    event = dead()
    browser = inside(olga)
    browser.raise_request_exception = False

    def broken(*args, **more):
        raise RuntimeError("the trail is full")

    monkeypatch.setattr("dashboard.problem_pages.audit.record", broken)

    assert browser.post(f"/problems/webhook/{event.pk}/retry/").status_code == 500
    event.refresh_from_db()
    assert event.state == "dead"


# Dismissing


def test_a_dismissed_problem_is_gone_until_it_happens_anew(sam, olga, inside):
    failed = recording(call())

    inside(sam).post(f"/problems/recording/{failed.pk.hex}/dismiss/", {"note": "Known outage."})

    assert titles(sam) == titles(olga) == []
    assert Dismissal.objects.get().note == "Known outage."
    row = AuditRow.objects.get()
    assert (row.verb, row.details) == ("dismissed", {"note": "Known outage."})
    Recording.objects.update(since=timezone.now())
    assert len(titles(sam)) == 1


@pytest.mark.parametrize("note", ["", "  ", "no", "x" * 501])
def test_a_reason_of_the_wrong_length_dismisses_nothing(sam, inside, note):
    failed = recording(call())

    answer = inside(sam).post(
        f"/problems/recording/{failed.pk.hex}/dismiss/", {"note": note}, follow=True
    )

    assert "3 to 500 characters" in answer.content.decode()
    assert len(titles(sam)) == 1


def test_all_of_a_kind_are_dismissed_with_one_reason(olga, inside):
    for _ in range(5):
        dead()
    kept = recording(call())

    inside(olga).post("/problems/webhook/dismiss/", {"note": "Test calls."})

    assert [line.key for line in page.listing(olga).lines] == [kept.pk.hex]
    assert AuditRow.objects.filter(verb="dismissed").count() == 5


def test_a_supervisor_cannot_dismiss_what_only_operators_see(sam, inside):
    event = dead()

    answer = inside(sam).post(f"/problems/webhook/{event.pk}/dismiss/", {"note": "Away."})

    assert answer.status_code == 404
    assert not Dismissal.objects.exists()


# Counting


def test_the_count_is_asked_for_once_in_five_seconds(sam, django_assert_num_queries):
    command(call())
    assert page.count(sam) == 1

    with django_assert_num_queries(0):
        assert page.count(sam) == 1
        assert page.last_count(sam) == 1


def test_the_count_stops_where_the_exact_number_helps_nobody(olga, monkeypatch):
    monkeypatch.setattr(page, "MOST_COUNTED", 3)
    for _ in range(5):
        dead()

    assert page.count(olga) == 3


def test_the_header_tells_the_count_on_the_board(sam, lee, inside):
    command(call())

    assert '<span class="problem-count">1</span>' in inside(sam).get("/").content.decode()
    assert "problem-count" not in inside(lee).get("/").content.decode()


def test_the_page_takes_few_queries(olga, inside, django_assert_max_num_queries):
    on = call()
    for _ in range(20):
        command(on, kind="speak")
        dead()
        recording(on)
    browser = inside(olga)

    with django_assert_max_num_queries(14):
        assert browser.get("/problems/").status_code == 200


def test_a_package_adds_a_kind_by_registering_it(sam, monkeypatch):
    monkeypatch.setattr(problems, "_kinds", dict(problems._kinds))
    on = call()
    problems.register(
        Kind(
            name="pause",
            label="Pauses that were not ended",
            since="first_heard_at",
            rows=lambda person: Call.objects.all(),
            tell=lambda row, person: Told("A pause", "Telnyx refused.", "Resume it by hand."),
            subject=lambda row: f"call {row.pk}",
        )
    )

    (line,) = page.listing(sam).lines

    assert (line.kind.name, line.key, line.told.title) == ("pause", on.pk.hex, "A pause")
    with pytest.raises(problems.CannotHelp):
        page.retry(line.kind, on, sam)


def test_asking_again_goes_by_the_same_rules_as_a_press(sam):
    assert commands.why_not(call(line="ended"), "record_pause")
