"""How long the library's questions take, at two sizes, on both databases.

Each filter alone, with a range of days, and far down; each class of search for words; and the
counts that follow a page. Every run asks for other values. The libraries are seeded here, without
sounds, and dropped in the end; or they are named, and only read.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.bench.databases import Database, Kind, SQLite, named, postgresql
from dashboard.bench.figures import percentile, table
from dashboard.bench.stage import Broken, Stage

NAME = "library"
SMALL = 10_000
P95_MS = 20.0
RATIO = 1.5
FLOOR_MS = 2.0  # a smaller figure is a few round trips, and what a thousand more rows add to them
SEED_WITHIN_S = 3 * 3600.0


@dataclass(frozen=True)
class Sizes:
    """How many recordings the large library has, and how often each question is asked."""

    recordings: int = 100_000
    runs: int = 40
    on: Sequence[str] = ()  # libraries that there are: a small one and a large one of a kind


def run(sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Seed and ask; return the milliseconds of each class, by database and size."""
    outcomes = []
    with Stage() as stage:
        if sizes.on:
            return {"outcomes": list(_there(stage, sizes, say))}
        kinds: list[Kind | None] = [SQLite(stage), postgresql(stage)]
        for kind in kinds:
            if kind is None:
                say("PostgreSQL is not measured: there is none to lend")
                continue
            outcomes.append({"database": kind.name, "sizes": _both(stage, kind, sizes, say)})
    return {"outcomes": outcomes}


def _there(stage: Stage, sizes: Sizes, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Ask libraries that there are, in pairs."""
    for small, large in zip(sizes.on[::2], sizes.on[1::2], strict=True):
        kinds = [named(url) for url in (small, large)]
        if kinds[0] != kinds[1]:
            raise Broken(f"{small} is {kinds[0]} and {large} is {kinds[1]}: not to be compared")
        found = [_ask(stage, Database(url), sizes, say) for url in (small, large)]
        yield {"database": kinds[0], "sizes": sorted(found, key=lambda each: each["size"])}


def _both(
    stage: Stage, kind: Kind, sizes: Sizes, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    found = []
    for count in (SMALL, sizes.recordings):
        name = f"{type(kind).__name__.lower()}_{count}"
        database = kind.make(name)
        say(f"{kind.name}: seeding {count:,} recordings")
        _run(stage, f"seed_{name}", database, "manage.py", "seed", "--silent",
             "--recordings", str(count))  # fmt: skip
        found.append(_ask(stage, database, sizes, say))
    return found


def _ask(
    stage: Stage, database: Database, sizes: Sizes, say: Callable[[str], None]
) -> dict[str, Any]:
    say(f"Asking {database.url.rpartition('/')[2]}")
    words = ("-m", "dashboard.bench.questions", str(sizes.runs))
    told: dict[str, Any] = json.loads(_run(stage, "ask", database, *words))
    return told


def _run(stage: Stage, name: str, database: Database, *words: str) -> str:
    """Run a program on a database and return the last line it printed. Raises Broken."""
    environment = stage.environment(
        DATABASE_URL=database.url, DJANGO_SETTINGS_MODULE="dashboard.settings"
    )
    process = stage.python(name, *words, environment=environment)
    if process.wait(SEED_WITHIN_S):
        raise Broken(f"{name} failed\n{stage.last_words(name)}")
    return stage.last_words(name).splitlines()[-1]


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures for people, and what misses its target."""
    told = []
    for outcome in figures["outcomes"]:
        rows = list(_rows(*outcome["sizes"]))
        small, large = (f"{each['size']:,}" for each in outcome["sizes"])
        head = [f"{outcome['database']}, ms", f"{small}: p50", "p95", "work p95"]
        head += [f"{large}: p50", "p95", "work p95", "growth"]
        told += [*table(head, rows), ""]
        for name, *_, p95, _, growth in rows:
            if p95 > P95_MS:
                told.append(f"MISSED: {name} takes {p95:.1f} ms, the target is {P95_MS:g}")
            if growth > RATIO:
                told.append(f"MISSED: {name} grows {growth:.2f} times, the target is {RATIO:g}")
    return told


def _rows(small: dict[str, Any], large: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return for each class its times, and how its work grew: work is not the neighbours'."""
    rows = []
    for name, few in small["classes"].items():
        figures = [*_figures(few), *_figures(large["classes"][name])]
        growth = max(figures[5], FLOOR_MS) / max(figures[2], FLOOR_MS)
        rows.append((name, *figures, round(growth, 2)))
    return rows


def _figures(times: list[tuple[float, float]]) -> list[float]:
    total, work = ([each[column] for each in times] for column in (0, 1))
    return [percentile(total, 50), percentile(total, 95), percentile(work, 95)]
