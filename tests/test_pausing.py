"""What is decided about a watched pause, on a frozen clock: no database, no network."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from calls.fold import Recording
from calls.pausing import GONE, PATIENCE, Do, Fate, Move, Step, Watched, decide

DEADLINE = datetime(2026, 3, 2, 14, 3, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PAUSED = Watched(
    deadline=DEADLINE,
    warn_at=DEADLINE - 15 * SECOND,
    is_over=False,
    recording=Recording.PAUSED,
)
WARNED = replace(PAUSED, was_warned=True)


def resume(fate, *, ours=True, **more):
    return Move("record_resume", fate, DEADLINE, is_ours=ours, **more)


def stop(fate):
    return Move("record_stop", fate, DEADLINE)


def at(it, seconds):
    """Decide so many seconds after the deadline."""
    return decide(it, DEADLINE + seconds * SECOND)


def after(*moves, **more):
    return replace(WARNED, moves=moves, **more)


@pytest.mark.parametrize(
    ("it", "seconds", "do"),
    [
        (PAUSED, -15.001, Do.WAIT),
        (PAUSED, -15, Do.WARN),
        (WARNED, -0.001, Do.WAIT),
        (WARNED, 0, Do.RESUME),
        (PAUSED, 0, Do.RESUME),
        (replace(WARNED, recording=Recording.DOUBT), 0, Do.RESUME),
        (after(resume(Fate.OPEN)), 1, Do.WAIT),
        (after(resume(Fate.UNSENT)), 6, Do.RESUME),
        (after(resume(Fate.UNSENT), resume(Fate.UNSENT)), 9.9, Do.RESUME),
        (after(resume(Fate.UNSENT), resume(Fate.OPEN)), 7, Do.WAIT),
        (after(resume(Fate.REFUSED)), 1, Do.ESCALATE),
        (after(resume(Fate.UNKNOWN), recording=Recording.DOUBT), 1, Do.ESCALATE),
        (after(resume(Fate.OPEN, ours=False)), 1, Do.WAIT),
        (after(resume(Fate.UNSENT, ours=False)), 1, Do.RESUME),
        (after(resume(Fate.REFUSED, ours=False)), 1, Do.RESUME),
        (after(resume(Fate.UNKNOWN, ours=False), recording=Recording.DOUBT), 1, Do.RESUME),
        (after(stop(Fate.OPEN)), 1, Do.WAIT),
        (after(stop(Fate.UNKNOWN), recording=Recording.DOUBT), 1, Do.ESCALATE),
        (after(stop(Fate.REFUSED)), 1, Do.RESUME),
    ],
)
def test_the_next_step(it, seconds, do):
    assert at(it, seconds).do is do


@pytest.mark.parametrize(
    ("it", "ending"),
    [
        (replace(PAUSED, is_over=True), "call"),
        (after(resume(Fate.REFUSED), is_over=True, was_escalated=True), "call"),
        (after(resume(Fate.APPLIED, ours=False), recording=Recording.ON), "person"),
        (after(resume(Fate.APPLIED), recording=Recording.ON), "guard"),
        (
            after(resume(Fate.REFUSED), resume(Fate.APPLIED, ours=False), recording=Recording.ON),
            "person",
        ),
        (after(stop(Fate.APPLIED), recording=Recording.OFF), "person"),
        (replace(PAUSED, recording=Recording.OFF), "recording"),
        (replace(PAUSED, recording=Recording.ON), "unknown"),
    ],
)
@pytest.mark.parametrize("seconds", [-100, 0, 1000])
def test_how_a_watch_ends_whatever_the_time(it, ending, seconds):
    assert at(it, seconds) == Step(Do.END, ending=ending)


def test_a_person_is_called_once_and_the_desk_goes_on_where_it_may():
    unsent = after(resume(Fate.UNSENT, error="Telnyx cannot be reached."))
    late = PATIENCE / SECOND

    assert at(unsent, late) == Step(
        Do.ESCALATE, why="It could not be resumed yet. Telnyx cannot be reached."
    )
    assert at(replace(unsent, was_escalated=True), late).do is Do.RESUME
    assert at(after(resume(Fate.REFUSED), was_escalated=True), 1).do is Do.WAIT


def test_a_late_pump_tries_before_it_calls_a_person():
    asked = Move("record_resume", Fate.OPEN, DEADLINE + 300 * SECOND, is_ours=True)

    assert at(WARNED, 300).do is Do.RESUME
    assert at(after(asked), 309).do is Do.WAIT
    assert at(after(asked), 310).do is Do.ESCALATE


def test_a_call_that_telnyx_no_longer_knows_is_given_time_to_end():
    gone = after(resume(Fate.REFUSED, is_gone=True, settled_at=DEADLINE))

    assert at(gone, 1).do is Do.WAIT
    assert at(gone, GONE / SECOND).do is Do.ESCALATE


class Pause(RuleBasedStateMachine):
    """A pause, people, Telnyx and time, in any order; the desk does what is decided."""

    def __init__(self):
        super().__init__()
        self.it, self.now = PAUSED, DEADLINE - 60 * SECOND
        self.resumes, self.escalations, self.ended = 0, 0, False

    @rule(seconds=st.floats(0.01, 70))
    def time_passes(self, seconds):
        self.now += seconds * SECOND

    @rule(ours=st.just(False), kind=st.sampled_from(["record_resume", "record_stop"]))
    def somebody_presses(self, ours, kind):
        if not any(move.fate is Fate.OPEN for move in self.it.moves):
            self.it = replace(self.it, moves=(*self.it.moves, Move(kind, Fate.OPEN, self.now)))

    @precondition(lambda self: any(move.fate is Fate.OPEN for move in self.it.moves))
    @rule(fate=st.sampled_from([fate for fate in Fate if fate is not Fate.OPEN]))
    def telnyx_answers(self, fate):
        *others, last = self.it.moves
        self.it = replace(self.it, moves=(*others, replace(last, fate=fate)))
        if fate is Fate.UNKNOWN:
            self.it = replace(self.it, recording=Recording.DOUBT)
        elif fate is Fate.APPLIED:
            off = last.kind == "record_stop"
            self.it = replace(self.it, recording=Recording.OFF if off else Recording.ON)

    @rule()
    def the_caller_hangs_up(self):
        self.it = replace(self.it, is_over=True)

    @rule()
    def the_pump_looks(self):
        if self.ended:
            return
        step = decide(self.it, self.now)
        moves = self.it.moves
        if step.do is Do.RESUME:
            assert self.now >= DEADLINE
            assert not self.it.is_over
            assert self.it.recording in (Recording.PAUSED, Recording.DOUBT)
            assert not any(move.fate is Fate.OPEN for move in moves)
            ours = [move.fate for move in moves if move.is_ours]
            assert all(fate is Fate.UNSENT for fate in ours)
            ours = Move("record_resume", Fate.OPEN, self.now, is_ours=True)
            self.it = replace(self.it, moves=(*moves, ours))
        elif step.do is Do.WARN:
            assert self.now < DEADLINE
            self.it = replace(self.it, was_warned=True)
        elif step.do is Do.ESCALATE:
            assert self.now >= DEADLINE
            assert step.why
            self.escalations += 1
            self.it = replace(self.it, was_escalated=True)
        elif step.do is Do.END:
            self.ended = True

    @invariant()
    def a_person_is_called_once(self):
        assert self.escalations <= 1

    @invariant()
    def no_pause_is_forgotten(self):
        """Long after the deadline it is over, under way, asked for, or a person was called."""
        if self.ended or self.now < DEADLINE + PATIENCE + GONE:
            return
        step = decide(self.it, self.now)
        if step.do is Do.WAIT and not self.it.was_escalated:
            assert self.it.moves[-1].fate is Fate.OPEN
            assert self.now < self.it.moves[-1].asked_at + PATIENCE


Pause.TestCase.settings = settings(max_examples=50)
TestPause = Pause.TestCase


@given(seconds=st.floats(-1000, 1000), recording=st.sampled_from(Recording))
def test_an_ended_call_is_never_resumed(seconds, recording):
    it = replace(PAUSED, is_over=True, recording=recording)

    assert at(it, seconds).do is Do.END
