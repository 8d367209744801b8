"""Banners about the line to Telnyx: each names the cause, and goes away by itself."""

import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from calls import intake, ring, skew
from calls.models import Command, Gauge, Heartbeat, Question, WebhookEvent
from dashboard import home, notices
from recordings import storage
from tests.conftest import payload, signed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alive():
    Heartbeat.objects.create(name="pump", beat_at=timezone.now())


def told():
    found = notices.notices(now=timezone.now())
    return [f"{it.level}: {it.title} {it.text} {it.remedy}" for it in found]


def command(*, ago_s=0, **columns):
    at = timezone.now() - timedelta(seconds=ago_s)
    times = dict.fromkeys(("requested_at", "expires_at", "due_at", "first_sent_at"), at)
    return Command.objects.create(
        kind="hangup", request_id=uuid.uuid4().hex, last_sent_at=at, **(times | columns)
    )


def question(name, **columns):
    return Question.objects.create(name=name, due_at=timezone.now(), **columns)


def webhook(*, ago_s):
    at = timezone.now() - timedelta(seconds=ago_s)
    return WebhookEvent.objects.create(
        event_id=uuid.uuid4().hex, event_type="call.answered", raw=b"{}", received_at=at, due_at=at
    )


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (None, "Telnyx did not answer within 2 s", "danger: Telnyx does not answer. Hang up"),
        (503, "Telnyx could not do it now: status 503", "danger: Telnyx does not answer."),
        (429, "Telnyx asks to slow down: status 429", "warning: Telnyx asks to slow down."),
    ],
)
def test_the_last_answer_of_a_command_is_told_until_a_better_one_comes(status, error, words):
    command(state="sending", http_status=status, error=error)
    assert words in told()[0]
    assert error in told()[0]

    command(state="accepted", http_status=200, accepted_at=timezone.now())

    assert told() == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "Telnyx does not answer. Asking which calls live"),
        (500, "Telnyx does not answer."),
        (429, "Telnyx asks to slow down."),
        (401, "Telnyx does not accept the API key. Asking which calls live"),
        (403, "Telnyx forbids it to this account."),
    ],
)
def test_a_question_without_an_answer_is_told_where_nobody_presses_anything(status, words):
    now = timezone.now()
    asked = question(
        "board", failed_at=now, failures=1, status=status, error="No.",
        done_at=now - timedelta(minutes=1),
    )  # fmt: skip
    assert words in told()[0]

    Question.objects.filter(pk=asked.pk).update(done_at=timezone.now(), failures=0)

    assert told() == []


def test_a_refusal_of_one_command_says_nothing_of_the_line():
    command(state="failed", http_status=422, error="Telnyx refused: Call has already ended")

    assert told() == []


def test_an_old_silence_says_nothing_of_now():
    command(state="unknown", error="Telnyx did not answer within 2 s", ago_s=300)

    assert told() == []


def test_live_calls_of_which_no_webhook_told_mean_that_webhooks_do_not_arrive():
    webhook(ago_s=300)
    question("board", found_at=timezone.now(), found=2, done_at=timezone.now())
    assert "danger: Webhooks are not arriving." in told()[0]
    assert "The last one came" in told()[0]
    assert "Open Connect" in told()[0]

    webhook(ago_s=0)

    assert told() == []


def test_webhooks_found_again_are_counted():
    webhook(ago_s=0)
    question("deliveries", found_at=timezone.now(), found=12, done_at=timezone.now())

    assert "warning: Webhooks got lost. 12 webhooks that Telnyx could not deliver" in told()[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [(20, None), (-40, "warning: The clock is off. here is 40 s behind"), (130, "danger: The")],
)
def test_a_clock_that_is_off_is_told_before_signatures_fail(value, words):
    Gauge.objects.create(name="skew:here", value=value, count=9, at=timezone.now())

    assert [words in said for said in told()] == ([True] if words else [])


def test_a_figure_of_yesterday_says_nothing_of_the_clock():
    old = timezone.now() - timedelta(hours=1)
    Gauge.objects.create(name="skew:here", value=500, count=9, at=old)

    assert told() == []


def test_accepted_webhooks_measure_the_clock_and_refused_ones_do_not(client, monkeypatch):
    monkeypatch.setattr(intake, "skews", skew.Skews())
    now = timezone.now().timestamp()
    for ago_s in (41, 40, 39, 400):
        body = str(payload("call.answered", id=str(uuid.uuid4()))).encode()
        client.post(
            "/webhooks/telnyx", data=body, content_type="application/json",
            headers=signed(body, at=now - ago_s),
        )  # fmt: skip
    intake.skews.flushed = float("-inf")
    intake.skews.is_new = True
    intake.skews.flush()

    gauge = Gauge.objects.get()
    assert gauge.value == pytest.approx(40, abs=2)
    assert gauge.count == 3


def test_a_clock_far_off_makes_the_desk_unready(client):
    Gauge.objects.create(name="skew:here", value=-121, count=9, at=timezone.now())

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "-121.0 s" in answer.json()["checks"]["clock"]["detail"]


def test_a_lost_broker_is_told_and_what_goes_on(settings, monkeypatch):
    settings.REDIS_URL = "unix:///nobody/listens"
    for lane in notices.LANES:
        Heartbeat.objects.create(name=lane, beat_at=timezone.now())
    ringer = ring.Ringer()
    monkeypatch.setattr(ring, "_ringer", ringer)
    ring.broker.cache_clear()

    ringer.publish({"live": {ring.ALL}})
    assert "warning: The broker cannot be reached." in told()[0]
    monkeypatch.setattr(ring, "publish", lambda lane, named: None)
    ringer.publish({"live": {ring.ALL}})

    assert told() == []
    ring.broker.cache_clear()


def test_a_full_disk_is_told(monkeypatch):
    def full():
        raise storage.NoRoom("The media folder has 3 MB free.")

    monkeypatch.setattr(storage, "check_room", full)

    assert "danger: The disk is full. The media folder has 3 MB free. Recordings wait" in told()[0]


def test_a_database_that_cannot_be_read_is_named_with_the_remedy(client, sam, monkeypatch):
    def broken(**more):
        raise OperationalError("disk I/O error")

    client.force_login(sam)
    client.raise_request_exception = False
    monkeypatch.setattr(home.board, "conversations", broken)

    answer = client.get("/")

    assert answer.status_code == 503
    assert "The database cannot be read" in answer.content.decode()
    assert answer["Retry-After"] == "5"
