"""Which status may follow which, and the one way to change it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import (
    Case,
    DateTimeField,
    ExpressionWrapper,
    F,
    Field,
    Func,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Now
from django.dispatch import Signal

from ideogram_django import loading, signals
from ideogram_django.budget.models import Charge
from ideogram_django.statuses import OPEN_ERRORS, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.querysets import GeneratedImageQuerySet

FOLLOWS: Mapping[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.PENDING}),
    # Back to a draft where a bulk run is paused before it was sent.
    Status.PENDING: frozenset({Status.SUBMITTING, Status.CANCELLED, Status.DRAFT}),
    Status.SUBMITTING: frozenset(
        {
            Status.PENDING,
            Status.SUBMITTED,
            Status.PROCESSING,
            Status.FETCHING,
            Status.FAILED,
        }
    ),
    Status.SUBMITTED: frozenset(
        {Status.SUBMITTED, Status.PROCESSING, Status.FETCHING, Status.FAILED}
    ),
    Status.PROCESSING: frozenset({Status.PROCESSING, Status.FETCHING, Status.FAILED}),
    Status.FETCHING: frozenset({Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    # To fetching by evidence where the failure is open, to pending by a person.
    Status.FAILED: frozenset({Status.FETCHING, Status.PENDING}),
    Status.CANCELLED: frozenset({Status.PENDING}),
}

UNHELD: Mapping[str, Any] = {"claim": None, "lease_until": None}
OPEN = Q(status=Status.FAILED, error_code__in=OPEN_ERRORS)
"""Failed, but not beyond doubt: evidence may still bring the picture."""


def may_follow(source: Collection[Status], to: Status) -> None:
    """``AssertionError`` where this would be no change that a picture may make."""
    for status in source:
        if to not in FOLLOWS[status]:
            raise AssertionError(f"{to} may not follow {status}")


def move(
    rows: GeneratedImageQuerySet | QuerySet[GeneratedImage],
    *,
    source: Collection[Status],
    to: Status,
    where: Q | None = None,
    **changes: Any,
) -> int:
    """Change status and columns of the rows that still stand in ``source``; how many did.

    One UPDATE: one row changed means "I did it", none means that somebody else was first.
    """
    may_follow(source, to)
    return rows.filter(Q(status__in=source) if where is None else where).update(
        status=to, **changes
    )


def later(seconds: float) -> Any:
    """``seconds`` from now by the database's clock, which all processes share."""
    if seconds <= 0:
        return Now()
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


class Each(Func):
    """A value for each of several rows, by primary key, for one UPDATE of them all.

    ``Case(When(pk=…), …)`` says the same at twenty times the cost: it builds a query for each row.
    """

    def __init__(self, values: Mapping[int, Any], output_field: Field[Any, Any]) -> None:
        super().__init__("pk", output_field=output_field)
        self.values = values

    def as_sql(  # type: ignore[override]  # there are no templates to choose from
        self, compiler: Any, connection: Any
    ) -> tuple[str, tuple[Any, ...]]:
        key, parameters = compiler.compile(self.source_expressions[0])
        whens = " ".join(["WHEN %s THEN %s"] * len(self.values))
        pairs = []
        for row, value in self.values.items():
            pairs += [row, self.output_field.get_db_prep_value(value, connection)]
        return f"CASE {key} {whens} END", (*parameters, *pairs)


def each_later(seconds: Mapping[int, float]) -> Any:
    """:func:`later` for each of several rows, by primary key, to two digits."""
    keys: dict[float, list[int]] = {}
    for key, value in seconds.items():
        keys.setdefault(float(f"{value:.2g}"), []).append(key)
    if len(keys) == 1:
        return later(*keys)
    return Case(
        *(When(pk__in=of, then=later(value)) for value, of in keys.items()),
        output_field=DateTimeField(),
    )


class ChangedMeanwhileError(Exception):
    """Takes back what was written for several pictures at once."""


