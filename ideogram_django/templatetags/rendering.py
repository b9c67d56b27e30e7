"""What the tags show, as plain functions, so that Jinja2 and components can call them too.

Rendering never fails for a picture's sake: where a file or its storage is missing, the page gets
a placeholder and the log the reason.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.template import Context
from django.template.backends.django import Template as DjangoTemplate
from django.template.loader import get_template, render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ideogram_django import conf
from ideogram_django.apiframe import catalogue
from ideogram_django.models import GeneratedImage, Place, picture_storage
from ideogram_django.pictures.formats import AVIF, CONTENT_TYPES, WEBP, srcset
from ideogram_django.querysets import bring_stand_ins
from ideogram_django.widgets import stand_in

logger = logging.getLogger(__name__)

TEMPLATE = "ideogram_django/generated_image.html"
NO_PLACE_TEMPLATE = "ideogram_django/generated_image_no_place.html"
ARGUMENTS = (
    "alt",
    "caption",
    "class",
    "credit",
    "decoding",
    "fetchpriority",
    "figure",
    "figure_class",
    "id",
    "loading",
    "sizes",
    "title",
)
"""Keywords of the tag, beside ``data_…`` and ``aria_…``, which become attributes."""
VALUES: Mapping[str, tuple[str, ...]] = {
    "decoding": ("async", "sync", "auto"),
    "fetchpriority": ("high", "low", "auto"),
    "loading": ("lazy", "eager"),
}
"""What HTML allows in these."""
_NOT_ATTRIBUTES = ("alt", "caption", "credit", "figure", "figure_class", "sizes")
_FOR_IMG_ALONE = ("loading", "decoding", "fetchpriority", "aria_label")
"""A placeholder has no use for these; its label is the alternative text."""
_LAZY, _ASYNC = {"loading": SafeString("lazy")}, {"decoding": SafeString("async")}
_OPEN = re.compile(r"(?:data|aria)_[a-z0-9_]+")


# --- public -------------------------------------------------------------------------------------


class ArgumentError(TypeError):
    """What a template asked for does not exist; says what does."""


def generated_image(image: GeneratedImage | None, **options: Any) -> SafeString:
    """The HTML of a picture; empty for None.

    :class:`ArgumentError` for an option that it does not know and for a value that HTML does not
    allow; it lists what there is.
    """
    return Page().picture(image, **options)


def generated_image_for(
    key: str, *, profile: str | None = "", places: Places | None = None, **options: Any
) -> SafeString:
    """The HTML of the picture of a fixed place; empty where there is none.

    ``profile``: the name of the prompt profile in which the place is wanted. See :meth:`Places.get`
    for what is shown where it has no such picture.

    Pass the same ``places`` to every call for a page and all of them share one query. In a site's
    development (``DEBUG``) a missing place says so on the page.
    """
    return Page(places).place(key, profile=profile, **options)


def generated_image_url(image: GeneratedImage | None, width: int | None = None) -> str:
    """Address of the smallest file at least ``width`` pixels wide, else of the largest there is.

    In a format that every browser takes. Empty where there is no file.
    """
    if width is not None and not (isinstance(width, int) and width > 0):
        raise ArgumentError(f"needs a whole number above 0 for “width”, not {width!r}.")
    shown = stand_in(image) if isinstance(image, GeneratedImage) else None
    files = _files(shown) if shown is not None else None
    if files is None:
        return ""
    wide_enough = (url for url, pixels in files.plain if width is not None and pixels >= width)
    return next(wide_enough, files.plain[-1][0])


class Places:
    """The pictures of all fixed places, fetched when the first of them is asked for."""

    def __init__(self) -> None:
        self._images: dict[str, dict[str, GeneratedImage]] | None = None

    def get(self, key: str, profile: str | None = "") -> GeneratedImage | None:
        """The place's picture for this profile, or else the one for none.

        Without ``profile`` the one for none, or else the one of the place that was added first. One
        that can be shown comes before one that is not there yet.
        """
        if self._images is None:
            self._images = self._fetch()
        pictures = self._images.get(key, {})
        wanted = dict.fromkeys((str(profile), "") if profile else ("", *pictures))
        found = [pictures[name] for name in wanted if name in pictures]
        return next(filter(stand_in, found), found[0] if found else None)

    @staticmethod
    def _fetch() -> dict[str, dict[str, GeneratedImage]]:
        """By key, then by the profile's name: the places that have a picture."""
        filled = Place.objects.filter(image__isnull=False).order_by("pk")
        places = filled.select_related("profile", "image__replaces")
        images: dict[str, dict[str, GeneratedImage]] = {}
        for place in places:
            if place.image is not None:
                images.setdefault(place.key, {})[str(place.profile or "")] = place.image
        every = [image for found in images.values() for image in found.values()]
        bring_stand_ins(every, using=places.db)
        return images


