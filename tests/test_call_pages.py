"""The pages of a call: who may do what, with JavaScript and without, and the story they tell."""

import json
import re
import time
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls import board, suggestions, timeline, views
from calls.models import Call, Command
from tests.conftest import leg

pytestmark = pytest.mark.django_db

SAY = {"payload": "Hello.", "voice": "AWS.Polly.Joanna"}


@pytest.fixture(autouse=True)
def rings(monkeypatch):
    """Return the lanes that were rung."""
    lanes = []
    monkeypatch.setattr(views, "ring", lanes.append)
    return lanes


@pytest.fixture(autouse=True)
def _no_suggestions(monkeypatch):
    monkeypatch.setattr(suggestions, "SOURCES", {"media": list, "voices": list})
    monkeypatch.setattr(suggestions, "_shelf", suggestions.Shelf())


@pytest.fixture
def call(deliver):
    """Return an answered call that the desk knows from its webhooks."""
    ids = leg()
    deliver("call.initiated", **ids)
    deliver("call.answered", **ids)
    return Call.objects.get(call_leg_id=ids["call_leg_id"])


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


def url(call, kind=None):
    return f"/calls/{call.pk}/" + (f"commands/{kind}/" if kind else "")


def press(client, address, data=None, *, on="/"):
    """Post as htmx does, from a page of the desk."""
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{on}"}
    return client.post(address, {"request_id": uuid.uuid4().hex, **(data or {})}, headers=headers)


def said(response):
    """Return what the page will say after an answer to htmx."""
    return json.loads(response["HX-Trigger"])["tapeline:done"]


def still(html):
    """Return HTML without what differs between two answers that say the same."""
    html = re.sub(r'(data-since="\d+">)[\d:]+', r"\1", html)
    return re.sub(r'(name="(csrfmiddlewaretoken|request_id)" value=)"\w+"', r"\1", html).strip()


def text(html):
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def body(response):
    return response.content.decode()


# Who may


@pytest.mark.parametrize(
    ("name", "page", "command"), [("sam", 200, 200), ("lee", 200, 403), ("max", 404, 403)]
)
def test_roles_decide_who_sees_and_who_controls(client, request, call, name, page, command):
    client.force_login(request.getfixturevalue(name))

    assert client.get(url(call)).status_code == page
    assert client.get(url(call, "speak")).status_code == command
    posted = press(client, url(call, "record_start"), {"format": "mp3", "channels": "dual"})
    assert posted.status_code == command
    assert Command.objects.exists() is (command == 200)


def test_only_those_who_control_see_buttons_on_the_page(client, sam, lee, call):
    client.force_login(lee)
    assert "commands/" not in body(client.get(url(call)))

    client.force_login(sam)
    assert url(call, "record_start") in body(client.get(url(call)))


def test_strangers_are_sent_to_the_sign_in(client, call):
    for address in (url(call), url(call, "speak"), "/calls/", "/"):
        assert client.get(address).url == f"/login/?next={address}"


@pytest.mark.parametrize("kind", ["", "speak"])
def test_a_call_that_does_not_exist_is_not_found(supervisor, kind):
    missing = f"/calls/{uuid.uuid4()}/" + (f"commands/{kind}/" if kind else "")

    assert supervisor.get(missing).status_code == 404


@pytest.mark.parametrize("kind", ["transfer", "dial", "RECORD_START", "record_start2"])
def test_a_kind_that_addresses_no_call_is_not_found(supervisor, call, kind):
    assert supervisor.post(url(call, kind)).status_code == 404
    assert supervisor.get(url(call, kind)).status_code == 404


# Without JavaScript


def test_a_press_without_javascript_leads_to_the_call_and_says_what_happened(
    supervisor, sam, call, rings
):
    answer = supervisor.post(url(call, "hangup"), follow=True)

    assert answer.redirect_chain == [(url(call), 302)]
    assert "Hang up: requested." in text(body(answer))
    command = Command.objects.get()
    assert (command.kind, command.requested_by, command.params) == ("hangup", sam, {})
    assert rings == ["control"]


