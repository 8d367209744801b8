"""The recordings' files over HTTP, as S3 serves them: signed links, HEAD, one byte range."""

import re
import time
from io import BufferedIOBase
from pathlib import Path
from typing import Protocol

from simulator.faults import Rule
from simulator.files import TYPES, recording_id
from simulator.routing import Request
from simulator.switchboard import Switchboard

BLOCK = 64 * 1024
DRIPS = 20  # pieces in which a slow download comes
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
HTML = b"<html><body><h1>We will be back soon</h1></body></html>"
REFUSALS = {
    "expired": (403, "AccessDenied", "Request has expired"),
    "forged": (403, "SignatureDoesNotMatch", "The signature does not match"),
    "gone": (404, "NoSuchKey", "The specified key does not exist."),
    "range": (416, "InvalidRange", "The requested range is not satisfiable"),
}


class Writer(Protocol):
    """What is needed of the HTTP handler."""

    close_connection: bool
    wfile: BufferedIOBase

    def send(
        self, status: int, content: bytes, headers: dict[str, str], *, length: int | None = None
    ) -> None:
        """Write an answer, or its first bytes."""


def serve(board: Switchboard, request: Request, out: Writer) -> None:
    """Answer a request for a recording's file."""
    wanted = recording_id(request.path)
    extension = request.path.rpartition(".")[2]
    recording = board.world.recordings.get(wanted)
    rule = board.faults.download(wanted)
    if rule and rule.do in ("status", "html"):
        _misdirect(rule, out)
        return
    verdict = board.shelf.verdict(request.path, request.query, board.now())
    if rule and rule.do == "expire":
        verdict = "expired"
    if verdict != "good":
        _refuse(verdict, out)
    elif recording is None or recording.state != "saved" or extension not in board.shelf.formats():
        _refuse("gone", out)
    else:
        _send_file(board.shelf.file(recording, extension), request, out, rule)


def _refuse(why: str, out: Writer, **headers: str) -> None:
    status, code, message = REFUSALS[why]
    text = f"{XML}<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    out.send(status, text.encode(), {"Content-Type": "application/xml"} | headers)


def _misdirect(rule: Rule, out: Writer) -> None:
    if rule.do == "html":
        out.send(200, HTML, {"Content-Type": "text/html"})
    else:
        content = str(rule.get("body", "")).encode()
        headers = {"Content-Type": "text/plain"} | rule.get("headers", {})
        out.send(rule.get("status", 500), content, headers)


def _send_file(path: Path, request: Request, out: Writer, rule: Rule | None) -> None:
    size = path.stat().st_size
    asked = request.headers.get("range", "")
    start, stop = _range(asked, size)
    if start >= stop and size:
        _refuse("range", out, **{"Content-Range": f"bytes */{size}"})
        return
    headers = {
        "Content-Type": TYPES[path.suffix[1:]],
        "Accept-Ranges": "bytes",
        "ETag": f'"{path.stem}-{size}"',
    }
    status = 200
    if (start, stop) != (0, size):
        status = 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    if rule and rule.do == "wrong_type":
        headers["Content-Type"] = "application/octet-stream"
    length = stop - start
    if rule and rule.do == "no_length":
        out.close_connection = True
        length = -1
    out.send(status, b"", headers, length=length)
    if request.method != "HEAD":
        _stream(path, start, stop, out, rule)


def _stream(path: Path, start: int, stop: int, out: Writer, rule: Rule | None) -> None:
    """Send a part of a file, whole or spoilt."""
    block, pause = BLOCK, 0.0
    if rule and rule.do == "truncate":
        stop = start + (stop - start) // 2
        out.close_connection = True
    if rule and rule.do == "slow":
        block = max(1, (stop - start) // DRIPS)
        pause = rule.get("seconds", 5.0) / DRIPS
    with path.open("rb") as file:
        file.seek(start)
        while start < stop:
            content = file.read(min(block, stop - start))
            start += len(content)
            time.sleep(pause)
            out.wfile.write(content)


def _range(asked: str, size: int) -> tuple[int, int]:
    """Return the first byte and the one after the last; any but a simple range is the whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if not match or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size
