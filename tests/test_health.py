"""What machines ask of the desk, and what it tells whom."""

from collections import namedtuple
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from calls.models import Call, Command, Gauge, Heartbeat, Question, Refusal, WebhookEvent
from dashboard import health
from recordings import storage

pytestmark = pytest.mark.django_db

OUTSIDE = {"REMOTE_ADDR": "203.0.113.7"}
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    monkeypatch.setattr(
        storage.drafts.shutil, "disk_usage", lambda path: Usage(1 << 40, 0, 1 << 40)
    )


@pytest.fixture
def pump():
    return Heartbeat.objects.create(name="pump", beat_at=timezone.now())


def event_due(ago_s, **changes):
    at = timezone.now() - timedelta(seconds=ago_s)
    values = {"event_id": f"event-{ago_s}", "event_type": "call.initiated", "raw": b"{}"}
    return WebhookEvent.objects.create(**values | {"received_at": at, "due_at": at} | changes)


def failed(answer):
    return {name for name, check in answer.json()["checks"].items() if not check["ok"]}


# /healthz


def test_a_process_that_serves_pages_says_ok_to_anybody(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz", **OUTSIDE)

    assert (answer.status_code, answer.content) == (200, b"ok")
    assert "no-store" in answer["Cache-Control"]


def test_health_takes_no_post(client):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.post(path).status_code == 405


# /readyz


def test_a_desk_that_works_is_ready(client, pump):
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert failed(answer) == set()


def test_a_desk_without_its_pump_is_not_ready(client, pump):
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=1))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert failed(answer) == {"processes"}
    assert "pump" in answer.json()["checks"]["processes"]["detail"]


