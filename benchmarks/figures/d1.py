"""D1: asking for 1,000 pictures through the public API.

Target: at least 25 times as fast as a loop of ``save()`` and ``django_rq.enqueue()``, and at most 9
times as long as the limit; at most N/50 + 3 statements on SQLite, ceil(N/1000) + 3 on PostgreSQL.
Red line: 8 times the loop's speed, since the short form asks for a few hundred, which pay a larger
part of what is asked once for all. The cost grows in proportion to N, what it asks of Redis not at
all.

The limit writes the very same rows, charges and all, ready-made: ``executemany`` (SQLite) or
``COPY`` (PostgreSQL) into both tables in one transaction, and one ``RPUSH`` of all keys.
The loop writes one row into a table of its own, without a ledger, and enqueues a job for it, in a
transaction each; once as django-rq's documentation shows it, once with a queue object that it
keeps. All in one process, in turn.
"""

from __future__ import annotations

import gc
import math
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.rounds import Judged, Result, in_turn, ratios
from benchmarks.world import World

LOOP, KEPT = "save() and enqueue() in a loop", "the same with a kept queue"
OURS, LIMIT = "generate_many()", "limit: ready-made rows and one RPUSH"


def measure(world: World) -> list[Result]:
    return [_on(world, database) for database in world.databases]


def _on(world: World, database: Any) -> Result:
    count = world.sized(1000, 300)
    site = world.site(database)
    with site.member() as member:

        def rate(function: Callable[..., float]) -> float:
            world.queue.clear()
            return count / float(member.call(function, count=count))

        member.call(many, count=50)  # imports and plans
        samples = in_turn(
            {
                LOOP: partial(rate, loop),
                KEPT: partial(rate, loop_with_kept_queue),
                OURS: partial(rate, many),
                LIMIT: partial(rate, ready_made),
            },
            world.rounds,
        )
        costs = member.call(costs_of_many, count=count)
    allowed = math.ceil(count / 1000) + 3 if database == "postgres" else count / 50 + 3
    return Result(
        figure="D1",
        title=f"{count:,} pictures asked for",
        where=site.where,
        unit="pictures/s",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="times the loop's speed",
                values=ratios(samples[OURS], samples[LOOP]),
                target=25,
                red=8,
            ),
            Judged(
                what="times the limit's time",
                values=ratios(samples[LIMIT], samples[OURS]),
                better="lower",
                target=9,
                red=20,
            ),
            Judged(
                what="SQL statements",
                values=[costs["statements"]],
                unit="",
                better="lower",
                target=allowed,
            ),
        ],
        facts={"Redis commands": costs["redis"]},
    )


# --- in the site's process ------------------------------------------------------------------------


def _timed(function: Callable[[], object]) -> float:
    gc.collect()
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def loop(count: int) -> float:
    import django_rq

    from benchmarks.naive.jobs import submit_and_poll
    from benchmarks.naive.models import Picture

    def run() -> None:
        for number in range(count):
            picture = Picture(prompt=f"A fox {number}", model="ideogram-v4-turbo", price="0.03")
            picture.save()
            django_rq.enqueue(submit_and_poll, picture.pk)

    return _timed(run)


def loop_with_kept_queue(count: int) -> float:
    import django_rq

    from benchmarks.naive.jobs import submit_and_poll
    from benchmarks.naive.models import Picture

    queue = django_rq.get_queue("default")

    def run() -> None:
        for number in range(count):
            picture = Picture(prompt=f"A fox {number}", model="ideogram-v4-turbo", price="0.03")
            picture.save()
            queue.enqueue(submit_and_poll, picture.pk)

    return _timed(run)


def many(count: int) -> float:
    from ideogram_django.models import GeneratedImage

    requests = [{"prompt": f"A fox {number}"} for number in range(count)]
    return _timed(lambda: GeneratedImage.objects.generate_many(requests))


def costs_of_many(count: int) -> dict[str, int]:
    """Statements, and commands that Redis got."""
    import django_rq
    from django.db import connection

    statements = 0

    def counting(execute: Any, *arguments: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*arguments)

    server = django_rq.get_connection("default")
    server.ping()

    def commands() -> int:
        return int(server.info("stats")["total_commands_processed"])

    before = commands()
    with connection.execute_wrapper(counting):
        many(count)
    return {"statements": statements, "redis": commands() - before - 1}


def ready_made(count: int) -> float:
    """The rows that :func:`many` writes, all made before the clock starts."""
    import django_rq
    from django.db import connection, transaction

    from ideogram_django.models import Charge, GeneratedImage

    many(count)
    tables = []
    fresh: dict[str, str] = {}
    offset = 10_000_000
    for model in (Charge, GeneratedImage):
        columns = [str(field.column) for field in model._meta.concrete_fields]
        places = {name: number for number, name in enumerate(columns)}
        rows = []
        with connection.cursor() as cursor:
            listed = ", ".join(columns)
            cursor.execute(
                f"SELECT {listed} FROM {model._meta.db_table} ORDER BY id DESC LIMIT {count}"  # noqa: S608
            )
            for found in cursor.fetchall():
                row = list(found)
                row[places["id"]] += offset
                if model is Charge:
                    row[places["image_id"]] = _renamed(row[places["image_id"]], fresh)
                    row[places["idempotency_key"]] = _renamed(row[places["idempotency_key"]], {})
                else:
                    row[places["uuid"]] = _renamed(row[places["uuid"]], fresh)
                    row[places["charge_id"]] += offset
                rows.append(tuple(row))
        tables.append((model._meta.db_table, columns, rows))
    server = django_rq.get_connection("default")
    keys = [row[0] for row in tables[1][2]]

    def run() -> None:
        with transaction.atomic():
            for table, columns, rows in tables:
                _write(connection, table, columns, rows)
        server.rpush("limit", *keys)

    try:
        return _timed(run)
    finally:
        with connection.cursor() as cursor:
            for table, _columns, _rows in reversed(tables):
                cursor.execute(f"DELETE FROM {table} WHERE id > {offset}")  # noqa: S608


def _renamed(value: Any, fresh: dict[str, str]) -> Any:
    """Another uuid, in the same form; the same one for the same value."""
    new = fresh.setdefault(str(value), uuid.uuid4().hex)
    return new if isinstance(value, str) else uuid.UUID(new)


def _write(connection: Any, table: str, columns: list[str], rows: list[Any]) -> None:
    listed = ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({listed}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({listed}) VALUES ({marks})", rows)  # noqa: S608
