"""Rules that record by themselves: once a conversation, never late, never against a person."""

import threading
import uuid
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import AuditRow
from calls import board, commands, events, rules
from calls.models import Call, Command, MediaFile, RecordRule, RuleFiring, WebhookEvent
from calls.rule_pages import failure
from tests.conftest import leg, payload

pytestmark = pytest.mark.django_db(transaction=True)

LINE = "+18005550100"
CUSTOMER = "+13125550101"
SEAT = "sip:agent12@cc.example"


def rule(**columns):
    rules.are_any.forget()
    defaults = {"name": "Sales", "voice": "AWS.Polly.Joanna", "language": "en-US"}
    return RecordRule.objects.create(**defaults | columns)


def incoming(session=None):
    return leg(**({"call_session_id": session} if session else {})), {
        "direction": "incoming",
        "from": CUSTOMER,
        "to": LINE,
    }


def outgoing(session=None, to=SEAT):
    return leg(**({"call_session_id": session} if session else {})), {
        "direction": "outgoing",
        "from": LINE,
        "to": to,
    }


@pytest.fixture
def happen(deliver):
    """Tell events of a leg, then let the rules act; return its row."""

    def happen(side, *names, **more):
        ids, ends = side
        for name in names or ("call.initiated", "call.answered"):
            deliver(name, **ids, **ends, **more)
        rules.advance_due()
        return Call.objects.filter(call_leg_id=ids["call_leg_id"]).first()

    return happen


def asked(kind="record_start"):
    return list(Command.objects.filter(kind=kind).order_by("requested_at"))


def firing():
    return RuleFiring.objects.get()


def wait(seconds):
    """Let time pass for what waits."""
    ago = timedelta(seconds=seconds)
    for row in RuleFiring.objects.filter(state__in=RuleFiring.OPEN):
        row.due_at -= ago
        row.save()
    for command in Command.objects.all():
        command.requested_at -= ago
        command.save()
    rules.advance_due()


def accepted(command):
    Command.objects.filter(pk=command.pk).update(first_sent_at=command.requested_at)
    commands.accept(command, {}, 200)
    command.refresh_from_db()


# Which calls


@pytest.mark.parametrize(
    ("columns", "does"),
    [
        ({}, True),
        ({"line": LINE}, True),
        ({"line": "+1800*"}, True),
        ({"line": "+18005550101"}, False),
        ({"line": "+49*"}, False),
        ({"direction": "incoming"}, True),
        ({"direction": "outgoing"}, False),
        ({"enabled": False}, False),
        ({"deleted_at": datetime(2026, 1, 1, tzinfo=timezone.get_default_timezone())}, False),
    ],
)
def test_a_rule_is_about_lines_and_directions(happen, columns, does):
    rule(**columns)

    happen(incoming())

    assert bool(asked()) is does


def test_the_recording_is_asked_for_by_the_desk_in_the_rules_words(happen):
    made = rule(format="wav", channels="single", transcription=False)

    call = happen(incoming())

    [command] = asked()
    assert (command.call, command.requested_by, command.rule) == (call, None, made)
    assert command.params == {"format": "wav", "channels": "single"}
    accepted(command)
    call.refresh_from_db()
    assert (call.recording, call.recording_rule) == ("on", "Sales")
    shown = board.row(board.of_call(call, now=timezone.now()), control=True)
    assert "by rule Sales" in shown
    assert "by the desk, rule “Sales”" in shown


def test_the_first_rule_that_fits_wins(happen):
    rule(name="Other line", line="+49*", position=1)
    rule(name="Second", position=3, format="mp3")
    rule(name="First", position=2, format="wav")

    happen(incoming())

    [command] = asked()
    assert (command.rule.name, command.params["format"]) == ("First", "wav")


