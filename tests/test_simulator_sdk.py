"""Telnyx's own SDK drives the simulator through every endpoint, and accepts its signatures."""

import io
import json
import time
import wave

import numpy as np
import pytest
import requests
import telnyx
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

from simulator import audio, speech
from simulator.library import tone
from tests.simulator_rig import COMPANY, CUSTOMER, Receiver, running

CONNECTION = "2684641123236054244"


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def stand(tmp_path_factory, receiver):
    with running(tmp_path_factory.mktemp("simulator"), receiver, call_cost=True) as client:
        yield client


@pytest.fixture(scope="module")
def client(stand):
    with telnyx.Telnyx(
        api_key="KEY-simulator", base_url=f"{stand.url}/v2", max_retries=0, timeout=5
    ) as client:
        client.public_key = stand.lever("GET", "key")["public_key"]
        yield client


@pytest.fixture
def call(stand):
    call = stand.call()
    yield call
    requests.post(f"{stand.url}/_simulator/calls/{call['call_control_id']}/hangup", timeout=5)


def until(find, timeout=5.0):
    """Return what is found, as soon as it is."""
    ends = time.monotonic() + timeout
    while not (found := find()):
        assert time.monotonic() < ends, "it was never found"
        time.sleep(0.01)
    return found


def ok(answer):
    return answer.data.result == "ok"


# call actions


def test_recording_from_start_to_stop(client, call, stand):
    token = call["call_control_id"]
    assert ok(client.calls.actions.start_recording(token, format="wav", channels="dual"))
    assert stand.truth(call)["recording"] == "on"
    assert ok(client.calls.actions.pause_recording(token))
    assert stand.truth(call)["recording"] == "paused"
    assert ok(client.calls.actions.resume_recording(token))
    assert ok(client.calls.actions.stop_recording(token))
    assert stand.truth(call)["recording"] == "off"


def test_sounds(client, call, stand):
    token = call["call_control_id"]
    actions = client.calls.actions
    assert ok(actions.speak(token, payload="One moment, please.", voice="AWS.Polly.Joanna"))
    assert stand.truth(call)["sound"] == "speaking"
    assert ok(actions.start_playback(token, media_name="hold-music", loop="infinity", stop="all"))
    assert stand.truth(call)["sound"] == "playing"
    assert ok(actions.stop_playback(token, stop="all"))
    assert stand.truth(call)["sound"] == "silent"


def test_transcription(client, call, stand):
    token = call["call_control_id"]
    config = {"transcription_engine": "Google", "language": "en", "interim_results": True}
    assert ok(
        client.calls.actions.start_transcription(
            token,
            transcription_engine="Google",
            transcription_engine_config=config,
            transcription_tracks="both",
        )
    )
    assert stand.truth(call)["transcribing"] is True
    assert ok(client.calls.actions.stop_transcription(token))
    assert stand.truth(call)["transcribing"] is False


def test_client_state_and_keys(client, call, stand):
    token = call["call_control_id"]
    assert ok(client.calls.actions.update_client_state(token, client_state="b25l"))
    assert stand.truth(call)["client_state"] == "b25l"
    assert ok(client.calls.actions.send_dtmf(token, digits="1w2#"))


def test_answer_reject_and_hang_up(client, stand):
    ring = {"from": CUSTOMER, "to": COMPANY}
    one, two = (stand.lever("POST", "calls/ring", **ring) for _ in range(2))
    answered = client.calls.actions.answer(one["call_control_id"], record="record-from-answer")
    assert answered.data.result == "ok"
    assert answered.data.recording_id == stand.truth(one)["recordings"][0]["id"]
    assert ok(client.calls.actions.hangup(one["call_control_id"]))
    assert stand.truth(one)["line"] == "ended"
    assert ok(client.calls.actions.reject(two["call_control_id"], cause="USER_BUSY"))
    assert stand.truth(two)["hangup_cause"] == "user_busy"


def test_bridge_and_transfer(client, stand):
    one, two = stand.call(), stand.call()
    assert ok(
        client.calls.actions.bridge(
            one["call_control_id"], call_control_id_to_bridge_with=two["call_control_id"]
        )
    )
    assert stand.truth(one)["peer"] == two["call_control_id"]
    assert ok(client.calls.actions.transfer(one["call_control_id"], to="+13125550177"))
    until(lambda: stand.truth(two)["line"] == "ended")
    assert stand.truth(one)["line"] == "bridged"
    client.calls.actions.hangup(one["call_control_id"])


