"""What every page of the pictures' admin shares: who may spend, and the files it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from ideogram_django import hooks
from ideogram_django.forms import access
from ideogram_django.models import GeneratedImage

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[GeneratedImage]
else:
    _ModelAdmin = admin.ModelAdmin

THEME = "ideogram_django/theme.css"
STYLESHEETS = [THEME, "ideogram_django/admin.css"]
"""Of every page of ours in the admin."""


def may_generate(request: HttpRequest) -> bool:
    """Whether this person may spend money on pictures."""
    return access.may(request.user, "generate")


def who(request: HttpRequest) -> Any:
    """The person behind the request; the pages here have turned everybody else away."""
    return request.user


def next_url(request: HttpRequest, default: str) -> str:
    """Where the form that was sent wants to lead, if that is a page of this site."""
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else default


def tell(request: HttpRequest, error: ValidationError) -> None:
    """Show every sentence of an error at the top of the next page."""
    for sentence in error.messages:
        messages.error(request, sentence)


class PictureAdmin(_ModelAdmin):
    """The common ground of the gallery, the add page, the picture page and the actions."""

    class Media:
        css = {"all": STYLESHEETS}
        js = ["ideogram_django/ideogram.js"]

    # --- the site's hooks have the word; by default they ask Django's permissions ---------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[GeneratedImage]:
        """Without what the site hides from this person, on every page."""
        pictures: Any = super().get_queryset(request)
        return hooks.current().visible(pictures, request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return any(access.may(request.user, verb) for verb in ("view", "add", "change", "delete"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.may(request.user, "view") or access.may(request.user, "change")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return access.may(request.user, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.may(request.user, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.may(request.user, "delete")

    def has_generate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What ``permissions=["generate"]`` of an action asks."""
        return may_generate(request)

    def admin_url(self, name: str, *args: Any) -> str:
        """The address of one of this model's pages on the admin site that serves the request."""
        return reverse(
            f"admin:ideogram_django_generatedimage_{name}",
            args=args,
            current_app=self.admin_site.name,
        )

    def where_to_see(self, request: HttpRequest, images: Sequence[GeneratedImage]) -> str:
        """One picture: its page; several of one request: their contact sheet; others: the gallery.

        If they may not be seen: home.
        """
        if not self.has_view_or_change_permission(request):
            return reverse("admin:index", current_app=self.admin_site.name)
        if len(images) == 1:
            return self.admin_url("change", images[0].pk)
        batches = {image.batch for image in images}
        batch = batches.pop() if len(batches) == 1 else None
        return self.admin_url("sheet", batch) if batch else self.admin_url("changelist")
