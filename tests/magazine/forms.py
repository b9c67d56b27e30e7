from __future__ import annotations

from django import forms

from ideogram_django.forms import GeneratedImageField, GeneratedImageFormMixin
from tests.magazine.models import Article


class ArticleForm(GeneratedImageFormMixin, forms.ModelForm):
    class Meta:
        model = Article
        fields = ["title", "body", "hero"]


class PlainForm(GeneratedImageFormMixin, forms.Form):
    picture = GeneratedImageField(required=False, aspect_ratio="1:1")
