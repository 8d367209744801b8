"""The simulator's world: lines, sounds, recordings; no network, and the clock in our hands."""

import pytest

from simulator import calling
from simulator.legs import stamp
from simulator.settings import BadSetting, Settings
from simulator.world import ACTIONS, World
from tests.simulator_rig import NOON, Scene, codes

RECORD = {"format": "wav", "channels": "dual"}
SPEAK = {"payload": "One moment, please.", "voice": "AWS.Polly.Joanna"}


def story(seed):
    scene = Scene(seed)
    customer, agent = scene.call(talk=True)
    scene.does(customer, "record_start", **RECORD, transcription=True)
    scene.does(customer, "transcription_start", transcription_tracks="both")
    scene.wait(20)
    scene.does(agent, "speak", **SPEAK)
    scene.wait(3)
    scene.does(customer, "hangup")
    scene.wait(30)
    return [event.body() for event in scene.events]


def test_equal_seeds_give_equal_worlds_and_others_do_not():
    assert story(4) == story(4)
    assert story(4) != story(5)


def test_a_legs_events_never_share_a_moment():
    times = {}
    for body in story(6):
        data = body["data"]
        times.setdefault(data["payload"]["call_leg_id"], []).append(data["occurred_at"])
    assert len(times) == 2
    for legs_times in times.values():
        assert legs_times == sorted(set(legs_times))


def test_time_never_goes_back():
    scene = Scene()
    customer, _ = scene.call()
    scene.wait(10)
    scene.now = NOON
    scene.does(customer, "hangup")
    assert scene.last("call.hangup")["end_time"] == "2026-03-02T12:00:10.000000Z"


# lines


def test_a_call_is_initiated_answered_and_bridged_once_per_leg():
    scene = Scene()
    customer, agent = scene.call()
    scene.wait(0)
    for leg in (customer, agent):
        assert scene.said(leg) == ["call.initiated", "call.answered", "call.bridged"]
        assert leg.line == "bridged"
    assert customer.call_session_id == agent.call_session_id
    assert (customer.direction, agent.direction) == ("incoming", "outgoing")


def test_when_one_leg_hangs_up_its_peer_ends_too():
    scene = Scene()
    customer, agent = scene.call()
    scene.does(customer, "hangup")
    assert (customer.line, agent.line) == ("ended", "ended")
    assert scene.said().count("call.hangup") == 2


def test_a_leg_that_parks_itself_outlives_its_bridge():
    scene = Scene()
    one, _ = scene.call()
    other, _ = scene.call()
    body = {"call_control_id": other.call_control_id, "park_after_unbridge": "self"}
    scene.does(one, "bridge", **body)
    scene.does(other, "hangup")
    assert one.line == "answered"


def test_bridging_anew_hangs_up_who_was_bridged_before():
    scene = Scene()
    one, first_agent = scene.call()
    other, second_agent = scene.call()
    scene.does(one, "bridge", call_control_id=other.call_control_id)
    assert one.peer is other
    assert (first_agent.line, second_agent.line) == ("ended", "ended")


def test_people_do_not_hear_each_other_on_hold():
    scene = Scene()
    customer, agent = scene.call()
    scene.does(customer, "record_start", **RECORD)
    calling.hold(scene.world, customer, scene.now)
    scene.world.say(agent, "Can you hear me?", scene.now)
    scene.wait(5)
    assert scene.world.truth(scene.now)[0]["line"] == "held"
    assert scene.world.truth(scene.now)[0]["recordings"][0]["lines"] == []


def test_a_ringing_call_is_answered_by_command_and_an_outgoing_one_is_not():
    scene = Scene()
    leg = calling.ring_in(scene.world, "+13125550142", "+18005550101", scene.now, name="X")
    assert leg.line == "ringing"
    scene.does(leg, "answer")
    assert leg.line == "answered"
    _, agent = scene.call()
    assert codes(scene.command(agent, "answer")) == (422, ["90102"])


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [("busy", "user_busy"), ("reject", "call_rejected"), ("no_answer", "timeout")],
)
def test_a_dialled_party_may_not_answer(outcome, cause):
    scene = Scene(settings=Settings(dial_outcome=outcome))
    answer = scene.world.dial(dial_body(timeout_secs=20), scene.now)
    assert answer.body["data"]["is_alive"] is False
    scene.wait(25)
    assert scene.said() == ["call.initiated", "call.hangup"]
    assert scene.last("call.hangup")["hangup_cause"] == cause


