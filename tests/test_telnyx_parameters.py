"""Every parameter at its limit and just past it; and that none of Telnyx's is missing."""

import base64
import contextlib
import importlib
import json
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telnyx.types import call_dial_params, shared_params
from telnyx.types import calls as official
from telnyx.types.calls import (
    eleven_labs_voice_settings_param,
    soniox_voice_settings_param,
    telnyx_voice_settings_param,
)

from calls.telnyx import shapes, words
from calls.telnyx.kinds import Choice, OpenChoice
from calls.telnyx.parameters import ACTIONS, Invalid, clean

STATE = base64.b64encode(b"state").decode()
UUID = "6e00ab49-9487-4364-8ad6-23965965afb2"
LEAST = {
    "record_start": {"format": "mp3", "channels": "dual"},
    "playback_start": {"media_name": "hold"},
    "speak": {"payload": "Hello", "voice": "AWS.Polly.Joanna"},
    "dial": {"to": "+18005550100", "from": "+18005550101", "connection_id": "12"},
    "switch_supervisor_role": {"role": "monitor"},
}


def problems(action, **raw):
    with pytest.raises(Invalid) as refusal:
        clean(action, LEAST.get(action, {}) | raw)
    return [problem.message for problem in refusal.value.problems]


def sent(action, **raw):
    return clean(action, LEAST.get(action, {}) | raw)


# (action, parameter, what is typed, what Telnyx gets)
TAKEN = [
    ("record_start", "format", "wav", "wav"),
    ("record_start", "format", "mp3", "mp3"),
    ("record_start", "channels", "single", "single"),
    ("record_start", "play_beep", True, True),
    ("record_start", "play_beep", "false", False),
    ("record_start", "play_beep", "on", True),
    ("record_start", "play_beep", "No", False),
    ("record_start", "max_length", 0, 0),
    ("record_start", "max_length", "14400", 14400),
    ("record_start", "max_length", " 60 ", 60),
    ("record_start", "timeout_secs", 0, 0),
    ("record_start", "timeout_secs", 14400, 14400),
    ("record_start", "recording_track", "outbound", "outbound"),
    ("record_start", "trim", "trim-silence", "trim-silence"),
    ("record_start", "custom_file_name", "x", "x"),
    ("record_start", "custom_file_name", "x" * 40, "x" * 40),
    ("record_start", "transcription", "true", True),
    ("record_start", "transcription_engine", "deepgram/nova-9", "deepgram/nova-9"),
    ("record_start", "transcription_language", "tlh", "tlh"),
    ("record_start", "transcription_language", "x" * 255, "x" * 255),
    ("record_start", "transcription_profanity_filter", "1", True),
    ("record_start", "transcription_speaker_diarization", "0", False),
    ("record_start", "transcription_min_speaker_count", 1, 1),
    ("record_start", "transcription_max_speaker_count", "100", 100),
    ("record_start", "client_state", STATE, STATE),
    ("record_pause", "recording_id", UUID, UUID),
    ("record_resume", "recording_id", UUID.upper(), UUID.upper()),
    ("playback_start", "loop", 1, 1),
    ("playback_start", "loop", "100", 100),
    ("playback_start", "loop", "infinity", "infinity"),
    ("playback_start", "overlay", True, True),
    ("playback_start", "stop", "all", "all"),
    ("playback_start", "target_legs", "both", "both"),
    ("playback_start", "audio_type", "wav", "wav"),
    ("playback_start", "cache_audio", False, False),
    ("playback_start", "media_name", " hold ", "hold"),
    ("playback_stop", "stop", "current", "current"),
    ("playback_stop", "overlay", "true", True),
    ("speak", "payload", "x" * 3000, "x" * 3000),
    ("speak", "payload", "☎" * 3000, "☎" * 3000),
    ("speak", "payload", "a\r\n" * 1000 + "b" * 1000, "a\n" * 1000 + "b" * 1000),
    ("speak", "payload", "  two\tspaces kept  ", "  two\tspaces kept  "),
    ("speak", "voice", "FishAudio.s2.1-pro.new", "FishAudio.s2.1-pro.new"),
    ("speak", "language", "xx-YY", "xx-YY"),
    ("speak", "loop", "2", 2),
    ("speak", "service_level", "premium", "premium"),
    ("speak", "stop", "current", "current"),
    ("speak", "target_legs", "opposite", "opposite"),
    ("transcription_start", "transcription_engine", "Brandnew", "Brandnew"),
    ("transcription_start", "transcription_tracks", "both", "both"),
    ("hangup", "reason", "answered elsewhere", "answered elsewhere"),
    ("dial", "to", "+18005550100,200", "+18005550100,200"),
    ("dial", "to", "sip:agent@sip.telnyx.com;secure=srtp", "sip:agent@sip.telnyx.com;secure=srtp"),
    ("dial", "to", ["+18005550100", "sip:a@b"], ["+18005550100", "sip:a@b"]),
    ("dial", "from", "+123456789012345", "+123456789012345"),
    ("dial", "from_display_name", "Zoë & Co".replace("&", "+"), "Zoë + Co"),
    ("dial", "timeout_secs", 5, 5),
    ("dial", "timeout_secs", 600, 600),
    ("dial", "time_limit_secs", 30, 30),
    ("dial", "time_limit_secs", 14400, 14400),
    ("dial", "record_max_length", 43200, 43200),
    ("dial", "send_digits_on_answer", "wW12*#D", "wW12*#D"),
    ("dial", "supervisor_role", "monitor", "monitor"),
    ("switch_supervisor_role", "role", "whisper", "whisper"),
    ("dial", "billing_group_id", UUID, UUID),
    ("dial", "assistant", '{"id": "a", "tools": [{}]}', {"id": "a", "tools": [{}]}),
    ("answer", "webhook_url", "https://a.example:8443/x?y=1", "https://a.example:8443/x?y=1"),
    ("answer", "stream_url", "wss://example.com/audio", "wss://example.com/audio"),
]


