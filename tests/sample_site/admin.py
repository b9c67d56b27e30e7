from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from ideogram_django.admin import (
    ChargeAdmin,
    GeneratedImageAdmin,
    GeneratedImageFieldMixin,
    GenerateImagesMixin,
    OutOfDate,
    OutOfDateFilter,
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
from tests.sample_site.models import Product

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Product]
else:
    _ModelAdmin = admin.ModelAdmin

OURS: dict[Any, Any] = {
    Charge: ChargeAdmin,
    GeneratedImage: GeneratedImageAdmin,
    Place: PlaceAdmin,
    PromptProfile: PromptProfileAdmin,
    Run: RunAdmin,
    ProviderState: ProviderStateAdmin,
    SpendingLimit: SpendingLimitAdmin,
    SpendingPeriod: SpendingPeriodAdmin,
}


class StaffSite(admin.AdminSite):
    """A second admin with the same pages."""


staff = StaffSite(name="staff")
for model, model_admin in OURS.items():
    staff.register(model, model_admin)


def described(record: Product) -> str:
    return f"{record.name}, seen from above"


@admin.register(Product)
class ProductAdmin(GenerateImagesMixin, _ModelAdmin):
    list_display = ["name", OutOfDate("photo")]
    list_filter = [("photo", OutOfDateFilter)]
    generate_images_field = "photo"
    generate_images_prompt = described
    generate_images_options = {"aspect_ratio": "1:1"}


@admin.register(Product, site=staff)
class PlainProductAdmin(GeneratedImageFieldMixin, _ModelAdmin):
    pass
