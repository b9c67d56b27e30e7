"""The alternative text of a picture: asked for clearly, and never lost to another editor."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils.translation import gettext_lazy as _

from ideogram_django.models import GeneratedImage

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[GeneratedImage]
else:
    _ModelForm = forms.ModelForm

LONGEST = GeneratedImage._meta.get_field("alt_text").max_length or 1000
EDITABLE = ("alt_text", "decorative")


class CountedTextarea(forms.Textarea):
    """A textarea with a line below it that says how long the text is."""

    template_name = "ideogram_django/widgets/counted_textarea.html"


class AltTextForm(_ModelForm):
    """Knows what it began with, so that two editors cannot overwrite each other unseen."""

    alt_seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = GeneratedImage
        fields = EDITABLE
        widgets = {
            "alt_text": CountedTextarea(
                attrs={
                    "rows": 2,
                    "maxlength": LONGEST,
                    "data-ideogram-limit": LONGEST,
                }
            )
        }
        labels = {
            "decorative": _("This picture is decorative: it tells nothing that the text does not")
        }
        help_texts = {
            "alt_text": _(
                "Read out to people who cannot see the picture. Say in a sentence what it tells, "
                "not that it is a picture: “Two children fly a kite on a windy beach.”"
            ),
            "decorative": _("It then needs no text, and screen readers pass over it."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["alt_seen"] = fingerprint(self.instance.alt_text, self.instance.decorative)

    @property
    def changed_data(self) -> list[str]:
        """What will be written: neither what this form began with, nor a text that stays."""
        kept = getattr(self, "cleaned_data", {})
        return [
            name
            for name in super().changed_data
            if name != "alt_seen" and kept.get(name, "") != self.initial.get(name)
        ]

    def clean_alt_text(self) -> str:
        return " ".join(self.cleaned_data["alt_text"].split())

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not all(name in data for name in EDITABLE):
            return data
        seen = data.get("alt_seen", "")
        if seen:
            self._keep_others(data, seen)
        if data.get("alt_text") and data["decorative"]:
            self.add_error(
                "decorative",
                _(
                    "A decorative picture has no alternative text. "
                    "Empty the text, or take this tick away."
                ),
            )
        return data

    def _keep_others(self, data: dict[str, Any], seen: str) -> None:
        """Compare with the row as it is now, and hold it until the end of the transaction."""
        rows = GeneratedImage._base_manager.filter(pk=self.instance.pk)
        if connections[rows.db].in_atomic_block:
            rows = rows.select_for_update()
        now = rows.values_list(*EDITABLE).get()
        mine = (data["alt_text"], data["decorative"])
        if fingerprint(*now) in (seen, fingerprint(*mine)):
            return
        if fingerprint(*mine) == seen:  # saved without a change: theirs stays
            data["alt_text"], data["decorative"] = now
            return
        # What is sent the next time was written by somebody who has read theirs.
        self.data = {**self.data.dict(), "alt_seen": fingerprint(*now)}  # type: ignore[attr-defined]
        self.add_error("alt_text", _meanwhile(*now))


def _meanwhile(text: str, decorative: bool) -> ValidationError:
    if decorative:
        message = _(
            "Somebody else marked this picture as decorative meanwhile. Your text stands below; "
            "save again to use it instead."
        )
    elif text:
        message = _(
            "Somebody else saved another text meanwhile: “%(theirs)s” Yours stands below; save "
            "again to use it instead."
        )
    else:
        message = _(
            "Somebody else emptied this text meanwhile. Yours stands below; save again to use it."
        )
    return ValidationError(message, code="changed_meanwhile", params={"theirs": text})


def fingerprint(text: str, decorative: bool) -> str:
    """Tells one state of the two from another; says nothing about them."""
    plain = json.dumps([" ".join(text.split()), bool(decorative)])
    return hashlib.sha256(plain.encode()).hexdigest()[:32]
