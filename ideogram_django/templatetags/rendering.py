"""What the tags show, as plain functions, so that Jinja2 and components can call them too.

Rendering never fails for a picture's sake: where a file or its storage is missing, the page gets
a placeholder and the log the reason.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ideogram_django.apiframe import catalogue
from ideogram_django.models import GeneratedImage, picture_storage
from ideogram_django.widgets import stand_in

logger = logging.getLogger(__name__)

TEMPLATE = "ideogram_django/generated_image.html"
ARGUMENTS = (
    "alt",
    "class",
    "decoding",
    "fetchpriority",
    "id",
    "loading",
    "sizes",
    "title",
)
"""Keywords of the tag, beside ``data_…`` and ``aria_…``, which become attributes."""
_OPEN = re.compile(r"(?:data|aria)_[a-z0-9_]+")


def unknown_arguments(names: Any) -> list[str]:
    return [name for name in names if name not in ARGUMENTS and not _OPEN.fullmatch(name)]


def generated_image(image: GeneratedImage | None, **options: Any) -> SafeString:
    """The HTML of a picture; empty for None. ``TypeError`` for an option that it does not know."""
    if not isinstance(image, GeneratedImage):
        return SafeString("")
    return render_to_string(TEMPLATE, picture_context(image, **options))


def picture_context(image: GeneratedImage, **options: Any) -> dict[str, Any]:
    """What the template needs. ``picture`` is None where a placeholder has to stand in."""
    unknown = unknown_arguments(options)
    if unknown:
        raise TypeError(f"unknown options: {', '.join(unknown)}; there are: {choices()}")
    shown = stand_in(image)
    files = _files(shown) if shown is not None else []
    alt = options.get("alt")
    context: dict[str, Any] = {"image": image, "picture": shown if files else None}
    attributes: dict[str, Any] = {"loading": "lazy", "decoding": "async"}
    attributes.update({name: value for name, value in options.items() if name != "alt"})
    sizes = attributes.pop("sizes", None)
    if shown is not None and files:
        context.update(
            src=files[-1][0],
            srcset=_srcset(files),
            sizes=sizes if len(files) > 1 else None,
            width=shown.width,
            height=shown.height,
            alt=_alt(shown) if alt is None else alt,
        )
    else:
        width, height = shape_of(image)
        context.update(width=width, height=height, label=_label(image) if alt is None else alt)
        for name in ("loading", "decoding", "fetchpriority"):
            attributes.pop(name, None)
    context["attributes"] = _attributes(attributes)
    return context


def image_url(image: GeneratedImage | None, width: int | None = None) -> str:
    """Address of the smallest file at least ``width`` pixels wide, else of the largest there is."""
    shown = stand_in(image) if isinstance(image, GeneratedImage) else None
    files = _files(shown) if shown is not None else []
    if not files:
        return ""
    wide_enough = (url for url, pixels in files if width is not None and pixels >= width)
    return next(wide_enough, files[-1][0])


def choices() -> str:
    return ", ".join((*ARGUMENTS, "data_…", "aria_…"))


def shape_of(image: GeneratedImage) -> tuple[int, int]:
    """The size in pixels, or the one that is expected, or at least its proportion."""
    if image.width and image.height:
        return image.width, image.height
    model = catalogue.MODELS.get(image.model)
    shape = model.shape(image.aspect_ratio) if model and image.aspect_ratio else None
    if shape is not None and shape.width and shape.height:
        return shape.width, shape.height
    for text, divider in ((image.resolution, "x"), (image.aspect_ratio, ":")):
        width, _divider, height = text.partition(divider)
        if width.isdecimal() and height.isdecimal() and int(width) and int(height):
            return int(width), int(height)
    return 1, 1


def _files(image: GeneratedImage) -> list[tuple[str, int]]:
    """Addresses and widths, the narrowest first, the original last."""
    try:
        renditions = sorted(image.renditions, key=lambda one: one["width"])
        smaller = [(picture_storage.url(one["name"]), one["width"]) for one in renditions]
        return [*smaller, (image.url, image.width or 0)]
    except Exception:
        # A storage is a plugin and raises what its client library raises; a page is worth more
        # than the picture on it.
        logger.exception("The address of picture %s cannot be told", image.uuid)
        return []


def _srcset(files: list[tuple[str, int]]) -> str:
    if len(files) < 2:
        return ""
    # A blank or a comma would end the address there.
    return ", ".join(
        f"{url.replace(' ', '%20').replace(',', '%2C')} {width}w" for url, width in files if width
    )


def _alt(image: GeneratedImage) -> str:
    return "" if image.decorative else image.alt_text


def _label(image: GeneratedImage) -> str:
    if image.alt_text or image.decorative:
        return _alt(image)
    if image.is_in_progress:
        return gettext("This picture is being made.")
    return gettext("There is no picture yet.")


def _attributes(options: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name.replace("_", "-"), value)
        for name, value in options.items()
        if value not in (None, False, "")
    ]
