"""Saved phrases: variables, the page, and what is said into a call in the end."""

import uuid

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls.models import Call, Command, Phrase
from calls.sounds import variables
from calls.sounds.parties import Role, of, reaches, spoken
from tests.conftest import leg
from tests.test_call_pages import body, press, text, url

VALUES = {"caller_number": "1, 3 1 2", "caller_name": "Ann & Co", "agent": "", "time": "14:05"}


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def call(db, deliver):
    """Return a customer's call that is bridged to an agent."""
    session = str(uuid.uuid4())
    customer, agent = leg(call_session_id=session), leg(call_session_id=session)
    deliver(
        "call.initiated",
        **customer,
        **{"from": "+13125550101", "to": "+18005550100"},
        caller_id_name="Ann & Co",
        start_time="2026-11-26T10:00:00Z",
        occurred_at="2026-11-26T10:00:00Z",
    )
    deliver(
        "call.initiated",
        **agent,
        **{"from": "+18005550100", "to": "sip:anna.smith@agents.example"},
        direction="outgoing",
        occurred_at="2026-11-26T10:00:05Z",
    )
    for ids in (customer, agent):
        deliver("call.answered", **ids, occurred_at="2026-11-26T10:00:07Z")
        deliver("call.bridged", **ids, occurred_at="2026-11-26T10:00:08Z")
    return Call.objects.get(call_leg_id=customer["call_leg_id"])


@pytest.fixture
def agent(call):
    return Call.objects.filter(conversation=call.conversation).exclude(pk=call.pk).get()


def phrase(name="Greeting", words="Hello {caller_name|there}.", **more):
    return Phrase.objects.create(name=name, text=words, **more)


def say(client, call, words, **more):
    typed = {"payload": words, "voice": "AWS.Polly.Joanna", **more}
    return press(client, url(call, "speak"), typed)


# Variables


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Your number is {caller_number}.", "Your number is 1, 3 1 2."),
        ("It is { time }.", "It is 14:05."),
        ("Hello {agent|colleague}.", "Hello colleague."),
        ("Hello {caller_name|there}.", "Hello Ann & Co."),
        ("Press {{1}} now", "Press {1} now"),
        ("No braces", "No braces"),
        ("{agent|}{time}", "14:05"),
    ],
)
def test_a_text_is_filled(given, said):
    assert variables.fill(given, VALUES) == said


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            "Hello {costumer}.",
            r"has \{costumer\}, which is no variable; there is \{caller_num",
        ),
        ("Hello {}.", r"has \{\}, which is no variable"),
        ("A { alone", "has a single { at character 3; write {{"),
        ("A } alone", "has a single } at character 3; write }}"),
        ("{{time}", "has a single } at character 7"),
        ("Hello {agent}.", r"has \{agent\}, and this call has none"),
    ],
)
def test_what_cannot_be_filled_is_named(given, reason):
    with pytest.raises(variables.Wrong, match=reason):
        variables.fill(given, VALUES)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("+13125550101", "1, 3 1 2, 5 5 5, 0 1 0 1"),
        ("+493012345678", "4 9, 3 0, 1 2 3 4 5 6 7 8"),
        ("5550101", "5 5 5 0 1 0 1"),
        ("sip:anna.smith@agents.example", "anna smith"),
        ("sip:+13125550101@x.example", "1, 3 1 2, 5 5 5, 0 1 0 1"),
        ("anonymous", ""),
        ("sip:Anonymous@x.example", ""),
        ("", ""),
    ],
)
def test_a_number_is_spoken_digit_by_digit(number, said):
    assert spoken(number) == said


# Into a call


def test_a_phrase_is_filled_for_its_call_when_it_is_sent(supervisor, call):
    words = "{caller_name}, your number {caller_number} is noted. {me} of {our_number}, {agent}."
    say(supervisor, call, words)

    assert Command.objects.get().params["payload"] == (
        "Ann & Co, your number 1, 3 1 2, 5 5 5, 0 1 0 1 is noted."
        " sam of 1, 8 0 0, 5 5 5, 0 1 0 0, anna smith."
    )


def test_values_are_escaped_in_ssml(supervisor, call):
    say(supervisor, call, "<speak>Hello {caller_name}</speak>", payload_type="ssml")

    assert Command.objects.get().params["payload"] == "<speak>Hello Ann &amp; Co</speak>"


