"""Prompt profiles: what a look says and fixes, how it changed, and what it looks like."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http import HttpResponseRedirect as Redirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django.admin.base import STYLESHEETS, may_generate, tell, who
from ideogram_django.admin.histories import History, pictures_made
from ideogram_django.admin.limits import standing
from ideogram_django.admin.profileforms import ABOUT, ProfileForm
from ideogram_django.admin.samples import Sample, make_sheet
from ideogram_django.admin.steps import log_made
from ideogram_django.forms import access
from ideogram_django.models import GeneratedImage, ProfileVersion, PromptProfile
from ideogram_django.profiles.models import LOCKED, WORDS

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[PromptProfile]
else:
    _ModelAdmin = admin.ModelAdmin


class PromptProfileAdmin(_ModelAdmin):
    """One page for a profile: what it says now, a sample sheet, and every version it had."""

    form = ProfileForm
    list_display = ["name", "description", "version_shown", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "description"]
    change_form_template = "admin/ideogram_django/promptprofile/change_form.html"

    class Media:
        css = {"all": [*STYLESHEETS, "ideogram_django/profiles.css"]}
        js = ["ideogram_django/ideogram.js"]

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        return [
            path(
                "<int:pk>/sample-sheet/",
                self.admin_site.admin_view(self.sample_sheet_view),
                name="ideogram_django_promptprofile_sample_sheet",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromptProfile]:
        newest = ProfileVersion.objects.filter(profile=OuterRef("pk")).order_by("-number")
        return (
            super()
            .get_queryset(request)
            .annotate(current_number=Subquery(newest.values("number")[:1]))
        )

    @admin.display(description=_("Version"), ordering="current_number")
    def version_shown(self, profile: Any) -> int | None:
        number: int | None = profile.current_number
        return number

    # --- the form -------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: PromptProfile | None = None) -> Any:
        about: tuple[Any, dict[str, Any]] = (None, {"fields": list(ABOUT)})
        allowed = (
            self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        )
        if not allowed:
            return [about]
        current = obj.current if obj else None
        if current is None:
            title, said = gettext("Words"), gettext("Saving this makes version 1.")
        else:
            numbers = {"number": current.number, "next": current.number + 1}
            title = gettext("Version %(number)d") % numbers
            said = (
                gettext(
                    "If you change anything here or under “Fixed”, saving makes version %(next)d, "
                    "and new pictures are made with it. Pictures that were made with version "
                    "%(number)d stay as they are."
                )
                % numbers
            )
        fixed = gettext("What you set here is the same for everybody. What is open, people choose.")
        return [
            about,
            (title, {"fields": [*WORDS, "based_on"], "description": said}),
            (gettext("Fixed"), {"fields": list(LOCKED), "description": fixed}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The name stays: code, templates and pictures know the profile by it."""
        return [*super().get_readonly_fields(request, obj), *(["name"] if obj else [])]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        number = request.GET.get("version", "")
        if obj is not None and number.isascii() and number.isdecimal() and len(number) < 9:
            earlier = obj.versions.filter(number=int(number)).first()
            form = type(form.__name__, (form,), {"begin_from": earlier})
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        made = form.revise(who(request))
        if made is not None:
            text = gettext("Version %(number)d is made; new pictures are made with it.")
            messages.info(request, text % {"number": made.number})
        elif change:
            text = gettext("Version %(number)d stays: nothing in it was changed.")
            messages.info(request, text % {"number": form.current.number})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """As always; where two people made the next version in the same moment, a sentence."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ValidationError as error:
            if request.method != "POST":
                raise
            tell(request, error)
            return Redirect(request.get_full_path())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not while pictures remember it: another one of that name would take them over."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not pictures_made(obj))

    # --- beside the form ------------------------------------------------------------------------

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: PromptProfile | None = None,
    ) -> Any:
        if obj is not None:
            context |= self._profile_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _profile_context(self, request: HttpRequest, profile: PromptProfile) -> dict[str, Any]:
        sees = access.may(request.user, "view")
        spends = may_generate(request)
        every = request.GET.get("versions") == "all"
        history = History(
            profile, every=every, pictures=access.viewable(request.user) if sees else None
        )
        return {
            "profile": profile,
            "history": history,
            "gallery_url": self._gallery() if sees else "",
            "sample": Sample.of(history.current) if spends and history.current else None,
            "may_change": self.has_change_permission(request, profile),
            "make_url": self._make_url(profile) if profile.is_active and spends else "",
            "sample_url": self._url("sample_sheet", profile.pk),
            "allowances": standing(request.user) if spends else [],
            "request_id": uuid.uuid4(),
            "here": self._url("change", profile.pk),
        }

    def sample_sheet_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a sample sheet and go back. POST only; the same ``request_id`` never pays twice."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        profile = self.get_object(request, str(pk))
        if profile is None:
            raise Http404
        if not may_generate(request) or not self.has_view_or_change_permission(request, profile):
            raise PermissionDenied
        try:
            made, fresh = make_sheet(
                profile,
                number=request.POST.get("version", ""),
                price=request.POST.get("price", ""),
                request_id=request.POST.get("request_id", ""),
                by=who(request),
            )
        except ValidationError as error:
            tell(request, error)
        else:
            if fresh:
                log_made(request, made)
                self.log_change(request, profile, gettext("Made a sample sheet."))
            text = ngettext(
                "The picture of the sample sheet is being made.",
                "The %(count)d pictures of the sample sheet are being made.",
                len(made),
            )
            messages.success(request, text % {"count": len(made)})
        return Redirect(f"{self._url('change', profile.pk)}#ideogram-samples")

    def _url(self, name: str, *args: Any) -> str:
        return reverse(
            f"admin:ideogram_django_promptprofile_{name}",
            args=args,
            current_app=self.admin_site.name,
        )

    def _gallery(self) -> str:
        if GeneratedImage not in self.admin_site._registry:
            return ""
        return reverse(
            "admin:ideogram_django_generatedimage_changelist", current_app=self.admin_site.name
        )

    def _make_url(self, profile: PromptProfile) -> str:
        if GeneratedImage not in self.admin_site._registry:
            return ""
        url = reverse("admin:ideogram_django_generatedimage_add", current_app=self.admin_site.name)
        return f"{url}?profile={profile.name}"
