"""Every request as Telnyx gets it, over real HTTP, and everything that can come back."""

import json
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from telnyx import Telnyx as OfficialClient

from calls.telnyx import wire
from calls.telnyx.api import Telnyx
from calls.telnyx.errors import Rejected, TelnyxError, Unavailable
from calls.telnyx.payloads import parse
from tests.loopback import Loopback, answer, fault, hang_up

KEY = "KEY0123456789-canary"
CALL = "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg"
COMMAND = "891510ac-f3e4-41e8-af5b-de00688a4901"
SINCE = datetime(2026, 3, 2, 15, 9, 11, 508869, tzinfo=UTC)


@pytest.fixture
def server():
    server = Loopback()
    yield server
    server.stop()


@pytest.fixture
def telnyx(server):
    client = Telnyx(api_key=KEY, base_url=f"{server.url}/v2")
    yield client
    client.close()


def act(telnyx, **more):
    return telnyx.act(CALL, "record_pause", {}, command_id=COMMAND, **more)


# Requests


def test_a_command_is_a_post_with_its_id_in_the_body(server, telnyx):
    params = {"format": "mp3", "channels": "dual", "custom_file_name": "für Zoë ☎"}

    result = telnyx.act(CALL, "record_start", params, command_id=COMMAND)

    [request] = server.requests
    assert result == {"result": "ok"}
    assert request.method == "POST"
    assert request.path == f"/v2/calls/{CALL}/actions/record_start"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Accept-Encoding"] == "identity"
    assert json.loads(request.body) == params | {"command_id": COMMAND}


def test_requests_name_the_product_and_its_version(server, telnyx):
    project = Path(__file__).parent.parent / "pyproject.toml"
    version = tomllib.loads(project.read_text())["project"]["version"]

    act(telnyx)

    assert server.requests[0].headers["User-Agent"] == f"Tapeline/{version}"


def test_a_dial_returns_the_new_calls_ids(server, telnyx):
    ids = {"call_control_id": CALL, "call_leg_id": "leg", "call_session_id": "session"}
    server.will(answer(200, {"data": {**ids, "is_alive": False, "recording_id": "rec"}}))

    dialled = telnyx.dial({"to": "+18005550100"}, command_id=COMMAND)

    assert (server.requests[0].method, server.requests[0].path) == ("POST", "/v2/calls")
    assert json.loads(server.requests[0].body) == {"to": "+18005550100", "command_id": COMMAND}
    assert (dialled.call_control_id, dialled.call_leg_id) == (CALL, "leg")
    assert dialled.recording_id == "rec"


READS = {
    "call": (lambda it: it.call("a/b"), "/calls/a%2Fb", {}),
    "active_calls": (
        lambda it: list(it.active_calls("12")),
        "/connections/12/active_calls",
        {"page[limit]": "250"},
    ),
    "call_events": (
        lambda it: list(it.call_events(call_leg_id="leg", since=SINCE)),
        "/call_events",
        {
            "filter[leg_id]": "leg",
            "filter[occurred_at][gte]": "2026-03-02T15:09:11Z",
            "page[size]": "250",
        },
    ),
    "webhook_deliveries": (
        lambda it: list(it.webhook_deliveries(status="failed", since=SINCE)),
        "/webhook_deliveries",
        {
            "filter[status][eq]": "failed",
            "filter[started_at][gte]": "2026-03-02T15:09:11Z",
            "page[size]": "250",
        },
    ),
    "recordings": (
        lambda it: list(
            it.recordings(
                call_leg_id="leg",
                call_session_id="session",
                call_control_id=CALL,
                connection_id="12",
                created_since=SINCE.astimezone(timezone(timedelta(hours=2))),
                created_until=SINCE,
            )
        ),
        "/recordings",
        {
            "filter[call_leg_id]": "leg",
            "filter[call_session_id]": "session",
            "filter[call_control_id]": CALL,
            "filter[connection_id]": "12",
            "filter[created_at][gte]": "2026-03-02T15:09:11Z",
            "filter[created_at][lte]": "2026-03-02T15:09:12Z",
            "page[size]": "250",
        },
    ),
    "recording": (lambda it: it.recording("r-1"), "/recordings/r-1", {}),
    "recording_transcriptions": (
        lambda it: list(it.recording_transcriptions(recording_id="r-1")),
        "/recording_transcriptions",
        {"filter[recording_id]": "r-1", "page[size]": "250"},
    ),
    "recording_transcription": (
        lambda it: it.recording_transcription("t-1"),
        "/recording_transcriptions/t-1",
        {},
    ),
    "media": (lambda it: list(it.media()), "/media", {}),
    "voices": (lambda it: it.voices("aws"), "/text-to-speech/voices", {"provider": "aws"}),
    "application": (lambda it: it.application("12"), "/call_control_applications/12", {}),
}


