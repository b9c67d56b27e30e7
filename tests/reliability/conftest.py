"""A world per test: own database, own queue, own storage, own provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ideogram_django.simulator import Simulator
from tests.reliability import settings as module
from tests.reliability.stops import FOLDER
from tests.reliability.world import Databases, KillableSite, World, using_database


@pytest.fixture(scope="session")
def databases(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any, django_db_setup: None
) -> Iterator[Databases]:
    with django_db_blocker.unblock():
        made = Databases(tmp_path_factory.mktemp("databases"))
        yield made
        made.drop()


@pytest.fixture
def storage() -> str:
    """Name of the storage class; a test that wants another parametrizes this."""
    return "StoppingStorage"


@pytest.fixture
def changes() -> dict[str, Any]:
    """Changed settings of the app; a test that wants some parametrizes this."""
    return {}


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    databases: Databases,
    django_db_blocker: Any,
    simulator: Simulator,
    webhooks: bool,
    storage: str,
    changes: dict[str, Any],
) -> Iterator[World]:
    """A site of real processes; this process is a member of it. Nothing is started yet."""
    own_queue = "queue_server" in request.fixturenames
    redis_url = (
        request.getfixturevalue("queue_server").url
        if own_queue
        else request.getfixturevalue("redis_server")
    )
    monkeypatch.setenv(FOLDER, str(tmp_path / "stops"))
    monkeypatch.setenv("TEST_STORAGE", f"tests.reliability.storages.{storage}")
    with django_db_blocker.unblock():
        database = databases.make()
        with using_database(database):
            site = KillableSite(
                folder=tmp_path,
                redis_url=redis_url,
                database=database,
                api_base_url=simulator.base_url,
                webhooks=webhooks,
                changes=changes,
            )
            settings.RQ_QUEUES = site.queues
            settings.MEDIA_ROOT = str(site.media)
            settings.ROOT_URLCONF = module.ROOT_URLCONF
            settings.STORAGES = {
                **module.STORAGES,
                "default": {"BACKEND": f"tests.reliability.storages.{storage}"},
            }
            settings.IDEOGRAM_DJANGO = site.ideogram
            try:
                yield World(site, simulator)
            finally:
                for process in site.processes:
                    if process.is_running():
                        process.kill()
                site.end()
