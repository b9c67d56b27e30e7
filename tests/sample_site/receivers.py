from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from ideogram_django.models import GeneratedImage
from ideogram_django.signals import image_completed, image_failed

news: list[str] = []


@receiver(image_completed)
def hang_up(sender: type[GeneratedImage], image: GeneratedImage, **kwargs: Any) -> None:
    news.append(f"{image.prompt} is there")


@receiver(image_failed)
def complain(sender: type[GeneratedImage], image: GeneratedImage, **kwargs: Any) -> None:
    news.append(f"{image.prompt} failed: {image.error_code}")
