"""How far a run is, what it cost, and what failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Count, F, Sum, When

from ideogram_django.budget.amounts import plain
from ideogram_django.budget.limits import PLACES
from ideogram_django.budget.models import Charge
from ideogram_django.statuses import IN_PROGRESS, ChargeState, Status

if TYPE_CHECKING:
    from ideogram_django.runs.models import Run


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
    groups = run.images.order_by().values("status", "error_code").annotate(number=Count("pk"))
    by_status: dict[str, int] = {}
    by_error: dict[str, int] = {}
    unusable = 0
    for group in groups:
        status, code, number = group["status"], group["error_code"], group["number"]
        by_status[status] = by_status.get(status, 0) + number
        if status == Status.FAILED:
            by_error[code] = by_error.get(code, 0) + number
        elif status == Status.DRAFT and code:
            unusable += number
    waiting = run.images.filter(status=Status.DRAFT, error_code="")
    reserved, charged = committed(run)
    return Report(
        count=sum(by_status.values()),
        by_status=by_status,
        by_error=dict(sorted(by_error.items(), key=lambda one: -one[1])),
        unusable=unusable,
        to_come=waiting.aggregate(total=Sum("price"))["total"] or Decimal(0),
        reserved=reserved,
        charged=charged,
    )


def committed(run: Run) -> tuple[Decimal, Decimal]:
    """Reserved and charged, from the ledger alone: its entries outlive the pictures."""
    amounts = Charge.objects.filter(batch=run.uuid).aggregate(
        reserved=Sum(Case(When(state=ChargeState.RESERVED, then=F("expected")))),
        charged=Sum("charged"),
    )
    reserved, charged = (amounts[name] or Decimal(0) for name in ("reserved", "charged"))
    return reserved.quantize(PLACES), charged.quantize(PLACES)
