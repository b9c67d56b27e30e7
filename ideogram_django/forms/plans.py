"""What a field's defaults come to, with the prompt profile that they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext

from ideogram_django.forms import prompts
from ideogram_django.forms.answers import flat
from ideogram_django.profiles.applying import Profiles

TEMPLATE = "prompt_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How new pictures of one field are made."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """The API's parameters, ``model`` and ``profile``; nothing that the profile fixes."""
    template: str = ""
    profile: str = ""
    version: int | None = None
    before: str = ""
    """What the profile puts before every text, and after it, blanks included."""
    after: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    """Why no picture can be made: the profile is gone, or not in use."""

    @property
    def effective(self) -> dict[str, Any]:
        """The options with what the profile fixes, without the profile."""
        options = {name: value for name, value in self.options.items() if name != "profile"}
        return options | dict(self.fixed)

    @classmethod
    def of(
        cls, defaults: Mapping[str, Any], profiles: Profiles, *, model: type[Model] | None = None
    ) -> Plan:
        """One query for each profile that ``profiles`` has not met; none without a profile.

        ``model``: whose records fill the template. A field's own template is checked when the
        site starts; that of a profile, which editors write, is checked here.
        """
        options = {name: value for name, value in defaults.items() if name != TEMPLATE}
        template = str(defaults.get(TEMPLATE) or "")
        name = options.get("profile") or ""
        if not name:
            options.pop("profile", None)
            return cls(options=options, template=template)
        try:
            version = profiles.find(name)
        except ValidationError as error:
            problem = " ".join(flat(error).messages)
            return cls(options=options, template=template, profile=name, problem=problem)
        if not template:
            template = version.record_template
            if model is not None and (unknown := prompts.unknown(template, model)):
                problem = gettext(
                    "The prompt profile “%(name)s” names “%(gap)s”, which is no field here."
                ) % {"name": name, "gap": unknown[0]}
                return cls(options=options, profile=name, problem=problem)
        before, after = version.frame
        fixed = version.locked
        return cls(
            # A field's defaults are only proposals; the profile's parameters are its look.
            options={one: value for one, value in options.items() if one not in fixed},
            template=template,
            profile=name,
            version=version.number,
            before=before,
            after=after,
            fixed=fixed,
        )


def text_for(
    record: Model, template: str = "", *, profile: str = "", profiles: Profiles | None = None
) -> str:
    """The exact text that would be sent for this record.

    ``template``: by default that of the ``profile``. What the profile says around it is there, so
    do not hand it to ``generate(profile=…)``, which would say it twice; that takes the text of
    :func:`typed_for`. Raises ``ValidationError`` for a profile that there is not, or that is not
    in use, and ``LookupError`` for a gap that names no column.
    """
    profiles = profiles or Profiles()
    text = typed_for(record, template, profile=profile, profiles=profiles)
    return profiles.find(profile).compose(text) if profile else text


def typed_for(
    record: Model, template: str = "", *, profile: str = "", profiles: Profiles | None = None
) -> str:
    """As :func:`text_for`, without what the profile says around it: for ``generate()``."""
    if not template and profile:
        template = (profiles or Profiles()).find(profile).record_template
    return prompts.fill(template, record)
