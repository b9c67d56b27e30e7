"""Spending limits: reserve before spending, give back exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import DecimalField, F, Q, QuerySet, Value
from django.db.models.functions import Round
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.budget.amounts import price_text
from ideogram_django.budget.models import MONEY, SpendingLimit, SpendingPeriod
from ideogram_django.statuses import Period

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

PLACES = Decimal(1).scaleb(-MONEY["decimal_places"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One limit as it stands now, in the limit's own period."""

    limit: SpendingLimit
    committed: Decimal

    @property
    def left(self) -> Decimal:
        """Money that may still be spent; never negative, also after a limit was lowered."""
        return max(self.limit.amount - self.committed, Decimal(0))


def limits_for(user: AbstractBaseUser | None) -> QuerySet[SpendingLimit]:
    """The limits that a request by this user counts against, in the order they are locked."""
    applies = Q(user__isnull=True, group__isnull=True)
    if user is not None and user.pk is not None:
        applies |= Q(user_id=user.pk) | Q(group__user=user.pk)
    return SpendingLimit.objects.filter(applies).distinct().order_by("pk")


def period_start(limit: SpendingLimit, today: date | None = None) -> date:
    """First day of the limit's current period, in the site's time zone."""
    today = today or timezone.localdate(timezone=timezone.get_default_timezone())
    return today.replace(day=1) if limit.period == Period.MONTH else today


def period_end(limit: SpendingLimit, today: date | None = None) -> date:
    """The day on which the limit starts afresh."""
    start = period_start(limit, today)
    if limit.period == Period.MONTH:
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=1)


def allowances(user: AbstractBaseUser | None) -> list[Allowance]:
    """Every limit that applies, with what is committed now."""
    limits = list(limits_for(user).select_related("user", "group"))
    wanted = {(limit.pk, period_start(limit)) for limit in limits}
    committed = {
        (period.limit_id, period.start): period.committed
        for period in SpendingPeriod.objects.filter(
            limit__in=limits, start__in={start for _pk, start in wanted}
        )
    }
    return [
        Allowance(
            limit=limit,
            committed=committed.get((limit.pk, period_start(limit)), Decimal(0)),
        )
        for limit in limits
    ]


def reserve(user: AbstractBaseUser | None, amount: Decimal) -> list[int]:
    """Commit ``amount`` against every limit that applies; the keys of the periods that hold it.

    Call inside ``atomic()``: one conditional UPDATE per limit, in key order, and the first one
    that does not fit raises ``ValidationError`` (code ``over_limit``), which rolls all back.
    The condition reads the updated row's own column alone, so PostgreSQL evaluates it again
    after waiting for a concurrent writer, and no number of processes gets above the limit.
    """
    if amount <= 0:
        return []
    held = []
    for limit in limits_for(user):
        period, _created = SpendingPeriod.objects.get_or_create(
            limit=limit, start=period_start(limit)
        )
        fits = SpendingPeriod.objects.filter(pk=period.pk, committed__lte=limit.amount - amount)
        if not _add(fits, amount):
            period.refresh_from_db()
            raise over_limit(Allowance(limit=limit, committed=period.committed), amount)
        held.append(period.pk)
    return held


def shortage(allowances: Iterable[Allowance], amount: Decimal) -> ValidationError | None:
    """What :func:`reserve` would say to this amount as things stand, and the way on.

    Reserves nothing.
    """
    short = (one for one in allowances if amount > one.left)
    first = next(short, None) if amount > 0 else None
    if first is None:
        return None
    error = over_limit(first, amount)
    way_on = _("Ask for fewer pictures or a cheaper model, or ask who set the limit for more.")
    return ValidationError(
        format_lazy("{} {}", error.message, way_on), code=error.code, params=error.params
    )


def adjust(periods: Iterable[int], amount: Decimal) -> None:
    """Add ``amount`` (negative: give back) to the periods that hold a reservation.

    In the order in which :func:`reserve` locked them, so that two cannot wait for each other.
    """
    if amount:
        for pk in periods:
            _add(SpendingPeriod.objects.filter(pk=pk), amount)


def _add(periods: QuerySet[SpendingPeriod], amount: Decimal) -> int:
    # SQLite calculates in binary fractions; rounding each sum to the column's places keeps
    # every stored amount the nearest one to its decimal, so comparisons stay exact.
    total: Any = Round(
        F("committed") + Value(amount, output_field=DecimalField(**MONEY)),
        precision=MONEY["decimal_places"],
    )
    return periods.update(committed=total)


def over_limit(allowance: Allowance, amount: Decimal) -> ValidationError:
    """Why a request does not fit: what it needs, what is left, and until when."""
    limit = allowance.limit
    scope = limit.user or limit.group
    currency = conf.current().CURRENCY
    params = {
        "needed": price_text(amount, currency),
        "left": price_text(allowance.left, currency),
        "scope": str(scope or ""),
        "day": date_format(period_end(limit), "MONTH_DAY_FORMAT"),
    }
    if limit.period == Period.DAY:
        message = (
            _("This needs %(needed)s, but only %(left)s is left today for %(scope)s.")
            if scope
            else _("This needs %(needed)s, but only %(left)s is left today for this site.")
        )
        afresh = _("The limit starts afresh tomorrow.")
    else:
        message = (
            _("This needs %(needed)s, but only %(left)s is left this month for %(scope)s.")
            if scope
            else _("This needs %(needed)s, but only %(left)s is left this month for this site.")
        )
        afresh = _("The limit starts afresh on %(day)s.")
    return ValidationError(format_lazy("{} {}", message, afresh), code="over_limit", params=params)
