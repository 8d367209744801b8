"""The library's filters: what each keeps, what each refuses, and its words on the page."""

from datetime import timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone

from recordings import filters
from recordings.models import Recording, Tag, Tagging, length_class
from tests.findable import STARTED, found, make, read

pytestmark = pytest.mark.django_db

ONE_OF_TWO = [
    # filter, the column of one that is found, of one that is not
    ({"direction": "outgoing"}, {"direction": "outgoing"}, {"direction": "incoming"}),
    ({"state": "failed"}, {"state": "failed"}, {"state": "stored"}),
    ({"channels": "1"}, {"channels": 1}, {"channels": 2}),
    ({"channels": "2"}, {"channels": 2}, {"channels": None}),
    ({"transcript": "yes"}, {"has_transcript": True}, {}),
    ({"transcript": "no"}, {}, {"has_transcript": True}),
    ({"flagged": "yes"}, {"flagged": True}, {}),
    ({"flagged": "no"}, {}, {"flagged": True}),
    ({"reviewed": "yes"}, {"reviewed": True}, {}),
    ({"reviewed": "no"}, {}, {"reviewed": True}),
    ({"paused": "yes"}, {"paused": True}, {}),
    ({"paused": "no"}, {}, {"paused": True}),
    ({"paused": "to-the-end"}, {"ended_paused": True}, {"paused": True}),
    ({"paused": "unverified"}, {"pause_unverified": True}, {"paused": True}),
    ({"longer": "1:30"}, {"duration_ms": 90_000}, {"duration_ms": 89_999}),
    ({"longer": "1h"}, {"duration_ms": 7_200_000}, {"duration_ms": None}),
    ({"shorter": "1:30"}, {"duration_ms": 90_999}, {"duration_ms": 91_000}),
    ({"shorter": "90"}, {"duration_ms": 0}, {"duration_ms": None}),
    ({"longer": "60", "shorter": "2m"}, {"duration_ms": 60_000}, {"duration_ms": 121_000}),
    ({"longer": "1", "shorter": "3h"}, {"duration_ms": 10_000_000}, {"duration_ms": 999}),
    ({"number": "(212) 555-0100"}, {"parties": ("+12125550100", "+1")}, {"parties": ("+1", "2")}),
    ({"number": "0100"}, {"parties": ("+1", "+12125550100")}, {"parties": ("+1", "+101001")}),
    ({"party": "alice"}, {"parties": ("sip:alice@desk.example", "2")}, {"said": "alice"}),
    ({"party": "Alice@desk"}, {"agent": "sip:alice@desk.example"}, {"agent": "sip:alice@x.y"}),
    ({"party": "müller"}, {"name": "Anna Muller"}, {"name": "Miller"}),
    ({"party": "agen*"}, {"agent": "sip:agent17@x.y"}, {"agent": "sip:17@agile.y"}),
    ({"party": "+1 212 555 0100"}, {"parties": ("+12125550100", "+1")}, {"name": "12125550100"}),
    ({"q": "0100"}, {"parties": ("+12125550100", "+1")}, {"said": "0100"}),
]


@pytest.mark.parametrize(("query", "one", "other"), ONE_OF_TWO, ids=str)
def test_each_filter_keeps_what_it_names_and_nothing_else(sam, query, one, other):
    none = {"parties": ("+5", "+6")}
    wanted = make(**(none | one))
    make(**(none | other))
    assert found(sam, **query) == [wanted]


def test_a_tag_finds_what_wears_it_in_any_case(sam):
    wanted, other = make(), make()
    vip, billing = (Tag.objects.create(name=name) for name in ("vip", "billing"))
    for recording, tag in ((wanted, vip), (wanted, billing), (other, billing)):
        Tagging.objects.create(
            recording=recording, tag=tag, place=recording.place, at=timezone.now()
        )
    assert found(sam, tag="VIP") == [wanted]
    assert {*found(sam, tag="billing")} == {wanted, other}
    assert found(sam, tag="billing", state="failed") == []
    assert found(sam, tag="no such tag") == []


