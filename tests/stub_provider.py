"""A provider on the loopback that says exactly what a test tells it to, byte for byte."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import parse_headers
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[socket.socket], bool]
"""Answers one request; whether the connection stays open."""


class StubProvider:
    """Answers requests in the order of the scripts, whatever they ask for."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self.port: int = server.server_address[1]
        self.received: list[Received] = []
        self.scripts: deque[Script] = deque()
        self.connections = 0
        self.greeting: bytes | None = None
        """Sent to whoever connects, without a look at what they want; then the connection ends."""
        self.closing = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(
        self, status: int, body: object = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer; anything but bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Content-Length": str(len(raw)), **(headers or {})}
        self.send(_head(status, head) + raw)

    def send(self, raw: bytes, *, keep: bool = True) -> None:
        """These bytes, whatever they mean."""

        def script(connection: socket.socket) -> bool:
            connection.sendall(raw)
            return keep

        self.scripts.append(script)

    def cut(self, raw: bytes = b"") -> None:
        """These bytes, then the connection ends."""
        self.send(raw, keep=False)

    def reset(self) -> None:
        """The connection ends with a reset."""

        def script(connection: socket.socket) -> bool:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False

        self.scripts.append(script)

    def stay_silent(self, raw: bytes = b"") -> None:
        """These bytes, then nothing more until the test is over."""

        def script(connection: socket.socket) -> bool:
            connection.sendall(raw)
            self.closing.wait()
            return False

        self.scripts.append(script)

    def drip(self, raw: bytes) -> None:
        """These bytes, then one more every few milliseconds until the test is over."""

        def script(connection: socket.socket) -> bool:
            connection.sendall(raw)
            while not self.closing.wait(0.005):
                connection.sendall(b" ")
            return False

        self.scripts.append(script)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        stub: StubProvider = self.server.stub  # type: ignore[attr-defined]
        stub.connections += 1
        number = stub.connections
        if stub.greeting is not None:
            self.connection.sendall(stub.greeting)
            return
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                method, target, _protocol = line.decode().split()
                headers = parse_headers(self.rfile)
                parts = urlsplit(target)
                stub.received.append(
                    Received(
                        method=method,
                        path=parts.path,
                        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                        headers=headers,
                        body=self.rfile.read(int(headers.get("Content-Length", 0))),
                        connection=number,
                    )
                )
                if not stub.scripts.popleft()(self.connection):
                    return


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def running_stub() -> Iterator[StubProvider]:
    """A stub that listens on a free port of the loopback until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        stub = StubProvider(server)
        server.stub = stub  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            stub.closing.set()
            server.shutdown()
            thread.join()


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
