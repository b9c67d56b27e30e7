"""Signals for sites. Sent after commit, at most once; reconcile with ``completed()``.

Both send ``sender`` (the :class:`~ideogram_django.models.GeneratedImage` class) and ``image``
(the instance as it stands after the change). A receiver that raises is logged and does not stop
the others.
"""

from __future__ import annotations

from django.dispatch import Signal

image_completed = Signal()
"""The file is in storage."""

image_failed = Signal()
"""No picture came of it; see ``image.error_code``."""
