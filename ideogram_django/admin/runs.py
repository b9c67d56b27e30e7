"""Bulk runs in the admin: a list, a page with the brakes, a report, and a form for CSV files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import FileExtensionValidator
from django.db.models import Count, QuerySet, Sum
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin.base import STYLESHEETS, may_generate, tell, who
from ideogram_django.admin.exports import csv_lines, csv_response
from ideogram_django.admin.limits import obstacles, standing
from ideogram_django.admin.proposals import Proposals
from ideogram_django.budget import limits
from ideogram_django.forms import access
from ideogram_django.models import Charge, GeneratedImage, PromptProfile, Run
from ideogram_django.runs import approving, feeding, preparing, reporting, spreadsheets
from ideogram_django.statuses import ErrorCode, RunPause, RunState, Status

STYLES = [*STYLESHEETS, "ideogram_django/picture.css", "ideogram_django/runs.css"]
PARTS = "admin/ideogram_django/run"
MOST_BYTES = 5 * 1024 * 1024
"""Of a CSV file: ten thousand prompts of ordinary length."""
SHOWN_PROMPTS = 50
SHOWN_BUSY = 24
SHOWN_NEWEST = 12
CSV_COLUMNS = ("number", "prompt", "status", "error", "expected", "charged", "currency", "uuid")

HISTORY = {
    "start": _("Started."),
    "pause": _("Paused."),
    "resume": _("Went on."),
    "stop": _("Stopped."),
    "ceiling": _("Changed the ceiling."),
}
"""What the admin's own history says of each step."""
SPENDING = frozenset({"start", "resume", "ceiling", "raise", "again"})


