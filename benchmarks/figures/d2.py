"""D2: pictures ordered a second by one worker process from a slow provider.

Every order is answered after 200 ms, 64 may be under way, so 320 a second is the bound. Target: at
least 0.85 of it, at most 1.5 ms of processor time an order, and at most 120 MiB (PSS, the worker's
parent and child together). Red line: 0.25 of what the bare loop reaches in the same round, since a
busy machine reaches no bound. Throughput grows with the concurrency, memory with
nothing.

Real workers: ``manage.py rqworker`` for the app; for the naive peer, too, with one job a picture,
which posts and saves; the same job on Celery and on huey with 64 threads. The rate is taken at the
stub, from the first answer to the last, without the first 64: no start-up. The limit is a loop of
64 threads around one ``requests.Session``, without a database. Peers run once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.processes import Process, Watch, cpu, pss, wait_until
from benchmarks.rounds import Judged, Result, ratios
from benchmarks.world import Site, Stub, World

AT_ONCE = 64
LATENCY = 0.2
BOUND = AT_ONCE / LATENCY
NAIVE = "rqworker, a job a picture"
CELERY, HUEY = "Celery, 64 threads", "huey, 64 threads"
OURS, LIMIT = "rqworker, this app", "limit: 64 threads, no database"
SETTINGS: dict[str, Any] = {
    "CONCURRENCY": AT_ONCE,
    "POLL_INTERVAL": 3600,  # orders alone
    "DRAIN_SLICE": 300,
}


@dataclass
class Measured:
    rate: float
    cpu: float
    """Milliseconds an order."""
    memory: float


def measure(world: World) -> list[Result]:
    with world.stub(latency=LATENCY) as stub:
        return [_on(world, stub, database) for database in world.databases]


def _on(world: World, stub: Stub, database: Any) -> Result:
    count = world.sized(1280, 512)
    few = world.sized(30, 8)
    site = world.site(database, API_BASE_URL=stub.base_url, **SETTINGS)
    celery = ["-m", "celery", "-A", "benchmarks.naive.celery_app", "worker", "-P", "threads"]
    huey = ["-m", "huey.bin.huey_consumer", "benchmarks.naive.huey_app.huey", "-k", "thread"]
    run = partial(_run, site, stub)
    peers: dict[str, Callable[[], Measured]] = {
        NAIVE: lambda: run(few, fill_rq, site.manage("worker", "rqworker", "default"), first=1),
        CELERY: lambda: run(
            count, fill_celery, site.python("celery", *celery, f"-c{AT_ONCE}", "-l", "error")
        ),
        HUEY: lambda: run(count, fill_huey, site.python("huey", *huey, f"-w{AT_ONCE}", "-q")),
    }
    if world.short:
        del peers[CELERY], peers[HUEY]
    rates = {name: [peer().rate] for name, peer in peers.items()}
    ours = []
    rates |= {OURS: [], LIMIT: []}
    for _round in range(world.rounds):
        ours.append(run(count, fill_many, site.manage("worker", "rqworker", "default")))
        rates[OURS].append(ours[-1].rate)
        rates[LIMIT].append(run(count, nothing, _bare_loop(site, stub, count)).rate)
    return Result(
        figure="D2",
        title=f"Orders by one worker, {AT_ONCE} at once, {LATENCY * 1000:g} ms each",
        where=site.where,
        unit="orders/s",
        samples=rates,
        ours=OURS,
        judged=[
            Judged(
                what=f"of the bound of {BOUND:g}/s",
                values=[one.rate / BOUND for one in ours],
                target=0.85,
                red=0.1,
            ),
            Judged(
                what="of the bare loop",
                values=ratios(rates[OURS], rates[LIMIT]),
                target=0.9,
                red=0.25,
            ),
            Judged(
                what="processor time an order",
                values=[one.cpu for one in ours],
                unit="ms",
                better="lower",
                target=1.5,
                red=4,
            ),
            Judged(
                what="memory at most (PSS)",
                values=[one.memory for one in ours],
                unit="MiB",
                better="lower",
                target=120,
                red=180,
            ),
        ],
    )


def _run(
    site: Site,
    stub: Stub,
    count: int,
    fill: Callable[..., Any],
    worker: AbstractContextManager[Process],
    *,
    first: int = AT_ONCE,
) -> Measured:
    """Fill the queue, start a worker, and watch until the stub has answered everything."""
    site.world.queue.clear()
    site.call(fill, count=count)
    stub.reset()
    with worker as process, Watch(lambda: pss(process.family()), every=0.2) as memory:
        _await(stub, first, process)
        before = cpu(process.family())
        _await(stub, count, process)
        spent = cpu(process.family()) - before
        counts = stub.counts()
        time.sleep(0.3)  # the last answers are being saved
    took = counts["last"] - counts["first"]
    return Measured(
        rate=(counts["requests"] - first) / took,
        cpu=1000 * spent / (count - first),
        memory=memory.peak,
    )


def _await(stub: Stub, count: int, process: Process) -> None:
    def answered() -> bool:
        if not process.is_running() and stub.counts()["requests"] < count:
            raise RuntimeError(f"The worker ended too early. {process.describe()}")
        return bool(stub.counts()["requests"] >= count)

    wait_until(answered, timeout=120, what=f"The answer to {count} orders")


@contextmanager
def _bare_loop(site: Site, stub: Stub, count: int) -> Iterator[Process]:
    program = f"from {__name__} import bare_loop; bare_loop({stub.base_url!r}, {count})"
    with site.python("limit", "-c", program) as process:
        yield process


def bare_loop(base_url: str, count: int) -> None:
    """The limit's program."""
    from concurrent.futures import ThreadPoolExecutor

    import requests

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE))

    def order(number: int) -> None:
        body = {"model": "ideogram-v4-turbo", "prompt": f"A fox {number}"}
        session.post(f"{base_url}/v2/images/generate", json=body, timeout=60).json()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(order, range(count)))
    sys.stdin.close()
    time.sleep(30)  # until it is ended: its time is being read


# --- in the site's process ------------------------------------------------------------------------


def nothing(count: int) -> None:
    """The bare loop needs no rows."""


def fill_many(count: int) -> None:
    from ideogram_django.models import GeneratedImage

    GeneratedImage.objects.generate_many([{"prompt": f"A fox {n}"} for n in range(count)])


def _pictures(count: int) -> list[int]:
    from benchmarks.naive.models import Picture

    made = Picture.objects.bulk_create(
        Picture(prompt=f"A fox {number}", model="ideogram-v4-turbo") for number in range(count)
    )
    return [picture.pk for picture in made]


def fill_rq(count: int) -> None:
    import django_rq

    from benchmarks.naive.jobs import order

    queue = django_rq.get_queue("default")
    for pk in _pictures(count):
        queue.enqueue(order, pk)


def fill_celery(count: int) -> None:
    from benchmarks.naive.celery_app import order

    for pk in _pictures(count):
        order.delay(pk)


def fill_huey(count: int) -> None:
    from benchmarks.naive.huey_app import order

    for pk in _pictures(count):
        order(pk)