@pytest.mark.parametrize("name", READS)
def test_a_reading_asks_the_documented_address(name, server, telnyx):
    ask, path, query = READS[name]
    row = {"id": "1", "is_alive": True}
    is_list = name == "media" or "page[size]" in query or "page[limit]" in query
    server.will(answer(200, {"data": [] if is_list else row, "voices": []}))

    ask(telnyx)

    [request] = server.requests
    assert (request.method, request.path) == ("GET", f"/v2{path}")
    assert request.query == query
    assert request.body == b""
    assert request.headers["Authorization"] == f"Bearer {KEY}"


def official_requests(server):
    official = OfficialClient(api_key=KEY, base_url=f"{server.url}/v2", max_retries=0)
    actions = official.calls.actions
    common = {"call_control_id": CALL, "command_id": COMMAND}
    actions.start_recording(format="mp3", channels="dual", **common)
    actions.stop_recording(**common)
    actions.pause_recording(recording_id="r", **common)
    actions.resume_recording(**common)
    actions.start_playback(media_name="hold", loop=3, **common)
    actions.stop_playback(stop="current", **common)
    actions.speak(payload="Hallo ☎", voice="AWS.Polly.Joanna", **common)
    actions.start_transcription(transcription_tracks="both", **common)
    actions.stop_transcription(**common)
    actions.answer(record="record-from-answer", **common)
    actions.hangup(**common)
    actions.switch_supervisor_role(CALL, role="whisper")
    supervised = {"supervise_call_control_id": CALL, "supervisor_role": "monitor"}
    numbers = {"connection_id": "1", "from_": "+1", "to": "+2"}
    official.calls.dial(**numbers, **supervised, command_id=COMMAND)
    official.calls.retrieve_status(CALL)
    official.recordings.retrieve("r")
    official.recordings.delete("r")
    official.recording_transcriptions.retrieve("t")
    official.call_control_applications.retrieve("12")


def our_requests(telnyx):
    for action, params in [
        ("record_start", {"format": "mp3", "channels": "dual"}),
        ("record_stop", {}),
        ("record_pause", {"recording_id": "r"}),
        ("record_resume", {}),
        ("playback_start", {"media_name": "hold", "loop": 3}),
        ("playback_stop", {"stop": "current"}),
        ("speak", {"payload": "Hallo ☎", "voice": "AWS.Polly.Joanna"}),
        ("transcription_start", {"transcription_tracks": "both"}),
        ("transcription_stop", {}),
        ("answer", {"record": "record-from-answer"}),
        ("hangup", {}),
        ("switch_supervisor_role", {"role": "whisper"}),
    ]:
        telnyx.act(CALL, action, params, command_id=COMMAND)
    supervised = {"supervise_call_control_id": CALL, "supervisor_role": "monitor"}
    numbers = {"connection_id": "1", "from": "+1", "to": "+2"}
    telnyx.dial(numbers | supervised, command_id=COMMAND)
    telnyx.call(CALL)
    telnyx.recording("r")
    telnyx.delete_recording("r")
    telnyx.recording_transcription("t")
    telnyx.application("12")


