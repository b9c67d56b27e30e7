"""The contact sheet: the pictures of one request together, to choose from and to go on with."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Case, Q, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle
from ideogram_django.admin.base import may_generate, who
from ideogram_django.admin.contents import Contents
from ideogram_django.admin.limits import obstacles, standing
from ideogram_django.admin.offers import check_prices, price_list
from ideogram_django.admin.spends import attempts_of, make_saved, may_help, try_again
from ideogram_django.admin.steps import SPENDING, PictureSteps, log_step
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

PER_PAGE = 24


class ContactSheet(PictureSteps):
    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        return [
            path(
                "sheet/<uuid:batch>/",
                self.admin_site.admin_view(self.sheet_view),
                name="ideogram_django_generatedimage_sheet",
            ),
            *super().get_urls(),
        ]

    def sheet_view(self, request: HttpRequest, batch: uuid.UUID) -> HttpResponse:
        """GET shows the pictures of one request; POST takes one step and comes back.

        The same ``request_id`` never pays twice, however often the form is sent.
        """
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        contents = Contents(
            self.get_queryset(request), batch, page=_number(request.GET.get("page")), size=PER_PAGE
        )
        if not contents.images:
            raise Http404
        problem = ""
        if request.method == "POST":
            step, _colon, argument = request.POST.get("step", "").partition(":")
            try:
                return HttpResponseRedirect(self._go_on(request, contents, step, argument))
            except ValidationError as error:
                # Nothing was made. The page comes again with the sentence beside the buttons.
                problem = " ".join(error.messages)
        return self._sheet_page(request, contents, problem)

    # --- one step -------------------------------------------------------------------------------

    def _go_on(self, request: HttpRequest, contents: Contents, step: str, argument: str) -> str:
        """Where to go after the step; ``ValidationError`` where it could not be taken."""
        if step in SPENDING:
            check_prices(request.POST)
        if step in ("retry", "generate"):
            return self._all_of_them(request, contents, step)
        key, _colon, model_id = (argument or request.POST.get("picture", "")).partition(":")
        if not key:
            raise ValidationError(_("Choose a picture first."))
        image = contents.find(key)
        if image is None or step not in ("pick", "unpick", "again", "variations"):
            raise Http404
        self._check_step(request, image, step)
        if step == "pick":
            return self._pick(request, contents, image)
        if step == "unpick":
            return self._take_back(request, contents, image)
        made = self._make_more(request, image, step, model_id)
        if step == "variations":
            return self.where_to_see(request, made)
        return self.sheet_url(contents, chosen=image.pk)

    def _pick(self, request: HttpRequest, contents: Contents, image: GeneratedImage) -> str:
        """Mark this one and no other of those that it competes with."""
        if not image.file:
            raise ValidationError(_("Only a finished picture can be picked."))
        rivals = contents.rivals(image)
        before = list(rivals.filter(picked=True).values_list("pk", flat=True))
        undo = request.POST.get("undo", "")
        if before != [image.pk]:
            # One statement: nobody sees two picked, or none. Not save(): a drain may be writing.
            rivals.filter(Q(pk=image.pk) | Q(picked=True)).update(picked=_only([image.pk]))
            undo = f"{image.pk}:{','.join(map(str, before))}"
            log_step(request, [image], "pick")
        number = contents.number(image)
        messages.success(request, gettext("Picture %(number)d is picked.") % {"number": number})
        return self.sheet_url(contents, chosen=image.pk, undo=undo)

    def _take_back(self, request: HttpRequest, contents: Contents, image: GeneratedImage) -> str:
        """Undo the last pick: what was picked before it is picked again."""
        rivals = contents.rivals(image)
        picked = list(rivals.filter(picked=True).values_list("pk", flat=True))
        if picked != [image.pk]:
            messages.info(request, gettext("The pick was changed meanwhile; look again."))
            return self.sheet_url(contents, chosen=image.pk)
        subject, _colon, keys = request.POST.get("undo", "").partition(":")
        before = [int(key) for key in keys.split(",") if _is_number(key)][:PER_PAGE]
        if subject != str(image.pk):  # an undo that is about another pick
            before = []
        restored = rivals.filter(pk__in=before).exclude(file="")
        back = list(restored.values_list("pk", flat=True))
        rivals.filter(Q(pk=image.pk) | Q(pk__in=back)).update(picked=_only(back))
        log_step(request, [image], "unpick")
        number = contents.number(image)
        messages.success(
            request, gettext("Picture %(number)d is no longer picked.") % {"number": number}
        )
        return self.sheet_url(contents, chosen=image.pk)

    def _all_of_them(self, request: HttpRequest, contents: Contents, step: str) -> str:
        """Try the failed ones again, or start the saved ones: those that the page has shown."""
        if not may_generate(request):
            raise PermissionDenied
        shown = request.POST.get("failed" if step == "retry" else "saved", "").split()
        settings = conf.current()
        if step == "retry":
            images = [one for one in contents.images if may_help(one, settings)]
        else:
            images = [one for one in contents.images if one.status == Status.DRAFT]
        images = [one for one in images if attempts_of([one])[0] in shown]
        if not images:  # sent twice, or somebody else was quicker
            messages.info(request, gettext("These pictures are being made already."))
            return self.sheet_url(contents)
        if step == "retry":
            with transaction.atomic():
                for image in images:
                    image.retry(requested_by=who(request))
        else:
            lifecycle.start_many(images, requested_by=who(request))
        log_step(request, images, step)
        text = ngettext(
            "The picture is being made.", "%(count)d pictures are being made.", len(images)
        )
        messages.success(request, text % {"count": len(images)})
        return self.sheet_url(contents)

    # --- the page -------------------------------------------------------------------------------

    def sheet_url(
        self, contents: Contents, *, chosen: int | None = None, undo: str = "", page: int = 0
    ) -> str:
        """The address of this page of the sheet; ``undo`` is what "Take back" would restore."""
        page = page or contents.page
        query: dict[str, Any] = {"page": page} if page > 1 else {}
        if chosen:
            query["chosen"] = chosen
        if undo:
            query["undo"] = undo
        url = self.admin_url("sheet", contents.batch)
        return f"{url}?{urlencode(query)}" if query else url

    def _sheet_page(self, request: HttpRequest, contents: Contents, problem: str) -> HttpResponse:
        settings = conf.current()
        may_spend = may_generate(request)
        posted = request.POST.get("step", "").split(":")[1:2] or [request.POST.get("picture", "")]
        chosen = contents.chosen(posted[0] or request.GET.get("chosen", ""))
        may_pick = self.has_change_permission(request)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": _("Contact sheet"),
            "opts": self.opts,
            "media": self.media + forms.Media(css={"all": ["ideogram_django/sheet.css"]}),
            "sheet": contents,
            "summary": contents.summary(),
            "chosen": chosen,
            "cards": contents.cards(
                chosen=chosen, user=request.user, may_spend=may_spend, settings=settings
            ),
            "shape": contents.shape(),
            "tall": contents.shape()[1] > 1.2 * contents.shape()[0],
            "finals": contents.finals(self.admin_url),
            "others": contents.others(self.admin_url),
            "source": contents.source(self.admin_url),
            "failed": try_again(contents.images, settings) if may_spend else None,
            "saved": make_saved(contents.images, settings) if may_spend else None,
            "days_kept": None if settings.RETENTION is None else max(round(settings.RETENTION), 1),
            "may_pick": may_pick,
            "may_spend": may_spend and settings.SPENDING_ENABLED,
            "may_make": self.has_add_permission(request),
            "allowances": standing(request.user) if may_spend else [],
            "obstacles": obstacles(request),
            "problem": problem,
            "request_id": uuid.uuid4(),
            "prices": price_list(settings),
            "undo": request.POST.get("undo") or request.GET.get("undo", ""),
            "here": self.sheet_url(contents),
            "previous": self.sheet_url(contents, page=contents.page - 1)
            if contents.page > 1
            else "",
            "next": self.sheet_url(contents, page=contents.page + 1)
            if contents.page < contents.pages
            else "",
        }
        return TemplateResponse(request, "admin/ideogram_django/generatedimage/sheet.html", context)


def _only(keys: Iterable[int]) -> Case:
    return Case(When(pk__in=list(keys), then=Value(True)), default=Value(False))


def _number(text: str | None) -> int:
    return min(max(int(text), 1), 1_000_000) if text and _is_number(text) else 1


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