@pytest.mark.parametrize(("action", "name", "typed", "gets"), TAKEN)
def test_a_value_within_its_limits_goes_to_telnyx(action, name, typed, gets):
    value = sent(action, **{name: typed})[name]

    assert value == gets
    assert type(value) is type(gets)


# (action, parameter, what is typed, the whole sentence)
REFUSED = [
    ("record_start", "format", "ogg", 'format is "ogg", it must be one of mp3, wav'),
    ("record_start", "format", "MP3", 'format is "MP3", it must be one of mp3, wav'),
    ("record_start", "format", 3, "format is 3, it must be one of mp3, wav"),
    ("record_start", "format", None, "format is missing"),
    ("record_start", "channels", "  ", "channels is missing"),
    ("record_start", "channels", "stereo", 'channels is "stereo", it must be one of single, dual'),
    ("record_start", "play_beep", "maybe", 'play_beep is "maybe", it must be true or false'),
    ("record_start", "play_beep", 2, "play_beep is 2, it must be true or false"),
    ("record_start", "max_length", 14401, "max_length is 14401 s, the limit is 14400 s"),
    ("record_start", "max_length", "20000", "max_length is 20000 s, the limit is 14400 s"),
    ("record_start", "max_length", -1, "max_length is -1 s, the least is 0 s"),
    ("record_start", "max_length", "1.5", 'max_length is "1.5", not a whole number'),
    ("record_start", "max_length", 1.5, "max_length is 1.5, not a whole number"),
    ("record_start", "max_length", True, "max_length is True, not a whole number"),
    ("record_start", "max_length", "١٢", 'max_length is "١٢", not a whole number'),
    ("record_start", "max_length", "1_0", 'max_length is "1_0", not a whole number'),
    ("record_start", "max_length", "9" * 40, None),
    ("record_start", "timeout_secs", 14401, "timeout_secs is 14401 s, the limit is 14400 s"),
    ("record_start", "timeout_secs", -1, "timeout_secs is -1 s, the least is 0 s"),
    (
        "record_start",
        "recording_track",
        "left",
        'recording_track is "left", it must be one of both, inbound, outbound',
    ),
    ("record_start", "trim", "yes", 'trim is "yes", it must be trim-silence'),
    (
        "record_start",
        "custom_file_name",
        "x" * 41,
        "custom_file_name has 41 characters, the limit is 40",
    ),
    (
        "record_start",
        "custom_file_name",
        "a\nb",
        "custom_file_name has a character that cannot be printed",
    ),
    (
        "record_start",
        "transcription_language",
        "x" * 256,
        "transcription_language has 256 characters, the limit is 255",
    ),
    (
        "record_start",
        "transcription_engine",
        "a\0b",
        "transcription_engine has a character that cannot be printed",
    ),
    (
        "record_start",
        "transcription_min_speaker_count",
        0,
        "transcription_min_speaker_count is 0, the least is 1",
    ),
    (
        "record_start",
        "transcription_max_speaker_count",
        101,
        "transcription_max_speaker_count is 101, the limit is 100",
    ),
    ("record_start", "client_state", "not base64!", "client_state is not Base64"),
    ("record_start", "client_state", "YQ", "client_state is not Base64"),
    (
        "record_start",
        "client_state",
        "A" * 4100,
        "client_state has 4100 characters, the limit is 4096",
    ),
    ("record_pause", "recording_id", "rec-1", 'recording_id is "rec-1", not a UUID'),
    ("record_resume", "recording_id", UUID + "0", None),
    ("record_stop", "recording_id", "{" + UUID + "}", None),
    ("record_stop", "recording_id", 7, "recording_id is 7, not a text"),
    (
        "playback_start",
        "loop",
        0,
        'loop is 0, the least is 1; or write "infinity"',
    ),
    (
        "playback_start",
        "loop",
        "101",
        'loop is 101, the limit is 100; or write "infinity"',
    ),
    (
        "playback_start",
        "loop",
        "forever",
        'loop is "forever", not a whole number; or write "infinity"',
    ),
    ("playback_start", "stop", "overlay", 'stop is "overlay", it must be one of current, all'),
    (
        "playback_start",
        "target_legs",
        "other",
        'target_legs is "other", it must be one of self, opposite, both',
    ),
    ("playback_start", "audio_type", "ogg", 'audio_type is "ogg", it must be one of mp3, wav'),
    ("playback_start", "media_name", "x" * 256, "media_name has 256 characters, the limit is 255"),
    ("playback_stop", "stop", "next", 'stop is "next", it must be one of current, all'),
    ("speak", "payload", "x" * 3001, "payload has 3001 characters, the limit is 3000"),
    ("speak", "payload", "a\x1bb", "payload has a character that cannot be printed"),
    ("speak", "payload", "a\ud800b", "payload has a character that cannot be printed"),
    ("speak", "payload", " \n ", "payload is missing"),
    ("speak", "voice", None, "voice is missing"),
    ("speak", "voice", "x" * 256, "voice has 256 characters, the limit is 255"),
    ("speak", "voice", "a\tb", "voice has a character that cannot be printed"),
    ("speak", "payload_type", "html", 'payload_type is "html", it must be one of text, ssml'),
    (
        "speak",
        "service_level",
        "gold",
        'service_level is "gold", it must be one of basic, premium',
    ),
    (
        "transcription_start",
        "transcription_tracks",
        "all",
        'transcription_tracks is "all", it must be one of both, inbound, outbound',
    ),
    (
        "hangup",
        "reason",
        'say "no"',
        "reason may not have a double quote, a backslash or an emoji",
    ),
    (
        "hangup",
        "reason",
        "bye \U0001f600",
        "reason may not have a double quote, a backslash or an emoji",
    ),
    ("dial", "to", "8005550100", None),
    ("dial", "to", "+0123456", None),
    ("dial", "to", "+1234567890123456", None),
    ("dial", "to", "+1800 555", None),
    ("dial", "to", "sip:nobody", None),
    ("dial", "to", "sip:a b@c", None),
    ("dial", "to", "sip:a:secret@b", None),
    ("dial", "to", "+18005550100,x", None),
    ("dial", "to", [], "to has 0 destinations, the limit is 20"),
    ("dial", "to", ["+18005550100"] * 21, "to has 21 destinations, the limit is 20"),
    ("dial", "to", ["+18005550100,200"], None),
    ("dial", "from", "+18005550101,1", None),
    ("dial", "from", "Tapeline", None),
    ("dial", "from_display_name", "x" * 129, None),
    ("dial", "from_display_name", "a<b", None),
    ("dial", "timeout_secs", 4, "timeout_secs is 4 s, the least is 5 s"),
    ("dial", "timeout_secs", 601, "timeout_secs is 601 s, the limit is 600 s"),
    ("dial", "time_limit_secs", 29, "time_limit_secs is 29 s, the least is 30 s"),
    ("dial", "time_limit_secs", 14401, "time_limit_secs is 14401 s, the limit is 14400 s"),
    (
        "dial",
        "record_max_length",
        43201,
        "record_max_length is 43201 s, the limit is 43200 s",
    ),
    ("dial", "send_digits_on_answer", "12x", None),
    ("dial", "supervisor_role", "none", None),
    ("switch_supervisor_role", "role", "none", None),
    ("dial", "park_after_unbridge", "both", 'park_after_unbridge is "both", it must be self'),
    ("dial", "assistant", "[]", "assistant is not an object, as in {...}"),
    ("dial", "assistant", "{", None),
    ("dial", "assistant", '{"x":"' + "y" * 20_000 + '"}', None),
    ("answer", "webhook_url_method", "GET", 'webhook_url_method is "GET", it must be POST'),
    ("answer", "stream_url", "https://example.com", None),
    ("answer", "record", "yes", 'record is "yes", it must be record-from-answer'),
]


