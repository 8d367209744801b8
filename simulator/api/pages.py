"""Lists: their envelope, their pages by number or by cursor, their filters."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from simulator.answers import Answer, Json, Refused, error, refused
from simulator.routing import Request


def wrapped(rows: Any, **extra: Any) -> Answer:
    """Return a 200 with its rows under `data`."""
    return Answer(200, {"data": rows, **extra})


def not_found(what: str) -> Refused:
    """Return the exception for an id that names nothing."""
    return refused(404, "10005", f"The {what} could not be found.")


def numbered(request: Request, rows: list[Any], show: Callable[[Any], Json]) -> Answer:
    """Return one page of rows, counted by number and size."""
    number, size = request.page("number", 1, 10**6), request.page("size", 20, 250)
    page = rows[(number - 1) * size : number * size]
    meta = {
        "page_number": number,
        "page_size": size,
        "total_pages": -(-len(rows) // size),
        "total_results": len(rows),
    }
    return wrapped([show(row) for row in page], meta=meta)


def by_cursor(
    request: Request,
    rows: list[Any],
    show: Callable[[Any], Json],
    key: Callable[[Any], str],
    **totals: int,
) -> Answer:
    """Return one page of rows sorted by a key, after or before a cursor: a key in disguise."""
    size = request.page("limit", request.page("size", 20, 250), 250)
    after, before = _uncursor(request, "after"), _uncursor(request, "before")
    if after:
        start = next((i for i, row in enumerate(rows) if key(row) > after), len(rows))
    elif before:
        end = next((i for i, row in enumerate(rows) if key(row) >= before), len(rows))
        start = max(0, end - size)
    else:
        start = (request.page("number", 1, 10**6) - 1) * size
    page = rows[start : start + size]
    has_next, has_previous = start + size < len(rows), start > 0 and bool(page)
    cursors = {
        "after": _cursor(key(page[-1])) if has_next else None,
        "before": _cursor(key(page[0])) if has_previous else None,
    }
    meta: Json = {
        "cursors": cursors,
        "next": _turn(request, "after", cursors["after"]),
        "previous": _turn(request, "before", cursors["before"]),
        **totals,
    }
    return wrapped([show(row) for row in page], meta=meta)


def _cursor(key: str) -> str:
    return "v1:" + base64.urlsafe_b64encode(key.encode()).decode()


def _uncursor(request: Request, name: str) -> str | None:
    given = request.query.get(f"page[{name}]")
    if given is None:
        return None
    try:
        return base64.b64decode(given.removeprefix("v1:"), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise refused(422, "10015", f"page[{name}] is no cursor of this API.") from None


def _turn(request: Request, name: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = [
        f"{key}={quote(value, safe='')}"
        for key, value in request.query.items()
        if key not in ("page[after]", "page[before]", "page[number]")
    ]
    return f"{request.path}?{'&'.join([*kept, f'page[{name}]={cursor}'])}"


def _moment(request: Request, name: str) -> datetime | None:
    """Return a time of the query. Raises Refused if it is none."""
    given = request.query.get(name)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        detail = f"{name} is {given!r}, must be an ISO 8601 time."
        raise Refused(422, [error("10015", detail, parameter=name)]) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def between(request: Request, field: str) -> Callable[[datetime | None], bool]:
    """Return whether a time satisfies filter[field][gte] and its siblings."""
    limits = {op: _moment(request, f"filter[{field}][{op}]") for op in COMPARE}
    given = [(COMPARE[op], limit) for op, limit in limits.items() if limit]
    return lambda at: all(at is not None and holds(at, limit) for holds, limit in given)


COMPARE: dict[str, Callable[[datetime, datetime], bool]] = {
    "gte": lambda at, limit: at >= limit,
    "lte": lambda at, limit: at <= limit,
    "gt": lambda at, limit: at > limit,
    "lt": lambda at, limit: at < limit,
    "eq": lambda at, limit: at == limit,
}


def same(request: Request, **values: object) -> bool:
    """Return whether every filter[key] that is given equals the value of that key."""
    return all(
        request.query.get(f"filter[{key.rstrip('_')}]", value) == value
        for key, value in values.items()
    )
