"""Smaller WebP copies of a decoded picture, for ``srcset``."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from PIL import ExifTags, Image

QUALITY = 80
METHOD = 4
"""libwebp's effort, 0 to 6: each step above 4 doubles the time for about a percent."""
MAX_SIDE = 16_383
"""Longest side that WebP can hold (RFC 9649, section 2.6)."""
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
    """One smaller copy: its size in pixels and its file."""

    width: int
    height: int
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


def draw_renditions(image: Image.Image, widths: Sequence[int]) -> tuple[Rendition, ...]:
    """Copies of a decoded picture for those ``widths`` that are smaller than it, narrowest first.

    Upright, without metadata, with the colour profile and the transparency of the original.
    """
    sizes = list(_sizes(shown_size(image), widths))
    if not sizes:
        return ()
    turn = orientation(image)
    profile = _profile(image)
    drawn = []
    for width, height in sizes:  # each is made from the one before, which is larger
        target = (height, width) if turn in _SIDEWAYS else (width, height)
        image = _plain(image).resize(target, Image.Resampling.LANCZOS, reducing_gap=2.0)
        upright = image.transpose(_TURNS[turn]) if turn in _TURNS else image
        drawn.append(Rendition(width=width, height=height, content=_webp(upright, profile)))
    return tuple(reversed(drawn))


def _sizes(shown: tuple[int, int], widths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The sizes to draw, largest first; never larger than the picture."""
    for width in sorted(set(widths), reverse=True):
        height = max(1, round(shown[1] * width / shown[0]))
        if 0 < width < shown[0] and max(width, height) <= MAX_SIDE:
            yield width, height


def _plain(image: Image.Image) -> Image.Image:
    """The picture as RGB or RGBA, which is all that WebP holds."""
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


def _webp(image: Image.Image, profile: bytes) -> bytes:
    content = BytesIO()
    image.save(
        content,
        "WEBP",
        quality=QUALITY,
        method=METHOD,
        icc_profile=profile,
        exif=b"",  # given, so that Pillow does not copy the original's
        xmp=b"",
    )
    return content.getvalue()
