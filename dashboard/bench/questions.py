"""What people ask of a library, timed: python -m dashboard.bench.questions RUNS, in a process of
its own, because the settings name one database.

Prints {"size": n, "classes": {name: [[ms, work_ms, rows, shown_ms], ...]}}. Database time is all
that is spent in cursors, fetching included: SQLite works while it is read. The work in it is the
processor time of this thread and of PostgreSQL's process for it, which tells of a busy machine's
neighbours nothing. Of the work, what is shown is the rows of the page and what was said in them.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from unittest import mock

import django
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.http import QueryDict

Query = dict[str, str]
PAGE = 50
DEEP = 1_000  # the page that is far down
COUNT = "count: "  # before the name of what is counted
COMMON = ("account", "order", "refund", "card", "invoice", "confirmation", "email", "colleague")
OTHER = ("credit", "parcel", "supervisor", "cancel", "router", "appointment", "discount", "bank")
TOGETHER = (  # words of one matter, as people ask
    *(
        "refund payment",
        "invoice dollars",
        "parcel tracking",
        "return warranty",
        "insurance claim",
    ),
    *("appointment slot", "router restarted", "cancel subscription", "supervisor charge"),
    *("account number", "order arrived", "card blocked", "technician noon", "discount bill"),
)
PHRASES = (
    *('"credit card"', '"account number"', '"your last name"', '"return label"', '"half past"'),
    *('"short of staff"', '"tracking page"', '"three months at half the price"'),
)


class Timed(CursorWrapper):
    """A cursor that knows how long all of them took."""

    seconds = 0.0
    work_s = 0.0
    found_s = 0.0  # the work until the places of the page were known
    backend: Path | None = None  # what the kernel knows of PostgreSQL's process

    @staticmethod
    @contextmanager
    def _clock() -> Iterator[None]:
        began, work = time.perf_counter(), Timed._work()
        try:
            yield
        finally:
            Timed.seconds += time.perf_counter() - began
            Timed.work_s += Timed._work() - work

    @staticmethod
    def _work() -> float:
        ours = time.thread_time()
        if Timed.backend is None:
            return ours
        return ours + int(Timed.backend.read_text().split()[0]) / 1e9

    def execute(self, sql: Any, params: Any = None) -> Any:
        """Run a statement."""
        with self._clock():
            return super().execute(sql, params)

    def fetchone(self) -> Any:
        """Return a row."""
        with self._clock():
            return self.cursor.fetchone()

    def fetchmany(self, *size: int) -> Any:
        """Return some rows."""
        with self._clock():
            return self.cursor.fetchmany(*size)

    def fetchall(self) -> Any:
        """Return all rows."""
        with self._clock():
            return self.cursor.fetchall()


class Asker:
    """Draws distinct questions from what the library holds."""

    def __init__(self, seed: int) -> None:
        from recordings.models import Recording

        self.chance = random.Random(seed)  # noqa: S311  (the same questions every time)
        self.recordings = Recording.objects.order_by()
        places = self.recordings.order_by("place").values_list("place", flat=True)
        self.first, self.last = places[0], places.reverse()[0]

    def filters(self) -> dict[str, Callable[[], Query]]:
        """Return each filter alone."""
        pick = self.chance.choice
        return {
            "all": dict,
            "direction": lambda: {"direction": pick(["incoming", "outgoing"])},
            "number": lambda: {"number": self._someone().from_number},
            "number, 4 digits": lambda: {"number": self._digits(4)},
            "number, 2 digits": lambda: {"number": self._digits(2)},
            "agent": lambda: {"party": self._agent()},
            "party": lambda: {"party": self._name()},
            "longer": lambda: {"longer": pick(["1:00", "4:30", "10m", "25m", "38m"])},
            "shorter": lambda: {"shorter": pick(["0:35", "50", "2:00", "11m"])},
            "state": lambda: {"state": pick(["stored", "failed", "missing", "deleted"])},
            "channels": lambda: {"channels": pick(["1", "2"])},
            "transcript": lambda: {"transcript": pick(["yes", "no"])},
            "tag": lambda: {"tag": pick(["billing", "vip", "legal", "language"])},
            "flagged": lambda: {"flagged": pick(["yes", "no"])},
            "reviewed": lambda: {"reviewed": pick(["yes", "no"])},
            "paused": lambda: {"paused": pick(["yes", "no"])},
        }

    def searches(self) -> dict[str, Callable[[], Query]]:
        """Return each class of search for words."""
        pick = self.chance.choice
        return {
            "no hit": lambda: {"q": self._nonsense()},
            "10 hits": lambda: {"q": f'"{self._rare()}"'},
            "common": lambda: {"q": pick(COMMON)},
            "phrase": lambda: {"q": pick(PHRASES)},
            "two words": lambda: {"q": pick(TOGETHER)},
            "common and rare": lambda: {"q": f'{pick(COMMON)} "{self._rare()}"'},
            "a surname": lambda: {"q": self._name()},
            "word and dates": lambda: {"q": pick(COMMON + OTHER)} | self.days(),
            "word and party": lambda: {"q": pick(COMMON), "party": self._name()},
            "word and agent": lambda: {"q": pick(COMMON), "party": self._agent()},
            "word and number": lambda: {"q": pick(COMMON), "number": self._someone().to_number},
        }

    def days(self) -> Query:
        """Return a range of days."""
        from recordings.models import moment_of

        some = moment_of(self.chance.randrange(self.first, self.last)).date()
        until = some + timedelta(days=self.chance.choice([0, 6, 30, 90]))
        return {"from": date.isoformat(some), "to": date.isoformat(until)}

    def _someone(self) -> Any:
        place = self.chance.randrange(self.first, self.last)
        return self.recordings.filter(place__gte=place).order_by("place")[0]

    def _digits(self, count: int) -> str:
        return "".join(self.chance.choices("0123456789", k=count))

    def _agent(self) -> str:
        return str(self._someone().agent.partition("@")[0].removeprefix("sip:"))

    def _name(self) -> str:
        while not (name := self._someone().call.caller_name):
            pass
        return str(name)

    def _nonsense(self) -> str:
        return "".join(self.chance.choices("bcdfghklmnprstvwz", k=9))

    def _rare(self) -> str:
        """Return a word that some ten calls hold."""
        from dashboard.seeding.talk import SURNAMES
        from recordings.search.query import parse
        from recordings.search.sources import Patience, Span, Text

        for _ in range(200):
            word = self.chance.choice(SURNAMES).lower()
            text = Text(tuple(parse(f'"{word}"')))
            if 5 <= len(text.places(Span(), 16, Patience())) <= 15:
                return word
        return word


class Asked(Enum):
    """What is asked for."""

    PAGE = "the first page"
    FAR = "page 1,000"
    COUNT = "the count that follows a page which was full before all was counted"


def questions(asker: Asker) -> Iterator[tuple[str, Callable[[], Query], Asked]]:
    """Yield (name, draw a question, what is asked for)."""
    for name, ask in asker.filters().items():
        yield name, ask, Asked.PAGE
        yield f"{name}, page 1,000", ask, Asked.FAR
        days = lambda ask=ask: ask() | asker.days()  # noqa: E731
        yield f"{name}, dates", days, Asked.PAGE
    for sort in ("oldest", "longest", "shortest"):
        yield sort, lambda sort=sort: {"sort": sort}, Asked.PAGE  # type: ignore[misc]
        yield f"{sort}, page 1,000", lambda sort=sort: {"sort": sort}, Asked.FAR  # type: ignore[misc]
    for name, ask in asker.searches().items():
        yield f"words: {name}", ask, Asked.PAGE
    yield "words: common, page 1,000", asker.searches()["common"], Asked.FAR
    for name in ("number, 4 digits", "agent", "party"):
        yield f"{COUNT}{name}", asker.filters()[name], Asked.COUNT
    for name, ask in asker.searches().items():
        yield f"{COUNT}{name}", ask, Asked.COUNT


def _warm() -> None:
    """Read every row once, as a desk in use has: the disk is not what is measured."""
    from recordings.models import Recording, SearchText, Spoken

    SearchText.objects.filter(document__contains="%").count()
    Spoken.objects.filter(lines__contains="%").count()
    Recording.objects.filter(reason="no such reason").count()


def main(runs: int) -> None:
    """Ask everything so many times and print how long each took."""
    from django.contrib.auth.models import User

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
    _warm()

    user = User.objects.create_superuser(f"bench {os.getpid()}")
    try:
        told = _ask(user, runs)
    finally:
        user.delete()
    sys.stdout.write(json.dumps(told))


def _ask(user: Any, runs: int) -> dict[str, Any]:
    from recordings.models import Recording
    from recordings.search import engine, results

    mock.patch.object(results, "search", _marking(engine.search)).start()
    connection.make_cursor = lambda cursor: Timed(cursor, connection)  # type: ignore[method-assign]
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        Timed.backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    asker = Asker(7)
    classes = {}
    for name, ask, asked in questions(asker):
        _time(user, ask(), asked)  # the first of a kind also fills caches
        classes[name] = [_time(user, ask(), asked) for _ in range(runs)]
        sys.stderr.write(f"{name}\n")
    return {"size": Recording.objects.count(), "classes": classes}


Took = tuple[float, float, int, float]


def _time(user: Any, query: Query, asked: Asked) -> Took:
    """Ask one question; return the milliseconds of database time, of work in it, and so on."""
    from recordings.search import results

    if asked is Asked.FAR:
        query = query | {"after": _far(user, query)}
    chosen = _read(query)
    Timed.seconds = Timed.work_s = Timed.found_s = 0.0
    if asked is Asked.COUNT:
        results.count(user, chosen)
        return Timed.seconds * 1000, Timed.work_s * 1000, 0, 0.0
    rows = len(results.find(user, chosen).recordings)
    shown_s = Timed.work_s - Timed.found_s
    return Timed.seconds * 1000, Timed.work_s * 1000, rows, shown_s * 1000


def _marking(search: Callable[..., Any]) -> Callable[..., Any]:
    """Have the search note when it has found its places."""

    def marked(*asked: Any, **more: Any) -> Any:
        found = search(*asked, **more)
        Timed.found_s = Timed.work_s
        return found

    return marked


def _far(user: Any, query: Query) -> str:
    """Return the cursor of page 1,000, or of the last page if there are fewer."""
    from dataclasses import replace

    from recordings.filters import cursor
    from recordings.search.engine import LIMITS, search

    size = PAGE * (DEEP - 1)
    patient = replace(LIMITS, seconds=60.0, first_batch=size, largest_batch=size)
    found = search(user, _read(query), size=size, limits=patient)
    if found.after is not None:
        return cursor(found.after)
    if not found.places:
        return ""
    shorter = max(1, len(found.places) - PAGE)
    last = search(user, _read(query), size=shorter, limits=patient)
    return "" if last.after is None else cursor(last.after)


def _read(query: Query) -> Any:
    from recordings import filters

    asked = QueryDict(mutable=True)
    asked.update(query)
    return filters.read(asked)


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]))
