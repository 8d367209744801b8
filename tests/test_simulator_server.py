"""The simulator over HTTP: doors, links, pages, levers, and the ways to make it fail."""

import base64
import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import urllib3

from simulator import __main__ as command_line
from simulator import audio, speech
from tests.simulator_rig import COMPANY, CUSTOMER, Receiver, running

RECORD = {"format": "wav", "channels": "dual"}


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def stand(tmp_path_factory, receiver):
    with running(tmp_path_factory.mktemp("simulator"), receiver) as client:
        yield client


@pytest.fixture
def telnyx(stand):
    """The stand-in, with every lever back in its place afterwards."""
    before = stand.lever("GET", "settings")
    yield stand
    stand.lever("DELETE", "faults")
    stand.lever("POST", "settings", **before)


def fault(telnyx, section="routes", **rule):
    telnyx.lever("POST", "faults", **{section: [rule]})


def recorded(telnyx, receiver, words="This is what I wanted to say.", **wish):
    """Record a call with something said in it; return the payload of its saved event."""
    call = telnyx.call()
    assert telnyx.act(call, "record_start", **RECORD | wish).status_code == 200
    lever = f"calls/{call['call_control_id']}/say"
    telnyx.lever("POST", lever, party="customer", text=words)
    time.sleep(0.1)
    assert telnyx.act(call, "record_stop").status_code == 200
    return saved(receiver, call)


def saved(receiver, call):
    ends = time.monotonic() + 5
    while time.monotonic() < ends:
        for body in receiver.bodies("call.recording.saved"):
            if body["data"]["payload"]["call_leg_id"] == call["call_leg_id"]:
                return body["data"]["payload"]
        time.sleep(0.01)
    raise AssertionError("the recording was not saved")


# doors


def test_the_api_needs_its_key_and_the_levers_do_not(telnyx):
    refused = requests.get(f"{telnyx.url}/v2/recordings", timeout=5)
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["code"] == "10009"
    wrong = {"Authorization": "Bearer KEY-other"}
    assert requests.get(f"{telnyx.url}/v2/media", headers=wrong, timeout=5).status_code == 401
    assert requests.get(f"{telnyx.url}/_simulator/key", timeout=5).status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_an_action_needs_a_json_object(telnyx, body):
    call = telnyx.call()
    path = f"/calls/{call['call_control_id']}/actions/hangup"
    got = telnyx.v2("POST", path, data=body, headers={"Content-Type": "application/json"})
    assert (got.status_code, got.json()["errors"][0]["code"]) == (400, "10015")
    assert telnyx.truth(call)["line"] == "bridged"


def test_a_token_may_come_quoted_in_the_path(telnyx):
    call = telnyx.call()
    quoted = call["call_control_id"].replace(":", "%3A").replace("-", "%2D")
    got = telnyx.v2("POST", f"/calls/{quoted}/actions/hangup", json={})
    assert got.json() == {"data": {"result": "ok"}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/calls/v3:nobody", 404),
        ("GET", "/recordings/none", 404),
        ("DELETE", "/recordings/none", 404),
        ("GET", "/recording_transcriptions/none", 404),
        ("GET", "/media/none", 404),
        ("GET", "/webhook_deliveries/none", 404),
        ("GET", "/connections/1/active_calls", 404),
        ("GET", "/call_control_applications/1", 404),
        ("DELETE", "/calls", 405),
        ("POST", "/calls/v3:nobody/actions/hangup", 422),
        ("PUT", "/calls/v3:nobody/actions/hangup", 404),
        ("GET", "/recordings?page[size]=251", 422),
        ("GET", "/recordings?page[number]=0", 422),
        ("GET", "/recordings?filter[created_at][gte]=yesterday", 422),
        ("GET", "/connections/2684641123236054244/active_calls?page[after]=@@", 422),
    ],
)
def test_what_is_not_there_is_refused_in_telnyxs_shape(telnyx, method, path, status):
    got = telnyx.v2(method, path, json={} if method in ("POST", "PUT") else None)
    assert got.status_code == status
    for entry in got.json()["errors"]:
        assert re.fullmatch(r"\d{5}", entry["code"])
        assert entry["title"]
        assert entry["detail"]