def test_a_press_that_cannot_be_done_says_why_without_javascript(supervisor, call):
    answer = supervisor.post(url(call, "record_pause"), {"why": "other"}, follow=True)

    assert "Pause recording: The call is not being recorded." in text(body(answer))
    assert not Command.objects.exists()


def test_the_form_is_a_page_of_its_own_without_javascript(supervisor, call):
    page = body(supervisor.get(url(call, "speak")))

    assert "<html" in page
    assert 'name="payload"' in page
    assert "csrfmiddlewaretoken" in page
    assert 'name="request_id"' in page


@pytest.mark.parametrize("kind", ["record_stop", "hangup", "record_pause"])
def test_asking_for_a_command_without_parameters_asks_back(supervisor, call, kind):
    page = body(supervisor.get(url(call, kind)))

    assert f'action="{url(call, kind)}"' in page
    assert not Command.objects.exists()


def test_posting_a_page_again_is_the_same_press(supervisor, call):
    page = body(supervisor.get(url(call, "speak")))
    typed = SAY | {"request_id": re.search(r'name="request_id" value="(\w+)"', page)[1]}

    supervisor.post(url(call, "speak"), typed)
    supervisor.post(url(call, "speak"), typed)

    assert Command.objects.count() == 1


# With htmx


def test_a_press_on_the_board_brings_the_row_back(supervisor, call, rings):
    answer = press(supervisor, url(call, "hangup"))

    (conversation,) = board.conversations(now=timezone.now())
    assert answer.status_code == 200
    assert answer["Desk-Target"] == f"#{conversation.id}"
    assert answer["HX-Reswap"] == "outerHTML"
    assert f'data-version="{conversation.version}"' in body(answer)
    assert "Hanging up…" in text(body(answer))
    assert said(answer) == {
        "target": "#announce",
        "text": "Hang up: requested.",
        "level": "info",
    }
    assert rings == ["control"]


def test_a_press_on_the_page_of_a_call_brings_its_panel_back(supervisor, call):
    answer = press(supervisor, url(call, "hangup"), on=url(call))

    assert answer["Desk-Target"] == "#panel"
    assert '<section id="panel"' in body(answer)
    assert "Hanging up…" in text(body(answer))


def test_the_row_that_a_page_shows_is_the_row_that_a_press_brings(supervisor, call):
    row = still(body(press(supervisor, url(call, "hangup"))))

    assert row in still(body(supervisor.get("/")))


def test_a_press_on_a_call_that_has_left_the_board_swaps_nothing(supervisor, call):
    Call.objects.update(line="ended", closed_at=timezone.now() - timedelta(minutes=1))

    answer = press(supervisor, url(call, "hangup"))

    assert answer.status_code == 409
    assert answer["HX-Reswap"] == "none"
    assert said(answer)["text"] == "Hang up: The call has ended."


def test_what_the_call_is_in_no_state_for_is_a_conflict_with_the_row_as_it_is(
    supervisor, call, rings
):
    answer = press(supervisor, url(call, "record_resume"))

    assert answer.status_code == 409
    assert body(answer).startswith("<tr")
    assert said(answer)["text"] == "Resume recording: The recording is not paused."
    assert said(answer)["level"] == "warning"
    assert not Command.objects.exists()
    assert rings == []


def test_a_second_press_joins_the_first_and_says_whose_it_is(client, sam, call, django_user_model):
    ann = django_user_model.objects.create_user("ann", first_name="Ann")
    ann.groups.set(sam.groups.all())
    client.force_login(ann)
    press(client, url(call, "hangup"))

    client.force_login(sam)
    answer = press(client, url(call, "hangup"))

    assert Command.objects.count() == 1
    assert re.fullmatch(r"Hang up: Ann asked already at \d\d:\d\d:\d\d\.", said(answer)["text"])


