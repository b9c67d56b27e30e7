from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.forms import BaseModelFormSet, modelformset_factory

from ideogram_django.forms import (
    GeneratedImageField,
    GeneratedImageFormMixin,
    GeneratedImageFormSetMixin,
    GenerationRequest,
    UploadedPicture,
)
from ideogram_django.models import GeneratedImage
from tests.sample_site.models import Product

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Product]
    _FormSet = BaseModelFormSet[Product, "ProductForm"]
else:
    _ModelForm = forms.ModelForm
    _FormSet = BaseModelFormSet


class ProductForm(GeneratedImageFormMixin, _ModelForm):
    class Meta:
        model = Product
        fields = ["name", "photo"]


class PosterForm(GeneratedImageFormMixin, forms.Form):
    poster = GeneratedImageField(aspect_ratio="2:3")


class ProductFormSet(GeneratedImageFormSetMixin, _FormSet):
    pass


ProductForms = modelformset_factory(Product, form=ProductForm, formset=ProductFormSet, extra=0)


def kept(
    answer: GeneratedImage | GenerationRequest | UploadedPicture | None,
) -> GeneratedImage | None:
    """What a picture field of a plain form answered, as a picture."""
    if isinstance(answer, GenerationRequest):
        first, *_others = answer.generate_all() if answer.count > 1 else [answer.generate()]
        return first
    if isinstance(answer, UploadedPicture):
        return answer.store(alt_text="Own work")
    return answer
