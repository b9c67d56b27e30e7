"""What the buttons of the picture page do."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ideogram_django import wording
from ideogram_django.admin.base import PictureAdmin, may_generate, next_url, tell, who
from ideogram_django.admin.limits import standing
from ideogram_django.admin.nextsteps import VARIATIONS
from ideogram_django.admin.offers import check_prices, offers, price_list, request_of
from ideogram_django.budget import limits
from ideogram_django.models import GeneratedImage

HISTORY = {
    "generate": _("Started."),
    "retry": _("Tried again."),
    "anew": _("Made again."),
    "cancel": _("Cancelled."),
    "refresh": _("Asked the provider again."),
    "pick": _("Picked."),
    "unpick": _("No longer picked."),
    "variations": _("Asked for more like this."),
    "again": _("Asked for the same on another model."),
}
"""What the admin's own history says of each step."""


SPENDING = ("generate", "retry", "anew", "variations", "again")


class PictureSteps(PictureAdmin):
    class Media:
        css = {"all": ["ideogram_django/picture.css"]}

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        return [
            path(
                "<int:pk>/step/",
                self.admin_site.admin_view(self.step_view),
                name="ideogram_django_generatedimage_step",
            ),
            *super().get_urls(),
        ]

    def step_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Do one step and go back. POST only; the same ``request_id`` never pays twice."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        image = self.get_object(request, str(pk))
        if image is None:
            raise Http404
        step, _colon, model_id = request.POST.get("step", "").partition(":")
        self._check_step(request, image, step)
        try:
            if step in SPENDING:
                check_prices(request.POST)
            made = self._take_step(request, image, step, model_id)
        except ValidationError as error:
            if getattr(error, "code", "") == "confirm_charge":
                return self._confirm_retry(request, image, step)
            tell(request, error)
            made = []
        return HttpResponseRedirect(self._back(request, made or [image]))

    def _check_step(self, request: HttpRequest, image: GeneratedImage, step: str) -> None:
        change = self.has_change_permission(request, image)
        sees = self.has_view_or_change_permission(request, image)
        spends = may_generate(request) and sees
        allowed = {
            "generate": spends,
            "retry": spends,
            "anew": spends,
            "variations": spends,
            "again": spends,
            "cancel": change or spends,
            "refresh": change or spends,
            "pick": change,
            "unpick": change,
        }
        if step not in allowed:
            raise Http404
        if not allowed[step]:
            raise PermissionDenied

    def _take_step(
        self, request: HttpRequest, image: GeneratedImage, step: str, model_id: str
    ) -> Sequence[GeneratedImage]:
        """The new pictures, if the step makes any."""
        if step in ("variations", "again"):
            return self._make_more(request, image, step, model_id)
        if step in ("pick", "unpick"):
            # Not save(): a drain may be writing this row's other columns.
            GeneratedImage.objects.filter(pk=image.pk).update(picked=step == "pick")
            told = _("Picked.") if step == "pick" else _("No longer picked.")
        elif step == "generate":
            image.generate(requested_by=who(request))
            told = _("It is being made. You may leave this page.")
        elif step == "cancel":
            image.cancel()
            told = _("Cancelled. Nothing was charged.")
        elif step == "refresh":
            image.refresh()
            told = _("The provider is being asked again.")
        else:
            self._try_again(request, image, step)
            told = _("The picture is being tried again.")
        messages.success(request, told)
        log_step(request, [image], step)
        return []

    def _try_again(self, request: HttpRequest, image: GeneratedImage, step: str) -> None:
        if request.POST.get("attempt", "") != str(image.attempt):
            raise ValidationError(_("This picture was tried again meanwhile."), code="not_failed")
        advice = wording.advice(image)
        if advice is not None and not advice.again:
            raise ValidationError(advice.hint, code="hopeless")
        confirmed = "confirm" in request.POST
        if step == "anew" and not confirmed:
            # Asked of the model, this would fetch the file once more, free.
            raise ValidationError("", code="confirm_charge")
        image.retry(confirm_charge=confirmed, requested_by=who(request))

    def _make_more(
        self, request: HttpRequest, image: GeneratedImage, step: str, model_id: str
    ) -> list[GeneratedImage]:
        try:
            page = uuid.UUID(request.POST.get("request_id", ""))
        except ValueError:
            raise ValidationError(
                _("Load the page again and press the button once more.")
            ) from None
        # One id per page and button: two buttons of one page are two requests.
        request_id = uuid.uuid5(page, f"{image.uuid}/{step}/{model_id}")
        count = VARIATIONS if step == "variations" else 1
        wanted = request_of(image, model_id, with_seed=step != "variations")
        before = GeneratedImage.objects.filter(request_id=request_id).exists()
        made = GeneratedImage.objects.generate_many(
            [wanted] * count, requested_by=who(request), request_id=request_id
        )
        if not before:
            log_step(request, [image], step)
            log_made(request, made)
        text = ngettext(
            "A new picture is being made.", "%(count)d new pictures are being made.", count
        )
        messages.success(request, text % {"count": count})
        return made

    def _confirm_retry(
        self, request: HttpRequest, image: GeneratedImage, step: str
    ) -> HttpResponse:
        offer = next((o for o in offers() if o.model.id == image.model), None)
        price = offer.price(image.rendering_speed) if offer else None
        short = limits.shortage(limits.allowances(who(request)), price.amount) if price else None
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/ideogram_django/confirm_retry.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Make this picture again?"),
                "opts": self.opts,
                "image": image,
                "charged": wording.charged(image),
                "step": step,
                "price": offer.total(1, image.rendering_speed) if offer else "",
                "prices": price_list(),
                "shortage": short.messages if short else [],
                "allowances": standing(request.user),
                "back_url": self._back(request, [image]),
                "next": request.POST.get("next", ""),
                "is_popup": IS_POPUP_VAR in request.POST,
                "is_popup_var": IS_POPUP_VAR,
                "media": self.media,
            },
        )

    def _back(self, request: HttpRequest, images: Sequence[GeneratedImage]) -> str:
        return next_url(request, self.where_to_see(request, images))


def log_step(request: HttpRequest, images: Sequence[GeneratedImage], step: str) -> None:
    """One line per picture in the admin's own history, in words."""
    _log(request, images, CHANGE, str(HISTORY[step]))


def log_made(request: HttpRequest, images: Sequence[GeneratedImage]) -> None:
    """New pictures, as Django itself notes what was added."""
    _log(request, images, ADDITION, [{"added": {}}])


def _log(request: HttpRequest, images: Sequence[GeneratedImage], flag: int, message: Any) -> None:
    if images:
        LogEntry.objects.log_actions(
            user_id=who(request).pk, queryset=images, action_flag=flag, change_message=message
        )
