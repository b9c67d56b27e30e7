"""The gallery: a grid of cards, or a list; it keeps itself up to date."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ChangeList
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin.base import PictureAdmin, may_generate
from ideogram_django.admin.filters import (
    BatchFilter,
    ModelFilter,
    ShapeFilter,
    StyleFilter,
    WhoFilter,
)
from ideogram_django.admin.limits import obstacles, standing
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

SESSION_KEY = "ideogram_django_view"
GRID, LIST = "grid", "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One picture in the grid."""

    image: GeneratedImage
    url: str
    step_url: str
    value: Any
    model: str
    price: str


class PictureList(ChangeList):
    """Django's list, with what the grid's template needs."""

    ideogram_grid = False
    ideogram_may_pick = False

    def ideogram_cards(self) -> list[Card]:
        filters: Any = {"preserved_filters": self.preserved_filters, "opts": self.opts}
        model_admin: Any = self.model_admin
        return [
            Card(
                image=image,
                url=add_preserved_filters(
                    filters, self.url_for_result(image), self.is_popup, self.to_field
                ),
                step_url=model_admin.admin_url("step", image.pk),
                value=image.serializable_value(str(self.to_field or self.pk_attname)),
                model=wording.model_label(image.model),
                price=model_admin.price_shown(image),
            )
            for image in self.result_list
        ]


class Gallery(PictureAdmin):
    list_display = (
        "thumbnail",
        "prompt_shown",
        "state_shown",
        "model_label",
        "price_shown",
        "requested_by",
        "created_at",
    )
    list_display_links = ("prompt_shown",)
    list_filter = (
        BatchFilter,
        "status",
        "picked",
        ModelFilter,
        StyleFilter,
        ShapeFilter,
        WhoFilter,
        "created_at",
    )
    list_select_related = ("requested_by",)
    list_per_page = 24
    list_max_show_all = 200
    show_full_result_count = False
    search_fields = ("prompt", "alt_text")
    search_help_text = _("Searches prompts and alternative texts.")
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
        """Remember grid or list for this person's session."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        request.session[SESSION_KEY] = LIST if request.POST.get("look") == LIST else GRID
        wanted = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )
        return HttpResponseRedirect(wanted if wanted and safe else self.admin_url("changelist"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return PictureList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        changes.ideogram_grid = _grid(request)
        changes.ideogram_may_pick = self.has_change_permission(request) and not changes.is_popup
        return changes

    def get_list_display(self, request: HttpRequest) -> Any:
        # The grid draws its own cards; columns that nobody sees would be rendered for nothing.
        columns = super().get_list_display(request)
        return ("prompt_shown", "created_at") if _grid(request) else columns

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        return super().changelist_view(
            request,
            {
                "title": _("Pictures"),
                "allowances": standing(request.user) if may_generate(request) else [],
                "obstacles": obstacles(request),
                "grid": _grid(request),
                "request_id": uuid.uuid4(),
                "here": request.get_full_path(),
                **(extra_context or {}),
            },
        )

    # --- columns of the list --------------------------------------------------------------------

    @admin.display(description=_("Picture"))
    def thumbnail(self, image: GeneratedImage) -> SafeString:
        return render_to_string("admin/ideogram_django/parts/thumb.html", {"image": image})

    @admin.display(description=_("Prompt"))
    def prompt_shown(self, image: GeneratedImage) -> str:
        text = " ".join((image.prompt or image.alt_text).split()) or str(_("Own work"))
        return text if len(text) <= 90 else f"{text[:89]}…"

    @admin.display(description=_("Status"), ordering="status")
    def state_shown(self, image: GeneratedImage) -> SafeString:
        return render_to_string("admin/ideogram_django/parts/state.html", {"image": image})

    @admin.display(description=_("Model"), ordering="model")
    def model_label(self, image: GeneratedImage) -> str:
        return wording.model_label(image.model)

    @admin.display(description=_("Price"), ordering="price")
    def price_shown(self, image: GeneratedImage) -> str:
        """What it cost; before that is known, what it is expected to cost."""
        if image.status == Status.CANCELLED:
            return ""
        if image.cost is None:
            return wording.money(image.price, image.currency)
        return wording.money(image.cost, image.currency)


def _grid(request: HttpRequest) -> bool:
    return bool(request.session.get(SESSION_KEY, GRID) == GRID)
