"""The page on which a recording is heard: what it offers to whom, and what it remembers."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape
from django.utils.http import urlencode

from access.models import AuditRow
from calls.models import Call
from recordings import sounds, storage
from recordings.models import Listening, Recording, numbers
from recordings.peaks import HEADER, peaks
from recordings.search.index import index
from tests.store import spoken
from tests.test_recording_pages import STARTED, make, make_call, url
from tests.test_recording_timeline import press, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam_in(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


def page(client, recording, **query):
    answer = client.get(url("detail", recording), query)
    assert answer.status_code == 200
    return answer.content.decode()


def draw(recording, *sides, seconds=20.0):
    """Give a recording a file and its waveform."""
    name = f"ab/{uuid.uuid4()}"
    path = storage.local_path(f"{name}.wav")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(spoken(seconds, *sides))
    storage.local_path(f"{name}.dat").write_bytes(peaks(path))
    Recording.objects.filter(pk=recording.pk).update(
        path=f"{name}.wav", peaks=f"{name}.dat", duration_ms=seconds * 1000
    )


def attribute(html, name):
    return re.search(rf'{name}="([^"]*)"', html)[1]


# What is on it


def test_sides_are_named_in_peoples_words_with_the_agent_above(lee_in):
    call = make_call(direction="incoming", from_number="+12125550100")
    html = page(lee_in, make(call, direction="incoming", agent="sip:dana@example.com"))
    shown = html.partition("wave-sides")[2]
    assert shown.index("<b>Agent</b>") < shown.index("<b>Customer</b>")
    assert "dana@example.com" in shown
    assert attribute(html, "data-order") == "1 0"
    assert html.index("Mute agent") < html.index("Mute customer")


def test_a_mono_file_has_no_sides_to_mute(lee_in):
    html = page(lee_in, make(channels=1))
    assert "<b>Both sides</b>" in html
    assert "data-mute" not in html
    assert attribute(html, "data-order") == "0"


def test_the_talk_is_shared_out_in_percent(lee_in):
    call = make_call(direction="incoming")
    recording = make(call)
    draw(recording, [(0, 9)], [(15, 18)])
    html = page(lee_in, recording)
    assert re.search(r"<b>Agent</b>.*? 25 %", html)
    assert re.search(r"<b>Customer</b>.*? 75 %", html)


def test_silence_and_people_at_once_are_listed(lee_in):
    recording = make()
    draw(recording, [(0, 6), (15, 20)], [(4, 7)])
    html = page(lee_in, recording)
    assert "Silence of more than 2 s: 1" in html
    assert "Both talk at once: 1" in html


def test_without_a_waveform_everything_else_is_there(lee_in):
    html = page(lee_in, make(peaks="ab/lost.dat"))
    assert "<audio" in html
    assert "Silence" not in html.partition('id="timeline"')[2].partition("</section>")[0]


def test_events_are_a_list_whose_times_can_be_pressed(lee_in, sam):
    call = make_call(direction="incoming")
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam)
    press(call, "record_resume", 15, sam)
    tell(call, "call.dtmf.received", 40, digit="7")
    recording = make(call, duration_ms=55_000, ended_at=STARTED + timedelta(seconds=60))
    html = page(lee_in, recording)
    assert 'data-at="10.00"' in html
    assert "Recording paused by sam, 5 s" in html
    assert "left out of the file" in html
    assert 'data-at="35.00"' in html
    assert "•" in html
    assert "0:05 from" in html


def test_an_end_that_was_only_inferred_is_no_part_that_was_not_recorded(lee_in):
    ended = {"answered_at": STARTED, "ended_at": STARTED + timedelta(hours=1)}
    call = make_call(direction="incoming", ended_inferred=True, **ended)
    recording = make(call, ended_at=STARTED + timedelta(seconds=2))
    assert "The last" not in page(lee_in, recording)
    Call.objects.update(ended_inferred=False)
    assert "The last 59:58 of the call" in page(lee_in, recording)


def test_what_was_not_recorded_is_told(lee_in):
    call = make_call(
        direction="incoming",
        answered_at=STARTED - timedelta(seconds=42),
        ended_at=STARTED + timedelta(seconds=90),
    )
    html = page(lee_in, make(call, ended_at=STARTED + timedelta(seconds=60)))
    assert "The first 0:42 of the call" in html
    assert "The last 0:30 of the call" in html


def test_recordings_of_one_conversation_are_on_one_strip(lee_in):
    call = make_call(direction="incoming")
    first = make(call)
    assert 'class="strip"' not in page(lee_in, first)
    second = make(call, started_at=STARTED + timedelta(minutes=5))
    html = page(lee_in, first)
    assert url("detail", second) in html.partition('class="strip"')[2].partition("</nav>")[0]
    assert re.search(r'<b aria-current="page">1\. ', html)
    assert "Next recording of this conversation" in html
    assert "Next recording of this conversation" not in page(lee_in, second)


def test_who_may_not_listen_hears_and_sees_no_sound(client, olga):
    recording = make()
    draw(recording, [(0, 5)], [])
    client.force_login(olga)
    html = page(client, recording)
    assert "<audio" not in html
    assert "Silence" not in html
    for path in ("timeline", "position"):
        ask = client.post if path == "position" else client.get
        assert ask(url(path, recording), {"at_ms": "1"}).status_code == 403


def test_a_long_story_takes_few_queries(lee_in, sam):
    call = make_call(direction="incoming")
    recording = make(call)
    counts = []
    for _ in range(2):
        for second in range(20):
            tell(call, "call.dtmf.received", second, digit="1")
            press(call, "speak", second, sam)
            make(call, started_at=STARTED + timedelta(hours=1 + second, minutes=len(counts)))
        with CaptureQueriesContext(connection) as queries:
            page(lee_in, recording)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 24


# What the player asks for


def test_facts_come_as_json(lee_in, sam):
    call = make_call(direction="incoming")
    press(call, "record_start", 0, sam)
    press(call, "record_pause", 10, sam)
    press(call, "record_resume", 15, sam)
    recording = make(call, ended_at=STARTED + timedelta(seconds=25))
    draw(recording, [(0, 6)], [(4, 16)])
    answer = lee_in.get(url("timeline", recording))
    assert answer.json() == {
        "mode": "omitted",
        "marks": [
            {
                "kind": "pause",
                "start": 10.0,
                "end": None,
                "title": "Recording paused by sam",
                "detail": "resumed by sam",
                "lasted": 5.0,
                "approximate": False,
            }
        ],
        "silences": [[pytest.approx(16, abs=0.1), 20.0]],
        "overlaps": [[pytest.approx(4, abs=0.1), pytest.approx(6, abs=0.1)]],
    }
    assert not AuditRow.objects.exists()  # nothing was heard or read


@pytest.mark.parametrize("path", ["timeline", "position"])
def test_pages_of_other_sites_get_no_facts(lee_in, path):
    ask = lee_in.post if path == "position" else lee_in.get
    answer = ask(url(path, make()), {"at_ms": "1"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize(("pixels", "drawn"), [("", 400), ("1", 1), ("100", 100), ("65536", 400)])
def test_the_waveform_comes_as_fine_as_is_asked_for(lee_in, pixels, drawn):
    recording = make()
    draw(recording, [(0, 3)], [], seconds=8)
    answer = lee_in.get(url("peaks", recording), {"pixels": pixels} if pixels else {})
    assert HEADER.unpack_from(answer.content)[4] == drawn


@pytest.mark.parametrize("pixels", ["0", "-5", "65537", "99999999", "x", "²", "1.5"])
def test_odd_numbers_of_pixels_are_named_with_their_limit(lee_in, pixels):
    recording = make()
    draw(recording, [], [], seconds=1)
    answer = lee_in.get(url("peaks", recording), {"pixels": pixels})
    assert answer.status_code == 400
    assert "from 1 to 65536" in answer.content.decode()


def test_a_waveform_is_looked_at_once(tmp_path, monkeypatch):
    recording = make()
    draw(recording, [(0, 5)], [])
    recording.refresh_from_db()
    first = sounds.of(recording)
    monkeypatch.setattr(storage, "read", None)
    assert sounds.of(recording) is first


# Where somebody stopped


def stop_at(client, recording, at_ms):
    return client.post(url("position", recording), {"at_ms": at_ms})


def test_the_place_is_remembered_for_each_person(client, sam, lee):
    recording = make(duration_ms=900_000)
    for who, at_ms in ((sam, 754_000), (lee, 60_500)):
        client.force_login(who)
        assert stop_at(client, recording, 10_000).status_code == 204
        assert stop_at(client, recording, at_ms).status_code == 204
    assert Listening.objects.count() == 2
    client.force_login(sam)
    assert "Resume at 12:34" in page(client, recording)
    client.force_login(lee)
    html = page(client, recording)
    assert "Resume at 1:00" in html
    assert 'data-at="60.5"' in html


@pytest.mark.parametrize("at_ms", [0, 4_999, 897_000, 900_000])
def test_the_beginning_and_the_end_are_nothing_to_come_back_to(lee_in, at_ms):
    recording = make(duration_ms=900_000)
    stop_at(lee_in, recording, at_ms)
    assert "Resume at" not in page(lee_in, recording)


def test_a_link_to_a_moment_leads_there_and_not_to_the_old_place(lee_in):
    recording = make(duration_ms=900_000)
    stop_at(lee_in, recording, 60_000)
    assert "Resume at" not in page(lee_in, recording, t="12.5")


@pytest.mark.parametrize("at_ms", ["", "-1", "1.5", "x", "²", "2147483648", "9" * 5000])
def test_a_place_that_is_none_is_refused_with_its_limit(lee_in, at_ms):
    answer = stop_at(lee_in, make(), at_ms)
    assert answer.status_code == 422
    assert "at_ms is" in answer.content.decode()
    assert not Listening.objects.exists()


def test_a_place_can_only_be_posted(lee_in):
    assert lee_in.get(url("position", make())).status_code == 405


# The list it was opened from


def three(**more):
    return [make(started_at=STARTED + timedelta(minutes=minute), **more) for minute in range(3)]


def neighbours(client, recording, query=""):
    html = page(client, recording, **({"list": query} if query else {}))
    found = {}
    for name in ("previous", "next"):
        link = re.search(rf'data-neighbour="{name}" href="([^"]*)"', html)
        found[name] = link and link[1].replace("&amp;", "&")
    return found


def test_next_is_the_next_row_of_the_list_which_is_older(lee_in):
    oldest, middle, newest = three()
    assert neighbours(lee_in, middle) == {
        "previous": url("detail", newest),
        "next": url("detail", oldest),
    }
    assert neighbours(lee_in, newest) == {"previous": None, "next": url("detail", middle)}
    assert neighbours(lee_in, oldest) == {"previous": url("detail", middle), "next": None}


def test_neighbours_stay_within_the_filters_and_carry_them_on(lee_in):
    oldest, middle, newest = three()
    Recording.objects.filter(pk=middle.pk).update(**numbers("+1", "+2"))
    index(middle.pk)
    query = "number=0100&state=stored"
    address = f"{url('detail', newest)}?{urlencode({'list': query})}"
    assert neighbours(lee_in, oldest, query) == {"previous": address, "next": None}
    assert f"/recordings/?{escape(query)}" in page(lee_in, oldest, list=query)


@pytest.mark.parametrize("query", ["colour=red", "from=yesterday", "%00=1", "a" * 3000])
def test_a_list_that_cannot_be_read_says_so_and_the_page_is_there(lee_in, query):
    recording = three()[1]
    html = page(lee_in, recording, list=query)
    assert "cannot be read" in html
    assert "data-neighbour" not in html
    assert "<audio" in html


def test_what_a_person_may_not_read_finds_no_neighbours(client, olga):
    recording, *_ = three()
    client.force_login(olga)
    assert neighbours(client, recording, "q=refund") == {"previous": None, "next": None}


def test_the_page_says_who_took_the_call(lee_in):
    html = page(lee_in, make(agent="+13125550199", flagged=True, reviewed=True))
    head = html.partition('class="page-head"')[2].partition("</div>")[0]
    for text in ("taken by", "+1 312 555 0199", "flagged", "reviewed", "2 s", "Stored"):
        assert text in head


def test_only_a_page_that_waits_asks_again(lee_in):
    now = timezone.now()
    for state, due_at, failures, waits in [
        ("fetching", now, 1, True),
        ("deleted", now, 0, True),
        ("deleted", now, 3, False),
        ("deleted", None, 0, False),
        ("stored", None, 0, False),
    ]:
        recording = make(state=state, due_at=due_at, failures=failures)
        assert ("every 2s" in page(lee_in, recording)) is waits
        asked = lee_in.get(url("detail", recording), headers={"HX-Request": "true"})
        assert ("HX-Refresh" in asked) is not waits