class Page:
    """What all pictures of one page share, so that it is looked for once: template and places."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places if places is not None else Places()
        self._template: Any = None
        self._context: Context | None = None

    def picture(self, image: GeneratedImage | None, **options: Any) -> SafeString:
        """See :func:`generated_image`."""
        if not isinstance(image, GeneratedImage):
            _check(options)
            return SafeString("")
        return self._render(picture_context(image, **options))

    def place(self, key: str, *, profile: str | None = "", **options: Any) -> SafeString:
        """See :func:`generated_image_for`."""
        image = self._places.get(key, profile)
        if image is None and django_settings.DEBUG:
            return render_to_string(NO_PLACE_TEMPLATE, {"key": key, "profile": profile})
        return self.picture(image, **options)

    def _render(self, values: dict[str, Any]) -> SafeString:
        if self._template is None:
            self._template = get_template(TEMPLATE)
            if isinstance(self._template, DjangoTemplate):
                # One context for all, which also remembers what the template includes.
                engine = self._template.backend.engine
                self._context = Context(autoescape=engine.autoescape)
        if self._context is None:  # the site's own, in another template language
            return SafeString(self._template.render(values))
        with self._context.push(values):
            return SafeString(self._template.template.render(self._context))


def check_names(names: Iterable[str]) -> None:
    """:class:`ArgumentError` where a keyword is not one of ours."""
    for name in names:
        if name not in ARGUMENTS and not _OPEN.fullmatch(name):
            raise ArgumentError(f"does not know “{name}”. There are: {choices()}.")


def check_value(name: str, value: Any) -> None:
    """:class:`ArgumentError` where HTML has a closed list of values and this is none of them."""
    allowed = VALUES.get(name)
    if allowed and value not in (None, False, "", *allowed):
        raise ArgumentError(f"cannot have “{value}” for “{name}”. There are: {', '.join(allowed)}.")


def choices() -> str:
    return ", ".join((*ARGUMENTS, "data_…", "aria_…"))


# --- what the template gets ---------------------------------------------------------------------


def picture_context(image: GeneratedImage, **options: Any) -> dict[str, Any]:
    """What the template needs. ``picture`` is None where a placeholder has to stand in."""
    _check(options)
    shown = stand_in(image)
    files = _files(shown) if shown is not None else None
    alt = options.get("alt")
    context: dict[str, Any] = {"image": image, "picture": shown if files else None}
    if shown is not None and files is not None:
        context |= {
            "src": files.plain[-1][0],
            "srcset": srcset(files.plain) if len(files.plain) > 1 else "",
            "sources": files.sources,
            "sizes": options.get("sizes") if len(files.plain) > 1 or files.sources else None,
            "width": shown.width,
            "height": shown.height,
            "alt": _alt(shown) if alt is None else alt,
        }
    else:
        width, height = shape_of(image)
        context |= {
            "width": width,
            "height": height,
            "color": _color(image),
            "label": _label(image) if alt is None else alt,
        }
    context["attributes"] = _attributes(options, img=files is not None)
    return context | _figure(options, shown or image)


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


def _check(options: Mapping[str, Any]) -> None:
    check_names(options)
    for name, value in options.items():
        check_value(name, value)


def _alt(image: GeneratedImage) -> str:
    return "" if image.decorative else image.alt_text


def _label(image: GeneratedImage) -> str:
    if image.alt_text or image.decorative:
        return _alt(image)
    if image.is_in_progress:
        return gettext("This picture is being made.")
    return gettext("There is no picture yet.")


def _color(image: GeneratedImage) -> str:
    """Its own main colour, else that of a relative that is at hand. Never worth a query."""
    relatives = [
        getattr(image, name)
        for name in ("replaces", "parent")
        if image._meta.get_field(name).is_cached(image)  # type: ignore[union-attr]
    ]
    return next((one.color for one in (image, *relatives) if one and one.color), "")


def _figure(options: Mapping[str, Any], shown: GeneratedImage) -> dict[str, Any]:
    caption, credit, css = (options.get(name) for name in ("caption", "credit", "figure_class"))
    if credit is True:
        credit = "" if shown.uploaded else gettext("Picture made with AI")
    return {
        "figure": bool(options.get("figure") or caption or credit or css),
        "figure_class": css,
        "caption": caption,
        "credit": credit,
    }


def _attributes(options: Mapping[str, Any], *, img: bool) -> list[tuple[str, Any]]:
    """Every other attribute, in the order given; those of ``<img>`` alone only for one."""
    lazy = options.get("fetchpriority") != "high"  # lazy and urgent would contradict each other
    given = {**(_LAZY if lazy else {}), **_ASYNC, **options}
    return [
        # A name has been checked, so that the template need not look for what to escape in it.
        (SafeString(name.replace("_", "-")), value)
        for name, value in given.items()
        if value not in (None, False, "")
        and name not in _NOT_ATTRIBUTES
        and (img or name not in _FOR_IMG_ALONE)
    ]


# --- files --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """Addresses with their widths, the narrowest first."""

    plain: list[tuple[str, int]]
    """For ``<img>``: WebP copies and the original, which comes last. Never empty."""
    sources: list[dict[str, str]]
    """For ``<source>``: type and srcset of formats that not every browser takes."""


def _files(image: GeneratedImage) -> _Files | None:
    """The files of a finished picture; None where there is none to show."""
    try:
        formats = conf.current().FORMATS
        address = picture_storage.url  # looked up at each use
        copies = [
            (one["name"], one["width"], one.get("format", WEBP))
            for one in sorted(image.renditions, key=lambda one: int(one["width"]))
            if one.get("format", WEBP) in formats
        ]
        original = (str(image.file.name), image.width or 0, "")
        if _is_gone(original[0]):
            logger.warning("The file of picture %s is gone", image.uuid)
            files = [one for one in copies if not _is_gone(one[0])]
        else:
            files = [*copies, original]
        addressed = [(address(name), width, format) for name, width, format in files]
    except Exception:
        # A storage is a plugin and raises what its client library raises; a page is worth more
        # than the picture on it.
        logger.exception("The address of picture %s cannot be told", image.uuid)
        return None
    newer = [(url, width) for url, width, format in addressed if format == AVIF]
    plain = [(url, width) for url, width, format in addressed if format != AVIF] or newer
    sources = [{"type": CONTENT_TYPES[AVIF], "srcset": srcset(newer)}] if newer else []
    return _Files(plain=plain, sources=sources) if plain else None


def _is_gone(name: str) -> bool:
    """Whether the storage keeps its files on this machine, and this one is not among them.

    Where its folder is missing too, or is the storage's own, which always exists, the files may be
    another machine's to serve.
    """
    try:
        path = picture_storage.path(name)
    except NotImplementedError:
        return False
    return "/" in name and not os.path.exists(path) and os.path.isdir(os.path.dirname(path))
