"""Running the drain in the test's own process, against the twin over a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.models.functions import Now

from ideogram_django.drains import loop
from ideogram_django.models import Charge, GeneratedImage, ProviderState
from ideogram_django.simulator import Simulator

KEY = "afk_" + "0" * 40

FAST: dict[str, Any] = {
    "API_KEY": KEY,
    "POLL_INTERVAL": 0.05,
    "FIRST_POLL_WITH_WEBHOOK": 0.05,
    "CONNECT_TIMEOUT": 2,
    "REQUEST_DEADLINE": 5,
    "DOWNLOAD_DEADLINE": 5,
    "REQUESTS_PER_MINUTE": 100_000,
    "WIDTHS": [64, 160],
}


@pytest.fixture
def twin(settings: Any, tmp_path: Any, transactional_db: None) -> Iterator[Simulator]:
    """The provider on a socket, and settings that point at it. Jobs end after 0.1 s."""
    with Simulator(api_keys=[KEY], credits=100_000, seconds_per_job=0.1) as simulator:
        settings.MEDIA_ROOT = str(tmp_path / "media")
        settings.IDEOGRAM_DJANGO = {**FAST, "API_BASE_URL": simulator.base_url}
        yield simulator


@contextmanager
def configured(settings: Any, **changes: Any) -> Iterator[None]:
    """The app's settings with some changed."""
    before = django_settings.IDEOGRAM_DJANGO
    settings.IDEOGRAM_DJANGO = {**before, **changes}
    try:
        yield
    finally:
        settings.IDEOGRAM_DJANGO = before


def make_due() -> None:
    """Let no row wait for its back-off."""
    GeneratedImage.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
    ProviderState.objects.update(not_before=None)


def drain(passes: int = 1) -> None:
    for _pass in range(passes):
        loop.work(sync=True, tidy=True, linger=0)


def drain_until(condition: Callable[[], bool], *, hurry: bool = True, timeout: float = 20) -> None:
    """Run passes until the condition holds; fails the test when it never does."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, describe_rows()
        if hurry:
            make_due()
        drain()
        time.sleep(0.02)


def drain_to_end(*images: GeneratedImage, hurry: bool = True) -> None:
    """Run passes until these pictures are finished and nothing of them is due."""

    def ended() -> bool:
        for image in images:
            image.refresh_from_db()
        return all(image.is_finished and image.next_check_at is None for image in images)

    drain_until(ended, hurry=hurry)


def describe_rows() -> str:
    rows = [
        (image.pk, image.status, image.error_code, image.job_id, image.checks)
        for image in GeneratedImage.objects.all()
    ]
    charges = [(c.pk, c.state, c.job_id, c.maybe_sent, c.sendings) for c in Charge.objects.all()]
    return f"{rows} {charges} {ProviderState.objects.values().first()}"
