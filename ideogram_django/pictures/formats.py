"""The formats that stored copies can have: facts alone, for whoever only reads rows."""

from __future__ import annotations

WEBP = "webp"
AVIF = "avif"
CONTENT_TYPES = {WEBP: "image/webp", AVIF: "image/avif"}
"""The formats that copies can have."""