def test_a_connection_is_kept_for_several_requests(telnyx):
    connection = http.client.HTTPConnection(telnyx.url.removeprefix("http://"), timeout=5)
    connection.connect()
    socket = connection.sock
    for path in ("/v2/recordings", "/_simulator/key", "/nowhere"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is socket
    connection.close()


# links and files


def test_a_recordings_link_gives_the_file(telnyx, receiver):
    payload = recorded(telnyx, receiver)
    link = payload["recording_urls"]["wav"]
    assert link.startswith(f"{telnyx.url}/telephony-recorder-prod/")
    got = requests.get(link, timeout=5)
    assert got.status_code == 200
    assert got.headers["Content-Type"] == "audio/wav"
    assert int(got.headers["Content-Length"]) == len(got.content)
    assert got.content[:4] == b"RIFF"
    head = requests.head(link, timeout=5)
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert head.content == b""


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=10-", 10, -1),
        ("bytes=-5", -5, -1),
        ("bytes=3-99999999", 3, -1),
    ],
)
def test_a_link_serves_ranges(telnyx, receiver, asked, first, last):
    link = recorded(telnyx, receiver)["recording_urls"]["wav"]
    whole = requests.get(link, timeout=5).content
    got = requests.get(link, headers={"Range": asked}, timeout=5)
    expected = whole[first : len(whole) if last == -1 else last + 1]
    assert (got.status_code, got.content) == (206, expected)
    start = first % len(whole)
    shown = f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    assert got.headers["Content-Range"] == shown


def test_a_range_beyond_the_end_cannot_be_served(telnyx, receiver):
    link = recorded(telnyx, receiver)["recording_urls"]["wav"]
    assert requests.get(link, headers={"Range": "bytes=99999999-"}, timeout=5).status_code == 416


def test_a_link_expires_and_the_api_gives_a_fresh_one(telnyx, receiver):
    telnyx.lever("POST", "settings", link_ttl_s=1)
    payload = recorded(telnyx, receiver)
    link = payload["recording_urls"]["wav"]
    assert "X-Amz-Expires=1&" in link
    assert requests.get(link, timeout=5).status_code == 200
    ends = time.monotonic() + 5
    while (got := requests.get(link, timeout=5)).status_code == 200:
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert got.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in got.text
    telnyx.lever("POST", "settings", link_ttl_s=600)
    row = telnyx.v2("GET", f"/recordings/{payload['recording_id']}").json()["data"]
    assert requests.get(row["download_urls"]["wav"], timeout=5).status_code == 200


def test_an_expiry_cannot_be_stretched(telnyx, receiver):
    link = recorded(telnyx, receiver)["recording_urls"]["wav"]
    forged = link.replace("X-Amz-Expires=600", "X-Amz-Expires=6000")
    assert forged != link
    assert requests.get(forged, timeout=5).status_code == 403


def test_both_formats_are_to_be_had_whichever_was_asked_for(telnyx, receiver):
    payload = recorded(telnyx, receiver, format="mp3")
    assert list(payload["recording_urls"]) == ["mp3"]
    row = telnyx.v2("GET", f"/recordings/{payload['recording_id']}").json()["data"]
    lengths = []
    for link in row["download_urls"].values():
        content = requests.get(link, timeout=5).content
        lengths.append(1_000 * len(audio.decode(content)) / speech.RATE)
    assert lengths[1] == pytest.approx(row["duration_millis"], abs=2)
    assert lengths[0] == pytest.approx(row["duration_millis"], abs=250)


