from __future__ import annotations

from django.db import models

from ideogram_django.fields import GeneratedImageField
from ideogram_django.models import PictureStorage, picture_path


class Product(models.Model):
    name = models.CharField(max_length=100)
    photo = GeneratedImageField(
        prompt_template="{name} on a plain background", aspect_ratio="1:1", style_type="REALISTIC"
    )
    # Where the pictures are, for a file that is none.
    manual = models.FileField(blank=True, storage=PictureStorage(), upload_to=picture_path)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.name
