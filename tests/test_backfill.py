# ruff: noqa: F811  (a fixture of another file)
"""What Telnyx still holds is imported: once, page by page, wherever it was broken off."""

import io
import itertools
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from calls import board, reconcile
from calls.line import telnyx
from calls.models import Call
from dashboard.templatetags.desk import phone
from recordings import backfill, fetch, strangers
from recordings.models import Backfill, FoundBy, Recording, Transcript
from tests.elsewhere import ROOT, environment
from tests.loopback import Loopback, answer, fault
from tests.passes import IS_FIRST
from tests.test_holdings import past  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(transaction=True)

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 2, 1, tzinfo=UTC)


def listed(number, **more):
    """Return one of Telnyx's recordings, the n-th of an account."""
    at = SINCE + timedelta(minutes=number)
    return {
        "id": str(uuid.UUID(int=number + 1)),
        "call_leg_id": f"leg-{number}",
        "call_session_id": f"session-{number}",
        "call_control_id": f"v3:control-{number}",
        "channels": "dual",
        "status": "completed",
        "duration_millis": 2000,
        "recording_started_at": at.isoformat(),
        "recording_ended_at": (at + timedelta(seconds=2)).isoformat(),
        "created_at": (at + timedelta(seconds=3)).isoformat(),
        "from": "+13125550101",
        "to": "+18005550100",
        "download_urls": {"wav": "https://s3.amazonaws.com/telephony-recorder-prod/x.wav"},
    } | more


