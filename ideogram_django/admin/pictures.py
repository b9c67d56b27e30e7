"""The pictures' admin, put together: gallery, add page, picture page, actions."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.admin.options import IS_POPUP_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from ideogram_django import wording
from ideogram_django.admin import facts
from ideogram_django.admin.actions import PictureActions
from ideogram_django.admin.alttext import EDITABLE, AltTextForm
from ideogram_django.admin.base import may_generate
from ideogram_django.admin.gallery import Gallery
from ideogram_django.admin.limits import standing
from ideogram_django.admin.makepage import MakePage
from ideogram_django.admin.nextsteps import next_steps
from ideogram_django.admin.offers import price_list
from ideogram_django.admin.sheet import ContactSheet
from ideogram_django.admin.steps import PictureSteps
from ideogram_django.estimates import typical_seconds
from ideogram_django.lifecycle.steering import waits_for_refund
from ideogram_django.models import GeneratedImage, ProviderState
from ideogram_django.statuses import IN_PROGRESS, Status
from ideogram_django.wording import pause_message

FAMILY_SHOWN = 12


class GeneratedImageAdmin(PictureActions, ContactSheet, PictureSteps, MakePage, Gallery):
    """What editors work with. Subclass it to add columns, filters or actions of your own."""

    form = AltTextForm
    change_form_template = "admin/ideogram_django/generatedimage/change_form.html"

    # --- the picture page -----------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What can be edited; everything else is told beside the picture."""
        if obj is None or (request.method == "GET" and _never_came(obj)):
            return []
        if self.has_change_permission(request, obj):
            return [(None, {"fields": [*EDITABLE, "alt_seen"]})]
        return [(None, {"fields": ["decorative" if obj.decorative else "alt_text"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Every column but the two: the rest is the drain's, or was sent as it stands."""
        return [
            field.name
            for field in self.opts.fields
            if field.editable and not field.primary_key and field.name not in EDITABLE
        ]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: GeneratedImage | None = None,
    ) -> Any:
        if obj is not None:
            context |= self._picture_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _picture_context(self, request: HttpRequest, image: GeneratedImage) -> dict[str, Any]:
        popup = IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST
        may_change = self.has_change_permission(request, image)
        may_make = self.has_add_permission(request)
        may_edit = may_make and image.is_finished and not image.uploaded
        width, height = wording.shape_of(image)
        pause = pause_message([image])
        advice = wording.advice(image)
        steps = next_steps(
            image,
            user=request.user,
            may_spend=may_generate(request),
            may_change=may_change,
            edit_url=self._add_url(popup, like=image.uuid) if may_edit else "",
        )
        return {
            "title": _("Picture"),
            "image": image,
            "shape": {"width": width, "height": height},
            "sentence": wording.sentence(image, typical=typical_seconds(), pause=pause),
            "provider_url": self._provider_url(request) if pause else "",
            "charged": wording.charged(image),
            "unsettled": image.status == Status.FAILED and waits_for_refund(image),
            "hint": advice.hint if advice is not None else "",
            "provider_words": facts.provider_words(image),
            "next": steps,
            "allowances": standing(request.user, steps.allowances),
            "reference_url": self._add_url(popup, reference_image=image.uuid)
            if may_make and image.file
            else "",
            "step_url": self.admin_url("step", image.pk),
            "here": request.get_full_path() if popup else "",
            "request_id": uuid.uuid4(),
            "prices": price_list(),
            "may_pick": may_change and bool(image.file),
            "request_facts": facts.request_facts(image),
            "money_facts": facts.money_facts(image),
            "support_facts": facts.support_facts(image),
            "family": self._family(request, image),
            "show_save": not _never_came(image),
            "show_save_and_continue": not _never_came(image),
            "show_save_and_add_another": False,
            "uses": list(facts.uses(image, request, self.admin_site)),
        }

    def _add_url(self, popup: bool, **initial: Any) -> str:
        if popup:
            initial[IS_POPUP_VAR] = 1
        return f"{self.admin_url('add')}?{urlencode(initial)}"

    def _provider_url(self, request: HttpRequest) -> str:
        """Where an administrator sees why nothing is sent; empty for everybody else."""
        state_admin = self.admin_site._registry.get(ProviderState)
        if state_admin is None or not state_admin.has_view_or_change_permission(request):
            return ""
        return reverse(
            "admin:ideogram_django_providerstate_change",
            args=[1],
            current_app=self.admin_site.name,
        )

    def _family(self, request: HttpRequest, image: GeneratedImage) -> list[dict[str, Any]]:
        """The picture's relatives, by kin: each with the first few, and whether there are more."""
        pictures = self.get_queryset(request)
        kin: list[tuple[str, Any, Q | None]] = [
            ("parent", _("Made from"), Q(pk=image.parent_id) if image.parent_id else None),
            ("batch", _("From the same request"), Q(batch=image.batch) if image.batch else None),
            ("children", _("Made from this one"), Q(parent_id=image.pk)),
            ("replaces", _("Replaces"), Q(pk=image.replaces_id) if image.replaces_id else None),
            ("replaced", _("Replaced by"), Q(replaces_id=image.pk)),
        ]
        found = []
        for name, title, which in kin:
            if which is None:
                continue
            others = pictures.filter(which).exclude(pk=image.pk)
            rows = list(others.order_by("pk")[: FAMILY_SHOWN + 1])
            if rows:
                more = len(rows) > FAMILY_SHOWN
                images = rows[:FAMILY_SHOWN]
                found.append({"name": name, "title": title, "images": images, "more": more})
        return found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Only the columns that were edited: a drain may be writing the others right now."""
        changed = [name for name in form.changed_data if name in EDITABLE]
        if changed:
            obj.save(update_fields=changed)

    # --- deleting -------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never for a picture in progress: it would be paid for and lost."""
        in_progress = isinstance(obj, GeneratedImage) and obj.is_in_progress
        return not in_progress and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        busy = [image for image in objs if image.is_in_progress]
        kept = [_("%(picture)s: it is being made") % {"picture": image} for image in busy]
        if busy:
            # Said as "protected", in the admin's own words, rather than as a missing permission.
            perms_needed = perms_needed - {self.opts.verbose_name}
        return to_delete, counts, perms_needed, [*protected, *kept]

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[GeneratedImage]) -> None:
        # Between the question and the answer one of them may have been started.
        super().delete_queryset(request, queryset.exclude(status__in=IN_PROGRESS))


def _never_came(image: GeneratedImage) -> bool:
    """Nobody is asked what can be seen on it. What was typed before it failed is still taken."""
    return image.status in (Status.FAILED, Status.CANCELLED)
