"""Many new rows at once, at a fraction of ``bulk_create``'s cost.

Of a thousand pictures that are asked for together, fifty of sixty columns hold the same value in
each row. ``bulk_create`` prepares and compiles every value of every row by itself, which is nine
tenths of its time, and on SQLite sends as many statements as it takes to stay below 999 parameters
each. Here a column that is the same everywhere is prepared once, and a chunk is one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from django.db import connections, models, router, transaction
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

Row = TypeVar("Row", bound=models.Model)

CHUNK = 5000
"""Rows of a statement: bounds its memory."""


def alike(
    model: type[Row], common: Mapping[str, Any], each: Iterable[Mapping[str, Any]]
) -> list[Row]:
    """New objects, one for each mapping, that have the ``common`` values and their own.

    ``Model(**values)`` goes through every column of every object, which for a wide table takes as
    long as writing the rows. Here it happens once; the others are copies, with what differs set on
    them. A default that is made for each object (a uuid, a list) is made for each of them. Where a
    site listens to the making of objects, each is made the long way.
    """
    if pre_init.has_listeners(model) or post_init.has_listeners(model):
        return [model(**common, **own) for own in each]
    pattern = model(**common)
    made_anew = [
        (field.attname, field.default)
        for field in model._meta.concrete_fields
        if field.has_default() and callable(field.default) and field.name not in common
    ]
    rows = []
    for own in each:
        row = _copy(pattern)
        for name, default in made_anew:
            setattr(row, name, default())
        for name, value in own.items():
            setattr(row, name, value)
        rows.append(row)
    return rows


def _copy(pattern: Row) -> Row:
    """As ``copy.copy()`` copies a new object, without the way through pickle that Django takes."""
    row = type(pattern).__new__(type(pattern))
    row.__dict__.update(pattern.__dict__)
    row._state = ModelState()
    row._state.fields_cache = pattern._state.fields_cache.copy()
    return row


def insert(rows: Sequence[Row], *, using: str | None = None) -> list[Row]:
    """As ``bulk_create(rows)``: all of them or none, without signals; each has its key afterwards.

    ``rows`` are new objects of one model with an automatic key and without expressions in them.
    """
    if not rows:
        return []
    model = type(rows[0])
    alias = using or router.db_for_write(model)
    write = _WAYS.get(connections[alias].vendor)
    if write is None or any(row.pk is not None for row in rows):
        return list(model._base_manager.using(alias).bulk_create(rows, batch_size=1000))
    with transaction.atomic(using=alias, savepoint=False):
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            keys = write(connections[alias], model, _Columns(connections[alias], model, chunk))
            for row, key in zip(chunk, keys, strict=True):
                row.pk = key
                row._state.adding = False
                row._state.db = alias
    return list(rows)


class _Columns:
    """The values of a chunk as the database takes them: those of all rows, and those of each."""

    def __init__(self, connection: Any, model: type[models.Model], rows: Sequence[Any]) -> None:
        self.count = len(rows)
        self.same: dict[models.Field[Any, Any], Any] = {}
        self.each: dict[models.Field[Any, Any], list[Any]] = {}
        for field in model._meta.local_concrete_fields:
            if field.primary_key:
                continue
            values = _values(field, rows)
            if _all_the_same(field, values):
                self.same[field] = field.get_db_prep_save(values[0], connection)
            else:
                self.each[field] = [field.get_db_prep_save(one, connection) for one in values]


def _values(field: models.Field[Any, Any], rows: Sequence[Any]) -> list[Any]:
    if type(field).pre_save is models.Field.pre_save:
        return list(map(attrgetter(field.attname), rows))
    if isinstance(field, models.DateTimeField):
        if not (field.auto_now or field.auto_now_add):
            return list(map(attrgetter(field.attname), rows))
        moment = field.pre_save(rows[0], True)  # one statement writes them all, at one moment
        for row in rows:
            setattr(row, field.attname, moment)
        return [moment] * len(rows)
    return [field.pre_save(row, True) for row in rows]


def _all_the_same(field: models.Field[Any, Any], values: list[Any]) -> bool:
    first = values[0]
    if isinstance(field, models.JSONField) and first not in ([], {}):
        return all(value is first for value in values)  # 1 and True are equal, but not in JSON
    return values.count(first) == len(values)  # done by C, and not every value has a hash


def _into_sqlite(connection: Any, model: type[models.Model], columns: _Columns) -> Sequence[int]:
    quote = connection.ops.quote_name
    fields = [*columns.same, *columns.each]
    listed = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    constant = tuple(columns.same.values())
    varying = zip(*columns.each.values(), strict=True) if columns.each else [()] * columns.count
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(model._meta.db_table)} ({listed}) VALUES ({marks})",  # noqa: S608
            [constant + row for row in varying],
        )
        # One writer at a time, and keys that are never used again: they follow each other.
        cursor.execute("SELECT last_insert_rowid()")
        last = cursor.fetchone()[0]
    return range(last - columns.count + 1, last + 1)


def _into_postgres(connection: Any, model: type[models.Model], columns: _Columns) -> Sequence[int]:
    quote = connection.ops.quote_name
    fields = [*columns.same, *columns.each]
    listed = ", ".join(quote(field.column) for field in fields)
    types = {field: field.cast_db_type(connection) for field in fields}
    taken = [
        *(f"%s::{types[field]}" for field in columns.same),
        *(f"given.{quote(field.column)}" for field in columns.each),
    ]
    names = ", ".join([*(quote(field.column) for field in columns.each), "number"])
    arrays = ", ".join([*(f"%s::{types[field]}[]" for field in columns.each), "%s::integer[]"])
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({listed}) "  # noqa: S608
            f"SELECT {', '.join(taken)} FROM unnest({arrays}) AS given({names}) "
            f"ORDER BY given.number RETURNING {quote(model._meta.pk.column)}",
            [*columns.same.values(), *columns.each.values(), list(range(columns.count))],
        )
        return [key for (key,) in cursor.fetchall()]


_WAYS = {"sqlite": _into_sqlite, "postgresql": _into_postgres}