def test_our_requests_are_those_of_telnyxs_own_library(server, telnyx):
    ids = {"id": "1", "call_control_id": "1", "call_leg_id": "1", "is_alive": True}
    server.will(answer(200, {"data": ids}))

    our_requests(telnyx)
    ours = list(server.requests)
    server.requests.clear()
    official_requests(server)

    def essence(request):
        body = json.loads(request.body) if request.body else None
        return request.method, request.path, body, request.headers["Authorization"]

    assert [essence(it) for it in ours] == [essence(it) for it in server.requests]
    assert len(ours) == 18


@pytest.mark.parametrize("odd", ["a/b", "a?b", "a#b", "a%2Fb", "ä ☎", "a\nb", "../x", "a b"])
def test_an_id_stays_one_segment_of_the_path(odd, server, telnyx):
    server.will(answer(200, {"data": {"is_alive": True}}))

    telnyx.call(odd)

    assert server.requests[0].path.count("/") == 3
    assert server.requests[0].query == {}


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_an_id_that_would_change_the_path_is_never_sent(bad, server, telnyx):
    with pytest.raises(ValueError, match="is no id of Telnyx"):
        telnyx.act(bad, "hangup", {}, command_id=COMMAND)

    assert server.requests == []


@pytest.mark.parametrize("bad", ["", "KEY\n", "KEY x", " KEY", "KÉY", "KEY\x7f"])
def test_a_key_that_cannot_be_a_header_is_refused_without_being_shown(bad):
    with pytest.raises(ValueError, match="API key") as error:
        Telnyx(api_key=bad)

    assert bad.strip() == "" or bad not in str(error.value)


@pytest.mark.parametrize("bad", ["", "api.telnyx.com", "ftp://a/v2", "https://", "http://a?b=c"])
def test_an_address_that_cannot_be_telnyx_is_refused(bad):
    with pytest.raises(ValueError, match="Telnyx address"):
        Telnyx(api_key=KEY, base_url=bad)


def test_a_time_without_a_zone_is_refused(telnyx):
    with pytest.raises(ValueError, match="has no time zone"):
        list(telnyx.call_events(since=datetime(2026, 3, 2)))  # noqa: DTZ001


def test_an_uploaded_sound_goes_as_a_form(server, telnyx):
    row = {"media_name": "hold", "content_type": "audio/wav", "expires_at": "2046-01-01T00:00:00Z"}
    server.will(answer(201, {"data": row}))

    media = telnyx.upload_media("hold", b"RIFF....", content_type="audio/wav")

    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/v2/media")
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="media_name"\r\n\r\nhold\r\n' in request.body
    assert b'name="ttl_secs"\r\n\r\n630720000\r\n' in request.body
    assert b'name="media"; filename="hold"' in request.body
    assert b"\r\n\r\nRIFF....\r\n" in request.body
    assert (media.name, media.expires_at.year) == ("hold", 2046)


@pytest.mark.parametrize("size", [0, 20_000_001])
def test_a_sound_over_telnyxs_limit_is_never_sent(size, server, telnyx):
    with pytest.raises(ValueError, match=f"hold has {size} bytes, the limit is 20000000"):
        telnyx.upload_media("hold", bytes(size), content_type="audio/wav")

    assert server.requests == []


def test_webhooks_are_pointed_at_us_in_the_format_we_read(server, telnyx):
    row = {"id": "12", "application_name": "desk", "webhook_event_url": "https://old"}
    server.will(answer(200, {"data": row}), answer(200, {"data": row}))

    application = telnyx.application("12")
    telnyx.point_webhooks(application, url="https://desk/webhooks/telnyx")

    request = server.requests[1]
    assert (request.method, request.path) == ("PATCH", "/v2/call_control_applications/12")
    assert json.loads(request.body) == {
        "application_name": "desk",
        "webhook_event_url": "https://desk/webhooks/telnyx",
        "webhook_api_version": "2",
    }


def test_a_deleted_recording_may_have_been_gone_before(server, telnyx):
    server.will(answer(200, {"data": {"id": "r"}}), fault(404, "10005"), fault(403, "10010"))

    assert telnyx.delete_recording("r") is True
    assert telnyx.delete_recording("r") is False
    with pytest.raises(Rejected):
        telnyx.delete_recording("r")
    assert {request.method for request in server.requests} == {"DELETE"}


