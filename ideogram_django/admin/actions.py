"""The gallery's actions. Each confirms on a page that states number and total price."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from ideogram_django.admin import frozen
from ideogram_django.admin.base import PictureAdmin, may_generate, who
from ideogram_django.admin.limits import standing
from ideogram_django.admin.nextsteps import VARIATIONS
from ideogram_django.admin.offers import better, offers, request_of, total
from ideogram_django.admin.steps import log_made, log_step
from ideogram_django.budget import ledger, limits
from ideogram_django.lifecycle.steering import fetched_free, may_cost_again, waits_for_refund
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

SHOWN = 60
"""Pictures that a confirm page shows one by one."""

TITLES = {
    "generate": _("Make the selected drafts?"),
    "retry": _("Try the selected pictures again?"),
    "variations": _("Make more like the selected pictures?"),
    "balanced": _("Finish the selected pictures on Balanced?"),
    "quality": _("Finish the selected pictures on Quality?"),
}


@dataclass(slots=True)
class Plan:
    """What an action would do now, worked out afresh for each look and for the deed."""

    action: str
    rows: list[tuple[GeneratedImage, list[dict[str, Any]], ledger.Price | None]] = field(
        default_factory=list
    )
    """Pictures with the requests that would be made from them, and the price of each."""
    skipped: list[tuple[GeneratedImage, str]] = field(default_factory=list)
    charged_before: int = 0

    @property
    def count(self) -> int:
        return sum(max(len(requests), 1) for _image, requests, _price in self.rows)

    @property
    def prices(self) -> list[ledger.Price]:
        return [
            price
            for _image, requests, price in self.rows
            if price is not None
            for _one in range(max(len(requests), 1))
        ]

    @property
    def fingerprint(self) -> str:
        return frozen.fingerprint(
            [self.action]
            + [
                (image.pk, image.attempt, image.prompt, len(r), price)
                for image, r, price in self.rows
            ]
        )


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
        plan = self.plan(request, kept, settings)
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

    def plan(
        self, request: HttpRequest, kept: frozen.FrozenList, settings: conf.AppSettings
    ) -> Plan:
        """What of the list can still be done. Writes nothing."""
        attempts = dict(kept.rows)
        pictures = (
            self.get_queryset(request)
            .filter(pk__in=attempts)
            .select_related("charge", "requested_by")
        )
        plan = Plan(action=kept.action)
        available = {offer.model.id: offer for offer in offers(settings)}
        for image in pictures.order_by("pk"):
            reason, requests, model_id = _wish(image, kept.action, attempts[image.pk], settings)
            offer = available.get(model_id)
            price = offer.price(image.rendering_speed) if offer else None
            free = kept.action == "retry" and fetched_free(image)
            if not reason and price is None and not free:
                reason = gettext("Its model is no longer offered.")
            if reason:
                plan.skipped.append((image, reason))
                continue
            plan.rows.append((image, requests, None if free else price))
            if kept.action == "retry" and not free and may_cost_again(image):
                plan.charged_before += 1
        return plan

    def _carry_out(
        self, request: HttpRequest, kept: frozen.FrozenList, plan: Plan
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
        plan: Plan,
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


def _wish(
    image: GeneratedImage, action: str, attempt: int, settings: conf.AppSettings
) -> tuple[str, list[dict[str, Any]], str]:
    """Why not, or the requests to be made, and the model that decides the price."""
    if image.uploaded:
        return gettext("It was uploaded, not made."), [], ""
    if action == "generate":
        reason = "" if image.status == Status.DRAFT else gettext("It is not a draft.")
        return reason, [], image.model
    if action == "retry":
        return _why_not_again(image, attempt), [], image.model
    if action == "variations":
        return "", [request_of(image, with_seed=False)] * VARIATIONS, image.model
    targets: Mapping[str, str] = {
        offer.model.tier: offer.model.id for offer in better(image, settings)
    }
    model_id = targets.get(action, "")
    if not model_id:
        return gettext("It was made on this model."), [], ""
    return "", [request_of(image, model_id)], model_id


def _why_not_again(image: GeneratedImage, attempt: int) -> str:
    """Why this picture is left out when others are tried again; empty if it is not."""
    advice = wording.advice(image)
    if advice is None or image.attempt != attempt:
        return gettext("It did not fail, or is being tried again.")
    if not advice.again:
        return f"{image.error_message} {advice.hint}"
    if waits_for_refund(image):
        return wording.charged(image)
    return ""
