"""The fields of every webhook the simulator sends, as Telnyx sends them."""

import pytest

from simulator import calling
from simulator.legs import Event
from simulator.settings import Settings
from tests.simulator_rig import NOON, Scene

COMMON = {"call_control_id", "call_leg_id", "call_session_id", "connection_id", "client_state"}
ENDS = {"from", "to"}
FIELDS = {
    "call.initiated incoming": ENDS
    | {"direction", "state", "start_time", "caller_id_name", "offered_codecs", "tags"}
    | {"connection_codecs", "shaken_stir_attestation", "shaken_stir_validated"},
    "call.initiated outgoing": ENDS | {"direction", "state", "start_time", "tags"},
    "call.answered": ENDS | {"start_time", "tags"},
    "call.bridged": ENDS,
    "call.hold": ENDS,
    "call.unhold": ENDS,
    "call.dtmf.received": ENDS | {"digit"},
    "call.hangup": ENDS
    | {"hangup_cause", "hangup_source", "sip_hangup_cause", "state", "start_time", "end_time"}
    | {"tags", "call_quality_stats"},
    "call.machine.detection.ended": ENDS | {"result"},
    "call.speak.started": set(),
    "call.speak.ended": {"status"},
    "call.playback.started": {"media_name", "overlay"},
    "call.playback.ended cancelled": {"media_name", "overlay", "status"},
    "call.playback.ended completed": {"media_name", "overlay", "status", "status_detail"},
    "call.playback.ended file_not_found": {"media_name", "overlay", "status", "status_detail"},
    "call.transcription": {"transcription_data"},
    "call.recording.saved": ENDS
    | {"channels", "format", "recording_id", "recording_started_at", "recording_ended_at"}
    | {"start_time", "end_time", "recording_urls", "public_recording_urls"},
    "call.recording.transcription.saved": {"calling_party_type", "recording_id", "status"}
    | {"recording_transcription_id", "transcription_text"},
    "call.cost": {"billed_duration_secs", "billing_group_id", "cost_parts", "occurred_at"}
    | {"status", "total_cost"},
}


@pytest.fixture(scope="module")
def told():
    """Every kind of event, from two calls that do everything."""
    scene = Scene(settings=Settings(call_cost=True, ring_s=1))
    customer, agent = scene.call(talk=True)
    scene.does(customer, "record_start", format="mp3", channels="dual", transcription=True)
    scene.does(customer, "transcription_start", transcription_tracks="both")
    scene.wait(8)
    calling.hold(scene.world, customer, scene.now)
    calling.unhold(scene.world, customer, scene.now)
    calling.press(scene.world, customer, "5", scene.now)
    scene.does(customer, "speak", payload="Hello.", voice="male")
    scene.does(customer, "playback_start", media_name="apology")
    scene.does(customer, "playback_start", media_name="nothing")
    scene.does(customer, "playback_start", media_name="hold-music")
    scene.wait(8)
    scene.does(customer, "playback_stop")
    scene.does(agent, "hangup")
    body = {"connection_id": customer.connection_id, "from": "+18005550101", "to": "+13125550100"}
    scene.world.dial(body | {"answering_machine_detection": "detect"}, scene.now)
    scene.wait(5)
    return scene.events


@pytest.mark.parametrize("kind", FIELDS)
def test_an_event_has_exactly_telnyxs_fields(told, kind):
    event_type, _, variant = kind.partition(" ")
    matching = [
        event.payload
        for event in told
        if event.event_type == event_type
        and (
            not variant or variant in (event.payload.get("direction"), event.payload.get("status"))
        )
    ]
    assert matching, f"no {kind} was told"
    for payload in matching:
        assert set(payload) == COMMON | FIELDS[kind]


def test_no_event_is_missing_from_the_table(told):
    assert {event.event_type for event in told} == {kind.split()[0] for kind in FIELDS}


def test_the_envelope_is_that_of_version_two():
    event = Event("id-1", "call.answered", NOON, "leg-1", {"from": "+13125550142"})
    assert event.body(attempt=2, delivered_to="http://desk.test/") == {
        "data": {
            "event_type": "call.answered",
            "id": "id-1",
            "occurred_at": "2026-03-02T12:00:00.000000Z",
            "payload": {"from": "+13125550142"},
            "record_type": "event",
        },
        "meta": {"attempt": 2, "delivered_to": "http://desk.test/"},
    }


def test_event_ids_are_never_used_twice(told):
    assert len({event.id for event in told}) == len(told)


def test_quality_figures_are_texts_and_absent_when_nobody_answered(told):
    hangups = [event.payload for event in told if event.event_type == "call.hangup"]
    assert float(hangups[0]["call_quality_stats"]["inbound"]["mos"]) > 4
    scene = Scene()
    leg = calling.ring_in(scene.world, "+13125550142", "+18005550101", scene.now, name="X")
    scene.does(leg, "reject", cause="USER_BUSY")
    hangup = scene.last("call.hangup")
    assert hangup["call_quality_stats"] is None
    assert (hangup["hangup_cause"], hangup["sip_hangup_cause"]) == ("user_busy", "486")


def test_only_the_format_asked_for_has_a_link(told):
    (saved,) = [e.payload for e in told if e.event_type == "call.recording.saved"]
    assert list(saved["recording_urls"]) == ["mp3"]
    assert saved["public_recording_urls"] == {}