def test_a_deleted_recording_is_gone_with_its_file(telnyx, receiver):
    payload = recorded(telnyx, receiver)
    path = f"/recordings/{payload['recording_id']}"
    assert telnyx.v2("DELETE", path).json()["data"]["id"] == payload["recording_id"]
    assert telnyx.v2("GET", path).status_code == 404
    folder = telnyx.server.board.options.data / "recordings"
    assert not list(folder.glob(f"{payload['recording_id']}*"))
    got = requests.get(payload["recording_urls"]["wav"], timeout=5)
    assert (got.status_code, "NoSuchKey" in got.text) == (404, True)


def test_the_saved_event_comes_once_the_file_is_there(telnyx, receiver):
    payload = recorded(telnyx, receiver)
    folder = telnyx.server.board.options.data / "recordings"
    assert (folder / f"{payload['recording_id']}.wav").exists()


def _received(raw):
    """Yield what comes, until no more does."""
    with contextlib.suppress(urllib3.exceptions.ProtocolError):
        while block := raw.read1(4_096):
            yield block


@pytest.mark.parametrize("do", ["truncate", "html", "expire", "status", "wrong_type", "no_length"])
def test_downloads_can_be_spoilt(telnyx, receiver, do):
    payload = recorded(telnyx, receiver)
    link = payload["recording_urls"]["wav"]
    whole = requests.get(link, timeout=5).content
    rule = {"status": 503} if do == "status" else {}
    fault(telnyx, "downloads", do=do, times=1, recording_id=payload["recording_id"], **rule)
    got = requests.get(link, timeout=5, stream=True)
    content = b"".join(_received(got.raw))
    if do == "truncate":
        assert int(got.headers["Content-Length"]) == len(whole)
        assert len(content) == len(whole) // 2
    elif do == "html":
        assert (got.status_code, got.headers["Content-Type"]) == (200, "text/html")
    elif do in ("expire", "status"):
        assert got.status_code == {"expire": 403, "status": 503}[do]
    elif do == "wrong_type":
        assert got.headers["Content-Type"] != "audio/wav"
    else:
        assert "Content-Length" not in got.headers
        assert content == whole
    assert requests.get(link, timeout=5).content == whole


def test_a_download_can_be_slow(telnyx, receiver):
    link = recorded(telnyx, receiver)["recording_urls"]["wav"]
    fault(telnyx, "downloads", do="slow", seconds=0.4, times=1)
    began = time.monotonic()
    requests.get(link, timeout=5)
    assert time.monotonic() - began >= 0.4


# faults of routes


def effect(telnyx, call):
    return telnyx.truth(call)["recording"]


def test_a_status_fault_applies_nothing(telnyx):
    call = telnyx.call()
    body = {"errors": [{"code": "10011", "title": "Too many requests"}]}
    headers = {"x-ratelimit-reset": 3}
    fault(
        telnyx, action="record_start", do="status", status=429, body=body, headers=headers, times=1
    )
    got = telnyx.act(call, "record_start", **RECORD)
    assert (got.status_code, got.json(), got.headers["x-ratelimit-reset"]) == (429, body, "3")
    assert effect(telnyx, call) == "off"
    last = telnyx.lever("GET", "commands")["commands"][-1]
    assert (last["action"], last["status"], last["took_effect"]) == ("record_start", None, False)
    assert telnyx.act(call, "record_start", **RECORD).status_code == 200


def test_a_command_can_be_applied_without_an_answer_and_its_repeat_changes_nothing(telnyx):
    call = telnyx.call()
    fault(telnyx, action="record_start", do="apply_then_drop", times=1)
    body = RECORD | {"command_id": "4b0c3a6e-0000-4000-8000-000000000001"}
    with pytest.raises(requests.ConnectionError):
        telnyx.act(call, "record_start", **body)
    assert effect(telnyx, call) == "on"
    assert telnyx.act(call, "record_start", **body).status_code == 200
    assert len(telnyx.truth(call)["recordings"]) == 1
    effects = [
        command["took_effect"]
        for command in telnyx.lever("GET", "commands")["commands"]
        if command["command_id"] == body["command_id"]
    ]
    assert effects == [True, False]


