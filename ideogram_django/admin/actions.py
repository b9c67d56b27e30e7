"""The gallery's actions. Each confirms on a page that states number and total price."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle, wording
from ideogram_django.admin import actionplans, frozen
from ideogram_django.admin.base import PictureAdmin, may_generate, who
from ideogram_django.admin.limits import standing
from ideogram_django.admin.nextsteps import VARIATIONS
from ideogram_django.admin.offers import total
from ideogram_django.admin.steps import log_made, log_step
from ideogram_django.budget import limits
from ideogram_django.lifecycle.steering import fetched_free
from ideogram_django.models import GeneratedImage

SHOWN = 60
"""Pictures that a confirm page shows one by one."""

TITLES = {
    "generate": _("Make the selected drafts?"),
    "retry": _("Try the selected pictures again?"),
    "variations": _("Make more like the selected pictures?"),
    "balanced": _("Finish the selected pictures on Balanced?"),
    "quality": _("Finish the selected pictures on Quality?"),
}


class PictureActions(PictureAdmin):
    actions = (
        "make_drafts",
        "try_again",
        "make_variations",
        "again_on_balanced",
        "again_on_quality",
    )

    @admin.action(description=_("Generate selected drafts…"), permissions=["generate"])
    def make_drafts(self, request: HttpRequest, queryset: QuerySet[GeneratedImage]) -> Any:
        return self._ask(request, queryset, "generate")

    @admin.action(description=_("Try again…"), permissions=["generate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[GeneratedImage]) -> Any:
        return self._ask(request, queryset, "retry")

    @admin.action(description=_("More like this…"), permissions=["generate"])
    def make_variations(self, request: HttpRequest, queryset: QuerySet[GeneratedImage]) -> Any:
        return self._ask(request, queryset, "variations")

    @admin.action(description=_("Finish on Balanced…"), permissions=["generate"])
    def again_on_balanced(self, request: HttpRequest, queryset: QuerySet[GeneratedImage]) -> Any:
        return self._ask(request, queryset, "balanced")

    @admin.action(description=_("Finish on Quality…"), permissions=["generate"])
    def again_on_quality(self, request: HttpRequest, queryset: QuerySet[GeneratedImage]) -> Any:
        return self._ask(request, queryset, "quality")

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        return [
            path(
                "confirm/<uuid:list_id>/",
                self.admin_site.admin_view(self.confirm_view),
                name="ideogram_django_generatedimage_confirm",
            ),
            *super().get_urls(),
        ]

    def _ask(self, request: HttpRequest, queryset: QuerySet[GeneratedImage], action: str) -> Any:
        rows = [
            list(row)
            for row in queryset.order_by("pk").values_list("pk", "attempt")[: frozen.MOST + 1]
        ]
        most = frozen.MOST // (VARIATIONS if action == "variations" else 1)
        if len(rows) > most:
            text = gettext("Select at most %(most)d pictures for this; nothing was done.")
            messages.error(request, text % {"most": most})
            return None
        kept = frozen.freeze(request, owner=self.opts.label_lower, action=action, rows=rows)
        return HttpResponseRedirect(self.admin_url("confirm", kept.id))

    def confirm_view(self, request: HttpRequest, list_id: uuid.UUID) -> HttpResponse:
        """GET shows what would be done and what it costs; POST does it, once."""
        if not (may_generate(request) and self.has_view_or_change_permission(request)):
            raise PermissionDenied
        kept = frozen.thaw(request, list_id, owner=self.opts.label_lower)
        if kept is None:
            messages.warning(request, gettext("This list is gone. Select the pictures again."))
            return HttpResponseRedirect(self.admin_url("changelist"))
        if kept.done:
            messages.info(request, gettext("This was done already, and only once."))
            return HttpResponseRedirect(kept.done)
        settings = conf.current()
        plan = actionplans.plan(self.get_queryset(request), kept, settings)
        problems: list[str] = []
        if request.method == "POST" and plan.rows:
            if request.POST.get("fingerprint") != plan.fingerprint:
                messages.warning(
                    request, gettext("Something changed meanwhile. Look again before you confirm.")
                )
            else:
                try:
                    made = self._carry_out(request, kept, plan)
                except ValidationError as error:
                    problems = error.messages
                else:
                    url = self.where_to_see(request, made) if made else self.admin_url("changelist")
                    frozen.finish(request, kept, url)
                    return HttpResponseRedirect(url)
        return self._confirm_page(request, kept, plan, settings, problems)

    def _carry_out(
        self, request: HttpRequest, kept: frozen.FrozenList, plan: actionplans.Plan
    ) -> Sequence[GeneratedImage]:
        images = [image for image, _requests, _price in plan.rows]
        told = "again" if kept.action in ("balanced", "quality") else kept.action
        if kept.action == "generate":
            lifecycle.start_many(images, requested_by=who(request))
        elif kept.action == "retry":
            with transaction.atomic():
                for image in images:
                    # The page has said which of them may be charged a second time, and which
                    # need only their file: asking for a charge would make those anew.
                    image.retry(confirm_charge=not fetched_free(image), requested_by=who(request))
        else:
            known = GeneratedImage.objects.filter(request_id=kept.request_id).exists()
            made = GeneratedImage.objects.generate_many(
                [one for _image, requests, _price in plan.rows for one in requests],
                requested_by=who(request),
                request_id=kept.request_id,
            )
            if not known:
                log_step(request, images, told)
                log_made(request, made)
            self._say_made(request, len(made))
            return made
        log_step(request, images, told)
        self._say_made(request, len(images))
        return []

    def _say_made(self, request: HttpRequest, count: int) -> None:
        text = ngettext("The picture is being made.", "%(count)d pictures are being made.", count)
        messages.success(request, text % {"count": count})

    def _confirm_page(
        self,
        request: HttpRequest,
        kept: frozen.FrozenList,
        plan: actionplans.Plan,
        settings: conf.AppSettings,
        problems: list[str],
    ) -> HttpResponse:
        price = total(plan.prices, settings)
        amount = sum((one.amount for one in plan.prices), Decimal(0))
        short = limits.shortage(limits.allowances(who(request)), amount)
        text = ngettext(
            "Make %(count)d picture · %(total)s", "Make %(count)d pictures · %(total)s", plan.count
        )
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/ideogram_django/confirm_pictures.html",
            {
                **self.admin_site.each_context(request),
                "title": TITLES[kept.action],
                "opts": self.opts,
                "plan": plan,
                "rows": [
                    {
                        "image": image,
                        "model": wording.model_label(
                            requests[0]["model"] if requests else image.model
                        ),
                        "count": max(len(requests), 1),
                        "price": wording.money(one.amount * max(len(requests), 1), one.currency)
                        if one
                        else gettext("free"),
                    }
                    for image, requests, one in plan.rows[:SHOWN]
                ],
                "more": max(len(plan.rows) - SHOWN, 0),
                "skipped": plan.skipped[:SHOWN],
                "total": price,
                "button": text % {"count": plan.count, "total": price}
                if plan.prices
                else ngettext(
                    "Fetch %(count)d file again · free",
                    "Fetch %(count)d files again · free",
                    plan.count,
                )
                % {"count": plan.count},
                "problems": problems or (short.messages if short else []),
                "new_pictures": kept.action in ("balanced", "quality"),
                "allowances": standing(request.user),
                "spending_enabled": settings.SPENDING_ENABLED,
                "back_url": self.admin_url("changelist"),
                "media": self.media,
            },
        )
