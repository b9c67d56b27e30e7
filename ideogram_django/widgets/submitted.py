"""What comes back from a picture field's inputs."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from ideogram_django.widgets.offers import Words

_NO_WORDS = Words()
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
PARTS = (
    "current",
    "upload",
    "make",
    "prompt",
    "offered",
    "shape",
    "count",
    "draft",
    "terms",
    "clear",
    "request",
    "alt",
    "alt-was",
    "decorative",
    "decorative-was",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What came back, unjudged. Only ``kept`` is known to be ours: it carries our signature."""

    chosen: str | None = None
    """What stands in the text input, ``None`` where there was none."""
    kept: uuid.UUID | None = None
    upload: UploadedFile[bytes] | None = None
    upload_lost: bool = False
    """A file's name came without the file: the form is not sent as ``multipart/form-data``."""
    make: bool = False
    prompt: str = ""
    offered: str = ""
    shape: str = ""
    count: str = ""
    draft: str = ""
    terms: str = ""
    clear: bool = False
    posted_id: str = ""
    request_id: uuid.UUID | None = None
    alt_text: str | None = None
    """``None`` where the form did not ask."""
    decorative: bool = False
    words_before: Words = _NO_WORDS
    """The words that the form showed."""

    @property
    def choice(self) -> str:
        """The picture that was chosen in place of the one shown; empty if none."""
        chosen = (self.chosen or "").strip()
        return "" if self.kept and chosen == str(self.kept) else chosen

    @property
    def picked(self) -> str:
        """The draft, or the picture before, that was picked in place of the one shown."""
        return "" if self.kept and self.draft == str(self.kept) else self.draft

    @property
    def emptied(self) -> bool:
        """The picture shown was taken out, by the box or by emptying the text input."""
        return self.clear or (self.kept is not None and self.chosen is not None and not self.chosen)

    @property
    def edited(self) -> bool:
        """The offered prompt was changed."""
        return bool(self.prompt) and self.prompt != self.offered

    @property
    def words(self) -> Words | None:
        """The new words for the picture; None where nobody changed them."""
        if self.alt_text is None:
            return None
        words = Words(alt_text=self.alt_text, decorative=self.decorative)
        return None if words.same(self.words_before) else words

    @property
    def touched(self) -> bool:
        return bool(
            self.choice
            or self.picked
            or self.upload
            or self.upload_lost
            or self.make
            or self.edited
            or self.words is not None
            or (self.kept and self.emptied)
        )


def names(name: str) -> dict[str, str]:
    """The inputs' names by part; a template writes ``alt_was`` for the part ``alt-was``."""
    return {part.replace("-", "_"): f"{name}-{part}" for part in PARTS}


def submitted_wish(parts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What somebody wants made, from the inputs' values by the part of their names."""
    prompt = _plain(parts.get("prompt"))
    shape = parts.get("shape") or ""
    count = parts.get("count") or ""
    posted_id = parts.get("request") or ""
    return {
        "prompt": prompt,
        "offered": _plain(parts.get("offered")),
        "shape": shape,
        "count": count,
        "draft": (parts.get("draft") or "").strip(),
        # In a list the tick itself carries them.
        "terms": parts.get("terms") or parts.get("make") or "",
        "posted_id": posted_id,
        "request_id": _request_id(posted_id, name, shape, count),
    }


def _plain(text: str | None) -> str:
    """Without what browsers do to a textarea: line ends, and a first blank line."""
    return (text or "").replace("\r\n", "\n").strip()


def reference(text: str) -> str:
    """A picture's number or uuid, also out of the middle of an address."""
    found = _UUID.search(text)
    return str(uuid.UUID(found[0])) if found else text.strip()


def _request_id(posted: str, name: str, shape: str, count: str) -> uuid.UUID | None:
    """One id per form, input and wish, but for the final prompt, which joins it when it is known.

    Posting a form twice gives the same one. A cloned row of a formset gives another: that is
    another picture.
    """
    try:
        return uuid.uuid5(uuid.UUID(posted), f"{name}\n{count or 1}\n{shape}")
    except ValueError:
        return None
