"""Holding submissions back, so that a test can end a client at the worst moment."""

import threading
from typing import Literal

Moment = Literal["before", "after"]


class Gate:
    """Held requests wait here until released or until the server closes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._when: Moment | None = None
        self._left: int | None = None
        self._held = 0
        self._drop = False
        self._generation = 0
        self._closed = False

    def hold(self, when: Moment, count: int | None = None) -> None:
        """Hold the next `count` submissions (None: all of them) until `release`.

        `before`: no job is made yet. `after`: the job is made and charged, the answer withheld.
        """
        if when not in ("before", "after"):
            raise ValueError("Hold either 'before' or 'after' the job is made.")
        with self._changed:
            self._when, self._left = when, count

    def release(self, *, drop: bool = False) -> int:
        """Let every held request go on, and hold no more; return how many were held.

        With `drop` their connections are cut instead; a job not yet made is then never made.
        """
        with self._changed:
            held = self._held
            self._when, self._left, self._drop = None, None, drop
            self._generation += 1
            self._changed.notify_all()
            return held

    def held(self) -> int:
        """Return how many requests are being held now."""
        with self._changed:
            return self._held

    def wait_until_held(self, count: int, timeout: float) -> bool:
        """Wait until `count` requests are held; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held >= count, timeout)

    def pass_through(self, when: Moment) -> bool:
        """Wait here if this moment is being held; False when the connection shall be cut."""
        with self._changed:
            if self._when != when or self._left == 0 or self._closed:
                return not self._closed
            if self._left is not None:
                self._left -= 1
            generation = self._generation
            self._held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._generation != generation)
            self._held -= 1
            return not (self._closed or self._drop)

    def pause(self, seconds: float) -> None:
        """Wait for `seconds`, or less when the server closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """Let everyone go and hold nobody any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
