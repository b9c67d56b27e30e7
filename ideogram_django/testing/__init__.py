"""The pytest plugin: a site tests what it does with pictures, offline and for no money.

Installed with the package; needs pytest-django. Nothing has to be imported or registered::

    def test_publishing_makes_a_hero(ideogram, client):
        client.post("/articles/new/", {"title": "Open late"})
        ideogram.finish()
        ideogram.assert_generated("Open late", aspect_ratio="16:9")
        ideogram.assert_charged(credits=3)

``ideogram`` is the offline twin of the provider on a loopback socket, with the settings of the
site pointing at it, files in a temporary directory, and no queue: what a worker would do,
:meth:`Ideogram.finish` does in the test's own process. With ``ideogram_instant`` it is done at
every commit, without being called. ``ideogram_server`` is the twin alone, for tests that run their
own workers. pytest imports this module before Django is configured, so whatever needs Django's
apps is imported where it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ideogram_django.simulator import Simulator
from ideogram_django.testing.instant import Instant
from ideogram_django.testing.kit import FAULTS, Ideogram

__all__ = [
    "FAULTS",
    "Ideogram",
    "ideogram",
    "ideogram_instant",
    "ideogram_media",
    "ideogram_server",
]

KEY = "afk_tests"
CREDITS = 100_000
QUEUE = "ideogram-tests"

PACE: Mapping[str, Any] = {
    "CONNECT_TIMEOUT": 5,
    "REQUEST_DEADLINE": 10,
    "DOWNLOAD_DEADLINE": 10,
    "POLL_INTERVAL": 1,
    "FIRST_POLL_WITH_WEBHOOK": 1,
    "REQUESTS_PER_MINUTE": 1_000_000,
    "MAX_IN_FLIGHT": None,
}


@pytest.fixture
def ideogram_server() -> Iterator[Simulator]:
    """The offline twin, listening on 127.0.0.1, with the key ``afk_tests``; nothing else.

    For tests that start their own processes: point ``API_BASE_URL`` to its ``base_url``.
    """
    with Simulator(api_keys=[KEY], credits=CREDITS, seconds_per_job=0.1) as twin:
        yield twin


@pytest.fixture
def ideogram_media(settings: Any, tmp_path: Path) -> Path:
    """``MEDIA_ROOT`` and the storages for files in a temporary directory; its path."""
    root = tmp_path / "media"
    settings.MEDIA_ROOT = str(root)
    used = {"default", getattr(settings, "IDEOGRAM_DJANGO", {}).get("STORAGE", "default")}
    # A site's own storage may be a bucket, where a test has no business.
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.STORAGES = {**settings.STORAGES, **dict.fromkeys(used, local)}
    return root


@pytest.fixture
def ideogram(
    ideogram_server: Simulator, ideogram_media: Path, settings: Any, db: None
) -> Iterator[Ideogram]:
    """The twin with this site's settings pointing at it; see :class:`Ideogram`.

    Keeps the site's own ``DEFAULT_MODEL``, ``PRICES``, ``WIDTHS`` and the like; changes what
    reaches out: the provider's address and key, webhooks, proxies, the queue, the storage.
    """
    # A socket that does not exist is refused at once, so that no test waits for a Redis, and no
    # test knocks at a real one, where the developer's own worker listens.
    socket = str(ideogram_media.parent / "no-redis.sock")
    queues = getattr(settings, "RQ_QUEUES", {})
    settings.RQ_QUEUES = {**queues, QUEUE: {"UNIX_SOCKET_PATH": socket, "DB": 0}}
    settings.IDEOGRAM_DJANGO = {
        **getattr(settings, "IDEOGRAM_DJANGO", {}),
        **PACE,
        "API_KEY": KEY,
        "PREVIOUS_API_KEYS": [],
        "API_BASE_URL": ideogram_server.base_url,
        "WEBHOOK_BASE_URL": None,
        "PROXIES": {},
        "QUEUE": QUEUE,
        "DISPATCHER": "ideogram_django.wakeups.RQDispatcher",
        "SPENDING_ENABLED": True,
    }
    with _quiet("ideogram_django.wakeups"):
        yield Ideogram(ideogram_server)


@pytest.fixture
def ideogram_instant(ideogram: Ideogram) -> Iterator[Ideogram]:
    """As ``ideogram``, and every picture is finished as soon as the asking for it is committed.

    No queue, no worker and no :meth:`Ideogram.finish`: what follows ``client.post(…)`` finds the
    picture there. Under ``db``, whose own transaction never commits, the end of the site's
    outermost ``atomic()`` counts as the commit. A picture that a rollback takes back is never
    sent. An instance that asked has to be read again.
    """
    from django.db import transaction

    from ideogram_django import wakeups

    instant = Instant(ideogram)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wakeups, "wake", instant.wake)
        patch.setattr(wakeups, "wake_after_commit", instant.wake_after_commit)
        leave = transaction.Atomic.__exit__
        patch.setattr(transaction.Atomic, "__exit__", instant.after(leave))
        yield ideogram


@contextmanager
def _quiet(name: str) -> Generator[None]:
    """Pass over warnings of one logger: that no worker could be woken is meant here."""

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger = logging.getLogger(name)
    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)
