"""Listening in: whose phone is called, who hears whom, what the row says, what the trail keeps."""

import base64
import re
import uuid

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls import board, commands, listening, supervise
from calls.models import Call, Command, Phone
from simulator.core import CONNECTION_ID
from tests.conftest import leg
from tests.desk import until

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "+13125550199"
LINE = "+18005550100"


@pytest.fixture(autouse=True)
def _application(settings):
    settings.TELNYX_CONNECTION_ID = CONNECTION_ID


@pytest.fixture
def pair(simulator, deliver):
    """Return the rows of a customer's and an agent's leg that the simulator knows too."""
    ids = simulator.call()
    legs = []
    for one, more in (
        (ids, {"direction": "incoming", "from": "+13125550101", "to": LINE}),
        (ids["agent"], {"direction": "outgoing", "from": LINE, "to": "sip:agent12@cc.example"}),
    ):
        names = {name: one[name] for name in leg()}
        for event in ("call.initiated", "call.answered", "call.bridged"):
            deliver(event, **names, **more)
        legs.append(Call.objects.get(call_leg_id=one["call_leg_id"]))
    simulator.lever("POST", "settings", {"ring_s": 0, "dial_outcome": "answer"})
    return legs


def listen_in(call, by, **more):
    wanted = {"to": PHONE, "shown": LINE, "request_id": str(uuid.uuid4())} | more
    return supervise.listen_in(call, by=by, **wanted)


def told(deliver, command, *names, **more):
    """Deliver webhooks of the leg that a dial led to."""
    command.refresh_from_db()
    ids = {name: command.answer[name] for name in leg()}
    for name in names:
        deliver(name, **ids, direction="outgoing", **{"from": LINE, "to": PHONE}, **more)
    return Call.objects.get(call_leg_id=ids["call_leg_id"])


def listening_leg(deliver, agent, by):
    command = listen_in(agent, by)
    commands.send_due()
    return told(deliver, command, "call.initiated", "call.answered")


def truth(simulator, call):
    rows = simulator.lever("GET", "calls")["calls"]
    return next(row for row in rows if row["call_leg_id"] == call.call_leg_id)


