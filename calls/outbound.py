"""One POST to an address that a person typed: bounded in time and bytes, and to nowhere else.

    post(url, body, headers, inside=...) -> Answer(status, ...), or Forbidden, Unreached

The name is resolved once, every address of it is checked, and the connection goes to one of those
very addresses; so a name that suddenly means another machine is of no use to anybody. No
redirects, no proxies, no cookies; what is answered beyond its status is nobody's business.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

CONNECT_S = 2.0
TOTAL_S = 5.0  # from the connection to the answer, however slowly it drips
MOST_READ = 16_384  # of an answer, so that the other side may finish it

PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash
PORTS = {"https": 443, "http": 80}
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unsent(Exception):
    """It was not told, or not heard; the text says why."""


class Forbidden(Unsent):
    """We will not speak to this address before somebody changes something."""


class Unreached(Unsent):
    """It did not work this time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said, and how long it took."""

    status: int
    took_ms: int
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def check_url(url: str, *, inside: bool) -> SplitResult:
    """Return the parts of an address that may be posted to. Raises Forbidden, naming the fault."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise Forbidden(f"The address cannot be read: {exc}.") from exc
    if not PLAIN.fullmatch(url) or parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise Forbidden("The address must look like https://host/path.")
    if "@" in parts.netloc:
        raise Forbidden("The address holds a user name; leave out what is before the @.")
    if parts.fragment:
        raise Forbidden(f"The address ends in #{parts.fragment[:40]}, which is never sent.")
    if parts.scheme == "http" and not inside:
        raise Forbidden(
            "The address is http://, which is for our own network alone; use https://."
        )
    try:
        literal = ipaddress.ip_address(parts.hostname.partition("%")[0])
    except ValueError:
        return parts
    _check(literal, parts, inside=inside)
    return parts


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    inside: bool,
    total_s: float = TOTAL_S,
) -> Answer:
    """POST a body and return the answer's status. Raises Forbidden or Unreached."""
    parts = check_url(url, inside=inside)
    line = _Line(parts, _addresses(parts, inside=inside))
    watchdog = threading.Timer(total_s, line.hang_up)
    watchdog.daemon = True
    began = monotonic()
    watchdog.start()
    target = parts._replace(scheme="", netloc="").geturl() or "/"
    try:
        with _named_faults(line, total_s):
            line.request("POST", target, body, _sent(parts, headers))
            answer = line.getresponse()
            answer.read1(MOST_READ)
            if line.is_over:  # what was cut off may look like a whole answer
                raise OSError
    finally:
        watchdog.cancel()
        line.close()
    took_ms = int((monotonic() - began) * 1000)
    return Answer(answer.status, took_ms, answer.headers.get("Retry-After", ""))


def _sent(parts: SplitResult, headers: Mapping[str, str]) -> dict[str, str]:
    return {"Host": parts.netloc, "Accept-Encoding": "identity", "Connection": "close", **headers}


def _addresses(parts: SplitResult, *, inside: bool) -> list[str]:
    """Return the addresses of a host, every one of which may be spoken to."""
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise Unreached(f"The name {host[:80]} is not known.") from exc
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        _check(ipaddress.ip_address(address.partition("%")[0]), parts, inside=inside)
    return addresses


def _check(address: Address, parts: SplitResult, *, inside: bool) -> None:
    """Refuse an address that is not public, or that not even our own network may be told."""
    meant = _meant(address)
    host = parts.hostname
    if meant.is_link_local or meant.is_multicast or meant.is_unspecified:
        raise Forbidden(f"{host} leads to {meant}, which no application answers at.")
    if not inside and not meant.is_global:
        raise Forbidden(
            f"{host} leads to {meant}, which is not a public address; if that is meant,"
            " tick “This is inside our network”."
        )
    if parts.scheme == "http" and meant.is_global:
        raise Forbidden(f"{host} leads to {meant}, which is public; use https:// there.")


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


class _Line(http.client.HTTPConnection):
    """One connection to one of the checked addresses."""

    def __init__(self, parts: SplitResult, addresses: list[str]) -> None:
        super().__init__(parts.hostname or "", parts.port or PORTS[parts.scheme], CONNECT_S)
        self.is_secure = parts.scheme == "https"
        self.addresses = addresses
        self.is_over = False

    def connect(self) -> None:
        self.sock = self._reach()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(None)  # the watchdog ends it
        if self.is_secure:
            roots = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
            self.sock = roots.wrap_socket(self.sock, server_hostname=self.host)

    def _reach(self) -> socket.socket:
        for address in self.addresses[:-1]:
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError:
                continue
        return socket.create_connection((self.addresses[-1], self.port), self.timeout)

    def hang_up(self) -> None:
        """End whatever the line waits for."""
        self.is_over = True
        try:
            if self.sock:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@contextmanager
def _named_faults(line: _Line, total_s: float) -> Iterator[None]:
    """Turn what the network and a broken server raise into Unreached."""
    try:
        yield
    except TimeoutError as exc:
        raise Unreached(f"No connection within {CONNECT_S:.0f} s.") from exc
    except ssl.SSLCertVerificationError as exc:
        raise Unreached("Its certificate is not trusted.") from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        if line.is_over:
            raise Unreached(f"No answer within {total_s:.0f} s.") from exc
        why = getattr(exc, "strerror", None) or type(exc).__name__
        raise Unreached(f"The line failed: {why}.") from exc
