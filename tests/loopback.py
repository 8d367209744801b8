"""A tiny HTTP server on the loopback that answers as told and remembers what it was asked."""

import json
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Request = namedtuple("Request", "method path query headers body")


def answer(status=200, body=b'{"data":{"result":"ok"}}', **headers):
    """Return a plain answer; `body` may be a value to send as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def send(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return send


def fault(status, code=None, title="Title", **more):
    """Return an answer with one of Telnyx's errors."""
    return answer(status, {"errors": [{"code": code, "title": title, **more}]})


def hang_up(handler):
    """Drop the line without a word."""
    handler.close_connection = True
    handler.connection.shutdown(2)


class Loopback(ThreadingHTTPServer):
    """Answers the queued answers in turn, then the last one for ever."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.answers = [answer()]
        self.over = threading.Event()  # set when the test ends: lets slow answers go
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def will(self, *answers):
        """Queue the next answers."""
        self.answers = list(answers)

    def stop(self):
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Say nothing of clients that went away: they are meant to."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # headers and body in one packet, as a real server sends them

    def do(self):
        length = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(length)
        self.server.requests.append(Request(self.command, url.path, query, self.headers, body))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do  # noqa: N815  (the names it looks for)

    def log_message(self, *_):
        pass
