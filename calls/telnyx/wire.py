"""The line to Telnyx: one request out, one answer back, bounded in bytes and in time.

    ask(method, path, ...) -> Answer, or Rejected, or Unavailable
    rows(path, query)      -> the rows of every page

Nothing is retried, redirected, proxied, remembered or decompressed. Threads may share a Wire.
"""

import json
import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Retry

from calls.telnyx.errors import Unavailable, from_answer
from calls.telnyx.values import JSON, Unreadable, decode, table

logger = logging.getLogger(__name__)

Timeout: TypeAlias = tuple[float, float]  # seconds to connect, seconds to the next byte
Upload: TypeAlias = tuple[str, bytes, str]  # name, content, content type

VERSION = "0.1.0"
COMMAND_TIMEOUT: Timeout = (1.0, 2.0)  # a supervisor is waiting
READ_TIMEOUT: Timeout = (2.0, 10.0)
ANSWER_BYTES = 64 * 1024  # Telnyx's answer to a command has about 30
LIST_BYTES = 4 * 1024 * 1024  # 250 rows of a list, 16 KiB each
PAGE_ROWS = 250  # Telnyx's largest page
MAX_PAGES = 400  # our choice: 100,000 rows in one go, and an end to cursors that go in circles


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx. `cut` says why the body is not whole, or is ""."""

    body: bytes
    cut: str

    def table(self) -> dict[str, JSON]:
        """Return the body's object. Raises Unavailable: it was done, but not told."""
        try:
            if self.cut:
                raise Unreadable(self.cut)
            value = decode(self.body)
            if not isinstance(value, dict):
                raise Unreadable("not an object")
        except Unreadable as exc:
            message = f"Telnyx's answer cannot be read: {exc}"
            raise Unavailable(message, maybe_applied=True) from exc
        return value

    def data(self) -> dict[str, JSON]:
        """Return the object under `data`. Raises Unavailable."""
        return table(self.table().get("data"))