def test_an_outgoing_call_is_recorded_on_the_customers_leg(happen):
    rule(direction="outgoing")
    agent = outgoing()
    happen(agent)
    assert asked() == []  # only the agent is there yet
    session = agent[0]["call_session_id"]

    customer = outgoing(session, to="+13125550142")
    happen(customer, "call.initiated")
    assert asked() == []
    call = happen(customer, "call.answered")

    assert [command.call for command in asked()] == [call]


# Once


def test_two_legs_and_every_repetition_are_one_recording(happen, deliver):
    rule()
    customer = incoming()
    call = happen(customer)
    agent = outgoing(customer[0]["call_session_id"])

    happen(agent, "call.initiated", "call.answered", "call.bridged")
    happen(customer, "call.answered", "call.bridged", "call.answered")
    events.replay(WebhookEvent.objects.all())
    events.apply_due()
    rules.advance_due()

    assert [command.call for command in asked()] == [call]
    assert firing().state == "asked"


def test_a_second_recording_of_the_conversation_is_not_begun(happen, sam):
    rule()
    customer = incoming()
    call = happen(customer)
    accepted(asked()[0])
    stop = commands.issue(call, "record_stop", {}, by=sam, request_id="press-1")
    accepted(stop)

    happen(outgoing(customer[0]["call_session_id"]))
    happen(customer, "call.answered")
    wait(60)

    assert len(asked()) == 1


def test_two_workers_at_once_mint_one_command(deliver):
    """Each of four workers has found the conversation due before any of them takes it."""
    rule()
    for number in range(4):
        ids, ends = incoming()
        deliver("call.initiated", **ids, **ends)
        deliver("call.answered", **ids, **ends)
        found = RuleFiring.objects.get(state="waiting")
        barrier, wrong = threading.Barrier(4), []

        def work(found=found, barrier=barrier, wrong=wrong):
            try:
                barrier.wait(10)
                with transaction.atomic():
                    rules._advance(found.pk, found.conversation)
            except Exception as exc:
                wrong.append(exc)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.refresh_from_db()
        assert wrong == []
        assert (found.state, len(asked())) == ("asked", number + 1)


STORY = [
    ("customer", "call.initiated"),
    ("customer", "call.answered"),
    ("agent", "call.initiated"),
    ("agent", "call.answered"),
    ("customer", "call.bridged"),
    ("agent", "call.bridged"),
]


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    order=st.permutations(STORY * 2),
    steps=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_in_any_order_and_however_often_it_is_one_recording(order, steps, post):
    RecordRule.objects.get_or_create(name="All")
    customer = incoming()
    sides = {"customer": customer, "agent": outgoing(customer[0]["call_session_id"])}
    ids, began = {}, timezone.now()
    for (side, name), step in zip(order, steps, strict=True):
        legs, ends = sides[side]
        event_id = ids.setdefault((side, name), str(uuid.uuid4()))
        at = (began + timedelta(seconds=0.1 * STORY.index((side, name)))).isoformat()
        post(payload(name, id=event_id, occurred_at=at, **legs, **ends))
        if step:
            events.apply_due()
            rules.advance_due()
    events.apply_due()
    rules.advance_due()

    conversation = customer[0]["call_session_id"]
    found = Command.objects.filter(kind="record_start", call__conversation=conversation)
    assert found.count() == 1
    assert found.get().call.call_leg_id == customer[0]["call_leg_id"]


# Late


def test_what_waited_here_for_a_minute_is_left_alone(happen, deliver):
    rule()
    ids, ends = incoming()
    deliver("call.initiated", **ids, **ends)
    deliver("call.answered", **ids, **ends)
    WebhookEvent.objects.update(received_at=timezone.now() - timedelta(seconds=61))

    rules.advance_due()

    assert asked() == []
    assert "The call was answered 61 s before the desk could act" in firing().reason


