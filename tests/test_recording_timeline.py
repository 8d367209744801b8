"""Where in a file things happened: both kinds of pauses, two clocks, and what was not recorded."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from calls.models import Call, Command, WebhookEvent
from recordings import strip, timeline
from recordings.filetime import FileTime, Mode, judge, merged, total_s
from recordings.models import Recording, numbers
from recordings.peaks import levels, peaks
from tests.store import spoken

STARTED = datetime(2026, 3, 2, 15, 4, 36, tzinfo=UTC)
SKEW = timedelta(seconds=3.25)  # our clock is ahead of Telnyx's
WAY = timedelta(seconds=0.04)  # of a command or a webhook


def after(seconds):
    return STARTED + timedelta(seconds=seconds)


# The arithmetic alone


def pauses_of(draw_gaps):
    """Turn (talk, pause) lengths in ms into pauses."""
    at, found = 0, []
    for talk, pause in draw_gaps:
        start = at + talk
        found.append((after(start / 1000), after((start + pause) / 1000)))
        at = start + pause
    return found, at


LENGTHS = st.lists(st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)), max_size=8)


@given(LENGTHS, st.integers(1, 60_000), st.floats(0, 1))
def test_a_moment_outside_pauses_is_where_its_sample_went(gaps, tail, share):
    pauses, end = pauses_of(gaps)
    moment = after((end + tail) / 1000 * share)
    if any(start < moment < stop for start, stop in pauses):
        return
    recorded_before = (moment - STARTED).total_seconds() - sum(
        (stop - start).total_seconds() for start, stop in pauses if stop <= moment
    )
    omitted = FileTime(STARTED, None, pauses, Mode.OMITTED)
    silenced = FileTime(STARTED, None, pauses, Mode.SILENCED)
    assert omitted.at(moment) == pytest.approx(recorded_before, abs=1e-3)
    assert silenced.at(moment) == pytest.approx((moment - STARTED).total_seconds(), abs=1e-3)


@given(LENGTHS, st.lists(st.floats(-10, 600), min_size=2, max_size=2), st.sampled_from(Mode))
@example([(1, 1999)], [1.0, 2.0], Mode.OMITTED)
def test_later_moments_are_never_earlier_in_the_file(gaps, seconds, mode):
    pauses, _ = pauses_of(gaps)
    clock = FileTime(STARTED, 300.0, pauses, mode)
    places = [clock.at(after(one)) for one in sorted(seconds)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[1] <= 300


@given(LENGTHS)
def test_an_omitted_pause_is_one_moment_in_the_file(gaps):
    pauses, _ = pauses_of(gaps)
    clock = FileTime(STARTED, None, pauses, Mode.OMITTED)
    for start, stop in pauses:
        assert clock.at(stop) == pytest.approx(clock.at(start), abs=1e-6)


@given(
    st.integers(10_000, 7_200_000),
    st.floats(0.01, 0.9),
    st.sampled_from([Mode.OMITTED, Mode.SILENCED]),
    st.floats(-1, 1),
)
def test_the_lengths_tell_what_pauses_did(took_ms, share, mode, off):
    took_s = took_ms / 1000
    paused_s = max(2.5, took_s * share)
    file_s = took_s - paused_s if mode is Mode.OMITTED else took_s
    wobble_s = off * 0.4  # frames of an MP3, commands on their way
    if file_s + wobble_s > 0:
        assert judge(file_s + wobble_s, took_s, paused_s) is mode


@pytest.mark.parametrize(
    ("file_s", "took_s", "paused_s", "mode"),
    [
        (60, 60, 0, Mode.NONE),
        (None, 60, 5, Mode.UNKNOWN),
        (60, None, 5, Mode.UNKNOWN),
        (57, 60, 6, Mode.UNKNOWN),  # neither 54 nor 60
        (59.9, 60, 0.2, Mode.UNKNOWN),  # too short a pause to tell
        (30, 60, 10, Mode.UNKNOWN),
    ],
)
def test_lengths_that_tell_nothing_are_no_proof(file_s, took_s, paused_s, mode):
    assert judge(file_s, took_s, paused_s) is mode


def test_pauses_that_touch_count_once():
    found = merged([(after(5), after(9)), (after(1), after(6)), (after(20), after(20))])
    assert found == [(after(1), after(9))]
    assert total_s(found) == 8


# From rows


@pytest.fixture
def legs(db):
    session = str(uuid.uuid4())

    def leg(direction, caller, called, **more):
        return Call.objects.create(
            call_leg_id=str(uuid.uuid4()),
            conversation=session,
            direction=direction,
            from_number=caller,
            to_number=called,
            answered_at=after(-30),
            ended_at=after(100),
            line="ended",
            **more,
        )

    return [
        leg("incoming", "+12125550100", "+18005550101"),
        leg("outgoing", "+18005550101", "sip:dana@example.com"),
    ]


@pytest.fixture
def sam(db):
    return User.objects.create_user("sam", first_name="Sam")


def record(call, *, length_s=60.0, took_s=60.0, start_s=0.0, **more):
    now = timezone.now()
    return Recording.objects.create(
        call=call,
        recording_id=str(uuid.uuid4()),
        state="stored",
        since=now,
        announced_at=now,
        started_at=after(start_s),
        ended_at=after(start_s + took_s),
        duration_ms=round(length_s * 1000),
        channels=2,
        direction=call.direction,
        **numbers(call.from_number, call.to_number),
        **more,
    )


def press(call, kind, at_s, sam, *, state="accepted", way=WAY, why="", **params):
    """Have a command applied by Telnyx at a moment of its clock; our clock is another."""
    applied = after(at_s) + SKEW
    return Command.objects.create(
        call=call,
        kind=kind,
        params=params,
        why=why,
        requested_by=sam,
        request_id=str(uuid.uuid4()),
        requested_at=applied - way,
        first_sent_at=applied - way,
        last_sent_at=applied - way,
        accepted_at=None if state == "unknown" else applied + way,
        expires_at=applied,
        due_at=applied,
        state=state,
    )


def tell(call, event_type, at_s, **payload):
    """Have Telnyx tell of an event."""
    body = {"data": {"event_type": event_type, "id": str(uuid.uuid4()), "payload": payload}}
    return WebhookEvent.objects.create(
        event_id=body["data"]["id"],
        event_type=event_type,
        occurred_at=after(at_s),
        call_leg_id=call.call_leg_id,
        raw=json.dumps(body).encode(),
        received_at=after(at_s) + SKEW + 5 * WAY,
        due_at=after(at_s),
    )


def marks(recording, legs, kind):
    return [mark for mark in timeline.of(recording, legs).marks if mark.kind == kind]


@pytest.mark.parametrize("mode", [Mode.OMITTED, Mode.SILENCED])
def test_marks_are_where_the_sound_changes(legs, sam, tmp_path, mode):
    call = legs[0]
    gaps = [(10, 15), (30, 42), (50, 51.5)]
    # the customer talks up to each pause, the agent from each resume on
    sides = [[(start - 2, start) for start, _ in gaps], [(stop, stop + 2) for _, stop in gaps]]
    press(call, "record_start", 0, sam)
    for start, stop in gaps:
        press(call, "record_pause", start, sam)
        press(call, "record_resume", stop, sam)
    whole = np.frombuffer(spoken(60, *sides)[44:], dtype="<i2").reshape(-1, 2).copy()
    kept = np.ones(len(whole), dtype=bool)
    for start, stop in gaps:
        kept[round(start * 8000) : round(stop * 8000)] = False
    file = tmp_path / "file.wav"
    if mode is Mode.OMITTED:
        whole = whole[kept]
    else:
        whole[~kept] = 0
    file.write_bytes(spoken(len(whole) / 8000, [], [])[:44] + whole.tobytes())
    (customer, agent), pixel_s = levels(peaks(file))
    talk_ends = (np.flatnonzero(np.diff((customer > 20).astype(int)) == -1) + 1) * pixel_s
    talk_begins = (np.flatnonzero(np.diff((agent > 20).astype(int)) == 1) + 1) * pixel_s
    recording = record(call, length_s=len(whole) / 8000)

    told = timeline.of(recording, legs)

    found = [mark for mark in told.marks if mark.kind == "pause"]
    assert told.mode == mode
    for mark, ends, (start, stop) in zip(found, _last_of_runs(talk_ends), gaps, strict=True):
        assert mark.start_s == pytest.approx(ends, abs=0.1)
        assert mark.lasted_s == pytest.approx(stop - start, abs=0.1)
        resumed_s = mark.start_s if mark.end_s is None else mark.end_s
        assert np.abs(talk_begins - resumed_s).min() < 0.1


def _last_of_runs(times):
    """Return the last of times that follow each other closely: noise flickers."""
    times = np.asarray(times)
    return times[np.append(np.diff(times) > 1, True)]


def test_the_clocks_are_bridged_by_the_start_that_both_saw(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 20, sam)
    press(call, "record_resume", 25, sam)
    (mark,) = marks(record(call, length_s=55), legs, "pause")
    assert (mark.start_s, mark.end_s) == (pytest.approx(20, abs=0.01), None)
    assert (mark.title, mark.detail) == ("Recording paused by Sam", "resumed by Sam")


def test_a_slow_answer_moves_no_mark(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 20, sam, way=timedelta(seconds=2))
    press(call, "record_resume", 25, sam)
    (mark,) = marks(record(call, length_s=55), legs, "pause")
    assert mark.start_s == pytest.approx(20, abs=0.01)


def test_without_a_start_of_ours_the_webhooks_bridge_the_clocks(legs, sam):
    call = legs[0]
    tell(call, "call.answered", -20)
    press(call, "record_pause", 20, sam)
    press(call, "record_resume", 25, sam)
    (mark,) = marks(record(call, length_s=60), legs, "pause")
    assert mark.start_s == pytest.approx(20, abs=0.25)  # a webhook's way


def test_a_pause_moves_what_comes_after_it_when_it_is_left_out(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam)
    press(call, "record_resume", 20, sam)
    for at_s in (5, 15, 40):
        tell(call, "call.dtmf.received", at_s, digit="4")
    omitted = [mark.start_s for mark in marks(record(call, length_s=50), legs, "key")]
    Recording.objects.all().delete()
    silenced = [mark.start_s for mark in marks(record(call, length_s=60), legs, "key")]
    assert omitted == pytest.approx([5, 10, 30], abs=0.05)
    assert silenced == pytest.approx([5, 15, 40], abs=0.05)


def test_a_length_that_fits_neither_is_called_approximate(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam)
    press(call, "record_resume", 20, sam)
    tell(call, "call.dtmf.received", 5, digit="4")
    tell(call, "call.dtmf.received", 40, digit="4")
    recording = record(call, length_s=55)
    assert [mark.is_approximate for mark in marks(recording, legs, "pause")] == [True]
    assert [mark.is_approximate for mark in marks(recording, legs, "key")] == [False, True]


def test_trimmed_silence_makes_every_pause_approximate(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam, trim="trim-silence")
    press(call, "record_pause", 10, sam)
    press(call, "record_resume", 20, sam)
    told = timeline.of(record(call, length_s=50), legs)
    assert (told.mode, told.is_trimmed) == (Mode.UNKNOWN, True)


ENDS = {
    "record_resume": "resumed by Sam",
    "record_stop": "still paused when the recording was stopped by Sam",
    None: "still paused when the call ended",
}


@pytest.mark.parametrize("kind", ENDS)
def test_how_a_pause_ended_is_said(legs, sam, kind):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 50, sam, why="card_payment")
    if kind:
        press(call, kind, 59.9, sam)
    (mark,) = marks(record(call, length_s=50), legs, "pause")
    assert mark.detail == f"Card payment, {ENDS[kind]}"


def test_a_pause_that_telnyx_did_not_take_is_no_pause(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam, state="unknown")
    assert marks(record(call), legs, "pause") == []


def test_a_pause_belongs_to_the_recording_it_was_in(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 5, sam)
    press(call, "record_stop", 10, sam)
    press(call, "record_start", 20, sam)
    first = record(call, length_s=5, took_s=10)
    second = record(call, start_s=20, length_s=30, took_s=30)
    assert len(marks(first, legs, "pause")) == 1
    assert marks(second, legs, "pause") == []


def test_a_pause_of_another_recording_by_name_is_not_this_ones(legs, sam):
    call = legs[0]
    recording = record(call)
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam, recording_id=str(uuid.uuid4()))
    assert marks(recording, legs, "pause") == []


def test_sounds_are_spans_with_whose_wish_they_were(legs, sam):
    call = legs[0]
    begun = tell(call, "call.speak.started", 5)
    tell(call, "call.speak.ended", 8)
    tell(call, "call.playback.started", 10, media_name="hold-music")
    tell(call, "call.playback.ended", 14)
    wish = press(call, "speak", 4.9, sam)
    Command.objects.filter(pk=wish.pk).update(confirmed_by=begun, state="confirmed")
    told = timeline.of(record(call), legs).marks
    assert [(mark.kind, mark.start_s, mark.end_s, mark.detail) for mark in told] == [
        ("speak", 5, 8, "by Sam"),
        ("playback", 10, 14, "hold-music"),
    ]


def test_a_sound_whose_end_was_never_told_lasts_until_the_next_or_the_end(legs):
    call = legs[0]
    tell(call, "call.speak.started", 50)
    tell(call, "call.speak.started", 20)
    told = marks(record(call), legs, "speak")
    assert [(mark.start_s, mark.end_s) for mark in told] == [(20, 50), (50, 60)]


def test_what_was_typed_is_masked(legs):
    call = legs[0]
    tell(call, "call.dtmf.received", 7, digit="4")
    (mark,) = marks(record(call), legs, "key")
    assert (mark.start_s, mark.end_s, mark.detail) == (7, None, "•")


def test_hold_of_the_other_leg_is_shown_with_whose_it_is(legs):
    customer, agent = legs
    tell(agent, "call.hold", 20)
    tell(agent, "call.unhold", 30)
    tell(customer, "call.hold", 55)
    told = marks(record(customer), legs, "hold")
    assert [(mark.title, mark.start_s, mark.end_s) for mark in told] == [
        ("Agent on hold", 20, 30),
        ("Customer on hold", 55, 60),
    ]


def test_events_outside_the_recording_are_not_on_it(legs):
    call = legs[0]
    for at_s in (-5, 61):
        tell(call, "call.dtmf.received", at_s, digit="4")
        tell(call, "call.speak.started", at_s)
        tell(call, "call.speak.ended", at_s + 1)
    assert timeline.of(record(call), legs).marks == []


def test_a_webhook_that_cannot_be_read_changes_nothing(legs):
    call = legs[0]
    event = tell(call, "call.dtmf.received", 7)
    WebhookEvent.objects.filter(pk=event.pk).update(raw=b"{")
    assert len(marks(record(call), legs, "key")) == 1


# Sides


def test_the_caller_is_the_customer_and_is_drawn_below(legs):
    told = timeline.of(record(legs[0]), legs)
    assert [(side.name, side.number) for side in told.sides] == [
        ("Customer", "+12125550100"),
        ("Agent", "sip:dana@example.com"),
    ]
    assert told.order == [1, 0]


def test_on_the_leg_to_the_agent_the_agent_comes_first(legs):
    told = timeline.of(record(legs[1]), legs)
    assert [(side.name, side.number) for side in told.sides] == [
        ("Agent", "sip:dana@example.com"),
        ("Customer", "+12125550100"),
    ]
    assert told.order == [0, 1]


def test_whom_we_call_is_the_customer_when_nobody_called_us(legs):
    legs[0].delete()
    told = timeline.of(record(legs[1]), legs[1:])
    assert [side.name for side in told.sides] == ["Customer", "Agent"]


def test_a_person_may_swap_the_sides(legs):
    told = timeline.of(record(legs[0], sides_swapped=True), legs)
    assert [side.name for side in told.sides] == ["Agent", "Customer"]
    assert told.order == [0, 1]


# What nobody recorded


def gaps(recording, legs, *others):
    found = timeline.of(recording, legs)
    whole = sorted([recording, *others], key=lambda one: one.started_at)
    return [
        (gap.kind, round(gap.length_s))
        for gap in strip.of(recording, legs, whole, found.pauses).gaps
    ]


def test_what_was_not_recorded_is_said(legs, sam):
    call = legs[0]
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam)
    press(call, "record_resume", 15, sam)
    first, second = record(call, length_s=55), record(call, start_s=70, took_s=20, length_s=20)
    assert gaps(first, legs, second) == [
        ("first", 30),
        ("pause", 5),
        ("between", 10),
        ("last", 10),
    ]


def test_a_call_that_goes_on_has_no_end_yet(legs):
    Call.objects.update(ended_at=None, line="bridged")
    fresh = list(Call.objects.all())
    assert gaps(record(fresh[0], start_s=-30, took_s=60), fresh) == []


def test_as_long_as_one_leg_lives_the_call_has_no_end(legs):
    Call.objects.filter(pk=legs[0].pk).update(ended_at=None, line="answered")
    fresh = list(Call.objects.eldest_first())
    assert gaps(record(legs[0], start_s=-30, took_s=60), fresh) == []


def test_recordings_of_two_legs_cover_for_each_other(legs):
    first = record(legs[0], start_s=-30, took_s=70)
    second = record(legs[1], start_s=30, took_s=70)
    assert gaps(first, legs, second) == []


def test_the_strip_knows_the_next_recording(legs):
    first, second = record(legs[0]), record(legs[0], start_s=70, took_s=20)
    told = [strip.of(one, legs, [first, second], []) for one in (first, second)]
    assert [(it.current, it.next) for it in told] == [(1, second), (2, None)]
    assert [block.is_current for block in told[0].blocks] == [True, False]
    assert all(0 <= block.x <= block.x + block.width <= 1000.1 for block in told[0].blocks)
