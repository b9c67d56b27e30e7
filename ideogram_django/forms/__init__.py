"""Pictures in forms: choose one, upload one, or have one made when the form is saved."""

from __future__ import annotations

from ideogram_django.forms.answers import GenerationRequest, UploadedPicture
from ideogram_django.forms.fields import GeneratedImageField
from ideogram_django.forms.mixins import GeneratedImageFormMixin, GeneratedImageFormSetMixin

__all__ = [
    "GeneratedImageField",
    "GeneratedImageFormMixin",
    "GeneratedImageFormSetMixin",
    "GenerationRequest",
    "UploadedPicture",
]
