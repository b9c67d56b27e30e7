"""What the shop decides: names, prices, who may what, whose pictures are whose, and its queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ideogram_django import jobs, wakeups
from ideogram_django.hooks import Hooks
from ideogram_django.models import GeneratedImage
from ideogram_django.querysets import GeneratedImageQuerySet
from ideogram_django.tasks import TasksDispatcher
from ideogram_django.wakeups import Dispatcher, RQDispatcher


class ShopHooks(Hooks):
    def file_name(self, image: GeneratedImage, filename: str) -> str:
        return f"shop/{super().file_name(image, filename)}"

    def credits(self, model: str, rendering_speed: str, credits: int | None) -> int | None:
        return None if model.endswith("quality") and rendering_speed == "TURBO" else credits

    def may(self, user: Any, verb: str) -> bool:
        return super().may(user, verb)

    def visible(self, queryset: GeneratedImageQuerySet, user: Any) -> GeneratedImageQuerySet:
        return queryset.filter(extra__shop=1)

    def columns(self, user: Any, parent: GeneratedImage | None) -> Mapping[str, Any]:
        return {"extra": {"shop": 1}}


class AtOnce(Dispatcher):
    """A queue that is none: for a shop with one process."""

    knocks = 0

    def put(self) -> None:
        type(self).knocks += 1


class Unhurried(RQDispatcher):
    """The usual queue, whose length is nobody's business."""

    can_count = False


class OtherBackend(TasksDispatcher):
    backend = "pictures"


def knock() -> None:
    """What a worker of a queue of one's own calls; gone again in due time."""
    jobs.drain()


LONGEST = wakeups.job_timeout
