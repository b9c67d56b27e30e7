"""A site of real processes with a provider, places to stop at, and a clock that can be pushed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.models import DateTimeField, F
from django.db.utils import load_backend

from ideogram_django import conf
from ideogram_django.drains import loop
from ideogram_django.models import Charge, GeneratedImage, ProviderState, StoredObject
from ideogram_django.simulator import Simulator
from tests.reliability.stops import Stops
from tests.site import Process, Site, wait_until

MOST_PASSES = 40


class KillableSite(Site):
    """A site whose processes know the places to stop at."""

    def manage(self, name: str, *arguments: str) -> Process:
        return super().manage(name, *arguments, "--settings=tests.reliability.settings")


@dataclass
class World:
    """Everything that a test of this folder has its hands on."""

    site: KillableSite
    twin: Simulator
    stops: Stops = field(init=False)

    def __post_init__(self) -> None:
        self.stops = Stops(self.site.folder / "stops")

    # --- waiting --------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], object]) -> None:
        wait_until(condition, tell=self.site.describe)

    def wait_for_stop(self, place: str) -> None:
        wait_until(lambda: self.stops.reached(place), tell=self.site.describe)

    def wait_held(self, count: int = 1) -> None:
        assert self.twin.wait_until_held(count, timeout=60), self.site.describe()

    def wait_status(self, image: GeneratedImage, *statuses: str) -> None:
        def there() -> bool:
            image.refresh_from_db()
            return image.status in statuses

        wait_until(there, tell=self.site.describe)

    def parts(self) -> set[str]:
        """Temporary files of downloads."""
        return {name for name in self.site.files() if name.endswith(".part")}

    def mend_files(self) -> None:
        """From now on downloads work, whatever their prompt's mark said."""
        # The twin's public face has no way to mend a job that exists.
        for job in self.twin._provider.jobs():
            job.faults = frozenset()

    # --- time -----------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Everybody's clock goes on: what the rows remember is longer ago, the twin's time later.

        The provider's moments may only come to lie after ours, as with a clock that runs ahead.
        """
        for model in (GeneratedImage, Charge, StoredObject, ProviderState):
            columns = [f.name for f in model._meta.fields if isinstance(f, DateTimeField)]
            earlier: dict[str, Any] = {
                name: F(name) - timedelta(seconds=seconds) for name in columns
            }
            model._base_manager.update(**earlier)
        self.twin.advance(seconds)

    # --- what a second worker, or ideogram_sync, does -------------------------------------------

    def work(self) -> None:
        """One pass of another process, which happens to be the test's."""
        loop.work(sync=True, tidy=True, linger=0)

    def is_quiet(self) -> bool:
        """Nothing is left to do for any picture."""
        rows = GeneratedImage.objects.all()
        return not (rows.in_progress() | rows.filter(next_check_at__isnull=False)).exists()

    def recover(self, *, step: float = 61) -> None:
        """Passes with a minute between them until nothing is left to do, and one that sweeps up."""
        settings = conf.current()
        self.pass_time(settings.LEASE + 1)
        for _pass in range(MOST_PASSES):
            self.work()
            if self.is_quiet():
                break
            self.pass_time(step)
        else:
            raise AssertionError(f"Stuck. {self.site.describe()}")
        self.pass_time(2 * settings.LEASE + settings.DOWNLOAD_DEADLINE + 1)
        self.work()

    # --- the database ---------------------------------------------------------------------------

    @contextmanager
    def database_locked(self, *models: Any) -> Iterator[None]:
        """Nobody else can write to these tables; with SQLite, to any.

        Who still waits when the block ends is cut off: PostgreSQL would do the work of a dead
        client once the lock is gone.
        """
        with other_connection() as connection, connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("BEGIN")
                for model in models:
                    cursor.execute(f"LOCK TABLE {model._meta.db_table} IN EXCLUSIVE MODE")
            else:
                cursor.execute("BEGIN IMMEDIATE")
            yield
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            cursor.execute("ROLLBACK")


@contextmanager
def other_connection() -> Iterator[Any]:
    """One more connection to the database of this thread."""
    settings = connections["default"].settings_dict
    connection = load_backend(settings["ENGINE"]).DatabaseWrapper({**settings}, "other")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def using_database(name: str) -> Iterator[None]:
    """This process works on that database."""
    before = connections["default"]
    settings = {**before.settings_dict, "NAME": name}
    connections["default"] = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before


class Databases:
    """Makes migrated databases by copying one that was migrated once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = self._new_name()
        self._made = [self._template]
        self._create(self._template)
        with using_database(self._template):
            call_command("migrate", verbosity=0, interactive=False)

    def _is_postgres(self) -> bool:
        return connections["default"].vendor == "postgresql"

    def _new_name(self) -> str:
        name = f"ideogram_killed_{uuid.uuid4().hex[:12]}"
        return name if self._is_postgres() else str(self._folder / f"{name}.sqlite3")

    def _create(self, name: str, template: str = "template1") -> None:
        if self._is_postgres():
            with connections["default"]._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")

    def make(self) -> str:
        """A fresh one; its name."""
        name = self._new_name()
        self._made.append(name)
        self._create(name, self._template)
        if not self._is_postgres():
            shutil.copyfile(self._template, name)
        return name

    def drop(self) -> None:
        if not self._is_postgres():
            return
        with connections["default"]._nodb_cursor() as cursor:
            for name in reversed(self._made):
                cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
