"""Small servers on the loopback that misbehave as a test tells them to."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

Script = Callable[["Visit"], None]


@dataclass
class Server:
    """One listening server; ``requests`` holds the heads that came in, in order."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Visit:
    """One request on one connection, for a script to answer."""

    server: Server
    connection: socket.socket

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self, data: Iterable[int]) -> None:
        """One byte every few milliseconds until the caller leaves or the test ends."""
        for byte in data:
            self.connection.sendall(bytes([byte]))
            if self.server.closing.wait(0.005):
                return

    def drip_without_end(self, line: bytes) -> None:
        self.drip(itertools.chain.from_iterable(itertools.repeat(line)))

    def stay_silent(self) -> None:
        self.server.closing.wait()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> Script:
    """A well-behaved answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda visit: visit.send("\r\n".join(lines).encode() + body)


@contextlib.contextmanager
def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, wait_for_request: bool = True
) -> Iterator[Server]:
    """Run ``script`` for every request. It may return to keep the connection, or close it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])
    threads: list[threading.Thread] = []
    peers: list[socket.socket] = []

    def converse(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            peer = tls.wrap_socket(connection, server_side=True) if tls else connection
            with peer:
                peers.append(peer)
                peer.settimeout(30)
                while not server.closing.is_set():
                    if wait_for_request:
                        head = _head(peer)
                        if not head:
                            return
                        server.requests.append(head)
                    script(Visit(server, peer))
                    if not wait_for_request or peer.fileno() < 0:
                        return

    def listen() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            server.connections += 1
            threads.append(threading.Thread(target=converse, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=listen, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.closing.set()
        for peer in [listener, *peers]:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
        listener.close()
        acceptor.join(5)
        for thread in threads:
            thread.join(5)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            return b""
        head += piece
    return head
