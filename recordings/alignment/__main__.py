"""Alignment in a process of its own: modest, bounded in memory, and without Django.

    python -m recordings.alignment AUDIO TEXT --language en      TEXT may be - for standard input

Prints {"segments": [...]} as `manage.py align --json` does, with the channel of each segment.
What is wrong with the files is one line on standard error, and the exit code 2.
"""

import argparse
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

from calls.audio import NotAudio
from recordings.alignment import Segment, align, shape

MODESTY = 10  # added to the niceness: the pages come first
MEMORY_MB = 300  # more than twice of what hours of audio take
PR_SET_PDEATHSIG = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="recordings.alignment")
    parser.add_argument("audio", type=Path)
    parser.add_argument("text")
    parser.add_argument("--language", default="en")
    parser.add_argument("--memory-mb", type=int, default=MEMORY_MB)
    parser.add_argument("--parent", type=int, help="the process without which nobody waits")
    options = parser.parse_args()
    if options.parent:
        _end_with(options.parent)
    os.nice(MODESTY)
    _bound(options.memory_mb * 1_000_000)
    try:
        segments = align(options.audio, _text(options.text), language=options.language)
    except shape.NotText as exc:
        _refuse(f"The text {exc}.")
    except NotAudio as exc:
        _refuse(str(exc))
    except OSError as exc:
        _refuse(f"{exc.filename} cannot be read: {exc.strerror}.")
    except MemoryError:
        _refuse(f"The alignment needs more than {options.memory_mb} MB of memory.")
    print(json.dumps({"segments": [_with_channel(each) for each in segments]}))  # noqa: T201


def _end_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies, where there is such a kernel."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def _bound(size_bytes: int) -> None:
    """Let memory beyond a size be refused, in place of taking it from the others."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > size_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (size_bytes, most))


def _text(name: str) -> str:
    if name == "-":
        return shape.read(sys.stdin.buffer)
    with Path(name).open("rb") as file:
        return shape.read(file)


def _with_channel(segment: Segment) -> dict[str, object]:
    return {**shape.as_json(segment), "channel": segment.channel}


def _refuse(reason: str) -> None:
    sys.stderr.write(f"{reason}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