@pytest.mark.parametrize(
    ("do", "applied"), [("drop", "off"), ("hang", "off"), ("apply_then_status", "on")]
)
def test_other_faults_apply_or_do_not(telnyx, do, applied):
    call = telnyx.call()
    fault(telnyx, action="record_start", do=do, seconds=0.05, times=1)
    if do == "apply_then_status":
        assert telnyx.act(call, "record_start", **RECORD).status_code == 500
    else:
        with pytest.raises(requests.ConnectionError):
            telnyx.act(call, "record_start", **RECORD)
    assert effect(telnyx, call) == applied


@pytest.mark.parametrize(("do", "applied"), [("delay", "off"), ("apply_then_delay", "on")])
def test_a_late_answer_may_be_applied_early_or_late(telnyx, do, applied):
    call = telnyx.call()
    fault(telnyx, action="record_start", do=do, seconds=0.5, times=1)
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(telnyx.act(call, "record_start", **RECORD))
    )
    thread.start()
    ends = time.monotonic() + 0.3
    while effect(telnyx, call) != applied and time.monotonic() < ends:
        time.sleep(0.01)
    assert (effect(telnyx, call), answers) == (applied, [])
    thread.join()
    assert answers[0].status_code == 200
    assert effect(telnyx, call) == "on"


def test_faults_reach_reads_by_method_and_path(telnyx):
    fault(telnyx, action="GET /recordings", do="status", status=503, times=1)
    assert telnyx.v2("GET", "/recordings").status_code == 503
    fault(telnyx, action="GET /rec*", do="status", status=502, times=1)
    assert telnyx.v2("GET", "/recording_transcriptions").status_code == 502
    assert telnyx.v2("GET", "/recordings").status_code == 200


def test_a_fault_can_be_meant_for_one_call(telnyx):
    one, other = telnyx.call(), telnyx.call()
    token = one["call_control_id"]
    fault(telnyx, action="*", call_control_id=token, do="status", status=500)
    assert telnyx.act(one, "hangup").status_code == 500
    assert telnyx.act(other, "hangup").status_code == 200


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ({"rotues": []}, "rotues"),
        ({"routes": [{"action": "speak", "do": "explode"}]}, "explode"),
        ({"routes": [{"action": "speak", "do": "drop", "statsu": 1}]}, "statsu"),
        ({"deliveries": [{"event": "*", "do": "delay", "seconds": -1}]}, "-1"),
        ({"deliveries": [{"event": "*", "do": "drop", "copies": 2}]}, "copies"),
        ({"downloads": {}}, "downloads"),
        ({"downloads": ["x"]}, "'x'"),
    ],
)
def test_a_wrong_script_is_refused_by_name(telnyx, script, named):
    got = requests.post(f"{telnyx.url}/_simulator/faults", json=script, timeout=5)
    assert got.status_code == 400
    assert named in got.json()["errors"][0]["detail"]
    assert telnyx.lever("GET", "faults") == {"routes": [], "deliveries": [], "downloads": []}


# levers


def test_a_placed_call_tells_its_ids_and_is_bridged(telnyx):
    call = telnyx.call(agent="sip:dana@example.test")
    truth = telnyx.truth(call)
    assert {key: truth[key] for key in ("from", "to", "line", "direction", "party")} == {
        "from": CUSTOMER,
        "to": COMPANY,
        "line": "bridged",
        "direction": "incoming",
        "party": "customer",
    }
    agent = telnyx.truth(call["agent"])
    assert (agent["to"], agent["direction"]) == ("sip:dana@example.test", "outgoing")
    assert truth["peer"] == call["agent"]["call_control_id"]


def test_a_call_that_talks_holds_a_conversation(telnyx, receiver):
    call = telnyx.call(talk=True)
    telnyx.act(call, "record_start", **RECORD)
    ends = time.monotonic() + 5
    while not telnyx.truth(call)["recordings"][0]["lines"]:
        assert time.monotonic() < ends
        time.sleep(0.05)
    telnyx.act(call, "hangup")