def test_a_dialled_call_rings_is_answered_recorded_and_ends_at_its_time_limit():
    scene = Scene(settings=Settings(ring_s=2))
    body = dial_body(record="record-from-answer", time_limit_secs=60)
    data = scene.world.dial(body, scene.now).body["data"]
    scene.wait(1)
    assert scene.said() == ["call.initiated"]
    scene.wait(2)
    assert scene.said()[-1] == "call.answered"
    scene.wait(70)
    assert scene.last("call.hangup")["hangup_cause"] == "time_limit"
    saved = scene.last("call.recording.saved")
    assert saved["recording_id"] == data["recording_id"]
    assert (saved["format"], saved["channels"]) == ("mp3", "dual")


def test_a_repeated_dial_gets_the_first_ones_answer_and_rings_nobody():
    scene = Scene()
    body = dial_body(command_id="once")
    first = scene.world.dial(body, scene.now)
    again = scene.world.dial(body, scene.now)
    assert again.body == first.body
    assert len(scene.world.legs) == 1


def test_an_answering_machine_is_looked_for_when_asked():
    scene = Scene(settings=Settings(ring_s=1))
    scene.world.dial(dial_body(answering_machine_detection="premium"), scene.now)
    scene.wait(3)
    assert scene.last("call.machine.premium.detection.ended")["result"] == "human_residence"


def test_nothing_is_detected_on_a_call_that_has_ended():
    scene = Scene(settings=Settings(ring_s=1))
    answer = scene.world.dial(dial_body(answering_machine_detection="detect"), scene.now)
    scene.wait(1.5)
    scene.does(scene.world.legs[answer.body["data"]["call_control_id"]], "hangup")
    scene.wait(5)
    assert scene.said()[-1] == "call.hangup"


def test_transfer_bridges_the_leg_with_whoever_answers():
    scene = Scene(settings=Settings(ring_s=1))
    customer, agent = scene.call()
    scene.does(customer, "transfer", to="sip:second@example.test")
    scene.wait(2)
    assert agent.line == "ended"
    assert customer.peer.to == "sip:second@example.test"
    assert customer.line == "bridged"


def test_a_supervisor_whispers_to_the_agent_alone():
    scene = Scene(settings=Settings(ring_s=0))
    customer, agent = scene.call()
    for leg in (customer, agent):
        scene.does(leg, "record_start", **RECORD)
    body = dial_body(supervise_call_control_id=agent.call_control_id, supervisor_role="whisper")
    token = scene.world.dial(body, scene.now).body["data"]["call_control_id"]
    scene.wait(1)
    supervisor = scene.world.legs[token]
    scene.world.say(supervisor, "Offer a refund.", scene.now)
    scene.wait(3)
    heard = {row["party"]: row["recordings"] for row in scene.world.truth(scene.now)}
    assert heard["customer"][0]["lines"] == []
    assert [line["speaker"] for line in heard["agent"][0]["lines"]] == ["supervisor"]
    scene.does(supervisor, "switch_supervisor_role", role="barge")
    scene.world.say(supervisor, "Hello, this is the manager.", scene.now)
    scene.wait(3)
    assert scene.world.truth(scene.now)[0]["recordings"][0]["lines"][0]["speaker"] == "supervisor"


def test_a_supervisor_needs_somebody_to_hear():
    scene = Scene(settings=Settings(ring_s=0))
    customer, agent = scene.call()
    ringing = calling.ring_in(scene.world, "+13125550142", "+18005550101", scene.now, name="X")

    def dial(leg):
        body = dial_body(supervise_call_control_id=leg.call_control_id)
        return scene.world.dial(body, scene.now)

    assert codes(dial(ringing)) == (422, ["90034"])
    supervisor = scene.world.legs[dial(agent).body["data"]["call_control_id"]]
    alone = scene.world.legs[dial(agent).body["data"]["call_control_id"]]
    scene.wait(1)
    assert supervisor.supervisor_role == "barge"  # Telnyx's default, which the desk never uses
    agent.peer = customer.peer = None
    answer = scene.command(alone, "switch_supervisor_role", role="whisper")
    assert codes(answer) == (422, ["10015"])
    scene.does(agent, "hangup")
    assert supervisor.line == "ended"
    assert codes(dial(agent)) == (422, ["90018"])


