"""Copies of a decoded picture that are quicker to load, and the colour that it mostly has."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO

from PIL import ExifTags, Image, features

from ideogram_django.pictures.formats import AVIF, CONTENT_TYPES, WEBP

MAX_SIDES = {WEBP: 16_383, AVIF: 65_535}
"""Longest side that a format can hold (RFC 9649, section 2.6; AV1 specification, 5.5.1)."""
_ENCODING: dict[str, dict[str, int]] = {
    # libwebp's effort goes from 0 to 6: each step above 4 doubles the time for about a percent.
    WEBP: {"quality": 80, "method": 4},
    # Looks like WebP's 80. At speed 4 it would take four times as long for a few percent.
    AVIF: {"quality": 60, "speed": 6},
}
MAX_PROFILE = 64 * 1024
"""Bytes of a colour profile worth repeating in every copy; usual ones take 500 to 4,000."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its Exif orientation (CIPA DC-008, 4.6.4)."""
_SIDEWAYS = (5, 6, 7, 8)
_DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error, UserWarning)
"""What Pillow raises for broken Exif; it also warns, which a site may have made an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One copy: its size in pixels, its format and its file."""

    width: int
    height: int
    format: str = WEBP
    content: bytes = field(repr=False)


def orientation(image: Image.Image) -> int:
    """The Exif orientation, 1 to 8. Damaged metadata counts as upright, as it does in browsers.

    Not ``image.getexif()``: that also believes XMP, which browsers do not.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        value = exif.get(ExifTags.Base.Orientation, 1)
    except _DAMAGED:
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Width and height in pixels as a browser shows the picture, turned upright."""
    width, height = image.size
    return (height, width) if orientation(image) in _SIDEWAYS else (width, height)


def can_write(format: str) -> bool:
    """Whether this Pillow was built with an encoder for the format."""
    return format in CONTENT_TYPES and bool(features.check(format))


def planned(
    shown: tuple[int, int], widths: Iterable[int], formats: Iterable[str]
) -> list[tuple[str, int]]:
    """Format and width of each copy that a picture of this size is to have, narrowest first.

    Copies are smaller than the picture. In AVIF there is one more, as wide as the picture: a
    browser that takes AVIF never looks at the original.
    """
    given = set(formats)
    plan = set()
    for format in (WEBP, AVIF):
        if format in given:
            wanted = {*widths, shown[0]} if format == AVIF else set(widths)
            largest = shown[0] if format == AVIF else shown[0] - 1
            plan |= {
                (width, format)
                for width in wanted
                if 0 < width <= largest and max(width, _height(shown, width)) <= MAX_SIDES[format]
            }
    return [(format, width) for width, format in sorted(plan, key=_narrowest_webp_first)]


def draw(image: Image.Image, plan: Iterable[tuple[str, int]]) -> tuple[Rendition, ...]:
    """The copies that ``plan`` names, in its order; those in a format that Pillow lacks are not.

    Upright, without metadata, with the colour profile and the transparency of the original.
    """
    formats = [(format, width) for format, width in plan if can_write(format)]
    shown, turn, profile = shown_size(image), orientation(image), _profile(image)
    drawn = {}
    for width in sorted({width for _format, width in formats}, reverse=True):
        height = _height(shown, width)
        target = (height, width) if turn in _SIDEWAYS else (width, height)
        # Each is made from the one before, which is larger.
        image = _plain(image)
        if image.size != target:
            image = image.resize(target, Image.Resampling.LANCZOS, reducing_gap=2.0)
        upright = image.transpose(_TURNS[turn]) if turn in _TURNS else image
        for format in {format for format, of in formats if of == width}:
            drawn[format, width] = Rendition(
                width=width,
                height=height,
                format=format,
                content=_encoded(upright, format, profile),
            )
    return tuple(drawn[one] for one in formats)


def main_color(image: Image.Image) -> str:
    """``#rrggbb``: the colour that most of the picture has; empty for one that is all clear."""
    small = _plain(image).resize((64, 64), Image.Resampling.BOX, reducing_gap=2.0)
    solid = None
    if small.mode == "RGBA":
        solid = small.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0)
    few = small.convert("RGB").quantize(8, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    counts = few.histogram(solid)
    most = max(range(len(counts)), key=counts.__getitem__)
    palette = few.getpalette() or []
    if not counts[most] or len(palette) < 3 * most + 3:
        return ""
    red, green, blue = palette[3 * most : 3 * most + 3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _narrowest_webp_first(one: tuple[int, str]) -> tuple[int, bool]:
    width, format = one
    return width, format != WEBP


def _height(shown: tuple[int, int], width: int) -> int:
    return max(1, round(shown[1] * width / shown[0]))


def _plain(image: Image.Image) -> Image.Image:
    """The picture as RGB or RGBA, which is all that the copies hold."""
    if image.mode in ("RGB", "RGBA"):
        if "transparency" not in image.info:  # a PNG may name one colour as transparent
            return image
    elif image.mode.startswith(("I", "F")):  # 16 bits of grey: a plain conversion would clip
        image = image.convert("I").point(lambda grey: grey / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _profile(image: Image.Image) -> bytes:
    """The colour profile, if it still fits once the picture is RGB (ICC.1, 7.2: space at 16)."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or len(profile) > MAX_PROFILE:
        return b""
    return profile if profile[16:20] == b"RGB " else b""


def _encoded(image: Image.Image, format: str, profile: bytes) -> bytes:
    content = BytesIO()
    image.save(
        content,
        format.upper(),
        icc_profile=profile,
        exif=b"",  # given, so that Pillow does not copy the original's
        xmp=b"",
        **_ENCODING[format],
    )
    return content.getvalue()