def text(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def row(call):
    return board.row(board.of_call(call, now=timezone.now()), control=True)


def trail():
    return [(it.name, it.verb) for it in AuditRow.objects.order_by("id")]


def test_the_supervisors_leg_stands_silent_in_the_conversation(simulator, deliver, pair, sam):
    customer, agent = pair

    one = listening_leg(deliver, agent, sam)

    assert (one.supervises, one.supervisor_role) == (agent, "monitor")
    assert one.conversation == customer.conversation
    assert one.call_session_id != customer.call_session_id
    until(lambda: truth(simulator, one)["line"] == "answered", within_s=5)
    assert truth(simulator, one)["supervises"] == agent.call_control_id
    assert truth(simulator, one)["supervisor_role"] == "monitor"
    assert "Supervisor sam (listening) Nobody hears them." in text(row(customer))
    assert board.of_call(one, now=one.first_heard_at).lead == customer


def test_the_leg_is_known_though_telnyxs_answer_never_came(simulator, deliver, pair, sam):
    _, agent = pair
    simulator.fault(action="dial", do="apply_then_drop", times=9)
    command = listen_in(agent, sam)
    commands.send_due()
    command.refresh_from_db()
    assert command.call is None

    state = command.params["client_state"]
    ids = leg()
    deliver("call.initiated", **ids, client_state=state, direction="outgoing")

    one = Call.objects.get(call_leg_id=ids["call_leg_id"])
    command.refresh_from_db()
    assert (one.supervises, command.call) == (agent, one)
    assert base64.b64decode(state).startswith(b"tapeline-listen:")


def test_a_strangers_client_state_means_nothing(deliver, pair):
    for state in ("", "eA==", "not base64", base64.b64encode(b"tapeline-listen:x").decode()):
        ids = leg()
        deliver("call.initiated", **ids, client_state=state)
        assert Call.objects.get(call_leg_id=ids["call_leg_id"]).supervises is None


def test_roles_are_switched_and_said(simulator, deliver, pair, sam):
    customer, agent = pair
    one = listening_leg(deliver, agent, sam)
    until(lambda: truth(simulator, one)["line"] == "answered", within_s=5)

    said = {}
    for role in ("whisper", "barge", "monitor"):
        supervise.switch(one, role, by=sam, request_id=str(uuid.uuid4()))
        commands.send_due()
        one.refresh_from_db()
        assert (one.supervisor_role, truth(simulator, one)["supervisor_role"]) == (role, role)
        said[role] = text(row(customer))

    assert "Supervisor sam (whispering) Only the agent hears them." in said["whisper"]
    assert "Supervisor sam (in the call) Everybody hears them." in said["barge"]
    assert "Telnyx sends no webhook for this" in said["barge"]
    sent = simulator.lever("GET", "commands")["commands"]
    bodies = [it["body"] for it in sent if it["action"] == "switch_supervisor_role"]
    assert bodies[-3:] == [{"role": "whisper"}, {"role": "barge"}, {"role": "monitor"}]


def test_a_role_that_nobody_knows_of_is_in_doubt(simulator, deliver, pair, sam):
    customer, agent = pair
    one = listening_leg(deliver, agent, sam)
    wish = supervise.switch(one, "barge", by=sam, request_id="press-1")
    Command.objects.filter(pk=wish.pk).update(
        state="unknown", may_have_applied=True, first_sent_at=wish.requested_at
    )
    deliver("call.hold", **{name: getattr(one, name) for name in leg()})

    assert "Nobody knows who hears them: press a role again to be sure." in text(row(customer))


@pytest.mark.parametrize(
    ("fault", "said", "role"),
    [
        (
            {"do": "status", "status": 422, "body": {"errors": [{"title": "Bad luck"}]}},
            "Failed. Telnyx refused: Bad luck Nothing changed on the call.",
            "monitor",
        ),
        ({"do": "drop"}, "Still trying: The line to Telnyx dropped", "monitor"),
        ({"do": "apply_then_drop"}, "Still trying: The line to Telnyx dropped", "whisper"),
        ({"do": "status", "status": 429}, "Still trying: Telnyx asks to slow down", "monitor"),
    ],
)
def test_a_switch_through_faults(simulator, deliver, pair, sam, fault, said, role):
    customer, agent = pair
    one = listening_leg(deliver, agent, sam)
    until(lambda: truth(simulator, one)["line"] == "answered", within_s=5)
    simulator.fault(action="switch_supervisor_role", times=1, **fault)
    supervise.switch(one, "whisper", by=sam, request_id="press-1")

    commands.send_due()
    assert said in text(row(customer))
    assert truth(simulator, one)["supervisor_role"] == role
    Command.objects.filter(state="sending").update(due_at=timezone.now())
    commands.send_due()

    one.refresh_from_db()
    assert one.supervisor_role == truth(simulator, one)["supervisor_role"]
    assert one.supervisor_role == ("monitor" if "refused" in said else "whisper")


def test_nobody_opens_anothers_microphone(deliver, pair, sam, django_user_model):
    _, agent = pair
    one = listening_leg(deliver, agent, sam)
    other = django_user_model.objects.create_user("kim")

    with pytest.raises(commands.NotNow, match="This is the phone of sam"):
        supervise.switch(one, "barge", by=other, request_id="press-1")

    assert not Command.objects.filter(kind="switch_supervisor_role").exists()


def test_the_trail_says_who_listened_to_whom_from_when_to_when(deliver, pair, sam):
    _, agent = pair
    one = listening_leg(deliver, agent, sam)
    supervise.switch(one, "whisper", by=sam, request_id="press-1")
    ids = {name: getattr(one, name) for name in leg()}
    for _ in range(2):  # webhooks come twice, under other ids too
        deliver("call.answered", **ids, to=PHONE)
        deliver("call.hangup", **ids, occurred_at="2026-03-02T14:41:03.000000Z")

    assert trail() == [
        ("sam", "asked to listen in"),
        ("sam", "began to listen in"),
        ("sam", "switched role of listening in"),
        ("sam", "ended listening in"),
    ]
    ended = AuditRow.objects.get(verb="ended listening in")
    assert ended.subject == f"call {agent.pk}"
    assert ended.details["on"] == "sip:agent12@cc.example"
    assert ended.details["ended"] == "2026-03-02T14:41:03+00:00"
    assert "seconds" in ended.details


def test_a_phone_that_was_busy_heard_nothing(deliver, pair, sam):
    customer, agent = pair
    command = listen_in(agent, sam)
    commands.send_due()
    told(deliver, command, "call.initiated")
    told(deliver, command, "call.hangup", hangup_cause="user_busy")

    assert "Supervisor sam (the phone was busy)" in text(row(customer))
    assert trail() == [("sam", "asked to listen in")]


def test_a_person_listens_in_once(simulator, deliver, pair, sam):
    _, agent = pair
    first = listen_in(agent, sam, request_id="press-1")
    assert listen_in(agent, sam, request_id="press-1") == first
    with pytest.raises(commands.NotNow, match="You listen in already"):
        listen_in(agent, sam)
    commands.send_due()
    one = told(deliver, first, "call.initiated", "call.answered")
    with pytest.raises(commands.NotNow, match="You listen in already"):
        listen_in(agent, sam)

    told(deliver, first, "call.hangup")

    assert listen_in(agent, sam).pk != first.pk
    assert one.commands.filter(kind="dial").count() == 1


def test_who_leads_and_who_is_offered_first(deliver, pair, sam):
    customer, agent = pair
    one = listening_leg(deliver, agent, sam)
    legs = list(Call.objects.filter(conversation=customer.conversation).eldest_first())

    assert supervise.choices(legs) == [agent, customer]
    assert [listening.party(it, legs) for it in (agent, customer)] == ["the agent", "the customer"]
    assert legs[-1] == one
    assert commands.why_not(one, "monitor") == "It is so already."
    assert commands.why_not(one, "whisper") == ""
    assert commands.why_not(agent, "whisper") == "This leg listens in on nobody."


# Pages


def test_the_dialog_asks_for_a_phone_once(simulator, client, pair, sam):
    customer, agent = pair
    client.force_login(sam)
    url = f"/calls/{customer.pk}/commands/listen/"

    page = client.get(url).content.decode()
    assert "If you whisper, only the agent hears you" in text(page)
    assert f'value="{LINE}"' in page  # the number of the call is shown on the phone

    post = {"leg": agent.pk, "phone": "(312) 555-0199", "shown": LINE, "remember": "on"}
    answer = client.post(url, post, follow=True)

    assert "your phone is being called" in answer.content.decode()
    command = Command.objects.get(kind="dial")
    assert command.params["to"] == PHONE
    assert command.params["supervise_call_control_id"] == agent.call_control_id
    assert command.params["supervisor_role"] == "monitor"
    assert Phone.objects.get().number == PHONE
    assert ("sam", "changed own phone") in trail()
    assert f'value="{PHONE}"' in client.get(url).content.decode()
    assert (
        "Calling the supervisor&#x27;s phone"
        in client.get(customer.get_absolute_url()).content.decode()
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"phone": ""}, "This field is required."),
        ({"phone": "12"}, "neither a number as +18005550100 nor a SIP address"),
        ({"shown": "Tapeline"}, "neither a number as +18005550100 nor a SIP address"),
        ({"leg": str(uuid.uuid4())}, "This leg is not on the line any more"),
    ],
)
def test_wrong_input_is_named_and_nobody_called(client, pair, sam, wrong, said):
    client.force_login(sam)
    post = {"leg": pair[1].pk, "phone": PHONE, "shown": LINE} | wrong

    answer = client.post(f"/calls/{pair[0].pk}/commands/listen/", post)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Command.objects.exists()


