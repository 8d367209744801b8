"""What needs a person comes first, is marked, counted and found."""

from datetime import timedelta

import pytest

from calls import attention, board, wishes
from calls.models import LATE, Guard
from tests.test_board import NOW, call, keys, row, text, wish

pytestmark = pytest.mark.django_db


def only():
    (conversation,) = board.conversations(now=NOW)
    return conversation


def test_what_needs_a_person_comes_first_then_age():
    calm = call(heard_s=900)
    doubt = call(recording="doubt", heard_s=50)
    stuck = call(heard_s=45, doubted_at=NOW - timedelta(minutes=2))
    trouble = call(heard_s=40)
    wish(trouble, "speak", "failed")
    paused = call(recording="paused", heard_s=30, recording_since_ours=NOW - timedelta(minutes=5))
    young = call(heard_s=1)

    assert keys() == [it.conversation for it in (paused, trouble, stuck, doubt, calm, young)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"recording": "doubt"}, "Recording in doubt"),
        ({"doubted_at": NOW - timedelta(minutes=1)}, "May have ended"),
        (
            {"recording": "paused", "recording_since_ours": NOW - timedelta(seconds=120)},
            "Paused for long",
        ),
        ({"line": "ended", "ended_while_paused": True}, "Ended while paused"),
    ],
)
def test_a_row_says_why_it_needs_a_person(values, words):
    call(**values)

    html = row()

    assert f"Needs you: {words}" in text(html).replace("  ", " ")
    assert "in-problems" in html


@pytest.mark.parametrize("state", ["failed", "unknown", "timed_out", "expired"])
def test_a_command_that_went_wrong_needs_a_person_until_a_later_one_mends_it(state):
    one = call()
    wish(one, "speak", state, asked_s=20)
    assert only().attention.words == f"Say: {wishes.TROUBLE[state].lower()}"

    wish(one, "speak", "confirmed", asked_s=10)

    assert not only().attention.needs


def test_a_call_in_which_all_is_well_needs_nobody():
    one = call(recording="on")
    wish(one, "record_start", "accepted")

    assert only().attention == attention.Attention()
    assert "in-problems" not in row()


def test_a_command_that_went_wrong_on_a_call_that_is_over_needs_nobody():
    wish(call(line="ended"), "speak", "failed")

    assert not only().attention.needs


def test_a_pause_tells_when_it_will_have_lasted_for_long():
    call(recording="paused", recording_since_ours=NOW - timedelta(seconds=30))

    assert not only().attention.needs
    assert only().attention.until == NOW + timedelta(seconds=90)


def test_a_call_that_telnyx_does_not_tell_of_needs_somebody_a_minute_later():
    one = call(doubted_at=NOW - timedelta(seconds=20))

    assert not only().attention.needs
    assert only().attention.until == NOW + timedelta(seconds=40)

    type(one).objects.update(line="ended", closed_at=NOW)
    assert only().attention == attention.Attention()


def test_the_same_trouble_of_two_legs_is_said_once():
    one = call(recording="doubt")
    call(recording="doubt", conversation=one.conversation)

    assert only().attention.words == "Recording in doubt"


def test_a_watched_pause_needs_somebody_once_the_desk_should_have_resumed_it(sam):
    paused = call(recording="paused", recording_since_ours=NOW - timedelta(seconds=30))
    pause = wish(paused, "record_pause", "accepted", by=sam)
    deadline = NOW + timedelta(seconds=60)
    Guard.objects.create(
        call=paused, pause=pause, since=NOW, length_s=60, deadline=deadline, warn_at=deadline
    )

    assert not only().attention.needs
    assert only().attention.until == deadline + LATE

    Guard.objects.update(deadline=NOW - LATE, warn_at=NOW - LATE)

    assert only().attention.words == "Pause overdue"