def dial_body(**extra):
    numbers = {"to": "+13125550199", "from": "+18005550101"}
    return {"connection_id": "2684641123236054244", **numbers, **extra}


def test_a_call_is_known_for_ten_minutes_after_its_end():
    scene = Scene()
    customer, _ = scene.call()
    token = customer.call_control_id
    assert scene.world.status(token, scene.now)["is_alive"] is True
    scene.does(customer, "hangup")
    scene.wait(599)
    assert scene.world.status(token, scene.now)["is_alive"] is False
    scene.wait(2)
    assert scene.world.status(token, scene.now) is None


# commands in general


def test_a_command_id_counts_once_per_leg_within_a_minute():
    scene = Scene()
    customer, agent = scene.call()
    scene.does(customer, "record_start", **RECORD)
    assert scene.does(customer, "record_pause", command_id="a").took_effect
    scene.does(customer, "record_resume")
    assert not scene.does(customer, "record_pause", command_id="a").took_effect
    assert customer.recording == "on"
    assert scene.does(agent, "speak", **SPEAK, command_id="a").took_effect
    scene.wait(61)
    assert scene.does(customer, "record_pause", command_id="a").took_effect


def test_a_refused_command_may_come_again_with_the_same_id():
    scene = Scene()
    customer, _ = scene.call()
    assert scene.command(customer, "record_pause", command_id="a").status == 422
    scene.does(customer, "record_start", **RECORD)
    assert scene.does(customer, "record_pause", command_id="a").took_effect


def test_client_state_is_echoed_until_it_is_overwritten():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "speak", **SPEAK, client_state="b25l")
    assert scene.last("call.speak.started")["client_state"] == "b25l"
    scene.does(customer, "client_state_update", client_state="dHdv")
    scene.wait(5)
    assert scene.last("call.speak.ended")["client_state"] == "dHdv"


def test_a_refused_command_leaves_the_client_state_alone():
    scene = Scene()
    customer, _ = scene.call()
    scene.command(customer, "record_pause", client_state="b25l")
    assert customer.client_state is None


REFUSALS = [
    ("record_start", {"channels": "dual"}, ["90000"]),
    ("record_start", {"format": "ogg", "channels": "three"}, ["90000", "90001"]),
    ("record_start", RECORD | {"recording_track": "left"}, ["90059"]),
    ("record_start", RECORD | {"max_length": 14_401}, ["10033"]),
    ("record_start", RECORD | {"custom_file_name": "x" * 41}, ["10033"]),
    ("record_start", RECORD | {"client_state": "not base64!"}, ["90017"]),
    ("record_start", RECORD | {"timeout_secs": -1}, ["90028"]),
    ("speak", {"voice": "male"}, ["90010"]),
    ("speak", {"payload": "x" * 3_001, "voice": "male"}, ["90010"]),
    ("speak", {"payload": "x"}, ["90012"]),
    ("speak", SPEAK | {"payload_type": "html"}, ["90011"]),
    ("speak", SPEAK | {"language": "tlh"}, ["90013"]),
    ("speak", SPEAK | {"service_level": "gold"}, ["90030"]),
    ("speak", SPEAK | {"loop": 101}, ["90009"]),
    ("speak", SPEAK | {"loop": True}, ["90009"]),
    ("speak", SPEAK | {"stop": "now"}, ["90016"]),
    ("speak", SPEAK | {"target_legs": "all"}, ["10032"]),
    ("playback_start", {}, ["10004"]),
    ("playback_start", {"media_name": "a", "audio_url": "http://b"}, ["10015"]),
    ("playback_start", {"media_name": "apology", "overlay": True}, ["10015"]),
    ("playback_stop", {"stop": "some"}, ["90016"]),
    ("send_dtmf", {}, ["10004"]),
    ("send_dtmf", {"digits": "12x"}, ["10032"]),
    ("client_state_update", {}, ["90017"]),
    ("transfer", {"to": "312"}, ["10016"]),
    ("bridge", {}, ["10004"]),
    ("bridge", {"call_control_id": "v3:nobody"}, ["90015"]),
    ("switch_supervisor_role", {"role": "spy"}, ["10032"]),
    ("switch_supervisor_role", {"role": "barge"}, ["10015"]),
    ("transcription_start", {"transcription_engine": "Ear"}, ["10032"]),
    ("record_pause", {}, ["10015"]),
    ("record_resume", {}, ["10015"]),
    ("record_stop", {}, ["10015"]),
]


