"""A line that says how far a number of pictures is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status


class Progress:
    """One line that is rewritten in a terminal; elsewhere a line whenever something changed."""

    def __init__(self, out: Any) -> None:
        self.out = out
        self.live = bool(out.isatty())
        self.last = ""

    def show(self, images: Sequence[GeneratedImage]) -> None:
        text = describe(images)
        if text == self.last:
            return
        if self.live:
            self.out.write(f"\r{text.ljust(len(self.last))}", ending="")
        else:
            self.out.write(text)
        self.out.flush()
        self.last = text

    def end(self) -> None:
        if self.live and self.last:
            self.out.write("")


def describe(images: Sequence[GeneratedImage]) -> str:
    """``2 of 4 finished · 1 Rendering 40% · 1 Waiting``"""
    done = sum(image.is_finished for image in images)
    parts = [f"{done} of {len(images)} finished"]
    open_ones = [image for image in images if not image.is_finished]
    for status, count in Counter(image.status for image in open_ones).items():
        known = [i.progress for i in open_ones if i.status == status and i.progress is not None]
        percent = f" {sum(known) // len(known)}%" if known and status == Status.PROCESSING else ""
        parts.append(f"{count} {Status(status).label}{percent}")
    return " · ".join(parts)
