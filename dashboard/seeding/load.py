"""Rows into the database, in bulk: COPY on PostgreSQL, large transactions on SQLite.

An empty library is loaded without its indexes, and they are built at the end; generating uses all
cores. What was dropped is made again whatever happens, at the latest by the next run.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from typing import Any
from uuid import UUID

import django
from django.db import connection, models, transaction

from calls.models import Call
from dashboard.seeding.rows import TAG_COLOURS, TAGS, Centre, Seed, Sound, Values
from recordings.models import Recording, Review, SearchText, Spoken, Tag, Tagging, Transcript
from recordings.search import schema
from recordings.search.document import as_kept

BATCH = 5_000  # calls; a transaction
TOGETHER = 10  # batches in a transaction that fills an empty library, which nobody waits for: each
# writes all that changed in the indexes by id, which is nearly all of them
WITHOUT_INDEXES = 50_000  # from so many recordings on, building indexes anew is quicker
PATIENT = {  # settings of the connection, for a million rows
    # it takes as long as it takes; and an index of words is made in a few rounds, not in hundreds
    "postgresql": ("SET statement_timeout = 0", "SET maintenance_work_mem = '512MB'"),
    # the indexes by id grow everywhere at once, and with 20 MB most of that goes to the disk
    "sqlite": ("PRAGMA cache_size = -250000",),
}
INDEXED = (Recording, Call, Tagging, Transcript)

Row = tuple[Any, ...]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make."""

    count: int
    days: int
    until: date
    seed: str
    sounds: Sequence[Sound]


@dataclass(frozen=True, slots=True)
class Job:
    """One stretch of days, made by one process."""

    plan: Plan
    vendor: str
    tags: tuple[int, ...]
    number: int
    first: datetime
    days: int
    count: int


def load(plan: Plan, say: Say) -> None:
    """Make the rows of a plan."""
    _mend(say)
    with connection.cursor() as cursor:
        for setting in PATIENT[connection.vendor]:
            cursor.execute(setting)
    is_bulk = plan.count >= WITHOUT_INDEXES and not Recording.objects.exists()
    if is_bulk:
        _drop()
    try:
        _fill(plan, say, TOGETHER if is_bulk else 1)
    finally:
        _mend(say)
        _settle()


def _fill(plan: Plan, say: Say, together: int) -> None:
    """Insert the batches, so many in a transaction."""
    done, made = 0, _made(list(_jobs(plan)))
    while first := next(made, None):
        with transaction.atomic():
            for rows in chain([first], islice(made, together - 1)):
                for model, values in rows:
                    _insert(model, values)
                done += len(rows[0][1])
                say(f"\r{done:,} of {plan.count:,} recordings")
    say("\n")