@pytest.mark.parametrize(("late_s", "does"), [(59, True), (62, False)])
def test_a_webhook_that_came_a_minute_late_begins_nothing(happen, late_s, does):
    """Measured against what webhooks usually take: the desk's clock may be an hour wrong."""
    rule()
    theirs = datetime.fromisoformat("2026-03-02T14:00:00+00:00")
    for _ in range(5):
        happen(outgoing(), "call.initiated", occurred_at=theirs.isoformat())
    at = (theirs - timedelta(seconds=late_s)).isoformat()

    happen(incoming(), occurred_at=at)

    assert bool(asked()) is does


def test_a_lost_answer_is_known_by_the_bridge(happen):
    rule()
    side = incoming()
    happen(side, "call.initiated")

    call = happen(side, "call.bridged")

    assert [command.call for command in asked()] == [call]


def test_a_rule_made_during_a_call_leaves_it_alone(happen):
    side = incoming()
    happen(side)
    WebhookEvent.objects.update(received_at=timezone.now() - timedelta(seconds=90))
    rule()

    happen(side, "call.bridged")

    assert asked() == []
    assert "before the desk could act" in firing().reason


def test_a_call_that_ended_meanwhile_is_not_recorded(happen, deliver):
    rule()
    ids, ends = incoming()
    for name in ("call.initiated", "call.answered", "call.hangup"):
        deliver(name, **ids, **ends)

    rules.advance_due()

    assert asked() == []
    assert firing().reason == "The call ended before it could be recorded."


# People


def test_whoever_recorded_before_decides(happen, deliver, sam):
    rule()
    ids, ends = incoming()
    deliver("call.initiated", **ids, **ends)
    deliver("call.answered", **ids, **ends)
    call = Call.objects.get()
    wanted = {"format": "mp3", "channels": "dual"}
    commands.issue(call, "record_start", wanted, by=sam, request_id="press-1")

    rules.advance_due()

    assert [command.requested_by for command in asked()] == [sam]
    assert firing().reason == "sam decides about this call's recording."


def test_an_answer_that_records_is_not_recorded_twice(happen, deliver, sam):
    rule()
    side = incoming()
    call = happen(side, "call.initiated")
    wanted = {"record": "record-from-answer"}
    commands.issue(call, "answer", wanted, by=sam, request_id="press-1")

    happen(side, "call.answered")  # Telnyx's answer to the command is still on its way

    assert asked() == []


# Announcements


def test_the_recording_begins_when_the_announcement_has_ended(happen, deliver):
    rule(announcement="speak", phrase="This call is recorded.")
    side = incoming()
    call = happen(side)
    [spoken] = asked("speak")
    assert spoken.params["payload"] == "This call is recorded."
    assert (spoken.rule.name, asked()) == ("Sales", [])
    accepted(spoken)
    happen(side, "call.speak.started", occurred_at="2026-03-02T14:00:01Z")
    assert asked() == []

    happen(side, "call.speak.ended", occurred_at="2026-03-02T14:00:04Z", status="completed")

    assert [command.call for command in asked()] == [call]
    happen(side, "call.speak.ended", occurred_at="2026-03-02T14:00:04Z")
    assert len(asked()) == 1


def test_another_sounds_end_is_not_the_announcements(happen):
    rule(announcement="speak", phrase="This call is recorded.")
    side = incoming()
    happen(side)

    happen(side, "call.speak.ended", occurred_at="2026-03-02T14:00:00Z", status="completed")

    assert asked() == []


def test_both_sides_hear_it_once_they_are_joined(happen, deliver):
    rule(announcement="play", media_name="notice", phrase="")
    ids, ends = incoming()
    for name in ("call.initiated", "call.answered", "call.bridged"):
        deliver(name, **ids, **ends)

    rules.advance_due()

    [played] = asked("playback_start")
    assert played.params == {"media_name": "notice", "target_legs": "both"}


