"""Bulk runs in the admin: a list, a page with the brakes, a report, and a form for CSV files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin.base import STYLESHEETS, may_generate, who
from ideogram_django.admin.exports import csv_lines, csv_response, plain
from ideogram_django.admin.proposals import Proposals
from ideogram_django.admin.runbase import PARTS
from ideogram_django.admin.runforms import RunForm
from ideogram_django.admin.runsteps import RunSteps
from ideogram_django.models import Run
from ideogram_django.runs import preparing, reporting, spreadsheets
from ideogram_django.statuses import RunState

STYLES = [*STYLESHEETS, "ideogram_django/picture.css", "ideogram_django/runs.css"]
CSV_COLUMNS = ("number", "prompt", "status", "error", "expected", "charged", "currency", "uuid")


class RunAdmin(RunSteps, Proposals):
    """Who may have pictures made sees and steers their own runs; who may view runs sees all."""

    list_display = (
        "name",
        "state_shown",
        "progress_shown",
        "money_shown",
        "requested_by",
        "created_at",
    )
    list_display_links = ("name",)
    list_select_related = ("requested_by",)
    list_filter = ("state", "created_at")
    list_per_page = 25
    search_fields = ("name", "source")
    show_full_result_count = False
    change_list_template = f"{PARTS}/change_list.html"
    change_form_template = f"{PARTS}/change_form.html"
    add_form_template = f"{PARTS}/add_form.html"

    class Media:
        css = {"all": STYLES}
        js = ["ideogram_django/ideogram.js"]

    # --- who may --------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        runs: Any = super().get_queryset(request)
        viewable: QuerySet[Run] = runs.viewable_by(request.user)
        return viewable

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        own = obj is None or obj.requested_by_id == request.user.pk
        return super().has_view_permission(request, obj) or (own and may_generate(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_generate(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not while anything of it may still be paid for."""
        return super().has_delete_permission(request, obj) and (
            obj is None or obj.state not in (RunState.RUNNING, RunState.PAUSED)
        )

    # --- deleting -------------------------------------------------------------------------------

    def delete_model(self, request: HttpRequest, obj: Run) -> None:
        preparing.forget(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset.exclude(state__in=[RunState.RUNNING, RunState.PAUSED]):
            preparing.forget(run)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        moving = [run for run in objs if run.state in (RunState.RUNNING, RunState.PAUSED)]
        kept = [_("%(run)s: stop it first") % {"run": run} for run in moving]
        return to_delete, counts, perms_needed, [*protected, *kept]

    # --- addresses ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        def page(name: str, view: Any) -> Any:
            return path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(view),
                name=f"ideogram_django_run_{name}",
            )

        return [
            page("step", self.step_view),
            page("stop", self.stop_view),
            page("report", self.report_view),
            page("proposals", self.proposals_view),
            *super().get_urls(),
        ]

    # --- the list -------------------------------------------------------------------------------

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes: Any = super().get_changelist_instance(request)
        runs = list(changes.result_list)
        reports = reporting.reports(runs)
        for run in runs:
            run.ideogram_report = reports[run.pk]
        changes.result_list = runs
        return changes

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": _("Bulk runs"), **(extra_context or {})})

    @admin.display(description=_("State"), ordering="state")
    def state_shown(self, run: Run) -> SafeString:
        return self._cell("state", run)

    @admin.display(description=_("Progress"))
    def progress_shown(self, run: Run) -> SafeString:
        return self._cell("progress", run)

    @admin.display(description=_("Committed"))
    def money_shown(self, run: Run) -> SafeString:
        return self._cell("money", run)

    def _cell(self, name: str, run: Run) -> SafeString:
        report: reporting.Report = getattr(run, "ideogram_report", None) or run.report()
        context = {
            "run": run,
            "report": report,
            "mark": reporting.mark(run, report),
            "sentence": wording.run_sentence(run, report),
            "committed": wording.money(report.committed, run.currency),
            "to_come": wording.money(report.to_come, run.currency),
            "ceiling": wording.money(run.ceiling, run.currency),
        }
        return render_to_string(f"{PARTS}/{name}_cell.html", context)

    # --- a new one ------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """A CSV file becomes a prepared run; nothing is spent before that is started."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            form = RunForm(request.POST, request.FILES)
            if form.is_valid() and (run := self._prepare(request, form)) is not None:
                return HttpResponseRedirect(self.admin_url("change", run.pk))
        else:
            form = RunForm(initial={"run_id": uuid.uuid4()})
        fields = [name for name in form.fields if name != "run_id"]
        as_admin_form: Any = form  # it draws any form, not a model's alone
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            self.add_form_template or "",
            {
                **self._context(request, None),
                "title": _("Make pictures from a CSV file"),
                "form": form,
                "adminform": AdminForm(as_admin_form, [(None, {"fields": fields})], {}, (), self),
                "columns": spreadsheets.COLUMNS,
                "most": spreadsheets.MOST,
                "errors": form.errors,
                "media": self.media + form.media,
            },
        )

    def _prepare(self, request: HttpRequest, form: RunForm) -> Run | None:
        wanted = form.cleaned_data
        try:
            run = Run.objects.prepare(
                wanted["bill"].requests,
                name=wanted["name"],
                requested_by=who(request),
                ceiling=wanted["ceiling"],
                at_once=wanted["at_once"],
                source=str(wanted["file"].name)[:200],
                run_id=wanted["run_id"],
            )
        except ValidationError as error:
            form.add_error(None, " ".join(error.messages))
            return None
        if run.state == RunState.PREPARED:
            self.log_addition(request, run, [{"added": {}}])
            messages.info(
                request, gettext("Look it over. Nothing is made before you start the run.")
            )
            self._tell_repeated(request, wanted["bill"])
        return run

    def _tell_repeated(self, request: HttpRequest, bill: spreadsheets.Bill) -> None:
        count = spreadsheets.repeated(bill)
        if count:
            text = ngettext(
                "%(count)d line says just what another one says. A picture is made for each.",
                "%(count)d lines say just what other ones say. A picture is made for each.",
                count,
            )
            messages.warning(request, text % {"count": count})

    # --- its page -------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method == "POST":  # nothing here is edited; the buttons have their own door
            return HttpResponseNotAllowed(["GET"])
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        run = self.get_object(request, object_id)
        if run is None:
            messages.warning(request, gettext("There is no such run, or not any more."))
            return HttpResponseRedirect(self.admin_url("changelist"))
        return self.page(request, run)

    def report_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """A line for each picture, as CSV. What was charged adds up to the ledger's sum."""
        run = self._find(request, pk)
        lines = csv_lines(CSV_COLUMNS, report_rows(run))
        return csv_response(slugify(run.name)[:60] or "run", lines)


def report_rows(run: Run) -> Iterator[tuple[Any, ...]]:
    """The report's cells. Amounts are plain numbers, for machines."""
    for line in reporting.lines(run):
        image = line.image
        yield (
            line.number,
            image.prompt if image else "",
            image.get_status_display() if image else gettext("Deleted"),
            (image.error_message or image.error_detail) if image else "",
            plain(line.expected),
            plain(line.charged),
            run.currency,
            line.uuid,
        )
