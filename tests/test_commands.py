"""Wishes: a click, what Telnyx is asked, what the row says. Telnyx is the simulator, over HTTP."""

import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from calls import buttons, commands, projection
from calls.models import Call, Command
from simulator.core import CONNECTION_ID
from tests.conftest import leg
from tests.desk import until
from tests.passes import IS_FIRST

pytestmark = pytest.mark.django_db(transaction=True)

RECORD = {"format": "wav", "channels": "dual"}
NO_AUDIO_YET = {"errors": [{"code": "90020", "title": "Audio has not started"}]}
SAY = {"payload": "Hello.", "voice": "AWS.Polly.Joanna"}
ROUNDS = 25 if IS_FIRST else 10  # of a pause and a resume


@pytest.fixture
def call(simulator, live):
    """Return a live, answered call that the simulator knows too."""
    return live(simulator.call())


@pytest.fixture
def live(deliver):
    """Tell the desk of a call by the webhooks of its life; return its row."""

    def tell(ids, *events):
        ids = {name: ids[name] for name in leg()}
        for name in events or ("call.initiated", "call.answered", "call.bridged"):
            deliver(name, **ids)
        return Call.objects.get(call_leg_id=ids["call_leg_id"])

    return tell


def known(**columns):
    """Return a call in some state that no fact explains."""
    ids = leg()
    return Call.objects.create(
        **ids,
        conversation=ids["call_session_id"],
        **{"line": "bridged", "direction": "incoming"} | columns,
    )


def recording(call, *, by, paused=False):
    """Have the call recorded, and paused if asked."""
    press(call, "record_start", RECORD, by=by)
    commands.send_due()
    if paused:
        press(call, "record_pause", by=by)
        commands.send_due()
    call.refresh_from_db()
    assert call.recording == ("paused" if paused else "on")


def press(call, kind, params=None, *, by, request_id=None):
    request_id = request_id or str(uuid.uuid4())
    return commands.issue(call, kind, params or {}, by=by, request_id=request_id)


def effects(simulator, call):
    return simulator.effects({"call_control_id": call.call_control_id})


def later(command, seconds):
    """Let time pass for a command: everything about it happened so many seconds earlier."""
    ago = timedelta(seconds=seconds)
    for name in ("requested_at", "expires_at", "due_at", "first_sent_at", "accepted_at"):
        if getattr(command, name):
            setattr(command, name, getattr(command, name) - ago)
    command.save()


def test_a_click_becomes_a_request_and_its_answer_the_state_of_the_call(simulator, call, sam):
    command = press(call, "record_start", RECORD, by=sam)
    assert (command.state, effects(simulator, call)) == ("requested", [])

    commands.send_due()

    command.refresh_from_db()
    call.refresh_from_db()
    assert (command.state, command.http_status) == ("accepted", 200)
    assert (call.recording, call.recording_since_ours) == ("on", command.accepted_at)
    assert effects(simulator, call) == ["record_start"]


def test_a_double_click_is_one_command(simulator, call, sam):
    twice = [press(call, "speak", SAY, by=sam, request_id="press-1") for _ in range(2)]

    commands.send_due()

    assert twice[0] == twice[1]
    assert effects(simulator, call) == ["speak"]


def test_fifty_posts_of_one_press_at_once_are_one_command(simulator, call, sam):
    rows, failures = [], []

    def click():
        try:
            rows.append(press(call, "speak", SAY, by=sam, request_id="press-1").pk)
        except Exception as exc:
            failures.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commands.send_due()

    assert not failures
    assert len(set(rows)) == 1
    assert effects(simulator, call) == ["speak"]


def test_a_second_press_joins_the_first_and_knows_whose_it_is(simulator, call, sam, lee):
    press(call, "record_start", RECORD, by=sam)

    joined = press(call, "record_start", RECORD, by=lee)
    commands.send_due()

    assert joined.requested_by == sam
    assert effects(simulator, call) == ["record_start"]


def test_two_people_who_say_something_are_both_heard(simulator, call, sam, lee):
    press(call, "speak", SAY, by=sam)
    press(call, "speak", SAY, by=lee)

    commands.send_due()

    assert effects(simulator, call) == ["speak", "speak"]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"line": "ended"}, "hangup"),
        ({"line": "ringing"}, "record_start"),
        ({"line": "ringing"}, "speak"),
        ({"recording": "on"}, "record_start"),
        ({"recording": "off"}, "record_pause"),
        ({"recording": "off"}, "record_stop"),
        ({"recording": "paused"}, "record_pause"),
        ({"recording": "on"}, "record_resume"),
        ({"line": "ringing", "direction": "outgoing"}, "answer"),
        ({"line": "unknown"}, "playback_start"),
    ],
)
def test_what_the_state_rules_out_is_never_asked(sam, columns, kind):
    call = known(**columns)

    with pytest.raises(commands.NotNow):
        press(call, kind, by=sam)
    assert not Command.objects.exists()


