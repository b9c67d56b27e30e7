"""The admin: a gallery, a page to make pictures, a page per picture, and the money.

Public names: :class:`GeneratedImageAdmin`, to be subclassed; :class:`GenerateImagesMixin`, which
gives any ``ModelAdmin`` the field's three ways and the action "Generate images for selected …";
:class:`GeneratedImageFieldMixin`, the field alone, for inlines; :class:`OutOfDate` and
:class:`OutOfDateFilter`, a column and a filter for lists; and the pages about profiles and money,
so that a site can put the base class of its theme behind them.
"""

from __future__ import annotations

from django.contrib import admin

from ideogram_django.admin.fields import GeneratedImageFieldMixin
from ideogram_django.admin.mixin import GenerateImagesMixin
from ideogram_django.admin.money import (
    ChargeAdmin,
    ProviderStateAdmin,
    SpendingLimitAdmin,
    SpendingPeriodAdmin,
)
from ideogram_django.admin.outofdate import OutOfDate, OutOfDateFilter
from ideogram_django.admin.pictures import GeneratedImageAdmin
from ideogram_django.admin.places import PlaceAdmin
from ideogram_django.admin.profiles import PromptProfileAdmin
from ideogram_django.admin.runs import RunAdmin
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    Place,
    PromptProfile,
    ProviderState,
    Run,
    SpendingLimit,
    SpendingPeriod,
)

__all__ = [
    "ChargeAdmin",
    "GenerateImagesMixin",
    "GeneratedImageAdmin",
    "GeneratedImageFieldMixin",
    "OutOfDate",
    "OutOfDateFilter",
    "PlaceAdmin",
    "PromptProfileAdmin",
    "ProviderStateAdmin",
    "RunAdmin",
    "SpendingLimitAdmin",
    "SpendingPeriodAdmin",
]

admin.site.register(GeneratedImage, GeneratedImageAdmin)
admin.site.register(Run, RunAdmin)
admin.site.register(Place, PlaceAdmin)
admin.site.register(PromptProfile, PromptProfileAdmin)
admin.site.register(Charge, ChargeAdmin)
admin.site.register(SpendingLimit, SpendingLimitAdmin)
admin.site.register(SpendingPeriod, SpendingPeriodAdmin)
admin.site.register(ProviderState, ProviderStateAdmin)
