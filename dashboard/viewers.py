"""Who watches a live stream: a session key from a cookie, checked as Django would check it."""

from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from access.policies import Right, may


class Audience(NamedTuple):
    """What the rows and the counts on a screen depend on, besides the calls."""

    control: bool
    operate: bool


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
