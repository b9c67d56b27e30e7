from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from ideogram_django.models import GeneratedImage, Run
from ideogram_django.signals import (
    image_attached,
    image_cancelled,
    image_completed,
    image_failed,
    image_requested,
    image_submitted,
    run_finished,
    run_paused,
    run_stopped,
)

news: list[str] = []


@receiver(image_completed)
def hang_up(sender: type[GeneratedImage], image: GeneratedImage, **kwargs: Any) -> None:
    news.append(f"{image.prompt} is there")


@receiver(image_failed)
def complain(sender: type[GeneratedImage], image: GeneratedImage, **kwargs: Any) -> None:
    news.append(f"{image.prompt} failed: {image.error_code}")


@receiver([image_requested, image_submitted, image_cancelled])
def follow(sender: type[GeneratedImage], image: GeneratedImage, **kwargs: Any) -> None:
    assert image.pk


@receiver(image_attached)
def note(sender: type[GeneratedImage], record: Any, field: str, **kwargs: Any) -> None:
    news.append(f"{record} has a new {field}")


@receiver([run_paused, run_finished, run_stopped])
def report(sender: type[Run], run: Run, **kwargs: Any) -> None:
    news.append(f"{run} is {run.state}")
