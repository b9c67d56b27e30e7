"""A wall-clock deadline for everything that a thread sends and receives.

``requests`` limits the wait for the *next byte*, so a server that sends one byte a second is
never late. Here every read and write of a socket looks at the thread's deadline first; no watchdog
thread is needed and nothing has to be rebuilt after a fork.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any, TypeVar

from requests import RequestException
from urllib3.exceptions import HTTPError

from ideogram_django.exceptions import DeadlineExceeded

Result = TypeVar("Result")

NETWORK_ERRORS = (
    RequestException,
    HTTPError,
    HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
    socket.gaierror,
)
"""What a connection raises. Not ``OSError``: a full disk is none of a deadline's business."""

SILENCE = 0.9
"""Of a deadline: how long a server may be silent. With all of it, what is left of the deadline
would be less from the first byte on, and the socket's time-out set anew for each reading."""

_limits = threading.local()


def time_left() -> float | None:
    """Seconds until this thread's deadline (negative once past it), or None where there is none."""
    ends: float | None = getattr(_limits, "ends", None)
    return None if ends is None else ends - time.monotonic()


@contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Limit all that this thread sends and receives in the block to ``seconds`` of wall clock.

    Covers name resolution, connecting, the TLS handshake, headers and body, on new and on pooled
    connections of the sessions made here. When time is up the connection fails, and the block
    raises :class:`DeadlineExceeded` from that failure. Other exceptions pass through unchanged,
    and so does a block that ends well. Inside another deadline the earlier one holds.

    Not covered: other threads started in the block, and a stalled resolver's own thread, which
    goes on in the background until the system gives up on it.
    """
    outer: float | None = getattr(_limits, "ends", None)
    ends = time.monotonic() + seconds
    _limits.ends = ends if outer is None else min(ends, outer)
    try:
        yield
    except DeadlineExceeded:
        raise
    except NETWORK_ERRORS as error:
        left = time_left()
        if left is not None and left > 0:
            raise
        raise DeadlineExceeded(f"Not finished after {seconds:g} seconds.") from error
    finally:
        _limits.ends = outer


def in_time(sock: socket.socket, call: Callable[..., Result], *args: Any) -> Result:
    """Call a blocking socket method with no more time than the thread's deadline leaves."""
    left = time_left()
    if left is None:
        return call(*args)
    if left <= 0:
        raise TimeoutError("deadline passed")
    own = sock.gettimeout()
    if own is not None and own <= left:
        return call(*args)
    sock.settimeout(left)
    try:
        return call(*args)
    finally:
        with suppress(OSError):  # closed meanwhile: the call's own error matters more
            sock.settimeout(own)


class Socket(socket.socket):
    """``http.client`` reads by ``recv_into`` and writes by ``sendall``."""

    def recv(self, *args: Any) -> bytes:
        return in_time(self, super().recv, *args)

    def recv_into(self, *args: Any) -> int:
        return in_time(self, super().recv_into, *args)

    def send(self, *args: Any) -> int:
        return in_time(self, super().send, *args)

    def sendall(self, *args: Any) -> None:
        return in_time(self, super().sendall, *args)


class TLSSocket(ssl.SSLSocket):
    """``SSLSocket`` brings every receiving method down to ``read``, every sending one to ``send``.

    Each of these calls has one time-out for all the bytes of a TLS record, and ``do_handshake``
    one for the whole handshake (CPython's ``_ssl.c``), so a drip inside them is covered too.
    """

    def read(self, *args: Any) -> Any:
        return in_time(self, super().read, *args)

    def send(self, *args: Any) -> int:
        return in_time(self, super().send, *args)

    def do_handshake(self, *args: Any) -> None:
        return in_time(self, super().do_handshake, *args)
