"""Prompt profiles: what a look says and fixes, how it changed, and what it looks like."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http import HttpResponseRedirect as Redirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin.base import STYLESHEETS, may_generate, tell, who
from ideogram_django.admin.choices import Suggesting, shape_choices, style_choices
from ideogram_django.admin.histories import History, pictures_made
from ideogram_django.admin.limits import standing
from ideogram_django.admin.offers import offers, spelled
from ideogram_django.admin.samples import Sample, make_sheet
from ideogram_django.admin.steps import log_made
from ideogram_django.apiframe import catalogue
from ideogram_django.forms import access, prompts
from ideogram_django.lifecycle import wishes
from ideogram_django.models import GeneratedImage, ProfileVersion, PromptProfile
from ideogram_django.profiles.models import LOCKED, MOST_SUBJECTS, PROMPT, VALUES, WORDS

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[PromptProfile]
    _ModelAdmin = admin.ModelAdmin[PromptProfile]
else:
    _ModelForm = forms.ModelForm
    _ModelAdmin = admin.ModelAdmin

ABOUT = ("name", "description", "is_active", "sample_subjects")


def _text(name: str, rows: int, help_text: Any = "") -> Any:
    """An input for a text of the version, labelled as the column is."""
    column: Any = ProfileVersion._meta.get_field(name)
    return forms.CharField(
        label=capfirst(column.verbose_name),
        required=False,
        help_text=help_text or column.help_text,
        validators=column.validators,
        widget=forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField"}),
    )


class ProfileForm(_ModelForm):
    """A profile with the words and parameters of its current version.

    Saving other words or parameters makes the next version; see :meth:`revise`.
    """

    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)
    template = _text(
        "template",
        2,
        _(
            "What a record’s prompt is made from: {title}, {author.name}. Or, with {prompt} in it, "
            "what becomes of a prompt that somebody types. Which names there are depends on where "
            "the profile is used, so they are checked there and not here."
        ),
    )
    prefix = _text("prefix", 2, _("Words in front of every prompt. Nobody can leave them out."))
    suffix = _text("suffix", 2, _("Words behind every prompt. Nobody can leave them out."))
    model = forms.ChoiceField(label=_("Model"), required=False)
    style_type = forms.ChoiceField(label=_("Style"), required=False)
    aspect_ratio = forms.ChoiceField(label=_("Shape"), required=False)
    negative_prompt = _text("negative_prompt", 2, _("What should not be in the picture."))
    style_preset = forms.CharField(
        label=_("Style preset"),
        required=False,
        max_length=100,
        help_text=_("A named look, such as Watercolor or Bauhaus."),
        widget=Suggesting,
    )

    class Meta:
        model = PromptProfile
        fields = ABOUT
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
            "sample_subjects": forms.Textarea(attrs={"rows": 5, "class": "vLargeTextField"}),
        }

    begin_from: ProfileVersion | None = None
    """An earlier version to fill the form with; the admin sets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = self.instance.current if self.instance.pk else None
        shown = self.begin_from or self.current
        given = {name: getattr(shown, name) for name in VALUES} if shown else {}
        self.initial = {
            "based_on": self.current.number if self.current else 0,
            **given,
            **self.initial,
        }
        style = str(self.initial.get("style_type", ""))
        self.initial["style_type"] = style.casefold()
        self._offer(style)

    def _offer(self, style: str) -> None:
        every = offers()
        models = [(one.model.id, f"{one.model.label} · {one.each}") for one in every]
        kept = str(self.initial.get("model", ""))
        if kept and kept not in dict(models):
            models.append((kept, wording.model_label(kept)))
        open_choice = ("", gettext("Open: whoever makes a picture decides"))
        self._choices("model", [open_choice, *models])
        styles = style_choices(every, [style] if style else [])
        self._choices("style_type", [open_choice, *styles[1:]])
        ratio = str(self.initial.get("aspect_ratio", ""))
        shapes = shape_choices(every, [ratio] if ratio else [])
        self._choices("aspect_ratio", [open_choice, *shapes[1:]])
        presets = dict.fromkeys(preset for one in every for preset in one.model.style_presets)
        self.fields["style_preset"].widget.suggestions = presets

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    # --- checking -------------------------------------------------------------------------------

    def clean_template(self) -> str:
        text: str = self.cleaned_data["template"]
        if text.count(PROMPT) > 1:
            raise ValidationError(_("{prompt} may stand in the template once."), code="twice")
        if PROMPT in text and _names_fields(text):
            raise ValidationError(
                _(
                    "Use {prompt}, or names of fields such as {title}: not both. The one is for "
                    "what people type, the other for what records say."
                ),
                code="both",
            )
        return text

    def clean_sample_subjects(self) -> str:
        text: str = self.cleaned_data["sample_subjects"]
        count = len(PromptProfile(sample_subjects=text).subjects)
        if count > MOST_SUBJECTS:
            raise ValidationError(
                _("These are %(count)d subjects; a sample sheet has at most %(most)d."),
                code="subjects",
                params={"count": count, "most": MOST_SUBJECTS},
            )
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in (*WORDS, "negative_prompt"):
            if name in data:  # browsers send line ends of their own
                data[name] = data[name].replace("\r\n", "\n")
        if "style_type" in data:
            data["style_type"] = _written(data["style_type"], data.get("model", ""))
        if all(name in data for name in VALUES):
            self._check_possible({name: data[name] for name in VALUES})
        return data

    def _check_possible(self, values: dict[str, str]) -> None:
        """On the model that is fixed; where it is open, some model has to take all of it."""
        version = ProfileVersion(**values)
        models = [version.model] if version.model else [one.model.id for one in offers()]
        first: ValidationError | None = None
        for model in sorted(models, key=lambda one: one != conf.current().DEFAULT_MODEL):
            try:
                wishes.check(_request(version, "A red bicycle", model))
            except ValidationError as error:
                first = first or error
            else:
                return
        for name, problems in (first.error_dict if first else {}).items():
            # The prompt is too long with the profile's own words around it.
            self.add_error("suffix" if name == "prompt" else name, problems)

    @property
    def values(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in VALUES}

    def revise(self, by: Any) -> ProfileVersion | None:
        """The next version; None where nothing of it changed. After the profile is saved."""
        seen = self.current.number if self.current else 0
        return self.instance.revise(by=by, expected=seen, **self.values)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.current is None or not self.is_valid():
            return
        unchanged = all(getattr(self.current, one) == value for one, value in self.values.items())
        if unchanged or self.cleaned_data["based_on"] == self.current.number:
            return
        data: Any = self.data
        self.data = data.copy()
        self.data[self.add_prefix("based_on")] = self.current.number  # type: ignore[index]
        self.add_error(
            None,
            ValidationError(
                _(
                    "Somebody made version %(number)d meanwhile; it stands below with what is "
                    "different. Nothing was saved. Save again to make yours the one after it."
                ),
                code="outdated",
                params={"number": self.current.number},
            ),
        )


def _names_fields(template: str) -> bool:
    """Whether the template names fields of a record."""
    return any(f"{{{gap}}}" != PROMPT for gap in prompts.gaps(template))


def _written(style: str, model_id: str) -> str:
    """The style as its model spells it."""
    model = catalogue.MODELS.get(model_id or conf.current().DEFAULT_MODEL)
    return spelled(style, model.style_types) if model else style


def _request(version: ProfileVersion, text: str, model: str) -> dict[str, Any]:
    """A request as this version would have it, also before it is saved."""
    request = {**version.locked, "prompt": version.compose(text), "model": model}
    known = catalogue.MODELS.get(model)
    if known is not None and version.style_type:
        request["style_type"] = spelled(version.style_type, known.style_types)
    return request


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
