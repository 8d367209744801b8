"""The webhook door: what comes in, what becomes a row, and what the sender hears."""

import asyncio
import json
import random
import threading
import time
import uuid

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from calls import events, intake, writer
from calls.models import Call, Refusal, WebhookEvent
from tests.conftest import KEY, OTHER_KEY, leg, payload, public, signed

pytestmark = pytest.mark.django_db(transaction=True)


async def knock(body, headers, *, method="POST", parts=1):
    """Post to the ASGI door; return (status, headers)."""
    size = max(1, -(-len(body) // parts))
    chunks = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": chunk, "more_body": at < len(chunks) - 1}
        for at, chunk in enumerate(chunks)
    ]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    await intake.door({"type": "http", "method": method, "headers": headers}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


def raw(headers, content_type="application/json"):
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return [*pairs, (b"content-type", content_type.encode())]


@pytest.fixture
def door():
    """Post one body to the door. The writer thread ends with the test."""

    def post(body, headers=None, *, content_type="application/json", **more):
        headers = signed(body) if headers is None else headers
        return asyncio.run(knock(body, raw(headers, content_type), **more))

    yield post
    asyncio.run(intake.stop())


@pytest.fixture
def crowd(door):
    """Post many (body, headers) at once, a hundred at a time; return the statuses."""

    async def post(some):
        return await asyncio.gather(*(knock(*each) for each in some))

    def posts(knocks):
        hundreds = (knocks[at : at + 100] for at in range(0, len(knocks), 100))
        return [status for some in hundreds for status, _ in asyncio.run(post(some))]

    return posts


def body_of(name="call.initiated", **changes):
    changes.setdefault("id", str(uuid.uuid4()))
    return json.dumps(payload(name, **changes)).encode()


def test_a_signed_webhook_is_durable_before_the_200(door):
    body = body_of(id="event-1")

    assert door(body)[0] == 200

    row = WebhookEvent.objects.get()
    assert bytes(row.raw) == body
    assert (row.event_id, row.event_type, row.state) == ("event-1", "call.initiated", "pending")


def test_the_django_view_keeps_the_same_row(client, door):
    body = body_of(id="event-1")

    answer = client.post(
        "/webhooks/telnyx/", body, content_type="application/json", headers=signed(body)
    )

    assert answer.status_code == 200
    assert bytes(WebhookEvent.objects.get().raw) == body


def test_the_same_event_is_one_row_however_often_it_comes(door):
    body = body_of()

    assert [door(body)[0] for _ in range(3)] == [200, 200, 200]
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "missing"),
        (lambda body: signed(body, key=OTHER_KEY), "mismatch"),
        (lambda body: signed(body, at=time.time() - 302), "stale"),
        (lambda body: signed(body, at=time.time() + 302), "stale"),
        (lambda body: signed(body) | {"telnyx-timestamp": "١٧٧٢٤٦٣٥٥١"[:5]}, "timestamp"),
    ],
)
def test_a_bad_signature_is_401_counted_and_leaves_no_row(door, headers, reason):
    body = body_of()
    headers = headers(body) if callable(headers) else headers
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}

    assert door(body, headers)[0] == 401

    writer.refusals.flush()
    assert not WebhookEvent.objects.exists()
    assert Refusal.objects.get().reason == reason


def test_two_keys_are_trusted_while_one_replaces_the_other(door, settings):
    settings.TELNYX_PUBLIC_KEYS = f"{public(OTHER_KEY)},{public(KEY)}"
    intake.keys.cache_clear()

    assert [door(body_of(), None)[0], door(body := body_of(), signed(body, key=OTHER_KEY))[0]] == [
        200,
        200,
    ]


def test_without_a_key_nothing_is_trusted(door, settings):
    settings.TELNYX_PUBLIC_KEYS = ""
    intake.keys.cache_clear()

    status, headers = door(body_of())

    assert (status, headers[b"retry-after"]) == (503, b"5")


def test_the_method_the_type_and_the_encoding_are_checked(door):
    body = body_of()

    assert door(body, method="GET")[0] == 405
    assert door(body, content_type="text/plain")[0] == 415
    assert door(body, signed(body) | {"content-encoding": "gzip"})[0] == 415
    assert not WebhookEvent.objects.exists()


def test_a_body_over_two_mebibytes_is_413_whatever_length_it_claims(door):
    body = b"x" * (2 * 1024 * 1024 + 1)

    assert door(body, signed(body), parts=40)[0] == 413
    assert door(b"", {"content-length": str(3 * 1024 * 1024)})[0] == 413