@pytest.mark.parametrize(("action", "name", "typed", "sentence"), REFUSED)
def test_a_value_past_its_limits_is_refused_in_one_sentence(action, name, typed, sentence):
    [message] = problems(action, **{name: typed})

    assert message.startswith(name)
    assert sentence is None or message == sentence
    assert len(message) < 250


ADDRESSES = {
    "http://a.example/x.wav": True,
    "https://a.example:8443/x.mp3?sig=%2F": True,
    "https://[2001:db8::1]/x.mp3": True,
    "https://a/" + "x" * 1990: True,
    "https://a/" + "x" * 1991: False,
    "ftp://a.example/x.wav": False,
    "file:///etc/passwd": False,
    "//a.example/x.wav": False,
    "a.example/x.wav": False,
    "https:///x.wav": False,
    "https://": False,
    "https://user@a.example/x.wav": False,
    "https://user:pw@a.example/x.wav": False,
    "https://@a.example/x.wav": False,
    "https://a.example:port/x.wav": False,
    "https://a.example:70000/x.wav": False,
    "https://[::1/x.wav": False,
    "https://a.example/x y.wav": False,
    "javascript:alert(1)": False,
}


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address[:40])
def test_a_sound_from_the_web_has_a_plain_web_address(address):
    raw = {"audio_url": address}

    if ADDRESSES[address]:
        assert clean("playback_start", raw) == raw
    else:
        with pytest.raises(Invalid, match=r"^audio_url"):
            clean("playback_start", raw)


