"""Sites that are full of pictures; see :mod:`benchmarks.filling`. Each is made once in a run."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from benchmarks.world import Database, Site, World

SMALL, BIG = 10_000, 1_000_000
SMALL_IN_SHORT, BIG_IN_SHORT = 5000, 20_000
IN_FLIGHT = 2000
LONG = 100
"""Pictures in a chain that replaced each other in the big gallery; in the small one each is new."""

_made: dict[tuple[int, Database, int], Site] = {}


def small(world: World, database: Database) -> Site:
    return _filled(world, database, world.sized(SMALL, SMALL_IN_SHORT))


def big(world: World, database: Database) -> Site:
    return _filled(world, database, world.sized(BIG, BIG_IN_SHORT))


def _filled(world: World, database: Database, rows: int) -> Site:
    if (id(world), database, rows) not in _made:
        # A million rows take a minute or two on each database: all at once.
        sizes = {world.sized(SMALL, SMALL_IN_SHORT), world.sized(BIG, BIG_IN_SHORT)}
        sites = {
            (id(world), one, size): world.site(one) for one in world.databases for size in sizes
        }
        _at_once(
            threading.Thread(target=_fill, args=(site, size))
            for (_world, _database, size), site in sites.items()
        )
        _made.update(sites)
    return _made[id(world), database, rows]


def _at_once(threads: Iterable[threading.Thread]) -> None:
    running = list(threads)
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def _fill(site: Site, rows: int) -> None:
    history = 1 if rows == site.world.sized(SMALL, SMALL_IN_SHORT) else LONG
    site.call(fill_here, rows=rows, history=history)


def fill_here(rows: int, history: int) -> None:
    """In the site's process: the pictures, a person who may do all, and who looks after them."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from benchmarks.filling import fill
    from ideogram_django.models import ProviderState

    fill(rows, in_flight=IN_FLIGHT, history=history)
    get_user_model().objects.create_superuser("root")
    # As if the sync had just been here: the pages have nothing to warn of.
    ProviderState.objects.create(last_sync=timezone.now(), balance_at=timezone.now())