def test_time_and_date_are_those_of_the_site(supervisor, call, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    timezone.deactivate()
    now = timezone.localtime()

    say(supervisor, call, "{date}")

    assert Command.objects.get().params["payload"] == f"{now.day} {now:%B}"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Hello {costumer}.", "The text has {costumer}, which is no variable"),
        ("{caller_name}", "this call has none"),
        ("x" * 2999 + "{caller_number}", "payload has 3023 characters, the limit is 3000"),
    ],
)
def test_what_cannot_be_said_is_not_sent_and_what_was_typed_stays(supervisor, call, words, reason):
    Call.objects.filter(pk=call.pk).update(caller_name="")

    answer = say(supervisor, call, words)

    assert answer.status_code == 422
    assert reason in text(body(answer))
    assert words in body(answer)
    assert not Command.objects.exists()


def test_the_preview_says_what_it_becomes(supervisor, call):
    address = f"/calls/{call.pk}/said/"

    filled = text(body(supervisor.post(address, {"payload": "It is {caller_name}."})))
    wrong = body(supervisor.post(address, {"payload": "<speak>\n<x/>", "payload_type": "ssml"}))

    assert "Will be said: It is Ann & Co." in filled
    assert "18 of 3000 characters" not in filled
    assert "line 2, column 1" in wrong
    assert body(supervisor.post(address, {"payload": "Plain."})).strip() == ""


def test_a_phrase_fills_the_form_without_javascript(supervisor, call):
    kept = phrase(kind="ssml", words="<speak>Hi</speak>", voice="Telnyx.KokoroTTS.af")

    page = body(supervisor.get(url(call, "speak") + f"?phrase={kept.pk}"))

    assert "&lt;speak&gt;Hi&lt;/speak&gt;</textarea>" in page
    assert 'value="Telnyx.KokoroTTS.af"' in page
    assert 'value="ssml" checked' in page
    assert f'name="phrase" value="{kept.pk}"' in page


@pytest.mark.parametrize("key", ["", "nonsense", "00000000-0000-4000-8000-000000000000"])
def test_a_phrase_that_is_none_fills_nothing(supervisor, call, key):
    assert supervisor.get(url(call, "speak") + f"?phrase={key}").status_code == 200


def test_a_said_phrase_remembers_when(supervisor, call):
    kept = phrase()

    say(supervisor, call, kept.text, phrase=str(kept.pk))

    kept.refresh_from_db()
    assert kept.last_used_at is not None


def test_a_polly_voice_takes_no_language(supervisor, call):
    say(supervisor, call, "Hi", language="de-DE")

    assert "language" not in Command.objects.get().params


def test_what_was_typed_to_find_a_voice_is_not_taken_for_one(supervisor, call):
    answer = say(supervisor, call, "Hi", voice="german")

    assert answer.status_code == 422
    assert "No voice is called “german”: choose one of the list" in body(answer)
    assert not Command.objects.exists()
    for voice in ("Brandnew.Voice", "Azure"):
        assert say(supervisor, call, "Hi", voice=voice).status_code == 200


# Who hears it


def heard(call):
    legs = list(Call.objects.filter(conversation=call.conversation))
    return {it.target: it for it in reaches(call, of(legs))}


def test_each_answer_names_who_hears_it(call, agent):
    on_customer, on_agent = heard(call), heard(agent)

    assert [it.misses_customer for it in on_customer.values()] == [False, True, False]
    assert [it.misses_customer for it in on_agent.values()] == [True, False, False]
    assert on_customer["opposite"].parties[0].role == Role.AGENT
    assert on_agent["opposite"].parties[0].call == call


def test_the_dialog_warns_where_the_customer_will_not_hear(supervisor, agent):
    page = text(body(supervisor.get(url(agent, "speak"))))

    assert "Only anna.smith@agents.example (agent) The customer will not hear this." in page
    assert "Only Ann & Co, +1 312 555 0101 (customer)" in page