def test_exactly_one_sound_is_played():
    content = base64.b64encode(b"RIFF").decode()
    two = {"media_name": "hold", "playback_content": content}

    for name, value in [*two.items(), ("audio_url", "https://a/b.mp3")]:
        assert clean("playback_start", {name: value}) == {name: value}
    with pytest.raises(Invalid, match="one of media_name, audio_url, playback_content is needed"):
        clean("playback_start", {"media_name": " ", "loop": 2})
    with pytest.raises(Invalid, match="playback_content cannot go with media_name"):
        clean("playback_start", two)


def test_an_invalid_sound_is_not_also_called_missing():
    with pytest.raises(Invalid) as refusal:
        clean("playback_start", {"audio_url": "ftp://a/b"})

    assert len(refusal.value.problems) == 1


def test_a_dial_plays_at_most_one_sound():
    assert sent("dial", media_name="hold")["media_name"] == "hold"
    assert problems("dial", media_name="hold", audio_url="https://a/b.mp3") == [
        "audio_url cannot go with media_name: only one sound is played"
    ]


@pytest.mark.parametrize("legs", ["opposite", "both"])
def test_a_sound_mixed_over_reaches_this_leg_only(legs):
    assert problems("playback_start", overlay="true", target_legs=legs) == [
        f'target_legs is "{legs}", with overlay it must be self'
    ]
    assert sent("playback_start", overlay="true", target_legs="self")
    assert sent("playback_start", overlay="false", target_legs=legs)


@pytest.mark.parametrize(
    ("least", "most", "is_fine"),
    [(2, 2, True), (3, 2, False), (7, None, False), (6, None, True), (None, 1, False)],
)
def test_the_fewest_speakers_are_no_more_than_the_most(least, most, is_fine):
    counts = {
        "transcription_min_speaker_count": least,
        "transcription_max_speaker_count": most,
    }

    if is_fine:
        sent("record_start", **counts)
    else:
        [message] = problems("record_start", **counts)
        assert message.startswith("the fewest speakers are")


