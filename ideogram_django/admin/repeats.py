"""Telling a form that is sent once more, or after somebody else, from a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from ideogram_django.admin import frozen
from ideogram_django.admin.making import MakeForm
from ideogram_django.apiframe.catalogue import CleanRequest
from ideogram_django.lifecycle import references, wishes
from ideogram_django.models import GeneratedImage


def state(request: GeneratedImage | CleanRequest) -> str:
    """Tells one state of a draft's request from another."""
    return frozen.fingerprint([request.prompt, request.model, sorted(request.parameters.items())])


def seen(request: HttpRequest, draft: GeneratedImage) -> str:
    """What the page that was sent began with; of a page that is opened now, what it shows."""
    return request.POST.get("seen") or state(draft)


def same(earlier: list[GeneratedImage], form: MakeForm) -> bool:
    """Whether these pictures were asked for with the very words that the form holds now."""
    checked = wishes.check(form.options).request
    first = earlier[0]
    return len(earlier) == form.how_many and (
        (first.prompt, first.model, _by_content(first.parameters))
        == (checked.prompt, checked.model, _by_content(checked.parameters))
    )


def _by_content(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """With own pictures as what is in them: a double click may upload the same file twice."""
    own = references.own_pictures(parameters)
    if not own:
        return dict(parameters)
    found = GeneratedImage.objects.filter(uuid__in=own).exclude(sha256="")
    return references.replace_own(parameters, dict(found.values_list("uuid", "sha256")))
