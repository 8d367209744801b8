"""The lookout: the screen in a process of its own, so that looking holds up no door and no stream.

    hub --JSON line: what for--> manage.py lookout --JSON line: sizes, then bytes--> hub

It ends when the hub's end of the pipe does, however that came about. One that is lost is replaced
at the next question, and has then seen nothing yet.
"""

import asyncio
import json
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO

from django.conf import settings

from calls import ring
from dashboard.garbage import settle
from dashboard.screen import Screen
from dashboard.threads import with_connection
from dashboard.viewers import Audience, View

PATIENCE_S = 30.0  # of the hub; databases say no before
STOP_WITHIN_S = 1.0
ROOM = 1 << 20  # bytes of an answer that wait to be read


class Unread(Exception):
    """The board could not be read; the text says why."""


class Lost(Exception):
    """The lookout ended or fell silent: the next one does not know what was seen."""


class Lookout:
    """The hub's end of the pipe. One question at a time."""

    def __init__(self) -> None:
        self.process: Process | None = None

    async def start(self) -> None:
        """Start the process; it reads the board ahead, before anybody asks."""
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "manage.py", "lookout"),
            cwd=settings.BASE_DIR,
            stdin=PIPE,
            stdout=PIPE,
            limit=ROOM,
        )

    async def read(self, views: Sequence[View], named: Collection[str] | None) -> list[bytes]:
        """Return what each of these lacks, after a look at what is named or at all.

        Raises Unread, or Lost: then everybody has to be told everything.
        """
        try:
            if self.process is None:
                await self.start()
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(views, named)
        except (OSError, EOFError, ValueError) as exc:  # TimeoutError is an OSError
            await self.stop()
            raise Lost(f"the lookout is lost: {exc!r}") from exc

    async def _ask(self, views: Sequence[View], named: Collection[str] | None) -> list[bytes]:
        process = self.process
        assert process is not None  # noqa: S101  (just started)
        assert process.stdin is not None  # noqa: S101  (they are pipes)
        assert process.stdout is not None  # noqa: S101
        lost_at = ring.broker_lost_at()
        asked = {
            "views": views,
            "named": None if named is None else list(named),
            "broker_lost_at": lost_at and lost_at.isoformat(),
        }
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        answer = json.loads(await process.stdout.readline() or b"null")
        if answer is None:
            raise EOFError("it has ended")
        if "error" in answer:
            raise Unread(answer["error"])
        return [await process.stdout.readexactly(size) for size in answer["sizes"]]

    async def stop(self) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()  # it only reads
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()


def serve(screen: Screen, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer the questions of a hub until it hangs up."""
    with suppress(Exception):  # the database is away: the first question tells
        with_connection(screen.warm)
    settle()
    for line in questions:
        asked: dict[str, Any] = json.loads(line)
        lost_at = asked["broker_lost_at"]
        ring.lost_elsewhere(lost_at and datetime.fromisoformat(lost_at))
        views = [View(Audience(*audience), *rest) for audience, *rest in asked["views"]]
        try:
            pieces = with_connection(partial(screen.read, views, asked["named"]))
        except Exception:
            head: dict[str, Any] = {"error": traceback.format_exc()}
            pieces = []
        else:
            head = {"sizes": [len(piece) for piece in pieces]}
        try:
            answers.write(b"".join([json.dumps(head).encode(), b"\n", *pieces]))
            answers.flush()
        except BrokenPipeError:
            return