@pytest.mark.parametrize(
    ("language", "is_fine"),
    [(None, True), ("en", True), ("en-GB", True), ("eng", False), ("de", False), ("es-US", False)],
)
def test_nova_3_transcribes_english_only(language, is_fine):
    raw = {"transcription_engine": "deepgram/nova-3", "transcription_language": language}

    if is_fine:
        sent("record_start", **raw)
    else:
        assert problems("record_start", **raw) == [
            f'transcription_language is "{language}", deepgram/nova-3 knows English only'
        ]


SSML = {
    "<speak>Hi</speak>": "",
    '<speak>Wait <break time="1s"/> now &amp; then</speak>': "",
    '<?xml version="1.0"?>\n<speak xmlns="http://www.w3.org/2001/10/synthesis">Hi</speak>': "",
    "Hi": "payload is not well-formed SSML: syntax error, line 1, column 1",
    "<speak>Hi": "payload is not well-formed SSML: no element found, line 1, column 10",
    "<speak>Hi</speak><speak/>": (
        "payload is not well-formed SSML: junk after document element, line 1, column 18"
    ),
    "<speak>Tom & Anna</speak>": (
        "payload is not well-formed SSML: not well-formed (invalid token), line 1, column 13"
    ),
    "<speak>&nbsp;</speak>": "payload is not well-formed SSML: undefined entity, line 1, column 8",
    "<p>Hi</p>": "payload starts with <p>, SSML starts with <speak>",
    '<!DOCTYPE speak [<!ENTITY a "aaa">]><speak>&a;</speak>': (
        "payload has a DOCTYPE, which SSML does not need"
    ),
    '<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak/>': (
        "payload has a DOCTYPE, which SSML does not need"
    ),
    "<speak>\n  <blink>Hi</blink></speak>": (
        "payload has <blink> in line 2, column 3; the tags are speak, break, emphasis, lang, mark,"
        " p, phoneme, prosody, s, say-as, sub, w, amazon:auto-breaths, amazon:breath,"
        " amazon:domain, amazon:effect"
    ),
    '<speak><amazon:effect name="whispered">psst</amazon:effect></speak>': "",
    "<speak><speak>Hi</speak></speak>": "payload has a second <speak> in line 1, column 8",
}


@pytest.mark.parametrize("payload", SSML)
def test_ssml_is_well_formed_and_without_a_dtd(payload):
    raw = {"payload": payload, "payload_type": "ssml"}

    if SSML[payload]:
        assert problems("speak", **raw) == [SSML[payload]]
    else:
        assert sent("speak", **raw)["payload"] == payload


def test_plain_text_need_not_be_xml():
    assert sent("speak", payload="2 < 3 & so on")["payload"] == "2 < 3 & so on"


def test_the_basic_service_speaks_plain_english_only():
    basic = {"service_level": "basic", "voice": "female"}

    assert sent("speak", **basic, language="en-US")
    assert problems("speak", **basic, language="de-DE") == [
        'language is "de-DE", with service_level basic it must be en-US'
    ]
    assert problems("speak", **basic, payload="<speak/>", payload_type="ssml") == [
        'payload_type is "ssml", with service_level basic it must be text'
    ]
    assert problems("speak", voice="male") == ['voice is "male", which needs service_level basic']


@pytest.mark.parametrize("name", ["bridge_intent", "bridge_on_answer", "park_after_unbridge"])
def test_a_bridge_needs_the_call_to_bridge_with(name):
    value = "self" if name == "park_after_unbridge" else True

    assert sent("dial", **{name: value, "link_to": "v3:x"})
    [message] = problems("dial", **{name: value})
    assert message.endswith("which needs link_to")


