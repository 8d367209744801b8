"""The suite runs twice, and this is the one place that says what the second pass is spared.

The first, on SQLite, is everything. The second, on PostgreSQL, is what that database may answer
differently. It leaves out
- journeys (everywhere.py): the desk below a browser is a SQLite one,
- what touches no database,
- files in a bucket: beside them the rows do as they do beside files in a folder, which it keeps,
- of cases that send the same statements in the same shapes with other values, all but `some`.
"""

from django.db import connection
from django.test import TransactionTestCase

IS_FIRST = connection.vendor == "sqlite"
DATABASE = {"db", "transactional_db"}


def is_again(item):
    """Say whether a test has its place in the second pass."""
    return touches_a_database(item) and not is_about_a_bucket(item)


def touches_a_database(item):
    is_case = item.cls is not None and issubclass(item.cls, TransactionTestCase)
    is_marked = item.get_closest_marker("django_db") is not None
    return is_case or is_marked or not DATABASE.isdisjoint(item.fixturenames)


def is_about_a_bucket(item):
    place = item.callspec.params.get("place") if hasattr(item, "callspec") else None
    return place == "bucket" or "bucket" in item.fixturenames


def some(cases, count):
    """Return all cases, in the second pass so many of them, from the first to the last."""
    cases = list(cases)
    if IS_FIRST or count >= len(cases):
        return cases
    return [cases[number * (len(cases) - 1) // (count - 1)] for number in range(count)]
