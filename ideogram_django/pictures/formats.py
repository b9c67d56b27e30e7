"""Stored copies for whoever only reads rows: their formats, and HTML's list of them."""

from __future__ import annotations

from collections.abc import Iterable

WEBP = "webp"
AVIF = "avif"
CONTENT_TYPES = {WEBP: "image/webp", AVIF: "image/avif"}
"""The formats that copies can have."""


def srcset(files: Iterable[tuple[str, int]]) -> str:
    """Addresses with their widths in pixels, as HTML's ``srcset`` wants them."""
    # A blank or a comma would end the address there.
    return ", ".join(
        [f"{url.replace(' ', '%20').replace(',', '%2C')} {width}w" for url, width in files if width]
    )
