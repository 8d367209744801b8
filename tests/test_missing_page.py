"""The page of what is missing: what, since when, why, what to do, and a button that does it."""

import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls.models import Call, Command
from recordings import outcomes, reconcile, scrub, trouble
from recordings.models import Recording, Sweep
from recordings.views import missing
from tests.test_recording_pages import make, make_call

pytestmark = pytest.mark.django_db

PAGE = "/recordings/missing/"


@pytest.fixture
def sam_in(client, sam):
    client.force_login(sam)
    return client


def start(call=None, *, minutes_ago=60, **more):
    """Return an accepted start of a recording."""
    at = timezone.now() - timedelta(minutes=minutes_ago)
    given = {
        "call": call or make_call(from_number="+12125550177", to_number="+18005550101"),
        "kind": "record_start",
        "request_id": str(uuid.uuid4()),
        "state": "accepted",
        "requested_at": at,
        "accepted_at": at,
        "first_sent_at": at,
        "expires_at": at,
        "due_at": at,
    }
    return Command.objects.create(**(given | more))


def page(client, **query):
    answer = client.get(PAGE, query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"state": "missing", "reason": "Telnyx has no recording."}, "If Telnyx made one after"),
        ({"state": "failed", "reason": "No room at Telnyx.", "urls": {"wav": "x"}}, "Remove the"),
        ({"state": "failed", "recording_id": "", "path": ""}, "Telnyx made no file."),
        ({"state": "corrupt", "reason": "One bit."}, "Put the file back from a backup"),
        ({"state": "corrupt", "due_at": timezone.now()}, "being asked for another copy"),
        ({"state": "waiting_space", "reason": "Full.", "due_at": timezone.now()}, "Free disk"),
        ({"state": "announced", "failures": 2, "due_at": timezone.now()}, "tried again by itself"),
    ],
)
def test_each_kind_says_what_to_do(sam_in, columns, said):
    recording = make(**columns)
    shown = page(sam_in)
    assert said in shown
    assert recording.get_absolute_url() in shown
    assert columns.get("reason", "") in shown


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "stored"},
        {"state": "deleted"},
        {"state": "announced", "due_at": timezone.now()},
        {"state": "fetching", "failures": 1, "due_at": timezone.now()},
    ],
)
def test_what_is_stored_deleted_or_just_on_its_way_is_not_missing(sam_in, columns):
    make(**columns)
    assert "Nothing is missing" in page(sam_in)


def test_the_counts_are_of_the_last_thirty_days(sam_in):
    now = timezone.now()
    for _ in range(3):
        make(state="stored", started_at=now - timedelta(days=1))
    make(state="missing", started_at=now - timedelta(days=29))
    make(state="missing", started_at=now - timedelta(days=31))
    counts = {state: count for state, _, count in sam_in.get(PAGE).context["counts"]}
    assert (counts["stored"], counts["missing"], counts["failed"]) == (3, 1, 0)


def test_a_count_leads_to_as_many_in_the_library(sam_in):
    for days in (1, 29, 40):
        make(state="missing", started_at=timezone.now() - timedelta(days=days))
    shown = page(sam_in)
    address = re.search(r'href="(/recordings/\?state=missing[^"]*)"', shown)[1]
    assert len(sam_in.get(unescape(address)).context["recordings"]) == 2


def test_open_starts_are_listed_until_they_have_their_recording(sam_in):
    begun = start()
    shown = page(sam_in)
    assert "Starts that are still open" in shown
    assert "it may still run" in shown
    assert begun.call.get_absolute_url() in shown

    Call.objects.update(line="ended", closed_at=timezone.now())
    assert "its file should come soon" in page(sam_in)

    make(begun.call, started_by=begun)
    assert "Starts that are still open" not in page(sam_in)


@pytest.mark.parametrize("state", ["requested", "failed", "expired", "unknown"])
def test_a_start_that_telnyx_did_not_take_is_not_open(state):
    start(state=state)
    assert not outcomes.unanswered(since=timezone.now() - timedelta(days=1)).exists()


def test_older_ones_are_on_the_next_page(sam_in, monkeypatch):
    monkeypatch.setattr(missing, "PAGE", 2)
    made = [
        make(state="missing", started_at=timezone.now() - timedelta(minutes=n)) for n in range(5)
    ]
    first = sam_in.get(PAGE)
    assert [line.recording for line in first.context["lines"]] == made[:2]
    older = sam_in.get(PAGE, {"after": first.context["older"]})
    assert [line.recording for line in older.context["lines"]] == made[2:4]
    assert "every 15s" not in older.content.decode()  # a page one reads does not jump


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "9" * 19, "\u0661\u0667"])
def test_a_page_that_nobody_was_given_is_refused(sam_in, after):
    assert sam_in.get(PAGE, {"after": after}).status_code == 400


