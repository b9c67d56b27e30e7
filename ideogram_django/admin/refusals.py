"""Why the make page's button did nothing, and what would work instead."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext, ngettext

from ideogram_django.admin.making import MakeForm
from ideogram_django.budget import limits


class Refusal:
    """Why the button did nothing, and what would work instead."""

    def __init__(self, error: ValidationError, form: MakeForm, user: Any) -> None:
        self.sentences = error.messages
        self.advice: list[str] = []
        codes = {one.code for one in error.error_list} if hasattr(error, "error_list") else set()
        if "over_limit" in codes:
            self.advice = list(_advice(form, user))


def _advice(form: MakeForm, user: Any) -> Iterator[str]:
    """Fewer, cheaper, later, or ask: as far as each can help."""
    left = min((one.left for one in limits.allowances(user)), default=Decimal(0))
    speed = str(form.cleaned_data.get("rendering_speed") or "")
    offer, count = form.chosen_offer, form.how_many
    price = offer.price(speed) if offer else None
    fewer = int(left // price.amount) if price and price.amount else 0
    if fewer:
        yield ngettext(
            "What is left is enough for %(count)d picture on this model.",
            "What is left is enough for %(count)d pictures on this model.",
            fewer,
        ) % {"count": fewer}
    affordable = [
        (found.amount, other)
        for other in form.offers.values()
        if other is not offer and (found := other.price(speed)) and found.amount * count <= left
    ]
    if affordable:
        _amount, cheaper = min(affordable, key=lambda one: one[0])
        yield ngettext(
            "On %(model)s, %(count)d picture costs %(total)s.",
            "On %(model)s, %(count)d pictures cost %(total)s.",
            count,
        ) % {"model": cheaper.model.label, "count": count, "total": cheaper.total(count, speed)}
    yield gettext(
        "You can save this as a draft and make it later, or ask whoever looks after this site "
        "to raise the limit."
    )
