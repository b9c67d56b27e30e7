"""How long pictures take: on this site of late, else as the provider says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import median
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from ideogram_django.apiframe import catalogue
from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import AT_PROVIDER

RECENT = 200
"""How many of the newest pictures are looked at."""
ENOUGH = 3
"""From this many pictures of one model on, their median is better than the provider's average."""
KEPT_SECONDS = 60
CACHE_KEY = "ideogram_django:typical_seconds"


def typical_seconds() -> dict[str, float]:
    """Seconds from sending to the file in storage, by model id; models without a guess are absent.

    One query of bounded cost, kept in Django's cache for a minute.
    """
    found: dict[str, float] | None = cache.get(CACHE_KEY)
    if found is None:
        found = _measured()
        cache.set(CACHE_KEY, found, KEPT_SECONDS)
    return {**_promised(), **found}


def seconds_left(
    image: GeneratedImage, typical: Mapping[str, float], now: datetime | None = None
) -> float | None:
    """Until it is finished, by experience; not positive: overdue; ``None``: nobody can say."""
    expected = typical.get(image.model)
    if expected is None or image.status not in AT_PROVIDER or image.submitted_at is None:
        return None
    return expected - ((now or timezone.now()) - image.submitted_at).total_seconds()


def newest_finished(*columns: str) -> Iterable[tuple[Any, ...]]:
    """These columns of the newest finished pictures, uploads among them."""
    # The newest ones first, and only then a look at which of them the provider made: a condition
    # more would read on through a gallery of uploads for as long as it takes to find enough.
    return GeneratedImage.objects.completed().order_by("-pk").values_list(*columns)[:RECENT]


def _measured() -> dict[str, float]:
    times: dict[str, list[float]] = defaultdict(list)
    for model, submitted_at, finished_at in newest_finished("model", "submitted_at", "finished_at"):
        if submitted_at is not None and finished_at is not None:
            times[model].append((finished_at - submitted_at).total_seconds())
    return {model: median(some) for model, some in times.items() if len(some) >= ENOUGH}


def _promised() -> dict[str, float]:
    return {
        model.id: float(model.typical_seconds)
        for model in catalogue.MODELS.values()
        if model.typical_seconds is not None
    }
