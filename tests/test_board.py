"""The board: which conversations are on it, in what order, and what a row says."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.utils import timezone

from calls import board, buttons, commands, contacts, fragments, frames, wishes
from calls.models import Call, Command, Kind
from tests.conftest import leg

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 14, 3, 20, tzinfo=UTC)
STATES = [
    ({"line": "ringing", "direction": "incoming"}, ["Ringing", "Answer"]),
    ({"line": "answered"}, ["Answered", "OFF", "Silent"]),
    ({"line": "held"}, ["On hold"]),
    ({"recording": "on"}, ["REC 1:40"]),
    ({"recording": "paused"}, ["PAUSED 0:30"]),
    ({"recording": "doubt"}, ["IN DOUBT 0:30"]),
    ({"sound": "speaking"}, ["Speaking"]),
    ({"sound": "playing", "sound_medium": "hold-music"}, ["Playing hold-music"]),
    ({"transcribing": True}, ["Captions on"]),
    ({"line": "ended", "ended_inferred": True}, ["Ended (inferred)", "≈", "Review"]),
    ({"line": "ended", "ended_while_paused": True}, ["Ended while paused"]),
]


def call(*, heard_s=100, **values):
    """Make an answered call of which we first heard some seconds before NOW."""
    ids = leg()
    values = {
        "line": "answered",
        "direction": "incoming",
        "from_number": "+13129457420",
        "to_number": "+18005550101",
        "conversation": ids["call_session_id"],
        "recording_started_ours": NOW - timedelta(seconds=100),
        "recording_since_ours": NOW - timedelta(seconds=30),
        **ids,
        **values,
    }
    if values["line"] == "ended":
        values.setdefault("closed_at", NOW - timedelta(seconds=2))
    made = Call.objects.create(**values)
    made.first_heard_at = NOW - timedelta(seconds=heard_s)
    made.save(update_fields=["first_heard_at"])
    return made


def wish(of, kind, state="requested", *, by=None, asked_s=10, **values):
    """Make a command asked for some seconds before NOW."""
    at = NOW - timedelta(seconds=asked_s)
    times = {}
    if state in ("accepted", "confirmed", "timed_out"):
        times["accepted_at"] = at + timedelta(seconds=1)
    if state == "confirmed":
        times["confirmed_at"] = at + timedelta(seconds=2)
    return Command.objects.create(
        call=of,
        kind=kind,
        state=state,
        requested_by=by,
        request_id=uuid.uuid4().hex,
        requested_at=at,
        expires_at=at,
        due_at=at,
        **times | values,
    )


def row(*, control=True, **which):
    """Render the only conversation on the board."""
    (one,) = board.conversations(now=NOW, **which)
    return board.row(one, control=control)


def text(html):
    """Return what a reader sees of some HTML."""
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def keys(now=NOW):
    return [conversation.key for conversation in board.conversations(now=now)]


def button(html, slot):
    """Return the tag of the button in a slot."""
    return re.search(rf"<(?:button|details)[^>]*slot-{slot}[^>]*>", html)[0]


# Which conversations


def test_the_oldest_conversation_comes_first():
    young, old = call(heard_s=5), call(heard_s=50)

    assert keys() == [old.conversation, young.conversation]
    orders = [int(it.order) for it in board.conversations(now=NOW)]
    assert orders == sorted(orders)


def test_legs_of_one_conversation_are_one_row_and_the_earliest_live_one_leads():
    first = call(heard_s=50, line="ended", closed_at=NOW - timedelta(minutes=5))
    second = call(heard_s=40, conversation=first.conversation)
    third = call(heard_s=30, conversation=first.conversation)

    (conversation,) = board.conversations(now=NOW)

    assert conversation.lead == second
    assert conversation.legs == [second, first, third]


def test_an_ended_conversation_is_led_by_its_earliest_leg():
    first = call(heard_s=50, line="ended", closed_at=NOW - timedelta(seconds=9))
    call(heard_s=40, line="ended", conversation=first.conversation)

    (conversation,) = board.conversations(now=NOW)

    assert conversation.lead == first
    assert not conversation.is_live


def test_an_ended_conversation_stays_for_ten_seconds():
    ended = call(line="ended", closed_at=NOW)

    assert keys(NOW + timedelta(seconds=9.9)) == [ended.conversation]
    assert keys(NOW + timedelta(seconds=10)) == []


def test_a_conversation_stays_until_its_last_leg_has_ended_for_ten_seconds():
    first = call(line="ended", closed_at=NOW - timedelta(minutes=1))
    call(line="ended", closed_at=NOW, conversation=first.conversation)

    assert keys(NOW + timedelta(seconds=5)) == [first.conversation]


def test_a_leg_that_we_know_nothing_of_is_no_live_call():
    call(line="unknown")

    assert keys() == []


def test_a_leg_that_we_know_nothing_of_is_listed_in_a_live_conversation():
    known = call()
    call(line="unknown", conversation=known.conversation)

    assert "Leg 2" in text(row())


def test_only_the_wanted_conversations_are_read():
    wanted, _ = call(), call()

    rows = board.conversations(now=NOW, keys=[wanted.conversation, "nobody"])

    assert [it.key for it in rows] == [wanted.conversation]


@pytest.mark.parametrize("many", [1, 12])
def test_the_number_of_queries_does_not_grow_with_the_calls(django_assert_num_queries, sam, many):
    for _ in range(many):
        one = call()
        wish(one, "record_start", "accepted", by=sam)
        call(conversation=one.conversation)

    with django_assert_num_queries(5):  # the last: whether the book of contacts is the newest
        for conversation in board.conversations(now=NOW):
            board.row(conversation, control=True)
    with django_assert_num_queries(1):
        assert len(board.versions(now=NOW)) == many


# Versions


def test_versions_are_those_of_the_rows():
    one, other = call(version=3), call(version=5)
    call(version=2, conversation=one.conversation)

    versions = board.versions(now=NOW)

    assert versions == {it.key: it.version for it in board.conversations(now=NOW)}
    assert versions.keys() == {one.conversation, other.conversation}


def test_a_wish_raises_the_version(sam):
    one = call()
    before = board.versions(now=NOW)[one.conversation]

    commands.issue(one, Kind.RECORD_START, {}, by=sam, request_id="press-1234")

    assert board.versions(now=NOW)[one.conversation] > before


def test_a_leg_that_joins_raises_the_version_whatever_the_other_did():
    one = call(version=9000)
    before = board.versions(now=NOW)[one.conversation]

    call(version=0, conversation=one.conversation)

    assert board.versions(now=NOW)[one.conversation] > before


def test_a_fact_raises_the_version(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    before = board.versions(now=timezone.now())[ids["call_session_id"]]

    deliver("call.answered", **ids)

    assert board.versions(now=timezone.now())[ids["call_session_id"]] > before


# What a row says


@pytest.mark.parametrize(("values", "words"), STATES, ids=lambda value: "")
def test_a_row_says_the_state_in_words(values, words):
    call(**values)

    said = text(row())

    for word in words:
        assert word in said


def test_a_row_is_one_table_row_with_what_the_stream_needs():
    one = call(version=7)
    (conversation,) = board.conversations(now=NOW)

    html = row()

    assert html.startswith(f'<tr id="{board.row_id(one.conversation)}"')
    assert html.endswith("</tr>")
    assert f'data-version="{conversation.version}"' in html
    assert f'data-order="{conversation.order}"' in html
    assert "\n" not in html


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "+1 312 945 7420 Incoming to +1 800 555 0101"),
        ({"caller_name": "JORDAN SMITH"}, "+1 312 945 7420 JORDAN SMITH Incoming"),
        ({"caller_name": "+13129457420"}, "+1 312 945 7420 Incoming"),
        ({"from_number": "anonymous"}, "Withheld Incoming"),
        (
            {
                "direction": "outgoing",
                "from_number": "+18005550101",
                "to_number": "sip:agent17@example-call-center.sip.telnyx.com",
            },
            "agent17@example-….sip.telnyx.com Outgoing from +1 800 555 0101",
        ),
    ],
)
def test_a_row_names_the_customer(values, words):
    call(**values)

    assert words in text(row())


def test_a_row_escapes_what_callers_choose():
    call(caller_name="<script>alert(1)</script>", from_number='"><img src=x>')

    html = row()

    assert "<script" not in html
    assert "<img" not in html


def test_the_duration_counts_from_our_clock_and_never_below_zero():
    one = call(heard_s=-5)

    html = row()

    assert f'data-since="{int(one.first_heard_at.timestamp() * 1000)}">0:00<' in html


def test_the_duration_of_an_ended_call_is_telnyxs_if_it_told_both_ends():
    call(
        line="ended",
        started_at=NOW - timedelta(hours=1, seconds=5),
        ended_at=NOW,
        heard_s=10,
    )

    assert "1:00:05" in text(row())


def test_the_recording_of_another_leg_is_shown_with_its_leg():
    one = call(heard_s=50)
    call(heard_s=40, conversation=one.conversation, recording="on")

    assert "REC 1:40 Leg 2" in text(row())


# Wishes


def test_a_pause_is_never_called_more_than_accepted(sam):
    wish(call(recording="paused"), "record_pause", "accepted", by=sam)

    said = text(row())

    assert "requested 14:03:10 · accepted by Telnyx 14:03:11" in said
    assert "Telnyx sends no webhook for this" in said
    assert "confirmed" not in said


def test_a_stop_waits_for_its_webhook_then_is_confirmed(sam):
    one = call()
    stop = wish(one, "record_stop", "accepted", by=sam)
    assert "waiting for its webhook" in text(row())

    Command.objects.filter(pk=stop.pk).update(state="confirmed", confirmed_at=NOW)

    assert "accepted by Telnyx 14:03:11 · confirmed 14:03:20" in text(row())


def test_a_pending_wish_says_what_is_being_done_and_who_asked(sam):
    wish(call(recording="on"), "record_pause", by=sam)

    said = text(row())

    assert "Pausing… 0:10 by sam · requested 14:03:10" in said
    assert "REC 1:40 Pausing…" in said


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("failed", ["Failed.", "because.", "Nothing changed on the call."]),
        ("expired", ["Not sent.", "because.", "press again if it is still wanted"]),
        ("unknown", ["In doubt.", "because.", "press again to be sure"]),
        ("timed_out", ["Accepted, but not confirmed.", "because.", "or press again"]),
    ],
)
def test_trouble_says_why_and_what_to_do_next(state, words):
    wish(call(), "speak", state, error="because.", params={"payload": "Hello there"})

    said = text(row())

    for word in ["Hello there", *words]:
        assert word in said


@pytest.mark.parametrize("state", ["failed", "expired"])
def test_a_call_that_was_not_placed_is_said_not_to_be(state):
    wish(None, "dial", state, error="because.")

    (failed,) = wishes.dials(since=NOW - timedelta(minutes=1))

    assert "No call was placed" in failed.advice
    assert "Nothing changed on the call" not in failed.advice


@pytest.mark.parametrize("state", ["failed", "expired", "unknown", "timed_out"])
def test_nobody_is_told_to_press_again_once_the_call_is_over(state):
    wish(call(line="ended", closed_at=NOW), "speak", state, error="because.")

    said = text(row())

    assert "because." in said
    assert "press again" not in said


def test_a_recording_in_doubt_says_how_to_be_sure():
    wish(call(recording="doubt"), "record_pause", "unknown", error="No answer.")

    assert "pause or stop it again to be sure, and check the file" in text(row())


def test_a_wish_that_is_still_tried_says_what_keeps_it():
    wish(call(), "speak", "sending", error="Telnyx did not answer within 2 s.")

    assert "Still trying: Telnyx did not answer within 2 s." in text(row())


def test_trouble_is_shown_until_a_later_wish_of_its_kind():
    one = call()
    wish(one, "speak", "failed", error="Wrong voice.", asked_s=30)
    wish(one, "playback_start", "confirmed", asked_s=20)
    assert "Wrong voice." in text(row())

    wish(one, "speak", "confirmed", asked_s=10)

    assert "Wrong voice." not in text(row())


def test_a_command_that_the_desk_asked_again_says_so():
    one = call()
    first = wish(one, "record_start", "failed", asked_s=11)
    wish(one, "record_start", follows=first)

    assert "asked again by the desk" in text(row())


def test_a_call_with_a_hundred_wishes_shows_the_open_and_the_last():
    one = call()
    wish(one, "playback_start", "requested", asked_s=2000, params={"media_name": "still-open"})
    for number in range(100):
        wish(one, "speak", "confirmed", asked_s=1000 - number, params={"payload": f"no {number}."})

    said = text(row())

    assert "still-open" in said
    assert "no 99." in said
    assert "no 98." not in said


# Buttons


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ({}, ["Record", "Pause", "Say", "Play", "Captions", "Listen in", "Hang up"]),
        (
            {"recording": "on"},
            ["Stop", "Pause", "Say", "Play", "Captions", "Listen in", "Hang up"],
        ),
        (
            {"recording": "paused"},
            ["Stop", "Resume", "Say", "Play", "Captions", "Listen in", "Hang up"],
        ),
        (
            {"recording": "doubt"},
            ["Stop", "Pause", "Say", "Play", "Captions", "Listen in", "Hang up"],
        ),
        (
            {"sound": "speaking"},
            ["Record", "Pause", "Say", "Stop sound", "Captions", "Listen in", "Hang up"],
        ),
        (
            {"transcribing": True},
            ["Record", "Pause", "Say", "Play", "Stop captions", "Listen in", "Hang up"],
        ),
    ],
)
def test_the_buttons_have_fixed_places(values, labels):
    slots = buttons.slots(buttons.standing(call(**values), []))

    assert [slot.place for slot in slots] == [
        "record",
        "pause",
        "say",
        "play",
        "captions",
        "listen",
        "hangup",
    ]
    assert [slot.label for slot in slots] == labels


def test_after_a_resume_that_nobody_knows_of_resume_is_offered():
    one = call(recording="doubt")
    wish(one, "record_resume", "unknown")

    assert 'id="' in button(row(), "pause")
    assert "/commands/record_resume/" in button(row(), "pause")


def test_a_button_that_cannot_be_pressed_says_why():
    call(line="ringing", direction="outgoing")

    html = row()

    for slot in ("record", "pause", "say", "play", "captions"):
        assert 'aria-disabled="true"' in button(html, slot)
        assert 'title="The call has not been answered yet."' in button(html, slot)
        assert "formaction" not in button(html, slot)
    assert "commands/hangup/" in html
    assert "commands/answer/" not in html


def test_stop_and_hang_up_ask_back_pause_asks_why_and_the_others_do_not():
    call(recording="on")

    html = row()

    assert button(html, "record").startswith("<details")
    assert button(html, "hangup").startswith("<details")
    assert "Stop? Yes" in html
    assert "Hang up? Yes" in html
    assert "slot-pause" in button(html, "pause")
    assert 'name="why" value="card_payment">Card payment</button>' in html
    assert button(html, "say").startswith("<button")


def test_every_leg_has_buttons_of_its_own_that_name_the_leg():
    one = call(heard_s=50)
    other = call(heard_s=40, conversation=one.conversation, from_number="+493012345678")

    html = row()

    assert f"/calls/{one.pk}/commands/speak/" in html
    assert f"/calls/{other.pk}/commands/speak/" in html
    assert 'aria-label="Controls of leg 1, +1 312 945 7420"' in html
    assert 'aria-label="Controls of leg 2, +49 30 12345678"' in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_a_row_for_those_who_may_not_control_has_no_button():
    one = call(recording="on", line="answered")
    call(conversation=one.conversation)

    html = row(control=False)

    assert "formaction" not in html
    assert "commands/" not in html


def test_a_row_holds_nothing_of_a_request():
    call()

    html = row()

    assert "<form" not in html
    assert "csrf" not in html


def test_what_is_rendered_once_for_equal_values_is_never_out_of_date():
    one = call(heard_s=50)
    other = call(heard_s=40, conversation=one.conversation)
    wish(other, "speak")
    alike = call(heard_s=60, from_number="+493012345678", to_number="", hangup_cause="timeout")
    for values, _ in [*STATES, *STATES[::-1]]:
        fresh = {"recording": "off", "sound": "silent", "transcribing": False, "line": "answered"}
        if values.get("line") == "ended":
            fresh["closed_at"] = NOW
        Call.objects.filter(pk__in=[one.pk, other.pk, alike.pk]).update(**fresh | values)
        for conversation in board.conversations(now=NOW):
            kept = board.rows(conversation)
            for rendered_once in (frames.frame, fragments.fragment, buttons.slots):
                rendered_once.cache_clear()

            assert board.rows(conversation) == kept


def test_who_may_not_control_calls_gets_no_button_and_nobody_gets_a_mark():
    one = call(heard_s=50)
    other = call(heard_s=40, conversation=one.conversation, line="ringing", direction="incoming")
    wish(other, "speak")
    for values, _ in STATES:
        Call.objects.filter(pk=one.pk).update(**values)
        (conversation,) = board.conversations(now=NOW)

        rows = board.rows(conversation)

        assert "hx-post" in rows[True]
        assert "hx-post" not in rows[False]
        assert "<!--" not in rows[True] + rows[False]
        assert str(fragments.NOBODY) not in rows[True] + rows[False]
        assert fragments.leg_id(fragments.NOBODY) not in rows[True] + rows[False]


def test_a_row_rendered_before_shows_the_name_that_a_number_got():
    it = call(heard_s=50)
    (before,) = board.conversations(now=NOW)
    assert "Jane Doe" not in board.row(before, control=True)

    contacts.put([(it.from_number, "Jane Doe", ""), (it.to_number, "Sales & more", "")])
    contacts.look_again()
    (after,) = board.conversations(now=NOW)

    html = board.row(after, control=True)
    assert "More of Jane Doe" in html
    assert "Controls of Jane Doe" in html
    assert text(html).startswith("Answered Jane Doe Incoming to Sales & more")
    assert "jane doe" in after.haystack


# Calls being placed


def test_calls_being_placed_are_told_until_a_row_shows_them(sam):
    made = wish(None, "dial", by=sam, params={"to": "+493012345678"})
    since = NOW - timedelta(minutes=2)
    assert [it.object for it in wishes.dials(since=since)] == ["+493012345678"]

    Command.objects.filter(pk=made.pk).update(call=call())

    assert wishes.dials(since=since) == []


def test_a_call_that_failed_long_ago_is_not_told_any_more(sam):
    wish(None, "dial", "failed", by=sam, asked_s=600)

    assert wishes.dials(since=NOW - timedelta(minutes=2)) == []


def test_of_many_calls_being_placed_the_newest_are_listed():
    for number in range(wishes.MOST_DIALS + 1):
        at = NOW + timedelta(seconds=number)
        Command.objects.create(
            kind="dial",
            request_id=f"press-{number}",
            params={"to": f"+1312555{number:04}"},
            requested_at=at,
            expires_at=at,
            due_at=at,
        )

    listed = [wish.object[-4:] for wish in wishes.dials(since=NOW - timedelta(minutes=2))]

    assert (len(listed), listed[0], listed[-1]) == (wishes.MOST_DIALS, "0001", "0020")