def test_what_was_asked_in_order_is_sent_in_order(simulator, call, sam):
    for _ in range(5):
        recording(call, by=sam, paused=True)
        press(call, "record_resume", by=sam)
        press(call, "record_stop", by=sam)
        commands.send_due()

    assert effects(simulator, call) == 5 * [
        "record_start",
        "record_pause",
        "record_resume",
        "record_stop",
    ]


def test_a_command_waits_for_the_one_before_it_and_hangup_waits_for_nobody(simulator, call, sam):
    recording(call, by=sam, paused=True)
    first = press(call, "record_resume", by=sam)
    Command.objects.filter(pk=first.pk).update(due_at=timezone.now() + timedelta(seconds=30))
    press(call, "record_stop", by=sam)
    press(call, "hangup", by=sam)

    commands.send_due()

    assert effects(simulator, call) == ["record_start", "record_pause", "hangup"]


def test_an_answer_lost_after_it_took_effect_is_asked_for_again_without_a_second_effect(
    simulator, call, sam
):
    simulator.fault(action="speak", do="apply_then_drop", times=1)
    command = press(call, "speak", SAY, by=sam)

    commands.send_due()
    command.refresh_from_db()
    assert (command.state, command.may_have_applied) == ("sending", True)
    Command.objects.update(due_at=timezone.now())
    commands.send_due()

    command.refresh_from_db()
    assert (command.state, command.attempts) == ("accepted", 2)
    assert effects(simulator, call) == ["speak"]


def test_a_crash_between_sending_and_writing_has_one_effect(simulator, call, sam, monkeypatch):
    command = press(call, "speak", SAY, by=sam)
    with monkeypatch.context() as patch:
        patch.setattr(commands, "accept", lambda *args: None)  # the process dies here
        commands.send_due()
    command.refresh_from_db()
    assert command.state == "sending"

    later(command, 3)
    commands.send_due()

    command.refresh_from_db()
    assert command.state == "accepted"
    assert effects(simulator, call) == ["speak"]


def test_of_two_workers_one_takes_the_command(simulator, call, sam):
    press(call, "speak", SAY, by=sam)
    seen_by_both = [Command.objects.get(), Command.objects.get()]

    assert [commands._claim(command) for command in seen_by_both] == [True, False]


def test_a_command_whose_worker_died_may_have_taken_effect(simulator, call, sam):
    press(call, "speak", SAY, by=sam)
    commands._claim(Command.objects.get())  # and then the process was killed
    later(Command.objects.get(), 55)

    commands.send_due()

    assert Command.objects.get().state == "unknown"


def test_a_command_that_nobody_answers_for_a_minute_is_unknown_and_in_doubt(simulator, call, sam):
    simulator.fault(action="record_start", do="apply_then_drop", times=9)
    command = press(call, "record_start", RECORD, by=sam)
    commands.send_due()
    command.refresh_from_db()

    later(command, 55)
    commands.send_due()

    command.refresh_from_db()
    call.refresh_from_db()
    assert command.state == "unknown"
    assert call.recording == "doubt"
    assert len(effects(simulator, call)) == 1


def test_a_resume_that_could_not_be_sent_in_time_never_fires(simulator, call, sam):
    recording(call, by=sam, paused=True)
    command = press(call, "record_resume", by=sam)
    later(command, 6)

    commands.send_due()

    command.refresh_from_db()
    assert command.state == "expired"
    assert "5 s" in command.error
    assert effects(simulator, call) == ["record_start", "record_pause"]


def test_a_refusal_is_written_down_in_telnyx_words(simulator, call, sam):
    simulator.lever("POST", f"calls/{call.call_control_id}/hangup")
    command = press(call, "speak", SAY, by=sam)

    commands.send_due()

    command.refresh_from_db()
    call.refresh_from_db()
    assert (command.state, command.code) == ("failed", "90018")
    assert "ended" in command.error
    assert call.probe_at is not None


def test_nothing_is_sent_to_a_call_that_ended_meanwhile(simulator, call, sam):
    command = press(call, "speak", SAY, by=sam)
    Call.objects.update(line="ended")

    commands.send_due()

    command.refresh_from_db()
    assert command.state == "expired"
    assert effects(simulator, call) == []


def test_telnyx_asking_to_slow_down_delays_and_loses_nothing(simulator, call, sam):
    simulator.fault(
        action="speak", do="status", status=429, times=1, headers={"x-ratelimit-reset": "1"}
    )
    command = press(call, "speak", SAY, by=sam)

    commands.send_due()
    command.refresh_from_db()
    assert (command.state, command.may_have_applied) == ("sending", False)
    assert command.due_at > timezone.now()
    Command.objects.update(due_at=timezone.now())
    commands.send_due()

    assert effects(simulator, call) == ["speak"]


