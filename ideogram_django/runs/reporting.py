"""How far a run is, what it cost, and what failed and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Case, Count, Exists, F, Max, OuterRef, Subquery, Sum, When
from django.utils import timezone

from ideogram_django.budget.amounts import plain
from ideogram_django.budget.limits import PLACES
from ideogram_django.budget.models import Charge
from ideogram_django.statuses import IN_PROGRESS, ChargeState, RunState, Status

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage
    from ideogram_django.runs.models import Run

OF_LATE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One look at a run. Money in the run's currency."""

    count: int
    """All its pictures."""
    by_status: Mapping[str, int]
    by_error: Mapping[str, int]
    """Failures by error code, the most frequent first."""
    unusable: int
    """Drafts that can no longer be made, such as on a model that has gone."""
    to_come: Decimal
    """Expected price of what has not been started."""
    reserved: Decimal
    """Expected price of what is in progress."""
    charged: Decimal
    """What the ledger has settled."""

    @property
    def committed(self) -> Decimal:
        """What counts against the ceiling."""
        return self.reserved + self.charged

    @property
    def waiting(self) -> int:
        return self.by_status.get(Status.DRAFT, 0) - self.unusable

    @property
    def in_progress(self) -> int:
        return sum(self.by_status.get(status, 0) for status in IN_PROGRESS)

    @property
    def completed(self) -> int:
        return self.by_status.get(Status.COMPLETED, 0)

    @property
    def failed(self) -> int:
        return self.by_status.get(Status.FAILED, 0)

    @property
    def cancelled(self) -> int:
        return self.by_status.get(Status.CANCELLED, 0)

    @property
    def never_made(self) -> int:
        """When it is over: what was not started, or taken back before it was sent."""
        return self.waiting + self.cancelled

    @property
    def done(self) -> int:
        """Nothing more happens to so many of them."""
        return self.count - self.waiting - self.in_progress

    @property
    def percent(self) -> int:
        return 100 * self.done // self.count if self.count else 100

    def as_dict(self) -> dict[str, Any]:
        """Plain values for an API; amounts as texts."""
        return {
            "count": self.count,
            "waiting": self.waiting,
            "in_progress": self.in_progress,
            "completed": self.completed,
            "failed": self.failed,
            "unusable": self.unusable,
            "done": self.done,
            "percent": self.percent,
            "by_status": {str(status): number for status, number in self.by_status.items()},
            "by_error": dict(self.by_error),
            "to_come": plain(self.to_come),
            "reserved": plain(self.reserved),
            "charged": plain(self.charged),
            "committed": plain(self.committed),
        }


def report(run: Run) -> Report:
    return reports([run])[run.pk]


def reports(runs: Sequence[Run]) -> dict[int, Report]:
    """Of several runs by key; two queries, whatever their number."""
    by_uuid = {run.uuid: run.pk for run in runs}
    groups: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    money: dict[int, Mapping[str, Decimal | None]] = {}
    if runs:
        pictures: Any = type(runs[0])._meta.get_field("images").related_model
        rows = pictures._default_manager.filter(run__in=by_uuid.values()).order_by()
        for group in rows.values("run", "status", "error_code").annotate(
            number=Count("pk"), amount=Sum("price")
        ):
            groups[group["run"]].append(group)
        for amounts in _ledger(list(by_uuid)).values("batch", "reserved", "settled"):
            money[by_uuid[amounts["batch"]]] = amounts
    return {run.pk: _report(groups[run.pk], money.get(run.pk, {})) for run in runs}


def committed(run: Run) -> tuple[Decimal, Decimal]:
    """Reserved and charged, from the ledger alone: its entries outlive the pictures."""
    amounts: Mapping[str, Any] = next(iter(_ledger([run.uuid]).values("reserved", "settled")), {})
    return _amount(amounts.get("reserved")), _amount(amounts.get("settled"))


def mark(run: Run, report: Report) -> str:
    """Changes whenever anything did; a picture's final status where nothing will by itself."""
    if run.state == RunState.PREPARED:
        return str(Status.DRAFT)
    if report.in_progress or run.state == RunState.RUNNING:
        return f"{run.state}-{report.done}-{report.in_progress}"
    return str(Status.COMPLETED)


def seconds_left(run: Run, report: Report) -> float | None:
    """At its pace of the last minutes; ``None`` where nobody can say."""
    if run.state != RunState.RUNNING or run.started_at is None:
        return None
    now = timezone.now()
    since = max(run.started_at, now - OF_LATE)
    ended = run.images.filter(finished_at__gte=since).count()
    passed = (now - since).total_seconds()
    if ended < 3 or passed <= 0:
        return None
    return float((report.count - report.done) * passed / ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One picture of a run, as its report tells it."""

    number: int
    uuid: UUID
    image: GeneratedImage | None
    """``None`` where it was deleted; its money stays."""
    expected: Decimal
    charged: Decimal
    """By the ledger, over all its attempts."""


def lines(run: Run) -> Iterator[Line]:
    """Every picture in its order, then those that were deleted: ``charged`` adds up to the
    report's to the cent, because both are the ledger's."""
    entries = Charge.objects.filter(batch=run.uuid).order_by()
    last = 0
    own = entries.filter(image_id=OuterRef("uuid")).values("image_id")
    charged = Subquery(own.annotate(total=Sum("charged")).values("total"))
    pictures = run.pictures.annotate(run_charged=charged).iterator(chunk_size=500)
    for last, image in enumerate(pictures, start=1):
        yield Line(
            number=last,
            uuid=image.uuid,
            image=image,
            expected=_amount(image.price),
            charged=_amount(getattr(image, "run_charged", None)),
        )
    gone = entries.exclude(Exists(run.images.filter(uuid=OuterRef("image_id"))))
    sums: Any = gone.values("image_id").annotate(first=Max("expected"), total=Sum("charged"))
    for number, entry in enumerate(sums.order_by("image_id"), start=last + 1):
        yield Line(
            number=number,
            uuid=entry["image_id"],
            image=None,
            expected=_amount(entry["first"]),
            charged=_amount(entry["total"]),
        )


def _ledger(batches: Sequence[Any]) -> Any:
    entries = Charge.objects.filter(batch__in=batches).order_by().values("batch")
    return entries.annotate(
        reserved=Sum(Case(When(state=ChargeState.RESERVED, then=F("expected")))),
        settled=Sum("charged"),
    )


def _report(groups: Sequence[Mapping[str, Any]], money: Mapping[str, Decimal | None]) -> Report:
    by_status: dict[str, int] = defaultdict(int)
    by_error: dict[str, int] = defaultdict(int)
    unusable, to_come = 0, Decimal(0)
    for group in groups:
        status, code, number = group["status"], group["error_code"], group["number"]
        by_status[status] += number
        if status == Status.FAILED:
            by_error[code] += number
        elif status == Status.DRAFT and code:
            unusable += number
        elif status == Status.DRAFT:
            to_come += group["amount"] or 0
    return Report(
        count=sum(by_status.values()),
        by_status=dict(by_status),
        by_error=dict(sorted(by_error.items(), key=lambda one: -one[1])),
        unusable=unusable,
        to_come=_amount(to_come),
        reserved=_amount(money.get("reserved")),
        charged=_amount(money.get("settled")),
    )


def _amount(value: Decimal | None) -> Decimal:
    # SQLite adds in binary fractions.
    return (value or Decimal(0)).quantize(PLACES)
