"""Watched pauses, on a clock that stands still: Telnyx is the simulator, over HTTP."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls import board, commands, events, guard, timeline
from calls.models import Call, Command, Guard, WebhookEvent
from dashboard import home, metrics, notices
from tests.conftest import leg, payload
from tests.test_board import text

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        self.now += timedelta(microseconds=1)  # what waits for a moment to be over must not hang
        return self.now

    def goes(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch):
    """The desk's clock, which goes when told to."""
    clock = Clock(timezone.now() + timedelta(minutes=1))  # ahead of what the webhooks are due at
    monkeypatch.setattr(timezone, "now", clock)
    return clock


@pytest.fixture
def live(deliver):
    def tell(ids, *names):
        ids = {name: ids[name] for name in leg()}
        for name in names or ("call.initiated", "call.answered", "call.bridged"):
            deliver(name, **ids)
        return Call.objects.get(call_leg_id=ids["call_leg_id"])

    return tell


@pytest.fixture
def call(simulator, live, clock):
    return live(simulator.call())


class Desk:
    """A pump whose lanes work when told to."""

    def __init__(self, simulator, call, clock):
        self.simulator, self.call, self.clock = simulator, call, clock
        self.watchman = guard.Watchman()

    def press(self, kind, *, by, why="", send=True, **params):
        press = uuid.uuid4().hex
        command = commands.issue(self.call, kind, params, by=by, request_id=press, why=why)
        return self.send(command) if send else command

    def record(self, *, by):
        self.press("record_start", by=by, format="wav", channels="dual")

    def pause(self, *, by):
        """Record, and pause."""
        if Call.objects.get(pk=self.call.pk).recording == "off":
            self.record(by=by)
        command = self.press("record_pause", by=by, why="card_payment")
        self.look()
        return Guard.objects.filter(pause=command).first()

    def send(self, command=None):
        """Let the control lane do what is due."""
        commands.send_due()
        if command is not None:
            command.refresh_from_db()
        self.call.refresh_from_db()
        return command

    def look(self):
        """Let the guards' lane look once."""
        self.watchman.look()
        self.call.refresh_from_db()

    def goes(self, seconds):
        """Let time pass, the pump looking all the while."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self.clock.now < end:
            self.clock.now = min(self.clock.now + timedelta(seconds=5), end)
            self.look()
            self.send()
        self.look()

    def effects(self):
        return self.simulator.effects({"call_control_id": self.call.call_control_id})

    def asked(self, kind="record_resume"):
        """Return what was sent to Telnyx about this call, whether it took effect or not."""
        rows = self.simulator.lever("GET", "commands")["commands"]
        control = self.call.call_control_id
        return [row for row in rows if (row["call_control_id"], row["action"]) == (control, kind)]


@pytest.fixture
def desk(simulator, call, clock):
    return Desk(simulator, call, clock)


def row(call, *, control=True):
    (one,) = board.conversations(now=timezone.now(), keys=[call.conversation])
    return board.row(one, control=control)


def trail(verb):
    return AuditRow.objects.filter(verb=verb).order_by("id")


# From the pause to the resume


def test_an_accepted_pause_is_watched_from_that_moment(desk, sam):
    desk.record(by=sam)
    command = desk.press("record_pause", by=sam, why="card_payment")

    watched = Guard.objects.get()

    assert (watched.pause, watched.since) == (command, command.accepted_at)
    assert watched.deadline - watched.since == timedelta(seconds=120)
    assert watched.deadline - watched.warn_at == timedelta(seconds=15)


def test_why_is_kept_told_in_the_trail_and_not_sent(desk, sam):
    desk.record(by=sam)
    command = desk.press("record_pause", by=sam, why="personal_data")

    audit = trail("pause recording").get()
    assert (command.why, command.params) == ("personal_data", {})
    assert (audit.who, audit.subject) == (sam, f"call {desk.call.pk}")
    assert audit.details == {"why": "personal_data", "command": str(command.pk)}
    assert set(desk.asked("record_pause")[0]["body"]) == {"command_id"}


def test_at_the_deadline_and_not_before_the_desk_resumes(desk, sam):
    watched = desk.pause(by=sam)

    desk.goes(119.9)
    assert desk.asked() == []
    desk.goes(0.1)

    watched.refresh_from_db()
    assert desk.effects() == ["record_start", "record_pause", "record_resume"]
    assert (desk.call.recording, watched.ending, watched.late_ms) == ("on", "guard", 0)
    resume = Command.objects.get(kind="record_resume")
    assert (resume.requested_by, resume.why, resume.params) == (None, "time_up", {})
    assert trail("resume recording").get().name == "the desk"
    assert trail("recording resumed").get().details["command"] == str(resume.pk)
    assert "by the desk" in text(row(desk.call))


def test_it_warns_fifteen_seconds_before_and_every_step_makes_the_row_newer(desk, sam, clock):
    versions = [desk.call.version]

    def newer():
        desk.call.refresh_from_db()
        versions.append(desk.call.version)
        return versions[-1] > versions[-2]

    watched = desk.pause(by=sam)
    assert newer()
    assert "Resumes by itself at" in text(row(desk.call))
    assert "guard is-watching" in row(desk.call)
    desk.goes(104)
    assert not newer()
    desk.goes(1)
    assert newer()
    assert "guard is-warning" in row(desk.call)
    guard.extend(watched, why="other", by=sam)
    assert newer()
    assert "guard is-watching" in row(desk.call)
    desk.goes(120)
    assert newer()
    assert "guard is-warning" in row(desk.call)
    desk.goes(20)
    assert newer()
    assert "Resumes by itself" not in row(desk.call)


def test_the_time_can_be_set(desk, sam, settings):
    settings.PAUSE_GUARD_S = 10
    watched = desk.pause(by=sam)

    assert watched.deadline - watched.since == timedelta(seconds=10)
    assert watched.deadline - watched.warn_at == timedelta(seconds=5)


# A person was quicker


@pytest.mark.parametrize(
    ("kind", "ending"), [("record_resume", "person"), ("record_stop", "person")]
)
def test_what_a_person_does_ends_the_watch(desk, sam, kind, ending):
    watched = desk.pause(by=sam)
    desk.goes(60)

    desk.press(kind, by=sam)
    desk.goes(600)

    watched.refresh_from_db()
    assert watched.ending == ending
    assert len(desk.asked()) == (kind == "record_resume")


def test_a_resume_that_a_person_pressed_at_the_last_moment_is_joined(desk, sam, clock):
    watched = desk.pause(by=sam)
    clock.goes(119.9)
    pressed = desk.press("record_resume", by=sam, send=False)
    clock.goes(0.2)
    desk.look()

    desk.send()
    desk.look()

    watched.refresh_from_db()
    assert (watched.ending, watched.tries) == ("person", 0)
    assert [asked["command_id"] for asked in desk.asked()] == [str(pressed.pk)]


def test_a_persons_resume_that_failed_does_not_keep_the_desk_from_its_own(desk, sam, simulator):
    desk.pause(by=sam)
    simulator.fault(action="record_resume", do="status", status=422, times=1)
    failed = desk.press("record_resume", by=sam)
    assert failed.state == "failed"

    desk.goes(120)

    assert desk.call.recording == "on"
    assert Guard.objects.get().ending == "guard"


def test_pressing_resume_while_the_desk_does_so_joins_it(desk, sam):
    watched = desk.pause(by=sam)
    desk.clock.goes(120)
    desk.look()

    joined = desk.press("record_resume", by=sam, send=False)

    assert joined == Guard.objects.get(pk=watched.pk).resume
    assert joined.is_ours


def test_two_pauses_in_one_recording_are_watched_one_after_the_other(desk, sam):
    first = desk.pause(by=sam)
    desk.goes(60)
    desk.press("record_resume", by=sam)
    second = desk.pause(by=sam)

    desk.goes(119)
    assert len(desk.asked()) == 1
    desk.goes(2)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.ending, second.ending) == ("person", "guard")
    assert desk.effects()[2:] == ["record_resume", "record_pause", "record_resume"]


# The call ended


def test_an_ended_call_is_left_alone(desk, sam, simulator, live):
    watched = desk.pause(by=sam)
    simulator.lever("POST", f"calls/{desk.call.call_control_id}/hangup")
    live({name: getattr(desk.call, name) for name in leg()}, "call.hangup")

    desk.goes(300)

    watched.refresh_from_db()
    assert (watched.ending, desk.call.ended_while_paused) == ("call", True)
    assert desk.asked() == []


def test_a_hangup_that_was_told_and_not_applied_yet_counts(desk, sam, post):
    watched = desk.pause(by=sam)
    desk.clock.goes(200)
    ids = {name: getattr(desk.call, name) for name in leg()}
    post(payload("call.hangup", id=str(uuid.uuid4()), **ids))
    assert WebhookEvent.objects.filter(event_type="call.hangup", state="pending").exists()

    desk.look()
    desk.send()

    watched.refresh_from_db()
    assert (watched.ending, desk.asked()) == ("call", [])


def test_a_call_whose_hangup_was_never_told_is_asked_about_first(desk, sam, simulator):
    watched = desk.pause(by=sam)
    simulator.lever("POST", f"calls/{desk.call.call_control_id}/hangup")

    desk.goes(120)
    events.apply_due()

    watched.refresh_from_db()
    desk.call.refresh_from_db()
    assert (watched.ending, desk.asked()) == ("call", [])
    assert (desk.call.line, desk.call.ended_while_paused) == ("ended", True)


def test_a_recording_that_ended_by_itself_ends_the_watch(desk, sam, live):
    watched = desk.pause(by=sam)
    live({name: getattr(desk.call, name) for name in leg()}, "call.recording.saved")

    desk.goes(300)

    watched.refresh_from_db()
    assert (watched.ending, desk.asked()) == ("recording", [])


# Late, refused, in doubt


def test_a_pump_that_was_away_resumes_late_and_says_by_how_much_and_why(desk, sam):
    watched = desk.pause(by=sam)
    desk.clock.goes(150)
    desk.watchman = guard.Watchman()  # another process

    desk.look()
    desk.send()
    desk.look()

    watched.refresh_from_db()
    assert desk.call.recording == "on"
    assert (watched.late_ms, watched.late_why) == (
        30_000,
        "No pump was at work when it was due.",
    )
    told = trail("recording resumed").get().details
    assert (told["late_s"], told["late_why"]) == (30.0, watched.late_why)
    assert "Resumed 30 s late. No pump was at work when it was due." in text(row(desk.call))
    told = [entry.detail for entry in timeline.entries(desk.call) if entry.is_ours]
    assert told == ["30.0 s late: No pump was at work when it was due."]


def test_a_pump_that_was_kept_from_its_work_says_so(desk, sam):
    watched = desk.pause(by=sam)
    desk.clock.goes(119)
    desk.look()
    desk.clock.goes(8)
    desk.look()

    watched.refresh_from_db()
    assert watched.late_why == "The pump was kept from looking for 8.0 s."


def test_a_resume_that_died_unsent_is_asked_for_again_and_a_person_is_called(
    desk, sam, settings, simulator
):
    watched = desk.pause(by=sam)
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"  # nobody is there
    commands.telnyx.cache_clear()
    for _ in range(4):
        desk.goes(30.0)
    for _ in range(30):
        desk.clock.goes(0.5)
        desk.look()
        desk.send()
    watched.refresh_from_db()
    assert watched.tries > 1
    assert watched.escalated_at is not None
    assert {it.state for it in Command.objects.filter(kind="record_resume")} <= {
        "expired",
        "requested",
        "sending",
    }

    settings.TELNYX_BASE_URL = f"{simulator.url}/v2"
    commands.telnyx.cache_clear()
    for _ in range(20):
        desk.clock.goes(0.5)
        desk.look()
        desk.send()
    desk.look()

    watched.refresh_from_db()
    assert (desk.call.recording, watched.ending) == ("on", "guard")
    assert desk.effects().count("record_resume") == 1
    assert watched.late_ms > 10_000
    assert watched.late_why.startswith("The resume before could not be sent.")


def test_a_refusal_calls_a_person_once_and_loudly(desk, sam, simulator):
    heard = []
    guard.hears_escalations(heard.append)
    watched = desk.pause(by=sam)
    simulator.fault(
        action="record_resume",
        do="status",
        status=422,
        times=1,
        body={"errors": [{"code": "90099", "title": "Not possible now"}]},
    )
    try:
        desk.goes(130)
        desk.goes(60)
    finally:
        guard._listeners.remove(heard.append)

    watched.refresh_from_db()
    assert [it.pk for it in heard] == [watched.pk]
    assert len(desk.asked()) == 1
    assert "Not possible now" in watched.trouble
    assert trail("escalate pause").count() == 1
    assert "Still paused. Telnyx refused: Not possible now" in text(row(desk.call))
    (notice,) = [
        it for it in notices.notices(now=timezone.now()) if it.title.startswith("A recording")
    ]
    assert (notice.level, "Not possible now" in notice.text) == ("danger", True)
    status = home.statuses([False], now=timezone.now())[False]
    assert "A recording is still paused." in status
    assert needs(desk) == "Still paused, Resume recording: failed"

    desk.press("record_resume", by=sam)
    desk.look()
    watched.refresh_from_db()
    assert watched.ending == "person"
    assert needs(desk) == ""


def test_a_resume_nobody_knows_the_fate_of_calls_a_person_and_is_not_repeated(
    desk, sam, simulator
):
    watched = desk.pause(by=sam)
    simulator.fault(action="record_resume", do="drop", times=1)
    desk.goes(120)
    resume = Command.objects.get(kind="record_resume")
    commands._give_up(resume, "Telnyx did not answer.")

    desk.goes(60)

    watched.refresh_from_db()
    assert desk.call.recording == "doubt"
    assert "Nobody knows whether the recording was resumed." in watched.trouble
    assert len(desk.asked()) == 1
    assert watched.ended_at is None


def test_a_pause_in_doubt_is_watched_too(desk, sam, simulator):
    desk.record(by=sam)
    simulator.fault(action="record_pause", do="apply_then_drop", times=1)
    pause = desk.press("record_pause", by=sam, why="other")
    desk.clock.goes(55)
    commands.send_due()
    pause.refresh_from_db()
    assert pause.state == "unknown"

    desk.look()
    watched = Guard.objects.get()
    assert (watched.since, desk.call.recording) == (pause.settled_at, "doubt")
    assert "Resumes by itself at" in text(row(desk.call))
    desk.goes(121)

    watched.refresh_from_db()
    assert (desk.call.recording, watched.ending) == ("on", "guard")


def test_a_pause_pressed_again_in_doubt_has_its_own_time(desk, sam):
    desk.record(by=sam)
    doubtful = desk.press("record_pause", by=sam, why="other", send=False)
    Command.objects.filter(pk=doubtful.pk).update(
        state="unknown", attempts=1, first_sent_at=desk.clock.now, settled_at=desk.clock.now
    )
    Call.objects.filter(pk=desk.call.pk).update(recording="doubt")
    desk.look()
    desk.goes(100)

    second = desk.pause(by=sam)
    desk.goes(100)
    first = Guard.objects.get(pause=doubtful)

    assert (first.ending, desk.asked()) == ("replaced", [])
    desk.goes(20.1)
    second.refresh_from_db()
    assert second.ending == "guard"


def test_a_pause_that_is_learned_of_late_is_warned_of_first(desk, sam):
    desk.pause(by=sam)
    Guard.objects.all().delete()  # as if an earlier version had taken the pause
    desk.clock.goes(1000)

    desk.look()
    desk.send()
    assert desk.asked() == []
    desk.goes(14)
    assert desk.asked() == []
    desk.goes(1)

    assert desk.call.recording == "on"


def test_one_pause_that_fails_does_not_keep_the_others_waiting(desk, sam, monkeypatch):
    watched = desk.pause(by=sam)
    bad = Call.objects.create(**leg(), conversation="bad", line="bridged", recording="paused")
    pause = Command.objects.create(
        call=bad,
        kind="record_pause",
        state="accepted",
        request_id="bad",
        requested_at=desk.clock.now,
        expires_at=desk.clock.now,
        due_at=desk.clock.now,
        accepted_at=desk.clock.now - timedelta(seconds=1),
    )
    Guard.objects.watch(pause, bad, since=pause.accepted_at, now=desk.clock.now)
    decide = guard._decide

    def broken(watched, call):
        if call.pk == bad.pk:
            raise RuntimeError("cannot be decided")
        return decide(watched, call)

    monkeypatch.setattr(guard, "_decide", broken)
    desk.clock.goes(120)
    with pytest.raises(RuntimeError):
        desk.look()
    desk.send()

    assert Guard.objects.get(pk=watched.pk).tries == 1


# An extension


def test_a_pause_is_extended_once_with_a_reason(desk, sam, lee):
    watched = desk.pause(by=sam)
    desk.goes(100)
    before = watched.deadline

    until = guard.extend(watched, why="personal_data", by=sam)

    assert until == before + timedelta(seconds=120)
    audit = trail("extend pause").get()
    assert (audit.who, audit.details["why"]) == (sam, "personal_data")
    with pytest.raises(commands.NotNow, match="extended once"):
        guard.extend(watched, why="other", by=lee)
    desk.goes(130)
    assert desk.asked() == []
    desk.goes(11)
    assert desk.call.recording == "on"


def test_a_pause_whose_time_is_up_or_that_is_over_cannot_be_extended(desk, sam):
    watched = desk.pause(by=sam)
    desk.clock.goes(120)
    with pytest.raises(commands.NotNow, match="time is up"):
        guard.extend(watched, why="other", by=sam)
    desk.goes(1)
    with pytest.raises(commands.NotNow, match="over"):
        guard.extend(watched, why="other", by=sam)
    assert not trail("extend pause").exists()


def extension(watched):
    return f"/calls/{watched.call_id}/pauses/{watched.pk}/extend/"


def test_extending_works_without_javascript_and_says_until_when(desk, sam, client):
    watched = desk.pause(by=sam)
    client.force_login(sam)
    assert f'formaction="{extension(watched)}"' in row(desk.call)
    assert f'formaction="{extension(watched)}"' not in row(desk.call, control=False)

    answer = client.post(extension(watched), {"why": "customer_request"}, follow=True)

    watched.refresh_from_db()
    until = timezone.localtime(watched.deadline)
    assert f"Paused until {until:%H:%M:%S}." in text(answer.content.decode())
    assert "extended by sam: Customer request" in text(row(desk.call))
    assert f'formaction="{extension(watched)}"' not in row(desk.call)


@pytest.mark.parametrize("why", ["", "lunch", "time_up"])
@pytest.mark.parametrize("way", ["extend", "pause"])
def test_without_a_reason_of_the_list_nothing_is_done(desk, sam, client, why, way):
    watched = desk.pause(by=sam)
    client.force_login(sam)
    address = extension(watched)
    if way == "pause":
        address = f"/calls/{desk.call.pk}/commands/record_pause/"
    count = Command.objects.count()

    answer = client.post(address, {"why": why}, headers={"HX-Request": "true"})

    said = answer.content.decode() + answer.headers.get("HX-Trigger", "")
    assert answer.status_code == 422
    assert "Choose one of: Card payment, Personal data, Customer request, Other." in said
    assert why in said
    assert Command.objects.count() == count
    assert Guard.objects.get().extended_at is None


def test_who_may_not_control_may_not_extend_and_foreign_pauses_are_not_found(
    desk, sam, lee, client
):
    watched = desk.pause(by=sam)
    other = Call.objects.create(**leg(), conversation="other", line="bridged")

    client.force_login(lee)
    assert client.post(extension(watched), {"why": "other"}).status_code == 403
    client.force_login(sam)
    foreign = f"/calls/{other.pk}/pauses/{watched.pk}/extend/"
    assert client.post(foreign, {"why": "other"}).status_code == 404
    assert client.get(extension(watched)).status_code == 405


def needs(desk):
    """Return what about the call needs a person, as its row on the board says it."""
    return board.of_call(desk.call, now=timezone.now()).attention.words


def test_a_pause_is_overdue_when_nobody_resumes_it(desk, sam):
    desk.pause(by=sam)
    assert needs(desk) == ""

    desk.clock.goes(125)

    assert needs(desk) == "Pause overdue"
    assert metrics.overdue_s(now=timezone.now())["guards"] == pytest.approx(5, abs=0.5)
    assert "Time is up: the desk resumes the recording." in text(row(desk.call))
