"""The simulator's own clock, which tests may push forwards."""

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch (UTC); monotonic, and ahead of real time by what was advanced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A wall clock can be set back by the operating system; jobs must never grow younger.
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the simulated time in seconds since the epoch."""
        with self._lock:
            return time.monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forwards by `seconds`."""
        if seconds < 0:
            raise ValueError("The clock only moves forwards.")
        with self._lock:
            self._offset += seconds


def iso(moment: float) -> str:
    """Write `moment` as the API does: ISO 8601, UTC, milliseconds, `Z`."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
