"""Neighbours hear every webhook byte for byte, in order, and nobody waits for one of them."""

import json
import random
import time
from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.utils import timezone

from access.models import AuditRow
from calls import forwarding, intake, passing, writer
from calls.models import Forward, Neighbour, Signal, WebhookEvent
from tests.conftest import leg, payload, signed
from tests.desk import until
from tests.loopback import Loopback, answer, hang_up
from tests.passes import some

NOBODY = "http://127.0.0.1:9/hook"  # nothing listens there
ids = count(1)


@pytest.fixture
def receiver():
    server = Loopback()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _nothing_held():
    forwarding._held.clear()
    yield
    forwarding._held.clear()


def neighbour(url, **more):
    made = Neighbour.objects.create(name=f"N{next(ids)}", url=url, is_inside=True, **more)
    passing.is_wanted.forget()
    return made


def event(name="call.answered", **more):
    body = payload(name, **more)
    body["data"]["id"] = f"event-{next(ids)}"
    return json.dumps(body).encode()


def carry_all(one, most=100):
    """Carry for a neighbour, in this thread, until there is nothing to be had."""
    for _ in range(most):
        if not forwarding.carry(one.pk):
            return
    raise AssertionError("there was no end of it")


def due_now():
    Forward.objects.filter(due_at__isnull=False).update(due_at=timezone.now())


def heard(receiver):
    return [json.loads(request.body)["data"]["id"] for request in receiver.requests]


@pytest.mark.django_db
def test_a_neighbour_hears_the_very_bytes_and_the_headers_that_prove_them(client, receiver):
    one = neighbour(f"{receiver.url}/flow?account=7")
    body = event() + b"  \n"  # what a JSON library would not give back
    headers = signed(body)

    client.post(
        "/webhooks/telnyx",
        data=body,
        content_type="application/json",
        headers={**headers, "User-Agent": "telnyx-webhooks"},
    )
    carry_all(one)

    (request,) = receiver.requests
    assert request.body == body
    assert (request.method, request.path, request.query) == ("POST", "/flow", {"account": "7"})
    for name, value in headers.items():
        assert request.headers[name] == value
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "telnyx-webhooks"
    assert intake.check(
        [(name.lower().encode(), value.encode()) for name, value in request.headers.items()],
        request.body,
        now=time.time(),
    )
    assert Forward.objects.get().state == Forward.State.DELIVERED


@pytest.mark.django_db
def test_an_event_told_twice_is_passed_on_once(post, receiver):
    one = neighbour(receiver.url)
    body = event()

    post(body)
    post(body)
    carry_all(one)

    assert len(receiver.requests) == 1


@pytest.mark.django_db
def test_what_the_desk_found_out_by_asking_is_passed_on_to_nobody(post, receiver):
    neighbour(receiver.url)
    body = event()
    headers = [(name.encode(), value.encode()) for name, value in signed(body).items()]
    row = intake.check(headers, body, now=time.time())

    writer.store([row], source=WebhookEvent.Source.RECONCILE)
    post(event("call.hangup"), at=time.time() - 900)  # refused

    assert not Forward.objects.exists()


@pytest.mark.django_db
def test_a_replayed_event_is_not_passed_on_again(post, receiver):
    from calls import events

    one = neighbour(receiver.url)
    post(event())
    carry_all(one)

    events.replay(WebhookEvent.objects.all())
    events.apply_due()
    carry_all(one)

    assert len(receiver.requests) == 1


@pytest.mark.django_db
def test_each_neighbour_has_a_row_and_a_paused_one_has_none(post, receiver):
    neighbour(receiver.url)
    neighbour(receiver.url)
    neighbour(receiver.url, is_paused=True)

    post(event())

    assert Forward.objects.count() == 2


@pytest.mark.django_db
def test_without_neighbours_the_door_writes_nothing_for_them(post):
    post(event())

    assert not Forward.objects.exists()
    assert not passing.is_wanted.last


@pytest.mark.django_db
def test_events_of_a_call_keep_their_order_whatever_fails_on_the_way(post, receiver):
    one = neighbour(receiver.url)
    same = leg()
    for name in ("call.initiated", "call.answered", "call.hangup"):
        post(event(name, **same))
    order = list(WebhookEvent.objects.order_by("id").values_list("event_id", flat=True))
    receiver.will(answer(500), hang_up, answer(500), answer(200))

    for _ in range(8):
        due_now()
        carry_all(one)

    assert list(dict.fromkeys(heard(receiver))) == order
    assert heard(receiver)[:4] == [order[0]] * 4  # nothing overtook what was tried again
    assert set(Forward.objects.values_list("state", flat=True)) == {Forward.State.DELIVERED}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", some(range(6), 3))
