"""What every page of the desk needs to know."""

from django.conf import settings
from django.http import HttpRequest

from access.policies import Right, may
from calls import signals
from dashboard import problems
from recordings import exports


def desk(request: HttpRequest) -> dict[str, object]:
    """Return the rights of the person, by name, and the zone that times are shown in."""
    user = getattr(request, "user", None)
    return {
        "may": {right.name.lower(): user is not None and may(user, right) for right in Right},
        "zone": settings.TIME_ZONE,
        "unread": lambda: signals.unread(user) if user is not None else 0,
        "problem_count": lambda: problems.last_count(user) if user is not None else None,
        "exports_told": lambda: exports.told(user) if user is not None else None,
    }
