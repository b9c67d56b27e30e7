"""The form of the add page and of drafts: a request, checked and priced, that has spent nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle
from ideogram_django.admin.choices import (
    MAGIC_LABELS,
    SPEED_LABELS,
    ModelRadios,
    Suggesting,
    known_sizes,
    shape_choices,
    style_choices,
)
from ideogram_django.admin.makeparts import SLOTS, STYLE_SLOTS
from ideogram_django.admin.makeprofile import ProfiledForm
from ideogram_django.admin.offers import offers, spelled
from ideogram_django.admin.slots import ReferenceField
from ideogram_django.apiframe.catalogue import (
    MAGIC_PROMPT_OPTIONS,
    MAX_PROMPT,
    RENDERING_SPEEDS,
)
from ideogram_django.forms import UploadedPicture
from ideogram_django.forms.access import viewable
from ideogram_django.lifecycle import references, uploading, wishes
from ideogram_django.models import GeneratedImage, PromptProfile
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.widgets import MOST_DRAFTS


class MakeForm(ProfiledForm):
    """What an editor fills in. ``options`` holds the request once the form is valid.

    ``pictures``: what this person may use as references. Whoever takes the form calls
    :meth:`keep_uploads` after ``is_valid()``, whatever that said.
    """

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    prompt = forms.CharField(
        label=_("Prompt"),
        required=False,
        strip=False,
        help_text=_(
            "Say what the picture shows. Words in “quotation marks” are drawn as lettering: "
            "keep them short."
        ),
        widget=forms.Textarea(
            attrs={"rows": 5, "class": "vLargeTextField", "data-ideogram-limit": MAX_PROMPT}
        ),
    )
    model = forms.ChoiceField(label=_("Model"), widget=ModelRadios)
    style_type = forms.ChoiceField(label=_("Style"), required=False, widget=forms.RadioSelect)
    aspect_ratio = forms.ChoiceField(label=_("Shape"), required=False, widget=forms.RadioSelect)
    count = forms.TypedChoiceField(
        label=_("How many"),
        coerce=int,
        choices=[(number, str(number)) for number in range(1, MOST_DRAFTS + 1)],
        help_text=_("Each is a picture of its own, with its own price."),
        widget=forms.RadioSelect,
    )

    reference_image = ReferenceField(
        label=_("Reference picture"), help_text=_("Guides the whole picture.")
    )
    style_reference_1 = ReferenceField(label=_("Style reference 1"))
    style_reference_2 = ReferenceField(label=_("Style reference 2"))
    style_reference_3 = ReferenceField(label=_("Style reference 3"))

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
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    style_preset = forms.CharField(
        label=_("Style preset"),
        required=False,
        help_text=_("A named look, such as Watercolor or Bauhaus."),
        widget=Suggesting,
    )
    resolution = forms.CharField(
        label=_("Size"),
        required=False,
        help_text=_(
            "Width and height in pixels, such as 1024x1024. Instead of a shape, not beside it."
        ),
        widget=Suggesting(attrs={"autocomplete": "off"}),
    )
    rendering_speed = forms.ChoiceField(
        label=_("Rendering speed"),
        required=False,
        choices=[("", _("As the model does it"))]
        + [(value, SPEED_LABELS[value]) for value in RENDERING_SPEEDS],
        help_text=_("Turbo is quicker, Quality more careful."),
        widget=forms.Select(attrs={"data-ideogram-part": "speed"}),
    )

    class Media:
        css = {"all": ["ideogram_django/field.css", "ideogram_django/make.css"]}

    def __init__(
        self,
        *args: Any,
        pictures: GeneratedImageQuerySet | None = None,
        may_upload: bool = False,
        single: bool = False,
        keep_model: str = "",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self._spread_style_references()
        self.version = self._version()
        self.initial.update(self.version.locked if self.version else {})
        self.initial["style_type"] = str(self.initial.get("style_type", "")).casefold()
        self.settings = conf.current()
        self.offers = {offer.model.id: offer for offer in offers(self.settings)}
        self.options: dict[str, Any] = {}
        self.seen = ""
        """A draft's state that the page tells although it did not begin with it."""
        self.uploads: dict[str, UploadedPicture] = {}
        if single:
            del self.fields["count"]
        models = [(offer.model.id, offer.model.label) for offer in self.offers.values()]
        fixed_model = self.version.model if self.version else ""
        for kept in dict.fromkeys((keep_model, fixed_model)):
            if kept and kept not in self.offers:
                # A model that is no longer offered says so when it is sent, not before.
                models.append((kept, kept))
        every = list(self.offers.values())
        self._choices("model").choices = models
        self.fields["model"].widget.offers = self.offers
        self._choices("style_type").choices = style_choices(every, self._given("style_type"))
        self._choices("aspect_ratio").choices = shape_choices(every, self._given("aspect_ratio"))
        presets = dict.fromkeys(preset for offer in every for preset in offer.model.style_presets)
        self.fields["style_preset"].widget.suggestions = presets
        self.fields["resolution"].widget.suggestions = known_sizes(every)
        for name in SLOTS:
            slot = self.fields[name]
            assert isinstance(slot, ReferenceField)  # noqa: S101 - for the type checker
            slot.allow(
                GeneratedImage.objects.none() if pictures is None else pictures,
                may_upload=may_upload,
            )
        self._seen = str(self.data.get("profile_seen", "")) if self.is_bound else ""
        self._show_profile()
        if not self.is_bound:
            self.initial.setdefault("request_id", uuid.uuid4())
            self.initial.setdefault("model", self._default_model())
            default = self.offers.get(self.initial["model"])
            drafts = default is not None and default.model.tier == "draft"
            self.initial.setdefault("count", 4 if drafts else 1)
            if not single:
                self.fields["prompt"].widget.attrs["autofocus"] = True

    def _spread_style_references(self) -> None:
        """A list, or lines out of an address, as the slots show them."""
        self.initial = dict(self.initial)
        several = self.initial.pop("style_reference_images", None) or []
        lines = several.splitlines() if isinstance(several, str) else several
        for name, text in zip(STYLE_SLOTS, filter(None, map(str.strip, lines)), strict=False):
            self.initial.setdefault(name, text)

    def _given(self, name: str) -> list[str]:
        """What an earlier draft holds, so that editing it never loses a value."""
        value = self.initial.get(name)
        return [value] if isinstance(value, str) and value else []

    # --- checking -------------------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        # Noted before anything else is checked: a good file is kept whatever is wrong elsewhere.
        self.uploads = {
            name: data[name] for name in SLOTS if isinstance(data.get(name), UploadedPicture)
        }
        self.options = self._options(lambda upload: f"{references.OWN}{uuid.uuid4()}")
        if "model" in data:
            try:
                wishes.check(self.options, self.settings)
            except ValidationError as error:
                self._take(error)
        return data

    def _options(self, stored: Callable[[UploadedPicture], str]) -> dict[str, Any]:
        """The request as it stands in the form; ``stored`` gives the reference for an upload."""
        data = self.cleaned_data
        options = {
            name: data[name]
            for name in lifecycle.PARAMETERS
            if name not in SLOTS and data.get(name) not in ("", None, [])
        }
        slots = {
            name: stored(value) if isinstance(value, UploadedPicture) else value
            for name in SLOTS
            if (value := data.get(name))
        }
        if "reference_image" in slots:
            options["reference_image"] = slots.pop("reference_image")
        if slots:
            options["style_reference_images"] = list(slots.values())
        options["prompt"] = data.get("prompt", "")
        if "model" in data:
            options["model"] = data["model"]
        if self.version is not None:
            options = {one: v for one, v in options.items() if one not in self.version.locked}
            options["profile"] = self.version.profile.name
        offer = self.offers.get(data.get("model", ""))
        if "style_type" in options and offer is not None:
            # Beyond the model's own list the label is what people can recognise in the sentence.
            written = spelled(options["style_type"], offer.model.style_types)
            options["style_type"] = written if offer.model.style_types else written.capitalize()
        return options

    def _take(self, error: ValidationError) -> None:
        """Each sentence beside its field; one that has no field here, on top."""
        for name, problems in error.error_dict.items():
            if name == "style_reference_images":
                given = [slot for slot in STYLE_SLOTS if self.cleaned_data.get(slot)]
                name = given[0] if given else STYLE_SLOTS[0]
            self.add_error(name if name in self.fields else None, problems)

    @property
    def how_many(self) -> int:
        return int(self.cleaned_data.get("count") or 1)

    # --- uploads --------------------------------------------------------------------------------

    def keep_uploads(self, user: Any) -> list[GeneratedImage]:
        """Store good files and show them as chosen; also of a form that has errors elsewhere.

        A browser never sends a file twice by itself, so what is not kept now is lost. The very
        same file again, by the same person, is the picture that it became before. Gives the new
        pictures.
        """
        kept: dict[str, GeneratedImage] = {}
        new = []
        for name, upload in self.uploads.items():
            image = uploading.earlier_upload(viewable(user), upload.file, requested_by=user)
            if image is None:
                image = upload.store(requested_by=user)
                new.append(image)
            kept[name] = image
        if kept:
            self.fill_in({name: str(image.uuid) for name, image in kept.items()})
            for name, image in kept.items():
                if name in self.cleaned_data:
                    self.cleaned_data[name] = f"{references.OWN}{image.uuid}"
            self.options = self._options(lambda upload: "")
            self.uploads = {}
        return new


def initial_of(image: GeneratedImage) -> dict[str, Any]:
    """A request as the form shows it: with its profile, as typed, where that is still in use."""
    request = {"prompt": image.prompt, "model": image.model, **image.parameters}
    if image.profile and PromptProfile.objects.filter(name=image.profile, is_active=True).exists():
        request |= {"prompt": image.typed_prompt, "profile": image.profile}
    return request
