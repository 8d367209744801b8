"""A POST goes to the address that was meant and to no other, and never takes long."""

import socket
import time

import pytest

from calls import outbound
from tests.loopback import Loopback, answer, hang_up


@pytest.fixture
def receiver():
    server = Loopback()
    yield server
    server.stop()


def resolve(monkeypatch, *addresses):
    """Let every name lead to these addresses; count how often it is asked."""
    asked = []

    def getaddrinfo(host, port, *_, **__):
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in it else socket.AF_INET, 1, 6, "", (it, port))
            for it in addresses
        ]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", getaddrinfo)
    return asked


NOT_PUBLIC = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_that_leads_inside_is_refused(monkeypatch, address):
    resolve(monkeypatch, address)

    with pytest.raises(outbound.Forbidden, match="leads to"):
        outbound.post("https://hook.example/", b"", {}, inside=False)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_one_bad_address_among_good_ones_is_enough(monkeypatch, address):
    resolve(monkeypatch, "93.184.216.34", address)

    with pytest.raises(outbound.Forbidden):
        outbound.post("https://hook.example/", b"", {}, inside=False)


@pytest.mark.parametrize(
    "literal", ["127.0.0.1", "[::1]", "10.0.0.1", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
def test_an_address_written_out_is_refused_before_anything_is_asked(literal):
    with pytest.raises(outbound.Forbidden):
        outbound.check_url(f"https://{literal}/", inside=False)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::"])
def test_even_our_own_network_has_no_metadata_service(monkeypatch, address):
    resolve(monkeypatch, address)

    with pytest.raises(outbound.Forbidden, match="no application"):
        outbound.post("http://hook.example/", b"", {}, inside=True)


def test_plain_http_is_for_private_addresses_alone(monkeypatch):
    resolve(monkeypatch, "93.184.216.34")

    with pytest.raises(outbound.Forbidden, match="which is public; use https"):
        outbound.post("http://hook.example/", b"", {}, inside=True)


@pytest.mark.parametrize("odd", ["2130706433", "0x7f000001", "127.1", "017700000001"])
def test_odd_spellings_of_loopback_are_loopback(odd):
    with pytest.raises(outbound.Unsent):
        outbound.post(f"https://{odd}/", b"", {}, inside=False)


def test_the_name_is_asked_once_and_the_checked_address_is_used(monkeypatch, receiver):
    asked = resolve(monkeypatch, "127.0.0.1")

    answered = outbound.post(
        f"http://flow.internal:{receiver.server_port}/x", b"body", {}, inside=True
    )

    assert answered.status == 200
    assert asked == ["flow.internal", "127.0.0.1"]  # the second is the address itself
    assert receiver.requests[0].headers["host"] == f"flow.internal:{receiver.server_port}"


def test_a_redirect_is_an_answer_and_not_followed(receiver):
    receiver.will(answer(307, Location=f"{receiver.url}/elsewhere"))

    assert outbound.post(receiver.url, b"x", {}, inside=True).status == 307
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_not_used(monkeypatch, receiver):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert outbound.post(receiver.url, b"x", {}, inside=True).status == 200


def drip(handler):
    handler.connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.over.wait(0.05):
        try:
            handler.connection.sendall(b"X-Drip: x\r\n")
        except OSError:
            return


def test_an_answer_that_drips_is_cut_off(receiver):
    receiver.will(drip)
    began = time.monotonic()

    with pytest.raises(outbound.Unreached, match="No answer within 0 s"):
        outbound.post(receiver.url, b"x", {}, inside=True, total_s=0.4)

    assert time.monotonic() - began < 2


def test_of_a_huge_answer_only_the_beginning_is_read(receiver):
    receiver.will(answer(200, b"x" * 50_000_000))
    began = time.monotonic()

    assert outbound.post(receiver.url, b"x", {}, inside=True).status == 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("does", "said"),
    [(hang_up, "The line failed"), (lambda h: h.wfile.write(b"?"), "line failed")],
)
def test_a_broken_server_is_a_reason(receiver, does, said):
    receiver.will(does)

    with pytest.raises(outbound.Unreached, match=said):
        outbound.post(receiver.url, b"x", {}, inside=True)
