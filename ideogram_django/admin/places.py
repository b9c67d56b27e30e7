"""The fixed places of the site's pages: which picture hangs where, decided by editors."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django.admin.base import STYLESHEETS
from ideogram_django.admin.fields import GeneratedImageFieldMixin
from ideogram_django.forms import (
    GeneratedImageField,
    GenerationRequest,
    UploadedPicture,
    describing,
    taking,
)
from ideogram_django.forms.plans import Plan
from ideogram_django.lifecycle import using
from ideogram_django.models import GeneratedImage, Place, PromptProfile
from ideogram_django.widgets import stand_in

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Place]
    _ModelAdmin = admin.ModelAdmin[Place]
else:
    _ModelForm = forms.ModelForm
    _ModelAdmin = admin.ModelAdmin


def usable_profiles(place: Place | None) -> QuerySet[PromptProfile]:
    """Those in use, and the one that the place has."""
    usable = Q(is_active=True, versions__isnull=False)
    kept = Q(pk=place.profile_id) if place is not None else Q()
    return PromptProfile.objects.filter(usable | kept).distinct()


class PlacePictureField(GeneratedImageField):
    """People type what hangs here, so a profile's template for records plays no part."""

    @property
    def plan(self) -> Plan:
        return replace(Plan.of(self.defaults, self.profiles), template="")


class PlaceForm(_ModelForm):
    """Takes the picture field's answer; it is stored or paid for when the place is saved."""

    class Meta:
        model = Place
        fields = ["name", "key", "profile", "image"]

    wanted: GenerationRequest | UploadedPicture | None = None
    before: GeneratedImage | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "profile" in self.fields:
            profiles: Any = self.fields["profile"]
            profiles.queryset = usable_profiles(self.instance)
        if "image" in self.fields:
            picture: Any = self.fields["image"]
            picture.defaults = {"profile": self._profile()}

    def _profile(self) -> str:
        """The name of the one that is chosen in this form, saved or not."""
        if "profile" not in self.fields:
            return str(self.instance.profile or "")
        try:
            return str(self.fields["profile"].clean(self["profile"].value()) or "")
        except ValidationError:
            return ""  # told beside the profile

    def clean(self) -> dict[str, Any]:
        """That no other place has this key and profile, although the key cannot be changed."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        place = copy.copy(self.instance)
        place.key = cleaned.get("key", place.key)
        place.profile = cleaned.get("profile", place.profile)
        try:
            place.validate_constraints()
        except ValidationError as error:
            self.add_error("key" if "key" in self.fields else "profile", error.messages)
        return cleaned

    def clean_image(self) -> GeneratedImage | None:
        """The picture for the column. One that does not exist yet waits for :meth:`fulfil`."""
        answer = self.cleaned_data["image"]
        self.before = self.instance.image
        if isinstance(answer, (GenerationRequest, UploadedPicture)):
            self.wanted = answer
            return self.before
        return answer if isinstance(answer, GeneratedImage) else None

    def fulfil(self) -> None:
        """Give the place its picture and the picture its words, in the caller's transaction."""
        place = self.instance
        if self.wanted is not None:
            place.image = taking.fulfil(self.wanted, place, self.before)
        elif place.image is not None:
            if place.image != self.before:
                taking.exchange(place.image, self.before, place)
            describing.write(place.image)
        self.wanted = None


class PlaceAdmin(GeneratedImageFieldMixin, _ModelAdmin):
    """Places are made here alone. A page that asks for an unknown one shows nothing there."""

    form = PlaceForm
    fields = ["name", "key", "profile", "image"]
    list_display = ["thumbnail", "name", "state", "key", "profile"]
    list_select_related = ["profile"]
    list_display_links = ["name"]
    search_fields = ["name", "key"]

    class Media:
        css = {"all": STYLESHEETS}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Place]:
        pictures = GeneratedImage.objects.for_display()
        return super().get_queryset(request).prefetch_related(Prefetch("image", pictures))

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "image":
            return PlacePictureField(label=_("Picture"), required=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "profile":
            # Only looked at from here: deleting one beside a place would be an accident.
            for link in ("can_add_related", "can_change_related", "can_delete_related"):
                setattr(field.widget, link, False)
        return field

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without a choice of profiles where there is none."""
        fields = super().get_fields(request, obj)
        return fields if usable_profiles(obj).exists() else [f for f in fields if f != "profile"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The key stays: pages that ask by it would show nothing any more."""
        return [*super().get_readonly_fields(request, obj), *(["key"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.fulfil()
        super().save_model(request, obj, form, change)
        if obj.image is not None and obj.image_id != form.initial.get("image"):
            using.attached(obj.image, obj, "image")

    @admin.display(description=_("Picture"))
    def thumbnail(self, place: Place) -> str:
        return render_to_string(
            "admin/ideogram_django/place_thumbnail.html", {"image": stand_in(place.image)}
        )

    @admin.display(description=_("State"))
    def state(self, place: Place) -> str:
        return place.image.get_status_display() if place.image else gettext("No picture yet")