# Answers


def test_readings_become_named_values(server, telnyx):
    row = {
        "id": "r-1",
        "call_leg_id": "leg",
        "channels": "dual",
        "duration_millis": 60000,
        "recording_started_at": "2026-03-02T15:09:11.508869Z",
        "download_urls": {"mp3": "https://s3/x.mp3", "wav": None},
        "from": "+1",
        "to": "+2",
    }
    server.will(answer(200, {"data": row}))

    recording = telnyx.recording("r-1")

    assert (recording.recording_id, recording.call_leg_id) == ("r-1", "leg")
    assert (recording.duration_ms, recording.started_at) == (60000, SINCE)
    assert recording.urls == {"mp3": "https://s3/x.mp3"}


def test_a_call_that_is_neither_dead_nor_alive_is_no_answer(server, telnyx):
    server.will(answer(200, {"data": {"call_leg_id": "leg", "is_alive": "false"}}))

    with pytest.raises(Unavailable, match="`is_alive` is neither true nor false"):
        telnyx.call(CALL)


def test_an_unknown_call_is_not_found(server, telnyx):
    server.will(fault(404, "10005", "Resource not found"))

    with pytest.raises(Rejected) as error:
        telnyx.call(CALL)

    assert error.value.not_found


def test_voices_are_not_wrapped_in_data(server, telnyx):
    voice = {"provider": "aws", "name": "Joanna", "voice_id": "AWS.Polly.Joanna"}
    server.will(answer(200, {"voices": [voice, {"name": "no id"}, None]}))

    voices = telnyx.voices()

    assert [it.voice_id for it in voices] == ["AWS.Polly.Joanna"]


def test_a_failed_delivery_brings_its_webhook_back(server, telnyx):
    webhook = {"id": "e-1", "event_type": "call.hangup", "payload": {"call_leg_id": "leg"}}
    rows = [{"id": "d-1", "status": "failed", "webhook": webhook}, {"id": "d-2", "webhook": 7}]
    server.will(answer(200, {"data": rows, "meta": {"total_pages": 1}}))

    first, second = telnyx.webhook_deliveries(status="failed")

    assert parse(first.raw).event_id == "e-1"
    assert second.raw is None


def test_a_calls_log_brings_its_webhooks_back(server, telnyx):
    event = {"data": {"id": "e-1", "event_type": "call.answered", "payload": {}}}
    rows = [
        {"type": "webhook", "name": "call.answered", "metadata": {"event": event}},
        {"type": "command", "name": "record_start", "metadata": {"format": "mp3"}},
    ]
    server.will(answer(200, {"data": rows, "meta": {"total_pages": 1}}))

    webhook, command = telnyx.call_events(call_leg_id="leg")

    assert parse(webhook.raw).event_id == "e-1"
    assert (command.type, command.raw) == ("command", None)


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"<html>", b"[]", b"null", b'{"data":null}', b"\xff", b"[" * 5000, b"x" * 99_999],
    ids=lambda body: repr(body[:12]),
)
def test_an_accepted_command_is_accepted_whatever_its_body_says(body, server, telnyx):
    server.will(answer(200, body))

    assert act(telnyx) == {}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_accepts_a_command(status, server, telnyx):
    server.will(answer(status, b""))

    assert act(telnyx) == {}