def test_a_lost_end_holds_the_recording_up_for_so_long_only(happen):
    rule(announcement="speak", phrase="Recorded.", wait_s=10)
    happen(incoming())
    [spoken] = asked("speak")
    accepted(spoken)

    wait(9)
    assert asked() == []
    wait(1)

    assert len(asked()) == 1


@pytest.mark.parametrize("must", [True, False])
def test_a_refused_announcement(happen, must):
    made = rule(announcement="speak", phrase="Recorded.", must_be_heard=must)
    happen(incoming())
    Command.objects.update(state="failed", error="Telnyx refused: wrong voice.")

    wait(2)

    assert bool(asked()) is not must
    assert firing().state == ("failed" if must else "asked")
    assert "Telnyx refused: wrong voice." in firing().reason
    assert "wrong voice" in failure(made).why


def test_a_sound_that_does_not_exist_was_not_heard(happen):
    rule(announcement="play", media_name="gone")
    side = incoming()
    happen(side)
    [played] = asked("playback_start")
    accepted(played)

    happen(side, "call.playback.ended", status="file_not_found", media_name="gone")

    assert asked() == []
    assert firing().reason == "The announcement was not heard: Telnyx says file not found."


def test_a_rule_that_is_switched_off_during_its_announcement_records_nothing(happen):
    rule(announcement="speak", phrase="Recorded.")
    happen(incoming())
    RecordRule.objects.update(enabled=False)

    wait(30)

    assert asked() == []
    assert "switched off" in firing().reason


# Housekeeping


def test_a_conversation_that_fails_holds_up_no_other(deliver, monkeypatch):
    rule()
    for _ in range(2):
        ids, ends = incoming()
        deliver("call.initiated", **ids, **ends)
        deliver("call.answered", **ids, **ends)
    poison = RuleFiring.objects.order_by("due_at").first()
    decide = rules._decide

    def fail_once(firing, legs):
        if firing.pk == poison.pk:
            raise RuntimeError("no")
        decide(firing, legs)

    monkeypatch.setattr(rules, "_decide", fail_once)
    rules.advance_due()

    assert len(asked()) == 1
    poison.refresh_from_db()
    assert (poison.state, poison.due_at > timezone.now()) == ("waiting", True)


def test_a_second_press_hears_that_the_rule_asked_already(happen, client, sam):
    rule()
    call = happen(incoming())
    client.force_login(sam)

    page = client.post(
        f"/calls/{call.pk}/commands/record_start/",
        {"format": "mp3", "channels": "dual"},
        follow=True,
    ).content.decode()

    assert "the desk, rule “Sales” asked already at" in page
    assert len(asked()) == 1


def test_without_rules_nothing_is_written(happen):
    happen(incoming())
    assert not RuleFiring.objects.exists()


def test_conversations_that_no_rule_fits_are_forgotten(happen):
    rule(line="+49*")
    happen(incoming())
    assert rules.sweep() == 0
    RuleFiring.objects.update(answered_at=timezone.now() - timedelta(days=3))
    assert rules.sweep() == 1


def test_a_refused_start_is_asked_again_by_the_desk(happen, simulator):
    rule()
    ids = {name: value for name, value in simulator.call().items() if name in leg()}
    simulator.fault(
        action="record_start",
        do="status",
        status=422,
        times=1,
        body={"errors": [{"code": "90020", "title": "Audio has not started"}]},
    )
    happen((ids, incoming()[1]))
    commands.send_due()
    Command.objects.filter(state="requested").update(due_at=timezone.now())
    commands.send_due()

    first, again = asked()
    assert (first.state, again.state) == ("failed", "accepted")
    assert (again.follows, again.rule) == (first, first.rule)
    assert simulator.effects(ids) == ["record_start"]


# Pages


FIELDS = {
    "name": "Sales line",
    "enabled": "on",
    "line": "(800) 555-0100",
    "direction": "incoming",
    "format": "mp3",
    "channels": "dual",
    "transcription": "on",
    "transcription_language": "en-US",
    "announcement": "speak",
    "phrase": "This call is recorded.",
    "voice": "AWS.Polly.Joanna",
    "language": "en-US",
    "media_name": "",
    "wait_s": "15",
    "must_be_heard": "on",
}


