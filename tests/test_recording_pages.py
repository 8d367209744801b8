"""The library and the page of a recording: who sees what, what is found, served and noted."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from access import audit
from access.models import AuditRow
from calls.models import Call, Command, WebhookEvent
from recordings import storage
from recordings.models import Caption, Recording, SearchText, Transcript, numbers
from recordings.peaks import HEADER, peaks
from recordings.search.document import as_kept, document
from recordings.search.index import index
from tests.store import wav

pytestmark = pytest.mark.django_db

LIST = "/recordings/"
STARTED = datetime(2026, 3, 2, 15, 4, 36, tzinfo=UTC)


@pytest.fixture
def call(db):
    return make_call()


def make_call(**more):
    leg = str(uuid.uuid4())
    return Call.objects.create(call_leg_id=leg, conversation=leg, **more)


def make(call=None, *, parties=("+12125550100", "+18005550101"), **more):
    """Return a stored recording."""
    now = timezone.now()
    given = {
        "recording_id": str(uuid.uuid4()),
        "state": "stored",
        "since": now,
        "announced_at": now,
        "started_at": STARTED,
        "duration_ms": 2000,
        "format": "wav",
        "channels": 2,
        "sha256": "ab" * 32,
        "path": f"ab/{'ab' * 32}.wav",
        "size_bytes": 64044,
    }
    recording = Recording.objects.create(
        call=call or make_call(), **numbers(*parties), **(given | more)
    )
    addresses = (recording.from_number, recording.to_number, recording.agent)
    found_by = document("", addresses, recording.call.caller_name)  # nothing was said yet
    SearchText.objects.create(
        place=recording.place, recording=recording, document=as_kept(found_by, connection.vendor)
    )
    return recording


def say(recording, text):
    transcript = Transcript.objects.create(
        call=recording.call,
        recording=recording,
        recording_key=recording.recording_id,
        recording_transcription_id=str(uuid.uuid4()),
        text=text,
        told_at=timezone.now(),
    )
    index(recording.pk)
    return transcript


def caption(recording, text, after_s, **more):
    return Caption.objects.create(
        call=recording.call,
        event_id=str(uuid.uuid4()),
        occurred_at=recording.started_at + timedelta(seconds=after_s),
        text=text,
        track="inbound",
        **({"is_final": True} | more),
    )


@pytest.fixture
def sam_in(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


def found(client, **query):
    """Return the recordings that the library finds, as the page lists them."""
    answer = client.get(LIST, query)
    assert answer.status_code == 200, answer.content.decode()
    return list(answer.context["recordings"])


def url(name, recording, *more):
    return reverse(f"recordings:{name}", args=[recording.pk, *more])


# Who may do what


PATHS = ["", "audio", "audio?download=1", "peaks", "transcript.txt"]
MAY = {
    "sam": [200, 200, 200, 200, 200],
    "lee": [200, 200, 403, 200, 200],
    "olga": [200, 403, 403, 403, 403],
    "max": [404, 404, 404, 404, 404],
}


@pytest.mark.parametrize("who", MAY)
def test_each_role_gets_what_it_may(client, request, who):
    client.force_login(request.getfixturevalue(who))
    recording = make(peaks="ab/peaks.dat")
    say(recording, "Hello there.")
    path = storage.local_path("ab/peaks.dat")
    path.parent.mkdir(parents=True)
    path.write_bytes(HEADER.pack(2, 1, 8000, 160, 1, 2) + bytes(4))

    statuses = [client.get(f"{LIST}{recording.pk}/{path}").status_code for path in PATHS]

    assert statuses == MAY[who]


@pytest.mark.parametrize("who", MAY)
def test_the_list_is_for_those_who_may_see_recordings(client, request, who):
    client.force_login(request.getfixturevalue(who))
    make()
    answer = client.get(LIST)
    assert answer.status_code == (403 if who == "max" else 200)


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_is_sent_to_sign_in(client, path):
    answer = client.get(f"{LIST}{make().pk}/{path}")
    assert (answer.status_code, answer["Location"].startswith("/login/")) == (302, True)


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_recording_is_a_404(sam_in, path):
    assert sam_in.get(f"{LIST}{uuid.uuid4()}/{path}").status_code == 404


def test_who_may_not_listen_reads_nothing(client, olga):
    recording = make()
    say(recording, "A secret word.")
    caption(recording, "Another secret.", 1)
    client.force_login(olga)
    page = client.get(url("detail", recording)).content.decode()
    assert "secret" not in page
    assert "<audio" not in page
    assert "You may see this recording, but not listen to it." in page
    assert found(client, q="secret") == []
    assert "may not read transcripts" in client.get(LIST, {"q": "secret"}).content.decode()


def test_the_download_button_is_for_those_who_may(client, sam, lee):
    recording = make()
    for who, is_shown in ((sam, True), (lee, False)):
        client.force_login(who)
        assert ("download=1" in client.get(url("detail", recording)).content.decode()) is is_shown


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", PATHS[1:])
def test_pages_of_other_sites_get_nothing(sam_in, path, site):
    recording = make()
    say(recording, "Hello.")
    answer = sam_in.get(f"{LIST}{recording.pk}/{path}", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert not AuditRow.objects.exists()


def test_a_link_in_a_mail_leads_to_the_page(sam_in):
    header = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert sam_in.get(url("detail", make()), headers=header).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_posted(sam_in, path):
    assert sam_in.post(f"{LIST}{make().pk}/{path}").status_code == 405


# Sound


def test_sound_leaves_by_the_file_door_and_is_noted_first(lee_in, lee):
    recording = make()

    answer = lee_in.get(url("audio", recording))

    assert answer["X-Accel-Redirect"] == f"/_media/{recording.path}"
    assert (answer["Content-Type"], answer["ETag"]) == ("audio/wav", f'"{recording.sha256}"')
    assert answer["Content-Disposition"].startswith("inline; filename=")
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content == b""
    row = AuditRow.objects.get()
    assert (row.who, row.verb, row.subject) == (lee, "play", f"recording {recording.pk}")


def test_many_ranges_are_one_play(lee_in):
    recording = make()
    for start in range(0, 50_000, 10_000):
        lee_in.get(url("audio", recording) + "?page=p1", headers={"Range": f"bytes={start}-"})
    assert AuditRow.objects.filter(verb="play").count() == 1


def test_another_page_another_person_and_another_recording_are_plays_of_their_own(
    client, sam, lee
):
    first, second = make(), make()
    for who, recording, page in (
        (sam, first, "p1"),
        (sam, first, "p2"),
        (sam, second, "p1"),
        (lee, first, "p1"),
        (lee, first, "p1"),
    ):
        client.force_login(who)
        client.get(url("audio", recording), {"page": page})
    assert AuditRow.objects.filter(verb="play").count() == 4


def test_half_an_hour_later_it_is_another_play_unless_the_recording_is_longer(lee_in):
    short, long = make(), make(duration_ms=2 * 3600 * 1000)
    for recording in (short, long):
        lee_in.get(url("audio", recording))
    AuditRow.objects.update(at=timezone.now() - timedelta(minutes=31))
    for recording in (short, long):
        lee_in.get(url("audio", recording))
    assert AuditRow.objects.filter(subject=short.subject).count() == 2
    assert AuditRow.objects.filter(subject=long.subject).count() == 1


def test_asking_for_the_length_alone_is_no_play(lee_in):
    assert lee_in.head(url("audio", make())).status_code == 200
    assert not AuditRow.objects.exists()


def test_every_download_is_noted_and_has_a_telling_name(sam_in, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    started = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    recording = make(started_at=started, parties=("+12125550100", "sip:lee@example.com;x=\r\n1"))
    for _ in range(2):
        answer = sam_in.get(url("audio", recording) + "?download=1")
    name = f"2026-03-29T01-30-00+0100_+12125550100_sip-lee@example.com-x-1_{str(recording.pk)[:8]}"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}.wav"'
    assert AuditRow.objects.filter(verb="download").count() == 2


@pytest.mark.parametrize("name", ["audio", "detail", "transcript"])
def test_without_an_audit_row_nothing_is_served(sam_in, monkeypatch, name):
    recording = make()
    say(recording, "A secret word.")

    def refuse(*args, **kwargs):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record", refuse)
    more = ["txt"] if name == "transcript" else []
    answer = sam_in.get(url(name, recording, *more))
    assert answer.status_code == 503
    assert b"secret" not in answer.content
    assert "X-Accel-Redirect" not in answer


def test_a_download_without_an_audit_row_is_not_served(sam_in, monkeypatch):
    def refuse(*args, **kwargs):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record", refuse)
    answer = sam_in.get(url("audio", make()) + "?download=1")
    assert (answer.status_code, "X-Accel-Redirect" in answer) == (503, False)


@pytest.mark.parametrize(
    "state", ["announced", "fetching", "waiting_space", "failed", "missing", "corrupt", "deleted"]
)
def test_only_a_stored_file_is_played(sam_in, state):
    recording = make(state=state, due_at=timezone.now(), reason="Because.")
    assert sam_in.get(url("audio", recording)).status_code == 404
    assert sam_in.get(url("peaks", recording)).status_code == 404
    assert not AuditRow.objects.exists()
    page = sam_in.get(url("detail", recording)).content.decode()
    assert "<audio" not in page
    assert recording.get_state_display() in page


# Waveform


def test_the_waveform_is_short_enough_for_a_screen(lee_in, tmp_path):
    file = tmp_path / "long.wav"
    file.write_bytes(wav(200))
    recording = make(peaks="ab/long.dat")
    path = storage.local_path("ab/long.dat")
    path.parent.mkdir(parents=True)
    path.write_bytes(peaks(file))

    answer = lee_in.get(url("peaks", recording))

    *_, pixels, channels = HEADER.unpack_from(answer.content)
    assert (pixels, channels) == (3334, 2)
    assert len(answer.content) == 24 + 4 * 3334
    assert answer["Cache-Control"] == "private, no-store"
    assert not AuditRow.objects.exists()


def test_a_lost_waveform_is_a_404(lee_in):
    assert lee_in.get(url("peaks", make(peaks="ab/none.dat"))).status_code == 404
    assert lee_in.get(url("peaks", make())).status_code == 404


# Transcripts


def test_a_transcript_is_read_and_noted_once(lee_in):
    recording = make()
    say(recording, "Hello <b>there</b>.")
    for _ in range(2):
        page = lee_in.get(url("detail", recording)).content.decode()
        text = lee_in.get(url("transcript", recording, "txt"))
    assert "Hello &lt;b&gt;there&lt;/b&gt;." in page
    assert text.content.decode() == "Hello <b>there</b>.\n"
    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert AuditRow.objects.get().verb == "read transcript"


def test_a_text_without_times_has_no_cues_and_says_so(lee_in):
    recording = make()
    say(recording, "Hello.")
    answer = lee_in.get(url("transcript", recording, "vtt"))
    assert answer.status_code == 404
    assert "has no times" in answer.content.decode()
    assert ".vtt" not in lee_in.get(url("detail", recording)).content.decode()


@pytest.mark.parametrize("kind", ["detail", "txt", "vtt", "json"])
def test_what_was_said_while_the_recording_was_paused_is_shown_nowhere(lee_in, sam, kind):
    recording = make(duration_ms=90_000)
    told_at = timezone.now()
    for text, after_s in (("my card number is", 10), ("4111 1111", 20), ("thank you", 40)):
        event_id = caption(recording, text, after_s).event_id
        WebhookEvent.objects.create(
            event_id=event_id,
            event_type="call.transcription",
            call_leg_id=recording.call.call_leg_id,
            raw=b"{}",
            received_at=told_at + timedelta(seconds=after_s),
            due_at=told_at,
        )
    for pressed, after_s in (("record_pause", 15), ("record_resume", 30)):
        at = told_at + timedelta(seconds=after_s)
        Command.objects.create(
            call=recording.call,
            kind=pressed,
            requested_by=sam,
            request_id=pressed,
            requested_at=at,
            accepted_at=at,
            expires_at=at,
            due_at=at,
            state="accepted",
        )

    address = url("detail", recording) if kind == "detail" else url("transcript", recording, kind)
    page = lee_in.get(address).content.decode()

    assert "my card number is" in page
    assert "thank you" in page
    assert "4111" not in page


@pytest.mark.parametrize("kind", ["txt", "vtt", "json"])
def test_nothing_said_is_a_404_that_says_so(lee_in, kind):
    answer = lee_in.get(url("transcript", make(), kind))
    assert answer.status_code == 404
    assert answer.content.decode() == "There is no transcript of this recording."
    assert not AuditRow.objects.exists()


def test_an_unknown_kind_of_transcript_is_a_404(lee_in):
    assert lee_in.get(url("transcript", make(), "exe")).status_code == 404


def test_the_text_of_another_recording_of_the_call_stays_there(lee_in, call):
    first = make(call)
    second = make(call, started_at=STARTED + timedelta(minutes=5))
    say(first, "Only in the first.")
    assert lee_in.get(url("transcript", first, "txt")).status_code == 200
    assert lee_in.get(url("transcript", second, "txt")).status_code == 404


def test_a_text_that_came_first_waits_for_its_own_recording(lee_in, call):
    named, nameless = make(call), make(call, recording_id="", started_at=STARTED)
    early = say(named, "Of a recording still to come.")
    Transcript.objects.filter(pk=early.pk).update(recording=None, recording_key="to come")
    assert lee_in.get(url("transcript", named, "txt")).status_code == 404
    assert lee_in.get(url("transcript", nameless, "txt")).status_code == 200  # it may be this one


# Library


@pytest.mark.parametrize(
    "spelling",
    [
        "+12125550100",
        "(212) 555-0100",
        "212.555.0100",
        "001 212 555 0100",
        "0212 5550100",
        "0100",
        "5550100",
        "00",
    ],
)
@pytest.mark.parametrize("name", ["q", "number"])
def test_a_number_is_found_in_any_spelling_and_by_its_end(sam_in, spelling, name):
    wanted = make(parties=("+12125550100", "+493012345678"))
    called = make(parties=("+493012345678", "+12125550100"))
    make(parties=("+12125550199", "+493012345678"))
    assert {*found(sam_in, **{name: spelling})} == {wanted, called}


@pytest.mark.parametrize("text", ["5550", "0000000", "9" * 60])
def test_only_the_end_of_a_number_finds_it(sam_in, text):
    make(parties=("+12125550100", "+493012345678"))
    assert found(sam_in, q=text) == []


def test_every_word_that_was_said_must_be_there(sam_in):
    wanted, other = make(), make()
    say(wanted, "I want my money back, please.")
    say(other, "I want nothing.")
    assert found(sam_in, q="MONEY want") == [wanted]
    assert {*found(sam_in, q="want")} == {wanted, other}
    assert found(sam_in, q="refund") == []


def test_two_texts_of_a_recording_list_it_once(sam_in):
    recording = make()
    say(recording, "refund")
    say(recording, "refund again")
    assert found(sam_in, q="refund") == [recording]


def test_an_address_is_found_by_its_words(sam_in):
    wanted = make(parties=("sip:alice@example.com", "+18005550101"))
    make()
    assert found(sam_in, q="alice@example") == [wanted]


@pytest.mark.parametrize("text", ["100%", "a_b", "'; drop --"])
def test_odd_characters_only_part_words(sam_in, text):
    wanted, other = make(), make()
    say(wanted, f"said {text} here")
    say(other, "said 1000 aab quote here")
    assert found(sam_in, q=text) == [wanted]


DAYS = [
    # zone, day, its first moment, the first moment of the next day
    ("UTC", "2026-03-02", "2026-03-02T00:00+00:00", "2026-03-03T00:00+00:00"),
    ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00+00:00", "2026-03-29T22:00+00:00"),  # 23 h
    ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00+00:00", "2026-10-25T23:00+00:00"),  # 25 h
    ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00+00:00", "2026-04-05T13:30+00:00"),
    ("America/New_York", "2026-03-08", "2026-03-08T05:00+00:00", "2026-03-09T04:00+00:00"),
]


@pytest.mark.parametrize(("zone", "day", "first", "after"), DAYS)
def test_a_day_holds_its_last_moment_and_not_the_next_one(sam_in, zone, day, first, after):
    first, after = datetime.fromisoformat(first), datetime.fromisoformat(after)
    moment = timedelta(microseconds=1)
    make(started_at=first - moment)
    inside = [make(started_at=first), make(started_at=after - moment)]
    make(started_at=after)
    with override_settings(TIME_ZONE=zone):
        assert {*found(sam_in, **{"from": day, "to": day})} == {*inside}


def test_states_are_filtered(sam_in):
    failed = make(state="failed", reason="No.")
    make()
    assert found(sam_in, state="failed") == [failed]


WRONG = {
    "colour=red": "There is no filter 'colour'",
    "Q=1": "There is no filter 'Q'",
    "state=gone": "There is no state 'gone'",
    "from=yesterday": "from is 'yesterday', which is no date like 2026-03-31",
    "to=2026-02-30": "to is '2026-02-30'",
    "to=9999-12-31": "is not between 1970 and 2099",
    "from=2026-03-05&to=2026-03-01": "from (2026-03-05) is after to (2026-03-01)",
    "number=abc": "number is 'abc', which is no telephone number",
    f"q={'x' * 201}": "q has 201 characters, the limit is 200",
    "q=a%00b": "q holds a character that no text has",
    "after=x": "after is 'x', which is no place in this list",
    "after=2026-03-01,x": "which is no place in this list",
    f"after=2026-03-01T00:00:00,{uuid.UUID(int=1)}": "which is no place in this list",
    f"after=0001-01-01T00:00:00%2B23:59,{uuid.UUID(int=1)}": "which is no place in this list",
    f"after=9999-12-31T23:59:59-23:59,{uuid.UUID(int=1)}": "which is no place in this list",
}


@pytest.mark.parametrize("query", WRONG)
def test_an_odd_parameter_is_a_400_that_names_it(sam_in, query):
    make()
    answer = sam_in.get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert escape(WRONG[query]) in answer.content.decode()
    assert "<table" not in answer.content.decode()


def test_htmx_gets_the_complaint_with_a_status_that_it_shows(sam_in):
    answer = sam_in.get(f"{LIST}?state=gone", headers={"HX-Request": "true"})
    assert answer.status_code == 422


def test_empty_parameters_are_no_filters(sam_in):
    recording = make()
    assert found(sam_in, q="", state="", **{"from": "", "to": ""}) == [recording]
    answer = sam_in.get(LIST, {"q": " ", "state": "stored"}, headers={"HX-Request": "true"})
    assert answer["HX-Push-Url"] == "/recordings/?state=stored"


def test_paging_visits_every_recording_once(sam_in):
    same = [make(started_at=STARTED) for _ in range(60)]
    rest = [make(started_at=STARTED - timedelta(minutes=n)) for n in range(1, 61)]
    seen, address, pages = [], LIST, 0
    while address:
        answer = sam_in.get(address)
        seen += answer.context["recordings"]
        assert [*answer.context["recordings"]] == sorted(
            answer.context["recordings"], key=lambda one: one.place, reverse=True
        )
        address = LIST + answer.context["older"] if answer.context["older"] else None
        pages += 1
    assert pages == 3
    assert len(seen) == len({*seen}) == len(same) + len(rest)


def test_a_new_recording_does_not_shift_the_next_page(sam_in):
    for number in range(60):
        make(started_at=STARTED - timedelta(minutes=number))
    first = sam_in.get(LIST)
    make(started_at=STARTED + timedelta(minutes=1))
    second = sam_in.get(LIST + first.context["older"])
    assert not {*first.context["recordings"]} & {*second.context["recordings"]}
    assert len(second.context["recordings"]) == 10


def test_the_next_page_keeps_the_filters(sam_in):
    for number in range(51):
        make(started_at=STARTED - timedelta(minutes=number), state="failed")
    make()
    older = sam_in.get(LIST, {"state": "failed"}).context["older"]
    assert "state=failed" in older
    assert len(sam_in.get(LIST + older).context["recordings"]) == 1


def test_the_count_stops_at_a_thousand(sam_in, monkeypatch, call):
    now = timezone.now()
    Recording.objects.bulk_create(
        Recording(
            call=call,
            recording_id=str(number),
            state="stored",
            since=now,
            announced_at=now,
            started_at=STARTED + timedelta(seconds=number),
        )
        for number in range(1001)
    )
    assert sam_in.get(LIST).context["count"] == "1,000+"
    Recording.objects.filter(recording_id="5").delete()
    assert sam_in.get(LIST).context["count"] == "1,000"


def test_a_list_takes_few_queries_however_long_it_is(sam_in):
    for number in range(30):
        say(make(started_at=STARTED - timedelta(minutes=number)), "Hello.")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        sam_in.get(LIST, {"q": "hello"})
    assert len(queries) <= 13


def test_chips_show_and_remove_the_filters(sam_in):
    make()
    answer = sam_in.get(LIST, {"q": "0100", "state": "stored", "from": "2026-01-01"})
    chips = [(chip.label, chip.value, chip.without) for chip in answer.context["chips"]]
    assert chips == [
        ("Search", "0100", "?from=2026-01-01&state=stored"),
        ("From", "2026-01-01", "?q=0100&state=stored"),
        ("State", "Stored", "?q=0100&from=2026-01-01"),
    ]


def test_an_empty_library_says_what_to_do(sam_in):
    assert "Nothing was recorded yet" in sam_in.get(LIST).content.decode()


def test_filters_without_a_match_say_how_many_they_are(sam_in):
    make()
    page = sam_in.get(LIST, {"q": "zebra", "state": "failed"}).content.decode()
    assert "No recordings match these 2 filters" in page


# The page of a recording


def test_a_page_reloads_when_the_file_has_come(sam_in):
    recording = make(state="fetching", due_at=timezone.now(), failures=1)
    waiting = sam_in.get(url("detail", recording), headers={"HX-Request": "true"})
    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    Recording.objects.update(state="stored")
    come = sam_in.get(url("detail", recording), headers={"HX-Request": "true"})
    assert come["HX-Refresh"] == "true"
    assert "every 2s" not in sam_in.get(url("detail", recording)).content.decode()


SENTENCES = [
    ({"state": "announced"}, "its download is about to start"),
    ({"state": "announced", "failures": 2, "reason": "Link died."}, "Download failed twice: Link"),
    ({"state": "announced", "failures": 4, "reason": "No."}, "Download failed 4 times: No."),
    ({"state": "fetching", "failures": 1}, "Downloading since"),
    ({"state": "waiting_space", "reason": "Full."}, "Waiting for storage since"),
    ({"state": "missing", "reason": "None listed."}, "None listed. Started"),
    ({"state": "failed", "reason": "Kept in a bucket."}, "Kept in a bucket. Given up"),
    ({"state": "corrupt", "reason": "One bit."}, "is not what it was when it was stored"),
    ({"state": "deleted", "reason": "Rule 1."}, "Deleted"),
]


@pytest.mark.parametrize(("columns", "sentence"), SENTENCES)
def test_every_state_is_told_in_a_sentence(sam_in, columns, sentence):
    make(**{"due_at": timezone.now()} | columns)
    for page in (LIST, url("detail", Recording.objects.get())):
        assert sentence in sam_in.get(page).content.decode()


def test_pages_have_no_inline_script_style_or_handler(sam_in):
    recording = make(peaks="ab/x.dat")
    say(recording, "Hello.")
    caption(recording, "hello", 1)
    for page in (LIST, url("detail", recording)):
        answer = sam_in.get(page)
        html = answer.content.decode()
        assert "style=" not in html
        assert "onclick" not in html
        assert "<script>" not in html
        assert "unsafe" not in answer["Content-Security-Policy"]
    assert (
        f"'nonce-{html.partition('data-nonce=')[2].split(chr(34))[1]}'"
        in (answer["Content-Security-Policy"])
    )


def test_the_page_of_the_call_lists_its_recordings(sam_in, call):
    recording = make(call)
    page = sam_in.get(call.get_absolute_url()).content.decode()
    assert recording.get_absolute_url() in page