def test_an_accepted_command_survives_a_line_dropped_in_the_body(server, telnyx):
    def drop(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"data":')
        handler.wfile.flush()
        hang_up(handler)

    server.will(drop)

    assert act(telnyx) == {}


@pytest.mark.parametrize("body", [b"", b"ok", b"{}", b'{"data":{"call_leg_id":"leg"}}'])
def test_a_dial_without_ids_may_have_been_applied(body, server, telnyx):
    server.will(answer(200, body))

    with pytest.raises(Unavailable) as error:
        telnyx.dial({}, command_id=COMMAND)

    assert error.value.maybe_applied


def test_a_reading_cut_short_is_no_reading(server, telnyx):
    def drop(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"data":{"is_alive":true}}')
        handler.wfile.flush()
        hang_up(handler)

    server.will(drop)

    with pytest.raises(Unavailable, match="the line dropped"):
        telnyx.call(CALL)


def test_a_chunked_answer_is_read(server, telnyx):
    def chunks(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (b'{"data":', b'{"is_alive":true}}'):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    server.will(chunks)

    assert telnyx.call(CALL).is_alive


# Pages


def rows(*names, **meta):
    return answer(200, {"data": [{"id": name} for name in names], "meta": meta})


def legs(*names, **meta):
    return answer(200, {"data": [{"call_leg_id": name} for name in names], "meta": meta})


def test_number_pages_are_followed_to_the_last(server, telnyx):
    server.will(rows("a", total_pages=3), rows("b", total_pages=3), rows("c", total_pages=3))

    assert [it.recording_id for it in telnyx.recordings()] == ["a", "b", "c"]
    assert [it.query.get("page[number]") for it in server.requests] == [None, "2", "3"]


def test_without_a_number_of_pages_an_empty_page_is_the_last(server, telnyx):
    server.will(rows("a"), rows("b"), rows())

    assert [it.recording_id for it in telnyx.recordings()] == ["a", "b"]


def test_an_empty_page_ends_a_list_that_claims_more(server, telnyx):
    server.will(rows("a", total_pages=9), rows(total_pages=9))

    assert len(list(telnyx.recordings())) == 1
    assert len(server.requests) == 2


def test_cursor_pages_are_followed_to_the_last(server, telnyx):
    server.will(
        legs("a", cursors={"after": "v1:x+/="}, next="/v2/x?page[after]=v1:x+/="),
        legs("b", cursors={"after": "v1:y"}, next="/v2/x?page[after]=v1:y"),
        legs("c", cursors={"after": None, "before": "v1:z"}, next=None),
    )

    assert [it.call_leg_id for it in telnyx.active_calls("12")] == ["a", "b", "c"]
    assert [it.query.get("page[after]") for it in server.requests] == [None, "v1:x+/=", "v1:y"]
    assert {it.query["page[limit]"] for it in server.requests} == {"250"}


def test_a_next_link_gives_its_cursor_and_is_not_followed_elsewhere(server, telnyx):
    elsewhere = "http://169.254.169.254/v2/x?page[after]=v1:a+b=&admin=1"
    server.will(rows("a", next=elsewhere), rows("b", cursors={}))

    assert len(list(telnyx.recording_transcriptions())) == 2
    assert server.requests[1].path == "/v2/recording_transcriptions"
    assert server.requests[1].query["page[after]"] == "v1:a+b="
    assert "admin" not in server.requests[1].query


def test_the_same_page_twice_is_an_error_not_a_loop(server, telnyx):
    server.will(rows("a", cursors={"after": "v1:x"}))

    with pytest.raises(Unavailable, match="the same page twice"):
        list(telnyx.recording_transcriptions())
    assert len(server.requests) == 2


def test_cursors_in_a_circle_come_to_an_end(server, telnyx, monkeypatch):
    monkeypatch.setattr(wire, "MAX_PAGES", 6)
    there, back = rows("a", cursors={"after": "v1:x"}), rows("b", cursors={"after": "v1:y"})
    server.will(*[there, back] * 10)

    with pytest.raises(Unavailable, match="more than 6 pages"):
        list(telnyx.recording_transcriptions())
    assert len(server.requests) == 6


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, [], "x"])
def test_a_list_without_rows_is_no_empty_list(body, server, telnyx):
    server.will(answer(200, body))

    with pytest.raises(Unavailable):
        list(telnyx.recordings())


def test_an_unreadable_recording_is_left_out(server, telnyx, caplog):
    server.will(answer(200, {"data": [{"id": "a"}, {}, {"id": "b"}, 7], "meta": {"next": None}}))

    assert [it.recording_id for it in telnyx.recordings()] == ["a", "b"]
    assert "left out" in caplog.text


