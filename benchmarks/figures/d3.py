"""D3: what a picture in flight costs, and one pass over many that are due.

D3a: the memory and the processes that one picture takes while the provider works on it. Target: no
process, no key in Redis, at most 1 KB of database. The naive peer is a worker that waits: an
``rqworker`` whose job looks every two seconds, parent and child (PSS).

D3b: one poller, 100,000 due pictures (10,000 without ``--full``), every answer after 20 ms, 64
connections. Target: at least 0.85 of the speed of a bare loop with the same client and no database;
at most 20 MiB more memory while it runs. Red line: 0.3, and memory that grows with the pictures.
Time is in proportion to what is due, whatever else there is. Once by single requests, where the
provider's list is empty, and once by its list, which has them all, a hundred a page. A look at a
table with nothing due stands in ``tests/``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.processes import Watch, pss, rss, wait_until
from benchmarks.rounds import Judged, Result, ratios
from benchmarks.stub import job_id
from benchmarks.world import Site, World

AT_ONCE = 64
LATENCY = 0.02
OURS, LIMIT = "one poller, single requests", "limit: the same client, no database"
BY_LIST = "one poller, by the list of jobs"
WAITING, ROW = "a worker that waits", "this app"
SETTINGS: dict[str, Any] = {"CONCURRENCY": AT_ONCE, "DRAIN_SLICE": 600, "POLL_INTERVAL": 3600}


def measure(world: World) -> list[Result]:
    return [
        *(_in_flight(world, database) for database in world.databases),
        *(_pass(world, database) for database in world.databases),
    ]


# --- D3a ------------------------------------------------------------------------------------------


def _in_flight(world: World, database: Any) -> Result:
    count = world.sized(2000, 300)
    with world.stub() as stub:
        site = world.site(database, API_BASE_URL=stub.base_url, **SETTINGS)
        memory, processes = _waiting(site)
        world.queue.clear()
        with site.member() as member:
            member.call(order_many, count=1)
            before, keys = member.call(database_size), world.queue.keys()
            member.call(order_many, count=count)
            grown = member.call(database_size) - before
            keys = world.queue.keys() - keys
    return Result(
        figure="D3",
        title="Memory of one picture in flight",
        where=site.where,
        unit="KiB",
        better="lower",
        samples={WAITING: [memory * 1024], ROW: [grown / count / 1024]},
        ours=ROW,
        judged=[
            Judged(
                what="database a picture, indexes and charge included",
                values=[grown / count],
                unit="bytes",
                better="lower",
                target=1024,
                red=4096,
            ),
            Judged(
                what="keys in Redis",
                values=[keys],
                unit="",
                better="lower",
                target=0,
            ),
        ],
        facts={"processes of the worker that waits": processes, "of this app": 0},
    )


def _waiting(site: Site) -> tuple[float, int]:
    """Memory (MiB) and processes of one worker that waits, its parent among them."""
    with site.manage("waiting", "rqworker", "default") as worker:
        site.call(fill_waiting)
        wait_until(lambda: len(worker.family()) > 1, what="The job of the worker that waits")
        time.sleep(2)
        family = worker.family()
        return pss(family), len(family)


def fill_waiting() -> None:
    import django_rq

    from benchmarks.naive.jobs import submit_and_poll
    from benchmarks.naive.models import Picture

    picture = Picture.objects.create(prompt="A fox", model="ideogram-v4-turbo")
    django_rq.enqueue(submit_and_poll, picture.pk)


def order_many(count: int) -> None:
    """Ask for pictures and send them."""
    from ideogram_django import drains
    from ideogram_django.models import GeneratedImage
    from ideogram_django.statuses import Status

    words = "in the style of a linocut, warm colours, the headline set in large letters"
    GeneratedImage.objects.generate_many([{"prompt": f"A fox {n}, {words}"} for n in range(count)])
    drains.work(sync=False, linger=0)
    left = GeneratedImage.objects.exclude(status=Status.SUBMITTED).count()
    if left:
        raise AssertionError(f"{left} of {count} pictures are not in flight.")


def database_size() -> int:
    """Bytes that the app's tables take, without the room that vacuuming gives back."""
    from django.db import connection

    from ideogram_django.models import Charge, GeneratedImage

    tables = [GeneratedImage._meta.db_table, Charge._meta.db_table]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return Path(connection.settings_dict["NAME"]).stat().st_size
        total = 0
        for table in tables:
            cursor.execute(f"VACUUM FULL {table}")
            cursor.execute("SELECT pg_total_relation_size(%s)", [table])
            total += cursor.fetchone()[0]
        return total


# --- D3b ------------------------------------------------------------------------------------------


