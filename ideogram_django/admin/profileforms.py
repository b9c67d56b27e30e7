"""The form of a prompt profile: its name, and what its current version says and fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf, wording
from ideogram_django.admin.choices import Suggesting, shape_choices, style_choices
from ideogram_django.admin.offers import offers, spelled
from ideogram_django.apiframe import catalogue
from ideogram_django.forms import prompts
from ideogram_django.lifecycle import wishes
from ideogram_django.models import ProfileVersion, PromptProfile
from ideogram_django.profiles.models import MOST_SUBJECTS, PROMPT, VALUES, WORDS

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[PromptProfile]
else:
    _ModelForm = forms.ModelForm

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
