"""The one drain: claim due rows, work on them over threads, save every answer as it comes.

The table is the queue. ``jobs.drain`` runs :func:`work_in_queue` in a django-rq worker,
``ideogram_sync`` runs the same :func:`work` in its own process; any number may run at once.
``loop`` is the coordinator, ``steps`` what is done with one picture, ``provider`` what all
processes share about the provider, ``files`` storage, ``housekeeping`` what crashes leave behind.
"""

from __future__ import annotations

from ideogram_django.drains.loop import work, work_in_queue

__all__ = ["work", "work_in_queue"]
