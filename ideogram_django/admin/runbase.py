"""What the pages of bulk runs share: who may do what, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from ideogram_django.admin.base import may_generate
from ideogram_django.models import Run

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Run]
else:
    _ModelAdmin = admin.ModelAdmin

PARTS = "admin/ideogram_django/run"


class RunBase(_ModelAdmin):
    """The ground of the pages; :class:`~ideogram_django.admin.runs.RunAdmin` puts them together."""

    def may_brake(self, request: HttpRequest, run: Run) -> bool:
        """Who may have pictures made may stop their own; who may change runs, everybody's."""
        own = run.requested_by_id == request.user.pk
        return (own and may_generate(request)) or self.has_change_permission(request, run)

    def may_spend(self, request: HttpRequest, run: Run) -> bool:
        """A run spends what the one who asked for it may: nobody else starts it who only looks."""
        return may_generate(request) and self.may_brake(request, run)

    def admin_url(self, name: str, *args: Any) -> str:
        """The address of one of this model's pages on the admin site that serves the request."""
        return reverse(
            f"admin:ideogram_django_run_{name}", args=args, current_app=self.admin_site.name
        )

    def _find(self, request: HttpRequest, pk: int) -> Run:
        run: Run | None = self.get_object(request, str(pk))
        if run is None or not self.has_view_or_change_permission(request, run):
            raise PermissionDenied
        return run

    def _context(self, request: HttpRequest, run: Run | None) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": run,
            "object_id": run.pk if run else None,
            "add": run is None,
            "change": run is not None,
            "is_popup": False,
            "save_as": False,
            "show_save": False,
            "has_view_permission": self.has_view_permission(request, run),
            "has_add_permission": self.has_add_permission(request),
            "has_change_permission": self.has_change_permission(request, run),
            "has_delete_permission": self.has_delete_permission(request, run),
            "media": self.media,
        }
