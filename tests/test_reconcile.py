"""Calls in doubt are asked about at Telnyx, and its answers are facts like any other."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calls import commands, events, reconcile
from calls.models import Call, Command, WebhookEvent
from tests.conftest import leg

pytestmark = pytest.mark.django_db(transaction=True)


def ask():
    Call.objects.update(probe_at=timezone.now())
    reconcile.probe_due()
    events.apply_due()
    return Call.objects.get()


def ids_of(call):
    return {name: call[name] for name in leg()}


def test_a_call_heard_of_in_the_middle_is_live_once_telnyx_says_so(simulator, deliver):
    deliver("call.dtmf.received", **ids_of(simulator.call()))

    assert ask().line == "answered"
    assert WebhookEvent.objects.get(source="reconcile").event_type == "reconcile.alive"


def test_a_call_whose_hangup_was_lost_ends_and_says_that_this_is_inferred(simulator, deliver):
    call = simulator.call()
    deliver("call.answered", **ids_of(call))
    simulator.lever("POST", f"calls/{call['call_control_id']}/hangup")

    ended = ask()

    assert (ended.line, ended.ended_inferred, ended.probe_at) == ("ended", True, None)


def test_a_call_that_telnyx_no_longer_knows_has_ended(simulator, deliver):
    deliver("call.answered", **leg())

    assert ask().line == "ended"


def test_a_live_call_stays_and_is_asked_about_again_after_a_quiet_while(simulator, deliver):
    deliver("call.answered", **ids_of(simulator.call()))

    call = ask()

    assert call.line == "answered"
    assert call.probe_at > timezone.now()
    assert not WebhookEvent.objects.filter(source="reconcile").exists()


def test_while_telnyx_is_away_nothing_is_inferred(deliver):
    deliver("call.answered", **leg())

    call = ask()

    assert call.line == "answered"
    assert call.probe_at > timezone.now()


def test_a_call_that_has_ended_is_never_asked_about(simulator, deliver):
    ids = ids_of(simulator.call())
    deliver("call.answered", **ids)
    simulator.lever("POST", f"calls/{ids['call_control_id']}/hangup")
    deliver("call.hangup", **ids)

    call = ask()  # as a late answer to an earlier question would have it

    assert call.line == "ended"
    assert reconcile.probe_due() == 0
    assert not WebhookEvent.objects.filter(source="reconcile").exists()


def test_a_hangup_that_nothing_confirms_makes_the_desk_ask_whether_the_call_lives(
    simulator, deliver, sam
):
    deliver("call.answered", **ids_of(simulator.call()))
    commands.issue(Call.objects.get(), "hangup", {}, by=sam, request_id="press-1234")
    commands.send_due()  # and its webhook goes elsewhere
    Command.objects.update(accepted_at=timezone.now() - timedelta(seconds=11))

    commands.watch()
    reconcile.probe_due()
    events.apply_due()

    call = Call.objects.get()
    assert (call.line, call.ended_inferred) == ("ended", True)
