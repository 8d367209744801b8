"""Placing a call: numbers in any spelling, our own offered, refusals that name the input."""

import pytest

from calls import numbers
from calls.models import Call, Command
from tests.conftest import leg

pytestmark = pytest.mark.django_db

LINE = "+18005550100"


def line(number, direction="incoming", **columns):
    ours, theirs = {"incoming": ("to", "from"), "outgoing": ("from", "to")}[direction]
    ends = {f"{ours}_number": number, f"{theirs}_number": "+13125550101"}
    return Call.objects.create(**leg(), direction=direction, **ends | columns)


@pytest.mark.parametrize(
    ("written", "like", "country", "read"),
    [
        ("+1 (312) 555-0142", "", "", "+13125550142"),
        ("(312) 555-0142", LINE, "", "+13125550142"),
        ("0049 30 123456", "+4930999999", "", "+4930123456"),
        ("030 / 12 34 56", "", "DE", "+4930123456"),
        ("030 123456", LINE, "DE", "+4930123456"),  # the site's country goes before
        ("312 555 0142,9w1#", LINE, "", "+13125550142,9w1#"),
        ("sip:agent@cc.example", LINE, "", "sip:agent@cc.example"),
        ("312 555 0142", "", "", "312 555 0142"),  # whose? Telnyx's check says what is wrong
        ("12", LINE, "", "12"),
        ("Tapeline", LINE, "", "Tapeline"),
        ("", LINE, "", ""),
    ],
)
def test_numbers_are_read_as_people_write_them(written, like, country, read, settings):
    settings.COUNTRY = country
    assert numbers.read(written, like=like) == read


def test_our_lines_are_those_that_take_and_make_calls(django_assert_num_queries):
    for _ in range(2):
        line("+18005550101", "outgoing")
    one = line(LINE)
    line("sip:trunk@cc.example")
    line("+18005550177", "outgoing", supervises=one)

    with django_assert_num_queries(1):
        assert numbers.own() == ["+18005550101", LINE]


def test_the_form_offers_our_numbers_and_takes_any_spelling(client, sam, settings):
    settings.TELNYX_CONNECTION_ID = "12"
    line(LINE)
    client.force_login(sam)

    page = client.get("/calls/").content.decode()
    assert f'value="{LINE}"' in page
    assert "From the answer on" in page
    post = {"to": "(312) 555-0142", "from": "1 800 555 0100", "record": "record-from-answer"}
    more = {"record_format": "wav", "record_channels": "single", "timeout_secs": "20"}
    client.post("/calls/", post | more)

    assert Command.objects.get().params == {
        "to": "+13125550142",
        "from": LINE,
        "connection_id": "12",
        "record": "record-from-answer",
        "record_format": "wav",
        "record_channels": "single",
        "timeout_secs": 20,
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"to": ""}, "to is missing"),
        ({"to": "555"}, "to is &quot;555&quot;, neither a number as +18005550100 nor a SIP"),
        ({"from": "me"}, "from is &quot;me&quot;, neither a number as +18005550100 nor a SIP"),
        ({"timeout_secs": "4"}, "timeout_secs is 4 s, the least is 5 s"),
    ],
)
def test_wrong_input_is_named(client, sam, wrong, said):
    client.force_login(sam)
    post = {"to": "+13125550142", "from": LINE, "connection_id": "12"} | wrong

    answer = client.post("/calls/", post)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Command.objects.exists()