def test_an_unreadable_active_call_is_not_left_out_in_silence(server, telnyx):
    server.will(legs("a", "", next=None))

    with pytest.raises(Unavailable, match="`call_leg_id` is missing"):
        list(telnyx.active_calls("12"))


# Refusals


REFUSED = {
    "validation": (fault(422, "90009", "Invalid loop"), "Telnyx refused: Invalid loop (90009)"),
    "with detail": (
        fault(422, "90018", "Call has already ended", detail="No longer active."),
        "Telnyx refused: Call has already ended (90018). No longer active.",
    ),
    "detail like the title": (
        fault(403, "403", "Forbidden", detail="Forbidden"),
        "Telnyx refused: Forbidden (403)",
    ),
    "code a number": (fault(400, 10015, "Bad Request"), "Telnyx refused: Bad Request (10015)"),
    "no title": (answer(400, {"errors": [{"code": "1"}]}), "Telnyx refused: status 400 (1)"),
    "only detail": (answer(400, {"errors": [{"detail": "Why"}]}), "Telnyx refused: Why"),
    "several": (
        answer(422, {"errors": [{"code": "1", "title": "A"}, {"code": "2", "title": "B"}]}),
        "Telnyx refused: A (1)",
    ),
    "HTML": (answer(404, b"<html>no</html>"), "Telnyx refused: status 404"),
    "empty": (answer(401, b""), "Telnyx refused: status 401"),
    "a list": (answer(400, []), "Telnyx refused: status 400"),
    "errors empty": (answer(400, {"errors": []}), "Telnyx refused: status 400"),
    "errors an object": (answer(400, {"errors": {"a": 1}}), "Telnyx refused: status 400"),
    "error a text": (answer(400, {"errors": ["no"]}), "Telnyx refused: status 400"),
    "odd types": (
        answer(400, {"errors": [{"code": [1], "title": 5, "detail": {}, "source": "x"}]}),
        "Telnyx refused: status 400",
    ),
    "deep": (answer(400, b"[" * 5000), "Telnyx refused: status 400"),
    "not UTF-8": (answer(400, b"\xff\xfe"), "Telnyx refused: status 400"),
    "redirect": (answer(301, b"", Location="http://elsewhere/"), "Telnyx refused: status 301"),
    "teapot": (answer(418, b""), "Telnyx refused: status 418"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_definite_no_is_a_sentence_and_final(case, server, telnyx):
    refusal, sentence = REFUSED[case]
    server.will(refusal)

    with pytest.raises(Rejected) as error:
        act(telnyx)

    assert str(error.value) == sentence
    assert error.value.permanent
    assert len(server.requests) == 1


MEANINGS = {
    "call_ended": [(422, "90018"), (404, "90018"), (400, "90018")],
    "not_found": [(404, "10005"), (404, "404"), (404, None)],
    "not_answered": [(422, "90034")],
    "audio_not_flowing": [(422, "90020")],
    "already_transcribing": [(422, "90054")],
    "bad_key": [(401, "10009"), (401, "401")],
    "forbidden": [(403, "10010"), (403, "20012"), (403, "403")],
}
ALL = [(status, code) for pairs in MEANINGS.values() for status, code in pairs]
NOT_FINAL = [(500, "90018"), (503, "90034"), (429, "90020"), (422, "90053")]


@pytest.mark.parametrize(("status", "code"), [*ALL, *NOT_FINAL])
def test_a_code_means_what_its_status_allows(status, code, server, telnyx):
    server.will(fault(status, code))

    with pytest.raises(TelnyxError) as error:
        act(telnyx)

    meant = {name for name in MEANINGS if getattr(error.value, name)}
    assert meant == {name for name, pairs in MEANINGS.items() if (status, code) in pairs} | (
        {"not_found"} if status == 404 else set()
    )


def test_a_refusal_carries_what_telnyx_said(server, telnyx):
    server.will(
        fault(422, "10032", "Bad value", detail="Why", source={"pointer": "/record_channels"})
    )

    with pytest.raises(Rejected) as error:
        act(telnyx)

    said = error.value
    assert (said.status, said.code, said.title) == (422, "10032", "Bad value")
    assert (said.detail, said.pointer, said.retry_after_s) == ("Why", "/record_channels", None)


def test_a_huge_error_is_cut_and_still_judged_by_its_status(server, telnyx):
    server.will(fault(422, "90018", "x" * 1_000_000))

    with pytest.raises(Rejected) as error:
        act(telnyx)

    assert len(str(error.value)) < 1000


# Silences


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 409, 599])
def test_a_server_fault_may_have_been_applied_and_is_asked_once(status, server, telnyx):
    server.will(fault(status, "10007", "Server fault"))

    with pytest.raises(Unavailable, match=r"could not do it now: Server fault \(10007\)") as error:
        act(telnyx)

    assert error.value.maybe_applied
    assert not error.value.permanent
    assert error.value.status == status
    assert len(server.requests) == 1