def flipped(whole, bit):
    copy = bytearray(whole)
    copy[bit // 8] ^= 1 << bit % 8
    return bytes(copy)


def test_no_single_flipped_bit_gets_in(crowd):
    body = body_of("call.hangup")
    body += b" " * (1600 - len(body))
    headers = raw(signed(body))
    stamp, (name, signature), kind = headers
    forged = [(flipped(body, bit), headers) for bit in range(len(body) * 8)]
    for bit in range(len(signature) * 8):
        forged.append((body, [stamp, (name, flipped(signature, bit)), kind]))

    assert len(forged) > 13_000
    assert set(crowd(forged)) == {401}
    assert not WebhookEvent.objects.exists()
    assert crowd([(body, headers)]) == [200]


def mad_bodies(dice, count):
    """Return bodies that are signed and otherwise wrong in every way we could think of."""
    values = [
        None, True, 0, -1, 1e308, 2**70, "", "x" * 300, "\0", "\ud800", [], {}, [[]], {"a": {}},
        "2026-03-02T15:04:05Z", "not a time", "9999-99-99T99:99:99Z", "call.hangup",
    ]  # fmt: skip
    raw = [
        b"", b"\0", b"[]", b"null", b"NaN", b"{", b'{"data":', b"\xff\xfe", b'{"data":NaN}',
        b'{"data":[]}', b'"text"', b"[" * 10_000, b'{"a":' * 5_000, b'{"data":{}}' * 2,
        b'{"data":{"event_type":"call.hangup","event_type":7}}',
    ]  # fmt: skip
    names = ["call_leg_id", "call_session_id", "call_control_id", "from", "direction", "overlay"]
    for number in range(count):
        if dice.random() < 0.2:
            yield dice.choice(raw) + b" " * number
            continue
        data = {
            "id": dice.choice([*values, str(uuid.UUID(int=number))]),
            "event_type": dice.choice([*values, "call.initiated", "call.recording.saved", "x.y"]),
            "occurred_at": dice.choice(values),
            "payload": dice.choice([*values, {name: dice.choice(values) for name in names}]),
        }
        for name in dice.sample(sorted(data), dice.randrange(3)):
            del data[name]
        yield json.dumps({"data": data, "n": number}).encode()


def test_mad_bodies_are_kept_and_every_sane_one_among_them_is_applied(crowd):
    dice = random.Random(7)
    mad = list(mad_bodies(dice, 2_000))
    legs = [leg() for _ in range(40)]
    bodies = [*mad, *(body_of("call.initiated", **ids) for ids in legs)]
    dice.shuffle(bodies)

    statuses = crowd([(body, raw(signed(body))) for body in bodies])
    events.apply_due()
    WebhookEvent.objects.filter(state="pending").update(due_at=timezone.now(), attempts=4)
    events.apply_due()

    assert set(statuses) == {200}
    keys = {intake.read(body, received_at=timezone.now()).event_id for body in bodies}
    assert set(WebhookEvent.objects.values_list("event_id", flat=True)) == keys
    assert not WebhookEvent.objects.filter(state="pending").exists()
    known = Call.objects.filter(call_leg_id__in=[ids["call_leg_id"] for ids in legs])
    assert known.filter(line="ringing").count() == 40


def test_a_v1_body_is_counted_so_that_operators_are_told(door):
    old = {"event_type": "call_initiated", "webhook_id": "w", "created_at": "2026-03-02T15:04:05Z"}

    assert door(json.dumps(old).encode())[0] == 200

    writer.refusals.flush()
    assert WebhookEvent.objects.get().state == "ignored"
    assert Refusal.objects.get().reason == "v1"


def test_when_the_database_cannot_take_it_the_sender_hears_503(door, monkeypatch):
    def broken(*args, **kwargs):
        raise OperationalError("disk full")

    monkeypatch.setattr(writer, "store", broken)
    assert door(body_of())[0] == 503

    monkeypatch.undo()
    assert door(body_of())[0] == 200


def test_one_row_that_the_database_refuses_does_not_take_its_batch_along():
    rows = [intake.read(body_of(), received_at=timezone.now()) for _ in range(3)]
    bad = rows[1].__class__(
        **{name: getattr(rows[1], name) for name in rows[1].__slots__} | {"state": "mad"}
    )

    kept = writer.store([rows[0], bad, rows[2]])

    assert kept == {rows[0].event_id, rows[2].event_id}


def test_many_writers_of_the_same_events_make_one_row_each():
    rows = [intake.read(body_of(), received_at=timezone.now()) for _ in range(200)]
    failures = []

    def write():
        try:
            for at in range(0, 200, 20):
                writer.store(rows[at : at + 20])
        except Exception as exc:
            failures.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert WebhookEvent.objects.count() == 200