def test_the_same_press_twice_is_one_command(supervisor, call):
    typed = SAY | {"request_id": "press-12345"}

    first = press(supervisor, url(call, "speak"), typed)
    second = press(supervisor, url(call, "speak"), typed)

    assert Command.objects.get().request_id == "press-12345"
    assert said(first)["text"] == said(second)["text"] == "Say: requested."


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "a b c d e f", "né-à-Paris-1234", "a\0" * 9]
)
def test_a_press_id_that_is_none_is_made_here(supervisor, call, given):
    press(supervisor, url(call, "speak"), SAY | {"request_id": given})

    assert re.fullmatch("[0-9a-f]{32}", Command.objects.get().request_id)


def test_the_form_is_a_fragment_for_the_dialog(supervisor, call):
    answer = supervisor.get(url(call, "speak"), headers={"HX-Request": "true"})

    assert "<html" not in body(answer)
    assert answer["Desk-Target"] == "#dialog-body"
    assert "HX-Request" in answer["Vary"]
    assert still(body(answer)) in still(body(supervisor.get(url(call, "speak"))))


def test_the_form_says_which_leg_it_addresses_and_shows_the_main_fields_first(supervisor, call):
    page = body(supervisor.get(url(call, "speak")))

    assert "On the leg +1 312 945 7420 → +1 800 555 0101" in text(page)
    assert page.index('name="payload"') < page.index("More options")
    assert page.index("More options") < page.index('name="client_state"')


def test_the_form_says_why_it_cannot_be_sent_now(supervisor, call):
    page = text(body(supervisor.get(url(call, "record_pause"))))

    assert "The call is not being recorded." in page


def test_what_telnyx_would_refuse_comes_back_with_the_reason_and_what_was_typed(
    supervisor, call, rings
):
    answer = press(supervisor, url(call, "speak"), {"payload": "x" * 3001, "voice": "some.voice"})

    assert answer.status_code == 422
    assert answer["Desk-Target"] == "#dialog-body"
    assert "3001 characters, the limit is 3000" in text(body(answer))
    assert 'value="some.voice"' in body(answer)
    assert 'aria-invalid="true"' in body(answer)
    assert not Command.objects.exists()
    assert rings == []


def test_what_is_wrong_under_more_options_is_not_hidden(supervisor, call):
    answer = press(supervisor, url(call, "speak"), SAY | {"client_state": "not Base64!"})

    assert re.search(r'<details class="more" open>', body(answer))


def test_parameters_reach_the_command(supervisor, call):
    said = SAY | {"voice": "Telnyx.KokoroTTS.af", "language": "en-GB"}
    press(supervisor, url(call, "speak"), said)

    assert Command.objects.get().params == said


# Dial


def test_a_call_is_placed_on_the_connection_of_the_settings(supervisor, sam, settings, rings):
    settings.TELNYX_CONNECTION_ID = "2000000000000000001"

    answer = supervisor.post(
        "/calls/", {"to": "+493012345678", "from": "+18005550101"}, follow=True
    )

    assert "Place call: requested." in text(body(answer))
    assert answer.redirect_chain == [("/", 302)]
    assert "Calling…" in text(body(answer))
    command = Command.objects.get()
    assert (command.kind, command.call) == ("dial", None)
    assert command.params == {
        "to": "+493012345678",
        "from": "+18005550101",
        "connection_id": "2000000000000000001",
    }
    assert rings == ["control"]


def test_a_call_to_nobody_is_refused_with_the_reason(supervisor):
    answer = press(supervisor, "/calls/", {"to": "grandma", "from": "+18005550101"})

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in body(answer)
    assert not Command.objects.exists()


def test_only_those_who_control_place_calls(client, lee):
    client.force_login(lee)

    assert client.get("/calls/").status_code == 403
    assert client.post("/calls/", {"to": "+493012345678"}).status_code == 403
    assert "Place call" not in body(client.get("/"))


# Suggestions


def test_stored_sounds_are_suggested(supervisor, call, monkeypatch):
    monkeypatch.setitem(suggestions.SOURCES, "media", lambda: ["hold-music", "welcome"])

    page = body(supervisor.get(url(call, "playback_start")))

    assert '<option value="hold-music">' in page
    assert re.search(r'name="media_name"[^>]*list="ask-media_name_list"', page)
    assert 'id="ask-media_name_list"' in page