@pytest.mark.parametrize(("action", "body", "expected"), REFUSALS)
def test_wrong_commands_are_refused_with_telnyxs_codes(action, body, expected):
    scene = Scene()
    customer, _ = scene.call()
    before = scene.world.truth(scene.now)
    assert codes(scene.command(customer, action, **body)) == (422, expected)
    assert scene.world.truth(scene.now) == before


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["10004", "10004", "10004"]),
        ({"connection_id": "1", "to": "+13125550142", "from": "+18005550101"}, ["10015"]),
        ({"connection_id": "1", "to": "me", "from": "18005550101"}, ["10016", "10016"]),
        ({"connection_id": "1", "to": [], "from": "+18005550101"}, ["10016"]),
        (
            {"connection_id": "1", "to": "sip:a@b", "from": "+18005550101", "timeout_secs": 4},
            ["90028"],
        ),
    ],
)
def test_a_wrong_dial_is_refused_with_telnyxs_codes(body, expected):
    scene = Scene()
    assert codes(scene.world.dial(body, scene.now)) == (422, expected)
    assert not scene.world.legs


def test_errors_point_at_the_field():
    scene = Scene()
    customer, _ = scene.call()
    (entry,) = scene.command(customer, "speak", **SPEAK, loop=0).body["errors"]
    assert set(entry) == {"code", "title", "detail", "source", "meta"}
    assert entry["source"] == {"pointer": "/loop"}
    assert entry["meta"]["url"].endswith("/90009")


MINIMAL = {
    "bridge": {"call_control_id": "x"},
    "transfer": {"to": "+13125550100"},
    "playback_start": {"media_name": "apology"},
    "speak": SPEAK,
    "record_start": RECORD,
    "send_dtmf": {"digits": "1"},
    "client_state_update": {"client_state": "b25l"},
    "switch_supervisor_role": {"role": "barge"},
    "reject": {"cause": "USER_BUSY"},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_on_an_ended_call_is_refused(action):
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "hangup")
    answer = scene.command(customer, action, **MINIMAL.get(action, {}))
    assert codes(answer) == (422, ["90018"])


@pytest.mark.parametrize(
    "action", sorted(set(ACTIONS) - {"answer", "hangup", "reject", "client_state_update"})
)
def test_most_actions_need_an_answered_call(action):
    scene = Scene()
    leg = calling.ring_in(scene.world, "+13125550142", "+18005550101", scene.now, name="X")
    answer = scene.command(leg, action, **MINIMAL.get(action, {}))
    assert codes(answer) == (422, ["90034"])


def test_unknown_tokens_and_actions_are_told_apart():
    world = World()
    assert codes(world.command("speak", "v3:nobody", SPEAK, NOON)) == (422, ["90015"])
    assert codes(world.command("dance", "v3:nobody", {}, NOON)) == (404, ["10005"])


# sounds


def test_speaks_queue_and_end_one_after_the_other():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "speak", **SPEAK)
    scene.does(customer, "playback_start", media_name="apology")
    assert customer.sound == "speaking"
    scene.wait(3)
    assert customer.sound == "playing"
    scene.wait(10)
    assert scene.said(customer)[3:] == [
        "call.speak.started",
        "call.speak.ended",
        "call.playback.started",
        "call.playback.ended",
    ]
    assert scene.last("call.playback.ended")["status"] == "completed"
    assert customer.sound == "silent"