WAITS = [
    ({"Retry_After": "3"}, 3.0),
    ({"x_ratelimit_reset": "12"}, 12.0),
    ({"Retry_After": "1.5", "x_ratelimit_reset": "60"}, 1.5),
    ({"Retry_After": "0"}, 0.0),
    ({"Retry_After": "-1"}, None),
    ({"Retry_After": "nan"}, None),
    ({"Retry_After": "inf"}, None),
    ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ({"Retry_After": "soon", "x_ratelimit_reset": "7"}, 7.0),
    ({"x_ratelimit_reset": "1772463551"}, None),
    ({"Retry_After": "300"}, 300.0),
    ({"Retry_After": "301"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "wait_s"), WAITS)
def test_a_rate_limit_was_not_applied_and_says_how_long(headers, wait_s, server, telnyx):
    server.will(answer(429, {"errors": [{"code": "10011", "title": "Slow"}]}, **headers))

    with pytest.raises(Unavailable, match="asks to slow down: Slow") as error:
        act(telnyx)

    assert not error.value.maybe_applied
    assert error.value.retry_after_s == wait_s


def test_a_dropped_line_may_have_been_applied_and_is_asked_once(server, telnyx):
    server.will(hang_up)

    with pytest.raises(Unavailable, match="The line to Telnyx dropped") as error:
        act(telnyx)

    assert error.value.maybe_applied
    assert error.value.status is None
    assert len(server.requests) == 1


def test_silence_ends_at_the_read_timeout_and_may_have_been_applied(server, telnyx):
    server.will(lambda handler: handler.server.over.wait(5))
    started = time.monotonic()

    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s") as error:
        act(telnyx, timeout=(1, 0.2))

    assert error.value.maybe_applied
    assert 0.2 <= time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        (lambda handler: handler.server.over.wait(5), "did not answer within"),
        (hang_up, "line to Telnyx dropped"),
    ],
)
def test_a_reading_without_an_answer_is_asked_once_too(fate, told, server, telnyx):
    server.will(fate)

    with pytest.raises(Unavailable, match=told):
        telnyx._wire.ask("GET", "/x", timeout=(1, 0.2))

    assert len(server.requests) == 1


def test_nobody_there_means_nothing_was_applied():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    telnyx = Telnyx(api_key=KEY, base_url=f"http://127.0.0.1:{port}/v2")

    with pytest.raises(Unavailable, match="Telnyx cannot be reached") as error:
        act(telnyx)

    assert not error.value.maybe_applied


def test_an_unknown_host_means_nothing_was_applied():
    telnyx = Telnyx(api_key=KEY, base_url="http://telnyx.invalid/v2")

    with pytest.raises(Unavailable, match="Telnyx cannot be reached") as error:
        act(telnyx)

    assert not error.value.maybe_applied


