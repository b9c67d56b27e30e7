"""``GenerateImagesMixin``: the action "Generate images for selected …" for any ``ModelAdmin``."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.admin import frozen
from ideogram_django.admin.base import STYLESHEETS, may_generate, tell, who
from ideogram_django.admin.fields import GeneratedImageFieldMixin
from ideogram_django.admin.limits import standing
from ideogram_django.admin.offers import total
from ideogram_django.admin.records import (
    DEFAULT_PROMPT,
    RecordPlan,
    RecordRow,
    image_field,
    prepare_for,
)
from ideogram_django.budget import limits
from ideogram_django.forms.plans import Plan
from ideogram_django.models import Run
from ideogram_django.profiles.applying import Profiles
from ideogram_django.runs import feeding

ACTION = "generate_images"
SHOWN = 100
STYLES = [*STYLESHEETS, "ideogram_django/picture.css"]


class GenerateImagesMixin(GeneratedImageFieldMixin):
    """Put it before ``ModelAdmin`` in the bases of your admin.

    Its ``GeneratedImageField`` then offers to have pictures made, and its changelist an action.

    The person needs your model's change permission, for each record, and
    ``ideogram_django.generate_generatedimage``. Only records of your ``get_queryset()`` count.
    """

    generate_images_field: ClassVar[str] = ""
    """Name of the field to fill; by default the only one that can hold a picture."""
    generate_images_prompt: ClassVar[str | Callable[[Any], str]] = ""
    """``"{title|truncatewords:8}, editorial illustration"``: gaps are columns, over foreign keys
    with dots, with some of Django's text filters. Or a function that takes the record. By default
    the field's own template, else the profile's."""
    generate_images_profile: ClassVar[str] = ""
    """Name of a prompt profile. What it fixes wins over the field's defaults."""
    generate_images_approve: ClassVar[bool] = True
    """Whether somebody approves each picture before its record gets it."""
    generate_images_options: ClassVar[Mapping[str, Any]] = {}
    """``model``, ``aspect_ratio`` and the other parameters; over the field's own defaults."""

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        urls: list[Any] = [
            path(
                "generate-images/<uuid:list_id>/",
                self.admin_site.admin_view(self.generate_images_view),
                name=self._generate_images_name(),
            )
        ]
        return urls + list(super().get_urls())

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        """The host's own actions and ours. Newer Djangos ask per place; ours is for the list."""
        place = {} if action_location is None else {"action_location": action_location}
        actions = super().get_actions(request, **place)
        on_list = action_location is None or action_location.value == "CHANGE_LIST"
        if on_list and "_popup" not in request.GET and self.has_generate_images_permission(request):
            found = self.get_action(ACTION)
            if found is not None:
                actions = {**actions, ACTION: found}
        return actions

    def has_generate_images_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_generate(request) and self.has_change_permission(request, obj)

    @admin.action(description=_("Generate images for selected %(verbose_name_plural)s…"))
    def generate_images(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if not self.has_generate_images_permission(request):
            raise PermissionDenied
        keys = [
            [str(pk)]
            for pk in queryset.order_by("pk").values_list("pk", flat=True)[: frozen.MOST + 1]
        ]
        if len(keys) > frozen.MOST:
            text = gettext("Select at most %(most)d records; nothing was done.")
            messages.error(request, text % {"most": frozen.MOST})
            return None
        kept = frozen.freeze(request, owner=self.opts.label_lower, action=ACTION, rows=keys)
        return HttpResponseRedirect(self._generate_images_url(kept.id))

    def generate_images_view(self, request: HttpRequest, list_id: uuid.UUID) -> HttpResponse:
        """GET shows every prompt and the price; POST makes a run of it and starts it, once."""
        if not self.has_generate_images_permission(request):
            raise PermissionDenied
        back = reverse(
            f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist",
            current_app=self.admin_site.name,
        )
        kept = frozen.thaw(request, list_id, owner=self.opts.label_lower)
        if kept is None or kept.action != ACTION:
            messages.warning(request, gettext("This list is gone. Select the records again."))
            return HttpResponseRedirect(back)
        if kept.done:
            messages.info(request, gettext("This was done already, and only once."))
            return HttpResponseRedirect(kept.done)
        settings = conf.current()
        plan = self._generate_images_plan(request, kept, settings)
        which = request.POST.get("which", "")
        if request.method == "POST" and which in ("all", "empty", "limit"):
            if request.POST.get("fingerprint") != plan.fingerprint:
                messages.warning(
                    request, gettext("Something changed meanwhile. Look again before you confirm.")
                )
            elif (run := self._generate_images_now(request, kept, plan, which)) is not None:
                url = self._generate_images_run_url(run) or back
                frozen.finish(request, kept, url)
                return HttpResponseRedirect(url)
        return self._generate_images_page(request, plan, settings, back)

    # --- parts ----------------------------------------------------------------------------------

    def _generate_images_plan(
        self, request: HttpRequest, kept: frozen.FrozenList, settings: conf.AppSettings
    ) -> RecordPlan:
        field = image_field(self.model, self.generate_images_field)
        defaults = dict(getattr(field, "request_defaults", {}))
        if self.generate_images_profile:
            defaults["profile"] = self.generate_images_profile
        # What is wrong with the profile is told on each row.
        plan = Plan.of(defaults, Profiles())
        keys = [key for (key,) in kept.rows]
        records = self.get_queryset(request).filter(pk__in=keys).order_by("pk")
        if isinstance(field, models.ForeignKey):
            records = records.select_related(field.name)
        return RecordPlan.of(
            [one for one in records if self.has_change_permission(request, one)],
            field,
            prompt=self._prompt_maker(plan.template or DEFAULT_PROMPT),
            options={**plan.options, **self.generate_images_options},
            settings=settings,
        )

    def _prompt_maker(self, template: str) -> str | Callable[[Any], str]:
        given: Any = self.generate_images_prompt
        plain = inspect.getattr_static(self, "generate_images_prompt")
        if inspect.isfunction(plain) and len(inspect.signature(plain).parameters) == 1:
            given = plain  # a function of the record, set as an attribute, and not a method
        if given and not isinstance(given, str) and not callable(given):
            raise ImproperlyConfigured("generate_images_prompt must be a template or a function.")
        return given or template

    def _generate_images_now(
        self, request: HttpRequest, kept: frozen.FrozenList, plan: RecordPlan, which: str
    ) -> Run | None:
        """Start a run. ``which``: all, those without a picture, or as far as the limit goes."""
        rows = plan.empty if which == "empty" else plan.good
        if not rows:
            return None
        person = who(request)
        total = sum((row.price.amount for row in rows if row.price), Decimal(0))
        try:
            short = limits.shortage(limits.allowances(person), total)
            if which != "limit" and short is not None:
                raise short
            with transaction.atomic():
                run = prepare_for(
                    rows,
                    plan,
                    name=self._generate_images_run_name(len(rows)),
                    approve=self.generate_images_approve,
                    requested_by=person,
                    request_id=kept.request_id,
                )
                if run.state == Run.State.PREPARED:
                    run.start()
                    self._generate_images_log(request, plan, rows)
                    feeding.feed_one(run, conf.current())
                    self._generate_images_say(request, len(rows))
        except ValidationError as error:
            tell(request, error)
            return None
        return run

    def _generate_images_run_name(self, count: int) -> str:
        names = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
        text = gettext("Images for %(count)d %(names)s")
        return (text % {"count": count, "names": names})[:200]

    def _generate_images_log(
        self, request: HttpRequest, plan: RecordPlan, rows: list[RecordRow]
    ) -> None:
        """Where somebody has to approve, that is when a record changes."""
        if self.generate_images_approve:
            return
        LogEntry.objects.log_actions(
            user_id=who(request).pk,
            queryset=[row.record for row in rows],
            action_flag=CHANGE,
            change_message=[{"changed": {"fields": [str(plan.field.verbose_name)]}}],
        )

    def _generate_images_say(self, request: HttpRequest, count: int) -> None:
        if self.generate_images_approve:
            text = ngettext(
                "The picture is being made. Its record gets it when you approve it.",
                "%(count)d pictures are being made. The records get them when you approve them.",
                count,
            )
        else:
            text = ngettext(
                "The picture is being made. You may leave this page.",
                "%(count)d pictures are being made. You may leave this page.",
                count,
            )
        messages.success(request, text % {"count": count})

    def _generate_images_page(
        self, request: HttpRequest, plan: RecordPlan, settings: conf.AppSettings, back: str
    ) -> HttpResponse:
        room = min(
            (one.left for one in limits.allowances(who(request))), default=Decimal("Infinity")
        )
        fitting = plan.affordable(room)
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/ideogram_django/confirm_records.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Generate images?"),
                "opts": self.opts,
                "plan": plan,
                "rows": plan.rows[:SHOWN],
                "more": max(len(plan.rows) - SHOWN, 0),
                "all_total": total([row.price for row in plan.good if row.price], settings),
                "empty_total": total([row.price for row in plan.empty if row.price], settings),
                "offer_empty": 0 < len(plan.empty) < len(plan.good),
                "fitting": len(fitting),
                "fitting_total": total([row.price for row in fitting if row.price], settings),
                "offer_limit": 0 < len(fitting) < len(plan.good),
                "short": len(fitting) < len(plan.good),
                "empty_short": len(plan.empty) > len([r for r in fitting if not r.old]),
                "approve": self.generate_images_approve,
                "profile": plan.options.get("profile", ""),
                "allowances": standing(request.user),
                "spending_enabled": settings.SPENDING_ENABLED,
                "back_url": back,
                "media": self.media + Media(css={"all": STYLES}),
            },
        )

    def _generate_images_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_generate_images"

    def _generate_images_run_url(self, run: Run) -> str:
        """The run's page; empty where this admin site has none."""
        if Run not in self.admin_site._registry:
            return ""
        return reverse(
            "admin:ideogram_django_run_change", args=[run.pk], current_app=self.admin_site.name
        )

    def _generate_images_url(self, list_id: str) -> str:
        return reverse(
            f"admin:{self._generate_images_name()}",
            args=[list_id],
            current_app=self.admin_site.name,
        )
