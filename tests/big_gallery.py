"""A database with enough pictures that a planner has a choice; and what statements do to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from benchmarks.filling import fill
from ideogram_django.models import GeneratedImage

ROWS = 20_000
PICTURES = GeneratedImage._meta.db_table


@pytest.fixture(scope="module")
def big_gallery(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """20,000 pictures for all tests of a module, which change them in transactions alone."""
    with django_db_blocker.unblock():
        fill(ROWS, in_flight=60)
        if connection.vendor == "postgresql":
            # Fresh indexes are small in memory and on disk: without this a planner that has just
            # loaded a table believes a scan to be as cheap.
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
    yield
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    parameters: Any
    plan: str = ""

    @property
    def reads_pictures(self) -> bool:
        return PICTURES in self.plan

    @property
    def reads_all_pictures(self) -> bool:
        """Row by row, and not just back from the newest one until a page is full."""
        if connection.vendor == "postgresql":
            return f"Seq Scan on {PICTURES}" in self.plan
        scans = re.search(rf"SCAN {PICTURES}(?! USING)", self.plan) is not None
        by_key = "LIMIT" in self.sql and "TEMP B-TREE" not in self.plan
        return scans and not by_key

    def __str__(self) -> str:
        return f"{self.sql}\n{self.plan}"


@dataclass(slots=True)
class Statements:
    """What was sent to the database while a block ran, and how that would be carried out."""

    all: list[Statement] = field(default_factory=list)

    @property
    def on_pictures(self) -> list[Statement]:
        return [one for one in self.all if one.reads_pictures]

    def using(self, index: str) -> list[Statement]:
        return [one for one in self.all if index in one.plan]


@contextmanager
def explained() -> Iterator[Statements]:
    """Every SELECT, UPDATE and DELETE of the block with the database's plan for it.

    Asked with the parameters apart, as they are sent: SQLite decides about partial indexes by the
    values that are bound.
    """
    found = Statements()
    sent: list[Statement] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if not many and sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            sent.append(Statement(sql, parameters, ""))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield found
    found.all += [Statement(one.sql, one.parameters, _plan(one)) for one in sent]


def _plan(statement: Statement) -> str:
    how = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {statement.sql}", statement.parameters)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