# (action, parameter, typed, the sentence or "" if it is fine)
COMPOUND = [
    ("speak", "voice_settings", {"type": "telnyx", "voice_speed": 2}, ""),
    ("speak", "voice_settings", '{"type": "telnyx", "voice_speed": 0.1}', ""),
    (
        "speak",
        "voice_settings",
        {"type": "telnyx", "voice_speed": 2.01},
        "voice_settings.voice_speed is 2.01, the limit is 2",
    ),
    (
        "speak",
        "voice_settings",
        {"type": "telnyx", "voice_speed": 0.09},
        "voice_settings.voice_speed is 0.09, the least is 0.1",
    ),
    (
        "speak",
        "voice_settings",
        {"type": "telnyx", "speed": 1},
        'voice_settings."speed" is unknown, there is type, voice_speed',
    ),
    ("speak", "voice_settings", {"voice_speed": 1}, "voice_settings.type is missing"),
    ("speak", "voice_settings", {"type": 3}, "voice_settings.type is missing"),
    ("speak", "voice_settings", {"type": "brandnew", "warmth": 0.5, "x": None}, ""),
    (
        "speak",
        "voice_settings",
        {"type": "brandnew", "deep": {}},
        'voice_settings."deep" is a list or an object, expected a plain value',
    ),
    ("speak", "voice_settings", "[]", "voice_settings is not an object, as in {...}"),
    ("speak", "voice_settings", {"type": {1, 2}}, "voice_settings holds what JSON cannot"),
    ("speak", "voice_settings", {"type": "minimax", "language_boost": None, "vol": 2}, ""),
    ("speak", "voice_settings", {"type": "elevenlabs", "api_key_ref": "my_key"}, ""),
    (
        "transcription_start",
        "transcription_engine_config",
        {"transcription_engine": "Google", "language": "en", "interim_results": True},
        "",
    ),
    (
        "transcription_start",
        "transcription_engine_config",
        {"transcription_engine": "A", "hints": ["Tapeline"], "max_speaker_count": 3},
        "",
    ),
    (
        "transcription_start",
        "transcription_engine_config",
        {"transcription_engine": "Telnyx"},
        'transcription_engine_config is for "Telnyx", but transcription_engine is "Google"',
    ),
    (
        "transcription_start",
        "transcription_engine_config",
        {"transcription_engine": "Google", "interim_results": "maybe"},
        'transcription_engine_config.interim_results is "maybe", it must be true or false',
    ),
    (
        "transcription_start",
        "transcription_engine_config",
        {"language": "en"},
        "transcription_engine_config.transcription_engine is missing",
    ),
    (
        "hangup",
        "custom_headers",
        [{"name": "X-Ticket", "value": "4711"}],
        "",
    ),
    (
        "hangup",
        "custom_headers",
        [{"name": "X-Ticket", "value": "4711"}, {"name": "X Ticket", "value": "1"}],
        'custom_headers[1].name is "X Ticket", no name of a header',
    ),
    (
        "hangup",
        "custom_headers",
        [{"name": "X", "value": "a\r\nVia: b"}],
        "custom_headers[0].value has a character that cannot be printed",
    ),
    ("hangup", "custom_headers", [{"name": "X"}], "custom_headers[0].value is missing"),
    ("hangup", "custom_headers", {"name": "X"}, "custom_headers is not a list"),
    (
        "hangup",
        "custom_headers",
        [{"name": "X", "value": "1"}] * 51,
        "custom_headers has 51 entries, the limit is 50",
    ),
    ("answer", "sip_headers", [{"name": "User-to-User", "value": "1"}], ""),
    (
        "answer",
        "sip_headers",
        [{"name": "Other", "value": "1"}],
        'sip_headers[0].name is "Other", it must be User-to-User',
    ),
    ("dial", "deepfake_detection", {"enabled": True, "timeout": 60, "rtp_timeout": 120}, ""),
    (
        "dial",
        "deepfake_detection",
        {"enabled": True, "timeout": 61},
        "deepfake_detection.timeout is 61 s, the limit is 60 s",
    ),
    ("dial", "deepfake_detection", {"timeout": 15}, "deepfake_detection.enabled is missing"),
    ("dial", "sound_modifications", {"semitone": -14, "track": "both"}, ""),
    (
        "dial",
        "sound_modifications",
        {"octaves": 1.1},
        "sound_modifications.octaves is 1.1, the limit is 1",
    ),
    (
        "dial",
        "webhook_retries_policies",
        {"call.hangup": {"retries_ms": [20000, 20000, 20000]}},
        "",
    ),
    (
        "dial",
        "webhook_retries_policies",
        {"call.hangup": {"retries_ms": [30000, 30001]}},
        'webhook_retries_policies."call.hangup".retries_ms adds up to 60001 ms, '
        "the limit is 60000 ms",
    ),
    (
        "dial",
        "webhook_retries_policies",
        {"call.hangup": {"retries_ms": [1] * 6}},
        'webhook_retries_policies."call.hangup".retries_ms has 6 entries, the limit is 5',
    ),
    (
        "dial",
        "webhook_urls",
        {"call.hangup": "ftp://a"},
        'webhook_urls."call.hangup" is "ftp://a", it must start with https:// or http://',
    ),
    ("dial", "transcription_config", {"transcription_tracks": "both"}, ""),
]


