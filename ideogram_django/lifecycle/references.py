"""Reference pictures: a public URL, or ``picture:<uuid>`` for one of this site's own.

The provider cannot be trusted to reach our storage, and our storage need not be public, so our
own pictures are uploaded to the provider just before the request (its uploads live an hour or two).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ideogram_django.exceptions import InvalidRequest
from ideogram_django.pictures.addresses import check_reference_url

OWN = "picture:"
REFERENCES = ("reference_image", "style_reference_images")


def plain_references(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with every reference as text. ``ValidationError`` for an unusable one."""
    plain = dict(parameters)
    problems: dict[str, list[ValidationError]] = {}
    for name in REFERENCES:
        value = plain.get(name)
        if not value:
            continue
        several = isinstance(value, (list, tuple))
        texts = [_as_text(one) for one in (value if several else [value])]
        for text in texts:
            problem = _problem(text)
            if problem is not None:
                problems.setdefault(name, []).append(problem)
        plain[name] = texts if several else texts[0]
    if problems:
        raise ValidationError(problems)
    return plain


def with_public_addresses(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the catalogue can check them: own pictures as the URLs they will become."""
    return replace_own(parameters, {})


def own_pictures(parameters: Mapping[str, Any]) -> list[UUID]:
    """Which of this site's pictures have to be uploaded before the request can be sent."""
    values = [parameters.get("reference_image"), *(parameters.get("style_reference_images") or [])]
    return [UUID(text.removeprefix(OWN)) for text in values if is_own(text)]


def replace_own(parameters: Mapping[str, Any], urls: Mapping[UUID, str]) -> dict[str, Any]:
    """The parameters with own pictures replaced by their uploaded addresses."""

    def address(text: str) -> str:
        if not is_own(text):
            return text
        picture = UUID(text.removeprefix(OWN))
        return urls.get(picture, f"https://picture.invalid/{picture}")

    replaced = dict(parameters)
    if replaced.get("reference_image"):
        replaced["reference_image"] = address(replaced["reference_image"])
    if isinstance(replaced.get("style_reference_images"), list):
        replaced["style_reference_images"] = [
            address(text) for text in replaced["style_reference_images"]
        ]
    return replaced


def is_own(text: object) -> bool:
    return isinstance(text, str) and text.startswith(OWN)


def _as_text(value: Any) -> Any:
    if isinstance(value, UUID):
        return f"{OWN}{value}"
    own = getattr(value, "uuid", None)
    return f"{OWN}{own}" if isinstance(own, UUID) else value


def _problem(text: Any) -> ValidationError | None:
    if is_own(text):
        try:
            UUID(text.removeprefix(OWN))
        except ValueError:
            return ValidationError(_("This picture of the site does not exist."), code="reference")
        return None
    if not isinstance(text, str):
        return ValidationError(_("Give the reference picture as a URL."), code="reference")
    try:
        check_reference_url(text)
    except InvalidRequest as invalid:
        problem = next(iter(invalid.problems.values()))[0]
        return ValidationError(_(problem.message), code=problem.code, params=dict(problem.params))
    return None
