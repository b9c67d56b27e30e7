"""Sample sheets: what a profile makes of a few subjects, for the price that its button says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ideogram_django import conf, wording
from ideogram_django.forms.answers import flat
from ideogram_django.lifecycle import wishes
from ideogram_django.models import GeneratedImage, ProfileVersion, PromptProfile, SampleSheet
from ideogram_django.profiles.applying import Profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The next sample sheet: how many pictures, and for how much; or why there is none."""

    version: ProfileVersion
    count: int
    total: Decimal = Decimal(0)
    currency: str = ""
    problem: str = ""

    @classmethod
    def of(cls, version: ProfileVersion) -> Sample:
        profile = version.profile
        subjects = profile.subjects
        try:
            total, currency = _price(profile, subjects)
        except ValidationError as error:
            problem = " ".join(flat(error).messages)
            return cls(version=version, count=len(subjects), problem=problem)
        return cls(version=version, count=len(subjects), total=total, currency=currency)

    @property
    def label(self) -> str:
        """What stands on the button."""
        text = ngettext(
            "Make a sample sheet of %(count)d picture · %(total)s",
            "Make a sample sheet of %(count)d pictures · %(total)s",
            self.count,
        )
        return text % {"count": self.count, "total": wording.money(self.total, self.currency)}

    @property
    def price(self) -> str:
        """As the form sends it back, so that nobody pays another one."""
        return f"{self.total.normalize():f} {self.currency}"


def make_sheet(
    profile: PromptProfile, *, number: str, price: str, request_id: str, by: Any
) -> tuple[list[GeneratedImage], bool]:
    """The pictures of a new sheet with the current version, and whether they are new.

    ``number``, ``price``: what the page showed; ``ValidationError`` where it is otherwise by now.
    """
    try:
        batch = uuid.UUID(request_id)
    except ValueError:
        raise ValidationError(_("Load the page again and press the button once more.")) from None
    if (earlier := _earlier(profile, batch, by)) is not None:
        return earlier, False
    current = profile.current
    if current is None or str(current.number) != number:
        raise ValidationError(
            _("There is a newer version of this profile by now. Look at it first."),
            code="outdated",
        )
    sample = Sample.of(current)
    if sample.problem:
        raise ValidationError(sample.problem)
    if sample.price != price:
        raise ValidationError(
            _("The price has changed. Look at it and press the button again. Nothing was spent."),
            code="price_changed",
        )
    try:
        with transaction.atomic():
            SampleSheet.objects.create(version=current, batch=batch)
            made = GeneratedImage.objects.generate_many(
                [{"prompt": subject} for subject in profile.subjects],
                profile=profile.name,
                requested_by=by,
                request_id=batch,
            )
    except IntegrityError:
        # The second press of the button came between our look and our write.
        return _earlier(profile, batch, by) or [], False
    return made, True


def _earlier(profile: PromptProfile, batch: uuid.UUID, by: Any) -> list[GeneratedImage] | None:
    """The pictures of a sheet that this very form made before; ``None``: it made none."""
    if not SampleSheet.objects.filter(batch=batch, version__profile=profile).exists():
        return None
    pictures = GeneratedImage.objects.filter(batch=batch, requested_by=by)
    return list(pictures.order_by("request_number"))


def _price(profile: PromptProfile, subjects: list[str]) -> tuple[Decimal, str]:
    settings = conf.current()
    if not settings.SPENDING_ENABLED:
        raise ValidationError(_("Making pictures is switched off on this site."), code="off")
    if not subjects:
        raise ValidationError(
            _("Write one subject or more, each on a line of its own, for a sample sheet."),
            code="no_subjects",
        )
    profiles = Profiles()
    found = [
        wishes.check({"prompt": one, "profile": profile.name}, settings, profiles).price
        for one in subjects
    ]
    return sum((price.amount for price in found), Decimal(0)), found[0].currency