def _pass(world: World, database: Any) -> Result:
    count = world.sized(10_000, 1500, full=100_000)
    samples: dict[str, list[float]] = {OURS: [], BY_LIST: [], LIMIT: []}
    growth: list[float] = []
    with (
        world.stub(latency=LATENCY) as lonely,
        world.stub(latency=LATENCY, jobs=count) as listed,
    ):
        site = world.site(database, API_BASE_URL=lonely.base_url, **SETTINGS)
        by_list = world.bare_site(database, site.settings, API_BASE_URL=listed.base_url, **SETTINGS)
        with site.member() as member:
            member.call(make_due, count=count)
        for _round in range(world.rounds):
            for name, one in ((OURS, site), (BY_LIST, by_list)):
                with one.member() as member:
                    member.call(warm_up)
                    member.call(make_due_again)
                    with Watch(partial(rss, member.pid), every=0.1) as memory:
                        took = member.call(poll_all, count=count)
                samples[name].append(count / took)
                growth.append(memory.growth)
            samples[LIMIT].append(site.call(bare_polls, count=count // 4))
        calls = listed.counts()["requests"] / world.rounds / count
    return Result(
        figure="D3",
        title=f"One pass over {count:,} due pictures",
        where=site.where,
        unit="pictures/s",
        samples=samples,
        ours=OURS,
        judged=[
            Judged(
                what="of the bare loop, by single requests",
                values=ratios(samples[OURS], samples[LIMIT]),
                target=0.85,
                red=0.3,
            ),
            Judged(
                what="of the bare loop, by the list",
                values=ratios(samples[BY_LIST], samples[LIMIT]),
                target=0.85,
                red=0.3,
            ),
            Judged(
                what="more memory while it runs",
                values=growth,
                unit="MiB",
                better="lower",
                target=20,
                red=40,
            ),
        ],
        facts={"calls a picture, by the list": calls},
    )


def make_due(count: int) -> None:
    """Pictures that the provider works on, as their drain left them an hour ago."""
    from datetime import timedelta

    from django.db import transaction
    from django.db.models import CharField
    from django.utils import timezone

    from ideogram_django.lifecycle.transitions import Each
    from ideogram_django.models import Charge, GeneratedImage
    from ideogram_django.statuses import Status

    then = timezone.now() - timedelta(hours=1)
    with transaction.atomic():
        for start in range(0, count, 1000):
            numbers = range(start, min(start + 1000, count))
            images = GeneratedImage.objects.generate_many(
                [{"prompt": f"A fox {number}"} for number in numbers]
            )
            jobs: dict[int, str] = {}
            charges: dict[int, str] = {}
            for number, image in zip(numbers, images, strict=True):
                jobs[image.pk] = job_id(number)
                charges[image.charge_id or 0] = job_id(number)
            GeneratedImage.objects.filter(pk__in=jobs).update(
                job_id=Each(jobs, CharField()), status=Status.SUBMITTED, submitted_at=then
            )
            Charge.objects.filter(pk__in=charges).update(job_id=Each(charges, CharField()))
    make_due_again()


def warm_up() -> None:
    """Everything imported and connected, so that what grows afterwards is the work's."""
    from ideogram_django import drains

    drains.work(sync=False, linger=0)


def make_due_again() -> None:
    from django.db import connection
    from django.db.models.functions import Now

    from ideogram_django.models import GeneratedImage
    from ideogram_django.statuses import Status

    GeneratedImage.objects.filter(job_id__isnull=False).update(
        status=Status.SUBMITTED, next_check_at=Now(), checks=0, claim=None, lease_until=None
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM ANALYZE {GeneratedImage._meta.db_table}")


def poll_all(count: int) -> float:
    """Seconds until all have been asked about, once."""
    from ideogram_django import drains
    from ideogram_django.models import GeneratedImage

    begun = time.perf_counter()
    drains.work(sync=False, linger=0)
    took = time.perf_counter() - begun
    asked = GeneratedImage.objects.filter(checks=1).count()
    if asked != count:
        raise AssertionError(f"{asked} of {count} pictures were asked about.")
    return took


def bare_polls(count: int) -> float:
    """Jobs read a second by threads that do nothing else."""
    from concurrent.futures import ThreadPoolExecutor

    from ideogram_django import conf
    from ideogram_django.apiframe.client import Client

    settings = conf.current()
    client = Client(
        api_key=settings.API_KEY,
        base_url=settings.API_BASE_URL,
        connect_timeout=settings.CONNECT_TIMEOUT,
        deadline=settings.REQUEST_DEADLINE,
        pool_size=AT_ONCE,
    )
    read: Callable[[str], object] = client.job
    with ThreadPoolExecutor(AT_ONCE) as threads:
        begun = time.perf_counter()
        for _job in threads.map(read, map(job_id, range(count))):
            pass
        return count / (time.perf_counter() - begun)
