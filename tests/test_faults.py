"""Every fault of the line x every kind of command: the words on the row, and the true effects.

The faults are the simulator's, over HTTP; time passes by moving the rows. A new kind of command
needs a line in COMMANDS.
"""

import re
import socket
import time
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from calls import asking, board, commands, events, intake, reconcile, ring, telling, wishes, writer
from calls.line import telnyx
from calls.models import CONFIRMED_BY_WEBHOOK, Call, Command, Kind, Question, WebhookEvent
from simulator.core import CONNECTION_ID
from tests.conftest import Simulator
from tests.passes import some
from tests.simulator_rig import Receiver

pytestmark = pytest.mark.django_db

RECORD = {"format": "wav", "channels": "dual"}
SAY = {"payload": "Hi.", "voice": "AWS.Polly.Joanna"}
PLAY = {"media_name": "hold-music", "loop": "infinity"}
DIAL = {"to": "+13125550111", "from": "+18005550100", "connection_id": CONNECTION_ID}
ON = [("record_start", RECORD)]
COMMANDS = {  # kind -> (its parameters, what goes before it on an answered call; None: it rings)
    "record_start": (RECORD, []),
    "record_pause": ({}, ON),
    "record_resume": ({}, [*ON, ("record_pause", {})]),
    "record_stop": ({}, ON),
    "speak": (SAY, []),
    "playback_start": (PLAY, []),
    "playback_stop": ({}, [("playback_start", PLAY)]),
    "answer": ({}, None),
    "hangup": ({}, []),
    "dial": (DIAL, []),
    "transcription_start": ({"transcription_engine": "Google"}, []),
    "transcription_stop": ({}, [("transcription_start", {"transcription_engine": "Google"})]),
}
WITH_WEBHOOK = [kind for kind in COMMANDS if kind in CONFIRMED_BY_WEBHOOK]
TELLS = {  # kind -> the events of which one confirms it
    "record_stop": {"call.recording.saved"},
    "speak": {"call.speak.started"},
    "playback_start": {"call.playback.started"},
    "playback_stop": {"call.playback.ended"},
    "answer": {"call.answered"},
    "hangup": {"call.hangup"},
    "dial": {"call.initiated"},
}
NO = {"errors": [{"code": "10015", "title": "Bad luck"}]}


def test_every_kind_is_here():
    elsewhere = {"switch_supervisor_role"}  # needs a supervisor's leg: test_supervise.py
    assert COMMANDS.keys() == set(Kind.values) - elsewhere


@pytest.fixture(scope="module")
def inbox():
    inbox = Receiver()
    yield inbox
    inbox.close()


@pytest.fixture(scope="module")
def _line(tmp_path_factory, inbox):
    world = Simulator(tmp_path_factory.mktemp("faults"), inbox.url)
    quick = {"saved_delay_s": 0.05, "ring_s": 0.05, "audio_delay_s": 0.0, "retry_for_s": 0}
    world.lever("POST", "settings", quick)
    yield world
    world.process.terminate()
    world.process.wait(10)


@pytest.fixture
def line(_line, settings, monkeypatch):
    _line.lever("DELETE", "faults")
    settings.TELNYX_BASE_URL = f"{_line.url}/v2"
    settings.TELNYX_PUBLIC_KEYS = _line.lever("GET", "key")["public_key"]
    settings.TELNYX_CONNECTION_ID = CONNECTION_ID
    intake.keys.cache_clear()
    telnyx.cache_clear()
    monkeypatch.setattr(asking, "PACE", timedelta())
    monkeypatch.setattr(asking, "BACK", timedelta(minutes=10))
    yield _line
    _line.lever("DELETE", "faults")
    while live := _line.lever("GET", "calls?live=true")["calls"]:  # its other leg goes along
        _line.lever("POST", f"calls/{live[0]['call_control_id']}/hangup")


