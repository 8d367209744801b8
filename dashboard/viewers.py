"""Who watches a live stream: the session behind a cookie, and the queue to its browser."""

import asyncio
from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from access.policies import Right, may
from dashboard.packing import Piece, pack

QUEUE = 64  # frames one browser may lag behind
END = b""


class Audience(NamedTuple):
    """What the rows and the counts on a screen depend on, besides the calls."""

    control: bool
    operate: bool


class View(NamedTuple):
    """What a browser shows: those with the same view are told the same."""

    audience: Audience
    conversation: str  # the one whose changes matter; "" for the whole board
    is_behind: bool  # it has to be told everything


class Glance(dict[str, Any]):
    """A session that is only looked at: a stream cannot send the browser a new cookie."""

    def flush(self) -> None:
        """Leave the stored session as it is."""

    cycle_key = flush


def audience_of(session_key: str) -> Audience | None:
    """Return what the person of this session sees; None if signed out, locked out or not allowed.

    Asks the database, so never on the event loop.
    """
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    request = HttpRequest()
    request.session = Glance(store.load())  # type: ignore[assignment]
    user = get_user(request)  # checks the password hash, and that the account is active
    if not may(user, Right.SEE):
        return None
    return Audience(control=may(user, Right.CONTROL), operate=may(user, Right.OPERATE))


class Client:
    """One open stream: whose it is, what it shows, and what was not sent to it yet."""

    def __init__(
        self,
        session_key: str,
        audience: Audience,
        *,
        conversation: str = "",
        is_packed: bool = False,
    ) -> None:
        self.session_key = session_key
        self.audience = audience
        self.is_packed = is_packed  # what is offered to it has to be compressed
        self.heard: Piece | None = None
        self.conversation = conversation
        self.is_behind = True  # the next look sends everything
        self.is_over = False
        self.sends_since: float | None = None  # by the monotonic clock; None: it has everything
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)

    @property
    def view(self) -> View:
        """Return what it shows."""
        return View(self.audience, self.conversation, self.is_behind)

    def offer(self, sent: bytes) -> None:
        """Queue bytes; when there is no room, drop the backlog and start over."""
        if self.is_over:
            return
        if self.queue.full():
            self._forget()
            self.is_behind = True
        else:
            self.queue.put_nowait(sent)

    def end(self, last_words: bytes = END) -> None:
        """Let the stream send these last words, then end."""
        self.is_over = True
        self._forget()
        if self.is_packed and last_words:
            last_words, _ = pack(last_words)
        self.queue.put_nowait(last_words)
        self.queue.put_nowait(END)

    def _forget(self) -> None:
        self.heard = None
        while not self.queue.empty():
            self.queue.get_nowait()
