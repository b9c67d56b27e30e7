"""The one drain: claim due rows, work on them over threads, save every answer as it comes.

The table is the queue. ``jobs.drain`` runs :func:`work_in_queue` in a django-rq worker,
``ideogram_sync`` runs the same :func:`work` in its own process; any number may run at once.
``loop`` is the coordinator. What is done with a picture stands in ``submitting``, ``polling`` and
``saving``, which work with ``tools``; ``provider`` is what all processes share about the provider,
``files`` the storage, ``housekeeping`` and ``retention`` what is left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ideogram_django.drains.loop import work, work_in_queue

__all__ = ["work", "work_in_queue"]


def __getattr__(name: str) -> Any:
    """The coordinator, once somebody wants to work: the web process only needs ``provider``.

    With it come the HTTP client and the decoder, which would make every start of a site slower.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ideogram_django.drains import loop

    return getattr(loop, name)
