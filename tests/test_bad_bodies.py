# ruff: noqa: F811  (fixtures of another file)
"""Whatever a store sends instead of the recording is never stored, and the row says why."""

import gzip
import struct
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls import audio
from recordings import download, fetch
from recordings.models import Recording
from tests.passes import some
from tests.store import drip, endless, mp3, wav, whole
from tests.test_fetch import announced, due_now, files, store  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db

SOUND = wav(2)
HTML = b"<!DOCTYPE html><html><body>Sorry</body></html>"
XML = b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'


def tells(size):
    """Return a WAV whose header tells of another length than its own."""
    return SOUND[:40] + struct.pack("<I", size) + SOUND[44:]


def cut_off(request):
    """Close the line in the middle of a chunked body."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"4000\r\n" + SOUND[:9000])


def redirect(to):
    return lambda store: whole(b"", status=302, Location=to(store))


KINDS = {  # what comes -> (the answer, what the row says)
    "cut short, with a length": (whole(SOUND[:9000], length=len(SOUND)), "came cut short"),
    "cut short, without a length": (whole(SOUND[:9000], length=False), "cut short"),
    "cut short, in chunks": (cut_off, "The line to the store failed"),
    "a web page with 200": (whole(HTML, content_type="text/html"), "a web page"),
    "a web page that says it is audio": (whole(HTML, content_type="audio/wav"), "a web page"),
    "an XML error with 200": (whole(XML), "an XML message"),
    "JSON with 200": (whole(b'{"errors": []}'), "a JSON message"),
    "another format than announced": (lambda request: whole(mp3(2))(request), "Announced was wav"),
    "nothing": (whole(b""), "empty"),
    "no end": (endless(SOUND), "limit of 1 MB"),
    "a redirect inward": (redirect(lambda store: "http://169.254.169.254/latest/"), "redirect"),
    "a redirect to this machine": (redirect(lambda store: store.link("target")), "redirect"),
    "a redirect outward": (redirect(lambda store: "https://evil.example/x.wav"), "redirect"),
    "a byte now and then": (drip(SOUND), "too slowly"),
    "a length that is no number": (whole(SOUND, length="12x"), "no number"),
    "a length above the limit": (whole(SOUND, length=9 << 30), "the limit is 1 MB"),
    "a header that tells of more": (whole(tells(10 * len(SOUND))), "cut short"),
    "a header that tells of less": (whole(tells(16_000)), "more follow"),
    "a header of nothing, no length": (whole(tells(0), length=False), "says how long"),
    "zeros": (whole(bytes(5000)), "of an unknown kind"),
    "noise": (whole(b"\x93" * 5000), "of an unknown kind"),
    "gzip, said so": (whole(SOUND, Content_Encoding="gzip"), "compressed"),
    "gzip, not said": (whole(gzip.compress(SOUND)), "of an unknown kind"),
    "a longer recording": (whole(wav(9)), "too many"),
    "a part": (whole(SOUND, status=206), "answered 206"),
    "a server's fault": (whole(b"", status=500), "answered 500"),
}
FINAL = {"no end", "a length above the limit"}  # trying again cannot help


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.setattr(download, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(download, "GRACE_S", 0.3)
    monkeypatch.setattr(download, "SLOWEST", 1 << 30)


@pytest.mark.parametrize("kind", some(KINDS, 4))
def test_a_bad_body_is_never_stored_and_says_why(announced, store, settings, kind):
    answer, said = KINDS[kind]
    if kind.startswith("a redirect"):
        answer = answer(store)
        store.serve(whole(SOUND), "target")
    if "another format" in kind:
        pytest.importorskip("lameenc")
    recording = announced(store.serve(answer))
    began = time.monotonic()

    fetch.fetch_due()

    recording.refresh_from_db()
    assert recording.state == ("failed" if kind in FINAL else "announced")
    assert said in recording.reason
    assert files(settings) == []
    assert store.gets("target") == []
    assert time.monotonic() - began < 10

    store.rest(
        f"/recordings/{recording.recording_id}",
        {"data": {"id": recording.recording_id, "download_urls": {"wav": store.link()}}},
    )
    Recording.objects.update(announced_at=timezone.now() - timedelta(hours=24))
    if kind not in FINAL:
        due_now(recording)
    fetch.fetch_due()

    recording.refresh_from_db()
    assert (recording.state, recording.due_at) == ("failed", None)
    assert said in recording.reason
    assert files(settings) == []
    assert not AuditRow.objects.filter(verb="store").exists()


@pytest.mark.parametrize(
    "rest", [b"", b"\0", b"LIST\x04\0\0\0abcd", b"id3 \x03\0\0\0abc\0", b"\0" * 7]
)
def test_what_may_follow_the_samples_of_a_wav_is_allowed(tmp_path, rest):
    path = tmp_path / "x.wav"
    path.write_bytes(SOUND + rest)
    assert audio.probe(path).duration_ms == 2000