class Wire:
    """A pooled HTTPS session with Telnyx's API. Never logs the key."""

    def __init__(self, *, api_key: str, base_url: str) -> None:
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError("the Telnyx API key is empty, or holds a character no key has")
        address = urlsplit(base_url)
        if address.scheme not in {"http", "https"} or not address.hostname or address.query:
            raise ValueError(f"the Telnyx address {base_url!r} is not http(s)://host/path")
        self._base_url = base_url.rstrip("/")
        self.skew_s: float | None = None  # our clock minus Telnyx's, by its last answer
        self._session = requests.Session()
        self._session.trust_env = False  # no ~/.netrc, no proxy from the environment
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update(
            {
                "Authorization": f"Bearer {api_key}",
                "User-Agent": f"Tapeline/{VERSION}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # so that the byte limits mean what they say
            }
        )
        # read=False: a dropped or silent line comes out as itself, not as "retries exhausted"
        adapter = HTTPAdapter(pool_maxsize=16, max_retries=Retry(total=0, read=False))
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, JSON] | None = None,
        upload: Upload | None = None,
        timeout: Timeout = READ_TIMEOUT,
        limit: int = LIST_BYTES,
    ) -> Answer:
        """Send one request; return a 2xx within the two timeouts' sum (plus one read at worst).

        `body` goes as JSON; with an `upload`, as the other fields of a form. Raises TelnyxError.
        """
        started = monotonic()
        form = {name: str(value) for name, value in (body or {}).items()}
        try:
            with self._session.request(
                method,
                self._base_url + path,
                params=query,
                data=form if upload else _json(body),
                files={"media": upload} if upload else None,
                headers={} if upload or body is None else {"Content-Type": "application/json"},
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                content, cut = _read(response, limit, started + sum(timeout))
        except requests.RequestException as exc:
            logger.warning("%s %s: %s", method, path, type(exc).__name__)
            raise _silence(exc, timeout) from exc
        self._look_at_the_clock(response.headers.get("Date", ""), _since_ms(started) / 1000)
        logger.info("%s %s: %d, %.0f ms", method, path, response.status_code, _since_ms(started))
        if not 200 <= response.status_code < 300:
            raise from_answer(response.status_code, response.headers, content)
        return Answer(content, cut)

    def _look_at_the_clock(self, date: str, took_s: float) -> None:
        """Compare our clock with the answer's date, written about half the way back."""
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            return
        if theirs.tzinfo is not None:
            self.skew_s = (datetime.now(UTC) - theirs).total_seconds() - took_s / 2

    def rows(
        self, path: str, query: Mapping[str, str], *, size: str = "page[size]"
    ) -> Iterator[dict[str, JSON]]:
        """Yield the rows of every page, whether the answers name a cursor or a number of pages.

        `size` is the parameter that asks for large pages, "" where Telnyx documents none.
        Raises Unavailable also for pages that never end: a list cut short must not look whole.
        """
        sized = {size: str(PAGE_ROWS)} if size else {}
        page = sized
        previous: JSON = None
        for number in range(1, MAX_PAGES + 1):
            answer = self.ask("GET", path, query={**query, **page}).table()
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise Unavailable("Telnyx's list has no rows to read", maybe_applied=False)
            if rows and rows == previous:
                raise Unavailable("Telnyx gave the same page twice", maybe_applied=False)
            yield from (row for row in rows if isinstance(row, dict))
            following = _following(table(answer.get("meta")), number) if rows else {}
            if not following:
                return
            page, previous = sized | following, rows
        raise Unavailable(f"Telnyx's list has more than {MAX_PAGES} pages", maybe_applied=False)

    def page(
        self, path: str, query: Mapping[str, str], number: int
    ) -> tuple[list[dict[str, JSON]], Mapping[str, JSON]]:
        """Return the rows of one numbered page, and what is told about the list."""
        numbered = {"page[number]": str(number), "page[size]": str(PAGE_ROWS)}
        answer = self.ask("GET", path, query={**query, **numbered}).table()
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise Unavailable("Telnyx's list has no rows to read", maybe_applied=False)
        return [row for row in rows if isinstance(row, dict)], table(answer.get("meta"))


def segment(value: str) -> str:
    """Quote an id as one path segment. Raises ValueError for one that would change the path."""
    if value in {"", ".", ".."}:
        raise ValueError(f"{value!r} is no id of Telnyx")
    return quote(value, safe="!$&'()*+,;=:@")


def _json(body: Mapping[str, JSON] | None) -> bytes | None:
    return None if body is None else json.dumps(dict(body), allow_nan=False).encode()


def _read(response: requests.Response, limit: int, deadline: float) -> tuple[bytes, str]:
    """Return the body and "", or what came of it and why there is no more."""
    content = bytearray()
    try:
        # read1 comes back with whatever has arrived, so that a trickle cannot outlast the deadline
        while chunk := response.raw.read1(16_384, decode_content=False):
            content += chunk
            if len(content) > limit:
                return bytes(content[:limit]), f"longer than {limit} bytes"
            if monotonic() > deadline:
                return bytes(content), "not whole in time"
    except (HTTPError, OSError):
        return bytes(content), "the line dropped"
    return bytes(content), ""


def _silence(exc: requests.RequestException, timeout: Timeout) -> Unavailable:
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    cause = reason.args[0] if reason is not None and reason.args else None
    if isinstance(exc, requests.ConnectTimeout):
        return Unavailable(f"Telnyx was not reached within {timeout[0]:g} s", maybe_applied=False)
    if isinstance(reason, NewConnectionError):
        return Unavailable("Telnyx cannot be reached", maybe_applied=False)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unavailable("Telnyx's certificate is not trusted", maybe_applied=False)
    if isinstance(exc, requests.ReadTimeout):
        return Unavailable(f"Telnyx did not answer within {timeout[1]:g} s", maybe_applied=True)
    return Unavailable("The line to Telnyx dropped", maybe_applied=True)


def _following(meta: Mapping[str, JSON], number: int) -> dict[str, str]:
    """Return the parameters of the page after page `number`; {} after the last."""
    if "next" in meta and not meta["next"]:
        return {}
    cursor = table(meta.get("cursors")).get("after")
    if isinstance(cursor, str) and cursor:
        return {"page[after]": cursor}
    if isinstance(link := meta.get("next"), str):
        # only its parameters: a link is never followed to wherever it points
        query = parse_qsl(urlsplit(link).query.replace("+", "%2B"))
        return {name: value for name, value in query if name in {"page[after]", "page[number]"}}
    total = meta.get("total_pages")
    is_last = "cursors" in meta or (isinstance(total, int) and number >= total)
    return {} if is_last else {"page[number]": str(number + 1)}


def _since_ms(started: float) -> float:
    return (monotonic() - started) * 1000
