"""HTTP: requests in, answers out, faults in between.

    /v2/...                        Telnyx's API, with its bearer token
    /telephony-recorder-prod/...   the recordings' files, by signed link
    /_simulator/...                the levers

One thread per connection, HTTP/1.1 with keep-alive, one write per answer.
"""

import json
import logging
import socket
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from simulator import api, downloads, levers
from simulator.answers import Answer, Refused, error, refused
from simulator.faults import Rule
from simulator.files import BUCKET
from simulator.routing import Raw, Request, Result, Route, find, query_of
from simulator.switchboard import Options, Switchboard

BODY_LIMIT = 25 * 1024 * 1024
API, LEVERS = "/v2", "/_simulator"
REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

log = logging.getLogger("simulator.http")


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120  # an idle connection is closed
    server: "Server"

    def handle_request(self) -> None:
        """Answer one request, whatever its method."""
        try:
            request = self._read()
            self._answer(request)
        except Refused as refusal:
            self._write(refusal.answer)
        except (Dropped, ConnectionError):
            self.close_connection = True
        except Exception:
            log.exception("%s %s", self.command, self.path)
            self._write(Answer(500, {"errors": [error("10007", "Unexpected error.")]}))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Log at debug level: a busy test writes thousands of lines otherwise."""
        log.debug(format, *args)

    def _read(self) -> Request:
        split = urlsplit(self.path)
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT or "transfer-encoding" in self.headers:
            self.close_connection = True
            raise refused(413, "10033", f"The body must have a known length up to {BODY_LIMIT}.")
        return Request(
            method=self.command,
            path=split.path,
            query=query_of(split.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            content=self.rfile.read(int(length)),
            body={},
            named={},
        )

    def _answer(self, request: Request) -> None:
        if request.path.startswith(BUCKET):
            downloads.serve(self.server.board, request, self)
        elif request.path.startswith(f"{LEVERS}/"):
            route = _route(levers.ROUTES, LEVERS, request)
            self._write(route.handler(self.server.board, _parsed(request, is_strict=False)))
        elif request.path.startswith(f"{API}/"):
            self._answer_api(request)
        else:
            raise refused(404, "10005", f"There is nothing at {request.path}.")

    def _answer_api(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.server.board.options.api_key}":
            detail = "The required authentication headers were either invalid or not included."
            raise refused(401, "10009", detail)
        route = _route(api.ROUTES, API, request)
        action = request.named.get("action") or ("dial" if route.handler is api.calls.dial else "")
        names = [f"{route.method} {route.template}", *([action] if action else [])]
        rule = self.server.board.faults.route(names, request.named.get("call_control_id", ""))
        if rule is None:
            self._write(route.handler(self.server.board, _parsed(request)))
        else:
            self._misbehave(rule, route, request, action)

    def _misbehave(self, rule: Rule, route: Route, request: Request, action: str) -> None:
        """Answer as a fault wants it."""
        if rule.do in ("status", "drop", "hang"):
            self._withhold(rule, request, action)
        else:
            self._apply(rule, route, request)

    def _withhold(self, rule: Rule, request: Request, action: str) -> None:
        """Apply nothing; a command is only remembered."""
        if action:
            try:
                body = _parsed(request).body
            except Refused:
                body = {}
            token = request.named.get("call_control_id", "")
            self.server.board.intercept(action, token, body)
        if rule.do == "hang":
            time.sleep(rule.get("seconds", 30.0))
        if rule.do in ("hang", "drop"):
            raise Dropped
        self._write(*_scripted(rule))

    def _apply(self, rule: Rule, route: Route, request: Request) -> None:
        """Apply the request, and spoil the answer or its time."""
        if rule.do == "delay":
            time.sleep(rule.get("seconds", 1.0))
        try:
            result = route.handler(self.server.board, _parsed(request))
        except Refused as refusal:
            result = refusal.answer
        if rule.do == "apply_then_drop":
            raise Dropped
        if rule.do == "apply_then_delay":
            time.sleep(rule.get("seconds", 1.0))
        if rule.do == "apply_then_status":
            self._write(*_scripted(rule))
        else:
            self._write(result)

    def _write(self, result: Result, headers: dict[str, str] | None = None) -> None:
        if isinstance(result, Raw):
            content, kind = result.content, result.content_type
        else:
            content = b"" if result.body is None else json.dumps(result.body).encode()
            kind = "application/json"
        self.send(result.status, content, {"Content-Type": kind} | (headers or {}))

    def send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str],
        *,
        length: int | None = None,
    ) -> None:
        """Write status, headers and content at once; `length` says more than that is to follow."""
        shown = len(content) if length is None else length
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if status != 204 and shown >= 0:
            lines.append(f"Content-Length: {shown}")
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        self.wfile.write(head if self.command == "HEAD" else head + content)


def _route(routes: list[Route], prefix: str, request: Request) -> Route:
    """Return a request's route, its placeholders filled in. Raises Refused if there is none."""
    method = "GET" if request.method == "HEAD" else request.method
    route, request.named, methods = find(routes, method, request.path.removeprefix(prefix))
    if route is None:
        if methods:
            raise refused(405, "10005", f"{request.path} takes {', '.join(sorted(methods))}.")
        raise refused(404, "10005", f"There is nothing at {request.path}.")
    return route


def _parsed(request: Request, *, is_strict: bool = True) -> Request:
    """Return the request with its JSON body. Telnyx requires one, `{}` at least."""
    kind = request.headers.get("content-type", "")
    if request.method not in ("POST", "PUT", "PATCH") or kind.startswith("multipart/"):
        return request
    if not request.content:
        if is_strict:
            raise refused(400, "10015", "The request body is empty, must be a JSON object.")
        return request
    try:
        body = json.loads(request.content)
    except (ValueError, RecursionError) as exc:
        raise refused(400, "10015", f"The request body is not JSON: {exc}.") from exc
    if not isinstance(body, dict):
        raise refused(400, "10015", "The request body must be a JSON object.")
    request.body = body
    return request


def _scripted(rule: Rule) -> tuple[Answer, dict[str, str]]:
    """Return the answer and the headers that a fault's script gives."""
    status = int(rule.get("status", 500))
    body = rule.get("body", {"errors": [error("10007", "A fault was asked for.")]})
    headers = {name: str(value) for name, value in rule.get("headers", {}).items()}
    return Answer(status, body), headers


class Server(ThreadingHTTPServer):
    """A stand-in that listens."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, options: Options, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.board = Switchboard(options)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> "Server":
        """Serve from a thread of its own."""
        self.board.start(self.url)
        threading.Thread(target=self.serve_forever, args=(0.05,), name="http", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening; the world stands still from then on."""
        self.shutdown()
        self.server_close()
        self.board.stop()

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any
    ) -> None:
        """Pass over clients that went away."""
        log.debug("a client went away: %s", client_address)
