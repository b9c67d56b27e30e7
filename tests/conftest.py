"""Fixtures that need a server or a process; what skips without them, and when that is an error."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError

from ideogram_django.simulator import Simulator
from tests.site import KEY, ROOT, Demo, QueueServer, Site, own_database

pytest_plugins = ["tests.browsing", "tests.hosting", "tests.people"]

REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
WANTED = re.compile(r"redis|valkey|chromium|browser|\baxe\b|unfold|gettext", re.IGNORECASE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """With REQUIRE_ALL=1 what is skipped for want of a server, a browser or a theme has failed."""
    report = yield
    wanted = WANTED
    if os.environ.get("TEST_POSTGRES_HOST"):
        # Where PostgreSQL is, a bucket is installed, too.
        wanted = re.compile(f"{WANTED.pattern}|postgres|moto", re.IGNORECASE)
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else "")
        if wanted.search(reason):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: REQUIRE_ALL=1 forbids this: {reason}"
    return report


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A worker that a test runs in this process takes Ctrl-C and SIGTERM away from pytest."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def live_server(django_db_setup: None, live_server: Any) -> Any:
    """The database comes first: a server that still sees the one in memory would have all its
    threads share one connection, which SQLite answers with nonsense or a crash."""
    return live_server


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for sockets, whose paths may have about 100 characters only."""
    folder = Path(tempfile.mkdtemp(prefix="ideogram-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def queue_server(short_path: Path) -> Iterator[QueueServer]:
    """A Redis or Valkey of the test's own, which it may stop and start."""
    server = QueueServer(short_path)
    try:
        server.start()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The address of a Redis or Valkey: TEST_REDIS_URL, else one that runs for the session."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        try:
            with Redis.from_url(given, socket_timeout=2) as server:
                server.ping()
        except (RedisError, OSError) as error:
            pytest.fail(f"TEST_REDIS_URL does not answer: {error}")
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="ideogram-") as folder:
        server = QueueServer(Path(folder))
        try:
            server.start()
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield server.url
        server.stop()


@pytest.fixture
def simulator_options() -> dict[str, Any]:
    """How the twin behaves; a test that wants it otherwise parametrizes this."""
    return {}


@pytest.fixture
def simulator(simulator_options: dict[str, Any]) -> Iterator[Simulator]:
    """The provider's offline twin on a loopback port, in the test's process."""
    options = {"api_keys": [KEY], "credits": 1000, "seconds_per_job": 0.3, **simulator_options}
    with Simulator(**options) as twin:
        yield twin


@pytest.fixture
def webhooks() -> bool:
    """Whether the site asks for webhooks; a test that wants them parametrizes this."""
    return False


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    settings: Any,
    django_db_blocker: Any,
    simulator: Simulator,
    webhooks: bool,
) -> Iterator[Site]:
    """A site of real processes; this process is a member of it. Nothing is started yet."""
    own_queue = "queue_server" in request.fixturenames
    redis_url = (
        request.getfixturevalue("queue_server").url
        if own_queue
        else request.getfixturevalue("redis_server")
    )
    with django_db_blocker.unblock(), own_database(tmp_path) as database:
        site = Site(
            folder=tmp_path,
            redis_url=redis_url,
            database=database,
            api_base_url=simulator.base_url,
            webhooks=webhooks,
        )
        settings.RQ_QUEUES = site.queues
        settings.MEDIA_ROOT = str(site.media)
        settings.IDEOGRAM_DJANGO = site.ideogram
        try:
            yield site
        finally:
            site.end()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it would be published, built once from this tree, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The running demo: the example project with everything around it."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    demo.start()
    yield demo
    demo.process.end(patience=40)
