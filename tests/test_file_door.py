"""The file door sends what Django named, by RFC 9110, and never anything else."""

import asyncio
import threading

import pytest
from a2wsgi import WSGIMiddleware

from dashboard import files
from dashboard.files import PART_BYTES, serve_files

SIZE = 3 * PART_BYTES + 123
BYTES = bytes(i * i % 251 for i in range(SIZE))
ETAG = b'"abc"'


@pytest.fixture(autouse=True)
def media(settings):
    settings.MEDIA_ROOT.mkdir()
    (settings.MEDIA_ROOT / "ab").mkdir()
    (settings.MEDIA_ROOT / "ab" / "file.wav").write_bytes(BYTES)
    (settings.MEDIA_ROOT / "empty.wav").touch()
    (settings.MEDIA_ROOT.parent / "secret").write_text("secret")
    return settings.MEDIA_ROOT


def app(redirect="/_media/ab/file.wav", *, seen=None, **headers):
    """Return an application that has a file sent, with these headers beside."""

    async def app(scope, receive, send):
        if seen is not None:
            seen.append(scope)
        sent = {"content-type": "audio/wav", "etag": ETAG.decode(), "content-length": "4"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if redirect is not None:
            sent["X-Accel-Redirect"] = redirect
        pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"body", "more_body": False})

    return app


class Answer:
    def __init__(self, messages):
        self.status = messages[0]["status"]
        self.headers = {
            key.decode().lower(): value.decode() for key, value in messages[0]["headers"]
        }
        self.blocks = [message["body"] for message in messages[1:]]
        self.body = b"".join(self.blocks)
        self.is_ended = not messages[-1].get("more_body", False)


def ask(app, *headers, method="GET", send=None):
    """Send one request through the door; return the answer."""
    messages = []

    async def receive():
        if not receive.asked:
            receive.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return await asyncio.Event().wait()

    async def collect(message):
        messages.append(message)

    receive.asked = False
    scope = {"type": "http", "method": method, "path": "/x", "headers": list(headers)}
    asyncio.run(serve_files(app)(scope, receive, send or collect))
    return Answer(messages) if messages else None


def part(start, stop):
    return 206, f"bytes {start}-{stop - 1}/{SIZE}", BYTES[start:stop]


WHOLE = (200, None, BYTES)
OUTSIDE = (416, f"bytes */{SIZE}", b"The range lies outside the file.")
RANGES = {
    "bytes=0-0": part(0, 1),
    "bytes=0-99": part(0, 100),
    "bytes=100-199": part(100, 200),
    "Bytes=100-199": part(100, 200),
    "bytes=0-": part(0, PART_BYTES),
    f"bytes=0-{SIZE - 1}": part(0, PART_BYTES),
    f"bytes={SIZE - 5}-": part(SIZE - 5, SIZE),
    f"bytes={SIZE - 1}-{SIZE - 1}": part(SIZE - 1, SIZE),
    f"bytes={SIZE - 5}-{SIZE + 100}": part(SIZE - 5, SIZE),
    f"bytes=7-{'9' * 40}": part(7, 7 + PART_BYTES),
    "bytes=-1": part(SIZE - 1, SIZE),
    "bytes=-500": part(SIZE - 500, SIZE),
    f"bytes=-{SIZE + 1}": part(0, PART_BYTES),
    "bytes=-0": OUTSIDE,
    f"bytes={SIZE}-": OUTSIDE,
    f"bytes={SIZE}-{SIZE + 10}": OUTSIDE,
    f"bytes={'9' * 40}-": OUTSIDE,
    "bytes=0-0,5-9": WHOLE,
    "bytes=0-0, -1": WHOLE,
    "bytes=9-5": WHOLE,
    "bytes=-": WHOLE,
    "bytes=": WHOLE,
    "bytes=a-b": WHOLE,
    "bytes=1": WHOLE,
    "bytes=+1-2": WHOLE,
    "bytes=٣-٤": WHOLE,
    "bytes=--1": WHOLE,
    "items=0-5": WHOLE,
    "0-5": WHOLE,
    f"bytes=0-{'9' * 5000}": WHOLE,
    "": WHOLE,
}


@pytest.mark.parametrize("asked", RANGES, ids=lambda text: text[:30] or "nothing")
def test_ranges_follow_rfc_9110(asked):
    status, content_range, body = RANGES[asked]

    answer = ask(app(), (b"range", asked.encode()))

    assert (answer.status, answer.headers.get("content-range")) == (status, content_range)
    assert answer.body == body
    assert answer.headers["content-length"] == str(len(body))
    assert answer.is_ended


def test_without_a_range_the_file_comes_whole_in_bounded_blocks():
    answer = ask(app())
    assert (answer.status, answer.body) == (200, BYTES)
    assert answer.headers["accept-ranges"] == "bytes"
    assert max(map(len, answer.blocks)) <= files.BLOCK_BYTES


def test_head_tells_the_length_and_sends_nothing():
    answer = ask(app(), (b"range", b"bytes=0-9"), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (b'"abc"', 206),
        (b'"other"', 200),
        (b'W/"abc"', 200),
        (b"Mon, 23 Nov 2026 07:00:00 GMT", 200),
        (b"abc", 200),
        (b"", 200),
    ],
)
def test_a_part_is_sent_only_of_the_version_the_browser_has(version, status):
    answer = ask(app(), (b"range", b"bytes=0-9"), (b"if-range", version))
    assert answer.status == status