def test_levers_hold_press_and_hang_up(telnyx, receiver):
    call = telnyx.call()
    lever = f"calls/{call['call_control_id']}"
    assert telnyx.lever("POST", f"{lever}/hold") == {"line": "held"}
    assert telnyx.lever("POST", f"{lever}/unhold") == {"line": "bridged"}
    telnyx.lever("POST", f"{lever}/dtmf", digits="42")
    assert telnyx.lever("POST", f"{lever}/hangup") == {"line": "ended"}
    truth = telnyx.truth(call)
    assert truth["hangup_cause"] == "normal_clearing"
    again = requests.post(f"{telnyx.url}/_simulator/{lever}/hold", timeout=5)
    assert again.status_code == 409


def test_a_ringing_call_waits_for_an_answer(telnyx):
    call = telnyx.lever("POST", "calls/ring", **{"from": CUSTOMER, "to": COMPANY})
    assert telnyx.truth(call)["line"] == "ringing"
    telnyx.act(call, "answer")
    assert telnyx.truth(call)["line"] == "answered"


def test_saying_tells_how_long_it_takes_and_needs_somebody_to_say_it(telnyx):
    call = telnyx.call()
    lever = f"calls/{call['call_control_id']}/say"
    short = telnyx.lever("POST", lever, party="agent", text="Yes.")["duration_ms"]
    long = telnyx.lever("POST", lever, party="agent", text="Yes, of course, gladly.")[
        "duration_ms"
    ]
    assert 100 < short < long
    wrong = {"party": "nobody", "text": "x"}
    url = f"{telnyx.url}/_simulator/{lever}"
    assert requests.post(url, json=wrong, timeout=5).status_code == 400
    absent = {"party": "supervisor", "text": "x"}
    assert requests.post(url, json=absent, timeout=5).status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("calls", {"from": CUSTOMER}, "to is None"),
        ("calls", {"from": CUSTOMER, "to": COMPANY, "speak": True}, "speak"),
        ("settings", {"pace": 1}, "pace"),
        ("webhook_url", {}, "url"),
    ],
)
def test_a_lever_pulled_wrongly_says_so(telnyx, path, body, named):
    got = requests.post(f"{telnyx.url}/_simulator/{path}", json=body, timeout=5)
    assert got.status_code == 400
    assert named in got.json()["errors"][0]["detail"]


# sounds from outside


@pytest.fixture
def shop():
    """Somebody else's web server, with a sound and with something that is none."""
    sound = audio.wav_bytes(speech.tones("one two three", "x").samples)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = {"/notice.wav": sound, "/page": b"<html>"}.get(self.path)
            self.send_response(200 if content else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def ended(receiver, call):
    """Return how the playback on a call ended."""
    ends = time.monotonic() + 5
    while time.monotonic() < ends:
        for body in receiver.bodies("call.playback.ended"):
            if body["data"]["payload"]["call_leg_id"] == call["call_leg_id"]:
                return body["data"]["payload"]
        time.sleep(0.01)
    raise AssertionError("the playback did not end")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/notice.wav", "completed"), ("/page", "failed"), ("/nothing", "file_not_found")],
)
def test_an_address_is_played_if_there_is_a_sound_at_it(telnyx, receiver, shop, path, status):
    call = telnyx.call()
    assert telnyx.act(call, "playback_start", audio_url=shop + path).status_code == 200
    payload = ended(receiver, call)
    assert payload["status"] == status
    assert payload["media_url"] == shop + path


def test_sounds_that_come_with_the_command_have_no_name(telnyx, receiver):
    call = telnyx.call()
    content = audio.wav_bytes(speech.tones("one", "x").samples)
    telnyx.act(call, "playback_start", playback_content=base64.b64encode(content).decode())
    payload = ended(receiver, call)
    assert payload["status"] == "completed"
    assert not {"media_url", "media_name"} & set(payload)


