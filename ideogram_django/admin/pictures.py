"""The pictures' admin, put together: gallery, add page, picture page, actions."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin.actions import PictureActions
from ideogram_django.admin.base import may_generate
from ideogram_django.admin.gallery import Gallery
from ideogram_django.admin.makepage import MakePage
from ideogram_django.admin.sheet import ContactSheet
from ideogram_django.admin.steps import PictureSteps, next_steps
from ideogram_django.estimates import typical_seconds
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import IN_PROGRESS
from ideogram_django.wording import pause_message

EDITABLE = ("alt_text", "decorative")
ALWAYS = ("prompt", "model_shown")
OPTIONAL = (
    "style_shown",
    "aspect_ratio",
    "resolution",
    "negative_prompt",
    "magic_prompt_option",
    "rendering_speed",
    "seed",
    "style_preset",
    "reference_image",
    "references_shown",
)
FACTS = (
    "expected_shown",
    "cost_shown",
    "requested_by",
    "created_at",
    "submitted_at",
    "finished_at",
)
MORE_FACTS = ("uuid", "job_id", "format", "size")
FAMILY_SHOWN = 12


class GeneratedImageAdmin(PictureActions, ContactSheet, PictureSteps, MakePage, Gallery):
    """What editors work with. Subclass it to add columns, filters or actions of your own."""

    change_form_template = "admin/ideogram_django/generatedimage/change_form.html"

    # --- the picture page -----------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        blank = {"style_shown": obj.style_type, "references_shown": obj.style_reference_images}
        told = [n for n in OPTIONAL if blank.get(n, getattr(obj, n, None)) not in ("", None, [])]
        facts = [n for n in MORE_FACTS if getattr(obj, n) not in ("", None)]
        return [
            (_("On the page"), {"fields": EDITABLE}),
            (_("Request"), {"fields": [*ALWAYS, *told]}),
            (_("Money and time"), {"fields": FACTS}),
            (_("For support"), {"fields": facts, "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*ALWAYS, *OPTIONAL, *FACTS, *MORE_FACTS]

    @admin.display(description=_("Model"))
    def model_shown(self, image: GeneratedImage) -> str:
        return wording.model_label(image.model)

    @admin.display(description=_("Style"))
    def style_shown(self, image: GeneratedImage) -> str:
        return wording.style_label(image.style_type)

    @admin.display(description=_("Style references"))
    def references_shown(self, image: GeneratedImage) -> str:
        return "\n".join(image.style_reference_images)

    @admin.display(description=_("Expected price"))
    def expected_shown(self, image: GeneratedImage) -> str:
        return wording.money(image.price, image.currency) or self.get_empty_value_display()

    @admin.display(description=_("Charged"))
    def cost_shown(self, image: GeneratedImage) -> str:
        return wording.money(image.cost, image.currency) or self.get_empty_value_display()

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
            may_change = self.has_change_permission(request, obj)
            width, height = wording.shape_of(obj)
            context |= {
                "title": _("Picture"),
                "image": obj,
                "sentence": wording.sentence(
                    obj, typical=typical_seconds(), pause=pause_message([obj])
                ),
                "shape": {"width": width, "height": height},
                "steps": next_steps(
                    obj,
                    may_spend=may_generate(request),
                    may_change=may_change,
                    settings=conf.current(),
                ),
                "step_url": self.admin_url("step", obj.pk),
                "request_id": uuid.uuid4(),
                "may_pick": may_change,
                "may_make": self.has_add_permission(request),
                "relatives": self._family(request, obj),
                "status_root": True,
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _family(self, request: HttpRequest, image: GeneratedImage) -> list[dict[str, Any]]:
        pictures = self.get_queryset(request)
        groups: list[tuple[Any, Q | None]] = [
            (_("Made from"), Q(pk=image.parent_id) if image.parent_id else None),
            (_("Made from this one"), Q(parent_id=image.pk)),
            (_("From the same request"), Q(batch=image.batch) if image.batch else None),
        ]
        found = []
        for title, which in groups:
            if which is None:
                continue
            rows = list(pictures.filter(which).exclude(pk=image.pk).order_by("pk")[:FAMILY_SHOWN])
            if rows:
                found.append({"title": title, "images": rows})
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