REFUSED = {
    "colour=red": "There is no filter 'colour'. Known are q, number, party, from, to",
    "state=gone": "There is no state 'gone'. Known are announced,",
    "state=failed&state=stored": "state is given 2 times; give it once.",
    "direction=up": "There is no direction 'up'. Known are incoming, outgoing.",
    "channels=3": "There is no channels '3'. Known are 1, 2.",
    "transcript=maybe": "transcript is 'maybe'; it can be yes or no.",
    "flagged=1": "flagged is '1'; it can be yes or no.",
    "reviewed=true": "reviewed is 'true'; it can be yes or no.",
    "paused=ja": "There is no paused 'ja'. Known are yes, no, to-the-end, unverified.",
    "longer=long": "longer is 'long', which is no length like 1:30, 90 or 5m.",
    "longer=1:99": "longer is '1:99', which is no length",
    "shorter=101h": "shorter is '101h', the limit is 100 hours.",
    "longer=-5": "longer is '-5', which is no length",
    "longer=2m&shorter=1:59": "longer (2m) is more than shorter (1:59).",
    f"tag={'x' * 41}": "tag has 41 characters, the limit is 40.",
    "from=yesterday": "from is 'yesterday', which is no date like 2026-03-31.",
    "to=9999-12-31": "to is 9999-12-31, which is not between 1970 and 2099.",
    "from=2026-03-05&to=2026-03-01": "from (2026-03-05) is after to (2026-03-01).",
    "number=abc": "number is 'abc', which is no telephone number, and no contact's.",
    "party=!!": "party: '!!' holds no word of a name or address.",
    "party=-lee": "party: '-lee' only says whom to leave out",
    "q=%22%22": "q: '\"\"' holds no word.",
    "q=-refund": "q: '-refund' only says what to leave out; add a word to look for.",
    "q=re*": "q: 're*' needs at least 3 letters before *.",
    f"q={'x' * 201}": "q has 201 characters, the limit is 200.",
    "q=a%00b": "q holds a character that no text has.",
    "sort=best": "There is no sort 'best'. Known are newest, oldest, longest, shortest.",
    "q=refund&sort=longest": "A search for words is in the order of time: sort can be newest or",
    "after=x": "after is 'x', which is no place in this list.",
    f"after={1 << 63}": "which is no place in this list.",
    "after=5-6": "after is '5-6', which is no place in this list.",
    "sort=longest&after=6": "after is '6', which is no place in this list.",
}


@pytest.mark.parametrize("query", REFUSED)
def test_an_odd_value_is_refused_in_a_sentence_that_names_it(query):
    with pytest.raises(filters.Invalid) as refused:
        filters.read(QueryDict(query))
    assert REFUSED[query] in str(refused.value)


LENGTHS = {"90": 90, "1:30": 90, "1:02:03": 3723, "5m": 300, "5 min": 300, "1h30m": 5400}


@pytest.mark.parametrize("text", LENGTHS)
def test_a_length_is_read_as_people_write_it(text):
    assert read(longer=text).longer_ms == LENGTHS[text] * 1000


def test_the_class_of_a_length_is_the_same_in_python_and_in_the_database():
    edges = [0, 1, 14_999, 15_000, 29_999, 30_000, 7_679_999, 7_680_000, 90_000_000]
    for ms in edges:
        recording = make(duration_ms=ms)
        assert Recording.objects.get(pk=recording.pk).length == length_class(ms)
    assert Recording.objects.get(pk=make(duration_ms=None).pk).length is None


def test_lists_are_sorted_by_time_or_by_length(sam):
    old = make(started_at=STARTED, duration_ms=5_000)
    middle = make(started_at=STARTED + timedelta(hours=1), duration_ms=1_000)
    new = make(started_at=STARTED + timedelta(hours=2), duration_ms=9_000)
    make(started_at=STARTED + timedelta(hours=3), duration_ms=None, state="missing")
    assert found(sam, state="stored") == [new, middle, old]
    assert found(sam, state="stored", sort="oldest") == [old, middle, new]
    assert found(sam, sort="longest") == [new, old, middle]
    assert found(sam, sort="shortest") == [middle, old, new]


def test_chips_are_in_words_and_sorting_is_none():
    query = QueryDict("flagged=yes&direction=incoming&channels=2&longer=1:30&sort=oldest&after=5")
    chips = [(chip.label, chip.value) for chip in filters.chips(query)]
    assert chips == [
        ("Direction", "Incoming"),
        ("At least", "1:30"),
        ("Channels", "2 (a side each)"),
        ("Flagged", "Yes"),
    ]
    assert filters.chips(query)[0].without == "?longer=1%3A30&channels=2&flagged=yes&sort=oldest"
