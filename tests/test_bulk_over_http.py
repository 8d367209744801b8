"""ZIPs over real HTTP: whole for whoever takes them, and no burden while somebody does not."""

import hashlib
import http.client
import io
import re
import socket
import time
import urllib.parse
import uuid
import zipfile
from pathlib import Path

import pytest

from tests.test_asgi import TOKEN, Web

SIZE = 64_000_000  # of the file that the desk of these tests has, all zeros
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """A web process whose one recording has the checksum of its file."""
    web = Web(tmp_path_factory.mktemp("bulk"))
    web.start()
    web.execute(
        "UPDATE recordings_recording SET sha256 = ?", hashlib.sha256(bytes(SIZE)).hexdigest()
    )
    yield web
    web.stop()


def body(web):
    fields = {"act": "zip", "recording": web.recording, "csrfmiddlewaretoken": TOKEN}
    return urllib.parse.urlencode(fields)


def headers(web):
    return {"cookie": web.cookie, "content-type": FORM}


def memory(web):
    """Return the most memory that the web process has had, in bytes."""
    most = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            environment = (status.parent / "environ").read_bytes()
            if str(web.folder).encode() in environment:
                found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
                most = max(most, int(found[1]) * 1024 if found else 0)
        except OSError:
            continue
    return most


def test_a_zip_arrives_whole_and_is_never_in_memory(web):
    before = memory(web)
    line = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    line.request("POST", "/recordings/bulk", body(web), headers(web))
    answer = line.getresponse()
    content = answer.read()
    line.close()

    assert answer.status == 200
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    sounds = [info for info in archive.infolist() if info.filename.endswith(".wav")]
    assert [info.file_size for info in sounds] == [SIZE]
    assert not [name for name in answer.headers if name.lower().startswith("x-accel")]
    assert memory(web) - before < SIZE / 2


def test_ten_stalled_zips_delay_no_page(web):
    stalled = []
    for _ in range(10):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", web.port))
        told = "".join(f"{name}: {text}\r\n" for name, text in headers(web).items())
        head = f"POST /recordings/bulk HTTP/1.1\r\nHost: 127.0.0.1\r\n{told}"
        line.sendall(f"{head}Content-Length: {len(body(web))}\r\n\r\n{body(web)}".encode())
        stalled.append(line)
    for line in stalled:
        assert b" 200 " in line.recv(64)  # and never read from again

    slowest = 0.0
    for path in ("/recordings/?q=", f"/recordings/{web.recording}/", "/") * 3:
        since = time.monotonic()
        assert web.ask("GET", path, cookie=web.cookie)[0] == 200
        slowest = max(slowest, time.monotonic() - since)
    for line in stalled:
        line.close()
    assert slowest < 0.5


def test_who_asks_from_elsewhere_gets_no_plan_made(web):
    """The header between Django and the door means nothing when a browser sends it."""
    status, content, _ = web.ask(
        "GET", f"/recordings/{uuid.uuid4()}/", **{"x-accel-stream": "zip"}
    )
    assert status == 302
    assert not content.startswith(b"PK")
