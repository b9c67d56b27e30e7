"""The one drain: claim due rows, work on them over threads, save every answer as it comes.

The table is the queue. ``jobs.drain`` runs :func:`work_in_queue` in a django-rq worker,
``ideogram_sync`` runs the same :func:`work` in its own process; any number may run at once.
``loop`` is the coordinator. What is done with a picture stands in ``submitting``, ``polling`` and
``saving``, which work with ``tools``; ``provider`` is what all processes share about the provider,
``files`` the storage, ``housekeeping`` and ``retention`` what is left behind.
"""

from __future__ import annotations

from ideogram_django.drains.loop import work, work_in_queue

__all__ = ["work", "work_in_queue"]