class Desk:
    """One supervisor who asks one thing of one call, and what the desk then says."""

    def __init__(self, line, inbox, sam, kind):
        self.line, self.inbox, self.sam, self.kind = line, inbox, sam, kind
        self.params, self.before = COMMANDS[kind]
        self.ids, self.row = {}, None
        if kind != Kind.DIAL:
            numbers = {"from": "+13125550101", "to": "+18005550100"}
            ids = line.lever("POST", "calls/ring" if self.before is None else "calls", numbers)
            self.ids = {name: ids[name] for name in ("call_control_id", "call_leg_id")}

    def get_ready(self):
        """Have the desk hear of the call, and do what goes before the command."""
        if self.ids:
            last = "call.initiated" if self.before is None else "call.bridged"
            self.hear(last, self.ids["call_leg_id"])
        for earlier, wanted in self.before or []:
            self._telnyx_does(earlier, wanted)
        return self

    def _telnyx_does(self, kind, params):
        """Have something asked for and done before: what is tested comes next."""
        command = self._issue(kind, params)
        commands.send_due()
        command.refresh_from_db()
        assert command.state == "accepted", command.error

    def _issue(self, kind, params):
        call = Call.objects.get(call_leg_id=self.ids["call_leg_id"]) if self.ids else None
        press = uuid.uuid4().hex
        return commands.issue(call, kind, params, by=self.sam, request_id=press)

    @property
    def token(self):
        return self.ids.get("call_control_id", "*")

    def fault(self, **fault):
        self.line.fault(action=self.kind, **fault)

    def press(self):
        self.row = self._issue(self.kind, self.params)
        self.send()
        return self

    def send(self):
        commands.send_due()
        # its next try comes when the test says, however slow the machine
        still = Command.objects.filter(pk=self.row.pk, state__in=Command.OPEN)
        still.update(due_at=timezone.now() + timedelta(hours=1))
        self.row.refresh_from_db()

    def again(self):
        """Let the time for the next try come, before it would be too late."""
        now = timezone.now()
        soon = now + timedelta(seconds=commands.RULES[self.kind].ttl_s)
        Command.objects.filter(pk=self.row.pk).update(due_at=now, expires_at=soon)
        self.send()

    def later(self, seconds):
        """Let time pass for the commands of the call, in whose order they were asked for."""
        ago = timedelta(seconds=seconds)
        self.row.refresh_from_db()
        of_call = Command.objects.filter(call=self.row.call) if self.row.call else None
        for row in of_call or [self.row]:
            for name in ("requested_at", "expires_at", "due_at", "first_sent_at", "accepted_at"):
                if getattr(row, name):
                    setattr(row, name, getattr(row, name) - ago)
            row.due_at = timezone.now() if row.is_open else row.due_at
            row.save()

    def words(self):
        """Return what the row of the call says; before it is on the board, the line above it."""
        self.row.refresh_from_db()
        call = self.row.call
        rows = call and board.conversations(now=timezone.now(), keys=[call.conversation])
        if rows:
            html = board.row(rows[0], control=True)
        else:
            html = telling.wish(wishes.Wish(self.row), timezone.now())
        return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())

    def effects(self, ledger):
        """Return how often it took effect at Telnyx."""
        mine = {str(self.row.pk), *map(str, self._followers())}
        return sum(row["took_effect"] for row in ledger if row["command_id"] in mine)

    def _followers(self):
        return Command.objects.filter(follows=self.row).values_list("pk", flat=True)

    def hear(self, event_type, leg=None, within_s=20.0):
        """Take in what Telnyx tells until an event of the leg was among it."""
        leg = leg or self.row.call.call_leg_id
        ends = time.monotonic() + within_s
        while True:
            self.take_in()
            heard = WebhookEvent.objects.filter(call_leg_id=leg, event_type=event_type)
            if heard.exists():
                return
            assert time.monotonic() < ends, f"{event_type} did not come for {self.kind}"
            time.sleep(0.005)

    def until_told(self, within_s=20.0):
        """Wait until Telnyx has in its log what would confirm the command."""
        ends = time.monotonic() + within_s
        leg = self.row.call.call_leg_id
        while not TELLS[self.kind] & {it.name for it in telnyx().call_events(call_leg_id=leg)}:
            assert time.monotonic() < ends
            time.sleep(0.01)

    def take_in(self):
        got, self.inbox.got = self.inbox.got, []
        rows = [
            intake.check(
                [(name.lower().encode(), value.encode()) for name, value in headers.items()],
                body,
                now=time.time(),
            )
            for _, headers, body in got
        ]
        if rows:
            writer.store(list({row.event_id: row for row in rows}.values()))
            events.apply_due()


@pytest.fixture
def desks(line, inbox, sam):
    """Return a desk for each kind, in the second pass for some."""
    inbox.got = []

    def ready(kinds=COMMANDS):
        placed = [Desk(line, inbox, sam, kind) for kind in some(kinds, 6)]
        return [desk.get_ready() for desk in placed]

    return ready


def differences(desks, expect):
    """Return kind -> (said, expected) of those that say something else."""
    wrong = {}
    ledger = desks[0].line.lever("GET", "commands")["commands"]
    for desk in desks:
        words, count = expect(desk.kind)
        said, effects = desk.words(), desk.effects(ledger)
        if effects != count or not all(word in said for word in words):
            wrong[desk.kind] = (said, effects, desk.row.state, words, count)
    return wrong


