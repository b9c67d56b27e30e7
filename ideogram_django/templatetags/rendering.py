"""What the tags show, as plain functions, so that Jinja2 and components can call them too.

Rendering never fails for a picture's sake: where a file or its storage is missing, the page gets
a placeholder and the log the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping
from html import escape
from typing import Any

from django.conf import settings as django_settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ideogram_django.apiframe import catalogue
from ideogram_django.models import GeneratedImage, Place
from ideogram_django.pictures.formats import AVIF, CONTENT_TYPES
from ideogram_django.querysets import bring_stand_ins
from ideogram_django.templatetags.finding import Files, Finder
from ideogram_django.templatetags.markup import PICTURE, PLACEHOLDER, Markup, frame, mark
from ideogram_django.widgets import stand_in

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
_DECIDING = ("credit", "figure")
"""Their values are asked about, beside those that HTML has lists for."""
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
    return Page().picture(image, options)


def generated_image_for(
    key: str, *, profile: str | None = "", places: Places | None = None, **options: Any
) -> SafeString:
    """The HTML of the picture of a fixed place; empty where there is none.

    ``profile``: the name of the prompt profile in which the place is wanted. See :meth:`Places.get`
    for what is shown where it has no such picture.

    Pass the same ``places`` to every call for a page and all of them share one query. In a site's
    development (``DEBUG``) a missing place says so on the page.
    """
    return Page(places).place(key, profile=profile, options=options)


def generated_image_url(image: GeneratedImage | None, width: int | None = None) -> str:
    """Address of the smallest file at least ``width`` pixels wide, else of the largest there is.

    In a format that every browser takes. Empty where there is no file.
    """
    return Page().address(image, width)


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


class Keywords:
    """The keywords of one tag in a template, looked at once."""

    def __init__(self, options: Mapping[str, Any], varying: Collection[str] = ()) -> None:
        self.options = options
        """In the order in which they stand there; None for those whose value varies."""
        self.varying = tuple(name for name in varying if name != "alt")
        """These, but for the alternative text, which differs from picture to picture anyway."""
        self.are_texts = not any(name in VALUES or name in _DECIDING for name in varying)
        """Those that vary are only written out, and change nothing else about the picture."""
        _check(options)


class Page:
    """What all pictures of one page share, so that it is looked for once.

    They mostly differ in a few texts alone. Our own template, which only writes these out, is
    therefore rendered once with marks in their place, as a frame, and the texts of each picture are
    put into it. A template of the site's may look at what it gets, and is rendered each time.
    """

    def __init__(self, places: Places | None = None) -> None:
        self._places = places if places is not None else Places()
        self._finder = Finder()
        self._markup = Markup()
        self._frames: dict[Hashable, str] = {}

    def picture(
        self,
        image: GeneratedImage | None,
        options: Mapping[str, Any],
        keywords: Keywords | None = None,
    ) -> SafeString:
        """See :func:`generated_image`. With ``keywords``, ``options`` are for one of many."""
        if not isinstance(image, GeneratedImage):
            _check(options)
            return SafeString("")
        shown, files = self._shown(image)
        if shown is None or files is None:
            _check(options)
            return self._markup.render(PLACEHOLDER, _context(image, shown, files, options))
        if keywords is not None and keywords.are_texts and self._markup.writes_only:
            return self._framed(shown, files, options, keywords)
        _check(options)
        return self._markup.render(PICTURE, _context(image, shown, files, options))

    def place(
        self, key: str, *, profile: str | None = "", options: Mapping[str, Any]
    ) -> SafeString:
        """See :func:`generated_image_for`."""
        image = self._places.get(key, profile)
        if image is None and django_settings.DEBUG:
            return render_to_string(NO_PLACE_TEMPLATE, {"key": key, "profile": profile})
        return self.picture(image, options)

    def address(self, image: GeneratedImage | None, width: int | None) -> str:
        """See :func:`generated_image_url`."""
        if width is not None and not (isinstance(width, int) and width > 0):
            raise ArgumentError(f"needs a whole number above 0 for “width”, not {width!r}.")
        _image, files = self._shown(image) if isinstance(image, GeneratedImage) else (None, None)
        if files is None:
            return ""
        wide_enough = (url for url, pixels in files.plain if width is not None and pixels >= width)
        return next(wide_enough, files.src)

    def _shown(self, image: GeneratedImage) -> tuple[GeneratedImage | None, Files | None]:
        shown = stand_in(image)
        return shown, self._finder.files(shown) if shown is not None else None

    def _framed(
        self,
        shown: GeneratedImage,
        files: Files,
        options: Mapping[str, Any],
        keywords: Keywords,
    ) -> SafeString:
        text = self._markup.text
        alt = options.get("alt")
        texts = {"src": escape(files.src), "alt": text(_alt(shown) if alt is None else alt)}
        if files.srcset:
            texts["srcset"] = escape(files.srcset)
        if files.newer:
            texts["newer"] = escape(files.newer)
        if shown.width and shown.height:
            texts |= {"width": str(shown.width), "height": str(shown.height)}
        for name in keywords.varying:
            if _is_given(name, options[name]):
                texts[name] = text(options[name])
        # All that our template asks about. Where it is the same, so is everything but the texts.
        kind = (keywords, shown.uploaded, *texts)
        html = self._frames.get(kind)
        if html is None:
            marks = {name: mark(name) for name in texts}
            html = frame(self._markup.render(PICTURE, _marked(shown, marks, keywords)))
            self._frames[kind] = html
        return SafeString(html % texts)


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
    return _context(image, *Page()._shown(image), options)


def _context(
    image: GeneratedImage,
    shown: GeneratedImage | None,
    files: Files | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    alt = options.get("alt")
    context: dict[str, Any] = {"image": image, "picture": shown if files else None}
    if shown is not None and files is not None:
        newer = {"type": CONTENT_TYPES[AVIF], "srcset": files.newer}
        context |= {
            "src": files.src,
            "srcset": files.srcset,
            "sources": [newer] if files.newer else [],
            "sizes": options.get("sizes") if files.srcset or files.newer else None,
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


def _marked(shown: GeneratedImage, marks: Mapping[str, str], keywords: Keywords) -> dict[str, Any]:
    """What the template needs to make a frame, of texts that there are."""
    varying = {name: marks.get(name, "") for name in keywords.varying}
    options = {**keywords.options, **varying, "alt": marks["alt"]}
    files = Files(src=marks["src"], srcset=marks.get("srcset", ""), newer=marks.get("newer", ""))
    size = {"width": marks.get("width"), "height": marks.get("height")}
    return _context(shown, shown, files, options) | size


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


def _is_given(name: str, value: Any) -> bool:
    """Whether anything is written for it."""
    return bool(value) if name in _NOT_ATTRIBUTES else value not in (None, False, "")


def _attributes(options: Mapping[str, Any], *, img: bool) -> list[tuple[str, Any]]:
    """Every other attribute, in the order given; those of ``<img>`` alone only for one."""
    lazy = options.get("fetchpriority") != "high"  # lazy and urgent would contradict each other
    given = {**(_LAZY if lazy else {}), **_ASYNC, **options}
    return [
        # A name has been checked, so that the template need not look for what to escape in it.
        (SafeString(name.replace("_", "-")), value)
        for name, value in given.items()
        if name not in _NOT_ATTRIBUTES
        and _is_given(name, value)
        and (img or name not in _FOR_IMG_ALONE)
    ]
