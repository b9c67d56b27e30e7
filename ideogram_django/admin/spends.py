"""The contact sheet's buttons that cost money: for one picture, and for several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext, ngettext

from ideogram_django import conf, wording
from ideogram_django.admin.nextsteps import VARIATIONS
from ideogram_django.admin.offers import Offer, better, offers
from ideogram_django.budget import limits
from ideogram_django.lifecycle.steering import fetched_free, may_cost_again
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """One button that costs money."""

    name: str
    label: str
    over: str
    """Why the limits do not allow it."""
    elsewhere: bool = False
    """Leads to another sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spends:
    """Buttons that one sentence explains."""

    buttons: Sequence[Spend]
    help: str
    made: int = 0
    """How many finals the picture has already."""

    @property
    def over(self) -> list[str]:
        """Each sentence once, also where it is true of two buttons."""
        return list(dict.fromkeys(one.over for one in self.buttons if one.over))


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One button for several pictures: try them again, or start them."""

    label: str
    shown: str
    """Which ones, and how often each was tried: what a second press finds changed."""


def spending(
    user: Any, settings: conf.AppSettings, finals: Sequence[GeneratedImage]
) -> Callable[[GeneratedImage], list[Spends]]:
    """What gives the buttons of one finished picture; the limits are looked up once for all.

    ``finals``: what was made from the pictures before.
    """
    available = {offer.model.id: offer for offer in offers(settings)}
    allowances = limits.allowances(user)

    def over(offer: Offer, count: int, speed: str) -> str:
        price = offer.price(speed)
        amount = price.amount * count if price else Decimal(0)
        short = limits.shortage(allowances, amount)
        return "" if short is None else " ".join(short.messages)

    def found(image: GeneratedImage) -> list[Spends]:
        own = available.get(image.model)
        speed = image.rendering_speed
        finish = [
            Spend(
                name=f"again:{image.pk}:{offer.model.id}",
                label=gettext("Finish on %(tier)s · %(total)s")
                % {"tier": offer.tier, "total": offer.total(1, speed)},
                over=over(offer, 1, speed),
            )
            for offer in better(image, settings)
            if offer.total(1, speed)
        ]
        more = []
        if own is not None and own.total(VARIATIONS, speed):
            more = [
                Spend(
                    name=f"variations:{image.pk}",
                    label=gettext("More like this · %(total)s")
                    % {"total": own.total(VARIATIONS, speed)},
                    over=over(own, VARIATIONS, speed),
                    elsewhere=True,
                )
            ]
        return [
            Spends(
                buttons=finish,
                made=sum(final.parent_id == image.pk for final in finals),
                help=gettext(
                    "A new picture from the same request on a better model, not this one "
                    "with more detail. Seed and references may change nothing."
                ),
            ),
            Spends(
                buttons=more,
                help=ngettext(
                    "%(count)d new picture from the same request, on a sheet of its own.",
                    "%(count)d new pictures from the same request, on a sheet of their own.",
                    VARIATIONS,
                )
                % {"count": VARIATIONS},
            ),
        ]

    return found


def try_again(shown: Iterable[GeneratedImage], settings: conf.AppSettings) -> Together | None:
    """Of the shown ones those that failed and may come out well when tried again."""
    images = [image for image in shown if may_help(image, settings)]
    if not images:
        return None
    total = _total([image for image in images if not fetched_free(image)], settings)
    return Together(
        label=gettext("Try the failed ones again · %(total)s")
        % {"total": total or gettext("free")},
        shown=" ".join(attempts_of(images)),
    )


def make_saved(shown: Iterable[GeneratedImage], settings: conf.AppSettings) -> Together | None:
    """Of the shown ones those that were saved and not sent yet."""
    images = [one for one in shown if one.status == Status.DRAFT and one.run_id is None]
    total = _total(images, settings)
    if not total:
        return None
    text = ngettext(
        "Make %(count)d picture · %(total)s", "Make %(count)d pictures · %(total)s", len(images)
    )
    return Together(
        label=text % {"count": len(images), "total": total},
        shown=" ".join(attempts_of(images)),
    )


def may_help(image: GeneratedImage, settings: conf.AppSettings) -> bool:
    """Whether trying this one again may help and surely costs no more than its price.

    Where the earlier attempt may have been charged, its own page asks first.
    """
    if image.status != Status.FAILED:
        return False
    if fetched_free(image):
        return True
    advice = wording.advice(image)
    return (
        advice is not None
        and advice.again
        and not may_cost_again(image)
        and bool(_total([image], settings))
    )


def attempts_of(images: Iterable[GeneratedImage]) -> list[str]:
    """Each picture with the number of its attempt."""
    return [f"{image.pk}-{image.attempt}" for image in images]


def _total(images: Iterable[GeneratedImage], settings: conf.AppSettings) -> str:
    """What these cost at today's prices; empty where there are none or one has no price."""
    available = {offer.model.id: offer for offer in offers(settings)}
    amount = Decimal(0)
    for image in images:
        offer = available.get(image.model)
        price = offer.price(image.rendering_speed) if offer else None
        if price is None:
            return ""
        amount += price.amount
    return wording.money(amount, settings.CURRENCY) if amount else ""
