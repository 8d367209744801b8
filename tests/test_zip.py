"""A ZIP of recordings: whole files, proved by checksums, with a manifest of what lacks and why."""

import csv
import hashlib
import io
import shutil
import subprocess
import tracemalloc
import zipfile

import pytest

from recordings import storage
from recordings.bundle import BLOCK_BYTES, GONE, Bundle
from recordings.models import Transcript
from tests.shelf import keep, spoil
from tests.store import wav
from tests.test_recording_pages import make, say

pytestmark = pytest.mark.django_db


def bundle(user, *recordings):
    return Bundle(user, [recording.pk for recording in recordings])


def opened(made):
    return zipfile.ZipFile(io.BytesIO(b"".join(made.blocks())))


def manifest(archive):
    text = archive.read("manifest.csv").decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_holds_sound_texts_and_a_manifest(sam):
    content = wav(0.3)
    recording = keep(content)
    say(recording, "Grüß Gott.")

    archive = opened(bundle(sam, recording))

    stem = f"2026-03-02T15-04-36+0000_+12125550100_+18005550101_{str(recording.pk)[:8]}"
    names = [f"{stem}.wav", f"{stem}.txt", f"{stem}.json", "manifest.csv", "SHA256SUMS"]
    assert archive.namelist() == names
    assert archive.testzip() is None
    assert archive.read(f"{stem}.wav") == content
    assert archive.read(f"{stem}.txt").decode() == "Grüß Gott.\n"
    sound, *texts = manifest(archive)
    assert (sound["File"], sound["SHA-256"]) == (f"{stem}.wav", recording.sha256)
    assert (sound["Recording"], sound["From"]) == (str(recording.pk), "'+12125550100")
    assert sound["Started (UTC)"] == "2026-03-02T15:04:36Z"
    assert [row["File"] for row in texts] == names[1:3]


def test_every_file_of_it_has_its_checksum(sam):
    recording = keep()
    say(recording, "Hello.")
    archive = opened(bundle(sam, recording))
    sums = dict(
        line.split("  ", 1)[::-1] for line in archive.read("SHA256SUMS").decode().splitlines()
    )
    assert sums.keys() == {*archive.namelist()} - {"SHA256SUMS"}
    for name, sha256 in sums.items():
        assert hashlib.sha256(archive.read(name)).hexdigest() == sha256


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip: apt-get install unzip")
def test_other_programs_can_read_it(sam, tmp_path):
    file = tmp_path / "some.zip"
    file.write_bytes(b"".join(bundle(sam, keep(wav(0.2)), keep(wav(0.3))).blocks()))
    told = subprocess.run(["unzip", "-t", file], capture_output=True, text=True)
    assert "No errors detected" in told.stdout


def test_a_file_that_is_not_what_it_was_is_listed_and_not_shipped(sam):
    good, bad = keep(wav(0.2)), keep(wav(0.3))
    spoil(bad)
    made = bundle(sam, bad, good)
    archive = opened(made)
    assert [name for name in archive.namelist() if name.endswith(".wav")] == [
        name for name in archive.namelist() if str(good.pk)[:8] in name
    ]
    (row,) = [row for row in manifest(archive) if row["Recording"] == str(bad.pk)]
    assert (row["File"], row["SHA-256"]) == ("", "")
    assert "is not what it was" in row["Reason if lacking"]
    assert made.shipped == [good.pk]
    assert [key for key, _ in made.lacking] == [str(bad.pk)]


def test_what_is_not_there_is_listed_with_the_reason(sam):
    lost, failed, gone = make(), make(state="failed", reason="Telnyx gave up."), make()
    made = bundle(sam, lost, failed, gone)
    gone.delete()
    reasons = {row["Recording"]: row["Reason if lacking"] for row in manifest(opened(made))}
    assert reasons == {
        str(lost.pk): "The file is not in the storage.",
        str(failed.pk): "Failed: Telnyx gave up.",
        str(made.keys[2]): GONE,
    }
    assert (made.done, len(made.lacking)) == (3, 3)


def test_the_text_of_a_lost_file_is_shipped(sam):
    recording = make(state="missing", reason="None.")
    say(recording, "Still here.")
    assert [name[-4:] for name in opened(bundle(sam, recording)).namelist()][:2] == [
        ".txt",
        "json",
    ]


def test_who_may_see_nothing_gets_nothing(max):
    recording = keep()
    say(recording, "A secret word.")
    archive = opened(bundle(max, recording))
    assert archive.namelist() == ["manifest.csv", "SHA256SUMS"]
    assert manifest(archive)[0]["Reason if lacking"] == GONE


def test_who_may_not_listen_gets_no_text(olga):
    recording = keep()
    say(recording, "A secret word.")
    assert Transcript.objects.exists()
    assert not [name for name in opened(bundle(olga, recording)).namelist() if "txt" in name]


def test_it_never_holds_a_whole_file_in_memory(sam):
    recordings = [keep(wav(400, seed=number)) for number in range(3)]  # 12.8 MB each
    made = bundle(sam, *recordings)
    tracemalloc.start()
    total, largest = 0, 0
    for block in made.blocks():
        total, largest = total + len(block), max(largest, len(block))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 3 * 12_800_000
    assert largest < 2 * BLOCK_BYTES
    assert peak < 6_000_000


def test_a_file_that_is_replaced_meanwhile_is_shipped_as_it_was_verified(sam):
    content = wav(40)
    recording = keep(content)
    blocks = bundle(sam, recording).blocks()
    parts = [next(blocks), next(blocks)]
    storage.local_path(recording.path).unlink()
    archive = zipfile.ZipFile(io.BytesIO(b"".join([*parts, *blocks])))
    (name,) = [name for name in archive.namelist() if name.endswith(".wav")]
    assert archive.read(name) == content
