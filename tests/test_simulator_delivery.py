"""Webhooks on their way: signatures, retries, and the disturbances that can be asked for."""

import base64
import json
import socket
import threading
import time

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from simulator.delivery import sign
from tests.simulator_rig import COMPANY, CUSTOMER, Receiver, running


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def telnyx(tmp_path, receiver):
    with running(tmp_path, receiver) as client:
        yield client


def fault(telnyx, **rule):
    telnyx.lever("POST", "faults", deliveries=[rule])


def press(telnyx, call, digits):
    telnyx.lever("POST", f"calls/{call['call_control_id']}/dtmf", digits=digits)


def digits(receiver):
    return [b["data"]["payload"]["digit"] for b in receiver.bodies("call.dtmf.received")]


def until(condition, timeout=5.0):
    ends = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.005)


def test_signatures_verify_with_the_published_key(telnyx, receiver):
    telnyx.call()
    receiver.wait_for("call.bridged", 2)
    key = VerifyKey(base64.b64decode(telnyx.lever("GET", "key")["public_key"]))
    for _, headers, body in receiver.got:
        signed = headers["telnyx-timestamp"].encode() + b"|" + body
        key.verify(signed, base64.b64decode(headers["telnyx-signature-ed25519"], validate=True))
        assert abs(time.time() - int(headers["telnyx-timestamp"])) < 5
        assert headers["User-Agent"] == "telnyx-webhooks"
        assert headers["Content-Type"] == "application/json"


def test_the_signature_is_that_of_a_known_vector():
    body = (
        b'{"data":{"event_type":"call.speak.started","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",'
        b'"record_type":"event"},"meta":{"attempt":1}}'
    )
    expected = (
        "PM6LEa/7Dv9v2JLo33PLymqYmHfUbwWvDWM+pzNSlPFmgR9D3HnPt6WscEya/yJC3fVvw3nojNNGUCwpitKVAA=="
    )
    assert sign(SigningKey(bytes(range(32))), "1772463551", body) == expected


def test_a_legs_events_arrive_in_order(telnyx, receiver):
    call = telnyx.call()
    press(telnyx, call, "0123456789")
    receiver.wait_for("call.dtmf.received", 10)
    assert digits(receiver) == list("0123456789")


def test_an_event_leaves_within_milliseconds(telnyx, receiver):
    call = telnyx.call()
    receiver.wait_for("call.bridged", 2)
    waits = []
    for number in range(20):
        asked = time.monotonic()
        press(telnyx, call, "1")
        receiver.wait_for("call.dtmf.received", number + 1)
        waits.append(receiver.got[-1][0] - asked)
    assert sorted(waits)[10] < 0.05  # the middle of twenty; a quiet machine shows about 2 ms


def test_server_errors_are_tried_again_with_a_new_signature_and_count(telnyx, receiver):
    call = telnyx.call()
    receiver.wait_for("call.bridged", 2)
    receiver.answers = [500, 429, 408]
    press(telnyx, call, "7")
    bodies = receiver.wait_for("call.dtmf.received", 4)
    assert [body["meta"]["attempt"] for body in bodies] == [1, 2, 3, 4]
    assert len({body["data"]["id"] for body in bodies}) == 1
    assert bodies[0]["meta"]["delivered_to"] == receiver.url
    until(lambda: delivery_of(telnyx, bodies[0]))
    delivery = delivery_of(telnyx, bodies[0])
    assert delivery["status"] == "delivered"
    statuses = [attempt["http"]["response"]["status"] for attempt in delivery["attempts"]]
    assert statuses == [200, 408, 429, 500]


def test_a_client_error_is_final(telnyx, receiver):
    call = telnyx.call()
    receiver.wait_for("call.bridged", 2)
    receiver.answers = [401]
    press(telnyx, call, "7")
    press(telnyx, call, "8")
    receiver.wait_for("call.dtmf.received", 2)
    until(lambda: delivery_of(telnyx, receiver.bodies("call.dtmf.received")[0]))
    time.sleep(0.2)  # four times the wait before a retry
    assert digits(receiver) == ["7", "8"]
    failed = telnyx.v2("GET", "/webhook_deliveries", params={"filter[status][eq]": "failed"})
    (row,) = failed.json()["data"]
    assert row["webhook"]["payload"]["digit"] == "7"


