"""`place__among=[...]`: one of many whole numbers, bound as one value.

Of a thousand parameters, Django, the driver and the database's parser each take longer than it
takes to find the rows; and SQLite keeps no plan for a statement that is another for each number.
"""

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler


@models.BigIntegerField.register_lookup
class Among(models.Lookup):
    """Is one of the given numbers."""

    lookup_name = "among"

    def get_prep_lookup(self) -> list[int]:
        return [int(each) for each in self.rhs]

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        """Write the condition."""
        column, params = self.process_lhs(compiler, connection)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s)", (*params, self.rhs)
        listed = "(SELECT value FROM json_each(%s))"
        return f"{column} IN {listed}", (*params, json.dumps(self.rhs))
