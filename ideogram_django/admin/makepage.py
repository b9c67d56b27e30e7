"""The add page, and the same page for a draft that is still being thought about."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.admin.exceptions import DisallowedModelAdminToField
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, lifecycle
from ideogram_django.admin import repeats
from ideogram_django.admin.base import PictureAdmin, may_generate, who
from ideogram_django.admin.limits import standing
from ideogram_django.admin.making import MakeForm, initial_of
from ideogram_django.admin.offers import check_prices, price_list
from ideogram_django.admin.refusals import Refusal
from ideogram_django.forms.access import viewable
from ideogram_django.lifecycle import wishes
from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.statuses import Status

SOURCE_MODEL_VAR = "_source_model"
"""Django 6's third hidden field of a popup; carried along where it is given."""


class MakePage(PictureAdmin):
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if object_id is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
            return self._make_page(request, None, extra_context)
        image = self.get_object(request, object_id)
        if image is not None and self.has_change_permission(request, image):
            if image.status == Status.DRAFT:
                return self._make_page(request, image, extra_context)
            if request.method == "POST" and "request_id" in request.POST:
                # The page of a draft, sent once more after the draft was started.
                messages.info(request, gettext("This picture is being made already."))
                return HttpResponseRedirect(request.get_full_path())
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """From the address; ``?like=<uuid>`` begins with the request of another picture."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        initial.pop("like", None)
        like = self._like(request)
        return {**initial_of(like), **initial} if like else initial

    def _like(self, request: HttpRequest) -> GeneratedImage | None:
        """The picture that the address asks to begin from, if this person may see it."""
        try:
            wanted = uuid.UUID(request.GET.get("like", ""))
        except ValueError:
            return None
        image = self.get_queryset(request).filter(uuid=wanted, uploaded=False).first()
        return image if image and self.has_view_permission(request, image) else None

    def _usable(self, request: HttpRequest) -> GeneratedImageQuerySet:
        """The pictures that this person may use as references."""
        if self.has_view_or_change_permission(request):
            return GeneratedImage.objects.filter(pk__in=self.get_queryset(request).values("pk"))
        return viewable(request.user)

    def _make_page(
        self, request: HttpRequest, draft: GeneratedImage | None, extra_context: Any
    ) -> HttpResponse:
        popup = IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST
        to_field = request.POST.get(TO_FIELD_VAR) or request.GET.get(TO_FIELD_VAR)
        if to_field and not self.to_field_allowed(request, to_field):
            raise DisallowedModelAdminToField(f"The field {to_field} cannot be referenced.")
        kwargs: dict[str, Any] = {
            "pictures": self._usable(request),
            "may_upload": self.has_add_permission(request),
            "single": popup or draft is not None,
            "keep_model": draft.model if draft else "",
        }
        initial = initial_of(draft) if draft else self.get_changeform_initial_data(request)
        refusal = None
        if request.method == "POST":
            make = "_make" in request.POST
            if make and not may_generate(request):
                raise PermissionDenied
            form = MakeForm(request.POST, request.FILES, initial=initial, **kwargs)
            valid = form.is_valid()
            for image in form.keep_uploads(who(request)):
                self.log_addition(request, image, [{"added": {}}])
            if "_profile" in request.POST and "profile" in form.fields:
                form.show_profile()
            elif valid and make and form.is_unseen:
                self._show_price_first(form)
            elif valid:
                try:
                    response = self._submitted(request, form, draft, make=make)
                except ValidationError as error:
                    refusal = Refusal(error, form, request.user)
                else:
                    if response is not None:
                        return response
        else:
            # An id out of an address would let somebody else's link decide what is paid for.
            initial.pop("request_id", None)
            form = MakeForm(initial=initial, **kwargs)
        return self._render_make_page(request, form, draft, popup, refusal, extra_context)

    def _submitted(
        self, request: HttpRequest, form: MakeForm, draft: GeneratedImage | None, *, make: bool
    ) -> HttpResponse | None:
        """Save or start; None where the form has to be shown again.

        Raises ``ValidationError`` where the money or somebody's rights do not allow it.
        """
        images: list[GeneratedImage] | None
        if make:
            check_prices(request.POST)
        with transaction.atomic():
            if draft is not None:
                images = self._save_draft(request, form, draft, make=make)
            else:
                images = self._save_new(request, form, make=make)
        if images is None:
            return None
        if IS_POPUP_VAR in request.POST:
            return self.response_add(request, images[0])
        self._say(request, images, make=make)
        return HttpResponseRedirect(self.where_to_see(request, images))

    def _save_new(
        self, request: HttpRequest, form: MakeForm, *, make: bool
    ) -> list[GeneratedImage] | None:
        request_id = form.cleaned_data["request_id"]
        wanted = [{**form.options, "parent": self._like(request)}] * form.how_many
        earlier = list(
            GeneratedImage.objects.filter(request_id=request_id).order_by("request_number")
        )
        if earlier and not repeats.same(earlier, form):
            self._ask_again(form)
            return None
        # generate_many() and draft_many() give the earlier pictures for a request_id they know.
        verb = lifecycle.generate_many if make else lifecycle.draft_many
        images = verb(
            GeneratedImage.objects.all(), wanted, requested_by=who(request), request_id=request_id
        )
        drafts = [image for image in images if image.status == Status.DRAFT]
        if make and drafts:  # saved as drafts first, and then Back and "Make"
            lifecycle.start_many(drafts, requested_by=who(request))
        if not earlier:
            for image in images:
                self.log_addition(request, image, [{"added": {}}])
        return list(images)

    def _show_price_first(self, form: MakeForm) -> None:
        """The profile was chosen and "Make" was pressed, beside a price without the profile."""
        form.add_error(
            "profile",
            _(
                "The prompt profile is used now: look at what it fixes and at the price, and "
                "press the button again. Nothing was spent."
            ),
        )

    def _ask_again(self, form: MakeForm) -> None:
        """The browser's Back brought the form back, and its words were changed.

        The old ``request_id`` would lead to the old pictures, so a new one is put in.
        """
        form.fill_in({"request_id": str(uuid.uuid4())})
        form.add_error(
            None,
            _(
                "This form was sent before, with other words; those pictures are in the gallery. "
                "Press the button again to ask for these as well."
            ),
        )

    def _save_draft(
        self, request: HttpRequest, form: MakeForm, draft: GeneratedImage, *, make: bool
    ) -> list[GeneratedImage] | None:
        if self._changed_meanwhile(request, form, draft):
            return None
        lifecycle.edit_draft(draft, {"profile": "", "profile_version": None, **form.options})
        if form.changed_data:
            self.log_change(request, draft, [{"changed": {"fields": [str(_("request"))]}}])
        if make:
            draft.generate(requested_by=who(request))
        return [draft]

    def _changed_meanwhile(
        self, request: HttpRequest, form: MakeForm, draft: GeneratedImage
    ) -> bool:
        """Somebody else's words are not overwritten unseen: the form comes back and says them."""
        now = GeneratedImage.objects.select_for_update().get(pk=draft.pk)
        wanted = wishes.check(form.options).request
        sent_twice = repeats.state(wanted)
        if repeats.state(now) in (repeats.seen(request, now), sent_twice):
            return False
        form.seen = repeats.state(now)
        form.add_error(
            None,
            ValidationError(
                _(
                    "Somebody else changed this draft meanwhile: “%(theirs)s” Yours stands below; "
                    "press again to use it instead."
                ),
                code="changed_meanwhile",
                params={"theirs": now.prompt},
            ),
        )
        return True

    def _say(self, request: HttpRequest, images: list[GeneratedImage], *, make: bool) -> None:
        count = len(images)
        if not make:
            text = ngettext("Saved as a draft.", "Saved as %(count)d drafts.", count)
        else:
            text = ngettext(
                "The picture is being made. You may leave this page.",
                "%(count)d pictures are being made. You may leave this page.",
                count,
            )
        messages.success(request, text % {"count": count})

    def _render_make_page(
        self,
        request: HttpRequest,
        form: MakeForm,
        draft: GeneratedImage | None,
        popup: bool,
        refusal: Refusal | None,
        extra_context: Any,
    ) -> HttpResponse:
        settings = conf.current()
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": _("Edit draft") if draft else _("Make pictures"),
            "subtitle": str(draft) if draft else None,
            "opts": self.opts,
            "form": form,
            # Django's own template says "Error:" in the title where there are errors.
            "errors": form.errors or refusal,
            "problems": form.problems,
            "prices": price_list(settings),
            "refusal": refusal,
            "original": draft,
            "seen": (form.seen or repeats.seen(request, draft)) if draft else "",
            "add": draft is None,
            "change": draft is not None,
            "is_popup": popup,
            "popup_fields": [
                (name, value)
                for name in (IS_POPUP_VAR, TO_FIELD_VAR, SOURCE_MODEL_VAR)
                if (value := request.POST.get(name) or request.GET.get(name))
            ],
            "media": self.media + form.media,
            "may_generate": may_generate(request) and settings.SPENDING_ENABLED,
            "spending_enabled": settings.SPENDING_ENABLED,
            "allowances": standing(request.user),
            "has_view_permission": self.has_view_permission(request),
            "may_delete": draft is not None and self.has_delete_permission(request, draft),
            "preserved_filters": self.get_preserved_filters(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/ideogram_django/generatedimage/make.html", context)
