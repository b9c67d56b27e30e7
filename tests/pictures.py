"""Pictures for tests: files, and rows that have one."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from ideogram_django.models import GeneratedImage


def png(colour: str = "navy", size: tuple[int, int] = (400, 300)) -> bytes:
    """A real picture of one colour."""
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


def finished(**columns: Any) -> GeneratedImage:
    """Somebody's own work, as far as the database is concerned: there is no such file."""
    return GeneratedImage.objects.create(
        **{"prompt": "A lake", "status": "completed", "uploaded": True, "file": "a.png", **columns}
    )
