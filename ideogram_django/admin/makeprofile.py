"""The prompt profile on the make page: chosen, shown with what it fixes, and then paid for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django.admin.makeparts import MakeParts
from ideogram_django.apiframe.catalogue import MAX_PROMPT
from ideogram_django.apiframe.checking import utf16_length
from ideogram_django.models import ProfileVersion, PromptProfile
from ideogram_django.profiles.applying import find


class ProfiledForm(MakeParts):
    """A request that a prompt profile may add words to, and fix parameters of."""

    profile = forms.ChoiceField(
        label=_("Prompt profile"),
        required=False,
        help_text=_("A look that this site has given a name: it adds words and may fix the rest."),
    )
    profile_seen = forms.CharField(required=False, widget=forms.HiddenInput)

    version: ProfileVersion | None
    _seen: str

    def _version(self) -> ProfileVersion | None:
        """Of the profile that is chosen, if it can be used."""
        given = self.data.get("profile", "") if self.is_bound else self.initial.get("profile")
        try:
            return find(str(given)) if given else None
        except ValidationError:  # the field's own check says so
            return None

    def _show_profile(self) -> None:
        """What the profile fixes is shown and cannot be changed; without any, no choice of one."""
        names = list(
            PromptProfile.objects.filter(is_active=True, versions__isnull=False)
            .distinct()
            .values_list("name", flat=True)
        )
        if not names:
            del self.fields["profile"], self.fields["profile_seen"]
            return
        self._choices("profile").choices = [("", gettext("None"))] + [(one, one) for one in names]
        shown = f"{self.version.profile.name}/{self.version.number}" if self.version else ""
        self.initial["profile_seen"] = shown
        if self.is_bound:
            # What a profile fixed was not sent by the browser; without it, it begins as always.
            gone = "profile" in self.data and "model" not in self.data
            self.fill_in(
                {"profile_seen": shown} | ({"model": self._default_model()} if gone else {})
            )
        for name in self.version.locked if self.version else ():
            self.fields[name].disabled = True
        before, after = self.frame
        # The provider counts the whole text.
        room = MAX_PROMPT - utf16_length(before + after)
        self.fields["prompt"].widget.attrs["data-ideogram-limit"] = max(room, 0)

    @property
    def frame(self) -> tuple[str, str]:
        """What the profile puts before the prompt, and after it."""
        return self.version.frame if self.version else ("", "")

    @property
    def is_unseen(self) -> bool:
        """Whether the page showed another profile, or another version: its price may be another."""
        return "profile" in self.fields and self._seen != self.initial["profile_seen"]

    def show_profile(self) -> None:
        """Come back with the profile applied and without complaints: nobody pressed "Make"."""
        self._errors = ErrorDict()
        self.fields["profile"].widget.attrs["autofocus"] = True

    @property
    def locked(self) -> frozenset[str]:
        """The fields that the prompt profile fixes."""
        return frozenset(self.version.locked if self.version else ())

    def _choices(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        return field

    def fill_in(self, values: Mapping[str, str]) -> None:
        """Show these in place of what was typed; an upload gives way to what it has become."""
        data: Any = self.data
        files: Any = self.files
        data, files = data.copy(), files.copy()
        for name, value in values.items():
            data[name] = value
            files.pop(f"{name}-upload", None)
        self.data, self.files = data, files
