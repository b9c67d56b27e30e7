"""The ledger: a charge is opened before spending and closed exactly once.

Every function here belongs into the caller's transaction, the same one that moves the picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ideogram_django import hooks, inserting
from ideogram_django.apiframe import catalogue
from ideogram_django.budget import limits
from ideogram_django.budget.models import Charge
from ideogram_django.conf import AppSettings
from ideogram_django.statuses import ChargeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one picture is expected to cost."""

    credits: int
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One picture to be charged for."""

    image_uuid: UUID
    batch: UUID | None
    attempt: int
    model: str
    price: Price


def prices(settings: AppSettings) -> catalogue.SitePrices:
    """What this site asks for each model: ``PRICES``, and its hooks."""
    return catalogue.SitePrices(settings.PRICES, hooks.current().credits)


def price_of(settings: AppSettings, model: str, rendering_speed: str = "") -> Price | None:
    """The price of one picture; ``None`` where it is not known (such a model is not offered)."""
    credits = catalogue.credits_for(model, rendering_speed, prices(settings))
    return None if credits is None else money(settings, credits)


def money(settings: AppSettings, credits: int) -> Price:
    """The money value of a number of credits."""
    return Price(
        credits=credits,
        amount=(credits * settings.credit_price).quantize(limits.PLACES),
        currency=settings.CURRENCY,
    )


def open_charges(settings: AppSettings, orders: Sequence[Order], user: Any) -> list[Charge]:
    """Reserve the total against every limit and write one charge per picture, all or none.

    ``user``: the site's user model, or None.
    Raises ``ValidationError`` with code ``spending_stopped`` or ``over_limit``.
    """
    if not settings.SPENDING_ENABLED:
        raise ValidationError(
            _("Making pictures is switched off on this site."), code="spending_stopped"
        )
    total = sum((order.price.amount for order in orders), Decimal(0))
    periods = limits.reserve(user, total)
    common = {
        "user": user,
        "user_label": str(user)[:254] if user is not None else "",
        "credit_price": settings.credit_price,
        "periods": periods,
    }
    each = (
        {
            "image_id": order.image_uuid,
            "batch": order.batch,
            "attempt": order.attempt,
            "model": order.model,
            "expected_credits": order.price.credits,
            "currency": order.price.currency,
            "expected": order.price.amount,
        }
        for order in orders
    )
    return inserting.insert(inserting.alike(Charge, common, each))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What charges in one currency and one state come to."""

    currency: str
    state: ChargeState
    count: int
    amount: Decimal
    """Expected while reserved, afterwards what was charged."""


def spent_today() -> list[Spent]:
    """The charges opened since midnight in the site's time zone. One query over their index."""
    zone = timezone.get_default_timezone()
    midnight = datetime.combine(timezone.localdate(timezone=zone), time.min, tzinfo=zone)
    rows = (
        Charge.objects.filter(created_at__gte=midnight)
        .order_by()
        .values_list("currency", "state")
        .annotate(
            count=Count("pk"), amount=Sum(Coalesce("charged", "expected"), default=Decimal(0))
        )
    )
    return [
        Spent(
            currency=currency,
            state=ChargeState(state),
            count=count,
            # SQLite adds up in binary fractions.
            amount=amount.quantize(limits.PLACES),
        )
        for currency, state, count, amount in rows
    ]


def settle(charge: Charge, credits: int | None) -> bool:
    """Close the charge with what the provider took; ``None``: at the expected price, for now.

    What was closed at the expected price, for want of the provider's word, is corrected once that
    word comes. False where the charge was closed for good already.
    """
    estimated = credits is None
    return _close(
        charge,
        may_correct=not estimated,
        state=ChargeState.SETTLED,
        charged_credits=charge.expected_credits if credits is None else credits,
        charged=amount_of(charge, credits),
        estimated=estimated,
    )


def amount_of(charge: Charge, credits: int | None) -> Decimal:
    """What so many credits cost by the price of the charge; ``None``: as many as expected."""
    credits = charge.expected_credits if credits is None else credits
    return (credits * charge.credit_price).quantize(limits.PLACES)


def settle_together(paid: Sequence[tuple[Charge, int | None]]) -> bool:
    """:func:`settle` for several that cost what was expected; one UPDATE for each price.

    False where one cost something else, which its limits have to hear of, or is not reserved any
    more. What was written for the others is for the caller to take back.
    """
    alike: dict[tuple[int, bool, Decimal], list[int]] = defaultdict(list)
    for charge, credits in paid:
        charged = amount_of(charge, credits)
        if charged != charge.expected:
            return False
        taken = charge.expected_credits if credits is None else credits
        alike[taken, credits is None, charged].append(charge.pk)
    closed = 0
    for (taken, estimated, charged), keys in alike.items():
        closed += Charge.objects.filter(pk__in=keys, state=ChargeState.RESERVED).update(
            state=ChargeState.SETTLED,
            charged_credits=taken,
            charged=charged,
            estimated=estimated,
            closed_at=Now(),
        )
    return closed == len(paid)


def release(charge: Charge) -> bool:
    """Give the reservation back: it was never sent, or the provider proved a refund."""
    return _close(
        charge,
        may_correct=True,
        state=ChargeState.RELEASED,
        charged_credits=0,
        charged=Decimal(0),
        estimated=False,
    )


def _close(charge: Charge, *, may_correct: bool, charged: Decimal, **changes: Any) -> bool:
    """One UPDATE that names what it closes, so that an amount is moved exactly once.

    Reserved, estimated, closed for good: a charge moves on twice at most, so whoever comes second
    looks again instead of taking an estimate of that very moment for the last word.
    """
    for _look in range(3):
        charge.refresh_from_db()
        rows = Charge.objects.filter(pk=charge.pk, state=charge.state, estimated=charge.estimated)
        if charge.state == ChargeState.RESERVED:
            held = charge.expected
        elif may_correct and charge.estimated:
            held = charge.charged or Decimal(0)
        else:
            return False
        if rows.update(charged=charged, closed_at=Now(), **changes):
            limits.adjust(charge.periods, charged - held)
            charge.refresh_from_db()
            return True
    return False
