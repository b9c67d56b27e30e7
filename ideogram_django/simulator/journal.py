"""What was asked of the server, kept for assertions."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

_SECRET_HEADERS = ("x-api-key", "authorization", "cookie")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as it arrived."""

    method: str
    path: str
    """Path and query, undecoded."""
    headers: Mapping[str, str]
    """Names in lower case; the values of keys are masked."""
    body: object
    """Parsed JSON; the length in bytes of any other body; None without one."""
    at: float
    """When it arrived, in seconds since the epoch."""


class Journal:
    """The newest requests, oldest first; bounded, because benchmarks poll millions of times."""

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._requests: deque[RecordedRequest] = deque(maxlen=limit)

    def record(self, request: RecordedRequest) -> None:
        """Keep one request."""
        with self._lock:
            self._requests.append(request)

    def requests(self) -> list[RecordedRequest]:
        """Return what is kept, oldest first."""
        with self._lock:
            return list(self._requests)


def mask(name: str, value: str) -> str:
    """Hide all but the prefix and the last four characters of a secret header."""
    if name.lower() not in _SECRET_HEADERS:
        return value
    return f"{value[:4]}…{value[-4:]}" if len(value) > 12 else "…"
