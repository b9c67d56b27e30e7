"""The money: what was charged, what may be spent, and whether the provider is being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from ideogram_django import wakeups, wording
from ideogram_django.admin.base import STYLESHEETS, THEME, next_url
from ideogram_django.admin.exports import csv_lines, csv_response
from ideogram_django.drains import provider
from ideogram_django.models import Charge, ProviderState, SpendingLimit, SpendingPeriod

if TYPE_CHECKING:
    _ChargeAdmin = admin.ModelAdmin[Charge]
    _LimitAdmin = admin.ModelAdmin[SpendingLimit]
    _PeriodAdmin = admin.ModelAdmin[SpendingPeriod]
    _PeriodInline = admin.TabularInline[SpendingPeriod, SpendingLimit]
    _StateAdmin = admin.ModelAdmin[ProviderState]
else:
    _ChargeAdmin = _LimitAdmin = _PeriodAdmin = _StateAdmin = admin.ModelAdmin
    _PeriodInline = admin.TabularInline


class ReadOnly:
    """Nobody adds, changes or deletes these rows by hand."""

    def has_add_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


CSV_COLUMNS = (
    "created_at",
    "user_label",
    "model",
    "expected",
    "charged",
    "currency",
    "state",
    "image_id",
    "attempt",
    "job_id",
    "closed_at",
)


class ChargeAdmin(ReadOnly, _ChargeAdmin):
    """The ledger: one row per attempt, never changed by hand, kept when the picture goes."""

    list_display = (
        "created_at",
        "user_label",
        "model_label",
        "expected_shown",
        "charged_shown",
        "state",
        "image_id",
    )
    list_display_links = ("created_at",)
    list_filter = ("state", "created_at")
    search_fields = ("user_label", "model", "job_id")
    show_full_result_count = False
    list_per_page = 50
    actions = ("export_csv",)
    fields = (
        "image_id",
        "attempt",
        "user_label",
        "model_label",
        "state",
        "expected_shown",
        "charged_shown",
        "credit_price",
        "job_id",
        "created_at",
        "first_sent_at",
        "closed_at",
    )
    readonly_fields = fields

    class Media:
        css = {"all": [THEME]}

    @admin.display(description=_("Picture"))
    def image_id(self, charge: Charge) -> str:
        return str(charge.image_id)

    @admin.display(description=_("Model"), ordering="model")
    def model_label(self, charge: Charge) -> str:
        return wording.model_label(charge.model)

    @admin.display(description=_("Expected"), ordering="expected")
    def expected_shown(self, charge: Charge) -> str:
        return wording.money(charge.expected, charge.currency)

    @admin.display(description=_("Charged"), ordering="charged")
    def charged_shown(self, charge: Charge) -> str:
        return wording.money(charge.charged, charge.currency) or self.get_empty_value_display()

    @admin.action(description=_("Export selected charges as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Charge]) -> StreamingHttpResponse:
        rows = queryset.order_by("pk").values_list(*CSV_COLUMNS).iterator(chunk_size=1000)
        return csv_response("charges", csv_lines(CSV_COLUMNS, rows))


class SpendingPeriodInline(ReadOnly, _PeriodInline):
    model = SpendingPeriod
    fields = ("start", "committed")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = _("what was spent or is reserved")


class SpendingLimitAdmin(_LimitAdmin):
    """How much the site, a group or a person may spend."""

    list_display = ("__str__", "user", "group", "period", "amount")
    list_select_related = ("user", "group")
    list_filter = ("period",)
    raw_id_fields = ("user",)
    inlines = (SpendingPeriodInline,)

    class Media:
        css = {"all": [THEME]}


class SpendingPeriodAdmin(ReadOnly, _PeriodAdmin):
    list_display = ("start", "limit", "committed")
    list_select_related = ("limit__user", "limit__group")
    list_filter = ("limit__period",)
    show_full_result_count = False

    class Media:
        css = {"all": [THEME]}


class ProviderStateAdmin(_StateAdmin):
    """One row: is anything being sent, why not, and how many credits are left."""

    change_form_template = "admin/ideogram_django/providerstate/change_form.html"
    fields = (
        "state_shown",
        "pause_detail",
        "paused_at",
        "not_before",
        "balance",
        "balance_at",
        "last_sync",
        "last_drain",
    )
    readonly_fields = fields

    class Media:
        css = {"all": STYLESHEETS}

    @admin.display(description=pgettext_lazy("heading", "Sending"))
    def state_shown(self, state: ProviderState) -> str:
        return str(state)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        return [
            path(
                "switch/",
                self.admin_site.admin_view(self.switch_view),
                name="ideogram_django_providerstate_switch",
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(self._url("change", 1))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row; before anything was ever sent, what it would say. Looking does not write it."""
        found = super().get_object(request, object_id, from_field)
        return found or (ProviderState() if object_id == "1" else None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method == "POST":  # nothing here is edited; the two buttons have their own door
            return HttpResponseNotAllowed(["GET"])
        context = {
            "switch_url": self._url("switch"),
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def switch_view(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume. POST only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        provider.state()  # the first pause of a new site needs the row
        if request.POST.get("switch") == "pause":
            provider.stop()
            messages.success(request, gettext("Paused. Pictures wait until you resume."))
        else:
            provider.resume()
            wakeups.wake()
            messages.success(request, gettext("Resumed. Waiting pictures are sent now."))
        return HttpResponseRedirect(next_url(request, self._url("change", 1)))

    def _url(self, name: str, *args: Any) -> str:
        return reverse(
            f"admin:ideogram_django_providerstate_{name}",
            args=args,
            current_app=self.admin_site.name,
        )