def test_a_dead_address_does_not_hold_up_the_answer(telnyx, receiver):
    call = telnyx.call()
    began = time.monotonic()
    telnyx.act(call, "playback_start", audio_url="http://127.0.0.1:9/none.mp3")
    assert time.monotonic() - began < 1
    assert ended(receiver, call)["status"] == "file_not_found"


def test_a_file_can_be_uploaded_played_changed_and_deleted(telnyx, receiver):
    content = audio.wav_bytes(speech.tones("one two", "x").samples)
    form = {"media_name": "greeting", "ttl_secs": "60"}
    made = telnyx.v2("POST", "/media", data=form, files={"media": ("g.wav", content, "audio/wav")})
    assert made.status_code == 201
    assert made.json()["data"]["content_type"] == "audio/wav"
    call = telnyx.call()
    telnyx.act(call, "playback_start", media_name="greeting")
    assert ended(receiver, call)["status"] == "completed"
    assert telnyx.v2("GET", "/media/greeting/download").content == content
    before = made.json()["data"]["expires_at"]
    changed = telnyx.v2("PUT", "/media/greeting", json={"ttl_secs": 3_600}).json()["data"]
    assert changed["expires_at"] > before
    assert telnyx.v2("DELETE", "/media/greeting").status_code == 204
    assert telnyx.v2("GET", "/media/greeting").status_code == 404


def test_an_upload_without_a_file_is_refused(telnyx):
    got = telnyx.v2("POST", "/media", json={"media_url": "http://127.0.0.1:9/none"})
    assert got.status_code == 422
    form = {"media_name": (None, "x")}
    assert telnyx.v2("POST", "/media", files=form).status_code == 422


# pages


def test_live_calls_are_read_page_by_page_by_cursor(telnyx):
    for row in telnyx.lever("GET", "calls?live=true")["calls"]:
        telnyx.act(row, "hangup")
    calls = [telnyx.call() for _ in range(3)]
    wanted = {leg["call_leg_id"] for call in calls for leg in (call, call["agent"])}
    path = "/connections/2684641123236054244/active_calls?page[limit]=4"
    first = telnyx.v2("GET", path).json()
    assert first["meta"]["total_items"] == 6
    assert first["meta"]["next"].startswith("/v2/connections/")
    second = telnyx.v2("GET", first["meta"]["next"].removeprefix("/v2")).json()
    assert second["meta"]["next"] is None
    pages = [{row["call_leg_id"] for row in page["data"]} for page in (first, second)]
    assert (len(pages[0]), len(pages[1])) == (4, 2)
    assert pages[0] | pages[1] == wanted
    back = telnyx.v2("GET", second["meta"]["previous"].removeprefix("/v2")).json()
    assert back["data"] == first["data"]


def test_recordings_are_filtered_and_counted(telnyx, receiver):
    one, two = recorded(telnyx, receiver), recorded(telnyx, receiver)

    def ids(**filters):
        params = {f"filter[{key}]": value for key, value in filters.items()}
        got = telnyx.v2("GET", "/recordings", params=params | {"page[size]": 250}).json()
        assert got["meta"]["total_results"] == len(got["data"])
        return [row["id"] for row in got["data"]]

    assert ids()[:2] == [two["recording_id"], one["recording_id"]]
    assert ids(call_leg_id=one["call_leg_id"]) == [one["recording_id"]]
    assert ids(call_control_id=two["call_control_id"]) == [two["recording_id"]]
    assert ids(call_session_id=one["call_session_id"]) == [one["recording_id"]]
    assert ids(**{"from": "+10000000000"}) == []
    assert ids(connection_id="1") == []
    assert one["recording_id"] not in ids(**{"start_time][gte": two["start_time"]})
    assert ids(**{"end_time][lte": one["end_time"]})[0] == one["recording_id"]
    page = telnyx.v2("GET", "/recordings?page[size]=1&page[number]=2").json()
    assert [row["id"] for row in page["data"]] == [one["recording_id"]]
    assert page["meta"]["total_pages"] == page["meta"]["total_results"]


