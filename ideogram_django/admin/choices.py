"""What the make form offers: models with their prices, styles, shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin.offers import Offer

MAGIC_LABELS = {"Auto": _("Automatic"), "On": _("On"), "Off": _("Off")}
SPEED_LABELS = {"default": _("Normal"), "turbo": _("Turbo"), "quality": _("Quality")}
USUAL_SHAPES = ("1:1", "16:9", "4:3", "3:2", "9:16", "3:4", "2:3")
"""What most pages need; the others stand under "More shapes"."""
CANVAS = 44
"""Side of the square that a shape is drawn in."""
MARGIN = 3


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
            }
        return option


class Suggesting(forms.TextInput):
    """A text input with a list of values to start from; any other may be typed."""

    template_name = "admin/ideogram_django/parts/suggesting.html"
    suggestions: Iterable[str] = ()

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        list_id = f"{context['widget']['attrs'].get('id') or name}_suggestions"
        context["widget"]["attrs"]["list"] = list_id
        context["widget"] |= {"list_id": list_id, "suggestions": list(self.suggestions)}
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnShape:
    """A radio with its shape as a rectangle of the true proportion."""

    radio: Any
    ratio: str
    x: int
    y: int
    width: int
    height: int
    pixels: list[tuple[str, str]]
    """The size in pixels, with the ids of the models that make it so large."""


def draw(radio: Any, offers: Iterable[Offer]) -> DrawnShape:
    ratio = str(radio.data["value"])
    wide, high = _sides(ratio) or (1, 1)
    room = CANVAS - 2 * MARGIN
    width = max(1, round(room * wide / max(wide, high)))
    height = max(1, round(room * high / max(wide, high)))
    by_size: dict[str, list[str]] = {}
    for offer in offers:
        shape = offer.model.shape(ratio)
        if shape is not None and shape.width and shape.height:
            by_size.setdefault(f"{shape.width} \N{MULTIPLICATION SIGN} {shape.height}", []).append(
                offer.model.id
            )
    return DrawnShape(
        radio=radio,
        ratio=ratio,
        x=(CANVAS - width) // 2,
        y=(CANVAS - height) // 2,
        width=width,
        height=height,
        pixels=[(size, " ".join(ids)) for size, ids in by_size.items()],
    )


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


def shape_choices(offers: Iterable[Offer], kept: Iterable[str]) -> list[tuple[str, str]]:
    """The shapes of all models, each once: the usual ones first, the others by how they lie."""
    ratios = dict.fromkeys(ratio for offer in offers for ratio in offer.model.aspect_ratios)
    ratios |= dict.fromkeys(ratio for ratio in kept if _sides(ratio))
    usual = [ratio for ratio in USUAL_SHAPES if ratio in ratios]
    others = [ratio for ratio in ratios if ratio not in usual]
    others.sort(key=lambda ratio: _is_tall(ratio))
    return [("", gettext("The model decides"))] + [(ratio, ratio) for ratio in usual + others]


def known_sizes(offers: Iterable[Offer]) -> list[str]:
    """``2560x1440``, as the provider spells sizes."""
    return list(
        dict.fromkeys(
            f"{shape.width}x{shape.height}"
            for offer in offers
            for shape in offer.model.shapes
            if shape.width and shape.height
        )
    )


def _sides(ratio: str) -> tuple[int, int] | None:
    width, _colon, height = ratio.partition(":")
    sound = width.isdecimal() and height.isdecimal() and int(width) and int(height)
    return (int(width), int(height)) if sound else None


def _is_tall(ratio: str) -> bool:
    width, height = _sides(ratio) or (1, 1)
    return height > width