def test_a_new_sound_can_stop_the_current_one_or_all():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "playback_start", media_name="hold-music", loop="infinity")
    scene.does(customer, "playback_start", media_name="apology")
    scene.does(customer, "speak", **SPEAK, stop="current")
    assert scene.last("call.playback.ended")["media_name"] == "hold-music"
    assert scene.last("call.playback.started")["media_name"] == "apology"
    scene.does(customer, "speak", payload="Now.", voice="male", stop="all")
    assert customer.sound == "speaking"
    assert len(customer.queue) == 1


def test_playback_stop_stops_speech_too_and_is_harmless_when_all_is_quiet():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "speak", **SPEAK)
    scene.does(customer, "speak", **SPEAK)
    scene.does(customer, "playback_stop", stop="current")
    assert scene.said(customer)[-2:] == ["call.speak.ended", "call.speak.started"]
    scene.does(customer, "playback_stop")
    assert scene.last("call.speak.ended")["status"] == "cancelled"
    assert customer.sound == "silent"
    scene.does(customer, "playback_stop")
    assert scene.said(customer).count("call.speak.ended") == 2


def test_a_loop_lasts_as_often_as_asked():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "playback_start", media_name="apology", loop=3)
    scene.wait(11.9)
    assert customer.sound == "playing"
    scene.wait(0.2)
    assert customer.sound == "silent"


def test_an_endless_loop_ends_with_the_call():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "playback_start", media_name="hold-music", loop="infinity")
    scene.wait(3_600)
    assert customer.sound == "playing"
    scene.does(customer, "hangup")
    assert scene.said(customer)[-2:] == ["call.playback.ended", "call.hangup"]
    assert scene.last("call.playback.ended")["status"] == "call_hangup"


def test_an_overlay_plays_beside_the_queue():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "playback_start", media_name="hold-music")
    scene.does(customer, "playback_start", media_name="apology", overlay=True)
    assert scene.last("call.playback.started")["overlay"] is True
    scene.does(customer, "playback_stop", overlay=True)
    assert scene.last("call.playback.ended")["overlay"] is True
    assert customer.sound == "playing"


def test_a_missing_file_ends_without_having_started():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "playback_start", media_name="no-such-file")
    assert scene.said(customer)[-1] == "call.playback.ended"
    assert "call.playback.started" not in scene.said(customer)
    assert scene.last("call.playback.ended")["status"] == "file_not_found"
    assert scene.last("call.playback.ended")["status_detail"] == "File not found"


def test_the_opposite_leg_hears_what_is_meant_for_it():
    scene = Scene()
    customer, agent = scene.call()
    for leg in (customer, agent):
        scene.does(leg, "record_start", **RECORD)
    scene.does(customer, "speak", **SPEAK, target_legs="opposite")
    scene.wait(5)
    lines = {row["party"]: row["recordings"][0]["lines"] for row in scene.world.truth(scene.now)}
    assert lines["customer"] == []
    assert lines["agent"][0]["text"] == SPEAK["payload"]


# recordings


def test_recording_waits_for_audio_after_an_answer():
    scene = Scene()
    leg = calling.ring_in(scene.world, "+13125550142", "+18005550101", scene.now, name="X")
    scene.does(leg, "answer")
    assert codes(scene.command(leg, "record_start", **RECORD)) == (422, ["90020"])
    scene.wait(0.25)
    scene.does(leg, "record_start", **RECORD)
    assert leg.recording == "on"


def test_a_recording_pauses_resumes_stops_and_is_saved():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD)
    scene.wait(10)
    scene.does(customer, "record_pause")
    assert customer.recording == "paused"
    scene.wait(4)
    scene.does(customer, "record_resume")
    scene.wait(6)
    scene.does(customer, "record_stop")
    assert customer.recording == "off"
    assert "call.recording.saved" not in scene.said()
    scene.wait(1.1)
    saved = scene.last("call.recording.saved")
    (row,) = scene.world.truth(scene.now)[0]["recordings"]
    assert row["state"] == "saved"
    assert row["duration_ms"] == 16_000
    assert row["pauses"] == [["2026-03-02T12:00:10.000000Z", "2026-03-02T12:00:14.000000Z"]]
    assert saved["recording_started_at"] == row["started"] == stamp(NOON)
    assert saved["recording_ended_at"] == row["ended"]


