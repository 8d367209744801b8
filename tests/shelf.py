"""Recordings with real files behind them, for what ships files."""

import hashlib

from recordings import storage
from tests.store import wav
from tests.test_recording_pages import make


def keep(content=None, **more):
    """Return a stored recording whose file is there."""
    content = wav(0.2) if content is None else content
    sha256 = hashlib.sha256(content).hexdigest()
    name = storage.content_name(sha256, "wav")
    path = storage.local_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    given = {"sha256": sha256, "path": name, "size_bytes": len(content)}
    return make(**(given | more))


def spoil(recording):
    """Change one byte of a file in its place."""
    path = storage.local_path(recording.path)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