def test_whatever_fails_and_is_killed_every_call_is_heard_whole_and_in_order(post, receiver, seed):
    chance = random.Random(seed)
    one = neighbour(receiver.url)
    legs = [leg() for _ in range(4)]
    for _ in range(5):
        for same in chance.sample(legs, 4):
            post(event("call.dtmf.received", **same))
    faults = [chance.choice([200, 500, 503, 429, None]) for _ in range(60)]
    receiver.will(*(answer(it) if it else hang_up for it in faults), answer(200))

    while Forward.objects.exclude(state=Forward.State.DELIVERED).exists():
        due_now()
        Neighbour.objects.update(open_until=None, failures=chance.choice([0, 5]))
        for _ in range(chance.randint(1, 6)):
            forwarding.carry(one.pk)
        if chance.random() < 0.3:  # a kill: what it had claimed is left to its lease
            forwarding._held.clear()

    statuses = [*faults, *([200] * len(receiver.requests))]
    took = [
        json.loads(request.body)["data"]
        for request, status in zip(receiver.requests, statuses, strict=False)
        if status == 200
    ]
    for same in legs:
        key = same["call_leg_id"]
        told = WebhookEvent.objects.filter(call_leg_id=key).order_by("id")
        heard = [it["id"] for it in took if it["payload"]["call_leg_id"] == key]
        assert list(dict.fromkeys(heard)) == list(told.values_list("event_id", flat=True))


@pytest.mark.django_db
def test_another_call_does_not_wait_for_the_one_that_is_tried_again(post, receiver):
    one = neighbour(receiver.url)
    post(event("call.initiated", **leg()))
    post(event("call.initiated", **leg()))
    receiver.will(answer(503), answer(200))

    carry_all(one)

    states = Forward.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == [Forward.State.QUEUED, Forward.State.DELIVERED]


@pytest.mark.django_db
def test_a_refusal_is_an_answer_and_is_not_asked_for_again(post, receiver):
    one = neighbour(receiver.url)
    post(event())
    receiver.will(answer(404))

    carry_all(one)
    due_now()
    carry_all(one)

    (row,) = Forward.objects.all()
    assert (row.state, row.status, row.error) == (Forward.State.REFUSED, 404, "It answered 404.")
    assert len(receiver.requests) == 1


@pytest.mark.django_db
def test_a_minute_later_it_is_given_up_and_said_so(post):
    one = neighbour(NOBODY)
    post(event())
    carry_all(one)
    Forward.objects.update(
        received_at=timezone.now() - timedelta(seconds=58), due_at=timezone.now()
    )

    carry_all(one)

    (row,) = Forward.objects.all()
    assert (row.state, row.due_at, row.attempts) == (Forward.State.GIVEN_UP, None, 2)
    assert "The line failed" in row.error


@pytest.mark.django_db
def test_what_waited_behind_a_dead_neighbour_is_given_up_too(post):
    one = neighbour(NOBODY, open_until=timezone.now() + timedelta(hours=1))
    post(event())
    Forward.objects.update(received_at=timezone.now() - timedelta(seconds=61))

    assert forwarding.forward_due() == 0

    (row,) = Forward.objects.filter(neighbour=one)
    assert row.state == Forward.State.GIVEN_UP
    assert row.error == "It did not answer within a minute."


@pytest.mark.django_db
def test_whoever_fails_five_times_is_left_alone_then_tried_with_one(post, receiver):
    one = neighbour(receiver.url)
    for _ in range(9):
        post(event("call.initiated", **leg()))
    receiver.will(answer(500))

    carry_all(one)
    one.refresh_from_db()

    assert one.is_down
    asked = len(receiver.requests)
    assert asked == 9  # they were claimed together, before it was known
    assert one.open_until > timezone.now()
    due_now()
    assert not forwarding.carry(one.pk)
    Neighbour.objects.update(open_until=timezone.now())
    assert forwarding.carry(one.pk)
    assert not forwarding.carry(one.pk)
    assert len(receiver.requests) == asked + 1
    receiver.will(answer(200))
    due_now()
    Neighbour.objects.update(open_until=timezone.now())
    carry_all(one)
    one.refresh_from_db()
    assert (one.failures, one.down_since, one.open_until) == (0, None, None)
    assert set(Forward.objects.values_list("state", flat=True)) == {Forward.State.DELIVERED}


@pytest.mark.django_db
def test_a_neighbour_that_went_down_is_told_once(post):
    one = neighbour(NOBODY)
    for _ in range(8):
        post(event("call.initiated", **leg()))

    carry_all(one)

    (told,) = Signal.objects.all()
    assert told.kind == "neighbour.down"
    assert told.subject == f"{one.name} does not answer"


@pytest.mark.django_db
def test_a_kill_between_sending_and_writing_costs_a_repetition_and_no_event(post, receiver):
    one = neighbour(receiver.url)
    post(event())
    held = forwarding._claim(one.pk)  # claimed, and then the process is gone
    assert len(held) == 1
    assert not forwarding.carry(one.pk)  # the lease holds

    due_now()  # it ends
    carry_all(one)

    assert len(receiver.requests) == 1
    forwarding._settle(held[0].forward, Forward.State.GIVEN_UP, None)  # the dead one comes back
    assert Forward.objects.get().state == Forward.State.DELIVERED


@pytest.mark.django_db
def test_a_headers_odd_bytes_keep_no_event_out(client, receiver):
    neighbour(receiver.url)
    body = event()

    answered = client.post(
        "/webhooks/telnyx",
        data=body,
        content_type="application/json",
        headers={**signed(body), "User-Agent": "x" * 5000 + "\xff"},
    )

    assert answered.status_code == 200
    assert len(json.loads(Forward.objects.get().headers)["user-agent"]) == 200


