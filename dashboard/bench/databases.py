"""Empty databases to measure on: SQLite in the stage's folder, and PostgreSQL if there is one."""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg

from dashboard import env, postgres
from dashboard.bench import machine
from dashboard.bench.stage import Stage


@dataclass(frozen=True)
class Database:
    """One database, and how to look into it from outside of Django."""

    url: str

    def rows(self, sql: str) -> Sequence[tuple[object, ...]]:
        """Run one statement and return its rows."""
        if self.url.startswith("sqlite:"):
            file = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30)
            try:
                with file:
                    return file.execute(sql).fetchall()
            finally:
                file.close()
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


class Kind(Protocol):
    """One kind of database server."""

    @property
    def name(self) -> str:
        """What it is, and its version."""

    @property
    def pid(self) -> int | None:
        """Whose tree does the database's work, if not the web process."""

    def make(self, name: str) -> Database:
        """Return a new database with all tables, empty."""


class SQLite:
    """A file per database."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.name = named("sqlite:")
        self.pid = None

    def make(self, name: str) -> Database:
        """Return a new database with all tables, empty."""
        path = self.stage.folder / f"{name}.sqlite3"
        shutil.copyfile(self.template, path)
        return Database(f"sqlite:///{path}")

    @cached_property
    def template(self) -> Path:
        """A file with all tables, which nobody opens again."""
        path = self.stage.folder / "template.sqlite3"
        migrate(self.stage, Database(f"sqlite:///{path}"))
        return path


class PostgreSQL:
    """A database each on one server."""

    def __init__(self, stage: Stage, url: str) -> None:
        self.stage = stage
        self.server = Database(url)
        self.name = named(url)
        self.pid = self._postmaster()

    def make(self, name: str) -> Database:
        """Return a new database with all tables, empty; it is dropped in the end."""
        return self._create(name, self.template)

    @cached_property
    def template(self) -> str:
        """The name of a database with all tables, which nobody opens again."""
        database = self._create("template", "template1")
        migrate(self.stage, database)
        return urlsplit(database.url).path.lstrip("/")

    def _create(self, name: str, template: str) -> Database:
        full = f"tapeline_bench_{os.getpid()}_{name}"
        self.server.rows(f"CREATE DATABASE {full} TEMPLATE {template}")
        drop = f"DROP DATABASE IF EXISTS {full} WITH (FORCE)"
        self.stage.stack.callback(self.server.rows, drop)
        return Database(urlsplit(self.server.url)._replace(path=f"/{full}").geturl())

    def _one(self, sql: str) -> str:
        return str(self.server.rows(sql)[0][0])

    def _postmaster(self) -> int | None:
        """Return the server's first process, if it runs on this machine where we can see it."""
        with psycopg.connect(self.server.url) as connection:
            pid = connection.info.backend_pid
            here = machine.name(pid).startswith("postgres")
            return machine.parent(pid) if here else None


def named(url: str) -> str:
    """Return what kind of database is there, and its version."""
    if url.startswith("sqlite:"):
        return f"SQLite {sqlite3.sqlite_version}"
    ((version,),) = Database(url).rows("SHOW server_version")
    return f"PostgreSQL {str(version).split()[0]}"


def migrate(stage: Stage, database: Database) -> None:
    """Make the tables."""
    environment = stage.environment(DATABASE_URL=database.url)
    stage.run("migrate", "migrate", "--verbosity", "0", environment=environment)


def postgresql(stage: Stage) -> PostgreSQL | None:
    """Return the server that DATABASE_URL names, else one lent to us, else None."""
    url = env.text("DATABASE_URL")
    if url.startswith(("postgres:", "postgresql:")):
        return PostgreSQL(stage, url)
    try:
        return PostgreSQL(stage, stage.stack.enter_context(postgres.lend()))
    except postgres.NoPostgres:
        return None
