"""The buttons of the picture page: what can be done next, what it costs, and doing it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
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
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.admin.base import PictureAdmin, may_generate, tell, who
from ideogram_django.admin.limits import standing
from ideogram_django.admin.offers import Offer, better, offers, request_of
from ideogram_django.lifecycle.steering import fetched_free, may_cost_again
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import ErrorCode, Status

VARIATIONS = 4
SPENDING = ("generate", "retry", "variations", "again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One button. ``name`` is what it posts."""

    name: str
    label: str
    help: str = ""
    main: bool = False


def next_steps(
    image: GeneratedImage, *, may_spend: bool, may_change: bool, settings: conf.AppSettings
) -> list[Step]:
    """What this person can do with this picture now, the likeliest first."""
    found: list[Step] = []
    if image.uploaded:
        return found
    own = next((o for o in offers(settings) if o.model.id == image.model), None)
    if image.status in (Status.FAILED, Status.CANCELLED) and (may_spend or fetched_free(image)):
        found += _retry(image, own)
    if image.status == Status.PENDING and (may_change or may_spend):
        found.append(Step(name="cancel", label=gettext("Cancel"), help=gettext("Costs nothing.")))
    asks = image.status in (Status.SUBMITTED, Status.PROCESSING, Status.SUBMITTING) or (
        image.status == Status.FAILED and image.job_id is not None
    )
    if asks and (may_change or may_spend):
        found.append(
            Step(name="refresh", label=gettext("Check again"), help=gettext("Costs nothing."))
        )
    if may_spend and image.status == Status.COMPLETED:
        found += [_again(offer, image) for offer in better(image, settings)]
        if found:  # said once, after the last of them
            words = gettext(
                "A better model makes a new picture, not the same one with more detail."
            )
            found[-1] = replace(found[-1], help=words)
        if own is not None:
            total = own.total(VARIATIONS, image.rendering_speed)
            found.append(
                Step(
                    name="variations",
                    label=ngettext(
                        "Make %(count)d variation · %(total)s",
                        "Make %(count)d variations · %(total)s",
                        VARIATIONS,
                    )
                    % {"count": VARIATIONS, "total": total},
                    help=gettext("The same request with other chances."),
                )
            )
    return found


def _retry(image: GeneratedImage, own: Offer | None) -> list[Step]:
    if fetched_free(image):
        return [
            Step(
                name="retry",
                label=gettext("Try again · free"),
                help=gettext("The picture is paid for; only its file is fetched again."),
                main=True,
            )
        ]
    if own is None:
        return []
    gaps = {"total": own.total(1, image.rendering_speed)}
    text = (
        gettext("Try again… · %(total)s more")
        if may_cost_again(image)
        else gettext("Try again · %(total)s")
    )
    if image.error_code in (ErrorCode.REFUSED, ErrorCode.REJECTED):
        help = gettext("The same words will hardly be accepted.")
        return [Step(name="retry", label=text % gaps, help=help)]
    return [Step(name="retry", label=text % gaps, main=True)]


def _again(offer: Offer, image: GeneratedImage) -> Step:
    return Step(
        name=f"again:{offer.model.id}",
        label=gettext("Make again on %(tier)s · %(total)s")
        % {"tier": offer.tier, "total": offer.total(1, image.rendering_speed)},
        main=True,
    )


class PictureSteps(PictureAdmin):
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
            made = self._take_step(request, image, step, model_id)
        except ValidationError as error:
            if getattr(error, "code", "") == "confirm_charge":
                return self._confirm_retry(request, image, error)
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
            if request.POST.get("attempt", "") != str(image.attempt):
                raise ValidationError(
                    _("This picture was tried again meanwhile."), code="not_failed"
                )
            image.retry(confirm_charge="confirm" in request.POST, requested_by=who(request))
            told = _("The picture is being tried again.")
        messages.success(request, told)
        log_step(request, [image], step)
        return []

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
        made = GeneratedImage.objects.generate_many(
            [wanted] * count, requested_by=who(request), request_id=request_id
        )
        text = ngettext(
            "A new picture is being made.", "%(count)d new pictures are being made.", count
        )
        messages.success(request, text % {"count": count})
        return made

    def _confirm_retry(
        self, request: HttpRequest, image: GeneratedImage, error: ValidationError
    ) -> HttpResponse:
        offer = next((o for o in offers() if o.model.id == image.model), None)
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/ideogram_django/confirm_retry.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Try again?"),
                "opts": self.opts,
                "image": image,
                "sentence": " ".join(error.messages),
                "price": offer.total(1, image.rendering_speed) if offer else "",
                "allowances": standing(request.user),
                "back_url": self.admin_url("change", image.pk),
                "media": self.media,
            },
        )

    def _back(self, request: HttpRequest, images: Sequence[GeneratedImage]) -> str:
        wanted = request.POST.get("next", "")
        if wanted and url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        ):
            return wanted
        return self.where_to_see(request, images)


def log_step(request: HttpRequest, images: Sequence[GeneratedImage], step: str) -> None:
    """One line per picture in the admin's own history."""
    if images:
        LogEntry.objects.log_actions(
            user_id=who(request).pk, queryset=images, action_flag=CHANGE, change_message=step
        )