def row(image: GeneratedImage) -> QuerySet[GeneratedImage]:
    """The row of this picture's current attempt: answers to an older one do not touch it."""
    return type(image)._base_manager.filter(pk=image.pk, attempt=image.attempt)


def charged(**conditions: Any) -> Q:
    """A condition on the picture's charge for an UPDATE.

    A join would put the whole condition, status and all, into a subquery, which PostgreSQL does
    not look at again after waiting for somebody else's change: both would have "done it".
    """
    return Q(charge__in=Charge.objects.filter(**conditions))


def claim(
    rows: GeneratedImageQuerySet,
    *,
    limit: int,
    lease: float,
    to: Status | None = None,
    only: Sequence[str] = (),
) -> list[GeneratedImage]:
    """Take up to ``limit`` due rows for ``lease`` seconds; the rows with their charges.

    ``only``: the columns that are needed, ``charge__`` before those of the charge; most of the
    time that a claim takes goes into the others. What is missing is read when it is asked for.

    Keys first, then one UPDATE that repeats the condition (Django refuses to update a slice),
    then what the fresh token really got hold of.
    """
    keys = list(
        rows.due().order_by("-priority", "next_check_at", "pk").values_list("pk", flat=True)[:limit]
    )
    if not keys:
        return []
    token = uuid4()
    changes: dict[str, Any] = {"claim": token, "lease_until": later(lease)}
    if to is not None:
        changes["status"] = to
    if not rows.due().filter(pk__in=keys).update(**changes):
        return []
    claimed = rows.model._base_manager.filter(claim=token).order_by("-priority", "pk")
    return _narrow(claimed, only) if only else list(claimed.select_related("charge"))


def _narrow(rows: QuerySet[GeneratedImage], only: Sequence[str]) -> list[GeneratedImage]:
    """As ``only(*only)``, which spends two thirds of its time on the columns that are left out."""
    of_charge = [name.removeprefix("charge__") for name in only if name.startswith("charge__")]
    own = [name for name in only if not name.startswith("charge__")]
    names = ["id", *("charge_id" if name == "charge" else name for name in own)]
    found = []
    for values in rows.values_list("pk", *own, *(f"charge__{name}" for name in of_charge)):
        image = rows.model.from_db(rows.db, names, values[: len(names)])
        if of_charge and image.charge_id is not None:
            there = (image.charge_id, *values[len(names) :])
            image.charge = loading.loaded(Charge, rows.db, ("id", *of_charge), there)
        found.append(image)
    return found


def renew(
    rows: QuerySet[GeneratedImage], claims: Collection[tuple[int, UUID]], lease: float
) -> None:
    """Hold on to rows whose work is still under way."""
    by_token: dict[UUID, list[int]] = {}
    for pk, token in claims:
        by_token.setdefault(token, []).append(pk)
    for token, keys in by_token.items():
        rows.filter(pk__in=keys, claim=token).update(lease_until=later(lease))


def let_go(image: GeneratedImage, *, after: float, **changes: Any) -> bool:
    """End our claim without a change of status; look again ``after`` seconds."""
    return bool(
        row(image)
        .filter(claim=image.claim)
        .update(next_check_at=later(after), checks=F("checks") + 1, **UNHELD, **changes)
    )


def announce(image: GeneratedImage, signal: Signal, **arguments: Any) -> None:
    """Send a signal about the picture after the commit; receivers get the saved row."""
    announce_all([image], signal, **arguments)


def announce_all(images: Sequence[GeneratedImage], signal: Signal, **arguments: Any) -> None:
    """As :func:`announce` for each; one query for all of them, and none where nobody listens."""
    if not images:
        return
    model, keys = type(images[0]), [image.pk for image in images]

    def send() -> None:
        if not signal.has_listeners(model):
            return
        saved = model._base_manager.in_bulk(keys)
        for key in keys:
            if key in saved:
                signals.deliver(signal, model, image=saved[key], **arguments)

    transaction.on_commit(send, using=images[0]._state.db, robust=True)
