"""What a form field may answer beside a picture. Both are inert until somebody saves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.db import models

from ideogram_django.forms import prompts
from ideogram_django.lifecycle import uploading, wishes
from ideogram_django.models import GeneratedImage

if TYPE_CHECKING:
    from ideogram_django.pictures.verifying import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A picture that somebody wants, or several to pick from: checked and priced, nothing spent.

    Where the prompt is the field's own template, an empty gap is refused (code ``empty_gap``):
    nobody pays for a hole by accident. A prompt that somebody wrote or changed is taken as it is.
    """

    prompt: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The API's parameters and ``model``."""
    price: Decimal
    """Of one picture."""
    currency: str
    count: int = 1
    """How many drafts; the first one becomes the field's picture."""
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)
    """The same one leads to the same picture and no second charge."""
    requested_by: Any = None
    """Who pressed the button, where the field knew."""
    gaps: tuple[str, ...] = ()
    """Names in braces that still have to be filled from the record."""
    needs_all: bool = False
    """The prompt is the template as it was offered: every gap has to be filled with something."""
    source: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the offered text was made from, where it was made before the record was changed."""
    alt_text: str = ""
    decorative: bool = False

    @property
    def total(self) -> Decimal:
        """What all of them cost."""
        return self.price * self.count

    def filled_from(self, record: models.Model) -> GenerationRequest:
        """The request with the gaps of its prompt filled; ``ValidationError`` if it cannot work.

        A filled prompt is another request: the id follows from the text.
        """
        if not self.gaps:
            return self
        if self.needs_all and (holes := prompts.empty(self.gaps, record)):
            raise prompts.missing(prompts.title(type(record), name) for name in holes)
        prompt = prompts.fill(self.prompt, record, self.gaps)
        filled = replace(
            self, prompt=prompt, request_id=uuid.uuid5(self.request_id, prompt), gaps=()
        )
        wishes.check({**filled.options, "prompt": prompt})
        return filled

    def generate(self, *, requested_by: Any = None, **columns: Any) -> GeneratedImage:
        """Have it made: here the money is spent, once per ``request_id``. The first of several.

        Raises ``ValidationError``, among others with code ``over_limit``.
        """
        return self.generate_all(requested_by=requested_by, **columns)[0]

    def generate_all(self, *, requested_by: Any = None, **columns: Any) -> list[GeneratedImage]:
        """As :meth:`generate`; all ``count`` of them."""
        words = {"alt_text": self.alt_text, "decorative": self.decorative}
        return GeneratedImage.objects.generate_many(
            [{"prompt": self.prompt}] * self.count,
            **{**self.options, **words, **columns},
            request_id=uuid.uuid5(self.request_id, self.prompt) if self.gaps else self.request_id,
            requested_by=requested_by or self.requested_by,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPicture:
    """An uploaded file that is a picture, whatever it is called. Nothing is stored yet."""

    file: File[bytes]
    checked: Verified
    requested_by: Any = None
    alt_text: str = ""
    decorative: bool = False

    def store(self, *, requested_by: Any = None, alt_text: str = "") -> GeneratedImage:
        """Store the file as a finished picture; free."""
        return uploading.from_upload(
            GeneratedImage.objects.all(),
            self.file,
            requested_by=requested_by or self.requested_by,
            alt_text=alt_text or self.alt_text,
            decorative=self.decorative,
            checked=self.checked,
        )


Answer = GeneratedImage | GenerationRequest | UploadedPicture | None
"""What the form field's ``clean()`` returns."""


def flat(error: ValidationError) -> ValidationError:
    """Problems by parameter as problems of the one field that they came through."""
    if not hasattr(error, "error_dict"):
        return error
    return ValidationError([one for found in error.error_dict.values() for one in found])
