"""The gallery: a grid of cards, or a list; it keeps itself up to date."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin.base import PictureAdmin, may_generate, next_url
from ideogram_django.admin.cards import PictureList, card_of, picture_list_on
from ideogram_django.admin.filters import (
    AltTextFilter,
    BatchFilter,
    ErrorFilter,
    ModelFilter,
    PickedFilter,
    PlaceFilter,
    ProfileFilter,
    RunFilter,
    ShapeFilter,
    StatusFilter,
    StyleFilter,
    VersionFilter,
    WhenFilter,
    WhoFilter,
)
from ideogram_django.admin.limits import obstacles, standing
from ideogram_django.admin.looks import is_grid, remember
from ideogram_django.admin.paging import FarEnough
from ideogram_django.models import GeneratedImage

PARTS = "admin/ideogram_django/parts"


class Gallery(PictureAdmin):
    list_display = (
        "thumbnail",
        "prompt_shown",
        "state_shown",
        "price_shown",
        "picked_shown",
        "model_label",
        "requested_by",
        "created_at",
    )
    list_display_links = ("prompt_shown",)
    list_filter = (
        BatchFilter,
        RunFilter,
        ErrorFilter,
        StatusFilter,
        PickedFilter,
        WhoFilter,
        ("created_at", WhenFilter),
        PlaceFilter,
        AltTextFilter,
        ProfileFilter,
        VersionFilter,
        ModelFilter,
        StyleFilter,
        ShapeFilter,
    )
    list_select_related = ("requested_by",)
    list_per_page = 24
    list_max_show_all = 200
    show_full_result_count = False
    paginator = FarEnough
    search_fields = ("prompt", "typed_prompt", "alt_text")
    change_list_template = "admin/ideogram_django/generatedimage/change_list.html"

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        return [
            path(
                "look/",
                self.admin_site.admin_view(self.look_view),
                name="ideogram_django_generatedimage_look",
            ),
            *super().get_urls(),
        ]

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """Remember grid or list for this person. POST only; for whoever may see the gallery."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        remember(request, request.POST.get("look", ""))
        return HttpResponseRedirect(next_url(request, self.admin_url("changelist")))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        below: Any = super().get_changelist(request, **kwargs)
        return picture_list_on(below)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        changes.ideogram_grid = is_grid(request)
        changes.ideogram_may_pick = self.has_change_permission(request) and not changes.is_popup
        changes.ideogram_may_add = self.has_add_permission(request)
        return changes

    def get_paginator(
        self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **kwargs: Any
    ) -> Any:
        if issubclass(self.paginator, FarEnough):
            kwargs["page"] = _page_number(request.GET.get(PAGE_VAR, ""))
        return self.paginator(queryset, per_page, *args, **kwargs)

    def response_action(
        self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """On all pictures of a list: as many as the page says that there are, and no more."""
        if forms.BooleanField().to_python(request.POST.get("select_across")):
            pages = self.get_paginator(request, queryset, self.list_per_page)
            if getattr(pages, "is_short", False):
                queryset = queryset.filter(pk__in=queryset.values("pk")[: pages.count])
        return super().response_action(request, queryset, *args, **kwargs)

    def get_list_display(self, request: HttpRequest) -> Any:
        # The grid draws its own cards; columns that nobody sees would be rendered for nothing.
        columns = super().get_list_display(request)
        return ("prompt_shown", "created_at") if is_grid(request) else columns

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        in_the_way = obstacles(request)
        response = super().changelist_view(
            request,
            {
                "title": _("Pictures"),
                "allowances": standing(request.user) if may_generate(request) else [],
                "obstacles": in_the_way,
                "grid": is_grid(request),
                "request_id": uuid.uuid4(),
                "here": request.get_full_path(),
                **(extra_context or {}),
            },
        )
        changes = (getattr(response, "context_data", None) or {}).get("cl")
        if isinstance(changes, PictureList):  # not a redirect, nor a subclass's page of its own
            changes.ideogram_look_up(pause=in_the_way.pause)
        return response

    # --- columns of the list --------------------------------------------------------------------

    @admin.display(description=_("Picture"))
    def thumbnail(self, image: GeneratedImage) -> SafeString:
        return _part("thumb", image)

    @admin.display(description=_("Prompt"))
    def prompt_shown(self, image: GeneratedImage) -> str:
        text = " ".join((image.prompt or image.alt_text).split()) or str(_("Own work"))
        return text if len(text) <= 90 else f"{text[:89]}…"

    @admin.display(description=_("Status"), ordering="status")
    def state_shown(self, image: GeneratedImage) -> SafeString:
        return _part("state", image)

    @admin.display(description=_("Choice"), ordering="picked")
    def picked_shown(self, image: GeneratedImage) -> SafeString:
        return _part("pick", image)

    @admin.display(description=_("Model"), ordering="model")
    def model_label(self, image: GeneratedImage) -> str:
        return wording.model_label(image.model)

    @admin.display(description=_("Price"), ordering="price")
    def price_shown(self, image: GeneratedImage) -> SafeString:
        return _part("price", image)


def _page_number(text: str) -> int:
    return max(int(text), 1) if text.isascii() and text.isdecimal() and len(text) < 10 else 1


def _part(name: str, image: GeneratedImage) -> SafeString:
    card = card_of(image)
    return render_to_string(f"{PARTS}/{name}.html", {"image": image, "card": card})
