"""The pictures and their money in Unfold, as a site with that theme registers them."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from ideogram_django.admin import (
    ChargeAdmin,
    GeneratedImageAdmin,
    PromptProfileAdmin,
    ProviderStateAdmin,
    SpendingLimitAdmin,
    SpendingPeriodAdmin,
)
from ideogram_django.models import (
    Charge,
    GeneratedImage,
    PromptProfile,
    ProviderState,
    SpendingLimit,
    SpendingPeriod,
)

admin.site.unregister([GeneratedImage, PromptProfile, Charge])
admin.site.unregister([SpendingLimit, SpendingPeriod, ProviderState])


@admin.register(GeneratedImage)
class UnfoldPictureAdmin(GeneratedImageAdmin, ModelAdmin):
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