class Account(Loopback):
    """Telnyx's lists over HTTP, in pages of `size`; `asked` are the pages asked for."""

    def __init__(self, count=0, *, size=3):
        super().__init__()
        self.rows, self.texts, self.size = [listed(n) for n in range(count)], [], size
        self.trouble, self.asked, self.pause_s = [], [], 0.0
        self.will(self.answer)

    def answer(self, handler):
        request = self.requests[-1]
        number = int(request.query.get("page[number]", 1))
        name = request.path.rpartition("/")[2]
        self.asked.append((name, number, time.monotonic()))
        time.sleep(self.pause_s)
        if self.trouble:
            self.trouble.pop(0)(handler)
            return
        rows = self.rows if name == "recordings" else self.texts
        page = rows[(number - 1) * self.size : number * self.size]
        meta = {
            "page_number": number,
            "total_pages": -(-len(rows) // self.size),
            "total_results": len(rows),
        }
        if name != "recordings":  # counted by nobody, as at Telnyx
            meta = {"cursors": {"after": None}, "next": None}
        answer(200, {"data": page, "meta": meta})(handler)

    def pages(self, name="recordings"):
        return [number for asked, number, _ in self.asked if asked == name]


@pytest.fixture
def account(settings):
    account = Account(8)
    settings.TELNYX_BASE_URL = f"{account.url}/v2"
    telnyx.cache_clear()
    yield account
    account.stop()


@pytest.fixture
def pace():
    return backfill.Pace(1000, sleep=lambda seconds: None)


def run(pace, since=SINCE, until=UNTIL):
    job = backfill.begin(since, until)
    for _ in backfill.run(job, pace):
        pass
    return job


def command(*arguments):
    out = io.StringIO()
    call_command("backfill", *arguments, "--per-second", "50", stdout=out, stderr=out)
    return out.getvalue()


def test_everything_is_announced_once_and_says_how_it_was_found(account, pace):
    job = run(pace)

    assert (job.seen, job.new, job.total, job.part) == (8, 8, 8, "done")
    assert job.finished_at is not None
    assert account.pages() == [1, 2, 3]
    assert set(Recording.objects.values_list("state", "found_by")) == {("announced", "import")}
    recording = Recording.objects.get(recording_id=account.rows[3]["id"])
    assert recording.started_at == SINCE + timedelta(minutes=3)
    assert recording.from_number == "+13125550101"
    assert (recording.format, recording.channels) == ("wav", 2)

    again = run(pace)
    assert (again.seen, again.new) == (8, 0)
    assert Recording.objects.count() == Call.objects.count() == 8


def test_the_times_are_those_of_the_import(account, pace):
    run(pace)
    query = account.requests[0].query
    assert query["filter[created_at][gte]"] == "2026-01-01T00:00:00Z"
    assert query["filter[created_at][lte]"] == "2026-02-01T00:00:01Z"
    assert query["page[size]"] == "250"


def test_a_call_of_an_imported_recording_has_ended_and_is_never_on_the_board(
    account, pace, client, sam
):
    run(pace)
    calls = Call.objects.all()
    assert {(call.line, call.ended_inferred, call.probe_at) for call in calls} == {
        ("ended", True, None)
    }
    assert calls.get(call_leg_id="leg-2").ended_at == SINCE + timedelta(minutes=2, seconds=2)
    now = timezone.now()
    assert not Call.objects.on_board(ended_after=now - timedelta(days=1)).exists()
    assert board.conversations(now=now) == []
    client.force_login(sam)
    page = client.get(calls[0].get_absolute_url()).content.decode()
    assert phone("+13125550101") in page


def test_nothing_is_asked_of_telnyx_about_calls_that_are_long_over(account, pace):
    run(pace)
    account.asked.clear()
    reconcile.probe_due()
    assert account.asked == []


def test_a_call_that_is_known_keeps_what_is_known(account, pace, deliver):
    deliver("call.answered", call_leg_id="leg-1", call_session_id="s", call_control_id="c")
    run(pace)
    assert Call.objects.get(call_leg_id="leg-1").line == "answered"


def test_a_recent_call_is_asked_about_and_not_just_assumed_to_be_over(account, pace):
    now = timezone.now()
    account.rows = [listed(0, recording_ended_at=(now - timedelta(minutes=5)).isoformat())]
    run(pace)
    call = Call.objects.get()
    assert call.line == "unknown"
    assert call.probe_at <= timezone.now()
    assert not Call.objects.on_board(ended_after=now - timedelta(minutes=1)).exists()


def test_the_recording_of_a_conference_has_a_call_of_its_own(account, pace):
    account.rows = [listed(0, call_leg_id=None, call_control_id=None, source="conference")]
    run(pace)
    recording = Recording.objects.get()
    assert recording.call.call_leg_id == f"recording:{recording.recording_id}"
    assert recording.call.line == "ended"


def test_a_recording_of_ours_that_lacks_its_id_learns_it(account, pace, deliver):
    deliver(
        "call.recording.saved",
        call_leg_id="leg-4",
        recording_id=None,
        recording_started_at=account.rows[4]["recording_started_at"],
        recording_urls={"wav": "https://s3.amazonaws.com/telephony-recorder-prod/y.wav"},
    )
    run(pace)
    recording = Recording.objects.get(call__call_leg_id="leg-4")
    assert (recording.recording_id, recording.found_by) == (account.rows[4]["id"], "webhook")


def test_a_row_that_cannot_be_read_costs_itself_only(account, pace):
    account.rows[1] = {"id": None}
    assert run(pace).new == 7


@pytest.mark.parametrize("page", [1, 2, 3])
def test_broken_off_it_goes_on_at_the_same_page(account, pace, page):
    job = backfill.begin(SINCE, UNTIL)
    pages = backfill.run(job, pace)
    for _ in range(page - 1):
        next(pages)
    pages.close()
    account.asked.clear()

    again = backfill.begin(SINCE, UNTIL)
    assert (again.pk, again.page) == (job.pk, page)
    for _ in backfill.run(again, pace):
        pass

    assert account.pages() == list(range(page, 4))
    assert (again.seen, again.new) == (8, 8)
    assert Recording.objects.count() == 8


def test_another_time_is_another_import(account, pace):
    job = backfill.begin(SINCE, UNTIL)
    assert backfill.begin(SINCE, UNTIL + timedelta(days=1)) != job
    assert backfill.begin(SINCE + timedelta(days=1), UNTIL) != job
    assert backfill.begin(SINCE, UNTIL) == job
    assert backfill.begin(SINCE, None) == backfill.begin(SINCE, None)


def test_new_recordings_move_no_page_because_the_end_is_fixed(account, pace):
    job = backfill.begin(SINCE, None)
    assert job.until <= timezone.now()
    until = job.until
    assert backfill.begin(SINCE, None).until == until


def test_recordings_deleted_meanwhile_make_it_look_again(account, pace):
    job = backfill.begin(SINCE, UNTIL)
    pages = backfill.run(job, pace)
    next(pages)
    del account.rows[:2]  # so that two of page 2 move to page 1
    for _ in pages:
        pass
    ids = set(Recording.objects.values_list("recording_id", flat=True))
    assert {row["id"] for row in account.rows} <= ids
    assert account.pages() == [1, 2, 1, 2]


# How it asks.


def test_requests_keep_a_pace(account):
    run(backfill.Pace(20))
    times = [at for _, _, at in account.asked]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert min(gaps) > 0.04


def test_a_request_to_slow_down_is_heeded(account):
    waited = []
    account.trouble = [fault_with(429, retry_after=7), fault(503), fault(500)]
    job = run(backfill.Pace(1e6, sleep=lambda s: waited.append(s) if s > 0.5 else None))
    assert waited == [7.0, 2.0, 5.0]
    assert job.new == 8


def fault_with(status, *, retry_after):
    return answer(
        status, {"errors": [{"code": "10011", "title": "Slow down"}]}, Retry_After=str(retry_after)
    )


def test_a_wrong_key_ends_it_at_once_and_the_page_is_kept(account, pace):
    account.trouble = [fault(401, "10009", "Authentication failed")]
    with pytest.raises(CommandError, match=r"Authentication failed.*same command again"):
        command("--since", "2026-01-01", "--until", "2026-01-31")
    assert len(account.asked) == 1
    assert Backfill.objects.get().part == "recordings"


def test_telnyx_away_for_too_long_ends_it_with_a_sentence(account, monkeypatch):
    monkeypatch.setattr(backfill, "WAITS_S", (0.0,))
    account.trouble = [fault(503)] * 2
    with pytest.raises(CommandError, match="same command again"):
        command("--since", "2026-01-01")


# Texts.


def text_of(number, **more):
    return {
        "id": f"text-{number}",
        "recording_id": listed(number)["id"],
        "status": "completed",
        "transcription_text": f"Words of {number}.",
        "created_at": SINCE.isoformat(),
    } | more


def test_texts_come_too_once_and_only_those_of_recordings_that_are_known(account, pace):
    account.texts = [
        text_of(1),
        text_of(2, status="in-progress", transcription_text=""),
        text_of(99),
    ]
    job = run(pace)
    assert job.texts == 1
    transcript = Transcript.objects.get()
    assert (transcript.text, transcript.recording_key) == ("Words of 1.", listed(1)["id"])
    assert Recording.objects.get(recording_id=listed(1)["id"]).has_transcript
    assert run(pace).texts == 0
    assert Transcript.objects.count() == 1


def test_a_text_of_an_erased_recording_does_not_come_back(account, pace):
    run(pace)
    Recording.objects.update(state="deleted")
    account.texts = [text_of(1)]
    assert run(pace).texts == 0


# The files come by the normal queue, after everything newer.


def test_live_recordings_are_fetched_before_imported_ones(account, pace, deliver):
    run(pace)
    deliver("call.recording.saved", call_leg_id="live", recording_id="live")
    Recording.objects.filter(found_by="import").update(due_at=SINCE)
    order = []
    while (claimed := fetch._claim(timezone.now())) is not None:
        order.append(claimed.found_by)
    assert order == ["webhook", *["import"] * 8]


def test_the_claim_of_a_live_one_does_not_walk_through_the_imported_ones(account, pace):
    run(pace)
    if connection.vendor == "postgresql":
        pytest.skip("so few rows are read as they lie")
    due = Recording.objects.filter(state__in=Recording.WANTED, due_at__lte=timezone.now())
    for found_by in fetch.IN_TURN:
        plan = due.filter(found_by__in=found_by).order_by("due_at", "id")[:20].explain()
        assert "recording_due_by_source (found_by=? AND due_at<?)" in plan


def test_what_the_simulator_holds_is_imported_and_stored(past, pace):
    made = []
    for _ in range(3):
        leg = past.call()
        past.does(leg, "record_start", format="wav", channels="dual", transcription=True)
        past.world.say(leg, "Hello there.", past.now)
        past.wait(3)
        past.does(leg, "record_stop")
        past.wait(60)
        made += leg.recordings
    job = run(pace, since=past.now - timedelta(days=1), until=timezone.now())
    fetch.fetch_due()
    assert (job.new, job.texts) == (3, 3)
    stored = Recording.objects.filter(state="stored").values_list("recording_id", flat=True)
    assert set(stored) == {recording.id for recording in made}


# The command.


def test_the_command_shows_how_far_it_is(account):
    out = command("--since", "2026-01-01", "--until", "2026-01-31")
    assert "100%  8 of 8, 8 new, 0 texts" in out
    assert "Done." in out


def test_a_dry_run_counts_and_changes_nothing(account, pace):
    strangers.announce(telnyx().recordings(call_leg_id="x"), FoundBy.ASKING)
    Recording.objects.exclude(recording_id=account.rows[0]["id"]).delete()
    before = Recording.objects.count(), Call.objects.count()
    out = command("--since", "2026-01-01", "--dry-run")
    assert "8 of 8" in out
    assert "nothing was changed" in out
    assert (Recording.objects.count(), Call.objects.count()) == before
    assert not Backfill.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], "--since is 'yesterday', must be a day"),
        (["--since", "2026-02-30"], "--since is '2026-02-30'"),
        (["--since", "1999-01-01"], "must be a day from 2009 to today"),
        (["--since", "2030-01-01"], "must be a day from 2009 to today"),
        (["--since", "2026-03-01", "--until", "2026-01-01"], "--until lies before --since"),
    ],
)
def test_a_bad_day_is_named(arguments, said):
    with pytest.raises(CommandError) as caught:
        command(*arguments)
    assert said in str(caught.value)


def test_without_a_key_it_says_what_is_missing(settings):
    settings.TELNYX_API_KEY = ""
    with pytest.raises(CommandError, match="TELNYX_API_KEY is not set"):
        command("--since", "2026-01-01")


def test_killed_in_the_middle_and_started_again_it_brings_everything_once(account, settings):
    account.rows = [listed(number) for number in range(60)]
    account.pause_s = 0.05
    settings.TELNYX_MEDIA_ALLOW = []
    words = ["backfill", "--since", "2026-01-01", "--until", "2026-01-31", "--per-second", "50"]
    kills, enough = 0, 3 if IS_FIRST else 1
    while True:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        asked = len(account.asked)
        deadline = time.monotonic() + 60
        while kills < enough and len(account.asked) < asked + 5 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if kills == enough:
            assert process.wait(60) == 0, process.stderr.read()
            break
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        kills += 1

    job = Backfill.objects.get()
    assert (job.part, job.seen) == ("done", 60)
    assert Recording.objects.count() == 60
    assert len(account.pages()) <= 20 + 2 * kills