def test_a_refusal_of_telnyx_is_shown_on_the_calls_page(simulator, client, pair, sam):
    customer, agent = pair
    listen_in(agent, sam)
    simulator.lever("POST", f"calls/{agent.call_control_id}/hangup")
    commands.send_due()
    client.force_login(sam)

    page = text(client.get(customer.get_absolute_url()).content.decode())

    assert "Listen in" in page
    assert "The supervised call has ended" in page
    assert "Nobody was called, and nobody listens in." in page


def test_a_call_that_rings_cannot_be_heard(client, deliver, sam):
    ids = leg()
    deliver("call.initiated", **ids)
    call = Call.objects.get(call_leg_id=ids["call_leg_id"])
    client.force_login(sam)

    page = client.get(f"/calls/{call.pk}/commands/listen/").content.decode()

    assert "Nobody has answered yet, so there is nothing to hear." in page


def test_the_doors_are_for_supervisors(client, pair, lee, olga):
    url = f"/calls/{pair[0].pk}/commands/"
    for person in (lee, olga):
        client.force_login(person)
        assert client.get(f"{url}listen/").status_code == 403
        assert client.post(f"{url}listen/").status_code == 403
        assert client.post(f"{url}barge/").status_code == 403
        assert client.get("/phone/").status_code == 403


