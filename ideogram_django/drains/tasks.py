"""One piece of work: what runs in a thread, and what the coordinator does with its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ideogram_django.models import GeneratedImage

Answer = tuple[GeneratedImage, Any]
"""A picture, and the value or the IdeogramError that its task ended with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """``run`` must not touch the database; ``done`` gets its value, or its IdeogramError.

    ``done`` may return further tasks for the same pictures, whose leases are kept meanwhile.
    """

    images: Sequence[GeneratedImage]
    run: Callable[[], Any]
    done: Callable[[Any], Iterable[Task] | None]
    bulk: bool = False
    together: Callable[[Sequence[Answer]], Iterable[Task] | None] | None = None
    """Takes the answers to several tasks of one picture each that came in at the same moment.

    What it does not save, it hands to ``done``; where it fails, ``done`` is called for each.
    """