def test_it_says_when_telnyx_was_asked_and_why_it_could_not_be(sam_in):
    assert "has not been asked yet" in page(sam_in)
    now = timezone.now()
    Sweep.objects.create(name="recent", due_at=now, done_at=now, found=2)
    assert "2 recordings found that no webhook had told" in page(sam_in)
    Sweep.objects.update(error="Telnyx cannot be reached")
    assert "Telnyx could not be asked:</b> Telnyx cannot be reached" in page(sam_in)


def test_the_page_takes_few_queries(sam_in, django_assert_max_num_queries):
    for _ in range(10):
        make(state="missing", started_at=timezone.now())
        start()
    sam_in.get(PAGE)
    with django_assert_max_num_queries(12):
        sam_in.get(PAGE)


MAY = {"sam": (200, 302), "lee": (200, 403), "olga": (200, 302), "max": (403, 403)}


@pytest.mark.parametrize("who", MAY)
def test_who_may_see_it_and_who_may_have_telnyx_asked(client, request, who):
    client.force_login(request.getfixturevalue(who))
    recording = make(state="missing")
    shown = client.get(PAGE)
    asked = client.post(PAGE + "ask/")
    looked = client.post(f"{PAGE}{recording.pk}/look/")
    may_see, may_ask = MAY[who]
    assert (shown.status_code, asked.status_code, looked.status_code) == (
        may_see,
        may_ask,
        may_ask,
    )
    assert (b"Look again" in shown.content) == (may_ask == 302)
    assert AuditRow.objects.filter(verb="look again").exists() == (may_ask == 302)


def test_asking_now_makes_the_next_sweep_due(sam_in):
    Sweep.objects.create(name="recent", due_at=timezone.now() + timedelta(minutes=9))
    answer = sam_in.post(PAGE + "ask/", follow=True)
    assert "Telnyx is asked within seconds" in answer.content.decode()
    assert Sweep.objects.get().due_at <= timezone.now()


def test_looking_for_one_that_telnyx_never_told_of_asks_for_it(sam_in):
    recording = make(state="missing", recording_id="", path="", due_at=None)
    sam_in.post(f"{PAGE}{recording.pk}/look/")
    recording.refresh_from_db()
    assert recording.state == "missing"
    assert recording.due_at <= timezone.now()
    assert AuditRow.objects.get(verb="look again").subject == recording.subject


@pytest.mark.parametrize("state", ["missing", "failed"])
def test_looking_for_a_file_that_telnyx_told_of_fetches_it_again(
    sam_in, state, monkeypatch, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(trouble, "ring", rung.append)
    recording = make(state=state, path="", due_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        sam_in.post(f"{PAGE}{recording.pk}/look/")
    recording.refresh_from_db()
    assert (recording.state, rung) == ("announced", ["media"])


def test_looking_for_a_damaged_file_has_it_mended(sam_in, monkeypatch):
    recording = make(state="corrupt", due_at=None)
    sam_in.post(f"{PAGE}{recording.pk}/look/")
    looked = []
    monkeypatch.setattr(scrub, "_heal", lambda one: looked.append(one) or 0)
    scrub.heal_due()
    assert looked == [recording]


def test_a_file_that_has_come_meanwhile_is_left_alone(sam_in):
    recording = make(state="stored")
    answer = sam_in.post(f"{PAGE}{recording.pk}/look/", follow=True)
    assert "Nothing to look for: stored." in answer.content.decode()
    assert not AuditRow.objects.filter(verb="look again").exists()


def test_get_does_nothing(sam_in):
    recording = make(state="missing")
    assert sam_in.get(PAGE + "ask/").status_code == 405
    assert sam_in.get(f"{PAGE}{recording.pk}/look/").status_code == 405


def test_an_unknown_recording_is_404(sam_in):
    assert sam_in.post(f"{PAGE}{uuid.uuid4()}/look/").status_code == 404


def test_a_missing_one_is_shown_with_when_it_ran(sam_in):
    now = timezone.now()
    call = make_call(from_number="+12125550177", line="ended", closed_at=now)
    begun = start(call)
    reconcile._give_up(call, outcomes.still_open([begun])[0], now)
    recording = Recording.objects.get()
    for address in (PAGE, recording.get_absolute_url(), "/recordings/"):
        shown = " ".join(sam_in.get(address).content.decode().split())
        assert "Telnyx has no recording for this call (checked" in shown
        assert "Started <time" in shown
        assert ", stopped <time" in shown