def test_dial_status_and_supervision(client, stand, call):
    dialled = client.calls.dial(
        connection_id=CONNECTION,
        from_=COMPANY,
        to=CUSTOMER,
        timeout_secs=20,
        record="record-from-answer",
        supervise_call_control_id=call["agent"]["call_control_id"],
        supervisor_role="monitor",
    ).data
    assert dialled.is_alive is False
    assert dialled.record_type == "call"
    assert dialled.recording_id
    status = client.calls.retrieve_status(dialled.call_control_id).data
    assert status.is_alive is True
    assert status.call_leg_id == dialled.call_leg_id
    leg = {"call_leg_id": dialled.call_leg_id}
    until(lambda: stand.truth(leg)["line"] == "answered")
    actions = client.calls.actions
    assert stand.truth(leg)["supervisor_role"] == "monitor"
    assert ok(actions.switch_supervisor_role(dialled.call_control_id, role="barge"))
    assert stand.truth(leg)["supervisor_role"] == "barge"
    assert ok(actions.hangup(dialled.call_control_id))
    assert client.calls.retrieve_status(dialled.call_control_id).data.end_time


def test_refusals_become_the_sdks_exceptions(client, call):
    token = call["call_control_id"]
    with pytest.raises(telnyx.UnprocessableEntityError) as refused:
        client.calls.actions.pause_recording(token)
    assert refused.value.body["errors"][0]["code"] == "10015"
    with pytest.raises(telnyx.NotFoundError):
        client.recordings.retrieve("none")
    stranger = client.with_options(api_key="KEY-other")
    with pytest.raises(telnyx.AuthenticationError):
        stranger.recordings.list()


# reads


def test_active_calls_are_listed(client, call, stand):
    more = [stand.call() for _ in range(2)]
    # one page: the SDK counts pages, the answer has cursors; with several it never ends
    rows = client.connections.list_active_calls(CONNECTION, page_size=250)
    found = {row.call_leg_id: row for row in rows}
    assert {one["call_leg_id"] for one in (call, *more)} <= set(found)
    row = found[call["call_leg_id"]]
    assert (row.record_type, row.call_control_id) == ("call", call["call_control_id"])
    assert row.call_duration >= 0
    for one in more:
        client.calls.actions.hangup(one["call_control_id"])


def test_call_events(client, call):
    filters = {"leg_id": call["call_leg_id"], "type": "webhook"}
    rows = list(client.call_events.list(filter=filters, page_size=2))
    assert [row.name for row in reversed(rows)] == [
        "call.initiated",
        "call.answered",
        "call.bridged",
    ]
    assert rows[0].metadata["event"]["record_type"] == "event"


def test_webhook_deliveries(client, call, receiver):
    until(lambda: [b for b in receiver.bodies("call.bridged") if belongs(b, call)])
    filters = {"status": {"eq": "delivered"}, "webhook": {"contains": call["call_leg_id"]}}
    rows = until(lambda: list(client.webhook_deliveries.list(filter=filters)))
    row = client.webhook_deliveries.retrieve(rows[0].id).data
    assert row.status == "delivered"
    assert row.webhook.payload["call_leg_id"] == call["call_leg_id"]
    assert row.attempts[0].http.response.status == 200
    assert row.started_at <= row.finished_at


def belongs(body, call):
    return body["data"]["payload"]["call_leg_id"] == call["call_leg_id"]


@pytest.fixture
def recording(client, call):
    token = call["call_control_id"]
    client.calls.actions.start_recording(token, format="mp3", channels="dual", transcription=True)
    client.calls.actions.stop_recording(token)
    filters = {"call_leg_id": call["call_leg_id"], "from": CUSTOMER}
    return until(lambda: list(client.recordings.list(filter=filters, page_size=1)))[0]


