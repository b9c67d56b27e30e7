"""The form widget: the current picture, and three ways to another one.

What it shows follows from an :class:`Offer` that the form field makes; without one it can only
keep or remove the picture.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core import signing
from django.core.files.uploadedfile import UploadedFile

from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

CURRENT_SALT = "ideogram_django.field.current"
WIDGET_SALT = "ideogram_django.widget"
STAND_INS = 5
"""How far back a picture is looked for that can stand in for one that is not there yet."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How a new picture can be had."""

    price: str
    """With its currency, as it stands on the label."""
    prompt: str = ""
    """Offered text; what is sent, word for word, unless it has gaps."""
    gaps: Sequence[str] = ()
    """Names in braces that are filled from the record when it is saved."""
    shape: str = ""
    shapes: Sequence[str] = ()
    longest: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What this user may do here."""

    current: GeneratedImage | None = None
    required: bool = False
    may_choose: bool = False
    may_browse: bool = False
    """May open the gallery's own pages."""
    may_upload: bool = False
    make: Make | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What came back, unjudged. Only ``kept`` is known to be ours: it carries our signature."""

    chosen: str | None = None
    """What stands in the text input, ``None`` where there was none."""
    kept: uuid.UUID | None = None
    upload: UploadedFile[bytes] | None = None
    make: bool = False
    prompt: str = ""
    offered: str = ""
    shape: str = ""
    clear: bool = False
    posted_id: str = ""
    request_id: uuid.UUID | None = None

    @property
    def choice(self) -> str:
        """The picture that was chosen in place of the one shown; empty if none."""
        chosen = (self.chosen or "").strip()
        return "" if self.kept and chosen == str(self.kept) else chosen

    @property
    def emptied(self) -> bool:
        """The picture shown was taken out, by the box or by emptying the text input."""
        return self.clear or (self.kept is not None and self.chosen is not None and not self.chosen)

    @property
    def edited(self) -> bool:
        """The offered prompt was changed."""
        return bool(self.prompt) and self.prompt != self.offered

    @property
    def touched(self) -> bool:
        return bool(
            self.choice or self.upload or self.make or self.edited or (self.kept and self.emptied)
        )


class GeneratedImageWidget(forms.Widget):
    """Several inputs under one name: ``hero``, ``hero-upload``, ``hero-make``, …"""

    template_name = "ideogram_django/widgets/generated_image.html"
    needs_multipart_form = True
    use_fieldset = True
    choices: Sequence[Any] = ()
    """The admin's wrapper for foreign keys wants to hand these on; there are none."""

    def __init__(self, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__(dict(attrs) if attrs else None)
        self.make_offer: Callable[[], Offer] = Offer

    class Media:
        css = {"all": ["ideogram_django/field.css"]}
        js = ["ideogram_django/ideogram.js"]

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        """None: the label is the legend of a group of inputs."""
        return ""

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key in data or key in files for key in (name, *_names(name).values()))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Submitted:
        names = _names(name)
        prompt = _plain(data.get(names["prompt"]))
        shape = data.get(names["shape"]) or ""
        posted_id = data.get(names["request"]) or ""
        chosen = data.get(name)
        return Submitted(
            chosen=None if chosen is None else _reference(str(chosen)),
            kept=_unsigned(data.get(names["current"])),
            upload=files.get(names["upload"]) or None,
            make=bool(data.get(names["make"])),
            prompt=prompt,
            offered=_plain(data.get(names["offered"])),
            shape=shape,
            clear=bool(data.get(names["clear"])),
            posted_id=posted_id,
            request_id=_request_id(posted_id, name, prompt, shape),
        )

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        submitted = value if isinstance(value, Submitted) else Submitted()
        offer = self.make_offer()
        current = offer.current
        disabled = bool(context["widget"]["attrs"].get("disabled"))
        context["widget"].update(
            names=_names(name),
            id=context["widget"]["attrs"].get("id") or f"id_{name}",
            offer=offer,
            current=current,
            stand_in=stand_in(current),
            reference=str(current.uuid) if current else "",
            signed=sign_current(current) if current else "",
            token=sign_widget([current.uuid]) if current else "",
            chosen=_shown_choice(submitted, current),
            submitted=submitted,
            # A form that comes back with errors keeps its id: it is still the same request.
            request_id=submitted.posted_id if submitted.request_id else str(uuid.uuid4()),
            prompt=submitted.prompt if isinstance(value, Submitted) else _offered(offer),
            offered=submitted.offered if isinstance(value, Submitted) else _offered(offer),
            shape=submitted.shape or (offer.make.shape if offer.make else ""),
            make_open=submitted.make or submitted.edited,
            editable=not disabled,
            removable=bool(current) and not offer.required,
        )
        return context


# --- the picture that is shown ------------------------------------------------------------------


def has_file(image: GeneratedImage) -> bool:
    return image.status == Status.COMPLETED and bool(image.file)


def stand_in(image: GeneratedImage | None) -> GeneratedImage | None:
    """The picture itself once it is there, else the nearest one that it replaces, else None.

    The first step back needs no query for pictures fetched with ``for_display()``.
    """
    for _step in range(STAND_INS):
        if image is None or has_file(image):
            return image
        image = image.replaces if image.replaces_id else None
    return None


# --- signatures ---------------------------------------------------------------------------------


def sign_current(image: GeneratedImage) -> str:
    """Proof that this picture was shown in this form, so that it may be kept, also in a copy."""
    return signing.Signer(salt=CURRENT_SALT).sign(str(image.uuid))


def sign_widget(uuids: Sequence[uuid.UUID]) -> str:
    """A token that lets a visitor of a public form see how these pictures are coming along."""
    return signing.dumps([str(uuid) for uuid in uuids], salt=WIDGET_SALT)


def _unsigned(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(signing.Signer(salt=CURRENT_SALT).unsign(text or ""))
    except (signing.BadSignature, ValueError):
        return None


# --- parts --------------------------------------------------------------------------------------


def _names(name: str) -> dict[str, str]:
    parts = ("current", "upload", "make", "prompt", "offered", "shape", "clear", "request")
    return {part: f"{name}-{part}" for part in parts}


def _plain(text: str | None) -> str:
    """Without what browsers do to a textarea: line ends, and a first blank line."""
    return (text or "").replace("\r\n", "\n").strip()


def _reference(text: str) -> str:
    """A picture's number or uuid, also out of the middle of an address."""
    found = _UUID.search(text)
    return str(uuid.UUID(found[0])) if found else text.strip()


def _request_id(posted: str, name: str, prompt: str, shape: str) -> uuid.UUID | None:
    """One id per form, input and wish.

    Posting a form twice gives the same one. A cloned row of a formset, or a prompt changed after
    going back, gives another: that is another picture.
    """
    try:
        return uuid.uuid5(uuid.UUID(posted), f"{name}\n{shape}\n{prompt}")
    except ValueError:
        return None


def _offered(offer: Offer) -> str:
    return offer.make.prompt if offer.make else ""


def _shown_choice(submitted: Submitted, current: GeneratedImage | None) -> str:
    if submitted.chosen is not None:
        return submitted.chosen
    return str(current.uuid) if current else ""
