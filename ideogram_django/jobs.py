"""What a django-rq worker calls by its dotted name: no arguments, safe to repeat."""

from __future__ import annotations

from ideogram_django import drains


def drain() -> None:
    """Work on what is due for one slice of time; see :mod:`ideogram_django.drains`."""
    drains.work_in_queue()
