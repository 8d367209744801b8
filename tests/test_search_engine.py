"""The engine against a naive filter: any library, any filters, any limits, every page."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.http import QueryDict
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from calls.models import Call
from recordings import filters, listing
from recordings.models import Recording, Tag, Tagging, numbers, place_of
from recordings.models.recording import EPOCH
from recordings.search import engine, results
from recordings.search.engine import Limits, search
from recordings.search.index import index
from tests.findable import STARTED, make, read, say

WORDS = ("alpha", "beta", "gamma")
NUMBERS = ("+12125550100", "+12125550199", "+493055501")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
LENGTHS_MS = (None, 0, 14_999, 15_000, 29_000, 61_000, 4_000_000)

ROWS = st.fixed_dictionaries(
    {
        "hours": st.integers(0, 2_000) | st.integers(0, 12_000),
        "said": TEXTS,
        "caller": st.sampled_from(NUMBERS),
        "agent": st.sampled_from(["", "sip:lee@x.example", "sip:mia@x.example"]),
        "direction": st.sampled_from(["incoming", "outgoing"]),
        "duration_ms": st.sampled_from(LENGTHS_MS),
        "state": st.sampled_from(["stored", "failed"]),
        "channels": st.sampled_from([1, 2]),
        "flagged": st.booleans(),
        "reviewed": st.booleans(),
        "paused": st.booleans(),
        "is_tagged": st.booleans(),
    }
)
YES_NO = st.sampled_from(["yes", "no"])
QUERIES = st.fixed_dictionaries(
    {"sort": st.sampled_from(["newest", "oldest", "longest", "shortest"])},
    optional={
        "q": st.sampled_from(
            ["alpha", "alpha beta", '"alpha beta"', "alpha -beta", 'beta -"beta alpha"', "gam*"]
        ),
        "number": st.sampled_from(["0100", "5501", "99"]),
        "party": st.sampled_from(["lee", "mia x", "+1 212 555 0199"]),
        "from": st.sampled_from(["2026-03-02", "2026-04-10"]),
        "to": st.sampled_from(["2026-04-11", "2026-05-20"]),
        "direction": st.sampled_from(["incoming", "outgoing"]),
        "longer": st.sampled_from(["0:15", "1:00"]),
        "shorter": st.sampled_from(["1:00", "2h"]),
        "state": st.sampled_from(["stored", "failed"]),
        "channels": st.sampled_from(["1", "2"]),
        "transcript": YES_NO,
        "tag": st.sampled_from(["vip", "none"]),
        "flagged": YES_NO,
        "reviewed": YES_NO,
        "paused": YES_NO,
    },
)
LIMITS = st.builds(
    Limits,
    counted=st.integers(1, 8),
    sortable=st.just(40),
    first_batch=st.integers(1, 4),
    largest_batch=st.integers(4, 9),
    few=st.sampled_from([0.0, 2_000.0]),
    seconds=st.sampled_from([0.0, 60.0]),  # 0: always over
    count_seconds=st.sampled_from([0.0, 60.0]),
)


def says(row, asked):
    spoken = f" {row['said']} "
    if asked == "gam*":
        return " gam" in spoken
    wanted, _, unwanted = asked.partition(" -")
    wanted = [wanted.strip('"')] if '"' in wanted else wanted.split()
    return all(f" {each} " in spoken for each in wanted) and not (
        unwanted and f" {unwanted.strip(chr(34))} " in spoken
    )


def meets(row, query):
    """Say whether a row meets a query, as plainly as it can be said."""
    at = STARTED + timedelta(hours=row["hours"])
    length = row["duration_ms"]
    parties = {"lee": "lee@", "mia x": "mia@"}
    party = query.get("party")
    checks = [
        "q" not in query or says(row, query["q"]),
        "number" not in query or row["caller"].endswith(query["number"]),
        party is None or parties.get(party, "\0") in row["agent"] or row["caller"][-4:] in party,
        "from" not in query or at.date().isoformat() >= query["from"],
        "to" not in query or at.date().isoformat() <= query["to"],
        "longer" not in query
        or (length is not None and length >= {"0:15": 15_000, "1:00": 60_000}[query["longer"]]),
        "shorter" not in query
        or (length is not None and length < {"1:00": 61_000, "2h": 7_201_000}[query["shorter"]]),
        "channels" not in query or str(row["channels"]) == query["channels"],
        "transcript" not in query or bool(row["said"]) == (query["transcript"] == "yes"),
        "tag" not in query or (query["tag"] == "vip" and row["is_tagged"]),
        not query["sort"].endswith("est")
        or query["sort"] == "newest"
        or length is not None
        or query["sort"] == "oldest",
        *(query.get(name, row[name]) == row[name] for name in ("direction", "state")),
        *(
            name not in query or row[name] == (query[name] == "yes")
            for name in ("flagged", "reviewed", "paused")
        ),
    ]
    return all(checks)


def ordered(rows, sort):
    by_length = sort in ("longest", "shortest")
    return sorted(
        rows,
        key=lambda row: (row["duration_ms"] if by_length else 0, row["place"]),
        reverse=sort in ("newest", "longest"),
    )


def build(rows):
    """Make the recordings of rows, and write their places into them."""
    tag, _ = Tag.objects.get_or_create(name="vip")
    now = timezone.now()
    for row in rows:
        leg = str(uuid.uuid4())
        pk = uuid.uuid4()
        row["pk"] = pk
        row["place"] = place_of(STARTED + timedelta(hours=row["hours"]), pk)
        same = ("agent", "direction", "duration_ms", "state", "channels", "flagged", "reviewed")
        recording = Recording.objects.create(
            id=pk,
            call=Call.objects.create(call_leg_id=leg, conversation=leg),
            recording_id=leg,
            since=now,
            announced_at=now,
            started_at=STARTED + timedelta(hours=row["hours"]),
            paused=row["paused"],
            **{name: row[name] for name in same},
            **numbers(row["caller"], "+18005557777"),
        )
        if row["said"]:
            say(recording, row["said"])
        else:
            index(pk)
        if row["is_tagged"]:
            Tagging.objects.create(recording=recording, tag=tag, place=recording.place, at=now)


def supervisor():
    user = User.objects.create_user("kim")
    user.groups.add(Group.objects.get_or_create(name="supervisor")[0])
    return user


class AnyLibrary(TestCase):
    @settings(max_examples=30)
    @given(
        rows=st.lists(ROWS, max_size=14),
        queries=st.lists(QUERIES, min_size=4, max_size=8),
        limits=LIMITS,
        size=st.integers(1, 6),
    )
    def test_every_page_together_is_what_a_naive_filter_finds(self, rows, queries, limits, size):
        build(rows)
        user = supervisor()
        for query in queries:
            if "q" in query and query["sort"] in ("longest", "shortest"):
                query["sort"] = "newest"
            if filters_disagree(query):
                continue
            wanted = [row["place"] for row in ordered(matching(rows, query), query["sort"])]
            seen, after, pages = [], "", 0
            while True:
                found = search(user, read(**query, after=after), size=size, limits=limits)
                seen += found.places
                pages += 1
                assert len(found.places) <= size
                assert found.count <= len(wanted)
                assert not found.is_exact or found.count == len(wanted)
                assert found.is_partial or found.after is None or len(found.places) == size
                assert pages < 400, "it does not end"
                if found.after is None:
                    break
                after = filters.cursor(found.after)
            assert seen == wanted, (query, limits, size)
            every = {row["place"]: row["pk"] for row in rows}
            met = results.among(user, read(**query), every.values())
            assert met == {every[place] for place in wanted}
            for place in wanted[:3]:
                recording = Recording.objects.get(place=place)
                around = results.neighbours(user, read(**query), recording)
                at = wanted.index(place)
                expected = [wanted[at - 1] if at else None, *wanted[at + 1 : at + 2], None]
                assert [one and one.place for one in around] == expected[:2]


def matching(rows, query):
    return [row for row in rows if meets(row, query)]


def filters_disagree(query):
    return query.get("from") == "2026-04-10" and query.get("to", "9") < query["from"]


pytestmark = pytest.mark.django_db


def test_a_search_that_runs_out_of_time_says_how_far_it_came(lee):
    for number in range(30):
        make(
            said="refund" if number == 29 else "zebra refund",
            started_at=STARTED - timedelta(days=number),
            flagged=True,
        )
    limits = Limits(counted=3, first_batch=5, largest_batch=5, seconds=0.0, count_seconds=0.0)
    query = {"q": 'refund -"zebra refund"', "flagged": "yes"}
    first = search(lee, read(**query), size=2, limits=limits)
    assert (first.places, first.is_partial, first.is_exact, first.count) == ([], True, False, 0)
    pages, found, seen = 1, first, []
    while found.after is not None:
        after = filters.cursor(found.after)
        found = search(lee, read(**query, after=after), size=2, limits=limits)
        seen += found.places
        pages += 1
    assert len(seen) == 1
    assert pages > 3


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_what_stands_where_a_search_stopped_is_found_by_the_next_one(lee, order):
    last = (1 << 27) - 1  # of the milliseconds that PostgreSQL's index looks at in one go
    edge_ms = (STARTED - EPOCH) // timedelta(milliseconds=1) | last
    wanted = make(
        id=uuid.UUID(int=(1 << 128) - 1 if order == "newest" else 1 << 64),
        started_at=EPOCH + timedelta(milliseconds=edge_ms + (order == "oldest")),
        said="refund",
    )
    aside = timedelta(days=1 if order == "newest" else -3)
    make(started_at=wanted.started_at + aside, said="zebra")
    limits = Limits(seconds=0.0)
    found = search(lee, read(q="refund", sort=order), size=2, limits=limits)
    seen = list(found.places)
    while found.after is not None:
        after = filters.cursor(found.after)
        found = search(lee, read(q="refund", sort=order, after=after), size=2, limits=limits)
        seen += found.places
    assert seen == [wanted.place]


def test_all_that_match_come_in_order_and_in_chunks(lee, monkeypatch):
    made = [make(flagged=True, started_at=STARTED - timedelta(hours=n)) for n in range(7)]
    make()
    monkeypatch.setattr(results, "CHUNK", 3)
    pages = list(listing.walk(lee, QueryDict("flagged=yes")))
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [recording for page in pages for recording in page] == made


def test_a_party_with_too_many_calls_is_not_sorted_by_length(lee):
    for _ in range(4):
        make()
    limits = Limits(counted=1, sortable=2)
    asked = read(number="0100", sort="longest")
    with pytest.raises(filters.Invalid, match="More than 2 recordings"):
        search(lee, asked, size=2, limits=limits)
    within = read(number="0100", sort="longest", from_="2030-01-01")
    assert search(lee, within, size=2, limits=limits).places == []


def test_a_count_is_exact_up_to_its_limit_and_then_says_so(lee):
    for number in range(4):
        make(started_at=STARTED + timedelta(hours=number), flagged=number > 0, reviewed=True)
    counts = {}
    for counted in (2, 3, 4):
        limits = Limits(counted=counted)
        for query in ({"flagged": "yes"}, {"flagged": "yes", "reviewed": "yes"}, {}):
            found = search(lee, read(**query), size=1, limits=limits)
            counts[counted, len(query)] = found.total
    assert counts == {
        (2, 1): "2+", (2, 2): "3", (2, 0): "2+",
        (3, 1): "3", (3, 2): "3", (3, 0): "3+",
        (4, 1): "3", (4, 2): "3", (4, 0): "4",
    }  # fmt: skip


def test_the_rarest_condition_leads(lee, monkeypatch):
    for number in range(60):
        make(
            started_at=STARTED - timedelta(hours=number),
            flagged=number % 4 == 0,
            state="failed" if number % 8 == 4 else "stored",
        )
    asked = []
    ask = engine._Search.ask

    def note(self, source, span, limit):
        asked.append(str(source.whole.columns))
        return ask(self, source, span, limit)

    monkeypatch.setattr(engine._Search, "ask", note)
    limits = Limits(counted=2, first_batch=7, seconds=60)
    found = search(lee, read(state="stored", flagged="yes"), size=5, limits=limits)
    assert len(found.places) == 5
    assert set(asked[2:]) == {"(AND: ('flagged', True))"}


def test_a_full_page_leaves_the_rest_of_the_count_to_a_second_question(lee):
    for number in range(30):
        make(
            said="refund" if number % 2 else "zebra refund",
            started_at=STARTED - timedelta(days=40 * number),
            flagged=True,
        )
    asked = read(q='refund -"zebra refund"', flagged="yes")
    limits = Limits(counted=20, first_batch=5, largest_batch=5)
    page = search(lee, asked, size=2, limits=limits)
    assert (page.is_exact, page.may_count_on) == (False, True)
    assert 3 <= page.count < 15
    assert results.count(lee, asked) == "15"
    assert results.count(lee, read(q="refund", after=str(page.places[0]))) == "30"
