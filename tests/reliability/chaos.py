"""``python -m tests.reliability.chaos``: everything breaks all the time, and what was lost by it.

Two workers, a sync process and a web process make pictures while they are killed every few
seconds, Redis is emptied and restarted, one answer in ten is faulty, and webhooks come twice,
late or never. Once the pressing is over nothing more is broken, and what is left must come to an
end by itself. Prints a Markdown table. Needs a Redis or Valkey; PostgreSQL with ``--postgres``
and ``TEST_POSTGRES_HOST`` and the like in the environment.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAULTY_ANSWERS = {
    "503": 0.02,
    "504": 0.02,
    "cut": 0.02,
    "cut-before": 0.02,
    "nonsense": 0.01,
    "429": 0.01,
}
FAULTY_WEBHOOKS = {"duplicate-webhook": 0.1, "late-webhook": 0.1, "no-webhook": 0.1}
FAULTY_JOBS = {"fail": 0.02, "poll-503": 0.05, "file-503": 0.05}

SETTINGS: dict[str, Any] = {
    "LEASE": 3,
    "FIRST_POLL_WITH_WEBHOOK": 2,
    "POLL_INTERVAL": 0.5,
    "REQUEST_DEADLINE": 5,
    "DOWNLOAD_DEADLINE": 5,
}
"""Short leases: a dead worker's pictures are taken over within seconds, as the run is short."""


@dataclass
class Plan:
    pictures: int
    seconds: float
    kill_every: float = 3.0
    redis_every: float = 7.0
    settle_within: float = 180.0
    seed: int = 1


@dataclass
class Outcome:
    """What was broken, and what came of it."""

    broken: Counter[str] = field(default_factory=Counter)
    pictures: int = 0
    completed: int = 0
    failed_by_provider: int = 0
    stuck: int = 0
    charges: int = 0
    """Jobs that the provider charged and did not give back."""
    doubled: int = 0
    """Pictures with more than one job."""
    submissions: int = 0
    orphans: int = 0
    problems: list[str] = field(default_factory=list)
    took: float = 0.0

    def as_table(self) -> str:
        lines = ["| What was broken | How often |", "| --- | ---: |"]
        lines += [f"| {what} | {count} |" for what, count in sorted(self.broken.items())]
        lines += ["", "| What came of it | |", "| --- | ---: |"]
        lines += [
            f"| Pictures asked for | {self.pictures} |",
            f"| Finished | {self.completed} |",
            f"| Failed at the provider, given back | {self.failed_by_provider} |",
            f"| Stuck or lost | {self.stuck} |",
            f"| Submissions sent | {self.submissions} |",
            f"| Charges of the provider | {self.charges} |",
            f"| Pictures with two jobs | {self.doubled} |",
            f"| Orphaned or missing files | {self.orphans} |",
            f"| Other complaints of the oracle | {len(self.problems)} |",
            f"| Seconds until nothing was left to do | {self.took:.0f} |",
        ]
        return "\n".join(lines)


