"""What the make form offers: models with their prices, styles, shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin.offers import Offer

MAGIC_LABELS = {"Auto": _("Automatic"), "On": _("On"), "Off": _("Off")}
SPEED_LABELS = {"default": _("Normal"), "turbo": _("Turbo"), "quality": _("Quality")}


class ModelRadios(forms.RadioSelect):
    """One radio per model that carries what the script needs to know about it."""

    offers: Mapping[str, Offer] = {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        offer = self.offers.get(str(value))
        if offer is not None:
            option["attrs"] |= {
                "data-ideogram-labels": json.dumps(offer.make_labels()),
                "data-ideogram-styles": json.dumps([s.casefold() for s in offer.model.style_types]),
                "data-ideogram-shapes": json.dumps(list(offer.model.aspect_ratios)),
                "data-ideogram-ignores": json.dumps(sorted(offer.model.ignorable)),
            }
        return option


def style_choices(offers: Iterable[Offer], kept: Iterable[str]) -> list[tuple[str, str]]:
    """The styles of all models, each once: models differ in spelling, people do not care.

    ``kept``: what an earlier draft holds, so that editing it never loses a value.
    """
    known = {s.casefold(): s for offer in offers for s in reversed(offer.model.style_types)}
    for value in kept:
        known.setdefault(value.casefold(), value)
    return [("", gettext("The model decides"))] + [
        (key, wording.style_label(value)) for key, value in known.items()
    ]


def shape_choices(offers: Iterable[Offer], kept: Iterable[str]) -> list[Any]:
    """The shapes of all models, each once, by the way they lie."""
    square: list[tuple[str, str]] = []
    wide: list[tuple[str, str]] = []
    tall: list[tuple[str, str]] = []
    ratios = [ratio for offer in offers for ratio in offer.model.aspect_ratios]
    for ratio in dict.fromkeys([*ratios, *kept]):
        width, _colon, height = ratio.partition(":")
        if width.isdecimal() and height.isdecimal():
            difference = int(width) - int(height)
            group = wide if difference > 0 else tall if difference < 0 else square
            group.append((ratio, ratio))
    return [
        ("", gettext("The model decides")),
        (gettext("Square"), square),
        (gettext("Wide"), wide),
        (gettext("Tall"), tall),
    ]