def test_recordings(client, recording, call):
    found = client.recordings.retrieve(recording.id).data
    assert found.call_control_id == call["call_control_id"]
    assert (found.channels, found.status, found.source) == ("dual", "completed", "call")
    assert found.initiated_by == "StartCallRecordingAPI"
    assert (found.from_, found.to) == (CUSTOMER, COMPANY)
    assert requests.get(found.download_urls.mp3, timeout=5).status_code == 200
    assert requests.get(found.download_urls.wav, timeout=5).content[:4] == b"RIFF"
    deleted = client.recordings.delete(recording.id)
    assert deleted.data.id == recording.id
    with pytest.raises(telnyx.NotFoundError):
        client.recordings.retrieve(recording.id)


def test_recordings_are_deleted_together(client, recording):
    client.recordings.actions.delete(ids=[recording.id, "unknown"])
    with pytest.raises(telnyx.NotFoundError):
        client.recordings.retrieve(recording.id)


def test_transcripts(client, recording):
    filters = {"recording_id": recording.id}
    row = until(lambda: list(client.recording_transcriptions.list(filter=filters)))[0]
    found = client.recording_transcriptions.retrieve(row.id).data
    assert (found.recording_id, found.status) == (recording.id, "completed")
    assert client.recording_transcriptions.delete(row.id).data.id == row.id
    with pytest.raises(telnyx.NotFoundError):
        client.recording_transcriptions.retrieve(row.id)


def test_media(client, stand):
    url = client.media.retrieve("recording-notice").data
    assert url.content_type == "audio/wav"
    names = {media.media_name for media in client.media.list().data}
    assert {"hold-music", "recording-notice", "apology"} <= names
    notice = client.media.download("recording-notice").read()
    assert len(audio.decode(notice)) > 2 * speech.RATE
    with pytest.raises(telnyx.UnprocessableEntityError):
        client.media.upload(media_url="http://127.0.0.1:9/none.wav", media_name="x")


def test_media_from_an_address(client, recording):
    link = client.recordings.retrieve(recording.id).data.download_urls.wav
    made = client.media.upload(media_url=link, media_name="copy", ttl_secs=60).data
    assert (made.media_name, made.content_type) == ("copy", "audio/wav")
    changed = client.media.update("copy", media_url=link, ttl_secs=3_600).data
    assert changed.expires_at > made.expires_at
    client.media.delete("copy")
    with pytest.raises(telnyx.NotFoundError):
        client.media.retrieve("copy")


def test_a_life_is_renewed_and_a_file_that_has_expired_plays_no_more(client, stand, call):
    body = {"media_name": "brief", "ttl_secs": "60"}
    file = {"media": ("brief", audio.wav_bytes(speech.speak("One.", "en-us").samples))}
    made = stand.v2("POST", "/media", data=body, files=file)
    assert made.status_code == 201
    assert set(made.json()["data"]) == {
        "media_name",
        "content_type",
        "created_at",
        "updated_at",
        "expires_at",
    }

    renewed = client.media.update("brief", ttl_secs=3_600).data
    assert renewed.expires_at > made.json()["data"]["expires_at"]
    client.media.update("brief", ttl_secs=1)
    until(lambda: "brief" not in {media.media_name for media in client.media.list().data})
    with pytest.raises(telnyx.NotFoundError):
        client.media.update("brief", ttl_secs=60)
    with pytest.raises(telnyx.NotFoundError):
        client.media.delete("brief")
    assert ok(client.calls.actions.start_playback(call["call_control_id"], media_name="brief"))
    assert stand.truth(call)["sound"] == "silent"


