"""Other systems are told signals, signed by the Standard Webhooks rules, until they hear them."""

import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls import deliveries, signals
from calls.models import Delivery, Endpoint, Signal
from tests.desk import until
from tests.loopback import Loopback, answer, hang_up

pytestmark = pytest.mark.django_db
oracle = pytest.importorskip("standardwebhooks", reason="NO ORACLE: it is in requirements-dev.txt")
ENDED = "call.ended_paused"


@pytest.fixture
def receiver():
    server = Loopback()
    yield server
    server.stop()


def endpoint(url, *kinds, name="CRM", **more):
    return Endpoint.objects.create(
        name=name,
        url=url,
        is_inside=True,
        kinds=kinds or [ENDED],
        secret=deliveries.new_secret(),
        **more,
    )


def tell(cause="1", kind=ENDED):
    signals.tell(kind, "Who: +12125550100", "What was said", "/calls/7/", cause=cause, call=7)
    signals.fan_out_due()


def deliver(one, *, hurry=True):
    if hurry:
        Delivery.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    while deliveries.carry(one.pk):
        pass


def verified(request, secret):
    """Return what a receiver takes out of a message. Raises what the oracle raises."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return oracle.Webhook(secret).verify(request.body, headers)


def test_a_message_is_what_the_standards_own_library_accepts(receiver, settings):
    settings.PUBLIC_URL = "https://desk.example"
    one = endpoint(receiver.url)
    tell()

    deliver(one)

    (request,) = receiver.requests
    told = verified(request, one.secret)
    assert told["type"] == ENDED
    assert told["data"] == {"call": "7", "url": "https://desk.example/calls/7/"}
    assert b"212555" not in request.body
    assert b"said" not in request.body
    assert len(request.body) < 1000
    with pytest.raises(oracle.WebhookVerificationError):
        verified(request, deliveries.new_secret())
    assert Delivery.objects.get().state == Delivery.State.DELIVERED


def test_every_try_has_the_same_id_and_body_and_its_own_time(receiver, monkeypatch):
    one = endpoint(receiver.url)
    tell()
    receiver.will(answer(500), hang_up, answer(204))
    for at in range(3):
        now = time.time()
        monkeypatch.setattr(deliveries.time, "time", lambda at=at, now=now: now + at)
        deliver(one)

    first, *others = receiver.requests
    for other in others:
        assert other.headers["webhook-id"] == first.headers["webhook-id"]
        assert other.body == first.body
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 3
    row = Delivery.objects.get()
    assert row.state == Delivery.State.DELIVERED
    assert [entry["status"] for entry in row.log] == [500, None, 204]


def test_the_schedule_is_the_specifications_and_ends_after_three_days(receiver):
    one = endpoint(receiver.url)
    tell()
    receiver.will(answer(500))
    waits = []
    while Delivery.objects.get().state != Delivery.State.GIVEN_UP:
        began = timezone.now()
        deliver(one)
        row = Delivery.objects.get()
        waits.append(row.due_at and (row.due_at - began).total_seconds())

    assert len(waits) == 10
    for waited, wait in zip(waits, deliveries.WAITS_S, strict=False):
        assert wait <= waited <= wait * 1.1 + 5
    assert waits[-1] is None
    assert 75 * 3600 < sum(deliveries.WAITS_S) < 76 * 3600


def test_an_endpoint_that_asks_for_time_gets_it(receiver):
    one = endpoint(receiver.url)
    tell()
    receiver.will(answer(429, Retry_After="600"))

    deliver(one)

    assert Delivery.objects.get().due_at > timezone.now() + timedelta(seconds=590)


def test_410_switches_it_off_and_an_operator_hears_of_it(receiver, olga):
    one = endpoint(receiver.url)
    tell("1")
    tell("2")
    receiver.will(answer(410))

    deliver(one)
    tell("3")

    one.refresh_from_db()
    assert one.state == Endpoint.State.GONE
    assert len(receiver.requests) == 1
    assert Delivery.objects.filter(signal__kind=ENDED).count() == 2
    assert Signal.objects.filter(kind="endpoint.gone").count() == 1


def test_only_what_it_asked_for_and_nothing_while_paused(receiver):
    endpoint(receiver.url, "recording.stored", name="A")
    endpoint(receiver.url, ENDED, name="B", state=Endpoint.State.PAUSED)

    tell()

    assert not Delivery.objects.exists()


def test_a_kill_after_sending_repeats_it_with_the_same_id(receiver):
    one = endpoint(receiver.url)
    tell()
    lost = deliveries._claim(one.pk)
    deliveries._post(lost.endpoint, deliveries.message_id(lost.signal), b"{}")  # and killed
    assert not deliveries.carry(one.pk)  # the lease holds

    deliver(one)

    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    deliveries._settle(lost, Delivery.State.GIVEN_UP, deliveries.Told(500, 1, ""), timezone.now())
    assert Delivery.objects.get().state == Delivery.State.DELIVERED  # the dead one is fenced off


def test_after_a_rotation_both_secrets_prove_a_message_for_a_day(receiver):
    one = endpoint(receiver.url)
    old, new = one.secret, deliveries.rotate(one)
    tell("1")
    deliver(one)

    for secret in (old, new):
        assert verified(receiver.requests[0], secret)
    Endpoint.objects.update(old_until=timezone.now())
    tell("2")
    deliver(one)
    assert verified(receiver.requests[1], new)
    with pytest.raises(oracle.WebhookVerificationError):
        verified(receiver.requests[1], old)


def test_a_private_address_that_nobody_allowed_is_never_spoken_to(receiver):
    one = endpoint(receiver.url.replace("http:", "https:"))
    Endpoint.objects.update(is_inside=False)
    tell()

    deliver(one)

    assert receiver.requests == []
    assert "not a public address" in Delivery.objects.get().log[0]["error"]


@pytest.mark.django_db(transaction=True)
def test_threads_deliver_and_a_slow_endpoint_holds_up_no_other(receiver):
    silent = Loopback()
    silent.will(lambda handler: handler.server.over.wait(20))
    endpoint(silent.url, name="slow")
    one = endpoint(receiver.url, name="quick")
    try:
        for number in range(12):
            tell(str(number))
        until(
            lambda: deliveries.deliver_due() >= 0 and len(receiver.requests) == 12,
            within_s=10,
            what="the quick one's twelfth",
        )
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 12
    finally:
        silent.stop()
        assert deliveries.couriers.rest(15)
    assert Delivery.objects.filter(endpoint=one, state="delivered").count() == 12


# Pages


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


def add(operator, **more):
    typed = {"name": "CRM", "url": "https://crm.example/hook", "kinds": [ENDED]} | more
    return operator.post("/endpoints/", typed, follow=True)


def test_the_secret_is_shown_once(operator):
    page = add(operator).content.decode()

    one = Endpoint.objects.get()
    assert one.secret in page
    assert one.secret not in operator.get(f"/endpoints/{one.pk}/").content.decode()
    fresh = operator.post(f"/endpoints/{one.pk}/act/", {"do": "rotate"}, follow=True)
    one.refresh_from_db()
    assert one.secret in fresh.content.decode()
    assert one.old_secret not in fresh.content.decode()
    assert not AuditRow.objects.filter(details__icontains="whsec_").exists()


def test_a_delivery_can_be_sent_again(operator, receiver):
    one = endpoint(receiver.url)
    tell()
    deliver(one)
    row = Delivery.objects.get()

    operator.post(f"/endpoints/deliveries/{row.pk}/resend/")
    deliver(one)

    assert len(receiver.requests) == 2
    page = operator.get(f"/endpoints/{one.pk}/").content.decode()
    assert "2 attempts" in page
    assert AuditRow.objects.filter(verb="resend").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://crm.example/"}, "for our own network alone"),
        ({"kinds": []}, "Choose at least one."),
        ({"kinds": ["made.up"]}, "made.up"),
        ({"name": ""}, "required"),
    ],
)
def test_a_bad_endpoint_is_refused_with_its_fault(operator, wrong, said):
    answered = add(operator, **wrong)

    assert answered.status_code == 422
    assert said in answered.content.decode()
    assert not Endpoint.objects.exists()


def test_an_operator_changes_pauses_tests_and_deletes(operator, receiver):
    one = endpoint(receiver.url)
    operator.post(f"/endpoints/{one.pk}/act/", {"do": "test"})
    assert verified(receiver.requests[0], one.secret)["type"] == "tapeline.test"
    operator.post(f"/endpoints/{one.pk}/act/", {"do": "pause"})
    one.refresh_from_db()
    assert one.state == Endpoint.State.PAUSED
    operator.post(f"/endpoints/{one.pk}/act/", {"do": "resume"})
    operator.post(
        f"/endpoints/{one.pk}/",
        {"name": "Other", "url": "https://other.example/", "kinds": ["recording.stored"]},
    )
    one.refresh_from_db()
    assert (one.name, one.kinds, one.state) == ("Other", ["recording.stored"], "active")
    operator.post(f"/endpoints/{one.pk}/act/", {"do": "delete"})
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("who", ["sam", "lee", "max"])
def test_nobody_else_sees_endpoints(client, request, who):
    client.force_login(request.getfixturevalue(who))
    one = endpoint("https://crm.example/")

    for page in ("/endpoints/", f"/endpoints/{one.pk}/"):
        assert client.get(page).status_code == 403
    assert client.post(f"/endpoints/{one.pk}/act/", {"do": "delete"}).status_code == 403


def test_the_example_of_the_specification_is_signed_as_it_says():
    signature = deliveries.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_bodies_are_json_in_one_spelling():
    signal = Signal(kind=ENDED, url="/x/", ids={"b": "2", "a": "1"}, at=timezone.now())

    assert deliveries.body(signal) == deliveries.body(signal)
    assert list(json.loads(deliveries.body(signal))) == ["data", "timestamp", "type"]
