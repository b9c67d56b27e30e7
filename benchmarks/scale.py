"""``python3 run.py bench scale``: very many pictures in flight at once, on this machine.

    python3 run.py bench scale                      100,000 of them
    python3 run.py bench scale --pictures 10000     fewer
    python3 run.py bench scale --hours 8            a worker's long day in minutes, for leaks

A site as in production (gunicorn, an RQ worker that does not fork, ``ideogram_sync --loop``, Redis,
PostgreSQL or SQLite) against the simulator in a process of its own. All pictures are ordered and
sent before the first is finished; then the provider finishes all of them at once and tells by
webhooks, of which a tenth gets lost. When no more webhooks come, the time until the first look at
the provider (``FIRST_POLL_WITH_WEBHOOK``) is over at once, and the lost ones are found by polling.

The pictures are 16 pixels wide, so that decoding is not what is measured. The memory of every
process is noted all along. At the end the site's ledger is held against the provider's: every
picture finished, each charged once, each job somebody's. JSON and a plot lie in build/bench/.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import scale_page
from benchmarks.page import machine
from benchmarks.processes import ROOT, Member, Process, cpu, own, pss, wait_until
from benchmarks.world import NAMES, Site, World, choose_databases, free_port, listens

KEY = "afk_" + "0" * 40
BATCH = 1000
LOST = 0.1
STALLED = 120.0
"""Seconds without any progress after which the run is given up."""
STILL = 4.0
"""Seconds without one more webhook after which no more are expected."""
NEVER = 10.0**9
MOST_GROWTH = 40
"""MiB by which a process may grow while all pictures pass through it."""
WARM = 60
"""Samples of the memory below which a run says nothing about growth."""
OURS = ("web", "worker", "sync")
FLAT = 6
"""MiB by which a process may be larger in the last third of a long day than in the first. A heap
grows in steps until it has seen the most work at once; what is lost for each slice of work or each
picture would come to more in a day."""
AS_ADVISED = {"MALLOC_ARENA_MAX": "1"}
"""What the sizing page tells workers to be started with."""
SLICE = 20
"""Seconds of a drain with the default settings."""
QUICK_SLICE = 0.25
"""Seconds of a drain in the shortened day."""
A_MOMENT = 40
"""Pictures that are ordered at a time in the shortened day."""


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    build = options.build
    build.mkdir(parents=True, exist_ok=True)
    with World(databases=(options.database,), rounds=1, short=False) as world:
        report = long_day(world, options) if options.hours else at_once(world, options)
    name = report["name"]
    (build / f"{name}.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    (build / f"{name}.svg").write_text(scale_page.drawn(report))
    if options.publish:
        scale_page.publish(report)
    print(as_text(report))
    print(f"\nJSON and plot: {build / name}.json, .svg")
    return 0 if all(report["checks"].values()) else 1


def can_run() -> bool:
    """Whether what it starts is installed."""
    return importlib.util.find_spec("gunicorn") is not None


# --- all at once ----------------------------------------------------------------------------------


def at_once(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """Order, send, finish; then hold the ledgers together."""
    count = options.pictures
    settings = {"CONCURRENCY": options.concurrency, "FIRST_POLL_WITH_WEBHOOK": 24 * 3600}
    with running(world, options, settings, seconds_per_job=NEVER) as scene:
        scene.say(f"{count:,} pictures, {NAMES[options.database]}")
        with scene.phase("ordering"):
            for start in range(0, count, BATCH):
                scene.member.call(order, first=start, count=min(BATCH, count - start))
        with scene.phase("sending"):
            scene.until(lambda now: now.get("submitted", 0) == count)
        redis_keys = world.queue.keys()
        with scene.phase("webhooks"):
            in_flight = scene.tell("finish")["finished"]
            lost = scene.until_still("submitted")
        with scene.phase("finishing"):
            scene.member.call(pass_time)
            scene.until(lambda now: not now.get("open"))
        report = {
            "name": "scale",
            "pictures": count,
            "in_flight": in_flight,
            "webhooks_lost": lost,
            "redis_keys_in_flight": redis_keys,
            **scene.report(),
        }
        report["checks"]["all in flight at once"] = in_flight == count
        warm = len(report["memory"]["seconds"]) >= WARM
        for name in scene.processes:
            if warm and name.startswith(("worker", "sync", "web")):
                grown = report["memory"]["growth"][name]
                report["checks"][f"{name}: at most {MOST_GROWTH} MiB more"] = grown <= MOST_GROWTH
        return report


def long_day(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """A trickle of pictures, and as many drains of one worker as so many hours have room for."""
    drains = int(options.hours * 3600 / SLICE)
    settings = {
        "CONCURRENCY": options.concurrency,
        "DRAIN_SLICE": QUICK_SLICE,
        "FIRST_POLL_WITH_WEBHOOK": 3,
        "POLL_INTERVAL": 1,
        "SYNC_INTERVAL": 2,
    }
    with running(world, options, settings, seconds_per_job=1) as scene:
        scene.say(f"{drains:,} drains of one worker, {NAMES[options.database]}")
        count = 0
        with scene.phase("day"):
            while (done := scene.drains()) < drains and not scene.is_late():
                if scene.states().get("open", 0) < 2 * A_MOMENT:
                    scene.member.call(order, first=count, count=A_MOMENT)
                    count += A_MOMENT
                time.sleep(QUICK_SLICE / 2)
        with scene.phase("finishing"):
            scene.until(lambda now: not now.get("open"))
        report = {"name": "leaks", "pictures": count, "drains": done, **scene.report()}
        report["checks"][f"{drains:,} drains"] = done >= drains
        report["checks"] |= stays_flat(report["memory"]["thirds"])
        return report


def stays_flat(thirds: Mapping[str, Mapping[str, float]]) -> dict[str, bool]:
    """Whether our own processes are as large at the end of the day as in its first third."""
    grown = {name: thirds[name]["last"] - thirds[name]["first"] for name in OURS}
    return {f"{name}: at most {FLAT} MiB more": by <= FLAT for name, by in grown.items()}


# --- what runs ------------------------------------------------------------------------------------


@contextmanager
def running(
    world: World, options: argparse.Namespace, settings: Mapping[str, Any], seconds_per_job: float
) -> Iterator[Scene]:
    """The whole site and the provider, while the block runs."""
    web, twin = free_port(), free_port()
    changes = {
        "API_KEY": KEY,
        "API_BASE_URL": f"http://127.0.0.1:{twin}",
        "WEBHOOK_BASE_URL": f"http://127.0.0.1:{web}",
    }
    site = world.site(options.database, **changes, **settings)
    gunicorn = ("-m", "gunicorn", "--workers", "2", "--threads", "4")
    simulator = ("-m", "benchmarks.twin", "--port", str(twin), "--api-key", KEY)
    faults = ("--seconds-per-job", str(seconds_per_job), "--lose-webhooks", str(LOST))
    worker = ("rqworker", "--worker-class", "rq.SimpleWorker")
    with ExitStack() as stack:
        processes = {
            "simulator": stack.enter_context(site.python("twin", *simulator, *faults)),
            "web": stack.enter_context(
                site.python("web", *gunicorn, "--bind", f"127.0.0.1:{web}", "benchmarks.wsgi")
            ),
        }
        for port in (web, twin):
            wait_until(partial(listens, port), timeout=30, what="The start of the servers")
        for number in range(options.workers):
            name = "worker" if options.workers == 1 else f"worker {number + 1}"
            log = f"worker-{number + 1}"
            processes[name] = stack.enter_context(site.manage(log, *worker, **AS_ADVISED))
        sync = site.manage("sync", "ideogram_sync", "--loop", **AS_ADVISED)
        processes["sync"] = stack.enter_context(sync)
        member = stack.enter_context(site.member())
        scene = Scene(site, options, member, processes, twin)
        with scene.recorder:
            try:
                yield scene
            except TimeoutError:
                print(*(process.describe() for process in processes.values()), sep="\n")
                raise


class Scene:
    """What a run looks at and what it has seen."""

    def __init__(
        self,
        site: Site,
        options: argparse.Namespace,
        member: Member,
        processes: Mapping[str, Process],
        twin: int,
    ) -> None:
        self.site = site
        self.options = options
        self.member = member
        self.processes = processes
        self.recorder = Recorder(site, processes)
        self._provider = f"http://127.0.0.1:{twin}/_simulator"
        self._phases: dict[str, float] = {}
        self._begun = self._told = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begun:6.0f} s  {text}", flush=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        self.say(f"{name} …")
        self.recorder.mark(name)
        yield
        self._phases[name] = round(time.monotonic() - begun, 1)

    def is_late(self) -> bool:
        return bool(time.monotonic() - self._begun > self.options.minutes * 60)

    def states(self) -> dict[str, int]:
        """Pictures by status, without those that have reached their end; "open": how many."""
        found: dict[str, int] = self.member.call(states)
        return found

    def until(self, condition: Callable[[dict[str, int]], bool]) -> None:
        """Wait for it as long as anything moves and the time allows."""
        before: dict[str, int] = {}
        moved = time.monotonic()
        while not condition(now := self.states()):
            if now != before:
                before, moved = now, time.monotonic()
            self._tell(now)
            if time.monotonic() - moved > STALLED or self.is_late():
                raise TimeoutError(f"No end after {self.options.minutes} minutes: {now}")
            time.sleep(0.5)

    def _tell(self, now: Mapping[str, int]) -> None:
        if time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            self.say(f"  {dict(sorted(now.items()))}")

    def until_still(self, status: str) -> int:
        """Wait until as many stand there as a moment ago; how many those are."""
        left, since = -1, time.monotonic()
        while time.monotonic() - since < STILL:
            states = self.states()
            now = states.get(status, 0)
            self._tell(states)
            if now != left:
                left, since = now, time.monotonic()
            if self.is_late():
                raise TimeoutError(f"{left} are still {status}.")
            time.sleep(0.5)
        return left

    def drains(self) -> int:
        """How many slices of work the worker has done."""
        return int(self.member.call(drains))

    def tell(self, command: str) -> dict[str, Any]:
        """Have the provider do something."""
        order = urllib.request.Request(f"{self._provider}/{command}", data=b"{}")  # noqa: S310
        with urllib.request.urlopen(order, timeout=300) as answer:  # noqa: S310
            told: dict[str, Any] = json.load(answer)
            return told

    def report(self) -> dict[str, Any]:
        """What is the same for every run: times, memory, and whether the ledgers agree."""
        kept = self.site.folder / "ledger.json"
        with urllib.request.urlopen(f"{self._provider}/ledger", timeout=300) as answer:  # noqa: S310
            kept.write_bytes(answer.read())
        ledgers = self.member.call(compare, ledger=str(kept), media=str(self.site.media))
        return {
            "database": NAMES[self.options.database],
            "machine": machine(),
            "options": {
                "workers": self.options.workers,
                "concurrency": self.options.concurrency,
            },
            "seconds": round(sum(self._phases.values()), 1),
            "phases": self._phases,
            "ledgers": ledgers["counts"],
            "checks": ledgers["checks"],
            "redis_keys_at_the_end": self.site.world.queue.keys(),
            "processor_seconds": self.recorder.processor_seconds(),
            "memory": self.recorder.as_dict(),
        }


class Recorder:
    """The memory of every process, all along."""

    EVERY = 2.0

    def __init__(self, site: Site, processes: Mapping[str, Process]) -> None:
        self._site = site
        self._processes = processes
        self._over = threading.Event()
        self._begun = time.monotonic()
        self.seconds: list[float] = []
        self.marks: dict[str, float] = {}
        self.memory: dict[str, list[float]] = {name: [] for name in self._members()}
        self.with_code: dict[str, float] = dict.fromkeys(self.memory, 0.0)

    def __enter__(self) -> Recorder:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def mark(self, name: str) -> None:
        """A phase begins."""
        self.marks[name] = round(time.monotonic() - self._begun, 1)

    def _members(self) -> dict[str, list[int]]:
        members = {name: process.family() for name, process in self._processes.items()}
        members["Redis"] = self._site.world.queue.pids()
        if self._site.database == "postgres":
            members["PostgreSQL"] = self._site.world.postgres.pids()
        return members

    def _run(self) -> None:
        while not self._over.is_set():
            self.seconds.append(round(time.monotonic() - self._begun, 1))
            for name, pids in self._members().items():
                self.memory[name].append(round(own(pids), 1))
                self.with_code[name] = max(self.with_code[name], round(pss(pids), 1))
            self._over.wait(self.EVERY)

    def processor_seconds(self) -> dict[str, float]:
        return {name: round(cpu(pids), 1) for name, pids in self._members().items()}

    def as_dict(self) -> dict[str, Any]:
        count = min(map(len, self.memory.values()))
        return {
            "unit": "MiB of its own",
            "seconds": self.seconds[:count],
            "marks": self.marks,
            "processes": {name: of[:count] for name, of in self.memory.items()},
            "growth": {name: growth(of[:count]) for name, of in self.memory.items()},
            "thirds": {
                name: {**thirds(of[:count]), "with code": self.with_code[name]}
                for name, of in self.memory.items()
            },
        }


def thirds(values: Sequence[float]) -> dict[str, float]:
    """How a process's memory went: medians of the first and last third, and the most."""
    part = max(len(values) // 3, 1)
    return {
        "first": round(statistics.median(values[:part]), 1),
        "last": round(statistics.median(values[-part:]), 1),
        "most": max(values),
    }


def growth(values: Sequence[float]) -> float:
    """By how much it grew once it was warm: the most, against the median of the first tenth."""
    return round(max(values) - statistics.median(values[: max(len(values) // 10, 1)]), 1)


# --- in a process of the site ---------------------------------------------------------------------


def order(first: int, count: int) -> None:
    from ideogram_django.models import GeneratedImage

    GeneratedImage.objects.generate_many(
        [{"prompt": f"Picture {number}"} for number in range(first, first + count)]
    )


def states() -> dict[str, int]:
    from django.db.models import Count

    from ideogram_django.models import GeneratedImage
    from ideogram_django.statuses import IN_PROGRESS

    rows = GeneratedImage.objects.in_progress().order_by().values_list("status")
    found = {str(status): count for status, count in rows.annotate(count=Count("pk"))}
    # Finished, and something left to do: no files yet beside the original, or money to be read.
    after = GeneratedImage.objects.exclude(status__in=IN_PROGRESS)
    left = after.filter(next_check_at__isnull=False).count()
    opened = sum(found.values()) + left
    return {**found, **({"after": left} if left else {}), **({"open": opened} if opened else {})}


def pass_time() -> None:
    """The wait for webhooks is over: what has not been heard of is due now."""
    from django.db.models.functions import Now

    from ideogram_django.models import GeneratedImage
    from ideogram_django.statuses import Status

    GeneratedImage.objects.filter(status=Status.SUBMITTED).update(next_check_at=Now())


def drains() -> int:
    import django_rq
    from rq import Worker

    workers = Worker.all(connection=django_rq.get_connection("default"))
    return sum(worker.successful_job_count for worker in workers)


def compare(ledger: str, media: str) -> dict[str, Any]:
    """The site's books against the provider's, and its files against its rows."""
    from django.db.models import Count, Sum

    from ideogram_django.models import Charge, GeneratedImage, StoredObject

    charged = json.loads(Path(ledger).read_text())["charges"]
    keys = [one["idempotency_key"] for one in charged]
    at_provider = {one["job_id"]: (one["idempotency_key"], one["credits"]) for one in charged}
    ours = {
        job: (str(key), credits)
        for job, key, credits in Charge.objects.values_list(
            "job_id", "idempotency_key", "charged_credits"
        ).iterator()
    }
    states = dict(
        GeneratedImage.objects.order_by().values_list("status").annotate(count=Count("pk"))
    )
    ordered = GeneratedImage.objects.count()
    stored = StoredObject.objects.filter(linked_at__isnull=False, deleted_at__isnull=True)
    files = sum(len(names) for _folder, _folders, names in os.walk(media))
    totals = Charge.objects.aggregate(credits=Sum("charged_credits"), count=Count("pk"))
    counts = {
        "pictures": ordered,
        **{str(status): count for status, count in states.items()},
        "charges": totals["count"],
        "jobs at the provider": len(charged),
        "credits taken by the provider": sum(one["credits"] for one in charged),
        "credits in the site's ledger": totals["credits"] or 0,
        "objects": stored.count(),
        "files": files,
    }
    return {
        "counts": counts,
        "checks": {
            "all finished": states == {"completed": ordered},
            "none lost: one job for each picture": len(charged) == ordered == totals["count"],
            "none made twice: every key once": len(set(keys)) == len(keys),
            "the ledgers agree, job by job": ours == at_provider,
            "one file for each picture": files == stored.count() == ordered,
            "no second job is noted": not Charge.objects.exclude(other_job_ids=[]).exists(),
        },
    }


# --- the report -----------------------------------------------------------------------------------


def as_text(report: Mapping[str, Any]) -> str:
    """For a terminal."""
    pictures, seconds = report["pictures"], report["seconds"]
    lines = [
        "",
        f"{pictures:,} pictures in {seconds / 60:.1f} minutes, {report['database']}, "
        f"{report['options']['workers']} worker(s) and sync of {report['options']['concurrency']} "
        "threads each",
    ]
    for name, took in scale_page.steps(report).items():
        lines.append(f"  {name:<14}{took:8.1f} s {pictures / took:8.0f} pictures/s")
    if "in_flight" in report:
        lines.append(f"  in flight at once: {report['in_flight']:,}")
        lines.append(f"  webhooks lost: {report['webhooks_lost']:,}")
        lines.append(f"  Redis keys while in flight: {report['redis_keys_in_flight']}")
    lines.append(f"  Redis keys at the end: {report['redis_keys_at_the_end']}")
    heads = f"{'first third':>12}{'last third':>12}{'most':>8}{'with code':>11}"
    lines.append(f"  {'':<14}{heads}   MiB, and CPU seconds")
    for name, of in report["memory"]["thirds"].items():
        used = report["processor_seconds"].get(name, 0)
        memory = f"{of['first']:>12}{of['last']:>12}{of['most']:>8}{of['with code']:>11}"
        lines.append(f"  {name:<14}{memory}{used:>9.0f} s")
    lines += [f"  {name}: {number:,}" for name, number in report["ledgers"].items()]
    lines += [f"  {'yes' if held else 'NO '}  {name}" for name, held in report["checks"].items()]
    return "\n".join(lines)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py bench scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--hours", type=float, help="of a worker's day, shortened")
    parser.add_argument("--workers", type=int, default=1, help="beside ideogram_sync")
    parser.add_argument("--concurrency", type=int, default=48, help="threads of each")
    parser.add_argument("--minutes", type=float, default=40, help="after which it is given up")
    parser.add_argument("--database", choices=["sqlite", "postgres"])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--publish", action="store_true", help="write docs/howto/sizing.md anew")
    options = parser.parse_args(arguments)
    options.database = options.database or choose_databases("both")[-1]
    return options
