"""What the make page's template asks its form: cards, drawings, notes, and what stands open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext

from ideogram_django import conf, lifecycle
from ideogram_django.admin.choices import USUAL_SHAPES, DrawnShape, draw
from ideogram_django.admin.offers import Offer
from ideogram_django.apiframe.catalogue import MAX_STYLE_REFERENCES
from ideogram_django.estimates import typical_seconds
from ideogram_django.widgets import MOST_DRAFTS

LONG_LETTERING = 30
"""Characters in one pair of quotation marks from which on the form warns."""
STYLE_SLOTS = tuple(f"style_reference_{number}" for number in range(1, MAX_STYLE_REFERENCES + 1))
SLOTS = ("reference_image", *STYLE_SLOTS)
ADVANCED = (
    "negative_prompt",
    "magic_prompt_option",
    "seed",
    "style_preset",
    "resolution",
    "rendering_speed",
)


class MakeParts(forms.Form):
    """The form's side towards the template: it reads what stands there and changes nothing."""

    settings: conf.AppSettings
    offers: dict[str, Offer]

    def _default_model(self) -> str:
        if self.settings.DEFAULT_MODEL in self.offers:
            return self.settings.DEFAULT_MODEL
        return next(iter(self.offers), "")

    @property
    def chosen_offer(self) -> Offer | None:
        return self.offers.get(str(self["model"].value()))

    @property
    def chosen_count(self) -> int:
        """How many stand in the form now; 0 where that is no number that can be made."""
        try:
            count = int(self["count"].value()) if "count" in self.fields else 1
        except (TypeError, ValueError):
            return 0
        return count if 1 <= count <= MOST_DRAFTS else 0

    @property
    def make_label(self) -> str:
        """The button's text for what stands in the form now."""
        offer, count = self.chosen_offer, self.chosen_count
        if offer is None or not count:
            return gettext("Make")
        return offer.make_label(count, str(self["rendering_speed"].value() or ""))

    @cached_property
    def _cards(self) -> list[dict[str, Any]]:
        typical = typical_seconds()
        default = self.offers.get(self._default_model())
        cards = []
        for radio in self["model"].subwidgets:
            offer = self.offers.get(str(radio.data["value"]))
            cards.append(
                {
                    "radio": radio,
                    "offer": offer,
                    "main": bool(offer and default and offer.family == default.family),
                    "chosen": bool(radio.data["selected"]),
                    "usual_time": offer.usual_time(typical) if offer else "",
                }
            )
        return cards

    @property
    def model_cards(self) -> list[dict[str, Any]]:
        """The default's family: Draft, Balanced, Quality."""
        return [card for card in self._cards if card["main"]]

    @property
    def other_cards(self) -> list[dict[str, Any]]:
        return [card for card in self._cards if not card["main"]]

    @property
    def other_models_open(self) -> bool:
        return any(card["chosen"] for card in self.other_cards)

    @cached_property
    def _shapes(self) -> list[DrawnShape]:
        return [draw(radio, self.offers.values()) for radio in self["aspect_ratio"].subwidgets]

    @property
    def usual_shapes(self) -> list[DrawnShape]:
        """The model's own choice, and the shapes that most pages need."""
        return [shape for shape in self._shapes if shape.ratio in ("", *USUAL_SHAPES)]

    @property
    def other_shapes(self) -> list[DrawnShape]:
        return [shape for shape in self._shapes if shape.ratio not in ("", *USUAL_SHAPES)]

    @property
    def other_shapes_open(self) -> bool:
        return any(shape.radio.data["selected"] for shape in self.other_shapes)

    @property
    def lettering_limit(self) -> int:
        return LONG_LETTERING

    @property
    def style_slots(self) -> list[Any]:
        return [self[name] for name in STYLE_SLOTS]

    @property
    def references_open(self) -> bool:
        """Open where something in there was given or is wrong."""
        return any(self[name].errors or _is_given(self[name].value()) for name in SLOTS)

    @property
    def advanced(self) -> list[dict[str, Any]]:
        """The rarer fields, each with the models that may take no notice of it."""
        notes = self.notes
        return [{"field": self[name], "notes": notes.get(name, ())} for name in ADVANCED]

    @property
    def advanced_open(self) -> bool:
        """Open where something in there was filled in or is wrong."""
        return any(self[name].errors or self[name].value() for name in ADVANCED)

    @cached_property
    def notes(self) -> dict[str, list[tuple[str, str]]]:
        """Per parameter: ids of models, and the sentence that holds for them."""
        return {
            name: [
                (" ".join(o.model.id for o in family), sentence)
                for family in self._families()
                if (sentence := _note(name, family[0]))
            ]
            for name in lifecycle.PARAMETERS
        }

    def _families(self) -> Iterator[list[Offer]]:
        """Offers of which the same is true, together."""
        by_label: dict[str, list[Offer]] = {}
        for offer in self.offers.values():
            by_label.setdefault(offer.family_label, []).append(offer)
        yield from by_label.values()

    @property
    def problems(self) -> list[dict[str, Any]]:
        """Every error with its field and where the page shows it, in the page's order."""
        found: list[dict[str, Any]] = [
            {"label": "", "anchor": "", "text": text} for text in self.non_field_errors()
        ]
        for name, field in self.fields.items():
            for text in self[name].errors:
                hidden = isinstance(field.widget, forms.HiddenInput)
                found.append(
                    {
                        "label": "" if hidden else field.label,
                        "anchor": "" if hidden else self[name].auto_id,
                        "text": text,
                    }
                )
        return found


def _is_given(value: Any) -> bool:
    return bool(getattr(value, "ways", value))


def _note(name: str, offer: Offer) -> str:
    """What to know about this parameter on this model, if anything."""
    gaps = {"model": offer.family_label}
    if name not in offer.model.parameters:
        return gettext("%(model)s does not take this.") % gaps
    if offer.model.may_ignore(name):
        return gettext("%(model)s may ignore this.") % gaps
    if name == "magic_prompt_option" and offer.model.may_ignore(name, "Off"):
        return gettext("“Off” may change nothing on %(model)s.") % gaps
    return ""
