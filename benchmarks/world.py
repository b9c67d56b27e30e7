"""What the figures are measured in: servers, sites, a stub of the provider; all on loopback.

Everything is started when a figure first asks for it and ended with the world, which lies in one
temporary folder. A site is a migrated database of its own; its processes are real ones.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from benchmarks.processes import Member, Process, wait_until
from benchmarks.servers import Postgres, Queue, has_postgres

Database = Literal["sqlite", "postgres"]
NAMES: Mapping[str, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}

SQLITE: dict[str, Any] = {
    # What the documentation tells a site to set.
    "ENGINE": "django.db.backends.sqlite3",
    "CONN_MAX_AGE": None,  # a new connection reads the whole schema again
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
    },
}
POSTGRES: dict[str, Any] = {
    "ENGINE": "django.db.backends.postgresql",
    "USER": "postgres",
    "CONN_MAX_AGE": None,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class World:
    """One run of the benchmarks."""

    def __init__(
        self,
        *,
        databases: tuple[Database, ...],
        rounds: int,
        short: bool,
        full: bool = False,
        busy: bool = False,
    ) -> None:
        self.databases = databases
        self.rounds = rounds
        self.short = short
        """A small form of every figure: enough to see whether something fell far behind."""
        self.full = full
        """The numbers that the targets speak of, however long that takes."""
        self._busy = busy
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(_folder()))
        self._count = 0

    def __enter__(self) -> World:
        for number in range((os.cpu_count() or 1) if self._busy else 0):
            other = Process(
                [sys.executable, "-c", "while True: pass"], log=self.folder / f"busy-{number}.log"
            )
            self._stack.callback(other.end)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def sized(self, usual: int, short: int, full: int | None = None) -> int:
        """How many, in the usual, the short and the full form."""
        if self.full and full is not None:
            return full
        return short if self.short else usual

    @cached_property
    def queue(self) -> Queue:
        queue = Queue(self.folder)
        self._stack.callback(queue.end)
        return queue

    @cached_property
    def postgres(self) -> Postgres:
        postgres = Postgres(self.folder / "postgres")
        self._stack.callback(postgres.end)
        return postgres

    # --- sites ----------------------------------------------------------------------------------

    def site(self, database: Database, **changes: Any) -> Site:
        """A migrated, empty site; ``changes`` are keys of ``IDEOGRAM_DJANGO``."""
        folder = self._own_folder(database)
        if database == "sqlite":
            name = str(folder / "site.sqlite3")
            shutil.copyfile(self._sqlite_template, name)
            settings = {**SQLITE, "NAME": name}
        else:
            name = self._create_database(self._postgres_template)
            settings = {**POSTGRES, "HOST": str(self.postgres.host), "NAME": name}
        return Site(self, database, folder, settings, changes)

    def bare_site(self, database: Database, settings: Mapping[str, Any], **changes: Any) -> Site:
        """A site on a database that is there already, such as one with a million rows."""
        return Site(self, database, self._own_folder(database), settings, changes)

    @cached_property
    def _sqlite_template(self) -> Path:
        path = self.folder / "template.sqlite3"
        self._migrate("sqlite", {**SQLITE, "NAME": str(path)})
        return path

    @cached_property
    def _postgres_template(self) -> str:
        name = self._create_database("template1")
        self._migrate("postgres", {**POSTGRES, "HOST": str(self.postgres.host), "NAME": name})
        return name

    def _migrate(self, database: Database, settings: Mapping[str, Any]) -> None:
        with self.bare_site(database, settings).member() as member:
            member.call(migrate)

    def _create_database(self, template: str) -> str:
        import psycopg

        self._count += 1
        name = f"bench_{self._count}"
        with psycopg.connect(host=str(self.postgres.host), user="postgres", autocommit=True) as one:
            one.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def _own_folder(self, name: str) -> Path:
        self._count += 1
        folder = self.folder / f"{self._count}-{name}"
        folder.mkdir()
        return folder

    # --- the provider ---------------------------------------------------------------------------

    @contextmanager
    def stub(self, **options: float | str) -> Iterator[Stub]:
        """A bare stub of the provider in a process of its own; options as of its command."""
        stub = Stub(self._own_folder("stub"), options)
        try:
            yield stub
        finally:
            stub.process.end()


class Site:
    """One site: a database, a folder for files, settings; its processes as they are asked for."""

    def __init__(
        self,
        world: World,
        database: Database,
        folder: Path,
        settings: Mapping[str, Any],
        changes: Mapping[str, Any],
    ) -> None:
        self.world = world
        self.database: Database = database
        self.folder = folder
        self.settings = settings
        """As in ``DATABASES``."""
        self.changes = dict(changes)
        self.media = folder / "media"

    @property
    def where(self) -> str:
        """The database's name, for people."""
        return NAMES[self.database]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "PYTHONUNBUFFERED": "1",
            "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
            "BENCH_DATABASE": json.dumps(self.settings),
            "BENCH_REDIS_URL": self.world.queue.url,
            "BENCH_MEDIA": str(self.media),
            "BENCH_IDEOGRAM": json.dumps(self.changes),
        }

    @contextmanager
    def member(self, **environment: str) -> Iterator[Member]:
        """A process of this site that functions can be called in."""
        member = Member(
            [sys.executable, "-m", "benchmarks.processes"],
            log=self.folder / "member.log",
            environment={**self.environment, **environment},
            talk=True,
        )
        try:
            yield member
        finally:
            member.end()

    def call(self, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Call one function in a fresh process of this site."""
        with self.member() as member:
            return member.call(function, **arguments)

    @contextmanager
    def manage(self, name: str, *arguments: str, **environment: str) -> Iterator[Process]:
        """``manage.py`` with these arguments, running while the block does."""
        process = self._start(name, ["-m", "django", *arguments], environment)
        try:
            yield process
        finally:
            process.end()

    @contextmanager
    def python(self, name: str, *arguments: str, **environment: str) -> Iterator[Process]:
        """A Python with these arguments, such as ``-m celery``, running while the block does."""
        process = self._start(name, list(arguments), environment)
        try:
            yield process
        finally:
            process.end()

    @contextmanager
    def gunicorn(
        self, *options: str, application: str = "benchmarks.wsgi", **environment: str
    ) -> Iterator[str]:
        """gunicorn with these options, answering while the block runs; its address."""
        port = free_port()
        command = ["-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", application]
        process = self._start("web", command, environment)
        try:
            wait_until(lambda: listens(port), timeout=30, what="The start of gunicorn")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.end()

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Process:
        return Process(
            [sys.executable, *command],
            log=self.folder / f"{name}.log",
            environment={**self.environment, **environment},
        )


class Stub:
    """The stub's process, and what it counts."""

    def __init__(self, folder: Path, options: Mapping[str, float | str]) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.process = Process(
            [sys.executable, "-m", "benchmarks.stub", f"--port={self.port}", *arguments],
            log=folder / "stub.log",
        )
        wait_until(lambda: listens(self.port), timeout=20, what="The start of the stub")

    def counts(self) -> dict[str, Any]:
        """Requests since the last reset, connections, when the first and the last answer went."""
        return self._ask("/counts")

    def reset(self) -> None:
        self._ask("/reset")

    def _ask(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.base_url}{path}", timeout=30) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found


def migrate() -> None:
    """In a member: make all tables."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    # Apps without migrations come first in one go, and theirs point at tables of the others.
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)


def choose_databases(wanted: str) -> tuple[Database, ...]:
    """The databases to measure on; "both" means those that are here."""
    if wanted == "sqlite" or (wanted == "both" and not has_postgres()):
        return ("sqlite",)
    return ("postgres",) if wanted == "postgres" else ("sqlite", "postgres")


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="ideogram-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)  # PostgreSQL runs as another user
        yield name
