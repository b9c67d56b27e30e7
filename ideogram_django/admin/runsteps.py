"""What the buttons of a bulk run's page do: start, pause, go on, stop, the ceiling, try again."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin.base import tell, who
from ideogram_django.admin.runforms import CeilingForm
from ideogram_django.admin.runpage import RunPage
from ideogram_django.models import Run
from ideogram_django.runs import feeding, preparing
from ideogram_django.statuses import RunState, Status

HISTORY = {
    "start": _("Started."),
    "pause": _("Paused."),
    "resume": _("Went on."),
    "stop": _("Stopped."),
    "ceiling": _("Changed the ceiling."),
}
"""What the admin's own history says of each step."""
SPENDING = frozenset({"start", "resume", "ceiling", "raise", "again"})


class RunSteps(RunPage):
    """One door for the buttons, and one that asks before a run is stopped."""

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
                return self.page(request, run, form=form)
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
        return TemplateResponse(request, "admin/ideogram_django/run/stop.html", context)