def test_a_recording_stops_at_the_hangup_even_while_it_is_paused():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD)
    scene.wait(5)
    scene.does(customer, "record_pause")
    scene.wait(5)
    scene.does(customer, "hangup")
    scene.wait(2)
    assert scene.said(customer)[-2:] == ["call.hangup", "call.recording.saved"]
    (row,) = scene.world.truth(scene.now)[0]["recordings"]
    assert row["duration_ms"] == 5_000
    assert row["pauses"] == [["2026-03-02T12:00:05.000000Z", row["ended"]]]


def test_a_second_record_start_makes_a_second_file_unless_that_is_refused():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD)
    scene.does(customer, "record_start", **RECORD)
    scene.does(customer, "record_stop")
    scene.wait(2)
    assert scene.said().count("call.recording.saved") == 2
    strict = Scene(settings=Settings(second_recording="refuse"))
    customer, _ = strict.call()
    strict.does(customer, "record_start", **RECORD)
    assert strict.command(customer, "record_start", **RECORD).status == 422


def test_one_of_two_recordings_can_be_named():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD)
    scene.does(customer, "record_start", **RECORD)
    first, second = customer.recordings
    scene.does(customer, "record_pause", recording_id=first.id)
    assert (first.state, second.state) == ("paused", "recording")
    assert customer.recording == "on"


def test_a_lenient_world_takes_commands_out_of_turn_without_effect():
    scene = Scene(settings=Settings(strictness="lenient"))
    customer, _ = scene.call()
    for action in ("record_pause", "record_resume", "record_stop"):
        answer = scene.does(customer, action)
        assert not answer.took_effect


def test_a_recording_ends_at_its_greatest_length_pauses_not_counted():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD, max_length=10)
    scene.wait(4)
    scene.does(customer, "record_pause")
    scene.wait(20)
    scene.does(customer, "record_resume")
    scene.wait(5.9)
    assert customer.recording == "on"
    scene.wait(0.3)
    assert customer.recording == "off"


def test_ids_can_be_left_out_of_the_saved_event():
    scene = Scene(settings=Settings(omit_ids=True))
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD)
    scene.does(customer, "hangup")
    scene.wait(2)
    saved = scene.last("call.recording.saved")
    assert not {"call_control_id", "recording_id"} & set(saved)
    assert saved["call_leg_id"] == customer.call_leg_id


def test_a_timeout_and_a_live_transcription_exclude_each_other():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "transcription_start")
    answer = scene.command(customer, "record_start", **RECORD, timeout_secs=5)
    assert codes(answer) == (422, ["90053"])
    assert codes(scene.command(customer, "transcription_start")) == (422, ["90054"])


# words


def test_transcripts_hold_what_was_said_in_order_and_omit_the_pause():
    scene = Scene()
    customer, agent = scene.call()
    scene.does(customer, "record_start", **RECORD, transcription=True)
    scene.world.say(agent, "Please read me the number.", scene.now)
    scene.wait(4)
    scene.does(customer, "record_pause")
    scene.world.say(customer, "four one one one", scene.now)
    scene.wait(4)
    scene.does(customer, "record_resume")
    scene.does(customer, "speak", payload="Thank you.", voice="male")
    scene.wait(3)
    scene.does(customer, "hangup")
    scene.wait(5)
    text = scene.last("call.recording.transcription.saved")["transcription_text"]
    assert text == "Please read me the number. Thank you."


def test_a_pause_in_mid_sentence_takes_only_its_words():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD, transcription=True)
    noise = scene.world.say(customer, "alpha bravo charlie delta echo foxtrot", scene.now)
    middle = noise.clip.words[2]
    scene.wait(middle.start_ms / 1000)
    scene.does(customer, "record_pause")
    scene.wait((middle.end_ms - middle.start_ms) / 1000)
    scene.does(customer, "record_resume")
    scene.wait(10)
    scene.does(customer, "record_stop")
    scene.wait(5)
    text = scene.last("call.recording.transcription.saved")["transcription_text"]
    assert text == "alpha bravo delta echo foxtrot"


