"""What can be ordered here and now, with this site's prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin import frozen
from ideogram_django.apiframe import catalogue
from ideogram_django.apiframe.catalogue import RENDERING_SPEEDS, Model
from ideogram_django.budget import ledger
from ideogram_django.lifecycle import wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.widgets import MOST_DRAFTS

PURPOSES = {
    "draft": _("To try ideas side by side."),
    "balanced": _("For most finished pictures."),
    "quality": _("For pictures that are looked at closely."),
}
"""What each tier is for, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One model that can be ordered."""

    model: Model
    settings: conf.AppSettings

    @property
    def tier(self) -> str:
        """Draft, Balanced, Quality, or nothing."""
        return str(wording.TIERS.get(self.model.tier, ""))

    @property
    def purpose(self) -> str:
        return str(PURPOSES.get(self.model.tier, ""))

    @property
    def family(self) -> str:
        """The part of the id that models of one generation share."""
        return self.model.id.rsplit("-", 1)[0] if self.model.tier else self.model.id

    @property
    def family_label(self) -> str:
        return self.model.label.rsplit(" ", 1)[0] if self.model.tier else self.model.label

    def price(self, speed: str = "") -> ledger.Price | None:
        """The price of one picture; None where this speed has none."""
        return ledger.price_of(self.settings, self.model.id, speed)

    def total(self, count: int = 1, speed: str = "") -> str:
        """``$0.12``; empty where the price is not known."""
        price = self.price(speed)
        return "" if price is None else wording.money(price.amount * count, price.currency)

    @property
    def each(self) -> str:
        """What stands beside the model; where the speed decides, the dearest known price."""
        return self.total() or wording.money(
            max((p.amount for p in map(self.price, RENDERING_SPEEDS) if p), default=None),
            self.settings.CURRENCY,
        )

    def usual_time(self, typical: Mapping[str, float]) -> str:
        """``about 15 s here``, from :func:`estimates.typical_seconds`; empty without a guess."""
        seconds = typical.get(self.model.id)
        if seconds is None:
            return ""
        # Without enough pictures of its own a site gets the provider's average, to the second.
        return wording.usual_time(seconds, here=seconds != self.model.typical_seconds)

    def make_labels(self) -> dict[str, list[str]]:
        """The button's text for 1, 2, … pictures, by rendering speed; "" stands for the default."""
        labels = {"": self._labels("")}
        for speed in RENDERING_SPEEDS:
            found = self._labels(speed)
            if found != labels[""]:
                labels[speed] = found
        return labels

    def _labels(self, speed: str) -> list[str]:
        return [self.make_label(count, speed) for count in range(1, MOST_DRAFTS + 1)]

    def make_label(self, count: int, speed: str = "") -> str:
        price = self.price(speed)
        if price is None:
            return gettext("Make")
        drafts = self.model.tier == "draft"
        return wording.make_label(count, price.amount * count, price.currency, drafts=drafts)


def offers(settings: conf.AppSettings | None = None) -> list[Offer]:
    """Every model with a known price."""
    settings = settings or conf.current()
    return [
        Offer(model=model, settings=settings)
        for model in catalogue.offered_models(ledger.prices(settings))
    ]


def price_list(settings: conf.AppSettings | None = None) -> str:
    """All prices as a short text that a page carries along, for :func:`check_prices`."""
    return frozen.fingerprint(
        (offer.model.id, speed, offer.price(speed))
        for offer in offers(settings)
        for speed in ("", *RENDERING_SPEEDS)
    )


def check_prices(posted: Mapping[str, Any]) -> None:
    """``ValidationError`` where the page that was sent showed other prices than there are now."""
    shown = posted.get("prices")
    if shown and shown != price_list():
        raise ValidationError(
            _(
                "The prices have changed since this page was opened. Nothing was spent. Look at "
                "the new ones and press again."
            ),
            code="prices_changed",
        )


def better(image: GeneratedImage, settings: conf.AppSettings | None = None) -> list[Offer]:
    """Where the same request can be made again: Balanced and Quality, of its family if offered."""
    found = []
    available = offers(settings)
    family = next((o.family for o in available if o.model.id == image.model), "")
    for tier in ("balanced", "quality"):
        of_tier = [offer for offer in available if offer.model.tier == tier]
        of_tier.sort(key=lambda offer: offer.family != family)
        if of_tier and of_tier[0].model.id != image.model:
            found.append(of_tier[0])
    return found


def request_of(
    image: GeneratedImage, model_id: str = "", *, with_seed: bool = True
) -> dict[str, Any]:
    """The picture's request once more, on ``model_id`` if given, as options of ``generate()``.

    A style is spelled as the new model spells it; nothing else is changed or left out.
    """
    request = wishes.request_of(image)
    if model_id:
        request["model"] = model_id
    if not with_seed:
        request.pop("seed", None)
    if model_id and image.style_type and (model := catalogue.MODELS.get(model_id)):
        request["style_type"] = spelled(image.style_type, model.style_types)
    return {**request, "parent": image}


def spelled(value: str, known: Iterable[str]) -> str:
    """``value`` in the spelling of the known one that differs only in case."""
    return next((one for one in known if one.casefold() == value.casefold()), value)


def total(prices: Iterable[ledger.Price], settings: conf.AppSettings) -> str:
    return wording.money(sum((price.amount for price in prices), Decimal(0)), settings.CURRENCY)