def test_an_uploaded_sound_is_heard_in_the_recording(client, stand, call):
    token, actions = call["call_control_id"], client.calls.actions
    file = {"media": ("tone", audio.wav_bytes(tone(440, 500)))}
    assert stand.v2("POST", "/media", data={"media_name": "tone"}, files=file).status_code == 201
    actions.start_recording(token, format="wav", channels="dual")
    actions.start_playback(token, media_name="tone", audio_type="wav")
    until(lambda: stand.truth(call)["sound"] == "silent")
    actions.stop_recording(token)

    row = until(lambda: list(client.recordings.list(filter={"call_control_id": token})))[0]
    content = requests.get(row.download_urls.wav, timeout=5).content
    with wave.open(io.BytesIO(content)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    loudness = np.abs(np.fft.rfft(frames[:, 1]))  # everyone but the leg's own party
    assert np.argmax(loudness) * speech.RATE / len(frames) == pytest.approx(440, abs=5)


def test_more_than_20_mb_is_refused(stand):
    file = {"media": ("large", bytes(20 * 1024 * 1024 + 1))}
    answer = stand.v2("POST", "/media", data={"media_name": "large"}, files=file)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"] == "The media file is larger than 20 MB."


def test_voices_that_cannot_be_listed(client):
    with pytest.raises(telnyx.BadRequestError, match="lists its voices for an api_key only"):
        client.text_to_speech.list_voices(provider="elevenlabs")
    with pytest.raises(telnyx.BadRequestError, match="must be one of aws, telnyx"):
        client.text_to_speech.list_voices(provider="nobody")


def test_a_polly_voice_speaks_its_own_language(client, call, stand):
    token, actions = call["call_control_id"], client.calls.actions
    spoken = []
    for language in ("en-US", "de-DE"):
        assert ok(
            actions.speak(token, payload="Ein", voice="AWS.Polly.Vicki-Neural", language=language)
        )
        leg = stand.server.board.world.legs[token]
        spoken.append(leg.queue[-1].clip.voice)
    assert spoken == ["de+f1", "de+f1"]


def test_voices(client):
    voices = client.text_to_speech.list_voices(provider="aws").voices
    assert {voice.provider for voice in voices} == {"aws"}
    assert "AWS.Polly.Joanna" in {voice.voice_id for voice in voices}
    assert len(client.text_to_speech.list_voices().voices) > len(voices)


def test_the_application_and_its_webhook_address(client, stand, receiver):
    (row,) = client.call_control_applications.list()
    assert (row.id, row.webhook_api_version) == (CONNECTION, "2")
    assert row.webhook_event_url == receiver.url
    other = Receiver()
    try:
        client.call_control_applications.update(
            CONNECTION, application_name="renamed", webhook_event_url=other.url
        )
        found = client.call_control_applications.retrieve(CONNECTION).data
        assert (found.application_name, found.webhook_event_url) == ("renamed", other.url)
        stand.call()
        other.wait_for("call.bridged", 2)
    finally:
        client.call_control_applications.update(
            CONNECTION, application_name="call-router", webhook_event_url=receiver.url
        )
        other.close()


# webhooks


def test_the_sdk_accepts_every_webhook_and_knows_its_type(client, stand, call, receiver):
    token = call["call_control_id"]
    client.calls.actions.start_playback(token, media_name="none")
    client.calls.actions.speak(token, payload="Hi.", voice="male", client_state="b25l")
    lever = f"calls/{token}"
    for step in ("hold", "unhold"):
        stand.lever("POST", f"{lever}/{step}")
    stand.lever("POST", f"{lever}/dtmf", digits="5")
    client.calls.actions.start_recording(
        token, format="wav", channels="single", transcription=True
    )
    client.calls.actions.hangup(token)
    until(
        lambda: any(
            belongs(body, call) for body in receiver.bodies("call.recording.transcription.saved")
        )
    )
    types = set()
    for _, headers, body in list(receiver.got):
        event = client.webhooks.unwrap(body.decode(), headers=headers)
        verify_webhook_signature(body, headers, client.public_key)
        assert event.data.event_type == json.loads(body)["data"]["event_type"]
        if belongs(json.loads(body), call):
            assert event.data.payload.call_leg_id == call["call_leg_id"]
            types.add(event.data.event_type)
    assert types >= {
        "call.initiated",
        "call.answered",
        "call.bridged",
        "call.hold",
        "call.unhold",
        "call.dtmf.received",
        "call.speak.started",
        "call.playback.ended",
        "call.hangup",
        "call.recording.saved",
        "call.recording.transcription.saved",
    }


def test_the_sdk_refuses_a_bad_signature(client, stand, receiver):
    rule = {"event": "call.initiated", "do": "bad_signature", "times": 1}
    stand.lever("POST", "faults", deliveries=[rule])
    known = len(receiver.got)
    stand.call()
    until(lambda: len(receiver.got) >= known + 6)
    refused = 0
    for _, headers, body in receiver.got[known:]:
        try:
            verify_webhook_signature(body, headers, client.public_key)
        except WebhookVerificationError:
            refused += 1
    assert refused == 1