def test_captions_come_when_something_has_been_said_on_the_tracks_asked_for():
    scene = Scene()
    customer, agent = scene.call()
    scene.does(customer, "transcription_start", transcription_tracks="inbound")
    scene.world.say(agent, "How can I help?", scene.now)
    noise = scene.world.say(customer, "It's about my Order, please!", scene.now)
    scene.wait(noise.clip.ms / 1000 - 0.01)
    assert "call.transcription" not in scene.said()
    scene.wait(0.02)
    (found,) = [e.payload for e in scene.events if e.event_type == "call.transcription"]
    assert found["transcription_data"]["transcript"] == "it's about my order please"
    assert found["transcription_data"]["transcription_track"] == "inbound"
    assert found["transcription_data"]["is_final"] is True


def test_interim_captions_come_before_the_final_ones():
    scene = Scene()
    customer, _ = scene.call()
    config = {"transcription_engine": "Deepgram", "interim_results": True}
    scene.does(
        customer,
        "transcription_start",
        transcription_engine="Deepgram",
        transcription_engine_config=config,
    )
    scene.world.say(customer, "One, two, three, four.", scene.now)
    scene.wait(5)
    told = [
        e.payload["transcription_data"] for e in scene.events if "transcription_data" in e.payload
    ]
    assert [data["is_final"] for data in told] == [False, True]
    assert told[1]["transcript"] == "One, two, three, four."
    assert told[1]["transcript"].startswith(told[0]["transcript"])


def test_words_cut_off_by_the_hangup_are_not_told():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "transcription_start")
    noise = scene.world.say(customer, "alpha bravo charlie", scene.now)
    scene.wait(noise.clip.words[0].end_ms / 1000)
    scene.does(customer, "hangup")
    assert scene.last("call.transcription")["transcription_data"]["transcript"] == "alpha"
    assert scene.said(customer)[-1] == "call.hangup"


def test_a_sentence_cut_short_by_a_hold_is_told_once():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "transcription_start")
    noise = scene.world.say(customer, "alpha bravo charlie", scene.now)
    scene.wait(noise.clip.words[1].end_ms / 1000)
    calling.hold(scene.world, customer, scene.now)
    scene.wait(10)
    payloads = [event.payload for event in scene.events]
    told = [p["transcription_data"]["transcript"] for p in payloads if "transcription_data" in p]
    assert told == ["alpha bravo"]


def test_a_loop_says_its_words_again():
    scene = Scene()
    customer, _ = scene.call()
    scene.does(customer, "record_start", **RECORD, transcription=True)
    scene.does(customer, "speak", payload="Please wait.", voice="male", loop=2)
    scene.wait(10)
    scene.does(customer, "record_stop")
    scene.wait(5)
    text = scene.last("call.recording.transcription.saved")["transcription_text"]
    assert text == "Please wait. Please wait."


def test_an_answer_can_start_the_transcription():
    scene = Scene()
    leg = calling.ring_in(scene.world, "+13125550142", "+18005550101", scene.now, name="X")
    scene.does(leg, "answer", transcription=True)
    scene.world.say(leg, "Hello?", scene.now)
    scene.wait(2)
    assert scene.last("call.transcription")["transcription_data"]["transcript"] == "hello"


def test_a_null_counts_as_left_out():
    scene = Scene()
    customer, _ = scene.call()
    nulls = dict.fromkeys(("loop", "stop", "target_legs", "client_state", "command_id"))
    scene.does(customer, "speak", **SPEAK, **nulls)
    scene.does(customer, "record_start", **RECORD, recording_track=None, max_length=None)
    assert codes(scene.command(customer, "speak", payload=None, voice="x")) == (422, ["90010"])


# settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"pace": 1},
        {"pause_mode": "loud"},
        {"omit_ids": 1},
        {"saved_delay_s": -1},
        {"saved_delay_s": None},
        {"link_ttl_s": True},
    ],
)
def test_wrong_settings_change_nothing_and_are_named(wrong):
    settings = Settings()
    with pytest.raises(BadSetting, match=next(iter(wrong))):
        settings.change({"strictness": "lenient"} | wrong)
    assert settings == Settings()
