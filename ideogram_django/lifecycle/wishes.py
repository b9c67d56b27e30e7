"""One picture that somebody wants: checked and priced, nothing written, nothing spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ideogram_django import conf
from ideogram_django.apiframe import catalogue
from ideogram_django.apiframe.catalogue import CleanRequest
from ideogram_django.budget import ledger
from ideogram_django.exceptions import InvalidRequest, Problem
from ideogram_django.lifecycle.columns import COLUMNS
from ideogram_django.lifecycle.references import (
    REFERENCES,
    plain_references,
    with_public_addresses,
)
from ideogram_django.profiles.applying import Profiles

if TYPE_CHECKING:
    from ideogram_django.models import GeneratedImage

PARAMETERS = catalogue.PARAMETERS
"""The API's own names, beside ``prompt`` and ``model``; its ``image`` is ``reference_image``."""
KNOWN = frozenset({"prompt", "model", *PARAMETERS, *COLUMNS})
"""All that a caller may say of one picture."""
ALT_TEXT = (MaxLengthValidator(1000), ProhibitNullCharactersValidator())
"""What the column takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture that was checked and priced, and has spent nothing."""

    request: CleanRequest
    price: ledger.Price
    columns: Mapping[str, Any]


def check(
    options: Mapping[str, Any],
    settings: conf.AppSettings | None = None,
    profiles: Profiles | None = None,
    prices: catalogue.SitePrices | None = None,
) -> Wish:
    """Put a ``profile`` on one request, check it against the catalogue and price it.

    Raises ``ValidationError`` with a sentence per field; writes and spends nothing.
    """
    settings = settings or conf.current()
    if unknown := sorted(options.keys() - KNOWN):
        raise TypeError(f"generate() got unexpected arguments: {', '.join(unknown)}")
    if options.get("alt_text"):
        _check_alt_text(options["alt_text"])
    options = (profiles or Profiles()).apply(options, default_model=settings.DEFAULT_MODEL)
    parameters = plain_references(
        {name: options[name] for name in PARAMETERS if options.get(name) is not None}
    )
    try:
        clean = catalogue.clean_request(
            prompt=options.get("prompt", ""),
            model=options.get("model") or settings.DEFAULT_MODEL,
            parameters=with_public_addresses(parameters),
            prices=ledger.prices(settings) if prices is None else prices,
        )
    except InvalidRequest as invalid:
        raise as_validation_error(invalid) from invalid
    return Wish(
        request=CleanRequest(
            prompt=clean.prompt,
            model=clean.model,
            # Cleaned values, but our own pictures as such: their addresses come with the upload.
            parameters={
                name: parameters[name] if name in REFERENCES else value
                for name, value in clean.parameters.items()
            },
            credits=clean.credits,
        ),
        price=ledger.money(settings, clean.credits),
        columns={name: options[name] for name in COLUMNS if name in options},
    )


def _check_alt_text(text: str) -> None:
    """Before a database refuses it: not every text comes out of a form."""
    for validator in ALT_TEXT:
        try:
            validator(text)
        except ValidationError as error:
            raise ValidationError({"alt_text": error}) from error


def check_all(requests: Sequence[Mapping[str, Any]], settings: conf.AppSettings) -> list[Wish]:
    """All or none; the sentence says which of several is wrong."""
    wishes: list[Wish] = []
    profiles, prices = Profiles(), ledger.prices(settings)
    for number, request in enumerate(requests, start=1):
        try:
            wishes.append(check(request, settings, profiles, prices))
        except ValidationError as error:
            if len(requests) == 1:
                raise
            sentences = "; ".join(error.messages)
            raise ValidationError(
                gettext("Picture %(number)s: %(problem)s"),
                code="invalid",
                params={"number": number, "problem": sentences},
            ) from error
    return wishes


REMEMBERED = ("typed_prompt", "profile", "profile_version")
"""Where the prompt came from; a picture made from this one's request remembers it, too."""


def request_of(image: GeneratedImage) -> dict[str, Any]:
    """What was asked for this picture, as options for another."""
    memory = {name: value for name in REMEMBERED if (value := getattr(image, name))}
    return {"prompt": image.prompt, "model": image.model, **memory, **image.parameters}


def as_validation_error(invalid: InvalidRequest) -> ValidationError:
    """The catalogue's problems as Django's, translated when they are shown."""
    return ValidationError(
        {
            name: [_translated(problem) for problem in found]
            for name, found in invalid.problems.items()
        }
    )


def _translated(problem: Problem) -> ValidationError:
    return ValidationError(
        _(problem.message), code=problem.code, params=dict(problem.params) or None
    )
