"""A bar that says how far a number of pictures is."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ideogram_django.models import GeneratedImage
from ideogram_django.statuses import Status

EVERY = 0.2
"""Seconds between two looks."""
FEW = 20
"""Up to so many pictures, a log gets a line for every change; else one for every twentieth."""
WIDEST, NARROWEST = 30, 8


class Progress:
    """One line that is rewritten in a terminal; elsewhere lines, as long as they are news.

    ``look`` gives how many are done, of how many, and what to say about it.
    """

    def __init__(self, out: Any, look: Callable[[], tuple[int, int, str]]) -> None:
        self.out = out
        self.look = look
        self.live = bool(out.isatty())
        self.last: tuple[int, str] = (-1, "")
        self.written = 0
        self.looked = float("-inf")

    def tick(self) -> None:
        """Called as often as anybody likes; looks a few times a second."""
        if time.monotonic() - self.looked >= EVERY:
            self.show()

    def show(self) -> None:
        done, count, text = self.look()
        self.looked = time.monotonic()
        step = 20 * done // count if count > FEW and done < count else done
        news = (step, "" if count > FEW and not self.live else text)
        if news == self.last and not self.live:
            return
        if self.live:
            line = self._line(done, count, text)
            self.out.write(f"\r{line.ljust(self.written)}", ending="")
            self.written = len(line)
        else:
            self.out.write(text)
        self.out.flush()
        self.last = news

    def end(self) -> None:
        if self.live and self.written:
            self.out.write("")

    def _line(self, done: int, count: int, text: str) -> str:
        """The bar takes what the text leaves of the terminal's width, which may change."""
        columns = shutil.get_terminal_size().columns - 1
        width = min(WIDEST, columns - len(text) - 2)
        if width < NARROWEST:
            return text[:columns]
        full, empty = self._signs()
        filled = width * done // count if count else width
        return f"{full * filled}{empty * (width - filled)}  {text}"

    def _signs(self) -> tuple[str, str]:
        encoding = getattr(self.out, "encoding", None) or "ascii"
        try:
            "█░".encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return "#", "-"
        return "█", "░"


def described(images: Sequence[GeneratedImage]) -> tuple[int, int, str]:
    """``2 of 4 finished · 1 Rendering 40% · 1 Waiting``"""
    done = sum(image.is_finished for image in images)
    parts = [f"{done} of {len(images)} finished"]
    open_ones = [image for image in images if not image.is_finished]
    for status, count in Counter(image.status for image in open_ones).items():
        known = [i.progress for i in open_ones if i.status == status and i.progress is not None]
        percent = f" {sum(known) // len(known)}%" if known and status == Status.PROCESSING else ""
        parts.append(f"{count} {Status(status).label}{percent}")
    return done, len(images), " · ".join(parts)