def test_a_provider_that_was_never_reached_leaves_the_command_expired(call, sam, settings):
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"
    commands.telnyx.cache_clear()
    command = press(call, "speak", SAY, by=sam)
    commands.send_due()
    command.refresh_from_db()

    later(command, 9)
    commands.send_due()

    command.refresh_from_db()
    assert command.state == "expired"


def test_recording_before_the_audio_flows_is_asked_again_as_a_linked_command(simulator, call, sam):
    simulator.fault(
        action="record_start",
        do="status",
        status=422,
        times=2,
        body=NO_AUDIO_YET,
    )
    first = press(call, "record_start", RECORD, by=sam)
    for _ in range(3):
        commands.send_due()
        Command.objects.update(due_at=timezone.now())

    chain = Command.objects.order_by("requested_at")
    assert [command.state for command in chain] == ["failed", "failed", "accepted"]
    assert chain[1].follows == first
    assert len({command.pk for command in chain}) == 3


def test_an_unanswered_stop_is_asked_again_twice_under_new_ids(simulator, call, sam):
    recording(call, by=sam)
    simulator.fault(action="record_stop", do="drop", times=99)
    press(call, "record_stop", by=sam)
    for _ in range(4):
        commands.send_due()
        for command in Command.objects.filter(state="sending"):
            later(command, 55)

    stops = Command.objects.filter(kind="record_stop")
    assert list(stops.values_list("state", flat=True)) == ["unknown"] * 3


def test_a_sentence_whose_start_never_comes_is_timed_out_and_confirmed_by_a_late_start(
    simulator, call, sam, deliver
):
    command = press(call, "speak", SAY, by=sam)
    commands.send_due()
    command.refresh_from_db()
    later(command, 6)

    assert commands.watch() == 1
    command.refresh_from_db()
    assert command.state == "timed_out"
    deliver(
        "call.speak.started",
        call_leg_id=call.call_leg_id,
        call_session_id=call.call_session_id,
    )

    command.refresh_from_db()
    assert (command.state, command.confirmed_by.event_type) == ("confirmed", "call.speak.started")


def test_a_sentence_waiting_behind_another_is_not_late(simulator, call, sam):
    command = press(call, "speak", SAY, by=sam)
    commands.send_due()
    command.refresh_from_db()
    later(command, 6)
    Call.objects.update(sound="speaking")

    assert commands.watch() == 0


def test_two_supervisors_at_once_have_one_effect_each_round(simulator, live, sam, lee):
    calls = [live(simulator.call()) for _ in range(4)]
    rounds = ["record_start", *(["record_pause", "record_resume"] * ROUNDS)][:-1]
    both = threading.Barrier(2)

    def press_all(person):
        """Press in each round at the same moment as the other, and have it sent."""
        try:
            for kind, call in itertools.product(rounds, calls):
                both.wait(20)
                try:
                    press(call, kind, RECORD if kind == "record_start" else {}, by=person)
                except commands.NotNow:
                    pass  # the other one's is done already
                commands.send_due()
                both.wait(20)  # what one of them has under way is settled before the next round
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        for done in [people.submit(press_all, person) for person in (sam, lee)]:
            done.result()

    assert [effects(simulator, call) for call in calls] == 4 * [rounds]
    assert Command.objects.count() == 4 * 2 * ROUNDS


def test_a_dialled_call_gets_its_row_from_the_answer(simulator, sam):
    params = {"to": "+13125550111", "from": "+18005550100", "connection_id": CONNECTION_ID}
    command = press(None, "dial", params, by=sam)

    commands.send_due()

    command.refresh_from_db()
    assert command.state == "accepted"
    assert command.call.call_control_id == command.answer["call_control_id"]


def test_without_an_api_key_the_row_says_what_to_set(call, sam, settings):
    settings.TELNYX_API_KEY = ""
    command = press(call, "speak", SAY, by=sam)

    commands.send_due()

    command.refresh_from_db()
    assert (command.state, "TELNYX_API_KEY" in command.error) == ("failed", True)


def test_any_2xx_settles_even_after_we_gave_up(simulator, call, sam):
    command = press(call, "record_start", RECORD, by=sam)
    Command.objects.update(state="unknown", attempts=1, first_sent_at=timezone.now())

    commands.accept(command, {}, 200)

    command.refresh_from_db()
    call.refresh_from_db()
    assert (command.state, call.recording) == ("accepted", "on")