class RunForm(forms.Form):
    """A CSV file and what holds for all of its lines. Valid: every line is sound and priced."""

    run_id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("What you will know it by, in the list.")
    )
    file = forms.FileField(
        label=_("CSV file"),
        validators=[FileExtensionValidator(["csv", "txt", "tsv"])],
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,text/csv"}),
        help_text=_(
            "A line for each prompt. The first line names the columns; only “prompt” is needed."
        ),
    )
    profile = forms.ChoiceField(
        label=_("Prompt profile"),
        required=False,
        help_text=_("Holds for every line that names no other one."),
    )
    ceiling = forms.DecimalField(
        label=_("Ceiling"),
        required=False,
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=6,
        help_text=_("The run never commits more money than this. Empty: only the limits count."),
    )
    at_once = forms.IntegerField(
        label=_("At once"),
        required=False,
        min_value=1,
        max_value=500,
        help_text=_("Most pictures of this run in progress at the same time."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = PromptProfile.objects.filter(is_active=True, versions__isnull=False)
        names = active.values_list("name", flat=True).distinct()
        profile: Any = self.fields["profile"]
        profile.choices = [("", _("None")), *((name, name) for name in names)]
        if len(profile.choices) == 1:
            del self.fields["profile"]
        settings = conf.current()
        self.fields["at_once"].initial = settings.RUN_IN_FLIGHT
        self.fields["ceiling"].label = _("Ceiling (%(currency)s)") % {"currency": settings.CURRENCY}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is None or self.errors.get("profile"):
            return cleaned
        try:
            if file.size > MOST_BYTES:
                raise ValidationError(_("This file is too large. Split it into several runs."))
            profile = cleaned.get("profile")
            options = {"profile": profile} if profile else {}
            orders = spreadsheets.read(file.read(), str(file.name), options)
            cleaned["bill"] = spreadsheets.check(orders)
        except ValidationError as error:
            self.add_error("file", error)
        return cleaned


class CeilingForm(forms.Form):
    ceiling = forms.DecimalField(
        label=_("Ceiling"), required=False, min_value=Decimal(0), max_digits=14, decimal_places=6
    )


class RunAdmin(Proposals):
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

    def may_brake(self, request: HttpRequest, run: Run) -> bool:
        """Who may have pictures made may stop their own; who may change runs, everybody's."""
        own = run.requested_by_id == request.user.pk
        return (own and may_generate(request)) or self.has_change_permission(request, run)

    def may_spend(self, request: HttpRequest, run: Run) -> bool:
        """A run spends what the one who asked for it may: nobody else starts it who only looks."""
        return may_generate(request) and self.may_brake(request, run)

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
        return self._page(request, run)

    def _page(
        self, request: HttpRequest, run: Run, *, form: CeilingForm | None = None
    ) -> HttpResponse:
        report = run.report()
        may_spend = self.may_spend(request, run)
        settings = conf.current()
        may_see = access.may(request.user, "view")
        in_the_way = obstacles(request)
        prompts = [] if run.started_at else list(run.pictures.drafts()[:SHOWN_PROMPTS])
        context = {
            **self._context(request, run),
            "title": run.name,
            "run": run,
            "report": report,
            "mark": reporting.mark(run, report),
            "milestone": wording.run_milestone(run, report),
            "sentence": wording.run_sentence(run, report, left=reporting.seconds_left(run, report)),
            "money": self._money(request, run, report),
            "prepared": run.state == RunState.PREPARED,
            "running": run.state == RunState.RUNNING,
            "paused": run.state == RunState.PAUSED,
            "at_ceiling": self._waits_at_ceiling(run, report),
            "may_spend": may_spend and settings.SPENDING_ENABLED,
            "may_brake": self.may_brake(request, run),
            "may_see": may_see,
            "buttons": self._labels(run, report),
            "short": self._shortage(run, report),
            "ceiling_form": form
            or CeilingForm(initial={"ceiling": plain(run.ceiling)}, auto_id="id_run_%s"),
            "again_label": self._again_label(run),
            "run_id": uuid.uuid4(),
            "failures": self._failures(run, report),
            "unusable": list(
                run.pictures.drafts()
                .exclude(error_code="")
                .values_list("prompt", "error_detail")[:SHOWN_BUSY]
            ),
            "busy": list(run.pictures.in_progress()[:SHOWN_BUSY]),
            "newest": list(run.images.completed().order_by("-finished_at")[:SHOWN_NEWEST]),
            "prompts": [(image, wording.model_label(image.model)) for image in prompts],
            "more_prompts": report.count - len(prompts),
            "proposing": approving.proposals(run).exists(),
            "undecided": approving.undecided(run).count() if run.approve else 0,
            "gallery_url": self._gallery_url(run),
            "tries": list(run.tries.all()),
            "allowances": standing(request.user) if may_spend and not run.is_over else [],
            "obstacles": in_the_way,
            "here": request.get_full_path(),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.change_form_template or "", context)

    def _money(
        self, request: HttpRequest, run: Run, report: reporting.Report
    ) -> list[dict[str, str]]:
        """What it will cost and has cost, and where each sum is kept."""
        user: Any = request.user
        entries = ""
        if Charge in self.admin_site._registry and user.has_perm("ideogram_django.view_charge"):
            charges = reverse(
                "admin:ideogram_django_charge_changelist", current_app=self.admin_site.name
            )
            entries = f"{charges}?{urlencode({'batch': str(run.uuid)})}"

        def tile(label: Any, amount: Decimal | None, hint: Any, url: str = "") -> dict[str, str]:
            text = wording.money(amount, run.currency) or gettext("none")
            return {"label": str(label), "amount": text, "hint": str(hint), "url": url}

        return [
            tile(_("To come"), report.to_come, _("Expected for what is not started yet.")),
            tile(_("Reserved"), report.reserved, _("For what is in progress."), entries),
            tile(_("Charged"), report.charged, _("What the ledger holds."), entries),
            tile(_("Ceiling"), run.ceiling, _("Never more than this is committed.")),
        ]

    def _labels(self, run: Run, report: reporting.Report) -> dict[str, str]:
        to_come = wording.money(report.to_come, run.currency)
        if run.ceiling is not None and run.ceiling < report.to_come + report.committed:
            most = wording.money(max(run.ceiling - report.committed, Decimal(0)), run.currency)
            start = gettext("Start · at most %(total)s") % {"total": most}
            resume = gettext("Go on · at most %(total)s") % {"total": most}
        else:
            start = gettext("Start · %(total)s") % {"total": to_come}
            resume = gettext("Go on · %(total)s") % {"total": to_come}
        return {"start": start, "resume": resume}

    def _waits_at_ceiling(self, run: Run, report: reporting.Report) -> bool:
        """It would only pause again: there is no room for the next picture."""
        if run.state != RunState.PAUSED or run.pause != RunPause.CEILING or run.ceiling is None:
            return False
        following = run.pictures.drafts().filter(error_code="").first()
        needed = (following.price if following is not None else None) or Decimal(0)
        return run.ceiling < report.committed + needed

    def _shortage(self, run: Run, report: reporting.Report) -> str:
        """Whether the limits have room for all of it: it may begin, and will pause."""
        wanted = report.to_come
        if run.ceiling is not None:
            wanted = min(wanted, max(run.ceiling - report.committed, Decimal(0)))
        if run.is_over or limits.shortage(limits.allowances(run.requested_by), wanted) is None:
            return ""
        return gettext(
            "A spending limit has no room for all of it. The run makes what fits, and then waits."
        )

    def _again_label(self, run: Run) -> str:
        failed = preparing.worth_another_try(run).aggregate(count=Count("pk"), price=Sum("price"))
        if not failed["count"]:
            return ""
        text = ngettext(
            "Try the failed one again · %(total)s",
            "Try %(count)d failed ones again · %(total)s",
            failed["count"],
        )
        total = wording.money(failed["price"], run.currency)
        return text % {"count": failed["count"], "total": total}

    def _failures(self, run: Run, report: reporting.Report) -> list[dict[str, Any]]:
        return [
            {
                "count": count,
                "sentence": ErrorCode(code).label if code in ErrorCode.values else code,
                "url": self._gallery_url(run, status=str(Status.FAILED), error=code),
            }
            for code, count in report.by_error.items()
        ]

    def _gallery_url(self, run: Run, **filters: str) -> str:
        """The gallery of this run's pictures; empty where the site has no gallery here."""
        if GeneratedImage not in self.admin_site._registry:
            return ""
        gallery = reverse(
            "admin:ideogram_django_generatedimage_changelist", current_app=self.admin_site.name
        )
        return f"{gallery}?{urlencode({'run': str(run.uuid), **filters})}"

    # --- what one can do ------------------------------------------------------------------------

    def step_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start, pause, go on, change the ceiling, try failures again, discard. POST only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = self._find(request, pk)
        step = request.POST.get("step", "")
        may = self.may_spend if step in SPENDING else self.may_brake
        if not may(request, run):
            raise PermissionDenied
        if step in ("ceiling", "raise"):
            return self._change_ceiling(request, run, step)
        steps = {
            "start": self._start,
            "pause": self._pause,
            "resume": self._resume,
            "again": self._again,
            "discard": self._discard,
        }
        if step not in steps:
            return HttpResponseRedirect(self.admin_url("change", run.pk))
        try:
            url = steps[step](request, run)
        except ValidationError as error:
            tell(request, error)
            url = self.admin_url("change", run.pk)
        return HttpResponseRedirect(url)

    def _holds(self, request: HttpRequest, run: Run) -> bool:
        """Whether going on costs what the button said, at today's prices."""
        preparing.price_anew(run)
        if request.POST.get("total", "") == str(run.report().to_come):
            return True
        messages.warning(
            request, gettext("Something changed meanwhile. Look again before you confirm.")
        )
        return False

    def _start(self, request: HttpRequest, run: Run) -> str:
        if run.state == RunState.PREPARED and not self._holds(request, run):
            return self.admin_url("change", run.pk)
        run.start()
        self._begin(run)
        messages.success(request, gettext("The run has started. You may leave this page."))
        return self._done(request, run, "start")

    def _pause(self, request: HttpRequest, run: Run) -> str:
        run.halt()
        messages.success(
            request,
            gettext("Paused. Nothing more is started; what the provider has comes in and counts."),
        )
        return self._done(request, run, "pause")

    def _resume(self, request: HttpRequest, run: Run) -> str:
        if run.state == RunState.PAUSED and not self._holds(request, run):
            return self.admin_url("change", run.pk)
        return self._go_on(request, run)

    def _go_on(self, request: HttpRequest, run: Run) -> str:
        run.resume()
        self._begin(run)
        messages.success(request, gettext("The run goes on."))
        return self._done(request, run, "resume")

    def _begin(self, run: Run) -> None:
        """The first few at once, so that the page has something to show. Nobody is called."""
        feeding.feed_one(run, conf.current())
        run.refresh_from_db()

    def _again(self, request: HttpRequest, run: Run) -> str:
        try:
            run_id = uuid.UUID(request.POST.get("run_id", ""))
        except ValueError:
            return self.admin_url("change", run.pk)
        new = run.try_failures_again(requested_by=who(request), run_id=run_id)
        if new.state == RunState.PREPARED:
            messages.info(
                request, gettext("Look it over. Nothing is made before you start the run.")
            )
        return self.admin_url("change", new.pk)

    def _discard(self, request: HttpRequest, run: Run) -> str:
        name = run.name
        run.discard()
        text = gettext("“%(name)s” is gone. Nothing was spent on it.")
        messages.success(request, text % {"name": name})
        return self.admin_url("changelist")

    def _change_ceiling(self, request: HttpRequest, run: Run, step: str) -> HttpResponse:
        form = CeilingForm(request.POST, auto_id="id_run_%s")
        try:
            if not form.is_valid():
                return self._page(request, run, form=form)
            run.limit_to(form.cleaned_data["ceiling"])
            self._done(request, run, "ceiling")
            if step == "raise" and run.state == RunState.PAUSED:
                return HttpResponseRedirect(self._go_on(request, run))
            messages.success(request, gettext("The ceiling was changed."))
        except ValidationError as error:
            tell(request, error)
        return HttpResponseRedirect(self.admin_url("change", run.pk))

    def _done(self, request: HttpRequest, run: Run, step: str) -> str:
        self.log_change(request, run, str(HISTORY[step]))
        return self.admin_url("change", run.pk)

    def stop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET says what would happen; POST stops the run for good."""
        run = self._find(request, pk)
        if not self.may_brake(request, run):
            raise PermissionDenied
        url = self.admin_url("change", run.pk)
        if request.method == "POST":
            try:
                run.stop()
            except ValidationError as error:
                tell(request, error)
                return HttpResponseRedirect(url)
            messages.success(request, gettext("The run was stopped."))
            return HttpResponseRedirect(self._done(request, run, "stop"))
        if run.is_over:
            return HttpResponseRedirect(url)
        report = run.report()
        unsent = report.by_status.get(Status.PENDING, 0)
        context = {
            **self._context(request, run),
            "title": _("Stop this run?"),
            "run": run,
            "unmade": report.waiting + unsent,
            "coming": report.in_progress - unsent,
            "charged": wording.money(report.charged, run.currency),
            "back_url": url,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"{PARTS}/stop.html", context)

    # --- the report -----------------------------------------------------------------------------

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


def plain(amount: Decimal | None) -> str:
    """``30``, ``0.125``: without the zeros that a column adds."""
    if amount is None:
        return ""
    places = max(2, -int(amount.normalize().as_tuple().exponent)) if amount else 2
    return f"{amount:.{places}f}"
