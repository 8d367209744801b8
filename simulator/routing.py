"""Requests and routes: paths are matched by segment, each unquoted after it is split off."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from simulator.answers import Answer, Json, refused
from simulator.switchboard import Switchboard


class Raw(NamedTuple):
    """An answer that is not JSON."""

    status: int
    content: bytes
    content_type: str


Result = Answer | Raw


@dataclass
class Request:
    """A request, as far as handlers care."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    content: bytes
    body: Json
    named: dict[str, str]  # the path's placeholders

    def page(self, name: str, default: int, high: int) -> int:
        """Return a number of the query's page parameters. Raises Refused if out of range."""
        given = self.query.get(f"page[{name}]")
        if given is None:
            return default
        if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= high:
            detail = f"page[{name}] is {given!r}, must be a number from 1 to {high}."
            raise refused(422, "10033", detail)
        return int(given)


Handler = Callable[[Switchboard, Request], Result]


class Route(NamedTuple):
    """A method and a path with {placeholders}, and what answers them."""

    method: str
    template: str
    handler: Handler

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """Return the placeholders' values if a path fits, else None."""
        parts = self.template.strip("/").split("/")
        if len(parts) != len(segments):
            return None
        named = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith("{"):
                named[part[1:-1]] = segment
            elif part != segment:
                return None
        return named


def find(
    routes: list[Route], method: str, path: str
) -> tuple[Route | None, dict[str, str], set[str]]:
    """Return the route for a request with its placeholders, and the methods that the path has."""
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    methods = set()
    for route in routes:
        named = route.match(segments)
        if named is not None:
            methods.add(route.method)
            if route.method == method:
                return route, named, methods
    return None, {}, methods


def query_of(text: str) -> dict[str, str]:
    """Return a query string's parameters; arrays may come as `a[]=1&a[]=2` or `a=1,2`."""
    found: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        key = re.sub(r"\[\]$", "", key)
        found[key] = f"{found[key]},{value}" if key in found else value
    return found