def test_the_states_have_no_way_back(simulator, call, sam):
    command = press(call, "speak", SAY, by=sam)
    commands.send_due()
    command.refresh_from_db()
    before = (command.state, command.accepted_at)

    commands.accept(command, {}, 200)
    with transaction.atomic():
        commands._settle(command, "failed", "late doubt")
    with connection.cursor():
        projection.refold(call)

    command.refresh_from_db()
    assert (command.state, command.accepted_at) == before


def test_no_two_kinds_share_a_rule_by_accident():
    assert sorted(itertools.chain(*commands.LANES.values())) == sorted(commands.RULES)


def test_a_resume_told_to_wait_past_its_life_does_not_hold_up_the_next_pause(simulator, call, sam):
    recording(call, by=sam, paused=True)
    simulator.fault(
        action="record_resume", do="status", status=429, times=1, headers={"retry-after": "30"}
    )
    resume = press(call, "record_resume", by=sam)
    commands.send_due()
    Call.objects.update(recording="doubt")  # so that pause can be asked for
    pause = press(call, "record_pause", by=sam)

    resume.refresh_from_db()
    later(resume, 6)
    commands.send_due()

    resume.refresh_from_db()
    pause.refresh_from_db()
    assert (resume.state, resume.attempts) == ("expired", 1)
    assert (pause.attempts, pause.is_open) == (1, False)


def test_what_was_sent_before_the_call_ended_is_not_said_to_be_unsent(simulator, call, sam):
    simulator.fault(action="speak", do="apply_then_drop", times=1)
    command = press(call, "speak", SAY, by=sam)
    commands.send_due()
    Call.objects.update(line="ended")
    Command.objects.update(due_at=timezone.now())

    commands.send_due()

    command.refresh_from_db()
    assert command.state == "unknown"
    assert "before this was sent" not in command.error
    assert "before Telnyx answered" in command.error


@pytest.mark.parametrize("key", ["KEY with spaces", "KEY\u2026"])
def test_with_a_key_that_cannot_be_sent_nothing_is_in_doubt(call, sam, settings, key):
    settings.TELNYX_API_KEY = key
    commands.telnyx.cache_clear()
    command = press(call, "speak", SAY, by=sam)

    commands.send_due()

    command.refresh_from_db()
    assert command.state == "failed"
    assert "TELNYX_API_KEY" in command.error


def test_two_presses_with_long_ids_do_not_stop_the_lane(simulator, call, sam):
    simulator.fault(action="record_start", do="status", status=422, times=9, body=NO_AUDIO_YET)
    for end in ("aaaa", "bbbb"):
        press(call, "record_start", RECORD, by=sam, request_id=60 * "x" + end)
        commands.send_due()
        Command.objects.filter(state="requested").update(state="expired")

    assert Command.objects.exclude(follows=None).count() == 2


@pytest.mark.skipif(connection.vendor == "sqlite", reason="its writers wait for each other")
def test_a_2xx_and_a_doubt_at_one_moment_do_not_wait_for_each_other(simulator, call, sam):
    recording(call, by=sam)
    command = press(call, "record_pause", by=sam)
    Command.objects.filter(pk=command.pk).update(
        state="sending",
        attempts=1,
        may_have_applied=True,
        first_sent_at=timezone.now() - timedelta(seconds=55),
    )
    command = Command.objects.select_related("call").get(pk=command.pk)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Call.objects.select_for_update().get(pk=call.pk)  # as accept() begins
            doubt = pool.submit(_in_thread, commands._give_up, command, "Too late.")
            until(_somebody_waits, within_s=5, what="the doubt behind the call's lock")
            commands.accept(command, {}, 200)
        doubt.result()  # raises what the database said, were it a deadlock

    command.refresh_from_db()
    call.refresh_from_db()
    assert (command.state, call.recording) == ("accepted", "paused")


def _in_thread(work, *args):
    try:
        work(*args)
    finally:
        connection.close()


def _somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the first one
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def test_a_recording_that_never_began_can_be_started_after_its_stop_was_refused(
    simulator, call, sam
):
    simulator.fault(action="record_start", do="drop", times=1)
    lost = press(call, "record_start", RECORD, by=sam)
    commands.send_due()
    lost.refresh_from_db()
    later(lost, 55)
    commands.send_due()
    press(call, "record_stop", by=sam)
    commands.send_due()
    call.refresh_from_db()
    newest = list(call.commands.order_by("requested_at"))
    assert (call.recording, newest[-1].state) == ("doubt", "failed")
    assert buttons.slots(buttons.standing(call, newest))[0].label == "Record"

    press(call, "record_start", RECORD, by=sam)
    commands.send_due()

    call.refresh_from_db()
    assert call.recording == "on"
    assert effects(simulator, call) == ["record_start"]
