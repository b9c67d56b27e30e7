"""A gallery as it looks after years: any number of pictures, made inside the database.

Rows come from ``INSERT … SELECT`` over a series of numbers, so that a million of them take a
minute or two and no memory. Every value follows from the row's number: two fillings are equal but
for the clock.

What is in it, of every thousand pictures: 930 finished, 40 failed, 20 drafts, 9 cancelled and one
uploaded by hand; each that was ever sent with its settled charge. On top of them a fixed number is
under way, whatever the size, because what is in flight depends on the traffic and not on the age
of a site.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, models, transaction

from ideogram_django.models import Charge, GeneratedImage
from ideogram_django.statuses import ChargeState, ErrorCode, Status

CHUNK = 100_000
"""Rows in one statement."""
PEOPLE = 12
SHEET = 4
"""Pictures that were asked for together."""
HISTORY = 100
"""Pictures that replace each other, one after the other, by default."""
MODELS = ("ideogram-v4-turbo", "ideogram-v4-balanced", "ideogram-v4-quality")
STYLES = ("DESIGN", "REALISTIC", "GENERAL", "")
SHAPES = ("1:1", "16:9", "3:4", "9:16")
SUBJECTS = (
    "a lighthouse above a stormy sea at dusk, oil on canvas",
    "the market square on a Saturday morning, wide angle",
    "a red bicycle that leans against a blue door",
    "two scientists in a glass house full of ferns",
    "a poster that says “Open late” in round letters",
    "the night train as it leaves the mountains behind",
    "an old map with a new road drawn in pencil",
    "bread, salt and a window with rain on it",
)
RENDITIONS = (320, 640)

Say = Callable[[str], None]


def fill(
    rows: int,
    *,
    in_flight: int = 100,
    history: int = HISTORY,
    using: str = "default",
    say: Say = lambda text: None,
) -> None:
    """Make ``rows`` pictures with their charges, of which ``in_flight`` are under way.

    Every ``history`` of them replace each other; the last of each such chain is in use.

    Into empty tables: keys are given by the row's number.
    """
    connection = connections[using]
    if GeneratedImage.objects.using(using).exists():
        raise ValueError("There are pictures already; fill an empty database.")
    people = _people(using)
    speech = _Speech(connection)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if speech.postgres:
            # Millions of foreign keys that are right by construction. Needs a superuser, which
            # the benchmark's own server has.
            cursor.execute("SET LOCAL session_replication_role = replica")
        indexes = _without_indexes(cursor, connection)
        for model, values in ((Charge, _charge), (GeneratedImage, _picture)):
            for first in range(1, rows + 1, CHUNK):
                last = min(first + CHUNK, rows + 1) - 1
                statement, parameters = _insert(
                    connection, model, values(speech, people, rows - in_flight, history)
                )
                which = f" WHERE {speech.charged()}" if model is Charge else ""
                rows_of = f" FROM ({speech.series(first, last)}) AS numbers{which}"
                cursor.execute(statement + rows_of.replace("%", "%%"), parameters)
                say(f"{model._meta.verbose_name_plural}: {last:,} of {rows:,}")
        for statement in indexes:
            cursor.execute(statement)
        for model in (Charge, GeneratedImage):
            for statement in speech.next_key(model):
                cursor.execute(statement)
    if speech.postgres:
        # As its autovacuum would, a little later. Few sites on SQLite ever collect statistics.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    say("indexes: done")


def _people(using: str) -> list[int]:
    users = get_user_model()._default_manager.using(using)
    for number in range(1, PEOPLE + 1):
        users.get_or_create(username=f"editor{number}", defaults={"is_staff": True})
    return list(
        users.filter(username__startswith="editor").order_by("pk").values_list("pk", flat=True)
    )


# --- what stands in a row, as SQL about its number ``n`` ----------------------------------------


class _Speech:
    """The few things that the two databases say differently."""

    def __init__(self, connection: Any) -> None:
        self.postgres = connection.vendor == "postgresql"
        self.quoted = connection.ops.quote_name

    def series(self, first: int, last: int) -> str:
        if self.postgres:
            return f"SELECT n::bigint AS n FROM generate_series({first}, {last}) AS n"  # noqa: S608
        more = f"SELECT n + 1 FROM up WHERE n < {last}"  # noqa: S608
        return f"WITH RECURSIVE up(n) AS (SELECT {first} UNION ALL {more}) SELECT n FROM up"  # noqa: S608

    def number(self, purpose: str, n: str = "n") -> str:
        """A uuid that follows from a number."""
        text = f"'{purpose}' || CAST({n} AS text)"
        return f"CAST(MD5({text}) AS uuid)" if self.postgres else f"MD5({text})"

    def ago(self, seconds: str) -> str:
        if self.postgres:
            return f"(now() - interval '1 second' * ({seconds}))"
        # As Django writes it, to the microsecond.
        return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', (-({seconds})) || ' seconds')"

    def boolean(self, condition: str) -> str:
        return condition if self.postgres else f"CASE WHEN {condition} THEN 1 ELSE 0 END"

    def json(self, text: str) -> str:
        return f"CAST({text} AS jsonb)" if self.postgres else text

    def decimal(self, amount: str) -> str:
        return f"CAST({amount} AS numeric(14, 6))" if self.postgres else amount

    def charged(self) -> str:
        """Drafts and uploads have no charge."""
        return f"{KIND} NOT BETWEEN 970 AND 989 AND {KIND} < 999"

    def next_key(self, model: type[models.Model]) -> list[str]:
        if not self.postgres:
            return []  # SQLite takes the largest key that there was
        table = model._meta.db_table
        name = f"pg_get_serial_sequence('{table}', 'id')"
        return [f"SELECT setval({name}, (SELECT max(id) FROM {self.quoted(table)}))"]  # noqa: S608


JOB = "'0190e8a0-0000-7000-8000-' || SUBSTR(CAST(1000000000000 + n AS text), 2)"
"""A job's id, in the order of time as the provider's are."""
KIND = "(n * 7919) % 1000"
"""Statuses lie mixed, and not in blocks, as they come to lie in time."""


def _age(settled: int) -> str:
    """Seconds since it was asked for: one a minute, and just now those that are under way."""
    return f"CASE WHEN n > {settled} THEN 10 ELSE ({settled} - n) * 60 + 120 END"


def _one_of(values: tuple[str, ...], n: str) -> str:
    whens = " ".join(f"WHEN {number} THEN '{value}'" for number, value in enumerate(values))
    return f"CASE ({n}) % {len(values)} {whens} END"


def _picture(speech: _Speech, people: list[int], settled: int, history: int) -> Mapping[str, str]:
    under_way = f"n > {settled} AND {speech.charged()}"
    finished = f"n <= {settled} AND ({KIND} < 930 OR {KIND} = 999)"
    sent = f"({speech.charged()}) AND (n > {settled} OR {KIND} NOT BETWEEN 990 AND 998)"
    seconds = _age(settled)
    renditions = [
        {"name": "NAME", "width": width, "height": width, "format": "webp"} for width in RENDITIONS
    ]
    rendition_text = (
        "REPLACE('" + json.dumps(renditions) + "', 'NAME', 'ideogram/' || CAST(n AS text)"
        " || '.w.webp')"
    )
    return {
        "id": "n",
        "uuid": speech.number("picture"),
        "batch": speech.number("sheet", f"(n / {SHEET})"),
        "prompt": f"{_one_of(SUBJECTS, 'n')} || ', number ' || CAST(n AS text)",
        "typed_prompt": f"{_one_of(SUBJECTS, 'n')} || ', number ' || CAST(n AS text)",
        "model": _one_of(MODELS, "n / 4"),
        "style_type": _one_of(STYLES, "n / 16"),
        "aspect_ratio": _one_of(SHAPES, "n / 64"),
        "requested_by_id": f"CASE (n / {SHEET}) % {len(people)} "
        + " ".join(f"WHEN {place} THEN {key}" for place, key in enumerate(people))
        + " END",
        "replaces_id": f"CASE WHEN (n - 1) % {history} = 0 THEN NULL ELSE n - 1 END",
        "picked": speech.boolean(f"n % {SHEET} = 0"),
        "status": (
            f"CASE WHEN {under_way} THEN CASE n % 2 WHEN 0 THEN '{Status.SUBMITTED}'"
            f" ELSE '{Status.PROCESSING}' END WHEN {finished} THEN '{Status.COMPLETED}'"
            f" WHEN {KIND} < 970 THEN '{Status.FAILED}' WHEN {KIND} < 990 THEN '{Status.DRAFT}'"
            f" ELSE '{Status.CANCELLED}' END"
        ),
        "error_code": (
            f"CASE WHEN n <= {settled} AND {KIND} BETWEEN 930 AND 969"
            f" THEN '{ErrorCode.REFUSED}' ELSE '' END"
        ),
        "uploaded": speech.boolean(f"{KIND} = 999"),
        "charge_id": f"CASE WHEN {speech.charged()} THEN n END",
        "attempt": f"CASE WHEN {speech.charged()} THEN 1 ELSE 0 END",
        "job_id": f"CASE WHEN {sent} THEN {JOB} END",
        "price": speech.decimal("0.03"),
        "cost": f"CASE WHEN {finished} AND {KIND} < 930 THEN {speech.decimal('0.03')} END",
        "currency": "'USD'",
        "file": f"CASE WHEN {finished} THEN 'ideogram/' || CAST(n AS text) || '.png' ELSE '' END",
        "width": f"CASE WHEN {finished} THEN 1024 END",
        "height": f"CASE WHEN {finished} THEN 1024 END",
        "format": f"CASE WHEN {finished} THEN 'png' ELSE '' END",
        "size": f"CASE WHEN {finished} THEN 1000000 + n % 1000 END",
        "sha256": f"CASE WHEN {finished} THEN MD5('a' || CAST(n AS text))"
        " || MD5('b' || CAST(n AS text)) ELSE '' END",
        "renditions": f"CASE WHEN {finished} THEN {speech.json(rendition_text)}"
        f" ELSE {speech.json(_quoted('[]'))} END",
        "alt_text": f"CASE WHEN {finished} AND n % 3 > 0 THEN {_one_of(SUBJECTS, 'n')} ELSE '' END",
        "created_at": speech.ago(seconds),
        "submitted_at": f"CASE WHEN {sent} THEN {speech.ago(f'({seconds}) - 2')} END",
        "finished_at": (
            f"CASE WHEN {sent} AND n <= {settled} THEN {speech.ago(f'({seconds}) - 12')} END"
        ),
        # Under way, and not due before the benchmark is over.
        "next_check_at": f"CASE WHEN {under_way} THEN {speech.ago('-86400')} END",
    }


def _charge(speech: _Speech, people: list[int], settled: int, history: int) -> Mapping[str, str]:
    closed = f"n <= {settled}"
    cancelled = f"{closed} AND {KIND} BETWEEN 990 AND 998"
    seconds = _age(settled)
    return {
        "id": "n",
        "image_id": speech.number("picture"),
        "batch": speech.number("sheet", f"(n / {SHEET})"),
        "model": _one_of(MODELS, "n / 4"),
        "user_id": _picture(speech, people, settled, history)["requested_by_id"],
        "state": (
            f"CASE WHEN {cancelled} THEN '{ChargeState.RELEASED}' WHEN {closed}"
            f" THEN '{ChargeState.SETTLED}' ELSE '{ChargeState.RESERVED}' END"
        ),
        "expected_credits": "3",
        "charged_credits": f"CASE WHEN {closed} THEN 3 END",
        "credit_price": speech.decimal("0.01"),
        "currency": "'USD'",
        "expected": speech.decimal("0.03"),
        "charged": f"CASE WHEN {closed} THEN {speech.decimal('0.03')} END",
        "idempotency_key": speech.number("key"),
        "job_id": JOB,
        "created_at": speech.ago(seconds),
        "first_sent_at": speech.ago(f"({seconds}) - 2"),
        "closed_at": f"CASE WHEN {closed} THEN {speech.ago(f'({seconds}) - 12')} END",
    }


def _quoted(text: str) -> str:
    return f"'{text}'"


# --- how it gets in -----------------------------------------------------------------------------


def _insert(
    connection: Any, model: type[models.Model], values: Mapping[str, str]
) -> tuple[str, list[Any]]:
    """``INSERT INTO … SELECT …`` for every column; those without a value get their default."""
    columns, expressions, parameters = [], [], []
    for field in model._meta.concrete_fields:
        columns.append(connection.ops.quote_name(field.column))
        expression = values.get(str(field.column))
        if expression is None:
            default = field.get_default()
            expression = "%s"
            if connection.vendor == "postgresql":
                expression = f"CAST(%s AS {field.rel_db_type(connection)})"
            parameters.append(field.get_db_prep_save(default, connection=connection))
        else:
            expression = expression.replace("%", "%%")
        expressions.append(expression)
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(expressions)}"
    return statement, parameters


def _without_indexes(cursor: Any, connection: Any) -> list[str]:
    """Drop what can be built faster at the end; the statements that bring it back."""
    tables = tuple(model._meta.db_table for model in (Charge, GeneratedImage))
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN (%s, %s)"
            " AND indexdef NOT LIKE 'CREATE UNIQUE%%'",
            tables,
        )
    else:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN (%s, %s)"
            " AND sql NOT LIKE 'CREATE UNIQUE%%'",
            tables,
        )
    found = cursor.fetchall()
    for name, _statement in found:
        cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")
    return [statement for _name, statement in found]
