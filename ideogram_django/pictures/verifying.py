"""Find out whether a downloaded file is a picture that this site can store and show.

The bytes are hostile until decoded: they may be HTML, cut short, or a few kilobytes that unfold to
a gigabyte. The file itself is never changed.
"""

from __future__ import annotations

import re
import struct
import threading
import zlib
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from ideogram_django.exceptions import PictureError
from ideogram_django.pictures.formats import WEBP
from ideogram_django.pictures.renditions import (
    Rendition,
    draw,
    main_color,
    planned,
    shown_size,
)

EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
"""The formats that are let through, with the extension for a file's name."""
CONTENT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MAX_SCANS = 200
"""Passes over a JPEG. Progressive ones have about ten; a few bytes each can ask for thousands,
and every one costs the time of a whole decode."""
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
"""Markers that begin a segment, and the end. Not stuffed zeros and restarts, which are data."""

_PILLOW_ERRORS = (
    OSError,  # not identified, truncated, broken data
    SyntaxError,  # Pillow's own word for a broken header
    ValueError,  # text chunks and compressed profiles beyond Pillow's limits
    EOFError,  # a WebP without a decodable frame
    struct.error,  # headers cut short
    zlib.error,  # damaged compressed chunks
    LookupError,  # unknown codes and short tables
    TypeError,  # fields of an unexpected kind
    OverflowError,  # numbers beyond C's
    UserWarning,  # odd metadata, where warnings are made errors
)
"""What Pillow raises for broken files. Kept narrow: a job's time-out and a lack of memory say
nothing about the file and have to pass."""

_one_at_a_time = threading.Lock()
"""A decoded picture takes up to 4 bytes per pixel and its copies as much again: with eight threads
decoding at once a worker would need gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the file turned out to be, whatever it was called."""

    width: int
    """Pixels as shown, that is after turning the picture upright."""
    height: int
    format: str
    """``PNG``, ``JPEG`` or ``WEBP``."""
    extension: str
    """Without a dot."""
    content_type: str
    color: str
    """``#rrggbb``, see :func:`renditions.main_color`."""
    renditions: tuple[Rendition, ...]


def verify(
    file: BinaryIO,
    *,
    max_pixels: int,
    widths: Sequence[int] = (),
    formats: Sequence[str] = (WEBP,),
    there: Collection[tuple[str, int]] = (),
) -> Verified:
    """Decode the file once, from its beginning; draw its copies on the way.

    Copies for ``widths`` in ``formats``, see :func:`renditions.planned`, but for those that are
    ``there``.

    Only PNG, JPEG and WebP; of moving pictures the first frame. What follows the end of the
    picture is left alone: the file is always served as the type told here.
    Raises PictureError, always permanent: ``not_a_picture`` (also for one cut short, since the
    download's length was vouched for) or ``too_many_pixels``, which is found before decoding.
    """
    with _decoded(file, max_pixels) as (kind, image):
        shown = shown_size(image)
        plan = [one for one in planned(shown, widths, formats) if one not in there]
        return Verified(
            width=shown[0],
            height=shown[1],
            format=kind,
            extension=EXTENSIONS[kind],
            content_type=CONTENT_TYPES[kind],
            color=main_color(image),
            renditions=draw(image, plan),
        )


@contextmanager
def _decoded(file: BinaryIO, max_pixels: int) -> Generator[tuple[str, Image.Image]]:
    """The decoded picture and its format; no other thread decodes meanwhile."""
    kind = _sniff(file)
    with _one_at_a_time:
        # Never closed by us: for a PNG that would close the caller's file as well.
        yield kind, _decode(file, kind, max_pixels)


def _sniff(file: BinaryIO) -> str:
    """The format by the file's first bytes. Pillow is never asked to guess."""
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "WEBP"
    raise _not_a_picture("The file is neither PNG nor JPEG nor WebP.")


def _decode(file: BinaryIO, kind: str, max_pixels: int) -> Image.Image:
    try:
        if kind == "WEBP":  # Pillow gets memory for the pixels as soon as it opens one
            _check_pixels(_webp_size(file), max_pixels)
        if kind == "JPEG":
            _check_scans(file)
        image = Image.open(file, formats=[kind])
        _check_pixels(image.size, max_pixels)
        image.load()  # verify() would let truncated JPEGs pass
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limit, where the site's is higher still; a warning only if made an error.
        raise _too_many_pixels(max_pixels) from error
    except _PILLOW_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's trouble, not the picture's
        raise _not_a_picture("The file is damaged or not a picture.") from error
    return image


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise _too_many_pixels(max_pixels)


def _webp_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height from a WebP's first chunk (RFC 9649, sections 2.5 to 2.7)."""
    file.seek(0)
    head = file.read(30)
    chunk = head[12:16]
    if len(head) < 30:
        raise ValueError("too short")
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return (
            int.from_bytes(head[24:27], "little") + 1,
            int.from_bytes(head[27:30], "little") + 1,
        )
    raise ValueError("unknown first chunk")


def _check_scans(file: BinaryIO) -> None:
    """Walk the segments of a JPEG up to its end (ITU-T T.81, B.1.1) and count the scans."""
    file.seek(0)
    data = file.read()
    position, scans = 2, 0
    while (marker := _MARKER.search(data, position)) and marker[0] != b"\xff\xd9":
        scans += marker[0] == b"\xff\xda"
        if scans > MAX_SCANS:
            raise ValueError("too many scans")
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")


def _not_a_picture(detail: str) -> PictureError:
    return PictureError(detail, code="not_a_picture", permanent=True)


def _too_many_pixels(max_pixels: int) -> PictureError:
    return PictureError(
        f"The picture has more than {max_pixels} pixels.", code="too_many_pixels", permanent=True
    )
