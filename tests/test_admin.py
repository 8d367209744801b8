"""The operators' room: who enters, what is masked, and what a replay does."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from access.models import AuditRow
from calls import admin as desk_admin
from calls import events
from calls.masking import masked, masked_body
from calls.models import Call, Command, Heartbeat, Refusal, WebhookEvent

pytestmark = pytest.mark.django_db

INBOX = "/admin/calls/webhookevent/"


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


def event_row(event_id="event-1", **changes):
    now = timezone.now()
    body = {"data": {"event_type": "call.initiated", "payload": {"from": "+13129457420"}}}
    values = {
        "event_id": event_id,
        "event_type": "call.initiated",
        "call_leg_id": "leg-1",
        "raw": json.dumps(body).encode(),
        "received_at": now,
        "due_at": now,
        "state": WebhookEvent.State.APPLIED,
    }
    return WebhookEvent.objects.create(**values | changes)


# Who enters


@pytest.mark.parametrize("path", ["webhookevent", "command", "call", "refusal", "heartbeat"])
def test_only_operators_with_the_staff_flag_see_the_evidence(client, sam, olga, path):
    address = f"/admin/calls/{path}/"
    sam.is_staff = True
    sam.save()

    client.force_login(sam)
    assert client.get(address).status_code == 403

    client.force_login(olga)
    assert client.get(address).status_code == 200

    olga.is_staff = False
    olga.save()
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("path", ["webhookevent", "command", "call", "refusal", "heartbeat"])
def test_evidence_cannot_be_added_changed_or_deleted(operator, path):
    event = event_row()

    assert operator.get(f"/admin/calls/{path}/add/").status_code == 403
    assert operator.post(f"{INBOX}{event.pk}/change/", {"state": "dead"}).status_code == 403
    assert operator.post(f"{INBOX}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    event.refresh_from_db()
    assert event.state == WebhookEvent.State.APPLIED


@pytest.mark.parametrize("path", ["user/", "group/"])
def test_operators_see_accounts_and_roles_and_superusers_change_them(client, operator, olga, path):
    assert operator.get(f"/admin/auth/{path}").status_code == 200
    assert operator.get(f"/admin/auth/{path}add/").status_code == 403

    olga.is_superuser = True
    olga.save()
    assert client.get(f"/admin/auth/{path}add/").status_code == 200


def test_an_operator_gives_nobody_rights_or_passwords(operator, olga, sam):
    everything = {"username": "olga", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    password = {"password1": "quite another password", "password2": "quite another password"}

    assert operator.post(f"/admin/auth/user/{olga.pk}/change/", everything).status_code == 403
    assert operator.post(f"/admin/auth/user/{sam.pk}/password/", password).status_code == 403

    olga.refresh_from_db()
    sam.refresh_from_db()
    assert not olga.is_superuser
    assert sam.check_password("a long enough password")


# The inbox


def test_the_inbox_lists_the_newest_first_with_a_few_queries(
    operator, django_assert_max_num_queries
):
    for number in range(60):
        event_row(f"event-{number}")

    with django_assert_max_num_queries(8):  # session, user, groups, count, rows; none per row
        page = operator.get(INBOX)

    listed = [row.event_id for row in page.context["cl"].result_list]
    assert listed[0] == "event-59"
    assert len(listed) == 50


def test_the_inbox_never_counts_past_the_cap(operator, monkeypatch):
    monkeypatch.setattr(desk_admin, "MOST_COUNTED", 55)
    for number in range(60):
        event_row(f"event-{number}")

    assert operator.get(INBOX).context["cl"].result_count == 55


def test_the_inbox_reads_no_bodies_for_its_list(operator, django_assert_num_queries):
    event_row()

    rows = operator.get(INBOX).context["cl"].result_list

    assert "raw" in rows[0].get_deferred_fields()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=event-2", {"event-2"}),
        ("q=leg-9", {"event-2"}),
        ("q=leg", set()),
        ("state__exact=dead", {"event-3"}),
        ("event_type=call.hangup", {"event-2"}),
        ("source__exact=reconcile", {"event-3"}),
        ("received_at__gte=2099-01-01+00:00:00%2B00:00", set()),
    ],
)
def test_the_inbox_is_searched_and_filtered(operator, query, found):
    event_row("event-1")
    event_row("event-2", event_type="call.hangup", call_leg_id="leg-9")
    event_row("event-3", state="dead", source="reconcile")

    page = operator.get(f"{INBOX}?{query}")

    assert {row.event_id for row in page.context["cl"].result_list} == found


def test_the_detail_shows_the_error_and_the_body_masked(operator):
    event = event_row(state="dead", error="ValueError: odd")

    page = operator.get(f"{INBOX}{event.pk}/change/").content.decode()

    assert "ValueError: odd" in page
    assert "•••••••7420" in page
    assert "3129457420" not in page


# Replay


def test_the_replay_button_queues_the_event_again_and_says_who_did(operator, olga):
    event = event_row(state="dead", attempts=5, error="ValueError: odd")
    page = operator.get(f"{INBOX}{event.pk}/change/").content.decode()
    address = reverse("admin:calls_webhookevent_replay", args=[event.pk])
    assert f'action="{address}"' in page

    answer = operator.post(address, follow=True)

    event.refresh_from_db()
    assert (event.state, event.attempts, event.error) == ("pending", 0, "")
    assert "1 event is queued again." in answer.content.decode()
    row = AuditRow.objects.get()
    assert (row.name, row.verb, row.subject) == ("olga", "replayed", "webhook event event-1")


def test_a_replay_needs_a_post_and_an_operator(client, operator, sam):
    event = event_row(state="dead")
    address = reverse("admin:calls_webhookevent_replay", args=[event.pk])

    assert operator.get(address).status_code == 405

    sam.is_staff = True
    sam.save()
    client.force_login(sam)
    assert client.post(address).status_code == 403
    event.refresh_from_db()
    assert event.state == "dead"


def test_the_selected_events_are_replayed_and_folded_to_the_same_call(operator, deliver):
    deliver("call.initiated")
    deliver("call.answered")
    before = Call.objects.values().get()
    chosen = list(WebhookEvent.objects.values_list("pk", flat=True))

    operator.post(INBOX, {"action": "replay_selected", "_selected_action": chosen})

    assert WebhookEvent.objects.filter(state="pending").count() == 2
    assert events.apply_due() == 2
    after = Call.objects.values().get()
    assert after == before
    assert AuditRow.objects.get().details["ids"]


def test_too_many_events_are_not_replayed_at_once(operator, monkeypatch):
    monkeypatch.setattr(desk_admin, "MOST_REPLAYED", 2)
    chosen = [event_row(f"event-{number}").pk for number in range(3)]

    answer = operator.post(
        INBOX, {"action": "replay_selected", "_selected_action": chosen}, follow=True
    )

    assert "More than 2 events" in answer.content.decode()
    assert not WebhookEvent.objects.filter(state="pending").exists()
    assert not AuditRow.objects.exists()


def test_an_event_is_not_replayed_when_the_audit_row_cannot_be_kept(operator, monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("disk full")

    monkeypatch.setattr(desk_admin, "record", full)
    event = event_row(state="dead")

    with pytest.raises(RuntimeError):
        operator.post(reverse("admin:calls_webhookevent_replay", args=[event.pk]))

    event.refresh_from_db()
    assert event.state == "dead"


# The other tables


def test_a_command_is_found_by_its_own_id_and_its_words_are_hidden(operator, sam):
    now = timezone.now()
    call = Call.objects.create(
        call_leg_id="leg-1", conversation="leg-1", from_number="+13129457420"
    )
    said = Command.objects.create(
        call=call,
        kind="speak",
        request_id="press-1",
        params={"payload": "Your balance is low", "voice": "female"},
        requested_by=sam,
        requested_at=now,
        expires_at=now + timedelta(seconds=10),
        due_at=now,
    )
    Command.objects.create(
        call=call,
        kind="hangup",
        request_id="press-2",
        requested_by=sam,
        requested_at=now,
        expires_at=now,
        due_at=now,
    )

    page = operator.get(f"/admin/calls/command/?q={said.pk}")
    assert [row.pk for row in page.context["cl"].result_list] == [said.pk]
    assert operator.get("/admin/calls/command/?q=leg-1").context["cl"].result_count == 2

    detail = operator.get(f"/admin/calls/command/{said.pk}/change/").content.decode()
    assert "female" in detail
    assert "Your balance" not in detail


def test_a_call_is_found_by_its_id_its_leg_and_its_session(operator):
    call = Call.objects.create(call_leg_id="leg-1", conversation="session-1")
    Call.objects.create(call_leg_id="leg-2", conversation="session-2")

    for word in (call.pk, "leg-1", "session-1"):
        page = operator.get(f"/admin/calls/call/?q={word}")
        assert [row.pk for row in page.context["cl"].result_list] == [call.pk]
    assert operator.get(f"/admin/calls/call/{call.pk}/change/").status_code == 200


def test_the_small_tables_open(operator):
    refusal = Refusal.objects.create(
        reason="signature", hour=timezone.now(), count=3, last_at=timezone.now()
    )
    beat = Heartbeat.objects.create(name="pump", beat_at=timezone.now())

    assert operator.get(f"/admin/calls/refusal/{refusal.pk}/change/").status_code == 200
    assert operator.get(f"/admin/calls/heartbeat/{beat.pk}/change/").status_code == 200


# Masking


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"from": "+13129457420"}, {"from": "+•••••••7420"}),
        ({"to": 13129457420}, {"to": "•••••••7420"}),
        ({"from": "sip:13129457420@example"}, {"from": "sip:•••••••7420@example"}),
        ({"to": "123"}, {"to": "123"}),
        ({"note": "call 3129457420 back"}, {"note": "call ••••••7420 back"}),
        ({"digit": "5"}, {"digit": "(hidden)"}),
        ({"digits": 1234}, {"digits": "(hidden)"}),
        ({"client_state": "c2VjcmV0"}, {"client_state": "(hidden)"}),
        ({"client_state": None}, {"client_state": None}),
        (
            {"transcription_data": {"transcript": "hi"}},
            {"transcription_data": {"transcript": "(hidden)"}},
        ),
        ({"transcription_text": "hi"}, {"transcription_text": "(hidden)"}),
        ({"payload": {"status": "ok"}}, {"payload": {"status": "ok"}}),
        ({"payload": "say this"}, {"payload": "(hidden)"}),
        ({"overlay": [{"body": "hi"}]}, {"overlay": [{"body": "(hidden)"}]}),
        (
            {"recording_urls": {"mp3": "https://store.example/a.mp3?X-Amz-Signature=secret"}},
            {"recording_urls": {"mp3": "https://store.example/a.mp3?(hidden)"}},
        ),
        (
            {"call_leg_id": "12345678-b1d4-11f0-9e1b-024201234567"},
            {"call_leg_id": "12345678-b1d4-11f0-9e1b-024201234567"},
        ),
        ({"connection_id": "2684641123236054244"}, {"connection_id": "2684641123236054244"}),
        (
            {"occurred_at": "2026-03-02T15:04:05.521992Z"},
            {"occurred_at": "2026-03-02T15:04:05.521992Z"},
        ),
        ({"duration_millis": 123456789}, {"duration_millis": 123456789}),
    ],
)
def test_what_is_private_is_hidden_and_what_is_needed_stays(value, shown):
    assert masked(value) == shown


def test_a_body_that_cannot_be_parsed_is_not_shown():
    text = masked_body(b"\xff +13129457420")

    assert text.startswith("14 bytes that are not shown")
    assert "7420" not in text