def test_roles_by_their_buttons(simulator, client, deliver, pair, sam):
    _, agent = pair
    one = listening_leg(deliver, agent, sam)
    client.force_login(sam)

    assert client.get(f"/calls/{one.pk}/commands/barge/").status_code == 405
    refused = client.post(f"/calls/{agent.pk}/commands/barge/", follow=True)
    assert "This leg listens in on nobody." in refused.content.decode()
    client.post(f"/calls/{one.pk}/commands/whisper/")

    assert Command.objects.get(kind="switch_supervisor_role").params == {"role": "whisper"}


def test_my_phone_is_kept_changed_and_forgotten(client, sam):
    client.force_login(sam)
    page = client.post("/phone/", {"phone": "12"})
    assert page.status_code == 422
    assert "neither a number" in page.content.decode()

    client.post("/phone/", {"phone": "sip:sam@desk.example"})
    assert Phone.objects.get().number == "sip:sam@desk.example"
    client.post("/phone/", {"phone": "+49 30 123456"})
    assert Phone.objects.get().number == "+4930123456"
    client.post("/phone/", {"phone": ""})
    assert not Phone.objects.exists()
    assert [verb for _, verb in trail()] == ["changed own phone"] * 3


def test_the_call_form_has_no_way_to_barge_in(client, sam):
    client.force_login(sam)

    page = client.get("/calls/").content.decode()

    assert "supervisor_role" not in page
    post = {"to": PHONE, "from": LINE, "connection_id": "1"}
    client.post("/calls/", post | {"supervise_call_control_id": "x", "supervisor_role": "barge"})
    assert "supervisor_role" not in Command.objects.get().params


def test_a_supervisor_took_no_call(deliver, pair, sam):
    """The recording of a call without an agent's leg names nobody as its agent."""
    ids = leg()
    deliver("call.initiated", **ids, direction="incoming")
    deliver("call.answered", **ids)
    customer = Call.objects.get(call_leg_id=ids["call_leg_id"])
    command = listen_in(customer, sam, to="sip:sam@desk.example")
    commands.send_due()
    Command.objects.filter(pk=command.pk).update(state="accepted")
    one = leg()
    state = command.params["client_state"]
    ends = {"direction": "outgoing", "to": "sip:sam@desk.example", "from": LINE}
    deliver("call.initiated", **one, client_state=state, **ends)
    deliver("call.answered", **one, client_state=state, **ends)

    deliver("call.recording.saved", **ids)

    assert customer.recordings.get().agent == ""
