"""UPDATEs that the ORM compiles once and this process then repeats with other values.

For the one change that comes in bursts, the webhook's: compiling it takes the ORM fifteen times as
long as SQLite needs to carry it out. What never changes stands in the statement itself, and what
does has a name: on SQLite Django rewrites a statement with nameless values each time.
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
        self._compiled: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

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
        statement, constants = self._compiled[key]
        column = rows.model._meta.get_field
        filled = {
            name: column(name).get_db_prep_save(values[name], connection) for name in self._columns
        }
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            cursor.execute(statement, constants | filled)
            return int(cursor.rowcount)

    def _compile(self, rows: Any, using: str) -> tuple[str, dict[str, Any]]:
        """The statement, and those of its constants that cannot stand in it as they are."""
        gaps = {name: _Gap(output_field=rows.model._meta.get_field(name)) for name in self._columns}
        chosen, changes = self._build(rows.order_by(), gaps)
        query: Any = chosen.query.chain(UpdateQuery)
        query.add_update_values(changes)
        statement, parameters = query.get_compiler(using).as_sql()
        quote = connections[using].schema_editor().quote_value
        places: list[str] = []
        constants: dict[str, Any] = {}
        for number, value in enumerate(parameters):
            if isinstance(value, _Gap):
                places.append(f"%({value.output_field.name})s")
            elif isinstance(value, int) or (isinstance(value, str) and "%" not in value):
                places.append(quote(value))
            else:
                places.append(f"%(constant_{number})s")
                constants[f"constant_{number}"] = value
        # Filled in twice: with these places now, with the values each time.
        return statement.replace("%%", "%%%%") % tuple(places), constants
