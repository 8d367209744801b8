"""The list as CSV: the same rows in the same order, safe to open, noted, never whole in memory."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError
from django.test.utils import override_settings
from django.utils import timezone

from access import audit
from access.models import AuditRow
from recordings import sheet
from recordings.models import Tag, Tagging
from recordings.search import results
from tests.test_recording_pages import LIST, STARTED, make

pytestmark = pytest.mark.django_db

FILE = f"{LIST}list.csv"


@pytest.fixture
def olga_in(client, olga):
    client.force_login(olga)
    return client


def made(answer):
    """Return the file that the stream door makes of an answer, as bytes."""
    assert (answer.status_code, answer["X-Accel-Stream"]) == (200, "csv")
    return b"".join(sheet.blocks(json.loads(answer.content)))


def table(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_it_holds_the_list_in_its_order(olga_in):
    wanted = [make(started_at=STARTED - timedelta(minutes=number)) for number in range(3)]
    make(state="failed", started_at=STARTED + timedelta(hours=1))

    answer = olga_in.get(FILE, {"state": "stored"})

    assert [row["Recording"] for row in table(made(answer))] == [str(one.pk) for one in wanted]
    assert answer["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer["Content-Disposition"].startswith('attachment; filename="recordings-')


def test_a_row_holds_what_the_page_shows(olga_in, sam):
    recording = make(agent="Grüße", flagged=True, direction="incoming", duration_ms=61_500)
    tag = Tag.objects.create(name="refund")
    Tagging.objects.create(tag=tag, recording=recording, place=recording.place, at=timezone.now())
    (row,) = table(made(olga_in.get(FILE)))
    wanted = {
        "From": "'+12125550100",
        "Agent": "Grüße",
        "Length (s)": "61.5",
        "State": "stored",
        "Flagged": "yes",
        "Reviewed": "no",
        "Tags": "refund",
        "Comments": "0",
    }
    assert {name: row[name] for name in wanted} == wanted


def test_every_page_of_a_long_list_is_there_once(olga_in, monkeypatch):
    monkeypatch.setattr(results, "CHUNK", 7)
    for number in range(30):
        make(started_at=STARTED - timedelta(minutes=number // 3))
    blocks = list(sheet.blocks(json.loads(olga_in.get(FILE).content)))
    keys = [row["Recording"] for row in table(b"".join(blocks))]
    assert len(keys) == len(set(keys)) == 30
    assert len(blocks) == 1 + 5


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_becomes_a_formula(olga_in, sign):
    make(parties=(f"{sign}HYPERLINK(1)", "+18005550101"), reason=f'{sign}"x"')
    (row,) = table(made(olga_in.get(FILE)))
    assert (row["From"], row["Why"]) == (f"'{sign}HYPERLINK(1)", f'\'{sign}"x"')


def test_the_header_names_the_zone_and_utc_stands_beside(olga_in):
    make(started_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))  # the second 02:30 of that day
    with override_settings(TIME_ZONE="Europe/Berlin"):
        (row,) = table(made(olga_in.get(FILE)))
    assert row["Started (Europe/Berlin)"] == "2026-10-25 02:30:00"
    assert row["Started (UTC, ISO 8601)"] == "2026-10-25T01:30:00Z"


def test_taking_it_is_noted_with_the_filters(olga_in, olga):
    olga_in.get(FILE, {"state": "stored", "q": ""})
    row = AuditRow.objects.get()
    assert (row.who, row.verb, row.details) == (olga, "export list", {"query": "state=stored"})


def test_without_an_audit_row_there_is_no_file(olga_in, monkeypatch):
    def refuse(*_, **__):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record", refuse)
    answer = olga_in.get(FILE)
    assert (answer.status_code, "X-Accel-Stream" in answer) == (503, False)


def test_an_odd_parameter_is_a_400(olga_in):
    answer = olga_in.get(FILE, {"colour": "red"})
    assert (answer.status_code, "colour" in answer.content.decode()) == (400, True)


def test_it_is_for_those_who_see_the_list_and_for_our_pages(client, max, olga):
    client.force_login(max)
    assert client.get(FILE).status_code == 403
    client.force_login(olga)
    assert client.get(FILE, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert not AuditRow.objects.exists()


def test_words_are_no_way_to_learn_what_was_said(olga_in):
    from tests.test_recording_pages import say

    say(make(), "A secret word.")
    assert table(made(olga_in.get(FILE, {"q": "secret"}))) == []
