"""Putting a profile on a request, before it is checked and priced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ideogram_django.apiframe.catalogue import MODELS
from ideogram_django.profiles.models import ProfileVersion


def find(name: str) -> ProfileVersion:
    """The current version of the profile with this name.

    ``ValidationError`` (code ``profile``) where there is none, or where it is not in use.
    """
    versions = ProfileVersion.objects.filter(profile__name=name).select_related("profile")
    # A database may refuse to look for a NUL.
    version = None if "\0" in name else versions.order_by("-number").first()
    if version is None:
        message = _("There is no prompt profile “%(name)s”.")
    elif not version.profile.is_active:
        message = _("The prompt profile “%(name)s” is not in use.")
    else:
        return version
    raise ValidationError({"profile": ValidationError(message, "profile", {"name": name})})


class Profiles:
    """The profiles that one call meets: each is looked up once."""

    def __init__(self) -> None:
        self._found: dict[str, ProfileVersion] = {}

    def find(self, name: str) -> ProfileVersion:
        """As :func:`find`, once for each name."""
        version = self._found.get(name)
        if version is None:
            version = self._found[name] = find(name)
        return version

    def apply(self, options: Mapping[str, Any], *, default_model: str = "") -> dict[str, Any]:
        """The request as its ``profile`` wants it; without one, as it is.

        ``default_model``: where neither the request nor the profile names one.

        A request that names a ``profile_version`` was composed before (variations, another
        model): it keeps both as a memory. ``ValidationError`` beside each parameter that the
        profile fixes and the caller sets otherwise.
        """
        name = options.get("profile")
        if not name or options.get("profile_version") is not None:
            return dict(options)
        version = self.find(name)
        fixed = version.locked
        model = MODELS.get(fixed.get("model") or options.get("model") or default_model)
        if model is not None and "style_type" in fixed:
            # Where the profile leaves the model open: families spell the same style differently.
            fixed["style_type"] = _spelled(fixed["style_type"], model.style_types)
        problems = {
            one: ValidationError(
                _("The prompt profile “%(name)s” fixes this to “%(value)s”."),
                "profile",
                {"name": name, "value": value},
            )
            for one, value in fixed.items()
            if str(options.get(one) or value).casefold() != value.casefold()
        }
        if problems:
            raise ValidationError(problems)
        typed = str(options.get("prompt") or "")
        return {
            "typed_prompt": typed,
            **options,
            **fixed,
            # Nothing typed stays nothing, so that it is refused rather than sent bare.
            "prompt": version.compose(typed) if typed.strip() else typed,
            "profile": name,
            "profile_version": version.number,
        }


def _spelled(value: str, known: Iterable[str]) -> str:
    return next((one for one in known if one.casefold() == value.casefold()), value)
