"""A client that keeps connections busy: prepared bytes out, the status line in, times noted.

Raw sockets on one event loop, because on a small machine a client with manners would take more
processor time than the server that it measures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """What came of sending some requests."""

    rate: float
    """Answers in a second."""
    latencies: Sequence[float]
    """Seconds for each answer, shortest first."""

    def percentile(self, part: float) -> float:
        return self.latencies[min(int(len(self.latencies) * part), len(self.latencies) - 1)]


def post(address: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """One request as it goes over the wire, on a connection that stays open."""
    host = urlsplit(address).netloc
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send(address: str, requests: Sequence[bytes], *, connections: int, expect: int = 204) -> Load:
    """Send all of them, ``connections`` at a time. ``RuntimeError`` for any other answer."""
    return asyncio.run(_send(address, requests, connections, expect))


async def _send(address: str, requests: Sequence[bytes], connections: int, expect: int) -> Load:
    parts = urlsplit(address)
    latencies: list[float] = []
    waiting = iter(requests)
    loop = asyncio.get_running_loop()
    over = [loop.create_future() for _connection in range(connections)]
    begun = time.perf_counter()
    for future in over:
        await loop.create_connection(
            lambda future=future: _Connection(waiting, latencies, future, expect),  # type: ignore[misc]
            str(parts.hostname),
            int(parts.port or 80),
        )
    await asyncio.wait_for(asyncio.gather(*over), timeout=120)
    return Load(len(requests) / (time.perf_counter() - begun), sorted(latencies))


class _Connection(asyncio.Protocol):
    def __init__(
        self,
        waiting: Iterator[bytes],
        latencies: list[float],
        over: asyncio.Future[None],
        expect: int,
    ) -> None:
        self.waiting = waiting
        self.latencies = latencies
        self.over = over
        self.expected = f"HTTP/1.1 {expect} ".encode()
        self.buffer = b""
        self.request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.next()

    def next(self) -> None:
        self.request = next(self.waiting, b"")
        if not self.request:
            self.transport.close()
            self.finish()
            return
        self.begun = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\r\n\r\n"):  # answers without a body
            return
        answer, self.buffer = self.buffer, b""
        if not answer.startswith(self.expected):
            self.transport.close()
            self.finish(RuntimeError(f"The server answered {answer[:200]!r}."))
            return
        self.latencies.append(time.perf_counter() - self.begun)
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        if self.request:  # in the middle of an answer
            self.finish(RuntimeError(f"The server hung up ({error})."))

    def finish(self, error: Exception | None = None) -> None:
        self.request = b""
        if self.over.done():
            return
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)
