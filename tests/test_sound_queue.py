"""What sounds on a leg and what waits, from commands and facts alone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calls import commands
from calls.models import Call, Command
from calls.sounds import queue
from tests.conftest import leg
from tests.test_call_pages import body, text, url

OLD = timedelta(seconds=30)


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def call(db, simulator, deliver):
    """A call that lives in the simulator and is known to the desk."""
    ids = {name: value for name, value in simulator.call().items() if name in leg()}
    deliver("call.initiated", **ids)
    deliver("call.answered", **ids)
    return Call.objects.get(call_leg_id=ids["call_leg_id"])


@pytest.fixture
def ask(call, sam):
    """Ask for something, and have it sent."""

    def ask(kind, **params):
        made = commands.issue(call, kind, params, by=sam, request_id=f"r{Command.objects.count()}")
        commands.send_due()
        made.refresh_from_db()
        return made

    return ask


@pytest.fixture
def tell(call, deliver):
    """Deliver an event of the leg, each a second after the one before."""
    begun, count = timezone.now(), 0

    def tell(name, **more):
        nonlocal count
        count += 1
        ids = {key: getattr(call, key) for key in leg()}
        at = (begun + timedelta(seconds=count)).isoformat()
        deliver(name, **ids, occurred_at=at, **more)

    return tell


def say(ask, words, **more):
    return ask("speak", payload=words, voice="AWS.Polly.Joanna", **more)


def shown(call):
    call.refresh_from_db()
    return [(item.stage.value, item.what) for item in queue.of(call)]


def test_nothing_was_asked_and_nothing_waits(call):
    assert shown(call) == []


def test_sounds_queue_in_the_order_in_which_they_were_asked(call, ask, tell):
    say(ask, "One")
    say(ask, "Two")
    assert shown(call) == [("waiting", "One"), ("waiting", "Two")]

    tell("call.speak.started")
    assert shown(call) == [("sounding", "One"), ("waiting", "Two")]

    tell("call.speak.ended")
    tell("call.speak.started")
    assert shown(call) == [("sounding", "Two")]

    tell("call.speak.ended")
    assert shown(call) == []


def test_stop_all_takes_out_what_waits_and_the_end_takes_out_what_sounds(call, ask, tell):
    say(ask, "One")
    say(ask, "Two")
    tell("call.speak.started")

    ask("playback_stop", stop="all")

    assert shown(call) == [("sounding", "One")]
    tell("call.speak.ended", status="cancelled")
    assert shown(call) == []


def test_stop_current_leaves_what_waits(call, ask, tell):
    say(ask, "One")
    say(ask, "Two")
    tell("call.speak.started")

    ask("playback_stop", stop="current")
    tell("call.speak.ended", status="cancelled")

    assert shown(call) == [("waiting", "Two")]


def test_a_sound_that_stops_all_first_stands_alone(call, ask, tell):
    say(ask, "One")
    say(ask, "Two")

    ask("playback_start", media_name="tapeline-on-hold-0123456789ab", stop="all")

    assert shown(call) == [("waiting", "on hold")]


def test_what_was_taken_out_is_not_confirmed_by_the_next_ones_start(call, ask, tell):
    one, two = say(ask, "One"), say(ask, "Two")
    tell("call.speak.started")
    ask("playback_stop", stop="all")
    tell("call.speak.ended", status="cancelled")

    three = say(ask, "Three")
    tell("call.speak.started")

    states = [Command.objects.get(pk=it.pk).state for it in (one, two, three)]
    assert states == ["confirmed", "accepted", "confirmed"]
    assert shown(call) == [("sounding", "Three")]


def test_what_was_taken_out_is_called_so_and_not_late(call, ask, tell, supervisor):
    say(ask, "One")
    say(ask, "Two")
    tell("call.speak.started")
    ask("playback_stop", stop="all")
    tell("call.speak.ended", status="cancelled")
    Command.objects.filter(kind="speak").update(accepted_at=timezone.now() - OLD)

    commands.watch()

    page = text(body(supervisor.get(url(call))))
    assert "Taken out of the queue. It still waited for its turn" in page
    assert "Accepted, but not confirmed" not in page


def test_a_lost_end_is_told_by_the_next_start(call, ask, tell):
    say(ask, "One")
    tell("call.speak.started")
    say(ask, "Two")

    tell("call.speak.started")

    assert shown(call) == [("sounding", "Two")]


def test_a_lost_start_does_not_wait_for_ever(call, ask, tell):
    say(ask, "One")
    ask("playback_start", media_name="apology")

    tell("call.playback.started", media_name="apology", media_url=None)

    assert shown(call) == [("sounding", "apology")]


def test_a_mixed_sound_stands_beside_the_others(call, ask, tell):
    ask("playback_start", media_name="hold-music", loop="infinity")
    tell("call.playback.started", media_name="hold-music", overlay=False)
    ask("playback_start", media_name="apology", overlay=True)
    tell("call.playback.started", media_name="apology", overlay=True)
    assert shown(call) == [("sounding", "hold-music"), ("sounding", "apology")]

    tell("call.playback.ended", media_name="apology", overlay=True)

    assert shown(call) == [("sounding", "hold-music")]


def test_what_others_play_is_shown_as_theirs(call, tell):
    tell("call.playback.started", media_name="menu", media_url=None)

    assert shown(call) == [("elsewhere", "menu")]


def test_what_was_refused_is_in_no_queue(call, ask, simulator):
    simulator.fault(action="speak", do="status", status=422, times=1)
    say(ask, "One")

    assert shown(call) == []


def test_an_ended_call_has_no_queue(call, ask, tell):
    say(ask, "One")
    tell("call.hangup")

    assert shown(call) == []


def test_the_queue_takes_two_queries(call, ask, django_assert_num_queries):
    for words in "abcdef":
        say(ask, words)

    with django_assert_num_queries(2):
        queue.of(call)


def test_the_queue_is_a_page_a_dialog_and_a_part_of_the_call(call, ask, tell, client, sam, lee):
    say(ask, "One moment.")
    tell("call.speak.started")
    address = f"/calls/{call.pk}/sounds/"
    client.force_login(sam)

    page = body(client.get(address))
    dialog = client.get(address, headers={"HX-Request": "true"})
    board = body(client.get("/"))

    assert "One moment." in page
    assert "Stop current" in page
    assert dialog["Desk-Target"] == "#dialog-body"
    assert f'hx-get="{address}"' in board
    assert "One moment." in body(client.get(url(call) + "?part=sounds"))

    client.force_login(lee)
    page = body(client.get(address))
    assert "One moment." in page
    assert "Stop current" not in page


def test_a_stop_of_the_queue_is_a_command(call, ask, tell, supervisor):
    say(ask, "One")
    tell("call.speak.started")

    supervisor.post(url(call, "playback_stop"), {"stop": "current"})

    assert Command.objects.get(kind="playback_stop").params == {"stop": "current"}