def _jobs(plan: Plan) -> Iterator[Job]:
    """Cut the days so that each stretch has about a batch of calls."""
    tags = tuple(_tags())
    stretch = max(1, min(plan.days, plan.days * BATCH // plan.count))
    first = datetime(*plan.until.timetuple()[:3], tzinfo=UTC) - timedelta(days=plan.days)
    done = 0
    for number, day in enumerate(range(0, plan.days, stretch)):
        days = min(stretch, plan.days - day)
        upto = plan.count * (day + days) // plan.days
        start = first + timedelta(days=day)
        yield Job(plan, connection.vendor, tags, number, start, days, upto - done)
        done = upto


def _tags() -> Iterator[int]:
    for name, colour in zip(TAGS, TAG_COLOURS, strict=True):
        yield Tag.objects.get_or_create(name=name, defaults={"colour": colour})[0].pk


Rows = list[tuple[type[models.Model], list[Row]]]


def _made(jobs: list[Job]) -> Iterator[Rows]:
    """Yield the rows of each job in order, made by as many processes as there are cores."""
    if len(jobs) < 4:
        yield from map(_make, jobs)
        return
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context, initializer=django.setup) as pool:
        waiting = iter(jobs)
        running = [pool.submit(_make, job) for job in islice(waiting, cores + 1)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(_make, job) for job in islice(waiting, 1)]


def _make(job: Job) -> Rows:
    plan = job.plan
    centre = Centre(f"{plan.seed}/{job.number}", plan.sounds, plan.seed, plan.count)
    seeds = list(centre.calls(job.count, job.first, job.days))
    adapt = _for_sqlite if job.vendor == "sqlite" else _for_copy

    def rows(model: type[models.Model], values: Iterator[dict[str, object]]) -> Any:
        return model, _rows(model, values, adapt)

    return [
        rows(Call, (seed.call for seed in seeds)),
        rows(Recording, (seed.recording for seed in seeds)),
        rows(Transcript, (seed.transcript for seed in seeds if seed.transcript)),
        rows(SearchText, (_kept(seed.text, job.vendor) for seed in seeds)),
        rows(Spoken, (seed.text for seed in seeds)),
        rows(Review, (seed.review for seed in seeds if seed.review)),
        rows(
            Tagging, (_tagging(seed, job.tags[seed.tag]) for seed in seeds if seed.tag is not None)
        ),
    ]


def _kept(text: Values, vendor: str) -> Values:
    return text | {"document": as_kept(str(text["document"]), vendor)}


def _tagging(seed: Seed, tag: int) -> dict[str, object]:
    recording = seed.recording
    at = recording["since"]
    return {"tag": tag, "recording": recording["id"], "place": recording["place"], "at": at}


def columns(model: type[models.Model]) -> list["models.Field[Any, Any]"]:
    """Return the fields that a new row is given; the others the database fills."""
    return [
        field
        for field in model._meta.concrete_fields
        if not field.generated and (field.name != "id" or not isinstance(field, models.AutoField))
    ]


def _rows(
    model: type[models.Model],
    values: Iterator[dict[str, object]],
    adapt: Callable[[object], Any],
) -> list[Row]:
    fields = columns(model)
    given = [(field.name, adapt(field.get_default())) for field in fields]
    return [
        tuple(adapt(row[name]) if name in row else default for name, default in given)
        for row in values
    ]


def _for_sqlite(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value


def _escaped(text: str) -> str:
    for special, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(special, written)  # of most texts eight times as quick as translate
    return text


COPIED: dict[type, Callable[[Any], str]] = {
    str: _escaped,
    type(None): lambda _: "\\N",
    dict: lambda value: _escaped(json.dumps(value)),
    list: lambda value: _escaped(json.dumps(value)),
}


def _for_copy(value: object) -> str:
    return COPIED.get(type(value), str)(value)


def _insert(model: type[models.Model], rows: list[Row]) -> None:
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in columns(model))
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            marks = ", ".join(["%s"] * len(columns(model)))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608
            return
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            copy.write("".join("\t".join(row) + "\n" for row in rows))


def _drop() -> None:
    with connection.schema_editor() as editor:
        schema.drop(None, editor)
        for model in INDEXED:
            for index in model._meta.indexes:
                editor.remove_index(model, index)


def _mend(say: Say) -> None:
    """Build the indexes that are not there."""
    wanted = lacking()
    for model, index in wanted:
        say(f"\rBuilding {index.name} ...".ljust(60))
        with connection.schema_editor() as editor:
            editor.add_index(model, index)
    if not schema.exists():
        say("\rBuilding the index of words ...".ljust(60))
        with connection.schema_editor() as editor:
            schema.create(None, editor)
    if wanted:
        say("\n")


def lacking() -> list[tuple[type[models.Model], models.Index]]:
    """Return the indexes of the models that the database does not have."""
    with connection.cursor() as cursor:
        here = {
            name
            for model in INDEXED
            for name in connection.introspection.get_constraints(cursor, model._meta.db_table)
        }
    return [
        (model, index)
        for model in INDEXED
        for index in model._meta.indexes
        if index.name not in here
    ]


def _settle() -> None:
    """Let PostgreSQL know what there is now; it would find out by itself within minutes."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
