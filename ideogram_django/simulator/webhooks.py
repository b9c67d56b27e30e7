"""Signed webhooks: the signature, and the threads that deliver."""

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

SignatureKind = Literal["hex", "raw", "none"]

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".test")


def signature(body: bytes, api_key: str, kind: SignatureKind) -> str | None:
    """Return the value of `X-Webhook-Signature`, or None when webhooks are not signed.

    HMAC-SHA256 over the raw body. The secret is the SHA-256 of the API key; sources disagree
    whether its 32 bytes (`raw`, the official SDK) or its 64 hex digits (`hex`, seen in
    production) are the key of the HMAC.
    """
    if kind == "none":
        return None
    digest = hashlib.sha256(api_key.encode())
    secret = digest.digest() if kind == "raw" else digest.hexdigest().encode()
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver a webhook."""

    job_id: str
    event: str
    url: str
    body: bytes
    signature: str | None
    attempt: int
    """1 for the first."""
    status: int | None
    """The receiver's HTTP status; None when it could not be reached."""
    at: float
    """When the attempt ended, in simulated seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A webhook on its way."""

    job_id: str
    event: str
    url: str
    body: bytes
    signature: str | None
    attempt: int = 1


class Courier:
    """Delivers over a bounded number of threads; tells the outcome of every attempt.

    Redirects are not followed: `http.client` never does.
    """

    def __init__(
        self,
        *,
        threads: int,
        timeout: float,
        anywhere: bool,
        now: Callable[[], float],
        on_attempt: Callable[[Letter, bool], None],
        keep: int,
    ) -> None:
        self._timeout = timeout
        self._anywhere = anywhere
        self._now = now
        self._on_attempt = on_attempt
        self._letters: queue.SimpleQueue[Letter | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._open: set[http.client.HTTPConnection] = set()
        self._deliveries: deque[Delivery] = deque(maxlen=keep)
        self._threads = [
            threading.Thread(target=self._work, name=f"simulator-courier-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Drop undelivered webhooks, break off the open ones, end the threads."""
        with self._lock:
            self._closed = True
            for connection in self._open:
                if connection.sock is not None:
                    # Wakes a thread that waits for a receiver which never answers.
                    with contextlib.suppress(OSError):
                        connection.sock.shutdown(2)
        for _ in self._threads:
            self._letters.put(None)
        for thread in self._threads:
            thread.join(timeout=1)

    def send(self, letter: Letter) -> None:
        """Queue a webhook for delivery now."""
        self._letters.put(letter)

    def deliveries(self) -> list[Delivery]:
        """Return the newest attempts, oldest first."""
        with self._lock:
            return list(self._deliveries)

    def _work(self) -> None:
        while True:
            letter = self._letters.get()
            if letter is None:
                return
            if self._closed:
                continue
            status = self._post(letter)
            delivery = Delivery(
                job_id=letter.job_id,
                event=letter.event,
                url=letter.url,
                body=letter.body,
                signature=letter.signature,
                attempt=letter.attempt,
                status=status,
                at=self._now(),
            )
            with self._lock:
                if self._closed:
                    continue
                self._deliveries.append(delivery)
            self._on_attempt(letter, status is not None and 200 <= status < 300)

    def _post(self, letter: Letter) -> int | None:
        target = urlsplit(letter.url)
        if target.scheme not in ("http", "https") or not (self._anywhere or is_local(target)):
            return None
        connection_class = (
            http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        )
        connection = connection_class(target.hostname or "", target.port, timeout=self._timeout)
        with self._lock:
            if self._closed:
                return None
            self._open.add(connection)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Apiframe-Webhook/simulated",
            "X-Webhook-Event": letter.event,
            "Connection": "close",
        }
        if letter.signature is not None:
            headers["X-Webhook-Signature"] = letter.signature
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        try:
            connection.request("POST", path, letter.body, headers)
            return connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


def is_local(target: SplitResult) -> bool:
    """Say whether a host is this machine or its private network, without asking the DNS.

    An offline twin that posts to whatever stands in a test's data would not be offline.
    """
    host = (target.hostname or "").lower().rstrip(".")
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_SUFFIXES)
