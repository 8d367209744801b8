"""From bytes to named values: what Telnyx documents is read, and nothing else can do harm."""

import contextlib
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telnyx import Telnyx as OfficialClient

from calls.telnyx.payloads import (
    Event,
    LiveTranscription,
    RecordingError,
    RecordingSaved,
    TranscriptionSaved,
    Unreadable,
    body_id,
    event_body,
    parse,
)

FILES = sorted((Path(__file__).parent / "payloads").glob("call.*.json"))
MOMENT = datetime(2026, 3, 2, 15, 9, 11, 508869, tzinfo=UTC)


def body(event_id="7d5d971e", event_type="call.answered", payload=None, **data):
    event = {"id": event_id, "event_type": event_type, "payload": payload or {}, **data}
    return json.dumps({"data": event, "meta": {"attempt": 1}}).encode()


def read(name):
    return parse((Path(__file__).parent / "payloads" / f"{name}.json").read_bytes())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_we_read_the_same_ids_as_telnyxs_own_library(path):
    raw = path.read_bytes()
    official = OfficialClient(api_key="none").webhooks.unsafe_unwrap(raw.decode()).data

    event = parse(raw)

    assert (event.event_id, event.event_type) == (official.id, official.event_type)
    assert event.occurred_at == official.occurred_at
    assert event.call_leg_id == official.payload.call_leg_id
    assert event.call_session_id == official.payload.call_session_id
    assert not event.is_v1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-02T15:09:11.508869Z", MOMENT),
        ("2026-03-02T15:09:11.508869123Z", MOMENT),
        ("2026-03-02T16:09:11.508869+01:00", MOMENT),
        ("2026-03-02T15:09:11.508869", MOMENT),
        ("2026-03-02T15:09:11Z", MOMENT.replace(microsecond=0)),
        ("2015-01-01T00:00:00Z", datetime(2015, 1, 1, tzinfo=UTC)),
        ("2014-12-31T23:59:59Z", None),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2100-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-02-30T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        ("2026-03-02T15:09:11Z" * 1000, None),
        ("\ud800", None),
        (1772463551, None),
        (None, None),
        (["2026-03-02T15:09:11Z"], None),
    ],
)
def test_a_time_is_utc_or_none(written, meant):
    assert parse(body(occurred_at=written)).occurred_at == meant


@pytest.mark.parametrize(
    "odd", [None, "", 12, 1.5, True, [], {}, "x" * 256, "a\0b", "a\ud800b", "sha256:0"]
)
def test_an_unusable_event_id_becomes_the_hash_of_the_body(odd):
    raw = body(event_id=odd)

    assert parse(raw).event_id == body_id(raw) == f"sha256:{hashlib.sha256(raw).hexdigest()}"


@pytest.mark.parametrize("usable", ["x", "x" * 255, " a ", "Ünïcode-☎", "A-B"])
def test_a_usable_event_id_is_kept_letter_by_letter(usable):
    assert parse(body(event_id=usable)).event_id == usable


@given(st.lists(st.text(max_size=300), unique=True, min_size=2, max_size=6))
def test_bodies_with_different_event_ids_never_share_one(ids):
    events = [parse(body(event_id=event_id)) for event_id in ids]

    assert len({event.event_id for event in events}) == len(ids)
    assert all(0 < len(event.event_id) <= 255 for event in events)


@pytest.mark.parametrize("odd", [None, "", 12, [], {}, "x" * 256, "a\0b", "a\udfffb"])
def test_an_unusable_call_id_is_left_blank_and_the_event_kept(odd):
    event = parse(body(payload={"call_leg_id": odd, "call_control_id": odd}))

    assert (event.call_leg_id, event.call_control_id) == ("", "")
    assert event.event_id == "7d5d971e"


def test_texts_lose_what_no_database_can_hold():
    event = parse(body(payload={"from": "a\0b", "deep": [{"k\ud800": "\udc00☎\U0001f600"}]}))

    assert event.payload == {"from": "a�b", "deep": [{"k�": "�☎\U0001f600"}]}


def test_numbers_that_json_cannot_write_become_none():
    event = parse(b'{"data":{"event_type":"x","payload":{"a":NaN,"b":-Infinity,"c":1e999}}}')

    assert event.payload == {"a": None, "b": None, "c": None}


