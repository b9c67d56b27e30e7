"""The form widget: the current picture, and the ways to another one.

What it shows follows from an :class:`Offer` that the form field makes; without one it can only
keep or remove the picture.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms

from ideogram_django.models import GeneratedImage
from ideogram_django.widgets.offers import MOST_DRAFTS, Make, Offer, Terms, Words
from ideogram_django.widgets.pictures import (
    CURRENT_SALT,
    WIDGET_SALT,
    sign_current,
    sign_widget,
    stand_in,
    unsigned,
)
from ideogram_django.widgets.strip import sentence, strip_context
from ideogram_django.widgets.submitted import Submitted, names, reference, submitted_wish

__all__ = [
    "CURRENT_SALT",
    "LONGEST_ALT",
    "MOST_DRAFTS",
    "WIDGET_SALT",
    "GeneratedImageWidget",
    "Make",
    "Offer",
    "Submitted",
    "Terms",
    "Words",
    "sign_current",
    "sign_widget",
    "stand_in",
    "strip_context",
    "submitted_wish",
    "unsigned",
]

LONGEST_ALT = GeneratedImage._meta.get_field("alt_text").max_length or 1000


def _nothing(_submitted: Submitted) -> Offer:
    return Offer()


class GeneratedImageWidget(forms.Widget):
    """Several inputs under one name: ``hero``, ``hero-upload``, ``hero-make``, …

    The form must be sent as ``multipart/form-data``, as Django's own templates do where
    ``form.is_multipart``; where it is not, the browser leaves the file out and the form says so.
    """

    template_name = "ideogram_django/widgets/generated_image.html"
    needs_multipart_form = True
    use_fieldset = True
    choices: Sequence[Any] = ()
    """The admin's wrapper for foreign keys wants to hand these on; there are none."""

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__(dict(attrs) if attrs else None)
        self.make_offer: Callable[[Submitted], Offer] = _nothing

    class Media:
        css = {"all": ["ideogram_django/field.css"]}
        js = ["ideogram_django/ideogram.js"]

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        """None: the label is the legend of a group of inputs."""
        return ""

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key in data or key in files for key in (name, *names(name).values()))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Submitted:
        keys = names(name)
        chosen = data.get(name)
        upload = files.get(keys["upload"]) or None
        parts = {part: data.get(key) for part, key in keys.items()}
        return Submitted(
            **submitted_wish(parts, name),
            chosen=None if chosen is None else reference(str(chosen)),
            kept=unsigned(parts["current"]),
            upload=upload,
            upload_lost=upload is None and bool(parts["upload"]),
            make=bool(parts["make"]),
            clear=bool(parts["clear"]),
            alt_text=None if parts["alt"] is None else parts["alt"].strip(),
            decorative=bool(parts["decorative"]),
            words_before=Words(
                alt_text=parts["alt_was"] or "", decorative=bool(parts["decorative_was"])
            ),
        )

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        submitted = value if isinstance(value, Submitted) else Submitted()
        offer = self.make_offer(submitted)
        current = offer.current
        disabled = bool(context["widget"]["attrs"].get("disabled"))
        shown = stand_in(current)
        stored = offer.words or Words.of(current)
        asked = submitted.alt_text is not None
        prompt = submitted.prompt if isinstance(value, Submitted) else _offered(offer)
        context["widget"].update(
            names=names(name),
            id=context["widget"]["attrs"].get("id") or f"id_{name}",
            offer=offer,
            current=current,
            sentence=sentence(current, offer),
            stand_in=shown,
            old_one_shows=shown is not None and current is not None and shown.pk != current.pk,
            reference=str(current.uuid) if current else "",
            signed=sign_current(current) if current else "",
            chosen=_shown_choice(submitted, current),
            submitted=submitted,
            # A form that comes back with errors keeps its id: it is still the same request.
            request_id=submitted.posted_id if submitted.request_id else str(uuid.uuid4()),
            prompt=prompt,
            sent=offer.make.sent(prompt) if offer.make and offer.make.framed else "",
            offered=submitted.offered if isinstance(value, Submitted) else _offered(offer),
            shape=submitted.shape or (offer.make.shape if offer.make else ""),
            count=submitted.count or (str(offer.make.count) if offer.make else ""),
            make_open=bool(offer.stale)
            or submitted.make
            or (submitted.edited and not submitted.picked),
            editable=not disabled,
            removable=bool(current) and not offer.required,
            words_before=stored,
            alt=submitted.alt_text if asked else stored.alt_text,
            decorative=submitted.decorative if asked else stored.decorative,
            alt_missing=current is not None and not Words.of(current),
            longest_alt=LONGEST_ALT,
        )
        context["strip"] = strip_context(name, offer, picked=submitted.draft)
        return context


def _offered(offer: Offer) -> str:
    return offer.make.prompt if offer.make else ""


def _shown_choice(submitted: Submitted, current: GeneratedImage | None) -> str:
    if submitted.chosen is not None:
        return submitted.chosen
    return str(current.uuid) if current else ""
