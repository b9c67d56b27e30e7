"""The same table in a plain admin, as Django's documentation teaches it: five columns, no care."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from ideogram_django.models import GeneratedImage

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[GeneratedImage]
else:
    _Admin = admin.ModelAdmin


class PlainAdmin(_Admin):
    list_display = ("prompt", "model", "status", "price", "created_at")
    list_filter = ("status", "picked")
    search_fields = ("prompt",)
    list_per_page = 100
    change_list_template = "admin/change_list.html"  # by the model's name it would find ours


plain_site = admin.AdminSite(name="plain")
plain_site.register(GeneratedImage, PlainAdmin)
