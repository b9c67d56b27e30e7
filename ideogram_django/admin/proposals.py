"""What a run proposes for records: old beside new, and a person's yes or no."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_datetime
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin.base import who
from ideogram_django.admin.runbase import RunBase
from ideogram_django.models import GeneratedImage, Run
from ideogram_django.runs import approving, reporting, targets
from ideogram_django.statuses import Decision

PER_PAGE = 30
MOST_NAMED = 5
"""Records that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One picture beside the record that it was made for."""

    image: GeneratedImage
    record: Any
    """``None`` where it is gone, of a model that this site does not have any more, or hidden."""
    gone: bool
    record_url: str
    old: Any
    """What the field holds now, or held before the new one: a picture, a file, or nothing."""
    decision: Decision
    sentence: str
    may_decide: bool

    @property
    def old_image(self) -> GeneratedImage | None:
        return self.old if isinstance(self.old, GeneratedImage) else None

    @property
    def may_approve(self) -> bool:
        return self.may_decide and self.decision in (
            Decision.OPEN,
            Decision.REJECTED,
            Decision.KEPT,
        )

    @property
    def may_reject(self) -> bool:
        return (self.may_decide or self.gone) and self.decision in (Decision.OPEN, Decision.KEPT)


class Proposals(RunBase):
    """The page of one run's proposals. It needs the change permission for each record."""

    def proposals_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET shows old beside new; POST approves or rejects one, the ticked ones, or all."""
        run = self._find(request, pk)
        if request.method == "POST":
            self._decide(request, run)
            return HttpResponseRedirect(request.get_full_path())
        found = approving.proposals(run).select_related("replaces")
        page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
        report = run.report()
        undecided = approving.undecided(run)
        newest = undecided.aggregate(newest=models.Max("finished_at"))["newest"]
        rows = self._rows(request, list(page.object_list))
        context = {
            **self._context(request, run),
            "title": _("Proposals"),
            "run": run,
            "mark": reporting.mark(run, report),
            "milestone": wording.run_milestone(run, report),
            "sentence": wording.run_sentence(run, report),
            "page": page,
            "rows": rows,
            "undecided": undecided.count(),
            "seen": newest.isoformat() if newest else "",
            "may_decide": any(row.may_approve for row in rows),
            "back_url": self.admin_url("change", run.pk),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/ideogram_django/run/proposals.html", context)

    # --- deciding -------------------------------------------------------------------------------

    def _decide(self, request: HttpRequest, run: Run) -> None:
        step, _colon, key = request.POST.get("step", "").partition(":")
        if step == "approve_all":
            images = self._all_seen(request, run)
        elif step in ("approve", "reject"):
            keys = [key] if key else request.POST.getlist("picture")
            # A longer one is no key, and too much for a database.
            numbers = [int(one) for one in keys if re.fullmatch("[0-9]{1,18}", one, re.ASCII)]
            images = list(approving.proposals(run).filter(pk__in=numbers))
        else:
            return
        if not images:
            messages.warning(request, gettext("Tick at least one picture first."))
            return
        rows = self._rows(request, images)
        if not any(row.may_decide or row.gone for row in rows):
            raise PermissionDenied
        if step == "reject":
            self._reject(request, rows)
        else:
            self._approve(request, rows)

    def _all_seen(self, request: HttpRequest, run: Run) -> list[GeneratedImage]:
        """Those that were there when the page was shown: nobody approves what came since."""
        seen = _moment(request.POST.get("seen", ""))
        return list(approving.undecided(run).filter(finished_at__lte=seen)) if seen else []

    def _approve(self, request: HttpRequest, rows: Sequence[Proposal]) -> None:
        given: list[Proposal] = []
        kept: list[Proposal] = []
        for row in rows:
            if row.gone:
                kept.append(row)
            elif row.may_approve:
                (given if approving.approve(row.image) else kept).append(row)
        self._log(request, given)
        if given:
            text = ngettext(
                "The picture was approved.", "%(count)d pictures were approved.", len(given)
            )
            messages.success(request, text % {"count": len(given)})
        if kept:
            text = ngettext(
                "A record was changed meanwhile, or is gone. It keeps what it has: %(names)s.",
                "%(count)d records were changed meanwhile, or are gone. They keep what they have: "
                "%(names)s.",
                len(kept),
            )
            names = [str(row.record or row.image.target_id) for row in kept[:MOST_NAMED]]
            if len(kept) > MOST_NAMED:
                names.append("…")
            gaps = {"count": len(kept), "names": get_text_list(names, gettext("and"))}
            messages.warning(request, text % gaps)

    def _reject(self, request: HttpRequest, rows: Sequence[Proposal]) -> None:
        count = sum(approving.reject(row.image) for row in rows if row.may_reject)
        text = ngettext(
            "The picture was rejected. Its record keeps what it has.",
            "%(count)d pictures were rejected. Their records keep what they have.",
            count,
        )
        if count:
            messages.success(request, text % {"count": count})

    def _log(self, request: HttpRequest, rows: Sequence[Proposal]) -> None:
        """In the history of each record, as if it had been changed in its own form."""
        by_field: dict[tuple[type, str], list[Any]] = defaultdict(list)
        for row in rows:
            name = type(row.record)._meta.get_field(row.image.target_field).verbose_name
            by_field[type(row.record), str(name)].append(row.record)
        for (_model, name), records in by_field.items():
            LogEntry.objects.log_actions(
                user_id=who(request).pk,
                queryset=records,
                action_flag=CHANGE,
                change_message=[{"changed": {"fields": [name]}}],
            )

    # --- looking up -----------------------------------------------------------------------------

    def _rows(self, request: HttpRequest, images: Sequence[GeneratedImage]) -> list[Proposal]:
        """With their records: two queries per field that pictures were made for."""
        found = {image.pk: targets.of(image) for image in images}
        keys: dict[tuple[Any, Any], set[Any]] = defaultdict(set)
        for target in found.values():
            if target is not None:
                keys[target.model, target.field].add(target.key)
        records = {
            (field, pk): record
            for (model, field), wanted in keys.items()
            for pk, record in self._records(model, field).in_bulk(wanted).items()
        }
        seen = {
            (field, pk)
            for (model, field), wanted in keys.items()
            for pk in self._seen(request, model, wanted)
        }
        return [
            self._row(
                request,
                image,
                records.get((target.field, target.key)) if target else None,
                target,
                hidden=target is not None and (target.field, target.key) not in seen,
            )
            for image in images
            for target in [found[image.pk]]
        ]

    def _seen(self, request: HttpRequest, model: type[models.Model], keys: set[Any]) -> Any:
        """Which of these records the model's own admin shows this person."""
        host = self.admin_site._registry.get(model)
        rows = model._base_manager.all() if host is None else host.get_queryset(request)
        return rows.filter(pk__in=keys).values_list("pk", flat=True)

    def _records(self, model: type[models.Model], field: Any) -> models.QuerySet[Any]:
        rows = model._base_manager.all()
        return rows.select_related(field.name) if isinstance(field, models.ForeignKey) else rows

    def _row(
        self, request: HttpRequest, image: GeneratedImage, record: Any, target: Any, *, hidden: bool
    ) -> Proposal:
        gone = record is None
        record = None if hidden else record
        old = getattr(record, target.field.name) if record is not None else None
        decision = approving.decision(image)
        if decision == Decision.USED:
            old = image.replaces
        if decision == Decision.OPEN and record is not None:
            held = str(record.serializable_value(target.field.attname) or "")
            decision = decision if held == image.target_before else Decision.KEPT
        sentence: Any = decision.label
        if gone:
            sentence = gettext("The record is gone.")
        elif hidden:
            sentence = gettext("You may not see this record.")
        return Proposal(
            image=image,
            record=record,
            gone=gone,
            record_url=self._record_url(record),
            old=old or None,
            decision=decision,
            sentence=str(sentence),
            may_decide=record is not None and self._may_change(request, record),
        )

    def _may_change(self, request: HttpRequest, record: models.Model) -> bool:
        host = self.admin_site._registry.get(type(record))
        if host is not None:
            return host.has_change_permission(request, record)
        user: Any = request.user
        return bool(user.has_perm(f"{record._meta.app_label}.change_{record._meta.model_name}"))

    def _record_url(self, record: Any) -> str:
        if record is None or type(record) not in self.admin_site._registry:
            return ""
        name = f"admin:{record._meta.app_label}_{record._meta.model_name}_change"
        try:
            return reverse(name, args=[record.pk], current_app=self.admin_site.name)
        except NoReverseMatch:
            return ""


def _moment(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
