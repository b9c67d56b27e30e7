"""Limits are reserved before spending, in one place, and given back exactly once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ideogram_django.budget import ledger, limits
from ideogram_django.models import Charge, GeneratedImage, SpendingLimit, SpendingPeriod
from ideogram_django.statuses import ChargeState, Period

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("editor")


def committed() -> list[Decimal]:
    return list(SpendingPeriod.objects.order_by("limit_id").values_list("committed", flat=True))


def test_every_limit_that_applies_is_reserved(editor: Any) -> None:
    group = Group.objects.create(name="Editors")
    editor.groups.add(group)
    SpendingLimit.objects.create(amount=1)
    SpendingLimit.objects.create(amount=1, group=group, period=Period.DAY)
    SpendingLimit.objects.create(amount=1, user=editor)
    SpendingLimit.objects.create(amount=0, group=Group.objects.create(name="Others"))
    GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2, requested_by=editor)
    assert committed() == [Decimal("0.06")] * 3


def test_one_limit_that_does_not_fit_stops_all(editor: Any) -> None:
    SpendingLimit.objects.create(amount=1)
    SpendingLimit.objects.create(amount=Decimal("0.05"), user=editor)
    with pytest.raises(ValidationError) as caught:
        GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2, requested_by=editor)
    assert caught.value.code == "over_limit"
    assert "0.05" in caught.value.messages[0]
    assert "editor" in caught.value.messages[0]
    assert sum(committed()) == 0
    assert (GeneratedImage.objects.count(), Charge.objects.count()) == (0, 0)


@pytest.mark.parametrize(("amount", "fits"), [("0.10", 3), ("0.30", 10), ("0.03", 1), ("0.02", 0)])
def test_a_limit_is_used_to_the_cent(amount: str, fits: int) -> None:
    """Binary fractions would refuse the tenth picture of 0.30, or allow an eleventh."""
    SpendingLimit.objects.create(amount=Decimal(amount))
    made = 0
    for _number in range(12):
        try:
            GeneratedImage.objects.generate("A fox")
        except ValidationError:
            break
        made += 1
    assert made == fits
    assert sum(committed()) == Decimal("0.03") * fits


def test_release_gives_back_once() -> None:
    SpendingLimit.objects.create(amount=1)
    GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2)
    charge = Charge.objects.first()
    assert charge is not None
    assert ledger.release(charge) is True
    assert ledger.release(charge) is False
    assert ledger.settle(charge, 3) is False
    assert committed() == [Decimal("0.03")]


@pytest.mark.parametrize(("credits", "left"), [(3, "0.03"), (5, "0.05"), (0, "0")])
def test_settling_corrects_the_period(credits: int, left: str) -> None:
    SpendingLimit.objects.create(amount=1)
    GeneratedImage.objects.generate("A fox")
    charge = Charge.objects.get()
    assert ledger.settle(charge, credits) is True
    assert Charge.objects.get().charged == Decimal(left)
    assert committed() == [Decimal(left)]
    assert ledger.settle(charge, 9) is False
    assert ledger.release(charge) is False
    assert committed() == [Decimal(left)]


def test_an_estimate_is_corrected_by_the_provider_once() -> None:
    SpendingLimit.objects.create(amount=1)
    GeneratedImage.objects.generate_many([{"prompt": "A fox"}] * 2)
    refunded, dearer = Charge.objects.order_by("pk")
    for charge in (refunded, dearer):
        assert ledger.settle(charge, None) is True
        assert ledger.settle(charge, None) is False
    assert committed() == [Decimal("0.06")]
    assert ledger.release(refunded) is True
    assert ledger.release(refunded) is False
    assert ledger.settle(dearer, 5) is True
    assert ledger.settle(dearer, 6) is False
    assert committed() == [Decimal("0.05")]


def test_lowering_a_limit_below_what_is_spent_is_no_error() -> None:
    limit = SpendingLimit.objects.create(amount=1)
    GeneratedImage.objects.generate("A fox")
    SpendingLimit.objects.update(amount=Decimal("0.01"))
    (allowance,) = limits.allowances(None)
    assert allowance.left == 0
    with pytest.raises(ValidationError):
        GeneratedImage.objects.generate("A hare")
    ledger.release(Charge.objects.get())
    assert committed() == [Decimal(0)]
    limit.refresh_from_db()
    assert limits.allowances(None)[0].left == Decimal("0.01")


def test_periods_follow_the_time_zone_of_the_site() -> None:
    day = SpendingLimit.objects.create(amount=1, period=Period.DAY)
    month = SpendingLimit.objects.create(amount=1, period=Period.MONTH)
    # 23:30 UTC on the last of June is the first of July in Berlin.
    with time_machine.travel("2026-06-30T23:30:00Z", tick=False):
        assert limits.period_start(day) == date(2026, 7, 1)
        assert limits.period_start(month) == date(2026, 7, 1)
    with time_machine.travel("2026-06-30T21:30:00Z", tick=False):
        assert limits.period_start(day) == date(2026, 6, 30)
        assert limits.period_start(month) == date(2026, 6, 1)


def test_a_failure_after_midnight_goes_back_to_its_own_day() -> None:
    SpendingLimit.objects.create(amount=1, period=Period.DAY)
    with time_machine.travel("2026-06-10T12:00:00Z", tick=False):
        GeneratedImage.objects.generate("A fox")
    with time_machine.travel("2026-06-11T12:00:00Z", tick=False):
        GeneratedImage.objects.generate("A hare")
        ledger.release(Charge.objects.order_by("pk")[0])
    assert dict(SpendingPeriod.objects.values_list("start", "committed")) == {
        date(2026, 6, 10): Decimal(0),
        date(2026, 6, 11): Decimal("0.03"),
    }


def test_no_picture_after_draft_without_a_charge() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        GeneratedImage.objects.create(prompt="A fox", model="m", status="pending")
    image = GeneratedImage.objects.generate("A fox")
    with pytest.raises(IntegrityError), transaction.atomic():
        GeneratedImage.objects.filter(pk=image.pk).update(charge=None)


def test_a_price_set_by_the_site_is_reserved_and_kept(settings: Any) -> None:
    settings.IDEOGRAM_DJANGO = {
        **settings.IDEOGRAM_DJANGO,
        "PRICES": {"ideogram-v4-turbo": 7, "house-model": 2},
        "CREDIT_PRICE": "0.015",
        "CURRENCY": "EUR",
    }
    image = GeneratedImage.objects.generate("A fox")
    other = GeneratedImage.objects.generate("A fox", model="house-model")
    assert (image.price, other.price, image.currency) == (Decimal("0.105"), Decimal("0.03"), "EUR")
    settings.IDEOGRAM_DJANGO = {**settings.IDEOGRAM_DJANGO, "CREDIT_PRICE": "9"}
    image.refresh_from_db()
    assert image.price == Decimal("0.105")


def test_the_ledger_keeps_who_and_what(editor: Any) -> None:
    image = GeneratedImage.objects.generate("A fox", requested_by=editor)
    number = image.uuid
    image.delete()
    editor.delete()
    charge = Charge.objects.get()
    assert (charge.user, charge.user_label, charge.image_id) == (None, "editor", number)
    assert charge.state == ChargeState.RESERVED
