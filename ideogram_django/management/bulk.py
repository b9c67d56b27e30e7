"""What ``ideogram_generate`` says and does about bulk runs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q

from ideogram_django.management.orders import money, plural
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.runs import reporting
from ideogram_django.statuses import IN_PROGRESS, ChargeState, ErrorCode, RunPause, Status

NAME = "manage.py ideogram_generate"


def find(uuid: UUID) -> Run:
    try:
        return Run.objects.get(uuid=uuid)
    except Run.DoesNotExist as error:
        raise CommandError(f"There is no run {uuid}.") from error


def described(run: Run) -> tuple[int, int, str]:
    """``37 of 200 done · 20 in progress · 2 failed · $1.11 of $6.00 · about 3 min left``"""
    run.refresh_from_db()
    report = run.report()
    parts = [f"{report.done} of {report.count} done"]
    if report.in_progress:
        parts.append(f"{report.in_progress} in progress")
    if report.failed:
        parts.append(f"{report.failed} failed")
    ceiling = f" of {money(run.ceiling, run.currency)}" if run.ceiling is not None else ""
    parts.append(f"{money(report.committed, run.currency)}{ceiling}")
    left = reporting.seconds_left(run, report)
    if left:
        parts.append(f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left")
    return report.done, report.count, " · ".join(parts)


def is_settled(run: Run) -> bool:
    """Nothing more comes of it by itself: over, or paused and everything is in."""
    run.refresh_from_db()
    if run.state == Run.State.RUNNING:
        return False
    widths = Q(status=Status.COMPLETED)
    refund = Q(status=Status.FAILED, charge__state=ChargeState.RESERVED)
    following = Q(next_check_at__isnull=False) & (widths | refund)
    return not run.images.filter(Q(status__in=IN_PROGRESS) | following).exists()


def to_come(run: Run) -> Decimal:
    """What going on costs: what is not started, as far as the ceiling lets it."""
    report = run.report()
    if run.ceiling is None:
        return report.to_come
    return min(report.to_come, max(run.ceiling - report.committed, Decimal(0)))


def summary(run: Run) -> list[str]:
    """The report for people: what came of it, what it cost, what failed and why."""
    report = run.report()
    cost = f"Charged {money(report.charged, run.currency)}"
    if report.reserved:
        cost += f", reserved {money(report.reserved, run.currency)}"
    if run.ceiling is not None:
        cost += f", ceiling {money(run.ceiling, run.currency)}"
    rest = f"{report.never_made} not made" if run.is_over else f"{report.waiting} to come"
    lines = [
        f"Run {run.uuid} “{run.name}”: {str(run.get_state_display()).lower()}.",
        f"{plural(report.completed)} made, {report.failed} failed, "
        f"{report.in_progress} in progress, {rest}. {cost}.",
    ]
    if run.state == Run.State.PAUSED and run.pause in RunPause.values:
        lines.insert(1, str(RunPause(run.pause).label))
    for code, count in report.by_error.items():
        reason = ErrorCode(code).label if code in ErrorCode.values else code
        lines.append(f"  {count} × {reason}")
    if report.unusable:
        lines.append(f"  {plural(report.unusable)} can no longer be made.")
    return lines


def as_dict(run: Run) -> dict[str, Any]:
    """The run for machines: as for an API, and how many of its pictures were not made."""
    return {**run.as_dict(), "not_made": run.report().never_made}


def way_on(run: Run) -> str:
    return f"Go on: {NAME} --resume {run.uuid}   End it: {NAME} --stop {run.uuid}"


def pictures(run: Run) -> Sequence[GeneratedImage]:
    return list(run.pictures)
