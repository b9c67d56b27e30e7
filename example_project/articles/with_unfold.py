"""The pictures and their money in Unfold, as a site with that theme registers them."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from ideogram_django.admin import (
    ChargeAdmin,
    GeneratedImageAdmin,
    PlaceAdmin,
    PromptProfileAdmin,
    ProviderStateAdmin,
    RunAdmin,
    SpendingLimitAdmin,
    SpendingPeriodAdmin,
)
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

admin.site.unregister([GeneratedImage, Place, PromptProfile, Run, Charge])
admin.site.unregister([SpendingLimit, SpendingPeriod, ProviderState])


@admin.register(GeneratedImage)
class UnfoldPictureAdmin(GeneratedImageAdmin, ModelAdmin):
    pass


@admin.register(Place)
class UnfoldPlaceAdmin(PlaceAdmin, ModelAdmin):
    pass


@admin.register(Run)
class UnfoldRunAdmin(RunAdmin, ModelAdmin):
    pass


@admin.register(PromptProfile)
class UnfoldProfileAdmin(PromptProfileAdmin, ModelAdmin):
    pass


@admin.register(Charge)
class UnfoldChargeAdmin(ChargeAdmin, ModelAdmin):
    pass


@admin.register(SpendingLimit)
class UnfoldLimitAdmin(SpendingLimitAdmin, ModelAdmin):
    pass


@admin.register(SpendingPeriod)
class UnfoldPeriodAdmin(SpendingPeriodAdmin, ModelAdmin):
    pass


@admin.register(ProviderState)
class UnfoldStateAdmin(ProviderStateAdmin, ModelAdmin):
    pass
