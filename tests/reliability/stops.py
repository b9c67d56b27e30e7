"""Places where a process of the test site stops until the test lets it go on, or kills it.

A place is a name. While the file ``<name>.stop`` lies in the folder, whoever comes to that place
writes ``<name>.reached`` and waits. The places are in this folder's storages, views and
middleware, never in the package.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FOLDER = "TEST_STOPS"
LONGEST = 60.0
"""Seconds after which a process that nobody killed or freed goes on by itself."""


def stop_at(place: str) -> None:
    """Called by the process that may be stopped."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    stop = Path(folder) / f"{place}.stop"
    if not stop.exists():
        return
    stop.with_suffix(".reached").touch()
    end = time.monotonic() + LONGEST
    while stop.exists() and time.monotonic() < end:
        time.sleep(0.02)


class Stops:
    """The test's side."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def put(self, place: str) -> None:
        (self._folder / f"{place}.stop").touch()

    def reached(self, place: str) -> bool:
        return (self._folder / f"{place}.reached").exists()

    def lift(self) -> None:
        """Let everybody go on."""
        for stop in self._folder.glob("*.stop"):
            stop.unlink()
