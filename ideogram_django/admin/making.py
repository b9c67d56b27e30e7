"""The form of the add page and of drafts: a request, checked and priced, that has spent nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle
from ideogram_django.admin.choices import (
    MAGIC_LABELS,
    SPEED_LABELS,
    ModelRadios,
    shape_choices,
    style_choices,
)
from ideogram_django.admin.offers import MOST_DRAFTS, Offer, offers, spelled
from ideogram_django.apiframe.catalogue import MAGIC_PROMPT_OPTIONS, MAX_PROMPT, RENDERING_SPEEDS
from ideogram_django.lifecycle import references, wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

ADVANCED = (
    "negative_prompt",
    "magic_prompt_option",
    "seed",
    "resolution",
    "style_preset",
    "rendering_speed",
    "reference_image",
    "style_reference_images",
)


class MakeForm(forms.Form):
    """What an editor fills in. ``options`` holds the request once the form is valid."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    prompt = forms.CharField(
        label=_("Prompt"),
        required=False,
        strip=False,
        help_text=_(
            "Say what the picture shows. Words in “quotation marks” are drawn as lettering."
        ),
        widget=forms.Textarea(
            attrs={"rows": 5, "class": "vLargeTextField", "data-ideogram-limit": MAX_PROMPT}
        ),
    )
    model = forms.ChoiceField(label=_("Model"), widget=ModelRadios)
    style_type = forms.ChoiceField(label=_("Style"), required=False)
    aspect_ratio = forms.ChoiceField(label=_("Shape"), required=False)
    count = forms.TypedChoiceField(
        label=_("How many"),
        coerce=int,
        choices=[(number, str(number)) for number in range(1, MOST_DRAFTS + 1)],
        help_text=_("Each is a picture of its own, with its own price."),
    )

    negative_prompt = forms.CharField(
        label=_("Negative prompt"),
        required=False,
        help_text=_("What should not be in the picture."),
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
    )
    magic_prompt_option = forms.ChoiceField(
        label=_("Magic prompt"),
        required=False,
        choices=[("", _("The model decides"))]
        + [(value, MAGIC_LABELS[value]) for value in MAGIC_PROMPT_OPTIONS],
        help_text=_("Lets the provider rewrite the prompt in more detail."),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        required=False,
        help_text=_("The same number with the same request can give a similar picture again."),
    )
    resolution = forms.CharField(
        label=_("Size"),
        required=False,
        help_text=_(
            "Width and height in pixels, such as 1024x1024. Instead of a shape, not beside it."
        ),
    )
    style_preset = forms.CharField(
        label=_("Style preset"),
        required=False,
        help_text=_("A named look, such as Watercolor or Bauhaus."),
    )
    rendering_speed = forms.ChoiceField(
        label=_("Rendering speed"),
        required=False,
        choices=[("", _("As the model does it"))]
        + [(value, SPEED_LABELS[value]) for value in RENDERING_SPEEDS],
        help_text=_("Turbo is quicker, Quality more careful."),
    )
    reference_image = forms.CharField(
        label=_("Reference picture"),
        required=False,
        help_text=_(
            "An https:// address, or the id of a picture in the gallery. Guides the whole picture."
        ),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    style_reference_images = forms.CharField(
        label=_("Style references"),
        required=False,
        help_text=_(
            "Up to three addresses or ids, one on each line. Only their look is taken over."
        ),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )

    def __init__(
        self,
        *args: Any,
        may_view: bool = True,
        single: bool = False,
        keep_model: str = "",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.initial["style_type"] = str(self.initial.get("style_type", "")).casefold()
        self.settings = conf.current()
        self.offers = {offer.model.id: offer for offer in offers(self.settings)}
        self.may_view = may_view
        self.options: dict[str, Any] = {}
        if single:
            del self.fields["count"]
        models = [(offer.model.id, offer.model.label) for offer in self.offers.values()]
        if keep_model and keep_model not in self.offers:
            # A draft on a model that is no longer offered says so when it is sent, not before.
            models.append((keep_model, keep_model))
        every = list(self.offers.values())
        self._choices("model").choices = models
        self.fields["model"].widget.offers = self.offers
        self._choices("style_type").choices = style_choices(every, self._given("style_type"))
        self._choices("aspect_ratio").choices = shape_choices(every, self._given("aspect_ratio"))
        if not self.is_bound:
            self.initial.setdefault("request_id", uuid.uuid4())
            self.initial.setdefault("model", self._default_model())
            default = self.offers.get(self.initial["model"])
            drafts = default is not None and default.model.tier == "draft"
            self.initial.setdefault("count", 4 if drafts else 1)

    def _choices(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        return field

    def _default_model(self) -> str:
        if self.settings.DEFAULT_MODEL in self.offers:
            return self.settings.DEFAULT_MODEL
        return next(iter(self.offers), "")

    def _given(self, name: str) -> list[str]:
        """What an earlier draft holds, so that editing it never loses a value."""
        value = self.initial.get(name)
        return [value] if isinstance(value, str) and value else []

    # --- for the template -----------------------------------------------------------------------

    @property
    def chosen_offer(self) -> Offer | None:
        return self.offers.get(str(self["model"].value()))

    @property
    def make_label(self) -> str:
        """The button's text for what stands in the form now."""
        offer = self.chosen_offer
        try:
            count = int(self["count"].value()) if "count" in self.fields else 1
        except (TypeError, ValueError):
            count = 1
        if offer is None or not 1 <= count <= MOST_DRAFTS:
            return gettext("Make")
        return offer.make_label(count, str(self["rendering_speed"].value() or ""))

    @property
    def model_cards(self) -> list[dict[str, Any]]:
        """The default's family: Draft, Balanced, Quality."""
        return [card for card in self._cards() if card["main"]]

    @property
    def other_cards(self) -> list[dict[str, Any]]:
        return [card for card in self._cards() if not card["main"]]

    def _cards(self) -> Iterator[dict[str, Any]]:
        default = self.offers.get(self._default_model())
        for radio in self["model"].subwidgets:
            offer = self.offers.get(str(radio.data["value"]))
            yield {
                "radio": radio,
                "offer": offer,
                "main": bool(offer and default and offer.family == default.family),
                "chosen": bool(radio.data["selected"]),
            }

    @property
    def advanced(self) -> list[dict[str, Any]]:
        """The rarer fields, each with the models that may take no notice of it."""
        rows = []
        for name in ADVANCED:
            ignoring = [o.family_label for o in self.offers.values() if o.model.may_ignore(name)]
            rows.append({"field": self[name], "ignored_by": ", ".join(dict.fromkeys(ignoring))})
        return rows

    @property
    def advanced_open(self) -> bool:
        """Open where something in there was filled in or is wrong."""
        return any(self[name].errors or self[name].value() for name in ADVANCED)

    # --- checking -------------------------------------------------------------------------------

    def clean_reference_image(self) -> str:
        return self._own(self.cleaned_data["reference_image"].strip())

    def clean_style_reference_images(self) -> list[str]:
        lines = self.cleaned_data["style_reference_images"].splitlines()
        return [self._own(line.strip()) for line in lines if line.strip()]

    def _own(self, text: str) -> str:
        """A bare id as a reference to our own picture, which must be there and may be seen."""
        try:
            own = uuid.UUID(text.removeprefix(references.OWN))
        except ValueError:
            return text
        pictures = GeneratedImage.objects.filter(uuid=own, status=Status.COMPLETED)
        if not self.may_view or not pictures.exclude(file="").exists():
            raise ValidationError(
                _("There is no finished picture with the id %(id)s."),
                code="reference",
                params={"id": own},
            )
        return f"{references.OWN}{own}"

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        options = {
            name: data[name]
            for name in lifecycle.PARAMETERS
            if data.get(name) not in ("", None, [])
        }
        options["prompt"] = data.get("prompt", "")
        offer = self.offers.get(data.get("model", ""))
        if "style_type" in options and offer is not None:
            # Beyond the model's own list the label is what people can recognise in the sentence.
            written = spelled(options["style_type"], offer.model.style_types)
            options["style_type"] = written if offer.model.style_types else written.capitalize()
        if "model" in data:
            options["model"] = data["model"]
            try:
                wishes.check(options, self.settings)
            except ValidationError as error:
                self._take(error)
        self.options = options
        return data

    def _take(self, error: ValidationError) -> None:
        """Each sentence beside its field; one that has no field here, on top."""
        for name, problems in error.error_dict.items():
            self.add_error(name if name in self.fields else None, problems)

    @property
    def how_many(self) -> int:
        return int(self.cleaned_data.get("count") or 1)


def initial_of(image: GeneratedImage) -> dict[str, Any]:
    """A draft as the form shows it."""
    initial: dict[str, Any] = {"prompt": image.prompt, "model": image.model, **image.parameters}
    initial["style_reference_images"] = "\n".join(image.style_reference_images)
    return initial
