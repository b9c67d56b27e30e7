"""What the picture page tells about a picture, in short lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import usage, wording
from ideogram_django.admin.choices import MAGIC_LABELS, SPEED_LABELS
from ideogram_django.lifecycle import references
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

USES_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    label: Any
    value: Any


def request_facts(image: GeneratedImage) -> list[Fact]:
    """What was asked for beside the prompt; only what was set."""
    told = [
        (_("Model"), wording.model_label(image.model)),
        (_("Style"), wording.style_label(image.style_type)),
        (_("Style preset"), image.style_preset),
        (_("Shape"), image.aspect_ratio.replace(":", " : ")),
        (_("Size"), image.resolution),
        (_("Negative prompt"), image.negative_prompt),
        (_("Magic prompt"), MAGIC_LABELS.get(image.magic_prompt_option, image.magic_prompt_option)),
        (_("Rendering speed"), SPEED_LABELS.get(image.rendering_speed, image.rendering_speed)),
        (_("Seed"), "" if image.seed is None else str(image.seed)),
        (_("Reference picture"), _reference(image.reference_image)),
        (_("Style references"), "\n".join(map(_reference, image.style_reference_images))),
        (_("Prompt profile"), _profile(image)),
    ]
    return [Fact(label=label, value=value) for label, value in told if value]


def _profile(image: GeneratedImage) -> str:
    if not image.profile or image.profile_version is None:
        return image.profile
    return gettext("%(name)s, version %(number)d") % {
        "name": image.profile,
        "number": image.profile_version,
    }


def _reference(value: str) -> str:
    own = value.startswith(references.OWN)
    return gettext("A picture of the gallery") if own else value


def money_facts(image: GeneratedImage) -> list[Fact]:
    """What it costs, who asked, and when what happened."""
    expected = wording.money(image.price, image.currency)
    cost = wording.money(image.cost, image.currency)
    told = [
        (_("Charged"), cost),
        (_("Expected price"), expected if expected != cost else ""),
        (_("Requested by"), image.requested_by),
        (_("Asked for"), _when(image.created_at)),
        (_("Sent"), _when(image.submitted_at)),
        (_("Finished"), _when(image.finished_at) if image.is_finished else ""),
        (_("Took"), _took(image)),
    ]
    return [Fact(label=label, value=value) for label, value in told if value]


def support_facts(image: GeneratedImage) -> list[Fact]:
    """What an administrator asks for when something went wrong."""
    told = [
        (_("Public id"), str(image.uuid)),
        (_("Job"), image.job_id),
        (_("Attempt"), str(image.attempt) if image.attempt > 1 else ""),
        (_("Error"), image.error_code),
        (_("Note"), image.error_detail if not _quoted(image) else ""),
    ]
    return [Fact(label=label, value=value) for label, value in told if value]


def provider_words(image: GeneratedImage) -> str:
    """What the provider said about a failure, word for word."""
    return image.error_detail if _quoted(image) else ""


def _quoted(image: GeneratedImage) -> bool:
    advice = wording.advice(image)
    return advice is not None and advice.quoted


def _when(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return date_format(localtime(moment), "DATETIME_FORMAT")


def _took(image: GeneratedImage) -> str:
    if image.status != Status.COMPLETED or not (image.submitted_at and image.finished_at):
        return ""
    seconds = (image.finished_at - image.submitted_at).total_seconds()
    return wording.duration(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One record that shows the picture; ``url`` where this person may open it."""

    kind: str
    name: str
    url: str = ""


def uses(image: GeneratedImage, request: HttpRequest, site: AdminSite) -> Iterator[Use]:
    for record in usage.records(image, most=USES_SHOWN):
        yield Use(
            kind=capfirst(str(record._meta.verbose_name)),
            name=str(record),
            url=_admin_url(record, request, site),
        )


def _admin_url(record: Any, request: HttpRequest, site: AdminSite) -> str:
    model_admin = site._registry.get(type(record))
    if model_admin is None or not model_admin.has_view_or_change_permission(request, record):
        return ""
    meta = record._meta
    try:
        return reverse(
            f"admin:{meta.app_label}_{meta.model_name}_change",
            args=[record.pk],
            current_app=site.name,
        )
    except NoReverseMatch:  # a ModelAdmin with addresses of its own
        return ""