def test_a_desk_without_a_worker_is_ready_because_the_pump_works(client, pump, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert "worker:media" in answer.json()["checks"]["processes"]["detail"]


@pytest.mark.parametrize(("ago_s", "status"), [(5, 200), (40, 503)])
def test_webhooks_that_wait_too_long_make_the_desk_unready(client, pump, ago_s, status):
    event_due(ago_s)
    event_due(4000, state="applied")  # done, so nobody waits for it

    answer = client.get("/readyz")

    assert answer.status_code == status
    assert failed(answer) == ({"lanes"} if status == 503 else set())


def test_work_for_later_does_not_make_the_desk_unready(client, pump):
    event_due(-4000)

    assert client.get("/readyz").status_code == 200


def test_a_full_disk_makes_the_desk_unready(client, pump, monkeypatch):
    monkeypatch.setattr(
        storage.drafts.shutil, "disk_usage", lambda path: Usage(1 << 40, 1 << 40, 5000)
    )

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert failed(answer) == {"disk"}


def test_a_lost_database_is_a_503_and_not_an_error(client, pump, monkeypatch):
    def gone(*args, **kwargs):
        raise OperationalError("the database is gone")

    monkeypatch.setattr(Heartbeat.objects, "update_or_create", gone)
    monkeypatch.setattr(health.connection, "close", lambda: None)  # it is the test's own

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert failed(answer) == {"database"}


def test_the_outside_hears_no_details(client, pump):
    Heartbeat.objects.all().delete()

    answer = client.get("/readyz", **OUTSIDE)

    assert answer.status_code == 503
    assert answer.json() == {"ready": False}


# Who is trusted


@pytest.mark.parametrize(
    ("meta", "headers", "status"),
    [
        ({}, {}, 200),
        ({"REMOTE_ADDR": "::1"}, {}, 200),
        (OUTSIDE, {}, 401),
        ({"REMOTE_ADDR": ""}, {}, 401),
        ({}, {"x-forwarded-for": "127.0.0.1"}, 401),  # a proxy on this machine passed it on
        ({}, {"forwarded": "for=203.0.113.7"}, 401),
        (OUTSIDE, {"authorization": "Bearer the-token"}, 200),
        (OUTSIDE, {"authorization": "bearer the-token"}, 200),
        ({}, {"x-forwarded-for": "203.0.113.7", "authorization": "Bearer the-token"}, 200),
        (OUTSIDE, {"authorization": "Bearer another"}, 401),
        (OUTSIDE, {"authorization": "Basic the-token"}, 401),
        (OUTSIDE, {"authorization": "Bearer "}, 401),
    ],
)
def test_figures_are_for_this_machine_and_for_the_token(
    client, monkeypatch, meta, headers, status
):
    monkeypatch.setenv("METRICS_TOKEN", "the-token")

    assert client.get("/metrics", headers=headers, **meta).status_code == status


def test_without_a_token_in_the_settings_no_token_fits(client, monkeypatch):
    monkeypatch.delenv("METRICS_TOKEN", raising=False)

    for given in ("", "None", "the-token"):
        headers = {"authorization": f"Bearer {given}"}
        assert client.get("/metrics", headers=headers, **OUTSIDE).status_code == 401


# /metrics


def read(client):
    """Return the figures as {name with labels: value}."""
    answer = client.get("/metrics")
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_the_figures_count_what_is_there(client, sam):
    now = timezone.now()
    event_due(100)
    event_due(1, state="dead")
    event_due(2, state="applied")
    event_due(8000, state="applied", source="reconcile")
    call = Call.objects.create(call_leg_id="leg", line="answered", recording="paused")
    Command.objects.create(
        call=call,
        kind="hangup",
        state="failed",
        request_id="press",
        requested_by=sam,
        requested_at=now,
        expires_at=now,
        due_at=now,
    )
    for hour in (0, 1):
        Refusal.objects.create(
            reason="mismatch", hour=now - timedelta(hours=hour), count=3, last_at=now
        )
    Heartbeat.objects.create(name="pump", beat_at=now - timedelta(seconds=7))

    Gauge.objects.create(name="skew:here", value=-3.5, count=9, at=timezone.now())
    asked_at = timezone.now() - timedelta(seconds=40)
    Question.objects.create(name="board", due_at=asked_at, done_at=asked_at)
    figures = read(client)

    assert figures['tapeline_webhooks_stuck{state="pending"}'] == 1
    assert figures['tapeline_webhooks_stuck{state="dead"}'] == 1
    assert figures['tapeline_webhooks_last_hour{state="applied",source="webhook"}'] == 1
    assert 'tapeline_webhooks_last_hour{state="applied",source="reconcile"}' not in figures
    assert figures["tapeline_webhooks_last_received_timestamp_seconds"] == pytest.approx(
        now.timestamp() - 1, abs=1
    )
    assert figures['tapeline_refusals_total{reason="mismatch"}'] == 6
    assert figures['tapeline_commands_last_hour{kind="hangup",state="failed"}'] == 1
    assert figures['tapeline_calls_live{line="answered"}'] == 1
    assert figures['tapeline_calls_recording{recording="paused"}'] == 1
    assert figures['tapeline_recordings{state="stored"}'] == 0
    assert figures['tapeline_oldest_due_seconds{lane="events"}'] == pytest.approx(100, abs=2)
    assert figures['tapeline_oldest_due_seconds{lane="control"}'] == 0
    assert figures['tapeline_heartbeat_age_seconds{process="pump"}'] == pytest.approx(7, abs=2)
    assert figures["tapeline_live_streams"] == 0
    assert figures['tapeline_clock_skew_seconds{machine="here"}'] == -3.5
    assert figures['tapeline_question_age_seconds{question="board"}'] == pytest.approx(40, abs=2)


def test_the_figures_of_an_empty_desk_are_all_there(client, django_assert_max_num_queries):
    with django_assert_max_num_queries(17):
        figures = read(client)

    assert figures['tapeline_webhooks_stuck{state="dead"}'] == 0
    assert figures['tapeline_calls_live{line="ringing"}'] == 0


def test_a_label_cannot_break_out_of_its_quotes(client):
    Refusal.objects.create(
        reason='a"} 1\nb\\', hour=timezone.now(), count=1, last_at=timezone.now()
    )

    text = client.get("/metrics").content.decode()

    assert 'tapeline_refusals_total{reason="a\\"} 1\\nb\\\\"} 1' in text.splitlines()
