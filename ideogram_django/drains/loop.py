"""The coordinator: claims, hands out, saves. Only its thread touches the database."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, connections
from django.db.models import Min
from django.utils import timezone

from ideogram_django import conf, wakeups
from ideogram_django.conf import AppSettings
from ideogram_django.drains import housekeeping, polling, provider, retention
from ideogram_django.drains.polling import Polling
from ideogram_django.drains.saving import Saving
from ideogram_django.drains.submitting import Submitting
from ideogram_django.drains.tasks import Answer, Task
from ideogram_django.drains.tools import Tools
from ideogram_django.exceptions import IdeogramError
from ideogram_django.lifecycle import sending, transitions, watching
from ideogram_django.models import GeneratedImage
from ideogram_django.runs import feeding
from ideogram_django.statuses import Status

logger = logging.getLogger(__name__)

LINGER = 0.5
"""Seconds that a drain without work waits for some before it stops."""
TICK = 0.1
CLAIM_FROM = 7
"""While threads are at work, one in so many has to be free before due pictures are looked for, or
:data:`CLAIM_EVERY` seconds gone by: a look costs as many queries for one picture as for ten."""
CLAIM_EVERY = 0.05
GATHER = 0.02
"""Seconds that an answer may wait for others to be saved with, while there is nothing to give out
and too little room to look for more: saving costs about as much for one answer as for five."""
LOOK_EVERY = 0.25
"""Seconds until a kind of work of which nothing was due is looked for again, by a busy drain."""
FEED_EVERY = 0.5
"""Seconds between two looks at what running bulk runs have room for."""
POLL_CHUNK = 200
"""Pictures that one reading of the job list may serve."""
SAVE_TRIES = 6


def work_in_queue() -> None:
    """One slice in a django-rq worker; wakes its successor where work is left."""
    wakeups.open_gate()
    if work(sync=False):
        wakeups.wake()


def work(
    *,
    sync: bool,
    tidy: bool = False,
    linger: float = LINGER,
    meanwhile: Callable[[], None] | None = None,
) -> bool:
    """One slice of work; True where something is still due that can be worked on.

    ``sync``: this is the sync process, whose heartbeat it leaves; ``tidy``: sweep up, too;
    ``linger``: seconds to wait for more work before it ends; ``meanwhile``: called about ten
    times a second in this thread, to tell a person how far it is.
    """
    _drop_stale_connections()
    settings = conf.current()
    provider.state()
    provider.beat(sync=sync)
    drain = _Drain(settings)
    try:
        drain.run(sync=sync, linger=linger, meanwhile=meanwhile or _nothing)
    finally:
        drain.close()
    if tidy:
        housekeeping.sweep(settings)
        retention.expire(settings)
    return anything_due(settings)


def _drop_stale_connections() -> None:
    """As at the start of a request; but a transaction that the caller holds is not ours to end."""
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close_if_unusable_or_obsolete()


def anything_due(settings: AppSettings) -> bool:
    """Whether a drain would find work now."""
    return provider.due_now(settings).exists() or feeding.hungry(settings)


def seconds_to_next() -> float | None:
    """Seconds until something falls due, by this machine's clock; ``None``: nothing will."""
    first = GeneratedImage.objects.filter(next_check_at__isnull=False).aggregate(
        first=Min("next_check_at")
    )["first"]
    return None if first is None else (first - timezone.now()).total_seconds()


