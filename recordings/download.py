"""Bytes from the recording store, and from nowhere else: one GET, bounded in bytes and in time.

    stream(url, allow=..., write=...) -> Body(size, length, sha256), or Refused, Expired, Unusable

No redirects, proxies, cookies, keys or compression. The address is checked after connecting, so a
name that suddenly means another machine is of no use to anybody.
"""

import hashlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from urllib.parse import unquote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

MOST_BYTES = 1 << 30  # 9 hours of stereo WAV; Telnyx records at most 4, or 12 from the answer on
BLOCK_BYTES = 1 << 18
CONNECT_S, SILENCE_S = 5.0, 15.0
ANSWER_S = 30.0  # until the headers are there, however slowly they drip
GRACE_S, SLOWEST = 60.0, 128_000  # a download may take so long, and a second more for each 128 kB
EXPIRED = {403, 404, 410}  # S3 says 403; then a fresh link is worth one more try

NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"https": 443, "http": 80}
PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash


class Refused(Exception):
    """We will not fetch this: trying again cannot help before somebody changes something."""


class Unusable(Exception):
    """It did not work this time; the text says why."""


class Expired(Unusable):
    """The link is no longer good."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a link points, as far as an entry of the allow-list covers it."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Body:
    """What was received."""

    size: int
    length: int | None  # as announced; None if the store did not say
    sha256: str


def is_web(url: str) -> bool:
    """Say whether a link is one of the web; a customer's own bucket is s3:// or gs://."""
    return url.lower().startswith(("https://", "http://"))


def place_of(url: str, allow: Sequence[str]) -> Place:
    """Return where a link points. Raises Refused unless an entry of the allow-list covers it."""
    place = _place(url, "The link")
    for entry in allow:
        known = _place(entry, f"TELNYX_MEDIA_ALLOW's entry {entry!r}")
        same_server = (place.scheme, place.host, place.port) == (
            known.scheme,
            known.host,
            known.port,
        )
        if same_server and place.path.startswith(known.path.rstrip("/") + "/"):
            return place
    raise Refused(
        f"The link points to {place.scheme}://{place.host}{_port(place)}{_folder(place.path)},"
        " which TELNYX_MEDIA_ALLOW does not list."
    )


def _place(url: str, what: str) -> Place:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as exc:
        raise Refused(f"{what} cannot be read: {exc}.") from exc
    steps = unquote(parts.path).split("/")
    if (
        not PLAIN.fullmatch(url)
        or parts.scheme not in PORTS
        or not parts.hostname
        or "@" in parts.netloc
        or "." in steps
        or ".." in steps
    ):
        raise Refused(f"{what} is not a plain http(s)://host/path.")
    return Place(parts.scheme, parts.hostname, port, parts.path)


def _port(place: Place) -> str:
    return "" if place.port == PORTS[place.scheme] else f":{place.port}"


def _folder(path: str) -> str:
    """Return the first step of a path: enough to know a bucket by, without the link's secret."""
    return "/" + path.split("/")[1] + "/" if path.count("/") > 1 else "/"


def stream(
    url: str,
    *,
    allow: Sequence[str],
    write: Callable[[bytes], object],
    expect: Callable[[int | None], None] = lambda length: None,
    beat: Callable[[], None] = lambda: None,
) -> Body:
    """GET a link and hand its bytes to `write`.

    `expect` hears the length before the first byte, `beat` is called after each block; what the
    three raise ends the download. Raises Refused, Expired or Unusable.
    """
    line = _Line(place_of(url, allow))
    started = monotonic()
    try:
        answer = _ask(line, url)
        length = _length(answer)
        expect(length)
        size, digest = 0, hashlib.sha256()
        while block := _read(answer):
            size += len(block)
            if size > MOST_BYTES:
                raise Refused(f"The file is longer than the limit of {MOST_BYTES >> 20} MB.")
            if (taken := monotonic() - started) > GRACE_S + size / SLOWEST:
                raise Unusable(f"The file came too slowly: {size:,} bytes in {taken:.0f} s.")
            digest.update(block)
            write(block)
            beat()
    finally:
        line.close()
    if length is not None and size != length:
        raise Unusable(f"The file came cut short: {size:,} of {length:,} bytes.")
    return Body(size, length, digest.hexdigest())


class _Line(http.client.HTTPConnection):
    """One connection to an allowed place, over TLS unless the allow-list says http."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.host, place.port, timeout=CONNECT_S)
        self.place = place

    def connect(self) -> None:
        super().connect()
        _check_peer(self.sock.getpeername()[0], self.place.host)
        self.sock.settimeout(SILENCE_S)
        if self.place.scheme == "https":
            roots = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
            self.sock = roots.wrap_socket(self.sock, server_hostname=self.host)

    def hang_up(self) -> None:
        """End whatever the line waits for."""
        try:
            if self.sock:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _check_peer(address: str, host: str) -> None:
    """Refuse an address that is not public, unless the allow-list names that very address."""
    peer = ipaddress.ip_address(address.partition("%")[0])
    if host == str(peer) or (host == "localhost" and peer.is_loopback):
        return
    if peer in NAT64:
        peer = ipaddress.IPv4Address(int(peer) & 0xFFFFFFFF)
    if not peer.is_global or peer.is_multicast:
        raise Unusable(f"{host} leads to {peer}, which is not a public address.")


def _ask(line: _Line, url: str) -> http.client.HTTPResponse:
    """Send the request; return an answer of 200."""
    target = urlsplit(url)._replace(scheme="", netloc="", fragment="").geturl()
    headers = {
        "Host": urlsplit(url).netloc,
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "Tapeline",
    }
    watchdog = threading.Timer(ANSWER_S, line.hang_up)
    watchdog.daemon = True
    watchdog.start()
    with _named_faults():
        try:
            line.request("GET", target, headers=headers)
            answer = line.getresponse()
        finally:
            watchdog.cancel()
    if answer.status in EXPIRED:
        raise Expired(f"The link is no longer good: the store answered {answer.status}.")
    if answer.status != http.client.OK:
        told = "with a redirect, which is not followed" if answer.status // 100 == 3 else ""
        raise Unusable(f"The store answered {told or answer.status}.")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unusable("The store sent the file compressed, which was not asked for.")
    return answer


def _length(answer: http.client.HTTPResponse) -> int | None:
    told = answer.headers.get_all("Content-Length")
    if not told or answer.headers.get("Transfer-Encoding"):
        return None
    if len(set(told)) > 1 or not told[0].isascii() or not told[0].isdigit():
        raise Unusable("The store announced a length that is no number.")
    length = int(told[0])
    if length > MOST_BYTES:
        raise Refused(f"The file has {length:,} bytes, the limit is {MOST_BYTES >> 20} MB.")
    return length


def _read(answer: http.client.HTTPResponse) -> bytes:
    # read1 comes back with whatever has arrived, so that a trickle cannot outlast the deadline
    with _named_faults():
        return answer.read1(BLOCK_BYTES)


@contextmanager
def _named_faults() -> Iterator[None]:
    """Turn what the network and a broken server raise into Unusable."""
    try:
        yield
    except TimeoutError as exc:
        raise Unusable(f"The store was silent for {SILENCE_S:.0f} s.") from exc
    except ssl.SSLCertVerificationError as exc:
        raise Unusable("The store's certificate is not trusted.") from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        why = getattr(exc, "strerror", None) or type(exc).__name__
        raise Unusable(f"The line to the store failed: {why}.") from exc