def test_a_delivery_nobody_takes_has_failed_when_its_time_is_over(telnyx, receiver):
    telnyx.lever("POST", "settings", retry_for_s=0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        telnyx.lever("POST", "webhook_url", url=f"http://127.0.0.1:{free.getsockname()[1]}/")
        call = telnyx.call()
        until(lambda: len(deliveries(telnyx, status="failed")) == 6)
    tries = telnyx.lever("GET", "webhooks")["webhooks"]
    assert {row["status"] for row in tries} == {None}
    assert all("Connection" in row["error"] for row in tries)
    assert {row["attempt"] for row in tries} == {1, 2, 3}
    params = {"filter[leg_id]": call["call_leg_id"], "filter[failed]": "true"}
    events = telnyx.v2("GET", "/call_events", params=params)
    assert events.json()["meta"]["total_results"] == 3


def test_a_slow_receiver_is_given_up_after_the_timeout(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with running(tmp_path, delivery_timeout_s=0.1, retry_for_s=0.1) as telnyx:
            telnyx.lever("POST", "webhook_url", url=url)
            telnyx.call()
            until(lambda: len(deliveries(telnyx, status="failed")) == 6)
            assert "Timeout" in telnyx.lever("GET", "webhooks")["webhooks"][0]["error"]


def deliveries(telnyx, **wanted):
    params = {"page[size]": 250, **{f"filter[{key}][eq]": value for key, value in wanted.items()}}
    return telnyx.v2("GET", "/webhook_deliveries", params=params).json()["data"]


def delivery_of(telnyx, body):
    rows = [row for row in deliveries(telnyx) if row["webhook"]["id"] == body["data"]["id"]]
    return rows[0] if rows else None


def test_duplicates_are_the_same_event_several_times(telnyx, receiver):
    fault(telnyx, event="call.answered", do="duplicate", copies=3, times=1)
    telnyx.call()
    bodies = receiver.wait_for("call.answered", 4)
    ids = [body["data"]["id"] for body in bodies]
    assert sorted(ids.count(one) for one in set(ids)) == [1, 3]


def test_a_dropped_event_never_comes_but_telnyx_knows_that_it_failed(telnyx, receiver):
    fault(telnyx, event="call.answered", do="drop")
    call = telnyx.call()
    receiver.wait_for("call.bridged", 2)
    assert receiver.bodies("call.answered") == []
    failed = deliveries(telnyx, status="failed")
    assert {row["webhook"]["event_type"] for row in failed} == {"call.answered"}
    assert call["call_leg_id"] in {row["webhook"]["payload"]["call_leg_id"] for row in failed}


def test_a_lost_event_leaves_no_trace_among_the_deliveries(telnyx, receiver):
    fault(telnyx, event="call.answered", do="lose")
    telnyx.call()
    receiver.wait_for("call.bridged", 2)
    until(lambda: len(deliveries(telnyx)) == 4)
    types = {row["webhook"]["event_type"] for row in deliveries(telnyx)}
    assert types == {"call.initiated", "call.bridged"}


def test_a_delayed_event_comes_late(telnyx, receiver):
    fault(telnyx, event="call.initiated", do="delay", seconds=0.6)
    telnyx.call()
    receiver.wait_for("call.bridged", 2)
    assert receiver.bodies("call.initiated") == []
    receiver.wait_for("call.initiated", 2)


def test_a_reordered_event_comes_after_the_next_one_of_its_leg(telnyx, receiver):
    fault(telnyx, event="call.initiated", do="reorder", seconds=30)
    call = telnyx.call()
    receiver.wait_for("call.initiated", 2)
    own = [
        body["data"]["event_type"]
        for body in map(json.loads, receiver.raw())
        if body["data"]["payload"]["call_leg_id"] == call["call_leg_id"]
    ]
    assert own[:2] == ["call.answered", "call.initiated"]


def test_a_reordered_event_that_nothing_follows_comes_in_the_end(telnyx, receiver):
    fault(telnyx, event="call.bridged", do="reorder", seconds=0.2)
    telnyx.call()
    receiver.wait_for("call.bridged", 2)


def test_a_bad_signature_is_bad(telnyx, receiver):
    fault(telnyx, event="call.dtmf.received", do="bad_signature", times=1)
    call = telnyx.call()
    press(telnyx, call, "12")
    receiver.wait_for("call.dtmf.received", 2)
    key = VerifyKey(base64.b64decode(telnyx.lever("GET", "key")["public_key"]))
    verdicts = {}
    for _, headers, body in receiver.got:
        signature = base64.b64decode(headers["telnyx-signature-ed25519"])
        try:
            key.verify(headers["telnyx-timestamp"].encode() + b"|" + body, signature)
            verdicts[body] = True
        except BadSignatureError:
            verdicts[body] = False
    assert [json.loads(b)["data"]["payload"]["digit"] for b, ok in verdicts.items() if not ok] == [
        "1"
    ]


def test_a_fault_happens_as_often_as_asked_and_can_be_cleared(telnyx, receiver):
    fault(telnyx, event="call.dtmf.*", do="lose", times=2)
    call = telnyx.call()
    press(telnyx, call, "123")
    receiver.wait_for("call.dtmf.received", 1)
    assert digits(receiver) == ["3"]
    assert telnyx.lever("GET", "faults")["deliveries"][0]["used"] == 2
    fault(telnyx, event="*", do="lose")
    telnyx.lever("DELETE", "faults")
    press(telnyx, call, "4")
    receiver.wait_for("call.dtmf.received", 2)


def test_a_dialled_leg_reports_where_its_dial_said(telnyx, receiver):
    other = Receiver()
    try:
        body = {"connection_id": "2684641123236054244", "to": CUSTOMER, "from": COMPANY}
        telnyx.v2("POST", "/calls", json=body | {"webhook_url": other.url})
        other.wait_for("call.answered")
        assert receiver.got == []
    finally:
        other.close()


def test_events_arrive_while_another_legs_receiver_hangs(tmp_path, receiver):
    with socket.create_server(("127.0.0.1", 0)) as silent, running(tmp_path, receiver) as telnyx:
        body = {"connection_id": "2684641123236054244", "to": CUSTOMER, "from": COMPANY}
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        telnyx.v2("POST", "/calls", json=body | {"webhook_url": url})
        for _ in range(8):
            telnyx.call()
        receiver.wait_for("call.bridged", 8)


def test_stopping_leaves_no_worker_behind(tmp_path, receiver):
    before = threading.active_count()
    with running(tmp_path, receiver) as telnyx:
        telnyx.call()
        receiver.wait_for("call.bridged", 2)
        telnyx.session.close()
    until(
        lambda: not [t for t in threading.enumerate() if t.name.startswith(("courier", "ticker"))]
    )
    assert threading.active_count() <= before + 3  # the receiver's own connections
