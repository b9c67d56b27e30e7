"""One thread that does things when they are due, however many things there are."""

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any

from ideogram_django.simulator.clock import Clock

# Due actions done per grip of the lock, so that requests get their turn in between.
_BATCH = 200
# The longest sleep in seconds; the condition wakes the thread when something earlier comes.
_LONGEST_SLEEP = 60.0


class Timetable:
    """A heap of (moment, action). Actions run under the lock given and must be brief."""

    def __init__(self, clock: Clock, lock: threading.RLock) -> None:
        self._clock = clock
        self._changed = threading.Condition(lock)
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="simulator-timetable", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not yet due is forgotten."""
        with self._changed:
            self._stopped = True
            self._heap.clear()
            self._changed.notify_all()
        self._thread.join(timeout=2)

    def at(self, moment: float, action: Callable[..., object], *args: Any) -> None:
        """Do `action(*args)` at `moment` (simulated seconds since the epoch)."""
        with self._changed:
            if self._stopped:
                return
            entry = (moment, next(self._numbers), action, args)
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._changed.notify()

    def run_due(self, limit: int | None = None) -> None:
        """Do what is due now, at most `limit` actions."""
        with self._changed:
            done = 0
            now = self._clock.now()
            while self._heap and self._heap[0][0] <= now and done != limit:
                _, _, action, args = heapq.heappop(self._heap)
                action(*args)
                done += 1

    def wake(self) -> None:
        """Look again: the clock was advanced."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                self.run_due(_BATCH)
                if self._heap:
                    sleep = min(_LONGEST_SLEEP, self._heap[0][0] - self._clock.now())
                else:
                    sleep = _LONGEST_SLEEP
                if sleep > 0 and not self._stopped:
                    self._changed.wait(sleep)
