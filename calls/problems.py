"""Kinds of problem that people should hear of: a registry, to which packages add theirs.

    register(Kind("webhook", ...)) --> the page /problems/, the count on the board

A problem is a row of somebody's table that a query calls one: nothing is copied, so what mends
itself is gone by itself. To add a kind, register it from your `AppConfig.ready()`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import BooleanField, Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Replace

from calls.models import Dismissal

Person: TypeAlias = AbstractBaseUser | AnonymousUser
Rows: TypeAlias = "QuerySet[Any]"


class CannotHelp(Exception):
    """Trying again is not possible now; the text says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """One problem in plain words."""

    title: str
    reason: str  # why, in a sentence or two
    advice: str  # what to do, if anything
    url: str = ""  # where to look
    can_retry: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem."""

    name: str  # in addresses
    label: str  # of several
    since: str  # the column that says since when
    rows: Callable[[Person], Rows]  # those that a person may see, in no order
    tell: Callable[[Any, Person], Told]
    subject: Callable[[Any], str]  # the name under which the audit trail knows the row
    retry: Callable[[Any, Person], str] | None = None  # returns what to say. Raises CannotHelp
    retry_label: str = "Try again"
    retry_all: bool = False  # whether it is safe to retry all of them at one press

    def open(self, person: Person) -> Rows:
        """Return the rows that a person may see and nobody dismissed since they went wrong."""
        digits = Replace(Cast(OuterRef("pk"), TextField()), Value("-"), Value(""))
        gone = Dismissal.objects.filter(kind=self.name, key=digits, at__gte=OuterRef(self.since))
        return self.rows(person).exclude(Exists(gone))


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Add a kind of problem."""
    _kinds[kind.name] = kind
    return kind


def kinds() -> Sequence[Kind]:
    """Return every kind by name."""
    return [_kinds[name] for name in sorted(_kinds)]


def key_of(pk: int | UUID) -> str:
    """Return the key of a row in addresses and dismissals."""
    return pk.hex if isinstance(pk, UUID) else str(pk)


def since_of(kind: Kind, row: Any) -> datetime:
    """Return since when something is wrong."""
    at: datetime = getattr(row, kind.since)
    return at


def literally(condition: str) -> RawSQL:
    """Return a condition without bound values, for which SQLite may use a partial index."""
    return RawSQL(condition, [], output_field=BooleanField())  # noqa: S611  (our own words)