@pytest.mark.parametrize(("action", "name", "typed", "sentence"), COMPOUND)
def test_a_compound_value_is_checked_inside(action, name, typed, sentence):
    if sentence:
        assert problems(action, **{name: typed}) == [sentence]
    else:
        value = json.loads(typed) if isinstance(typed, str) else typed
        kept = sent(action, **{name: typed})[name]
        is_open = isinstance(value, dict) and value.get("type") == "brandnew"
        without_null = is_open or isinstance(value, list)
        assert kept == (
            value if without_null else {k: v for k, v in value.items() if v is not None}
        )


@pytest.mark.parametrize("engine", ["deepgram/nova-3", "Deepgram"])
def test_engine_settings_must_be_for_the_engine(engine):
    config = {"transcription_engine": engine, "transcription_model": "deepgram/nova-3"}

    assert sent(
        "transcription_start", transcription_engine="Deepgram", transcription_engine_config=config
    )
    assert problems(
        "transcription_start", transcription_engine="Azure", transcription_engine_config=config
    ) == [f'transcription_engine_config is for "{engine}", but transcription_engine is "Azure"']


def test_all_problems_come_at_once():
    raw = {"format": "ogg", "max_length": 20000, "play_beep": "x", "colour": "red"}

    with pytest.raises(Invalid) as refusal:
        clean("record_start", raw)

    assert {problem.field for problem in refusal.value.problems} == {
        "format",
        "channels",
        "max_length",
        "play_beep",
        "colour",
    }
    assert "max_length is 20000 s, the limit is 14400 s" in str(refusal.value)


@pytest.mark.parametrize("name", ["command_id", "colour", "media_url", "x" * 500])
def test_an_unknown_parameter_is_refused_by_name(name):
    [message] = problems("playback_start", **{name: "1"})

    assert message.endswith("is not a parameter of playback_start")
    assert name[:50] in message


def test_blanks_are_left_out():
    blank = dict.fromkeys((it.name for it in ACTIONS["record_pause"]), "")

    assert clean("record_pause", blank | {"recording_id": None}) == {}


def test_an_unknown_action_is_refused():
    with pytest.raises(ValueError, match='"self_destruct" is no command of ours'):
        clean("self_destruct", {})


def test_a_problem_never_quotes_a_whole_novel():
    [message] = problems("record_start", format="x" * 100_000)

    assert len(message) < 150


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(st.data())
def test_whatever_is_typed_is_sent_as_json_or_refused(data):
    action = data.draw(st.sampled_from(sorted(ACTIONS)))
    names = st.sampled_from([it.name for it in ACTIONS[action]])
    raw = LEAST.get(action, {}) | data.draw(st.dictionaries(names, WILD, max_size=4))

    with contextlib.suppress(Invalid):
        params = clean(action, raw)
        json.dumps(params, allow_nan=False)
        assert params.keys() <= raw.keys()
        assert clean(action, params) == params


# The contract: Telnyx's own typed parameters

OFFICIAL = {
    "record_start": official.ActionStartRecordingParams,
    "record_stop": official.ActionStopRecordingParams,
    "record_pause": official.ActionPauseRecordingParams,
    "record_resume": official.ActionResumeRecordingParams,
    "playback_start": official.ActionStartPlaybackParams,
    "playback_stop": official.ActionStopPlaybackParams,
    "speak": official.ActionSpeakParams,
    "transcription_start": official.ActionStartTranscriptionParams,
    "transcription_stop": official.ActionStopTranscriptionParams,
    "answer": official.ActionAnswerParams,
    "hangup": official.ActionHangupParams,
    "dial": call_dial_params.CallDialParams,
    "switch_supervisor_role": official.ActionSwitchSupervisorRoleParams,
}
OURS_NOT = {
    "answer": {"conversation_relay_config"},
    "dial": {
        "answering_machine_detection_config",
        "conference_config",
        "conversation_relay_config",
        "dialogflow_config",
        "diversion",
        "enable_dialogflow",
        "route_to_mobile",
        "sip_auth_password",
        "sip_auth_username",
        "stream_auth_token",
        "stream_bidirectional_codec",
        "stream_bidirectional_mode",
        "stream_bidirectional_sampling_rate",
        "stream_bidirectional_target_legs",
        "stream_codec",
        "stream_establish_before_call_originate",
        "stream_track",
        "stream_url",
    },
}