UNREADABLE = {
    "empty": (b"", "not JSON"),
    "half": (b'{"data":', "not JSON"),
    "two values": (b"{}{}", "not JSON"),
    "form data": (b"data=1&b=2", "not JSON"),
    "invalid UTF-8": (b'{"data":"\xff"}', "not UTF-8 at byte 9"),
    "UTF-16": ('{"data":{}}'.encode("utf-16"), "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "raw NUL": (b'{"data":{"event_type":"a\0"}}', "not JSON"),
    "endless number": (b'{"data":' + b"1" * 5000 + b"}", "not JSON"),
    "text": (b'"data"', "the body is not an object"),
    "list": (b"[]", "the body is not an object"),
    "number": (b"1", "the body is not an object"),
    "null": (b"null", "the body is not an object"),
    "no data": (b"{}", "`data` is missing"),
    "data null": (b'{"data":null}', "`data` is missing"),
    "data a list": (b'{"data":[]}', "`data` is missing"),
    "data null beside an event type": (b'{"data":null,"event_type":"a"}', "`data` is missing"),
    "no event type": (b'{"data":{}}', "`event_type` is not a name"),
    "event type empty": (b'{"data":{"event_type":""}}', "`event_type` is not a name"),
    "event type a number": (b'{"data":{"event_type":1}}', "`event_type` is not a name"),
    "event type too long": (body(event_type="x" * 256), "`event_type` is not a name"),
    "payload a list": (b'{"data":{"event_type":"a","payload":[]}}', "`payload` is not an object"),
    "payload null": (b'{"data":{"event_type":"a","payload":null}}', "`payload` is not an object"),
    "51 levels": (b'{"data":' + b"[" * 50 + b"]" * 50 + b"}", "deeper than 50 levels"),
    "100,000 levels": (b"[" * 100_000, "deeper than 50 levels"),
    "100,000 levels of objects": (b'{"a":' * 100_000, "deeper than 50 levels"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_body_without_a_usable_event_says_why(case):
    raw, why = UNREADABLE[case]

    with pytest.raises(Unreadable, match=why):
        parse(raw)


def test_fifty_levels_are_still_read():
    raw = b'{"data":{"event_type":"a","payload":{"deep":' + b"[" * 47 + b"]" * 47 + b"}}}"

    assert parse(raw).event_type == "a"


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_unreadable(raw):
    with contextlib.suppress(Unreadable):
        assert parse(raw).event_id


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "call_leg_id",
        "call_session_id",
        "call_control_id",
        "recording_id",
        "recording_urls",
        "format",
        "channels",
        "recording_started_at",
        "from",
        "to",
        "reason",
        "status",
        "transcription_text",
        "transcription_data",
        "recording_transcription_id",
    ]
)


@given(st.dictionaries(FIELDS, WILD), WILD, WILD)
def test_no_payload_can_break_a_reader_or_the_database(payload, event_id, occurred_at):
    try:
        event = parse(body(event_id, payload=payload, occurred_at=occurred_at))
    except Unreadable:
        return

    for reader in (RecordingSaved, RecordingError, TranscriptionSaved, LiveTranscription):
        reader.read(event.payload)
    stored = json.dumps(event.payload, allow_nan=False, ensure_ascii=False)
    assert "\0" not in stored.encode().decode()


def test_the_old_webhook_format_is_recognised():
    raw = json.dumps(
        {
            "event_type": "recording_saved",
            "webhook_id": "0ccc7b54",
            "created_at": "2026-03-02T15:09:11.508869Z",
            "payload": {"call_leg_id": "leg"},
        }
    ).encode()

    event = parse(raw)

    assert event == Event(
        event_id=body_id(raw),
        event_type="recording_saved",
        occurred_at=MOMENT,
        call_leg_id="leg",
        call_session_id="",
        call_control_id="",
        payload={"call_leg_id": "leg"},
        is_v1=True,
    )


def test_an_unknown_event_is_an_event():
    assert parse(body(event_type="call.teleported")).event_type == "call.teleported"


def test_a_saved_recording_is_read_whole():
    saved = RecordingSaved.read(read("call.recording.saved").payload)

    assert saved.recording_id
    assert (saved.channels, saved.format) == ("dual", "mp3")
    assert saved.started_at < saved.ended_at
    assert saved.urls["mp3"].startswith("https://s3.amazonaws.com/telephony-recorder-prod/")
    assert saved.from_number.startswith("+")
    assert saved.to_number.startswith("+")


def test_a_saved_recording_as_documented_has_no_id_and_no_format():
    saved = RecordingSaved.read(
        {
            "channels": "single",
            "recording_started_at": "2026-03-02T15:09:11.508869Z",
            "recording_urls": {"wav": "https://a/b.wav", "mp3": None, "ogg": 7},
        }
    )

    assert saved == RecordingSaved(
        recording_id=None,
        channels="single",
        format="wav",
        started_at=MOMENT,
        ended_at=None,
        urls={"wav": "https://a/b.wav"},
        public_urls={},
        from_number="",
        to_number="",
    )


def test_an_empty_payload_reads_as_nothing_known():
    assert RecordingSaved.read({}).urls == {}
    assert RecordingError.read({}).reason == ""
    assert TranscriptionSaved.read({}).recording_id is None
    assert LiveTranscription.read({}) == LiveTranscription("", None, is_final=True, track="")


def test_a_recording_error_keeps_its_reason():
    assert RecordingError.read(read("call.recording.error").payload).reason


def test_a_saved_transcription_names_its_recording():
    saved = TranscriptionSaved.read(read("call.recording.transcription.saved").payload)

    assert saved.recording_id
    assert saved.recording_transcription_id
    assert saved.status == "completed"
    assert saved.text


@pytest.mark.parametrize(
    ("sent", "meant"),
    [(0, 0.0), (1, 1.0), (0.5, 0.5), (1.01, None), (-0.1, None), ("0.9", None), (True, None)],
)
def test_a_confidence_is_a_number_from_0_to_1_or_unknown(sent, meant):
    caption = LiveTranscription.read({"transcription_data": {"confidence": sent}})

    assert caption.confidence == meant


def test_a_caption_is_read_whole():
    caption = LiveTranscription.read(read("call.transcription").payload)

    assert caption.text
    assert caption.is_final
    assert caption.track == "inbound"


def test_an_interim_caption_is_not_final():
    assert not LiveTranscription.read({"transcription_data": {"is_final": False}}).is_final


def test_a_quoted_event_becomes_a_body_again():
    event = {"id": "1", "event_type": "call.hangup", "payload": {"call_leg_id": "leg"}}

    bare, enveloped = event_body(event), event_body({"data": event, "meta": {"attempt": 2}})

    assert parse(bare).event_id == parse(enveloped).event_id == "1"
    assert parse(bare).call_leg_id == "leg"


@pytest.mark.parametrize("quoted", [None, {}, [], "call.hangup", {"data": []}, {"event_type": 1}])
def test_what_quotes_no_event_becomes_no_body(quoted):
    assert event_body(quoted) is None
