"""The forms of bulk runs: a CSV file with what holds for all of its lines, and the ceiling."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.models import PromptProfile
from ideogram_django.runs import spreadsheets

MOST_BYTES = 5 * 1024 * 1024
"""Of a CSV file: ten thousand prompts of ordinary length."""


class RunForm(forms.Form):
    """A CSV file and what holds for all of its lines. Valid: every line is sound and priced."""

    run_id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("What you will know it by, in the list.")
    )
    file = forms.FileField(
        label=_("CSV file"),
        validators=[FileExtensionValidator(["csv", "txt", "tsv"])],
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,text/csv"}),
        help_text=_(
            "A line for each prompt. The first line names the columns; only “prompt” is needed."
        ),
    )
    profile = forms.ChoiceField(
        label=_("Prompt profile"),
        required=False,
        help_text=_("Holds for every line that names no other one."),
    )
    ceiling = forms.DecimalField(
        label=_("Ceiling"),
        required=False,
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=6,
        help_text=_("The run never commits more money than this. Empty: only the limits count."),
    )
    at_once = forms.IntegerField(
        label=_("At once"),
        required=False,
        min_value=1,
        max_value=500,
        help_text=_("Most pictures of this run in progress at the same time."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = PromptProfile.objects.filter(is_active=True, versions__isnull=False)
        names = active.values_list("name", flat=True).distinct()
        profile: Any = self.fields["profile"]
        profile.choices = [("", _("None")), *((name, name) for name in names)]
        if len(profile.choices) == 1:
            del self.fields["profile"]
        settings = conf.current()
        self.fields["at_once"].initial = settings.RUN_IN_FLIGHT
        self.fields["ceiling"].label = _("Ceiling (%(currency)s)") % {"currency": settings.CURRENCY}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is None or self.errors.get("profile"):
            return cleaned
        try:
            if file.size > MOST_BYTES:
                raise ValidationError(_("This file is too large. Split it into several runs."))
            profile = cleaned.get("profile")
            options = {"profile": profile} if profile else {}
            orders = spreadsheets.read(file.read(), str(file.name), options)
            cleaned["bill"] = spreadsheets.check(orders)
        except ValidationError as error:
            self.add_error("file", error)
        return cleaned


class CeilingForm(forms.Form):
    ceiling = forms.DecimalField(
        label=_("Ceiling"), required=False, min_value=Decimal(0), max_digits=14, decimal_places=6
    )