def test_a_lone_leg_does_not_pretend_to_know_the_other(supervisor, deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    deliver("call.answered", **ids)
    alone = Call.objects.get(call_leg_id=ids["call_leg_id"])

    page = text(body(supervisor.get(url(alone, "playback_start"))))

    assert "This desk does not know who is on the other leg" in page
    assert not heard(alone)["opposite"].misses_customer


def test_a_supervisors_leg_is_nobodys_other_party(call, agent, deliver, sam):
    ids = leg(call_session_id=call.call_session_id)
    deliver("call.initiated", **ids, direction="outgoing")
    deliver("call.answered", **ids)
    listening = Call.objects.get(call_leg_id=ids["call_leg_id"])
    now = timezone.now()
    Command.objects.create(
        call=listening,
        kind="dial",
        params={"supervise_call_control_id": agent.call_control_id},
        requested_by=sam,
        request_id="dial",
        requested_at=now,
        expires_at=now,
        due_at=now,
        state="confirmed",
    )

    assert heard(call)["opposite"].parties[0].call == agent


def test_two_legs_of_one_moment_are_told_apart_by_what_they_address(call, agent):
    Call.objects.update(started_at=call.started_at, direction="")
    Call.objects.filter(pk=call.pk).update(first_heard_at=timezone.now())
    Call.objects.filter(pk=agent.pk).update(from_number="sip:anna@agents.example")

    assert heard(Call.objects.get(pk=call.pk))["self"].parties[0].role == Role.CUSTOMER


# The page


NEW = {"name": "Greeting", "text": "Hello {caller_name|there}."}


def test_a_phrase_is_saved_changed_moved_and_deleted_with_a_trail(supervisor):
    assert supervisor.post("/phrases/", NEW).status_code == 302
    supervisor.post("/phrases/", {"name": "Hold", "text": "One moment."})
    first, second = Phrase.objects.all()
    supervisor.post(f"/phrases/{second.pk}/up/")
    assert [it.name for it in Phrase.objects.all()] == ["Hold", "Greeting"]
    supervisor.post(f"/phrases/{second.pk}/up/")  # at the end already
    supervisor.post(f"/phrases/{first.pk}/", NEW | {"name": "Welcome", "voice": "AWS.Polly.Amy"})
    supervisor.post(f"/phrases/{second.pk}/delete/")

    kept = Phrase.objects.get()
    assert (kept.name, kept.voice, kept.kind) == ("Welcome", "AWS.Polly.Amy", "text")
    verbs = [row.verb for row in AuditRow.objects.order_by("id")]
    assert verbs == ["add phrase", "add phrase", "move phrase", "change phrase", "delete phrase"]
    assert AuditRow.objects.get(verb="delete phrase").details["text"] == "One moment."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": "Hello {costumer}."}, "The text has {costumer}, which is no variable"),
        ({"text": " \n"}, "Write what is to be said."),
        ({"text": "x" * 3001}, "The text has 3,001 characters, the limit is 3,000."),
        ({"name": ""}, "Give it a name."),
        ({"name": "n" * 81}, "The name has 81 characters, the limit is 80."),
        ({"name": "GREETING"}, "Another phrase is called “GREETING”."),
        ({"kind": "ssml", "text": "<speak>{time}"}, "no element found, line 1"),
        ({"kind": "html"}, "html"),
        ({"voice": "a b"}, "The voice is “a b”, it may have no space in it."),
    ],
)
def test_what_is_wrong_with_a_phrase_stands_at_its_field(supervisor, change, reason):
    phrase()

    answer = supervisor.post("/phrases/", {**NEW, "name": "Another", **change})

    assert answer.status_code == 422
    assert reason in text(body(answer))
    assert Phrase.objects.count() == 1


def test_the_text_of_the_dialog_is_saved_as_a_phrase(supervisor, call):
    typed = {"payload": "One moment.", "payload_type": "text", "voice": "AWS.Polly.Joanna"}

    good = press(supervisor, "/phrases/from-dialog/", typed | {"phrase_name": "Moment"})
    bad = press(supervisor, "/phrases/from-dialog/", typed | {"phrase_name": "moment"})

    assert good.status_code == 200
    assert "Saved as “Moment”" in body(good)
    assert bad.status_code == 422
    assert "Another phrase is called “moment”." in body(bad)
    assert Phrase.objects.get().text == "One moment."


def test_only_those_who_make_phrases_can(client, lee, olga):
    client.force_login(lee)
    assert client.post("/phrases/", NEW).status_code == 403
    assert client.post("/phrases/from-dialog/", {}).status_code == 403
    client.force_login(olga)
    assert client.post("/phrases/", NEW).status_code == 302
    assert client.post(f"/phrases/{uuid.uuid4()}/delete/").status_code == 404