def test_transcripts_are_asked_for_by_number_and_answered_with_cursors(telnyx, receiver):
    payloads = [recorded(telnyx, receiver, transcription=True) for _ in range(2)]
    receiver.wait_for("call.recording.transcription.saved", 2)
    first = telnyx.v2("GET", "/recording_transcriptions?page[size]=1").json()
    assert set(first["meta"]) == {"cursors", "next", "previous"}
    follow = telnyx.v2("GET", first["meta"]["next"].removeprefix("/v2")).json()
    number = telnyx.v2("GET", "/recording_transcriptions?page[size]=1&page[number]=2").json()
    assert follow["data"] == number["data"] != first["data"]
    wanted = {"filter[recording_id]": payloads[1]["recording_id"]}
    (row,) = telnyx.v2("GET", "/recording_transcriptions", params=wanted).json()["data"]
    assert row["recording_id"] == payloads[1]["recording_id"]
    assert row["status"] == "completed"


def test_call_events_tell_commands_and_webhooks_of_a_leg(telnyx, receiver):
    call = telnyx.call()
    telnyx.act(call, "hangup")
    base = {"filter[leg_id]": call["call_leg_id"]}
    rows = telnyx.v2("GET", "/call_events", params=base).json()["data"]
    assert [(row["type"], row["name"]) for row in reversed(rows)] == [
        ("webhook", "call.initiated"),
        ("webhook", "call.answered"),
        ("webhook", "call.bridged"),
        ("command", "hangup"),
        ("webhook", "call.hangup"),
    ]
    assert rows[0]["metadata"]["event"]["payload"]["hangup_cause"] == "normal_clearing"
    named = telnyx.v2("GET", "/call_events", params=base | {"filter[name]": "call.bridged"}).json()
    assert named["meta"]["total_results"] == 1
    late = {"filter[occurred_at][gt]": rows[0]["event_timestamp"]}
    assert telnyx.v2("GET", "/call_events", params=base | late).json()["data"] == []


# the process


def test_the_process_says_when_it_is_ready_and_ends_at_once(tmp_path):
    arguments = ["--port", "0", "--seed", "5", "--data", str(tmp_path / "new" / "folder")]
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"SIMULATOR_QUIET": "1", "SIMULATOR_API_KEY": "KEY-mine"},
    )
    try:
        line = process.stdout.readline()
        url = re.fullmatch(r"simulator ready (http://127\.0\.0\.1:\d+)\n", line).group(1)
        headers = {"Authorization": "Bearer KEY-mine"}
        assert requests.get(f"{url}/v2/recordings", headers=headers, timeout=5).status_code == 200
        assert requests.get(f"{url}/_simulator/calls", timeout=5).json() == {"calls": []}
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
        assert time.monotonic() - began < 0.5
    finally:
        process.kill()


def test_a_key_file_decides_who_signs(tmp_path):
    path = tmp_path / "key"
    path.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
    args = command_line.arguments(["--signing-key-file", str(path), "--data", str(tmp_path)])
    assert command_line.options(args).signing_seed == bytes(range(32))


@pytest.mark.parametrize(("content", "told"), [("AAAA", "holds 3 bytes"), ("?", "as Base64")])
def test_a_key_file_that_holds_no_key_stops_the_start(tmp_path, content, told):
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(SystemExit, match=told):
        command_line.read_key(path)


def test_a_port_that_is_taken_is_named(telnyx, tmp_path):
    port = telnyx.url.rpartition(":")[2]
    with pytest.raises(SystemExit, match=port):
        command_line.main(["--port", port, "--data", str(tmp_path)])


def test_without_a_seed_every_start_is_another_world(tmp_path):
    args = command_line.arguments(["--data", str(tmp_path)])
    assert command_line.options(args).seed != command_line.options(args).seed