class _Drain:
    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.tools = Tools(settings)
        self.polling = Polling(self.tools)
        self.submitting = Submitting(self.tools, self.polling)
        self.saving = Saving(self.tools)
        # Without ``with``: leaving that block joins the threads, and an RQ time-out would hang.
        self.threads = ThreadPoolExecutor(
            max_workers=settings.CONCURRENCY, thread_name_prefix="ideogram"
        )
        self.running: dict[Future[Any], Task] = {}
        self.ready: SimpleQueue[Future[Any]] = SimpleQueue()
        self.backlog: deque[Task] = deque()
        self.claim_at = 0.0
        self.found_some = False
        self.more_polls = False
        self.look_at: dict[str, float] = {}
        self.renewed = time.monotonic()
        self.fed = 0.0
        self.called = False

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.tools.close()

    def run(self, *, sync: bool, linger: float, meanwhile: Callable[[], None]) -> None:
        end = time.monotonic() + self.settings.DRAIN_SLICE
        idle_since: float | None = None
        self._ask_account(sync=sync)
        while True:
            over = time.monotonic() >= end
            meanwhile()
            if not over:
                self._feed_runs()
            self._hand_out(claim=not over)
            if not (over or self.called or self._free()):
                self._call_for_help()
            if self.running:
                idle_since = None
                self._take_in(self._ready())
                self._renew_leases()
                continue
            if over:
                return
            idle_since = idle_since or time.monotonic()
            if time.monotonic() - idle_since >= linger:
                return
            time.sleep(TICK)

    def _feed_runs(self) -> None:
        """Start a few pictures of each bulk run; they are due at once, like any other."""
        if time.monotonic() - self.fed >= FEED_EVERY:
            self.fed = time.monotonic()
            self._guarded(partial(_fed, self.settings), what="the bulk runs")

    def _call_for_help(self) -> None:
        """All threads are busy and more is due: another worker may begin, if one is idle.

        Where none is, the wake-up waits in the queue and brings this drain's successor.
        """
        self.called = True
        if anything_due(self.settings):
            wakeups.wake()

    # --- giving out -----------------------------------------------------------------------------

    def _hand_out(self, *, claim: bool) -> None:
        """Fill the free threads: what belongs to claimed pictures first, then fresh claims."""
        # A few more than there are threads, so that none waits for this one to come round.
        most = self.settings.CONCURRENCY * 5 // 4
        while self.backlog and len(self.running) < most:
            self._start(self.backlog.popleft())
        if claim and (room := self._room()) > 0:
            self.more_polls = False
            tasks = self._claim(room)
            for task in tasks:
                self._start_or_queue(task)
            self.found_some = bool(tasks)
            self.claim_at = time.monotonic() + (CLAIM_EVERY if tasks else TICK)

    def _room(self) -> int:
        """How much may be claimed now: as much as there are threads for.

        While polls come by the chunk, the next chunk is fetched before the last one is through,
        and with it whatever else is due by then.
        """
        threads = self.settings.CONCURRENCY
        if self.more_polls and len(self.backlog) < threads // 2:
            return max(self._free(), threads // 4)
        free = self._free()
        enough = self.found_some and free * CLAIM_FROM >= threads
        return free if enough or self._is_time(self.claim_at) else 0

    def _is_time(self, moment: float) -> bool:
        """Who has nothing else to do need not wait for the next look."""
        return not self.running or time.monotonic() >= moment

    def _free(self) -> int:
        return max(self.settings.CONCURRENCY - len(self.running), 0)

    def _start_or_queue(self, task: Task) -> None:
        if len(self.running) < self.settings.CONCURRENCY:
            self._start(task)
        else:
            self.backlog.append(task)

    def _start(self, task: Task) -> None:
        future = self.threads.submit(_caught, task.run)
        self.running[future] = task
        future.add_done_callback(self.ready.put)

    def _claim(self, free: int) -> Sequence[Task]:
        current = provider.state()
        may_call = provider.may_call(current)
        may_send = provider.may_send(current, self.settings)
        rows = GeneratedImage.objects.all()
        tasks: list[Task] = []

        def left() -> int:
            return free - len(tasks)

        def look(kind: str, take: Callable[[int], list[Task]]) -> None:
            """Whether something of this kind is due; where nothing was, not again at once."""
            if left() <= 0 or not self._is_time(self.look_at.get(kind, 0)):
                return
            found = take(left())
            self.look_at[kind] = 0 if found else time.monotonic() + LOOK_EVERY
            tasks.extend(found)

        fetching = rows.filter(status=Status.FETCHING)
        single = rows.filter(status=Status.PENDING, bulk=False)
        bulk = rows.filter(status=Status.PENDING, bulk=True)
        doubtful = rows.filter(status=Status.SUBMITTING)
        polled = rows.filter(status__in=provider.POLLED)
        completed = rows.filter(status=Status.COMPLETED)
        share = self._bulk_share(bulk) if may_send else 0
        free -= share
        look("fetching", lambda count: self._take_to_fetch(fetching, count))
        if may_send:
            look("single", lambda count: self._take_to_send("single", single, count))
        if may_call:
            look("doubtful", lambda count: self._take_doubtful("doubtful", doubtful, count))
            look("polled", lambda count: self._take_polls(polled, count))
        look("completed", lambda count: self._take(completed, count, self.saving.finish))
        free += share
        if may_send:
            look("bulk", lambda count: self._take_to_send("bulk", bulk, count))
        return tasks

    def _bulk_share(self, bulk: Any) -> int:
        """One thread is kept for bulk runs, so that single pictures never starve them."""
        if self.settings.CONCURRENCY < 2 or any(task.bulk for task in self.running.values()):
            return 0
        return 1 if self._is_time(self.look_at.get("bulk", 0)) and bulk.due().exists() else 0

    def _take_doubtful(self, kind: str, rows: Any, count: int) -> list[Task]:
        return self._planned(self._claim_calls(kind, rows, count), self.submitting.recover)

    def _take(
        self, rows: Any, count: int, step: Callable[[GeneratedImage], Iterable[Task]]
    ) -> list[Task]:
        if count <= 0:
            return []
        images = transitions.claim(rows, limit=count, lease=self.settings.LEASE)
        return self._planned(images, step)

    def _take_to_fetch(self, rows: Any, count: int) -> list[Task]:
        images = transitions.claim(rows, limit=count, lease=self.settings.LEASE)
        return self._planned_together(images, self.saving.fetch_all, self.saving.fetch)

    def _take_to_send(self, kind: str, rows: Any, count: int) -> list[Task]:
        if self.settings.MAX_IN_FLIGHT is None:
            images = self._claim_calls(kind, rows, count, to=Status.SUBMITTING)
        else:
            with provider.counting_in_flight(self.settings) as room:
                images = self._claim_calls(kind, rows, min(count, room), to=Status.SUBMITTING)
        return self._planned_together(images, self.submitting.send_all, self.submitting.send)

    def _claim_calls(
        self, kind: str, rows: Any, count: int, *, to: Status | None = None
    ) -> list[GeneratedImage]:
        """Claim rows that each need a call to the provider, as many as may be made now.

        Permits are given back; but asking for them where nothing is due would write in vain.
        """
        had_some = self.look_at.get(kind) == 0
        if count <= 0 or not (had_some or rows.due().exists()):
            return []
        permitted = provider.permits(count, self.settings)
        images = transitions.claim(
            rows, limit=permitted, lease=self.settings.LEASE, to=to, only=sending.COLUMNS
        )
        provider.give_back(permitted - len(images), self.settings)
        return images

    def _take_polls(self, rows: Any, count: int) -> list[Task]:
        """A chunk of those that are due longest; with far more than a chunk, the whole job list."""
        due = (
            len(rows.due().values_list("pk", flat=True)[: polling.WALK_FROM + 1])
            if count > 0
            else 0
        )
        walking = self.polling.walks(due)
        if not due or self.polling.is_reading or not provider.permits(1, self.settings):
            return []
        if walking:
            return [self.polling.next_pages()]
        images = transitions.claim(
            rows, limit=POLL_CHUNK, lease=self.settings.LEASE, only=watching.COLUMNS
        )
        self.more_polls = len(images) == POLL_CHUNK
        lost = [image for image in images if sending.is_lost(image)]
        known = [image for image in images if image not in lost]
        return [
            *self._planned([known] if known else [], self.polling.poll),
            *self._planned(lost, self.submitting.look_again),
        ]

    def _planned(self, work: Sequence[Any], step: Callable[[Any], Iterable[Task]]) -> list[Task]:
        planned: list[Task] = []
        for one in work:
            planned += self._guarded(partial(step, one), what=one) or ()
        return planned

    def _planned_together(
        self,
        images: Sequence[GeneratedImage],
        step: Callable[[Sequence[GeneratedImage]], Iterable[Task]],
        one_by_one: Callable[[GeneratedImage], Iterable[Task]],
    ) -> list[Task]:
        """In one go; where that fails, one by one, so that one picture stops no other."""
        if len(images) > 1:
            planned = self._guarded(partial(step, images), what=f"{len(images)} pictures")
            if planned is not None:
                return list(planned)
        return self._planned(images, one_by_one)

    def _ask_account(self, *, sync: bool) -> None:
        if provider.take_probe() or (sync and provider.take_balance()):
            self._start(self.tools.ask_account())

    # --- taking in ------------------------------------------------------------------------------

    def _ready(self) -> list[Future[Any]]:
        """What has ended: all of it, so that answers of one kind are saved together."""
        ready: list[Future[Any]] = []
        wait = TICK
        if self._free():
            wait = min(wait, max(self.claim_at - time.monotonic(), 0.001))
        with contextlib.suppress(Empty):
            ready.append(self.ready.get(timeout=wait))
            end = time.monotonic() + (0 if self.backlog else GATHER)
            while len(ready) < len(self.running):
                few = (self._free() + len(ready)) * CLAIM_FROM < self.settings.CONCURRENCY
                wait = max(end - time.monotonic(), 0) if few else 0
                ready.append(self.ready.get(timeout=wait))
        return ready

    def _take_in(self, futures: Iterable[Future[Any]]) -> None:
        together: dict[Any, list[tuple[Task, Any]]] = {}
        for future in futures:
            task = self.running.pop(future)
            error = future.exception()
            if error is not None:
                # A bug of ours, not an answer. The claim runs out and the picture is tried again.
                logger.error("A step failed for %s", _named(task), exc_info=error)
            elif task.together is None:
                self._save(task, future.result())
            else:
                together.setdefault(task.together, []).append((task, future.result()))
        for save, answers in together.items():
            self._save_together(save, answers)

    def _save(self, task: Task, answer: Any) -> None:
        following = self._guarded(partial(task.done, answer), what=_named(task))
        self.backlog.extend(following or ())
        if not task.images:  # pages of the list, which more follow; or the account
            self.claim_at = 0.0
            self.look_at.clear()

    def _save_together(
        self,
        save: Callable[[Sequence[Answer]], Iterable[Task] | None],
        answers: Sequence[tuple[Task, Any]],
    ) -> None:
        """In one go; where that fails, one by one, so that one picture stops no other."""
        if len(answers) > 1:
            pairs = [(task.images[0], answer) for task, answer in answers]
            following = self._guarded(partial(save, pairs), what=f"{len(pairs)} pictures")
            if following is not None:
                self.backlog.extend(following)
                return
        for task, answer in answers:
            self._save(task, answer)

    def _guarded(
        self, step: Callable[[], Iterable[Task] | None], *, what: object
    ) -> Iterable[Task] | None:
        """Save an answer, through a short outage of the database; one picture stops no other."""
        for number in range(SAVE_TRIES):
            try:
                return step()
            except (OperationalError, InterfaceError):
                logger.warning("The database did not take an answer for %s", what, exc_info=True)
                connection.close()
                time.sleep(0.1 * 2**number)
            except wakeups.JobTimeoutException:
                raise
            except Exception:
                logger.exception("A step failed for %s", what)
                return None
        logger.error("The database was away too long; %s is found again by its lease.", what)
        return None

    def _renew_leases(self) -> None:
        if time.monotonic() - self.renewed < self.settings.LEASE / 3:
            return
        self.renewed = time.monotonic()
        held: list[tuple[int, UUID]] = [
            (image.pk, image.claim)
            for task in (*self.running.values(), *self.backlog)
            for image in task.images
            if image.claim is not None
        ]
        transitions.renew(GeneratedImage.objects.all(), held, self.settings.LEASE)


def _nothing() -> None:
    """Nobody is watching."""


def _fed(settings: AppSettings) -> None:
    feeding.feed(settings)


def _caught(run: Callable[[], Any]) -> Any:
    """The step's value, or the error that it is about, as an answer."""
    try:
        return run()
    except IdeogramError as error:
        return error


def _named(task: Task) -> str:
    return ", ".join(str(image.uuid) for image in task.images[:5]) or "the account"