@pytest.mark.django_db
def test_old_rows_and_those_of_nobody_are_swept_away(post, receiver):
    one = neighbour(receiver.url)
    post(event())
    post(event())
    Forward.objects.filter(pk=Forward.objects.first().pk).update(
        received_at=timezone.now() - timedelta(hours=25)
    )

    assert forwarding.sweep() == 1
    if connection.vendor == "sqlite":
        Neighbour.objects.filter(pk=one.pk)._raw_delete("default")
        assert forwarding.sweep() == 1


@pytest.mark.django_db(transaction=True)
def test_a_dead_neighbour_delays_neither_the_door_nor_another_neighbour(post, receiver):
    silent = Loopback()
    silent.will(lambda handler: handler.server.over.wait(20))
    dead, alive = neighbour(silent.url), neighbour(receiver.url)
    try:
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert post(event("call.initiated", **leg())).status_code == 200
            took.append(time.monotonic() - began)
            began = time.monotonic()
            forwarding.forward_due()
            assert time.monotonic() - began < 4  # one answer is waited for five seconds
        until(
            lambda: forwarding.forward_due() >= 0 and forwarding.health(alive).delivered == 20,
            within_s=10,
            what="the other neighbour's twentieth",
        )
        assert sorted(took)[10] < 0.2
        assert forwarding.couriers.busy[dead.pk] <= forwarding.WIDTH
        assert not Forward.objects.filter(neighbour=dead, state="delivered").exists()
        assert len(receiver.requests) == 20
    finally:
        silent.stop()
        assert forwarding.couriers.rest(15)


# Pages


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


def page(client):
    return client.get("/neighbours/").content.decode()


@pytest.mark.django_db
def test_an_operator_adds_changes_pauses_and_deletes_and_the_trail_knows(operator):
    operator.post("/neighbours/", {"name": "Flow", "url": "https://flow.example/hook"})
    one = Neighbour.objects.get()
    operator.post(f"/neighbours/{one.pk}/", {"name": "Flow 2", "url": "https://flow.example/2"})
    operator.post(f"/neighbours/{one.pk}/act/", {"do": "pause"})
    one.refresh_from_db()

    assert (one.name, one.url, one.is_paused) == ("Flow 2", "https://flow.example/2", True)
    assert "Paused" in page(operator)
    operator.post(f"/neighbours/{one.pk}/act/", {"do": "resume"})
    operator.post(f"/neighbours/{one.pk}/act/", {"do": "delete"})
    assert not Neighbour.objects.exists()
    verbs = AuditRow.objects.filter(subject=f"neighbour {one.pk}").order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == [
        *("add", "change", "pause", "resume", "delete")
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["sam", "lee", "max"])
def test_nobody_else_sees_or_changes_neighbours(client, request, who):
    one = neighbour("https://flow.example/")
    client.force_login(request.getfixturevalue(who))

    assert client.get("/neighbours/").status_code == 403
    assert client.post(f"/neighbours/{one.pk}/act/", {"do": "delete"}).status_code == 403
    assert Neighbour.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://flow.example/", "http://, which is for our own network alone"),
        ("ftp://flow.example/", "must look like https://host/path"),
        ("https://me@flow.example/", "holds a user name"),
        ("https://10.0.0.8/hook", "10.0.0.8, which is not a public address"),
        ("https://[::ffff:127.0.0.1]/", "127.0.0.1, which is not a public address"),
        ("http://testserver/webhooks/telnyx/", "own webhook address"),
        ("https://flow.example/#part", "ends in #part"),
    ],
)
def test_a_bad_address_is_refused_with_its_fault(operator, settings, url, said):
    settings.PUBLIC_URL = "http://testserver"
    answered = operator.post("/neighbours/", {"name": "Flow", "url": url})

    assert answered.status_code == 422
    assert said in answered.content.decode().replace("&#x27;", "'")
    assert not Neighbour.objects.exists()


@pytest.mark.django_db
def test_the_page_shows_how_each_does(operator, post, receiver):
    one = neighbour(receiver.url)
    post(event())
    carry_all(one)
    post(event())

    text = page(operator)

    assert "Hears" in text
    assert "<dt>Waiting now</dt><dd>1" in text
    assert " ms</dd>" in text


@pytest.mark.django_db
def test_a_test_tells_what_the_neighbour_answered(operator, receiver):
    one = neighbour(receiver.url)
    receiver.will(answer(401))

    said = operator.post(f"/neighbours/{one.pk}/act/", {"do": "test"}, follow=True)

    assert "answered 401" in said.content.decode()
    assert json.loads(receiver.requests[0].body)["data"]["event_type"] == "tapeline.test"
    assert "telnyx-signature-ed25519" not in receiver.requests[0].headers


def test_the_95th_of_a_hundred_is_the_95th():
    assert forwarding._p95(list(range(1, 101))) == 95
    assert forwarding._p95([7]) == 7
    assert forwarding._p95([]) is None