def test_without_a_version_of_our_own_if_range_means_everything():
    assert ask(app(etag=""), (b"range", b"bytes=0-9"), (b"if-range", b"")).status == 200


def test_a_weak_version_never_joins_parts():
    weak = b'W/"abc"'
    answer = ask(app(etag=weak.decode()), (b"range", b"bytes=0-9"), (b"if-range", weak))
    assert answer.status == 200


def test_two_range_headers_mean_everything():
    assert ask(app(), (b"range", b"bytes=0-9"), (b"range", b"bytes=5-9")).status == 200


def test_an_attachment_comes_whole():
    answer = ask(app(content_disposition='attachment; filename="x"'), (b"range", b"bytes=0-9"))
    assert (answer.status, answer.body) == (200, BYTES)
    assert answer.headers["accept-ranges"] == "none"


def test_what_django_says_stays_and_what_is_between_us_goes():
    answer = ask(app(cache_control="private, no-store"), (b"range", b"bytes=0-9"))
    assert answer.headers["cache-control"] == "private, no-store"
    assert (answer.headers["content-type"], answer.headers["etag"]) == ("audio/wav", '"abc"')
    assert "x-accel-redirect" not in answer.headers


def test_other_answers_pass_untouched():
    answer = ask(app(None))
    assert (answer.status, answer.body) == (200, b"body")


@pytest.mark.parametrize(
    "name",
    [
        "/_media/../secret",
        "/_media/ab/../../secret",
        "/_media//etc/passwd",
        "/etc/passwd",
        "ab/file.wav",
        "/_media/",
        "/_media/ab",
        "/_media/nothing.wav",
        "/_media/link",
        "/_media/ab/file.wav\0",
        "/_media/" + "x" * 5000,
    ],
)
def test_no_name_leads_out_of_the_media_folder(media, name):
    (media / "link").symlink_to(media.parent / "secret")
    answer = ask(app(name))
    assert answer.status == 404
    assert b"secret" not in answer.body
    assert "content-disposition" not in answer.headers


def test_an_empty_file_is_sent_and_has_no_parts():
    assert ask(app("/_media/empty.wav")).body == b""
    assert ask(app("/_media/empty.wav"), (b"range", b"bytes=0-")).status == 416


def test_headers_meant_for_the_door_do_not_come_from_outside():
    seen = []
    tricks = [(b"X-Accel-Redirect", b"/_media/ab/file.wav"), (b"x-sendfile", b"/etc/passwd")]
    answer = ask(app(None, seen=seen), (b"cookie", b"a=b"), *tricks)
    assert answer.body == b"body"
    assert seen[0]["headers"] == [(b"cookie", b"a=b")]


def test_it_stops_when_the_browser_leaves(monkeypatch):
    reads, gone = [], asyncio.Event()
    read = files._read
    monkeypatch.setattr(files, "_read", lambda *where: reads.append(where) or read(*where))

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body":
            gone.set()
            await asyncio.Event().wait()  # the server's buffer is full, and nobody empties it

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(asyncio.wait_for(serve_files(app())(scope, receive, send), 5))
    assert len(reads) == 1


def test_it_reads_no_further_when_the_server_swallows_what_it_sends(monkeypatch):
    reads, gone = [], asyncio.Event()
    read = files._read
    monkeypatch.setattr(files, "_read", lambda *where: reads.append(where) or read(*where))

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body":
            gone.set()

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(asyncio.wait_for(serve_files(app())(scope, receive, send), 5))
    assert len(reads) <= 2


def test_it_forgets_a_browser_that_takes_nothing(monkeypatch):
    monkeypatch.setattr(files, "STALLED_S", 0.05)

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    assert ask(app(), send=send) is None


def test_stalled_browsers_hold_no_thread():
    async def stall():
        async def receive():
            return await asyncio.Event().wait()

        async def send(message):
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
        stalled = [
            asyncio.ensure_future(serve_files(app())(scope, receive, send)) for _ in range(50)
        ]
        await asyncio.wait(stalled, timeout=0.3)
        answered = await asyncio.wait_for(asyncio.to_thread(threading.get_ident), 2)
        for one in stalled:
            one.cancel()
        return answered

    assert asyncio.run(stall())


def test_a_form_can_be_read_from_a_server_whose_receive_is_no_coroutine():
    """granian hands out futures, and a2wsgi takes coroutines alone."""
    bodies = []

    def wsgi(environ, start_response):
        bodies.append(environ["wsgi.input"].read(5))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"thanks"]

    def receive():
        future = asyncio.get_running_loop().create_future()
        future.set_result({"type": "http.request", "body": b"a=b&c", "more_body": False})
        return future

    async def send(message):
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/login/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"content-length", b"5")],
    }
    asyncio.run(serve_files(WSGIMiddleware(wsgi))(scope, receive, send))
    assert bodies == [b"a=b&c"]


def test_other_protocols_pass():
    async def lifespan(scope, receive, send):
        await send({"type": "lifespan.startup.complete"})

    sent = []

    async def send(message):
        sent.append(message["type"])

    asyncio.run(serve_files(lifespan)({"type": "lifespan"}, None, send))
    assert sent == ["lifespan.startup.complete"]