def test_a_connect_timeout_means_nothing_was_applied():
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):  # a full queue: the kernel ignores further callers
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        telnyx = Telnyx(api_key=KEY, base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/v2")

        with pytest.raises(Unavailable, match=r"was not reached within 0\.2 s") as error:
            act(telnyx, timeout=(0.2, 0.2))

    assert not error.value.maybe_applied


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_that_nobody_trusts_gets_no_key(server, tmp_path):
    pem = str(tmp_path / "own.pem")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout"
    subprocess.run([*make.split(), pem, "-out", pem], check=True, capture_output=True)
    with Path(pem).open("a") as both, Path(pem).open() as key:
        both.write(key.read())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    telnyx = Telnyx(api_key=KEY, base_url=f"https://127.0.0.1:{server.server_port}/v2")

    with pytest.raises(Unavailable, match="certificate is not trusted") as error:
        act(telnyx)

    assert not error.value.maybe_applied
    assert server.requests == []


# Bounds


def test_a_trickle_of_bytes_ends_at_the_deadline(server, telnyx):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not handler.server.over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    server.will(drip)
    started = time.monotonic()

    assert act(telnyx, timeout=(0.2, 0.4)) == {}  # a 200: accepted, though its body never ends

    assert 0.5 < time.monotonic() - started < 4


def test_a_reading_that_trickles_is_not_whole_in_time(server, telnyx, monkeypatch):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not handler.server.over.wait(0.05):
            handler.wfile.write(b"1\r\n \r\n")
            handler.wfile.flush()

    server.will(drip)
    started = time.monotonic()

    with pytest.raises(Unavailable, match="not whole in time"):
        telnyx._wire.ask("GET", "/x", timeout=(0.2, 0.4)).data()

    assert time.monotonic() - started < 4


def test_an_answer_without_end_is_cut_at_its_limit(server, telnyx):
    sent = 0

    def flood(handler):
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.flush()
        while not handler.server.over.is_set() and sent < 100_000_000:
            sent += handler.connection.send(b"x" * 65_536)

    server.will(flood)

    assert act(telnyx) == {}
    assert sent < 20_000_000  # the limit of 64 KiB and what the kernel's buffers took


def test_a_list_may_be_megabytes_but_not_endless(server, telnyx):
    text = "x" * 3_000_000
    server.will(
        answer(200, {"data": {"id": "t", "transcription_text": text}}),
        answer(200, {"data": {"id": "t", "transcription_text": text * 2}}),
    )

    assert telnyx.recording_transcription("t").text == text
    with pytest.raises(Unavailable, match="longer than 4194304 bytes"):
        telnyx.recording_transcription("t")


def test_a_redirect_is_not_followed(server, telnyx):
    server.will(answer(302, b"", Location=f"{server.url}/elsewhere"))

    with pytest.raises(Rejected):
        telnyx.call(CALL)

    assert len(server.requests) == 1


def test_the_environment_cannot_send_the_key_elsewhere(server, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    act(Telnyx(api_key=KEY, base_url=f"{server.url}/v2"))

    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_cookies_are_not_kept(server, telnyx):
    server.will(answer(Set_Cookie="track=1; Path=/"))

    act(telnyx)
    act(telnyx)

    assert server.requests[1].headers["Cookie"] is None


def test_the_key_is_in_no_log_and_no_error(server, telnyx, caplog):
    caplog.set_level(logging.DEBUG)
    server.will(answer(), fault(401, "10009", "Authentication failed"), hang_up)

    act(telnyx)
    with pytest.raises(Rejected) as refused:
        act(telnyx)
    with pytest.raises(Unavailable) as dropped:
        act(telnyx)

    assert "record_pause" in caplog.text
    for text in (caplog.text, repr(refused.value), repr(dropped.value), repr(vars(telnyx))):
        assert KEY not in text


def test_one_client_serves_many_threads(server, telnyx):
    def press(number):
        return telnyx.act(f"call-{number}", "record_pause", {}, command_id=str(number))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(press, range(160)))

    assert answers == [{"result": "ok"}] * 160
    pairs = {(it.path.split("/")[3], json.loads(it.body)["command_id"]) for it in server.requests}
    assert pairs == {(f"call-{number}", str(number)) for number in range(160)}


def test_connections_are_used_again(server, telnyx):
    threads = set()
    server.will(lambda handler: (threads.add(threading.get_ident()), answer()(handler)))

    for _ in range(5):
        act(telnyx)

    assert len(threads) == 1  # the server has one thread per connection
