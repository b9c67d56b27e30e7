"""A picture to measure with: 1024 by 1024 pixels, as hard to compress as a photograph."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageFilter


def like_a_photograph(size: int = 1024) -> bytes:
    """A PNG of a good megabyte: soft shapes, fine grain. The same bytes every time."""
    chance = random.Random(4)
    coarse = Image.frombytes("RGB", (16, 16), chance.randbytes(16 * 16 * 3))
    soft = coarse.resize((size, size), Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", (size, size), chance.randbytes(size * size))
    grain = grain.filter(ImageFilter.GaussianBlur(1.2))
    mixed = Image.blend(soft, Image.merge("RGB", (grain, grain, grain)), 0.08)
    out = io.BytesIO()
    mixed.save(out, "PNG")
    return out.getvalue()
