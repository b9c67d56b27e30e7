"""``manage.py ideogram_sync``: the back-stop that finishes whatever was missed."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError
from django.db import connection

from ideogram_django import conf, wakeups
from ideogram_django.drains import loop, provider

TIDY_EVERY = 60.0
"""Seconds between two sweeps of what crashes and deletions left behind."""
SHORTEST = 0.5


class Command(BaseCommand):
    help = (
        "Send, poll and fetch what is due: lost webhooks, killed workers, a wiped queue. Run it "
        "from cron every minute, or keep it running with --loop."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="Keep running until SIGTERM or Ctrl-C."
        )
        parser.add_argument(
            "--wake",
            action="store_true",
            help="Do not work here; wake a worker when something is due.",
        )

    def handle(self, *args: Any, loop: bool, wake: bool, **options: Any) -> None:
        if not loop:
            self._pass(wake=wake, tidy=True)
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        tidied = 0.0
        while not stop.is_set():
            tidy = time.monotonic() - tidied >= TIDY_EVERY
            try:
                more = self._pass(wake=wake, tidy=tidy)
                pause = self._pause(more=more and not wake)
            except DatabaseError as error:
                # The database restarts or fails over: say so, and be there when it is back.
                self.stderr.write(f"The database did not answer: {error}")
                connection.close()
                pause = conf.current().SYNC_INTERVAL
            else:
                tidied = time.monotonic() if tidy else tidied
            stop.wait(pause)

    def _pass(self, *, wake: bool, tidy: bool) -> bool:
        if not wake:
            return loop.work(sync=True, tidy=tidy)
        provider.state()
        provider.beat(sync=True)
        due = loop.anything_due(conf.current())
        if due:
            wakeups.wake(insist=True)
        return due

    def _pause(self, *, more: bool) -> float:
        """Seconds to the next pass: the usual interval, or less when something falls due before."""
        if more:
            return 0
        interval = conf.current().SYNC_INTERVAL
        until = loop.seconds_to_next()
        return interval if until is None else min(interval, max(until, SHORTEST))
