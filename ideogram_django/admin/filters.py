"""The gallery's filters. None of them asks the database more as the gallery grows."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.apiframe import catalogue
from ideogram_django.models import GeneratedImage

FEW_PEOPLE = 12
COMMON_SHAPES = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")

Choices = list[tuple[str, str]]


class _Filter(admin.SimpleListFilter):
    column = ""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[GeneratedImage]
    ) -> QuerySet[GeneratedImage]:
        value = self.value()
        return queryset.filter(**{self.column: value}) if value else queryset


class BatchFilter(_Filter):
    """Shown only while one request's pictures are looked at."""

    title = _("request")
    parameter_name = "batch"
    column = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        return [(value, gettext("This request"))] if _is_uuid(value) and value else []


class ModelFilter(_Filter):
    title = _("model")
    parameter_name = "model"
    column = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        offered = catalogue.offered_models(conf.current().PRICES)
        return [(model.id, model.label) for model in offered]


class StyleFilter(_Filter):
    title = _("style")
    parameter_name = "style"
    column = "style_type__iexact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(value, str(label)) for value, label in wording.STYLES.items()]


class ShapeFilter(_Filter):
    title = _("shape")
    parameter_name = "shape"
    column = "aspect_ratio"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(ratio, ratio) for ratio in COMMON_SHAPES]


class WhoFilter(_Filter):
    """My own pictures; and where only a few people make pictures, each of them."""

    title = _("requested by")
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        mine = [("me", gettext("Me"))]
        makers = GeneratedImage.objects.order_by().values("requested_by").distinct()
        people = list(get_user_model()._default_manager.filter(pk__in=makers)[: FEW_PEOPLE + 1])
        if len(people) > FEW_PEOPLE:
            return mine
        return mine + [(str(one.pk), str(one)) for one in people if one.pk != request.user.pk]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[GeneratedImage]
    ) -> QuerySet[GeneratedImage]:
        value = self.value()
        if value == "me":
            return queryset.filter(requested_by=request.user.pk)
        known = {key for key, _label in self.lookup_choices}
        return queryset.filter(**{"requested_by": value}) if value in known else queryset


def _is_uuid(text: str | None) -> bool:
    try:
        uuid.UUID(text or "")
    except ValueError:
        return False
    return True