def test_operators_make_change_order_and_delete_rules(client, olga, settings):
    settings.COUNTRY = "US"
    client.force_login(olga)
    assert "There are no rules yet." in client.get("/rules/").content.decode()

    page = client.post("/rules/new/", FIELDS, follow=True).content.decode()
    assert "Incoming calls of +1 800 555 0100: say" in page
    client.post("/rules/new/", FIELDS | {"name": "All", "line": "", "announcement": ""})
    first, second = RecordRule.objects.all()
    assert (first.line, first.position, second.position) == (LINE, 1, 2)

    client.post(f"/rules/{second.pk}/up/")
    assert [it.name for it in RecordRule.objects.all()] == ["All", "Sales line"]
    client.post(f"/rules/{first.pk}/off/")
    client.post(f"/rules/{first.pk}/", FIELDS | {"name": "Sales", "enabled": ""})
    client.post(f"/rules/{second.pk}/delete/")
    assert client.get(f"/rules/{second.pk}/").status_code == 404
    assert client.post(f"/rules/{first.pk}/nonsense/").status_code == 404
    assert client.get(f"/rules/{first.pk}/up/").status_code == 405

    first.refresh_from_db()
    assert (first.name, first.enabled, first.changed_by) == ("Sales", False, olga)
    assert [row.verb for row in AuditRow.objects.order_by("id")] == [
        "made a recording rule",
        "made a recording rule",
        "moved a recording rule",
        "switched off a recording rule",
        "changed a recording rule",
        "deleted a recording rule",
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"line": "12"}, "neither a number as +18005550100"),
        ({"line": "18*"}, "write the beginning of a number with its country"),
        ({"line": "+1*8"}, "and a star at the end"),
        ({"phrase": ""}, "Phrase is missing."),
        ({"phrase": "x" * 3001}, "has 3001 characters, the limit is 3000."),
        ({"voice": ""}, "Voice is missing."),
        ({"announcement": "play"}, "The name of the stored sound is missing."),
        ({"wait_s": "61"}, "less than or equal to 60"),
        ({"channels": "stereo"}, "stereo is not one of the available choices"),
    ],
)
def test_wrong_rules_are_told_apart(client, olga, wrong, said):
    client.force_login(olga)

    answer = client.post("/rules/new/", FIELDS | {"line": ""} | wrong)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not RecordRule.objects.exists()


def test_a_sound_of_the_library_goes_by_its_name(client, olga):
    now = timezone.now()
    MediaFile.objects.create(
        name="Notice",
        media_name="tapeline-notice-0123456789ab",
        path="x",
        format="mp3",
        size_bytes=1,
        duration_ms=1,
        sha256="x",
        origin="x",
        treatment="x",
        since=now,
        state="ready",
    )
    client.force_login(olga)

    post = FIELDS | {"line": "", "announcement": "play", "media_name": "notice"}
    page = client.post("/rules/new/", post, follow=True).content.decode()

    assert RecordRule.objects.get().media_name == "tapeline-notice-0123456789ab"
    assert "play <q>notice</q>, then record" in page


def test_the_page_of_a_rule_says_what_it_did(happen, client, olga, sam):
    made = rule()
    happen(incoming())
    accepted(asked()[0])
    client.force_login(olga)

    listed = client.get("/rules/").content.decode()
    page = client.get(f"/rules/{made.pk}/").content.decode()

    assert "Fired 1 time, last" in listed
    assert "Recorded: accepted by Telnyx" in page
    Command.objects.update(state="failed", error="Telnyx refused: out of funds.")
    assert "out of funds" in client.get("/rules/").content.decode()
    client.force_login(sam)
    assert client.get("/rules/").status_code == 403
