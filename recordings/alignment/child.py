"""Alignment in a process of its own, so that its memory and its faults are nobody else's.

align_apart(path, text, language, timeout_s) -> [Segment]        raises NotAligned
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from recordings.alignment import Segment, Word, align
from recordings.audio import NotAudio

PATIENT = 10  # niceness: pages and calls come first
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, where there is one


class NotAligned(Exception):
    """The text was not aligned; the text says why."""


def align_apart(path: Path, text: str, language: str, timeout_s: float) -> list[Segment]:
    """Align as `align` does, in another process. Raises NotAligned."""
    command = [sys.executable, "-m", __name__, str(path), language, str(os.getpid())]
    try:
        done = subprocess.run(  # noqa: S603  (our own module)
            command, input=text.encode(), capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise NotAligned(f"The alignment took longer than {timeout_s:.0f} s.") from exc
    if done.returncode == 2:
        raise NotAligned(done.stderr.decode(errors="replace").strip())
    if done.returncode:
        raise NotAligned(f"The alignment ended with code {done.returncode}.")
    return [
        Segment(**{**segment, "words": tuple(Word(**word) for word in segment["words"])})
        for segment in json.loads(done.stdout)
    ]


def main(path: str, language: str, parent: str) -> None:
    """Align the text on the standard input; print the segments. Ends with its parent."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != int(parent):
        return  # it died before it could be tied to us
    os.nice(PATIENT)
    text = sys.stdin.buffer.read().decode()
    try:
        found = align(Path(path), text, language=language)
    except (NotAudio, OSError) as exc:
        sys.stderr.write(str(exc))
        raise SystemExit(2) from exc
    json.dump([asdict(segment) for segment in found], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
