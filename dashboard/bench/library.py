"""How long the library's questions take, at two sizes, on both databases.

Each filter alone, with a range of days, and far down; each class of search for words; and the
counts that follow a page. Every run asks for other values. The libraries are seeded here, without
sounds, and dropped in the end; or they are named, and only read.

How a class grows is told twice. Among 10,000 recordings an agent said a word in 11 of them, among
a million in more than a page holds, and to read 50 rows with what was said in them is two to three
times the work of 11, however they were found. So beside the growth of the pages as they come
stands the growth row for row: the k-th fullest page of the large library is counted with as many
rows as the k-th fullest of the small one, and with all of the search. The target is for the pages
as they come; the other column tells how much of a miss is rows.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any

from dashboard.bench.databases import Database, Kind, SQLite, named, postgresql
from dashboard.bench.figures import percentile, table
from dashboard.bench.questions import Took
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
        head = [f"{outcome['database']}, ms"]
        for each in outcome["sizes"]:
            head += [f"{each['size']:,}: p50", "p95", "work p95", "rows"]
        told += [*table([*head, "growth", "row for row"], rows), ""]
        for name, *_, p95, _, _, growth, _ in rows:
            if p95 > P95_MS:
                told.append(f"MISSED: {name} takes {p95:.1f} ms, the target is {P95_MS:g}")
            if growth > RATIO:
                told.append(f"MISSED: {name} grows {growth:.2f} times, the target is {RATIO:g}")
    return told


def _rows(small: dict[str, Any], large: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield for each class its times, and how its work grew: work is not the neighbours'."""
    costs = _cost_of_a_row(large["classes"])
    for name, few in small["classes"].items():
        many = large["classes"][name]
        before, after = _figures(few), _figures(many)
        alike = percentile(list(_alike(few, many, costs[_kind(name)])), 95)
        growths = [max(work, FLOOR_MS) / max(before[2], FLOOR_MS) for work in (after[2], alike)]
        yield name, *before, *after, *(round(growth, 2) for growth in growths)


def _figures(asked: list[Took]) -> list[float]:
    total, work, rows = ([each[column] for each in asked] for column in range(3))
    return [
        percentile(total, 50),
        percentile(total, 95),
        percentile(work, 95),
        round(sum(rows) / len(rows)),
    ]


def _kind(name: str) -> str:
    """Return of which kind the rows are that a class shows: some with a sentence."""
    return name.partition(":")[0] if ":" in name else ""


def _cost_of_a_row(classes: dict[str, list[Took]]) -> dict[str, float]:
    """Return the work for each row more on a page, by the kind of rows."""
    costs = {}
    for kind in {_kind(name) for name in classes}:
        asked = [each for name in classes if _kind(name) == kind for each in classes[name]]
        rows, shown = [each[2] for each in asked], [each[3] for each in asked]
        is_told = len(set(rows)) > 1
        costs[kind] = max(0.0, linear_regression(rows, shown).slope) if is_told else 0.0
    return costs


def _alike(few: list[Took], many: list[Took], cost: float) -> Iterator[float]:
    """Yield the work of the large library's pages without the rows that the small one's lack."""
    before = sorted(rows for _, _, rows, _ in few)
    ranked = sorted(many, key=lambda each: each[2])
    for rows, (_, work, more, _) in zip(before, ranked, strict=True):
        yield work - cost * max(0, more - rows)
