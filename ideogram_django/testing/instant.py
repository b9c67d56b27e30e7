"""The worker of ``ideogram_instant``: none, for the work is done at the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ideogram_django.testing.kit import Ideogram


class Instant:
    """Takes the place of the queue: does at the commit what a worker would do later."""

    def __init__(self, ideogram: Ideogram) -> None:
        self._ideogram = ideogram
        # A live server has threads of its own, each with its own connection.
        self._here = threading.local()

    def wake(self, *, insist: bool = False) -> bool:
        self._here.wanted = True
        self._work()
        return True

    def wake_after_commit(self, using: str | None = None) -> None:
        self.wake()

    def after(self, leave: Callable[..., Any]) -> Callable[..., Any]:
        """``Atomic.__exit__``, followed by the work that its block asked for.

        Nothing else tells the end of a block under ``db``: there, all of them are savepoints, and
        ``on_commit`` callbacks are never called.
        """

        def exit(block: Any, kind: Any, error: Any, traceback: Any) -> Any:
            outcome = leave(block, kind, error, traceback)
            if kind is None:
                self._work()
            return outcome

        return exit

    def _work(self) -> None:
        here = self._here
        if not getattr(here, "wanted", False) or getattr(here, "busy", False) or _in_transaction():
            return
        here.wanted, here.busy = False, True
        try:
            self._ideogram.finish()
        finally:
            here.busy = False


def _in_transaction() -> bool:
    """Whether the site has a transaction open; the test's own around it does not count."""
    from django.db import router, transaction

    from ideogram_django.models import GeneratedImage

    connection = transaction.get_connection(router.db_for_write(GeneratedImage))
    return any(not block._from_testcase for block in connection.atomic_blocks)