def count_faults(twin: Any, broken: Counter[str]) -> None:
    """Have the twin's mischief counted as it strikes."""
    mischief = twin._provider.mischief

    def counting(method: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            struck = method(*args)
            for name in [struck] if isinstance(struck, str) else struck or ():
                broken[f"{kind}: {name}"] += 1
            return struck

        return counted

    mischief.refusal = counting(mischief.refusal, "Answer")
    mischief.lost_answer = counting(mischief.lost_answer, "Answer")
    mischief.for_job = counting(mischief.for_job, "Job or webhook")


class Monkey:
    """Breaks things at intervals, and puts the dead ones back."""

    def __init__(self, site: Any, queue: Any, plan: Plan, broken: Counter[str]) -> None:
        self._site = site
        self._queue = queue
        self._plan = plan
        self._broken = broken
        self._dice = random.Random(plan.seed)
        self._running = {
            "worker 1": site.start_worker(),
            "worker 2": site.start_worker(),
            "sync": site.start_sync(),
            "web": site.start_web(),
        }
        now = time.monotonic()
        self._next_kill = now + plan.kill_every
        self._next_redis = now + plan.redis_every
        self._turn = 0

    def tick(self) -> None:
        now = time.monotonic()
        if now >= self._next_kill:
            self._next_kill = now + self._plan.kill_every * self._dice.uniform(0.5, 1.5)
            self._kill()
        if now >= self._next_redis:
            self._next_redis = now + self._plan.redis_every * self._dice.uniform(0.5, 1.5)
            self._break_redis()

    def _kill(self) -> None:
        # In turn rather than by lot, so that a short run meets every kind.
        kinds = ("worker 1", "sync", "worker 2", "web", "worker 1's parent")
        kind = kinds[self._turn % len(kinds)]
        self._turn += 1
        name = kind.removesuffix("'s parent")
        self._running[name].kill(with_children=kind == name)
        told = "Killed: worker's parent, its child lives on" if kind != name else f"Killed: {name}"
        self._broken[told.replace(" 1", "").replace(" 2", "")] += 1
        self._start(name)

    def _start(self, name: str) -> None:
        if name == "web":
            self._running[name] = self._site.manage(
                "web", "runserver", "--noreload", "--skip-checks", str(self._site.port)
            )
        elif name == "sync":
            self._running[name] = self._site.start_sync()
        else:
            self._running[name] = self._site.start_worker()

    def _break_redis(self) -> None:
        from redis import Redis, RedisError

        if self._dice.random() < 0.5:
            self._queue.stop()
            self._broken["Redis killed and started empty"] += 1
            self._queue.start()
            return
        with suppress(RedisError, OSError), Redis.from_url(self._site.redis_url) as server:
            server.flushall()
            self._broken["Redis emptied"] += 1

    def mend(self) -> None:
        """Whatever died for want of Redis is started again, as a service manager does."""
        for name, process in self._running.items():
            if not process.is_running():
                self._start(name)


def run(site: Any, twin: Any, queue: Any, plan: Plan, outcome: Outcome) -> Outcome:
    """Press, break, wait, judge."""
    from ideogram_django.models import GeneratedImage
    from ideogram_django.simulator import Faults
    from ideogram_django.statuses import Status

    started = time.monotonic()
    twin.set_faults(
        Faults(rates={**FAULTY_ANSWERS, **FAULTY_WEBHOOKS, **FAULTY_JOBS}, seed=plan.seed)
    )
    count_faults(twin, outcome.broken)
    monkey = Monkey(site, queue, plan, outcome.broken)
    pressed = 0
    while (elapsed := time.monotonic() - started) < plan.seconds:
        due = min(int(plan.pictures * elapsed / (plan.seconds * 0.8)) + 1, plan.pictures)
        while pressed < due:
            # Sheets of four identical prompts, as the making page orders them.
            size = min(4, plan.pictures - pressed)
            GeneratedImage.objects.generate_many([{"prompt": f"Fox {pressed // 8}"}] * size)
            pressed += size
        monkey.tick()
        monkey.mend()
        time.sleep(0.05)
    end = time.monotonic() + plan.settle_within
    while not _quiet() and time.monotonic() < end:
        monkey.mend()
        time.sleep(0.2)
    outcome.took = time.monotonic() - started
    for process in site.processes:
        if process.is_running():
            process.kill()
    _sweep()
    _judge(outcome, site, twin)
    rows = GeneratedImage.objects.all()
    outcome.pictures = rows.count()
    outcome.completed = rows.filter(status=Status.COMPLETED).count()
    outcome.failed_by_provider = rows.filter(
        status=Status.FAILED, error_code="provider_failed", cost=0
    ).count()
    outcome.stuck = outcome.pictures - outcome.completed - outcome.failed_by_provider
    return outcome


def _quiet() -> bool:
    from ideogram_django.models import GeneratedImage

    rows = GeneratedImage.objects.all()
    return not (rows.in_progress() | rows.filter(next_check_at__isnull=False)).exists()


def _sweep() -> None:
    """The next pass, later than any dead claim could still be held."""
    from datetime import timedelta

    from django.db.models import F

    from ideogram_django.drains import loop
    from ideogram_django.models import StoredObject

    StoredObject.objects.update(created_at=F("created_at") - timedelta(hours=1))
    for _pass in range(3):  # each removes a hundred
        loop.work(sync=True, tidy=True, linger=0)


def _judge(outcome: Outcome, site: Any, twin: Any) -> None:
    from ideogram_django.models import Charge
    from tests.reliability import oracle

    outcome.submissions = sum(
        one.method == "POST" and one.path.endswith("/generate") for one in twin.requests
    )
    outcome.charges = sum(not entry.refunded for entry in twin.ledger)
    ours = set(Charge.objects.exclude(job_id=None).values_list("job_id", flat=True))
    outcome.doubled = len({entry.job_id for entry in twin.ledger} - ours)
    about_files = oracle.storage(site)
    outcome.orphans = len(about_files)
    outcome.problems = [
        *oracle.pictures(),
        *oracle.money(twin),
        *oracle.secrets(site),
        *about_files,
    ]


@contextmanager
def own_world(*, with_postgres: bool) -> Iterator[tuple[Any, Any, Any]]:
    """Database, queue, twin and site of this run; for the command, outside of pytest."""
    if with_postgres and not os.environ.get("TEST_POSTGRES_HOST"):
        sys.exit("--postgres needs TEST_POSTGRES_HOST in the environment.")
    if not with_postgres:
        os.environ.pop("TEST_POSTGRES_HOST", None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ideogram-")))
        os.environ["TEST_MEDIA_ROOT"] = str(folder / "media")
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.reliability.settings"
        import django

        django.setup()
        logging.getLogger().setLevel(logging.ERROR)  # of this process; the others log to files
        from django.test.utils import override_settings

        from ideogram_django.simulator import Simulator
        from tests.reliability.world import Databases, KillableSite, using_database
        from tests.site import KEY, QueueServer

        queue = QueueServer(folder)
        queue.start()
        stack.callback(queue.stop)
        twin = stack.enter_context(Simulator(api_keys=[KEY], seconds_per_job=1, keep=100_000))
        databases = Databases(folder)
        stack.callback(databases.drop)
        name = databases.make()
        stack.enter_context(using_database(name))
        site = KillableSite(
            folder=folder,
            redis_url=queue.url,
            database=name,
            api_base_url=twin.base_url,
            webhooks=True,
            changes=SETTINGS,
        )
        stack.callback(site.end)
        stack.enter_context(override_settings(RQ_QUEUES=site.queues, IDEOGRAM_DJANGO=site.ideogram))
        yield site, twin, queue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--logs", type=Path, help="Keep the processes' logs in this folder.")
    options = parser.parse_args()
    plan = Plan(pictures=options.pictures, seconds=options.seconds, seed=options.seed)
    with own_world(with_postgres=options.postgres) as (site, twin, queue):
        outcome = run(site, twin, queue, plan, Outcome())
        if options.logs:
            options.logs.mkdir(parents=True, exist_ok=True)
            for log in site.folder.glob("*.log"):
                (options.logs / log.name).write_bytes(log.read_bytes())
    sys.stdout.write(f"{outcome.as_table()}\n")
    for problem in outcome.problems:
        sys.stdout.write(f"{problem}\n")
    sys.exit(bool(outcome.problems or outcome.stuck or outcome.doubled))


if __name__ == "__main__":
    main()
