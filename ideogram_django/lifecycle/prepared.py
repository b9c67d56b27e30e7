"""UPDATEs that the ORM compiles once and this process then repeats with other values.

For the one change that comes in bursts, the webhook's: compiling it takes the ORM fifteen times as
long as SQLite needs to carry it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Expression, QuerySet
from django.db.models.sql import UpdateQuery

Build = Callable[[QuerySet[Any], Mapping[str, Any]], tuple[QuerySet[Any], Mapping[str, Any]]]


class _Gap(Expression):
    """Where a value will stand."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]


class PreparedUpdate:
    """``build`` says it once: given all rows and a gap for each column in ``columns``, it returns
    the filtered rows and the changes, as for ``filter()`` and ``update()``."""

    def __init__(self, build: Build, columns: tuple[str, ...]) -> None:
        self._build = build
        self._columns = columns
        self._compiled: dict[tuple[str, str], tuple[str, tuple[Any, ...]]] = {}

    def __call__(self, rows: Any, **values: Any) -> int:
        """Carry it out with these values, one for each column; how many rows it changed.

        Of ``rows`` only model and database count: conditions belong into ``build``.
        """
        if rows.query.where:
            raise ValueError("These rows have conditions of their own.")
        using = rows._db or router.db_for_write(rows.model)
        connection = connections[using]
        key = (using, connection.vendor)
        if key not in self._compiled:
            self._compiled[key] = self._compile(rows, using)
        statement, parameters = self._compiled[key]
        filled = [
            one.output_field.get_db_prep_save(values[one.output_field.name], connection)
            if isinstance(one, _Gap)
            else one
            for one in parameters
        ]
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            cursor.execute(statement, filled)
            return int(cursor.rowcount)

    def _compile(self, rows: Any, using: str) -> tuple[str, tuple[Any, ...]]:
        gaps = {name: _Gap(output_field=rows.model._meta.get_field(name)) for name in self._columns}
        chosen, changes = self._build(rows.order_by(), gaps)
        query: Any = chosen.query.chain(UpdateQuery)
        query.add_update_values(changes)
        statement, parameters = query.get_compiler(using).as_sql()
        return statement, tuple(parameters)