def test_names_are_asked_for_once_in_a_while(supervisor, call, monkeypatch):
    asked = []
    monkeypatch.setitem(suggestions.SOURCES, "media", lambda: asked.append(1) or ["welcome"])

    for _ in range(3):
        supervisor.get(url(call, "playback_start"))

    assert asked == [1]


def test_a_failure_leaves_a_plain_field(supervisor, call, monkeypatch):
    monkeypatch.setitem(suggestions.SOURCES, "media", lambda: 1 / 0)

    page = body(supervisor.get(url(call, "playback_start")))

    assert 'name="media_name"' in page
    assert "ask-media_name_list" not in page


def test_a_slow_answer_does_not_hold_the_form(supervisor, call, monkeypatch):
    monkeypatch.setattr(suggestions, "PATIENCE_S", 0.05)
    monkeypatch.setitem(suggestions.SOURCES, "media", lambda: time.sleep(1.5) or [])
    started = time.monotonic()

    page = supervisor.get(url(call, "playback_start"))

    assert time.monotonic() - started < 1
    assert 'name="media_name"' in body(page)


# The page


@pytest.mark.parametrize("part", ["panel", "timeline", "captions", "recordings"])
def test_a_part_is_what_the_page_shows(supervisor, call, part):
    answer = supervisor.get(url(call), {"part": part})

    assert body(answer).lstrip().startswith(f'<section id="{part}"')
    assert still(body(answer)) in still(body(supervisor.get(url(call))))


def test_a_part_that_no_page_has_is_not_found(supervisor, call):
    assert supervisor.get(url(call), {"part": "../base"}).status_code == 404


def test_the_page_listens_for_its_own_conversation(supervisor, call):
    page = body(supervisor.get(url(call)))

    assert f'data-conversation="{call.conversation}"' in page
    assert f'data-live-url="/live/?conversation={call.conversation}"' in page


def test_the_page_lists_the_other_legs(supervisor, call, deliver):
    ids = leg(call_session_id=call.call_session_id)
    deliver("call.initiated", **ids, **{"from": "+493012345678"})
    other = Call.objects.get(call_leg_id=ids["call_leg_id"])

    page = body(supervisor.get(url(call)))

    assert f'href="{url(other)}"' in page
    assert "Leg 2 +49 30 12345678" in text(page)
    assert f'href="{url(call)}"' in body(supervisor.get(url(other)))


def test_facts_and_wishes_are_told_in_order_and_told_apart(supervisor, call, deliver):
    supervisor.post(url(call, "hangup"))
    deliver(
        "call.hangup",
        call_leg_id=call.call_leg_id,
        call_session_id=call.call_session_id,
        call_control_id=call.call_control_id,
    )

    story = body(supervisor.get(url(call), {"part": "timeline"}))

    told = [("Wish" if "is-wish" in it else "Fact", text(it)) for it in story.split("<li ")[1:]]
    assert [kind for kind, _ in told] == ["Fact", "Fact", "Wish", "Fact"]
    assert "Call began JORDAN SMITH, incoming" in told[0][1]
    assert "Answered" in told[1][1]
    assert "Hanging up…" in told[2][1]
    assert "Hung up normal clearing, by the caller" in told[3][1]


def test_pressed_keys_are_never_shown(supervisor, call, deliver):
    ids = {name: getattr(call, name) for name in ("call_leg_id", "call_session_id")}
    deliver("call.dtmf.received", digit="7", **ids)
    deliver("call.gather.ended", digits="4929", **ids)

    story = text(body(supervisor.get(url(call), {"part": "timeline"})))

    assert "Key pressed •" in story
    assert "4929" not in story
    assert " 7 " not in story


def test_a_fact_that_could_not_be_applied_says_so(supervisor, call):
    Call.objects.update()
    call_events = timeline.WebhookEvent.objects.filter(call_leg_id=call.call_leg_id)
    call_events.filter(event_type="call.answered").update(state="dead", error="Boom: no luck")

    assert "Could not be applied: Boom: no luck" in text(body(supervisor.get(url(call))))


