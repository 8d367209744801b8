"""The state of a call is a pure function of its facts. No database here."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from calls.fold import (
    RANKS,
    CallState,
    Event,
    Fate,
    Line,
    Order,
    Recording,
    Sound,
    fold,
)

START = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)


def event(event_type, at_s, *, id="", received_s=None, **payload):
    return Event(
        event_id=id or f"{event_type}@{at_s}",
        event_type=event_type,
        occurred_at=START + timedelta(seconds=at_s),
        received_at=START + timedelta(days=1, seconds=at_s if received_s is None else received_s),
        payload=payload,
    )


def order(kind, at_s, fate=Fate.APPLIED, **more):
    at = START + timedelta(
        days=1, seconds=at_s
    )  # our clock is a day off, and that must not matter
    return Order(
        command_id=f"{kind}@{at_s}",
        kind=kind,
        fate=fate,
        requested_at=at,
        sent_at=at,
        applied_at=at if fate is Fate.APPLIED else None,
        **more,
    )


INITIATED = event("call.initiated", 0, direction="incoming", **{"from": "+1312", "to": "+1800"})
ANSWERED = event("call.answered", 1)
BRIDGED = event("call.bridged", 2)
HANGUP = event("call.hangup", 60, hangup_cause="normal_clearing", hangup_source="caller")


def saved(at_s, started_s):
    return event(
        "call.recording.saved",
        at_s,
        recording_id=f"rec-{started_s}",
        recording_started_at=(START + timedelta(seconds=started_s)).isoformat(),
    )


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ([], Line.UNKNOWN),
        ([INITIATED], Line.RINGING),
        ([INITIATED, ANSWERED], Line.ANSWERED),
        ([INITIATED, ANSWERED, BRIDGED], Line.BRIDGED),
        ([INITIATED, ANSWERED, BRIDGED, event("call.hold", 3)], Line.HELD),
        ([INITIATED, ANSWERED, event("call.hold", 3), event("call.unhold", 4)], Line.ANSWERED),
        ([ANSWERED, BRIDGED, event("call.hold", 3), event("call.unhold", 4)], Line.BRIDGED),
        ([INITIATED, ANSWERED, BRIDGED, HANGUP], Line.ENDED),
        ([event("call.speak.started", 5)], Line.UNKNOWN),
        ([event("reconcile.alive", 5)], Line.ANSWERED),
        ([ANSWERED, BRIDGED, event("reconcile.alive", 5)], Line.BRIDGED),
        ([INITIATED, event("reconcile.ended", 9)], Line.ENDED),
    ],
)
def test_the_line_is_what_the_latest_fact_says(facts, line):
    assert fold(facts).line is line


def test_a_late_answer_does_not_revive_the_call():
    late = event("call.answered", 61)

    assert fold([INITIATED, HANGUP, late]).line is Line.ENDED


def test_a_hangup_that_telnyx_told_beats_an_end_that_we_inferred():
    state = fold([INITIATED, event("reconcile.ended", 90), HANGUP])

    assert state.ended_at == HANGUP.occurred_at
    assert not state.ended_inferred


def test_an_inferred_end_says_so():
    assert fold([INITIATED, event("reconcile.ended", 90)]).ended_inferred


ON = [order("record_start", 5)]
PAUSED = [*ON, order("record_pause", 10)]


@pytest.mark.parametrize(
    ("orders", "recording"),
    [
        ([], Recording.OFF),
        (ON, Recording.ON),
        (PAUSED, Recording.PAUSED),
        ([*PAUSED, order("record_resume", 15)], Recording.ON),
        ([*PAUSED, order("record_stop", 15)], Recording.OFF),
        ([*ON, order("record_stop", 10), order("record_start", 15)], Recording.ON),
        ([order("record_start", 5, Fate.UNKNOWN)], Recording.DOUBT),
        ([*ON, order("record_pause", 10, Fate.UNKNOWN)], Recording.DOUBT),
        ([*ON, order("record_stop", 10, Fate.UNKNOWN)], Recording.DOUBT),
        (
            [*ON, order("record_pause", 10, Fate.UNKNOWN), order("record_resume", 15)],
            Recording.ON,
        ),
        ([order("record_pause", 5)], Recording.OFF),
        ([order("dial", 0, records_from_answer=True)], Recording.ON),
    ],
)
def test_recording_follows_the_order_of_our_commands(orders, recording):
    for shuffled in itertools.permutations(orders):
        assert fold([INITIATED, ANSWERED], shuffled).recording is recording


def test_a_file_ends_its_own_recording_and_not_the_next_one():
    orders = [*ON, order("record_stop", 10), order("record_start", 15)]

    state = fold([ANSWERED, saved(16, 5)], orders)

    assert state.recording is Recording.ON
    assert state.confirmed["record_stop@10"] == saved(16, 5).event_id


def test_a_recording_that_ended_by_itself_is_off():
    assert fold([ANSWERED, saved(16, 5)], ON).recording is Recording.OFF


def test_the_same_file_told_twice_ends_one_recording():
    again = event("call.recording.saved", 17, id="again", **saved(16, 5).payload)
    orders = [*ON, order("record_stop", 10), order("record_start", 15)]

    assert fold([ANSWERED, saved(16, 5), again], orders).recording is Recording.ON


def test_the_hangup_ends_recording_and_sound():
    speaking = event("call.speak.started", 20)

    state = fold([ANSWERED, speaking, HANGUP], PAUSED)

    assert (state.recording, state.sound) == (Recording.OFF, Sound.SILENT)
    assert state.ended_while_paused


def test_one_lost_end_does_not_leave_the_sound_stuck():
    first, second = event("call.speak.started", 20), event("call.playback.started", 30)

    state = fold([ANSWERED, first, second, event("call.playback.ended", 40)])

    assert state.sound is Sound.SILENT


def test_an_overlay_that_ends_leaves_the_file_under_it_playing():
    under = event("call.playback.started", 20, media_name="music")
    over = [
        event("call.playback.started", 21, id="o1", overlay=True),
        event("call.playback.ended", 22, id="o2", overlay=True),
    ]

    state = fold([ANSWERED, under, *over])

    assert (state.sound, state.sound_medium) == (Sound.PLAYING, "music")


def test_an_event_that_came_before_the_order_was_sent_does_not_confirm_it():
    by_others = event("call.speak.started", 20, received_s=20)
    ours = event("call.speak.started", 30, received_s=30)

    state = fold([ANSWERED, by_others, ours], [order("speak", 25)])

    assert state.confirmed == {"speak@25": ours.event_id}


def test_an_unanswered_stop_is_not_confirmed_by_what_the_hangup_ended():
    start, stop = order("record_start", 5), order("record_stop", 50, Fate.UNKNOWN)

    assert fold([ANSWERED, HANGUP, saved(61, 5)], [start, stop]).confirmed == {}
    stopped = saved(51, 5)
    assert fold([ANSWERED, stopped, HANGUP], [start, stop]).confirmed == {
        stop.command_id: stopped.event_id
    }


@pytest.mark.parametrize(
    ("status", "is_proof"), [("completed", False), ("call_hangup", False), ("cancelled", True)]
)
def test_an_unanswered_stop_of_a_sound_is_not_confirmed_by_a_natural_end(status, is_proof):
    ended = event("call.playback.ended", 30, status=status)

    state = fold([ANSWERED, ended], [order("playback_stop", 25, Fate.UNKNOWN)])

    assert bool(state.confirmed) == is_proof


def test_playback_is_confirmed_by_its_own_medium():
    other = event("call.playback.started", 30, media_name="jingle")
    ours = event("call.playback.started", 31, media_name="music")

    state = fold([ANSWERED, other, ours], [order("playback_start", 25, medium="music")])

    assert state.confirmed == {"playback_start@25": ours.event_id}


def test_two_sentences_are_confirmed_by_two_starts():
    heard = [event("call.speak.started", 30), event("call.speak.started", 35)]

    state = fold([ANSWERED, *heard], [order("speak", 25), order("speak", 26)])

    assert list(state.confirmed.values()) == [fact.event_id for fact in heard]


@pytest.mark.parametrize("payload", [{}, {"from": 7}, {"direction": []}, {"hangup_cause": {}}])
def test_a_fact_with_a_mad_payload_changes_nothing_else(payload):
    mad = [event(kind, 3, id=kind, **payload) for kind in RANKS if kind != "reconcile.ended"]

    assert isinstance(fold([INITIATED, *mad], PAUSED), CallState)


def test_no_order_and_no_repetition_of_the_facts_matters():
    facts = [INITIATED, ANSWERED, BRIDGED, event("call.hold", 30), saved(40, 5), HANGUP]
    expected = fold(facts, PAUSED)
    dice = random.Random(4)

    for shuffled in itertools.permutations(facts):
        told = [*shuffled, *dice.choices(facts, k=3)]
        assert fold(told, PAUSED) == expected
