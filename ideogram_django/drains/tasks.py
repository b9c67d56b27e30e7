"""One piece of work: what runs in a thread, and what the coordinator does with its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ideogram_django.models import GeneratedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """``run`` must not touch the database; ``done`` gets its value, or its IdeogramError.

    ``done`` may return further tasks for the same pictures, whose leases are kept meanwhile.
    """

    images: Sequence[GeneratedImage]
    run: Callable[[], Any]
    done: Callable[[Any], Iterable[Task] | None]
    bulk: bool = False