def test_a_fact_that_cannot_be_read_does_not_break_the_story(supervisor, call):
    timeline.WebhookEvent.objects.filter(call_leg_id=call.call_leg_id).update(raw=b"\xff{")

    assert supervisor.get(url(call)).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_story(
    supervisor, call, deliver, django_assert_max_num_queries
):
    ids = {name: getattr(call, name) for name in ("call_leg_id", "call_session_id")}
    for _ in range(10):
        deliver("call.speak.started", **ids)
        deliver("call.transcription", **ids)

    supervisor.get(url(call))  # the first look at the captions is written down

    with django_assert_max_num_queries(21):
        supervisor.get(url(call))


# Captions


@pytest.fixture
def captioned(call, deliver):
    """Return a call in which somebody said something."""
    deliver(
        "call.transcription",
        call_leg_id=call.call_leg_id,
        call_session_id=call.call_session_id,
        transcription_data={
            "transcript": "my last invoice",
            "is_final": True,
            "transcription_track": "inbound",
        },
    )
    return call


def test_reading_captions_is_written_down_once_an_hour(client, lee, captioned):
    client.force_login(lee)

    assert "this leg my last invoice" in text(body(client.get(url(captioned))))
    client.get(url(captioned), {"part": "captions"})

    row = AuditRow.objects.get(verb="read captions")
    assert (row.who, row.subject) == (lee, f"call {captioned.pk}")
    AuditRow.objects.update(at=timezone.now() - timedelta(minutes=61))
    client.get(url(captioned))
    assert AuditRow.objects.filter(verb="read captions").count() == 2


def test_a_part_without_captions_is_no_reading_of_them(client, lee, captioned):
    client.force_login(lee)

    client.get(url(captioned), {"part": "timeline"})

    assert not AuditRow.objects.exists()


def test_when_the_trail_cannot_be_written_no_caption_is_shown(client, lee, captioned, monkeypatch):
    monkeypatch.setattr(views.audit, "record", lambda *a, **k: 1 / 0)
    client.force_login(lee)
    client.raise_request_exception = False

    answer = client.get(url(captioned))

    assert answer.status_code == 500
    assert b"my last invoice" not in answer.content


def test_operators_see_the_call_and_not_what_was_said(client, olga, captioned):
    client.force_login(olga)

    page = text(body(client.get(url(captioned))))

    assert "You may see this call, but not read what was said." in page
    assert "my last invoice" not in page
    assert not AuditRow.objects.exists()


def test_what_was_said_during_a_pause_is_not_shown(captioned, sam):
    (caption,) = timeline.captions(captioned)
    pause = Command.objects.create(
        call=captioned,
        kind="record_pause",
        state="accepted",
        request_id="press-1",
        requested_at=caption.at - timedelta(seconds=1),
        accepted_at=caption.at,
        expires_at=caption.at,
        due_at=caption.at,
    )
    assert timeline.captions(captioned) == []

    Command.objects.filter(pk=pause.pk).update(requested_at=caption.at + timedelta(seconds=1))

    assert timeline.captions(captioned) == [caption]


def test_what_was_said_during_a_pause_in_doubt_is_not_shown_either(captioned):
    (caption,) = timeline.captions(captioned)
    pause = Command.objects.create(
        call=captioned,
        kind="record_pause",
        state="unknown",
        request_id="press-1",
        requested_at=caption.at - timedelta(seconds=1),
        expires_at=caption.at,
        due_at=caption.at,
    )
    assert timeline.captions(captioned) == []

    Command.objects.filter(pk=pause.pk).update(state="failed")

    assert timeline.captions(captioned) == [caption]


def test_captions_that_are_not_final_are_not_shown(call, deliver):
    deliver(
        "call.transcription",
        call_leg_id=call.call_leg_id,
        transcription_data={"transcript": "my la", "is_final": False},
    )

    assert timeline.captions(call) == []