def label(kind):
    return str(Kind(kind).label)


# Telnyx's answers


def test_what_telnyx_takes_is_called_accepted_and_no_more(desks):
    asked = [desk.press() for desk in desks()]

    def expect(kind):
        more = " waiting for its webhook" if kind in WITH_WEBHOOK else "; Telnyx sends no webhook"
        return [label(kind), "accepted by Telnyx", more], 1

    assert differences(asked, expect) == {}


def test_what_telnyx_refuses_changes_nothing_and_says_why(desks):
    asked = desks()
    for desk in asked:
        desk.fault(do="status", status=422, body=NO)
        desk.press()

    def expect(kind):
        nothing = "No call was placed." if kind == "dial" else "Nothing changed on the call."
        return [f"{label(kind)}", "Failed. Telnyx refused: Bad luck (10015)", nothing], 0

    assert differences(asked, expect) == {}


TRANSIENT = {
    "429": ({"do": "status", "status": 429, "headers": {"retry-after": "1"}}, "to slow down"),
    "500": ({"do": "status", "status": 500}, "Telnyx could not do it now: Unexpected error"),
    "dropped": ({"do": "drop"}, "The line to Telnyx dropped"),
    "applied, then dropped": ({"do": "apply_then_drop"}, "The line to Telnyx dropped"),
    "applied, then 502": ({"do": "apply_then_status", "status": 502}, "could not do it now"),
    "applied, then silent": ({"do": "apply_then_delay", "seconds": 1.0}, "did not answer within"),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_is_tried_again_and_has_one_effect(desks, monkeypatch, fault):
    patience_s = 0.1 if "silent" in fault else 5.0  # a busy machine's answer is no silence
    monkeypatch.setattr(commands, "FIRST_TIMEOUT_S", (1.0, patience_s))
    rule, reason = TRANSIENT[fault]
    asked = desks()
    for desk in asked:
        desk.fault(times=1, **rule)
        desk.press()
    taken = int("appl" in fault)
    during = differences(asked, lambda kind: (["…", "Still trying: ", reason], taken))

    for desk in asked:
        desk.again()

    assert during == {}
    assert differences(asked, lambda kind: ([label(kind), "accepted by Telnyx"], 1)) == {}


def test_after_a_minute_of_silence_it_is_in_doubt_and_nothing_is_sent_any_more(desks, line):
    asked = desks()
    for desk in asked:
        desk.fault(do="drop")
        desk.press()
    line.lever("DELETE", "faults")
    for desk in asked:
        desk.later(55)
        desk.send()

    def expect(kind):
        if commands.RULES[kind].again:  # what is harmless twice is asked again by the desk
            return [label(kind), "asked again by the desk"], 1
        advice = (
            "before calling again"
            if kind == "dial"
            else "pause or stop it again to be sure"
            if kind.startswith("record")
            else "press again to be sure"
        )
        return ["In doubt. Telnyx did not answer, and after a minute", advice], 0

    assert differences(asked, expect) == {}


def test_what_never_reached_telnyx_is_not_sent_and_never_fires_late(desks, line, settings):
    asked = desks()
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"
    telnyx.cache_clear()
    for desk in asked:
        desk.press()
    settings.TELNYX_BASE_URL = f"{line.url}/v2"
    telnyx.cache_clear()
    for desk in asked:
        desk.later(commands.RULES[desk.kind].ttl_s + 1)
        desk.send()

    def expect(kind):
        told = f"It could not be sent within {commands.RULES[kind].ttl_s} s"
        return ["Not sent.", told, "Telnyx cannot be reached", "press again if it is still"], 0

    assert differences(asked, expect) == {}


def test_a_hung_broker_delays_no_press_and_the_pump_sends_it(desks, settings):
    asked = desks()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        ring.broker.cache_clear()
        for desk in asked:
            desk.row = desk._issue(desk.kind, desk.params)
            begun = time.monotonic()
            ring.ring("control")
            assert time.monotonic() - begun < 1  # it never waits; the broker would for good
        for desk in asked:
            assert commands.send_due(overdue=timedelta(minutes=1)) == 0  # a worker's head start
            desk.later(1.1)
            desk.again()
    ring.broker.cache_clear()

    assert differences(asked, lambda kind: ([label(kind), "accepted by Telnyx"], 1)) == {}


# The call ends in the middle


def hang_up(desk):
    desk.line.lever("POST", f"calls/{desk.token}/hangup")


def test_a_call_that_ended_before_telnyx_heard_of_it_says_so_and_is_asked_about(desks):
    asked = desks(kind for kind in COMMANDS if kind != "dial")
    for desk in asked:
        hang_up(desk)
        desk.press()

    said = [f"{word}" for word in ("Failed. Telnyx refused: Call has already ended (90018)",)]
    assert differences(asked, lambda kind: ([label(kind), *said], 0)) == {}
    assert all(desk.row.call.probe_at <= timezone.now() for desk in asked)


def test_a_call_that_ends_after_telnyx_did_it_leaves_it_in_doubt_with_one_effect(desks):
    asked = desks(kind for kind in COMMANDS if kind not in ("dial", "hangup"))
    for desk in asked:
        desk.fault(do="apply_then_drop", times=1)
        desk.press()
        hang_up(desk)
        desk.again()

    # Telnyx may know the id still, or say that the call has ended: neither makes it happen twice
    def expect(kind):
        return [label(kind)], 1

    assert differences(asked, expect) == {}
    assert {desk.row.state for desk in asked} <= {"accepted", "unknown", "confirmed"}


def test_a_call_that_the_desk_knows_to_have_ended_is_sent_nothing(desks):
    asked = desks(kind for kind in COMMANDS if kind != "dial")
    for desk in asked:
        desk.row = desk._issue(desk.kind, desk.params)
        hang_up(desk)
        desk.hear("call.hangup", desk.ids["call_leg_id"])
        desk.send()

    told = ["Not sent. The call ended before this was sent."]
    assert differences(asked, lambda kind: (told, 0)) == {}


# The webhooks


@pytest.mark.parametrize("do", ["none", "duplicate", "delay", "reorder"])
def test_its_webhook_confirms_it_however_it_comes(desks, line, do):
    asked = desks(WITH_WEBHOOK)
    if do != "none":
        slowly = {"seconds": 0.2} if do in ("delay", "reorder") else {}
        line.lever("POST", "faults", {"deliveries": [{"event": "*", "do": do, **slowly}]})

    for desk in asked:
        desk.press()
    for desk in asked:
        until_confirmed(desk, asks=False)

    assert differences(asked, lambda kind: ([label(kind), "confirmed"], 1)) == {}
    ids = list(WebhookEvent.objects.values_list("event_id", flat=True))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("do", "how"),
    [("drop", "Telnyx could not deliver it"), ("lose", "in Telnyx's log of the call")],
)
def test_a_webhook_that_never_comes_is_missed_and_then_found_again(desks, line, do, how):
    asked = desks(WITH_WEBHOOK)
    line.lever("POST", "faults", {"deliveries": [{"event": "*", "do": do}]})
    for desk in asked:
        desk.press()
        desk.later(130)
    for desk in asked:
        desk.until_told()
    commands.watch()
    missed = differences(asked, lambda kind: (["Accepted, but not confirmed."], 1))

    Question.want(Question.BOARD, timezone.now() + timedelta(hours=1))
    Question.want(Question.DELIVERIES, timezone.now() + timedelta(hours=do == "lose"))
    if do == "lose":  # whether it lives is asked because the proof is late, and then its story
        Call.objects.filter(line="unknown").update(probe_at=timezone.now())  # three seconds on
        reconcile.probe_due()
        events.apply_due()
        Question.objects.filter(name__startswith="leg:").update(due_at=timezone.now())
    for desk in asked:
        until_confirmed(desk)

    assert missed == {}
    assert differences(asked, lambda kind: ([label(kind), "confirmed"], 1)) == {}
    kept = WebhookEvent.objects.filter(source="reconcile").exclude(
        event_type__startswith="reconcile"
    )
    assert kept.count() >= len(asked)
    assert all(how in asking.found.how_found(bytes(event.raw)) for event in kept)


def until_confirmed(desk, *, asks=True, within_s=20.0):
    """Take in what comes, and what is found again, until the command is confirmed."""
    ends = time.monotonic() + within_s
    while True:
        desk.take_in()
        while asks and asking.ask_due():
            events.apply_due()
        desk.row.refresh_from_db()
        if desk.row.state == "confirmed":
            return
        assert time.monotonic() < ends, f"{desk.kind} is {desk.row.state}: {desk.row.error}"
        time.sleep(0.005)


def test_a_row_that_says_something_else_would_be_seen(desks):
    (desk,) = desks(["speak"])
    desk.fault(do="status", status=422, body=NO)
    desk.press()

    assert differences([desk], lambda kind: (["accepted by Telnyx"], 1))
