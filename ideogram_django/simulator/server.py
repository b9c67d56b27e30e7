"""HTTP/1.1 on the loopback interface: connections, reading, writing; no knowledge of the API."""

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ideogram_django.simulator.answers import Answer, refusal
from ideogram_django.simulator.endpoints import Request

# An upload may have 50 MiB, plus what multipart adds; all else is far smaller.
_BODY_LIMIT = 52 * 1024 * 1024
# Seconds an idle kept-alive connection stays open.
_IDLE_TIMEOUT = 60

Answering = Callable[[Request], Answer]
Arrived = Callable[[str, str, dict[str, str], object], None]


class LoopbackServer(ThreadingHTTPServer):
    """One thread per connection; closing it ends every connection and thread."""

    daemon_threads = True
    block_on_close = False
    # Benchmarks open many connections at once.
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, port: int, answering: Answering, arrived: Arrived) -> None:
        self.answering = answering
        self.arrived = arrived
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self.serve_forever,
            name="simulator-server",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind without asking the DNS for this machine's name, as HTTPServer would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, break open connections off, wait briefly for their threads."""
        ending = threading.Thread(target=self.shutdown, daemon=True)
        ending.start()
        # The loop looks at the flag that `shutdown` sets twice a second, or on a connection.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        ending.join(timeout=2)
        self.server_close()
        self._thread.join(timeout=2)
        with self._lock:
            connections, workers = list(self._connections), list(self._workers)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join(timeout=1)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handle one connection, remembered for `stop`."""
        thread = threading.current_thread()
        with self._lock:
            self._connections.add(request)
            self._workers.add(thread)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.discard(request)
                self._workers.discard(thread)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client goes away; that is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Reads a request completely, asks for the answer, writes it."""

    protocol_version = "HTTP/1.1"
    server_version = "cloudflare"
    sys_version = ""
    timeout = _IDLE_TIMEOUT
    disable_nagle_algorithm = True
    # One packet for head and body.
    wbufsize = 65536
    server: LoopbackServer

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: a library does not write to stderr."""

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._read_body(headers)
        if body is None:
            self.close_connection = True
            self._write(refusal(413, "Request body too large or of unknown length"))
            return
        self.server.arrived(self.command, self.path, headers, _readable(body, headers))
        parts = urlsplit(self.path)
        request = Request(
            # A HEAD is a GET whose body is not sent.
            method="GET" if self.command == "HEAD" else self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=headers,
            body=body,
        )
        self._write(self.server.answering(request))

    def _read_body(self, headers: dict[str, str]) -> bytes | None:
        if "transfer-encoding" in headers:
            return None
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _BODY_LIMIT:
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionResetError("The client went away in the middle of its request.")
        return body

    def _write(self, answer: Answer) -> None:
        if answer.cut:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        length = len(answer.body) if answer.stream is None else answer.stream_length
        self.send_header("Content-Length", str(length))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(answer.body)
        for piece in answer.stream or ():
            self.wfile.write(piece)
            self.wfile.flush()


def _readable(body: bytes, headers: dict[str, str]) -> object:
    if not body:
        return None
    if "json" in headers.get("content-type", ""):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(body)
    return len(body)
