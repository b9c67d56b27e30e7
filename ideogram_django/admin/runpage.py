"""The page of one bulk run: how far it is, the money, what failed, and the buttons."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin.exports import plain
from ideogram_django.admin.limits import obstacles, standing
from ideogram_django.admin.runbase import RunBase
from ideogram_django.admin.runforms import CeilingForm
from ideogram_django.budget import limits
from ideogram_django.forms import access
from ideogram_django.models import Charge, GeneratedImage, Run
from ideogram_django.runs import approving, preparing, reporting
from ideogram_django.statuses import ErrorCode, RunPause, RunState, Status

SHOWN_PROMPTS = 50
SHOWN_BUSY = 24
SHOWN_NEWEST = 12


class RunPage(RunBase):
    """Draws the page, also with a form that was filled in wrongly."""

    def page(
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
