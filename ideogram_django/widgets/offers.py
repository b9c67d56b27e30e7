"""What a user may do in a picture field: made by the form field, read by the widget."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from django.core import signing

from ideogram_django.models import GeneratedImage

TERMS_SALT = "ideogram_django.field.terms"
MOST_DRAFTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a new picture would be like and cost, as it stands in the form under our signature.

    So that a button beside the prompt can order without the form, and nobody pays another price
    than the one that was shown.
    """

    price: str
    currency: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """The API's parameters and ``model``, as plain values."""
    template: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The gaps of the template, and what people call them."""
    holes: list[str] = field(default_factory=list)
    """What people call the gaps that nothing filled when the prompt was offered."""
    version: int | None = None
    """Of the prompt profile in ``options``: what it says around the text was shown."""
    made_for: Mapping[str, Any] = field(default_factory=dict)
    """The record that the text was made from, as columns of a new picture."""

    def sign(self) -> str:
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        return signing.dumps(plain, salt=TERMS_SALT)

    @classmethod
    def read(cls, text: str) -> Terms | None:
        """None for what we did not sign."""
        try:
            return cls(**signing.loads(text, salt=TERMS_SALT))
        except (signing.BadSignature, TypeError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How a new picture can be had."""

    price: str
    """Of one, with its currency, as it stands on the label."""
    prompt: str = ""
    """Offered text; what is sent, word for word, unless it has gaps."""
    gaps: Sequence[str] = ()
    """Names in braces that are filled from the record when it is saved."""
    holes: Sequence[str] = ()
    """What the offered text lacks, since these fields of the record are empty."""
    shape: str = ""
    shapes: Sequence[str] = ()
    longest: int = 2000
    count: int = 1
    """How many drafts are proposed; 0 where only one can be had, with the form."""
    labels: Sequence[str] = ()
    """The button's text for 1, 2, … pictures."""
    terms: str = ""
    profile: str = ""
    before: str = ""
    """What the profile puts before the text, and after it, blanks included."""
    after: str = ""
    left: Sequence[str] = ()
    """What may still be spent, a sentence for each limit."""
    fixed: Sequence[tuple[str, str]] = ()
    """What the profile fixes, as people say it."""

    @property
    def framed(self) -> bool:
        return bool(self.before or self.after)

    def sent(self, prompt: str) -> str:
        """The exact text for a prompt whose gaps are filled."""
        return f"{self.before}{prompt}{self.after}" if prompt.strip() else ""

    @property
    def labels_json(self) -> str:
        return json.dumps({"": list(self.labels)})

    @property
    def label(self) -> str:
        """The button's text before the script fits it to what is chosen."""
        return self.labels[self.count - 1] if self.labels and self.count else ""

    @property
    def counts(self) -> range:
        return range(1, MOST_DRAFTS + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a picture tells people who cannot see it."""

    alt_text: str = ""
    decorative: bool = False

    @classmethod
    def of(cls, image: GeneratedImage | None) -> Words:
        return cls(alt_text=image.alt_text, decorative=image.decorative) if image else cls()

    def same(self, other: Words) -> bool:
        """But for blanks, which browsers change."""
        return (self.alt_text.split(), self.decorative) == (
            other.alt_text.split(),
            other.decorative,
        )

    def __bool__(self) -> bool:
        return bool(self.alt_text.strip()) or self.decorative


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What this user may do here."""

    current: GeneratedImage | None = None
    required: bool = False
    may_choose: bool = False
    choices: str | None = ""
    """Which pictures the dialog shows, as a signed token: "" for all, None for no dialog."""
    may_browse: bool = False
    """May open the gallery's own pages."""
    may_view: bool = False
    """May ask how any picture stands; others need a token."""
    may_upload: bool = False
    may_describe: bool = False
    """May say what the picture shows."""
    words: Words | None = None
    """The stored words as the form shows them, where they are not the current picture's."""
    make: Make | None = None
    stale: str = ""
    """Why the current picture is out of date, as a sentence; empty where it is not."""
    why_not: str = ""
    """Why nothing can be made although this person may have pictures made."""
    drafts: Sequence[GeneratedImage] = ()
    """Made from this form, which was not saved since."""
    relatives: Sequence[GeneratedImage] = ()
    """The other drafts of the current picture's request, and what was to replace it."""
    before: GeneratedImage | None = None
    """What the current picture replaces."""
    typical: Mapping[str, float] = field(default_factory=dict)
    pause: str = ""
