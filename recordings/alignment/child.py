"""Alignment for the desk's workers: in a child process, with an end in time and in memory.

align_apart(path, text, language, timeout_s) -> [Segment]      raises NotAligned

A worker shares its memory and its Python with other work; minutes of search do not belong there.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import recordings
from recordings.alignment import Segment, shape

ROOT = Path(recordings.__file__).resolve().parent.parent
ENDED_BY_MEMORY = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV)  # C code without memory


class NotAligned(Exception):
    """The text could not be aligned; the text of the error says why."""


def align_apart(
    path: Path, text: str, language: str, timeout_s: float, *, memory_mb: int | None = None
) -> list[Segment]:
    """Return the sentences of a text with the times at which a recording says them.

    Raises NotAligned, with a reason that a person understands.
    """
    if not text.strip():
        return []
    bound = [f"--memory-mb={memory_mb}"] if memory_mb else []
    command = [*(sys.executable, "-m", "recordings.alignment", f"--language={language}"), *bound]
    command.append(f"--parent={os.getpid()}")
    try:
        done = subprocess.run(  # noqa: S603  (our own command line)
            [*command, "--", str(path.resolve()), "-"],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each thread of it asks for memory
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as exc:
        raise NotAligned(f"It took longer than {timeout_s:g} s and was ended.") from exc
    if done.returncode:
        raise NotAligned(_reason(done.returncode, done.stderr.decode("utf-8", "replace")))
    return shape.from_json(json.loads(done.stdout)["segments"])


def _reason(code: int, complaint: str) -> str:
    """Say why a child ended without an answer."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", perhaps for want of memory" if -code in ENDED_BY_MEMORY else ""
        return f"The alignment was ended by {name}{hint}."
    return complaint.strip().rpartition("\n")[2] or f"The alignment ended with code {code}."