@pytest.mark.parametrize("action", ACTIONS)
def test_the_table_has_every_documented_parameter_and_no_other(action):
    documented = {name.rstrip("_") for name in OFFICIAL[action].__annotations__} - {"command_id"}

    assert {it.name for it in ACTIONS[action]} == documented - OURS_NOT.get(action, set())
    assert OURS_NOT.get(action, set()) <= documented


@pytest.mark.parametrize("action", ACTIONS)
def test_what_telnyx_requires_we_require(action):
    hints = OFFICIAL[action].__annotations__
    required = {name.rstrip("_") for name, hint in hints.items() if "Required[" in str(hint)}

    assert {it.name for it in ACTIONS[action] if it.required} == required


def literals(action, name):
    hints = get_type_hints(
        OFFICIAL[action], vars(importlib.import_module(OFFICIAL[action].__module__))
    )
    hint = hints[name]
    return set(get_args(hint)) if get_origin(hint) is Literal else None


CLOSED = [
    (action, it)
    for action in ("record_start", "playback_start", "playback_stop")
    for it in ACTIONS[action]
    if isinstance(it.kind, Choice)
]


@pytest.mark.parametrize(("action", "parameter"), CLOSED, ids=lambda it: getattr(it, "name", it))
def test_a_closed_list_is_telnyxs_list(action, parameter):
    documented = literals(action, parameter.name)

    assert documented is None or documented == set(parameter.kind.options)


def test_what_we_suggest_telnyx_knows():
    hint = official.ActionStartRecordingParams.__annotations__["transcription_language"]
    spoken = official.ActionSpeakParams.__annotations__["language"]
    engines = official.ActionStartTranscriptionParams.__annotations__["transcription_engine"]

    for suggestions, known in [
        (words.TRANSCRIPTION_LANGUAGES, hint),
        (words.SPEAK_LANGUAGES, spoken),
        (words.ENGINES, engines),
    ]:
        assert [word for word in suggestions if f"{word!r}" not in str(known)] == []


VOICE_SETTINGS = {
    "telnyx": telnyx_voice_settings_param.TelnyxVoiceSettingsParam,
    "elevenlabs": eleven_labs_voice_settings_param.ElevenLabsVoiceSettingsParam,
    "soniox": soniox_voice_settings_param.SonioxVoiceSettingsParam,
    "azure": shared_params.AzureVoiceSettings,
    "minimax": shared_params.MinimaxVoiceSettings,
    "resemble": shared_params.ResembleVoiceSettings,
    "inworld": shared_params.InworldVoiceSettings,
    "xai": shared_params.XaiVoiceSettings,
}


@pytest.mark.parametrize("provider", VOICE_SETTINGS)
def test_voice_settings_have_every_documented_field(provider):
    documented = VOICE_SETTINGS[provider].__annotations__.keys()

    assert shapes.VOICE_SETTINGS.shapes[provider].fields.keys() == documented


@pytest.mark.parametrize(
    ("engine", "module"),
    [
        ("Google", "google_config"),
        ("A", "a_config"),
        ("Telnyx", "telnyx_config"),
        ("B", "b_config"),
        ("Azure", "azure_config"),
        ("xAI", "xai_config"),
        ("AssemblyAI", "assemblyai_config"),
        ("Speechmatics", "speechmatics_config"),
        ("Soniox", "soniox_config"),
        ("Parakeet", "parakeet_config"),
        ("Humain", "humain_config"),
        ("Reson8", "reson8_config"),
        ("Cohere", "cohere_config"),
        ("deepgram/nova-2", "nova2"),
        ("deepgram/nova-3", "nova3"),
    ],
)
def test_engine_settings_have_every_documented_field(engine, module):
    is_deepgram = module.startswith("nova")
    path = f"deepgram_{module}_config" if is_deepgram else f"transcription_engine_{module}"
    found = importlib.import_module(f"telnyx.types.calls.{path}_param")
    typed = next(
        value
        for name, value in vars(found).items()
        if name.endswith("ConfigParam") and value.__module__ == found.__name__
    )

    assert typed.__annotations__.keys() <= shapes.CONFIGS[engine].fields.keys()


def test_open_lists_are_the_ones_that_grow():
    grow = {it.name for it in ACTIONS["speak"] if isinstance(it.kind, OpenChoice)}

    assert grow == {"voice", "language"}
