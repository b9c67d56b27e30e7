"""What every page of the pictures' admin shares: who may spend, and the files it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from ideogram_django.models import GeneratedImage

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[GeneratedImage]
else:
    _ModelAdmin = admin.ModelAdmin

GENERATE = "ideogram_django.generate_generatedimage"
THEME = "ideogram_django/theme.css"
STYLESHEETS = [THEME, "ideogram_django/admin.css"]
"""Of every page of ours in the admin."""


def may_generate(request: HttpRequest) -> bool:
    """Whether this person may spend money on pictures."""
    return request.user.is_active and request.user.has_perm(GENERATE)


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
