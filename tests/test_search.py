"""The search for words: what is found on both databases alike, its marks, moments and limits."""

# ruff: noqa: RUF001  (letters that look like others are what this is about)

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recordings.models import Caption, Recording, SearchText, Transcript
from recordings.search import schema
from recordings.search.index import index, rebuild
from recordings.search.words import spans, words
from tests.findable import STARTED, found, make, page, say

pytestmark = pytest.mark.django_db

SAID = "I'd like a refund for my Café order, number 4711. The refunds never came, she cried."
FINDS = [
    *("refund", "REFUND", "refunds", "refunded", "cafe", "CAFÉ", "Id", "i'd", "i\u2019d"),
    *("4711 order", "order refund", "cry", '"my cafe order"', '"the refunds"', '"refund"'),
    *("refu*", "caf* ord*", '"never cam*"', "refund -cancel", 'refund -"order my"', "orders!"),
    *("refund -refunding*", "number,4711", '"order number 4711"', "ＲＥＦＵＮＤ"),
]
FINDS_NOT = [
    *("ref", "fund", "caf", "cancel", "refund cancel", '"cafe my order"', '"refunded"'),
    *('"my order"', "refund -order", 'refund -"cafe order"', "refund -caf*", "471", "zebra"),
    *('"came the"', "refund -cried", "@refund", "~refund zebra"),
]


@pytest.mark.parametrize("asked", FINDS)
def test_words_are_found(lee, asked):
    recording = make(said=SAID)
    assert found(lee, q=asked) == [recording]


@pytest.mark.parametrize("asked", [each for each in FINDS_NOT if each != "@refund"])
def test_what_was_not_said_so_is_not_found(lee, asked):
    make(said=SAID)
    assert found(lee, q=asked) == []


def test_signs_of_the_index_are_no_words(lee):
    wanted = make(said=SAID, parties=("sip:refund@x.example", "+12125550100"))
    assert found(lee, q="@refund") == [wanted]
    assert found(lee, q="#0010") == []
    assert found(lee, q="%47.0") == []


LANGUAGES = {
    "Überweisung für Straße": ("uberweisung", "STRASSE", "für"),
    "здравствуйте Ёлка": ("ЗДРАВСТВУЙТЕ", "елка"),
    "私は返金が欲しい": ("返金", "欲しい"),
    "naïve façade — œuvre": ("facade", "naive -facades*"),
    "İstanbul’da": ("istanbulda",),
    "हिन्दी में": ("हिन्दी",),
}


@pytest.mark.parametrize("said", LANGUAGES)
def test_words_of_many_languages_are_found_without_their_marks(lee, said):
    recording = make(said=said)
    make(said="something else")
    for asked in LANGUAGES[said]:
        assert found(lee, q=asked) == [recording], asked


def test_an_unspaced_word_is_a_phrase(lee):
    make(said="金返が")
    assert found(lee, q="返金") == []


def test_a_phrase_is_found_late_in_a_very_long_call(lee):
    long = make(said="the refund is here " * 20_000 + "and now cancel my order please")
    make(said="my order cancel")
    assert found(lee, q='"cancel my order"') == [long]
    assert found(lee, q='"order cancel"') != [long]


def test_words_of_a_name_or_address_are_found_beside_what_was_said(lee):
    said, named = make(said="ask alice"), make(name="Alice Moss")
    assert {*found(lee, q="alice")} == {said, named}
    assert found(lee, q='"alice"') == [said]


def test_whoever_may_not_read_finds_nothing_by_words(olga):
    make(said="alice wants a refund")
    named = make(parties=("sip:alice@example.com", "+1"), said="refund")
    assert found(olga, q="alice") == [named]
    for asked in ("refund", '"a refund"', "alice refund", "refu*", "alice -zebra refund"):
        assert found(olga, q=asked) == []
    answer = page(olga, q="alice")
    assert (answer.words_left_out, answer.extracts) == (True, {})


def test_leaving_words_out_tells_nothing_to_whoever_may_not_read(olga):
    recording = make(name="Alice", said="refund")
    assert found(olga, q="alice -refund") == [recording]


def test_whoever_may_see_nothing_finds_nothing(max):
    make(said="refund")
    assert found(max, q="refund") == []
    assert found(max) == []


def test_matches_come_newest_first_and_paging_visits_each_once(lee):
    made = [
        make(said="refund", started_at=STARTED - timedelta(days=17 * number))
        for number in range(120)
    ]
    for order in ("newest", "oldest"):
        seen, after = [], ""
        while True:
            answer = page(lee, q="refund", sort=order, after=after)
            seen += answer.recordings
            after = answer.after
            if not after:
                break
        assert seen == (made if order == "newest" else made[::-1])
        assert answer.total == "120"


@pytest.mark.parametrize("day", ["2026-03-02", "2024-01-31", "2020-02-29"])
def test_words_and_days_together(lee, day):
    make(said="refund", started_at=STARTED.fromisoformat(f"{day}T00:00+00:00") - timedelta(1))
    wanted = make(said="refund", started_at=STARTED.fromisoformat(f"{day}T23:59+00:00"))
    make(said="zebra", started_at=STARTED.fromisoformat(f"{day}T12:00+00:00"))
    assert found(lee, q="refund", from_=day, to=day) == [wanted]


def test_a_text_is_found_by_its_newest_words_alone(lee):
    recording = make(said="refund")
    say(recording, "zebra")
    assert found(lee, q="refund") == []
    assert found(lee, q="zebra") == [recording]
    Transcript.objects.all().delete()
    index(recording.pk)
    assert found(lee, q="zebra") == []


