"""Signals for sites: after the commit, at most once.

A site that must not miss one reconciles with the rows, such as ``completed()``: a process that
dies between commit and signal has sent none. All are sent by the process in which it happened, a
web process or a worker. ``sender`` is the class, :class:`~ideogram_django.models.GeneratedImage` or
:class:`~ideogram_django.models.Run`; the instance is read anew, so it may have moved on already.
A receiver that raises is logged and stops nobody.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

__all__ = [
    "deliver",
    "image_attached",
    "image_cancelled",
    "image_completed",
    "image_failed",
    "image_requested",
    "image_submitted",
    "run_finished",
    "run_paused",
    "run_stopped",
]

image_requested = Signal()
"""``image``: its price is reserved and it will be sent. Once for every attempt."""

image_submitted = Signal()
"""``image``: the provider has it, and the ledger its job. Once for every attempt."""

image_completed = Signal()
"""``image``: the file is in storage; its smaller widths follow."""

image_failed = Signal()
"""``image``: no picture came of it; see ``image.error_code``."""

image_cancelled = Signal()
"""``image``: taken back before it was sent; the reservation is given back."""

image_attached = Signal()
"""``image``, ``record``, ``field``: it was given to a record of the site, in the field of that
name, by a form, an action, a fixed place or a worker. The picture may still be on its way. Code
that assigns a picture by itself knows of it and gets no signal."""

run_paused = Signal()
"""``run``: nothing more is started; ``run.pause`` says why."""

run_finished = Signal()
"""``run``: everything in it is made, or failed; see ``run.report()``."""

run_stopped = Signal()
"""``run``: somebody ended it; what is at the provider still comes in."""


def deliver(signal: Signal, sender: type[Any], **arguments: Any) -> None:
    """Send to every receiver; Django logs those that raise."""
    signal.send_robust(sender=sender, **arguments)
