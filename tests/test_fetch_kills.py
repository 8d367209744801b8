# ruff: noqa: F811  (fixtures of another file)
"""A fetcher may be killed at any byte: what is stored is whole, and nothing else is left."""

import errno
import hashlib
import os
import random
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from recordings import fetch, storage
from recordings.models import Recording
from recordings.storage import drafts
from tests.buckets import KEYS, PREFIX
from tests.elsewhere import Nursery
from tests.passes import IS_FIRST
from tests.store import BUCKET, wav, whole
from tests.test_fetch import announced, row, store  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = {"folder": 50, "bucket": 15} if IS_FIRST else {"folder": 10}
DOWNLOADS = {"folder": 100, "bucket": 30} if IS_FIRST else {"folder": 40}
AFTER_THE_LAST_BYTE = 0.4  # of the kills: while the file is verified, published, written down
PIECE = 4096


def stop_at(body, offset, reached, gone):
    """Return an answer that says when so many bytes were sent, and waits for a death."""

    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        try:
            for at in range(0, offset, PIECE):
                request.wfile.write(body[at : min(at + PIECE, offset)])
            request.wfile.flush()
            reached.set()
            if offset < len(body):
                gone.wait(20)
                request.wfile.write(body[offset:])
        except OSError:
            pass

    return answer


def names_and_contents(kept):
    """Return the published files."""
    if kept is not None:
        names = kept.names()
        return {name: storage.read(name) for name in names}
    root = drafts.local_path("x").parent
    files = [path for path in root.rglob("*.*") if path.is_file() and path.parent.name != "tmp"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def check_what_is_visible(kept):
    for name, content in names_and_contents(kept).items():
        if name.endswith(".wav"):  # named by its content
            assert hashlib.sha256(content).hexdigest() == Path(name).stem
    for recording in Recording.objects.filter(state="stored"):
        assert hashlib.sha256(storage.read(recording.path)).hexdigest() == recording.sha256


def wait_for_waveform(body):
    name = storage.content_name(hashlib.sha256(body).hexdigest(), "dat")
    deadline = time.monotonic() + 20
    while not storage.exists(name):
        assert time.monotonic() < deadline


def test_killed_at_any_byte_every_file_is_whole_and_nothing_is_left(
    place, announced, store, settings, request
):
    kept, dice = place, random.Random(7)
    kind = "bucket" if kept else "folder"
    more = {}
    if kept:
        more = {
            "MEDIA_STORAGE": f"s3://{kept.name}/{PREFIX}",
            "S3_ENDPOINT_URL": kept.url,
            "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        }
    bodies, recordings = {}, []
    for number in range(KILLS[kind]):
        body = wav(2 + dice.random() * 6, seed=number)
        link = store.serve(whole(body), f"file{number}")
        recording = announced(link, recording_ended_at="2026-03-02T15:04:46Z")
        row(recording, store, duration_millis=None, download_urls={"wav": link})
        bodies[recording.pk] = body
        recordings.append(recording)
    Recording.objects.update(due_at=None)
    nursery = Nursery(**more)
    request.addfinalizer(nursery.close)
    began = time.monotonic()

    for number, recording in enumerate(recordings):
        body = bodies[recording.pk]
        is_late = dice.random() < AFTER_THE_LAST_BYTE
        offset = len(body) if is_late else dice.randrange(len(body))
        reached, gone = threading.Event(), threading.Event()
        store.serve(stop_at(body, offset, reached, gone), f"file{number}")
        Recording.objects.filter(pk=recording.pk).update(due_at=timezone.now())
        child = nursery.fetcher()
        assert reached.wait(20)
        if is_late and dice.random() < 0.5:
            wait_for_waveform(body)  # which is published just before the sound
        if is_late:
            time.sleep(dice.random() * 0.02)  # a moment between the last byte and the commit
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            assert is_late  # it was quicker
        gone.set()
        nursery.bury()
        check_what_is_visible(kept)
        store.serve(whole(body), f"file{number}")
    assert time.monotonic() - began < 60

    unfinished = Recording.objects.exclude(state="stored")
    assert unfinished.count() > KILLS[kind] / 2
    unfinished.update(due_at=timezone.now())
    fetch.fetch_due()

    check_what_is_visible(kept)
    assert Recording.objects.filter(state="stored").count() == KILLS[kind]
    for recording in Recording.objects.all():
        assert recording.sha256 == hashlib.sha256(bodies[recording.pk]).hexdigest()
    drafts.sweep(older_than=timedelta())
    assert list((settings.MEDIA_ROOT / "tmp").iterdir()) == []
    assert len(names_and_contents(kept)) == 2 * KILLS[kind]  # each with its waveform


def test_eight_fetchers_make_one_download_of_each_recording(place, announced, store):
    count = DOWNLOADS["bucket" if place else "folder"]
    for number in range(count):
        announced(store.serve(whole(wav(0.5, seed=number)), f"file{number}"))

    def work():
        try:
            fetch.fetch_due()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert Recording.objects.filter(state="stored").exclude(peaks="").count() == count
    downloads = [path for path, _ in store.seen if path.startswith(BUCKET)]
    assert len(downloads) == len(set(downloads)) == count


class SmallDisk:
    """A disk of so many bytes: a write beyond them fails as a full one does."""

    def __init__(self, root, size):
        self.root, self.size, self.open = root, size, Path.open

    def used(self):
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def opened(self, path, mode="r", *arguments, **more):
        file = self.open(path, mode, *arguments, **more)
        if "w" in mode and path.is_relative_to(self.root):
            return _Limited(file, self)
        return file


class _Limited:
    def __init__(self, file, disk):
        self.file, self.disk = file, disk

    def write(self, block):
        self.file.flush()
        if self.disk.used() + len(block) > self.disk.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(block)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.file.close()


def test_a_full_disk_stores_what_fits_and_the_rest_when_there_is_room(
    place, announced, store, settings, monkeypatch
):
    for number in range(20):
        announced(store.serve(whole(wav(2, seed=number)), f"file{number}"))
    disk = SmallDisk(settings.MEDIA_ROOT, 5 * 65_000 if place is None else 50_000)
    monkeypatch.setattr(Path, "open", lambda path, *rest, **more: disk.opened(path, *rest, **more))

    fetch.fetch_due()

    states = list(Recording.objects.values_list("state", flat=True))
    stored = states.count("stored")
    assert stored == 0 if place else 3 < stored < 6  # on the way to a bucket not even one fits
    assert states.count("waiting_space") == 20 - stored
    waiting = Recording.objects.filter(state="waiting_space")
    assert {each.reason for each in waiting} == {
        "The media folder cannot be written: No space left on device."
    }
    assert {each.failures for each in waiting} == {0}
    assert list((settings.MEDIA_ROOT / "tmp").iterdir()) == []

    disk.size = 1 << 30
    waiting.update(due_at=timezone.now())
    fetch.fetch_due()
    assert Recording.objects.filter(state="stored").count() == 20