def test_captions_are_searched_while_there_is_no_text(lee):
    recording = make()
    Caption.objects.create(
        call=recording.call,
        event_id="1",
        occurred_at=STARTED + timedelta(seconds=4),
        text="I want a refund.",
        is_final=True,
    )
    index(recording.pk)
    answer = page(lee, q="refund")
    assert answer.recordings == [recording]
    assert answer.extracts[recording.pk].text == "I want a refund."
    assert answer.extracts[recording.pk].at_s is not None


def test_a_recording_that_is_gone_is_not_found(lee):
    recording = make(said="refund")
    Transcript.objects.all().delete()
    recording.delete()
    assert found(lee, q="refund") == []
    assert not SearchText.objects.exists()


def test_the_index_can_be_made_anew_and_goes_on_where_it_stopped(lee):
    made = [make(said="refund", started_at=STARTED + timedelta(n)) for n in range(3)]
    SearchText.objects.all().delete()
    places = list(rebuild(after=made[0].place))
    assert places == [made[1].place, made[2].place]
    assert found(lee, q="refund") == [made[2], made[1]]


def test_indexing_again_changes_nothing(lee, django_assert_num_queries):
    recording = make(said="refund")
    before = SearchText.objects.values().get()
    index(recording.pk)
    assert SearchText.objects.values().get() == before


def test_many_places_are_one_value_of_a_statement(db):
    first, _, last = [make(started_at=STARTED + timedelta(n)) for n in range(3)]
    asked = Recording.objects.filter(place__among=[first.place, last.place, 7])
    assert set(asked) == {first, last}
    assert len(asked.query.sql_with_params()[1]) == 1
    assert not Recording.objects.filter(place__among=[]).exists()


# Marks


def parts(lee, asked):
    (extract,) = page(lee, q=asked).extracts.values()
    return "".join(f"[{text}]" if is_mark else text for text, is_mark in extract.parts)


MARKS = {
    "refund": "I'd like a [refund] for my Café order, number 4711.",
    "cafe order": "I'd like a refund for my [Café] [order], number 4711.",
    '"my cafe order"': "I'd like a refund for [my Café order], number 4711.",
    "refu*": "I'd like a [refund] for my Café order, number 4711.",
    "cry -zebra": "The refunds never came, she [cried].",
    "id": "[I'd] like a refund for my Café order, number 4711.",
    "never refund": "The [refunds] [never] came, she cried.",
}


@pytest.mark.parametrize("asked", MARKS)
def test_the_sentence_that_says_most_is_shown_with_marks(lee, asked):
    make(said=SAID)
    assert parts(lee, asked) == MARKS[asked]


def test_a_timed_sentence_tells_its_moment_and_another_none(lee):
    timed, plain = make(), make(said="A refund.")
    segments = [
        {"text": "Hello.", "start_ms": 0, "end_ms": 900},
        {"text": "A refund, please.", "start_ms": 754_200, "end_ms": 755_000},
    ]
    say(timed, "Hello. A refund, please.", segments)
    extracts = page(lee, q="refund").extracts
    assert extracts[timed.pk].at_s == 754.2
    assert extracts[plain.pk].at_s is None


def test_a_sentence_that_is_timed_later_tells_its_moment_then(lee):
    recording = make(said="A refund.")
    timed = [{"text": "A refund.", "start_ms": 1_500, "end_ms": 2_000}]
    Transcript.objects.update(segments=timed)
    index(recording.pk)
    assert page(lee, q="refund").extracts[recording.pk].at_s == 1.5


def test_a_long_sentence_is_cut_around_its_mark(lee):
    long = "blah " * 100 + "refund " + "blah " * 100
    say(make(), long, [{"text": long, "start_ms": 0}])
    (extract,) = page(lee, q="refund").extracts.values()
    assert len(extract.text) < 230
    assert ("refund", True) in extract.parts
    assert extract.text.startswith("…")
    assert extract.text.endswith("…")


def test_a_match_in_an_address_shows_no_sentence(lee):
    make(name="Alice", said="refund")
    assert page(lee, q="alice").extracts == {}


@pytest.mark.parametrize("text", [SAID, *LANGUAGES, "ﬁne ½ x\u0301y don't e\u00adf", ""])
def test_marks_know_the_same_words_as_the_index(text):
    assert [word for _, _, word in spans(text)] == words(text)


# Bounds


def test_a_search_takes_few_queries_whatever_it_asks(lee):
    for number in range(60):
        make(said="refund order", started_at=STARTED + timedelta(hours=number), flagged=True)
    queries = [
        {"q": "refund"},
        {"q": '"refund order" -zebra', "flagged": "yes", "state": "stored", "longer": "1"},
        {"number": "0100", "direction": "incoming", "sort": "longest"},
        {"transcript": "yes", "channels": "2", "reviewed": "no", "shorter": "1h"},
    ]
    for query in queries:
        with CaptureQueriesContext(
            connection,
        ) as made:
            assert len(found(lee, **query)) == 50
        assert len(made) <= 14, query


@pytest.mark.django_db(transaction=True)
def test_the_index_is_made_anew_and_kept_right(lee):
    older = make(said="my parcel")
    newer = make(said="my parcel", started_at=STARTED + timedelta(hours=1))
    with connection.schema_editor() as editor:
        schema.turn(None, editor)
    assert found(lee, q="parcel") == [newer, older]
    assert found(lee, q="parcel", sort="oldest") == [older, newer]
    SearchText.objects.get(recording=newer).delete()
    assert found(lee, q="parcel") == [older]
    index(newer.pk)
    assert found(lee, q="parcel my") == [newer, older]
