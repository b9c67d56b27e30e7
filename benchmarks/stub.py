"""``python -m benchmarks.stub``: a provider that does nothing but answer after a while.

Raw sockets on one event loop, so that it is never what limits a figure. It knows no jobs: whatever
is ordered is accepted, whatever is asked for is in the state that ``--state`` names, and a file is
the one that ``--file`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
import uuid
from pathlib import Path

ORIGIN = uuid.UUID("00000000-0000-4000-8000-000000000000").int
LISTED_AT = "2026-01-01T00:00:00.000Z"


def job_id(number: int) -> str:
    """The id of the job with this number; the list has them newest, that is highest, first."""
    return str(uuid.UUID(int=ORIGIN + number))


class Counts:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests = 0
        self.connections = 0
        self.first = 0.0
        self.last = 0.0

    def answered(self) -> None:
        self.requests += 1
        self.last = time.time()
        self.first = self.first or self.last


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests that come before the answer to the last one wait."""

    def __init__(self, options: argparse.Namespace, counts: Counts) -> None:
        self.options = options
        self.counts = counts
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
        self.counts.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = _content_length(head)
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            method, target = head.split(b" ", 2)[:2]
            self.asked(method.decode(), target.decode())

    def asked(self, method: str, target: str) -> None:
        if target == "/counts":
            self.answer(200, json.dumps(vars(self.counts)).encode(), counted=False)
        elif target == "/reset":
            self.counts.reset()
            self.answer(200, b"{}", counted=False)
        elif target.startswith("/file"):
            self.later(self.options.content, 200, "image/png")
        elif method == "POST":
            body = {"jobId": str(uuid.uuid4()), "status": "QUEUED"}
            self.later(json.dumps(body).encode(), 202)
        elif target.startswith("/v2/jobs/"):
            self.later(json.dumps(self.job(target.rsplit("/", 1)[1])).encode(), 200)
        elif target.startswith("/v2/jobs"):
            self.later(json.dumps(self.page(target)).encode(), 200)
        else:
            self.answer(200, b'{"user": {}, "team": {"credits": 1000000000}}', counted=False)

    def job(self, name: str) -> dict[str, object]:
        done = self.options.state == "COMPLETED"
        return {
            "id": name,
            "status": self.options.state,
            "progress": 100 if done else 50,
            "createdAt": LISTED_AT,
            "result": {"images": [f"http://127.0.0.1:{self.options.port}/file"]} if done else None,
            "creditCost": 3,
        }

    def page(self, target: str) -> dict[str, object]:
        """A hundred of the ``--jobs`` jobs, the highest number first."""
        _before, _equals, cursor = target.partition("cursor=")
        first = int(cursor.split("&")[0] or 0) if cursor else self.options.jobs
        last = max(first - 100, 0)
        more = last > 0
        return {
            "jobs": [self.job(job_id(number)) for number in range(first - 1, last - 1, -1)],
            "hasMore": more,
            "nextCursor": str(last) if more else None,
        }

    def later(self, body: bytes, status: int, kind: str = "application/json") -> None:
        if self.options.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self.options.latency, self.answer, status, body, kind)
        else:
            self.answer(status, body, kind)

    def answer(
        self, status: int, body: bytes, kind: str = "application/json", *, counted: bool = True
    ) -> None:
        if self.transport is None:
            return
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"\r\n" + body)
        if counted:
            self.counts.answered()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _colon, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    counts = Counts()
    server = await loop.create_server(
        lambda: Connection(options, counts), "127.0.0.1", options.port, backlog=4096
    )
    async with server:
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--state", default="PROCESSING", help="of every job")
    parser.add_argument("--jobs", type=int, default=0, help="how many the list has")
    parser.add_argument("--file", type=Path, help="what every download gets")
    options = parser.parse_args()
    options.content = options.file.read_bytes() if options.file else b""
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
