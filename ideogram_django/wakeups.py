"""Waking a worker: a seam with one dispatcher behind it, and the only door to django-rq.

The queue carries no data, only the knock. What knocks is the class that ``DISPATCHER`` names.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any, ClassVar

import django_rq
from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import transaction
from django.utils.module_loading import import_string
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker
from rq.timeouts import JobTimeoutException

from ideogram_django import conf

__all__ = [
    "Dispatcher",
    "JobTimeoutException",
    "RQDispatcher",
    "can_count",
    "dispatcher",
    "job_timeout",
    "load",
    "open_gate",
    "waiting",
    "wake",
    "wake_after_commit",
    "worker_count",
]

logger = logging.getLogger(__name__)

JOB = "ideogram_django.jobs.drain"
"""What a worker has to call, without arguments. Safe to call any number of times."""
GATE_SECONDS = 30
"""A safety net: the drain deletes the gate before its first look, so it normally opens at once."""
REDIS_TIMEOUT = 0.4
"""Seconds. A mute Redis must not hold up a page."""

_queues: dict[tuple[int, str], Any] = {}


# --- what the rest of the house calls -------------------------------------------------------------


def wake_after_commit(using: str | None = None) -> None:
    """Wake a worker once the current transaction is in; at once outside of one.

    Our own hook rather than django-rq's commit mode: that one looks at the default database
    alone, is a project's setting, and lets a Redis outage break the request after the row is in.
    """
    transaction.on_commit(wake, using=using, robust=True)


def wake(*, insist: bool = False) -> bool:
    """Have one drain run unless one is waiting for it. Failure is logged, never raised.

    ``insist``: look whether one really waits. A worker that dies on its way to opening the gate
    leaves it shut for :data:`GATE_SECONDS`.
    """
    knocker = dispatcher()
    try:
        knocker.wake(insist=insist)
    except JobTimeoutException:
        raise
    except knocker.errors as error:
        logger.warning("No worker could be woken (%s); ideogram_sync will see to it.", error)
        return False
    return True


def open_gate() -> None:
    """Let the next wake-up through. A drain calls it *before* its first look, so none is lost."""
    knocker = dispatcher()
    try:
        knocker.open_gate()
    except JobTimeoutException:
        raise
    except knocker.errors as error:
        logger.warning("The wake-up gate could not be opened (%s).", error)


def can_count() -> bool:
    """Whether the queue tells how many wait and listen."""
    return dispatcher().can_count


def waiting() -> int | None:
    """Jobs waiting in the queue; ``None`` where the queue does not answer, or never tells."""
    knocker = dispatcher()
    try:
        return knocker.waiting()
    except knocker.errors:
        return None


def worker_count() -> int | None:
    """Workers that listen on the queue; ``None`` as for :func:`waiting`."""
    knocker = dispatcher()
    try:
        return knocker.worker_count()
    except knocker.errors:
        return None


def dispatcher() -> Dispatcher:
    """The site's dispatcher, as the settings stand now."""
    return load(conf.current().DISPATCHER)()


def load(path: str) -> type[Dispatcher]:
    """The class with this dotted path; ``ImproperlyConfigured`` where there is none."""
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"DISPATCHER names {path!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Dispatcher)):
        raise ImproperlyConfigured(
            f"DISPATCHER names {path!r}, which is no subclass of Dispatcher."
        )
    return found


def job_timeout(settings: conf.AppSettings) -> int:
    """Seconds after which RQ breaks a drain off: its slice, the longest call, and some air."""
    longest = max(settings.REQUEST_DEADLINE, settings.DOWNLOAD_DEADLINE)
    return int(settings.DRAIN_SLICE + longest + 30)


# --- dispatchers --------------------------------------------------------------------------------


class Dispatcher:
    """One way to wake a worker. For a queue of your own override :meth:`put`; see docs/queues.md.

    Made anew for each question. The gate, which lets one wake-up through until a drain begins,
    lies in Django's default cache; without one that all processes share it stands open, and every
    wake-up is put on the queue.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    """What the queue and the gate may raise: logged, because ``ideogram_sync`` is there as well."""
    can_count: ClassVar[bool] = False
    """Whether :meth:`waiting` and :meth:`worker_count` know."""

    def put(self) -> None:
        """Have a worker call :data:`JOB`, soon and once. After the commit; never here and now."""
        raise NotImplementedError

    def wake(self, *, insist: bool) -> None:
        if not self.shut_gate() and not (insist and self.waiting() == 0):
            return
        try:
            self.put()
        except self.errors:
            with contextlib.suppress(*self.errors):
                self.open_gate()
            raise

    def shut_gate(self) -> bool:
        """True for the one who shut it: the others need not knock."""
        cache = caches["default"]
        return isinstance(cache, LocMemCache) or bool(cache.add(self._key, "1", GATE_SECONDS))

    def open_gate(self) -> None:
        caches["default"].delete(self._key)

    def waiting(self) -> int | None:
        return None

    def worker_count(self) -> int | None:
        return None

    def check(self) -> list[CheckMessage]:
        """What is wrong with the settings of the queue, for ``manage.py check``."""
        if not isinstance(caches["default"], LocMemCache):
            return []
        return [
            Warning(
                "Django's default cache belongs to each process alone.",
                hint=(
                    "Every wake-up becomes a job of its own. Set CACHES['default'] to a cache "
                    "that all processes share, so that one at a time is enough."
                ),
                id="ideogram_django.W007",
            )
        ]

    @property
    def _key(self) -> str:
        return f"ideogram_django:wakeup:{conf.current().QUEUE}"


class RQDispatcher(Dispatcher):
    """django-rq, on the queue that ``QUEUE`` names; the gate lies in its own Redis."""

    errors = (RedisError, OSError)
    can_count = True

    def put(self) -> None:
        settings = conf.current()
        _queue(settings.QUEUE).enqueue(
            JOB,
            job_timeout=job_timeout(settings),
            result_ttl=0,
            failure_ttl=24 * 3600,
            description="ideogram_django: look for due pictures",
        )

    def shut_gate(self) -> bool:
        connection = _queue(conf.current().QUEUE).connection
        return bool(connection.set(self._key, "1", nx=True, ex=GATE_SECONDS))

    def open_gate(self) -> None:
        _queue(conf.current().QUEUE).connection.delete(self._key)

    def waiting(self) -> int:
        return int(_queue(conf.current().QUEUE).count)

    def worker_count(self) -> int:
        return int(Worker.count(queue=_queue(conf.current().QUEUE)))

    def check(self) -> list[CheckMessage]:
        queues = getattr(django_settings, "RQ_QUEUES", None) or {}
        name = conf.current().QUEUE
        if "django_rq" not in django_settings.INSTALLED_APPS:
            return [
                Error(
                    "django_rq is not in INSTALLED_APPS.",
                    hint="Add 'django_rq' to INSTALLED_APPS and define RQ_QUEUES.",
                    id="ideogram_django.E006",
                )
            ]
        if name not in queues:
            known = ", ".join(sorted(queues)) or "none yet"
            return [
                Error(
                    f"IDEOGRAM_DJANGO['QUEUE'] names {name!r}, which is not in RQ_QUEUES.",
                    hint=f"Add it to RQ_QUEUES, or use one of: {known}.",
                    id="ideogram_django.E006",
                )
            ]
        return []


def _queue(name: str) -> Any:
    """The queue on a connection of our own, kept per process (a fork must not share sockets)."""
    key = (os.getpid(), name)
    queue = _queues.get(key)
    if queue is None:
        queue = django_rq.get_queue(
            name, commit_mode="auto", connection=_impatient(django_rq.get_connection(name))
        )
        for other in [other for other in _queues if other[0] != key[0]]:
            _queues.pop(other, None)
        _queues[key] = queue
    return queue


def _impatient(connection: Redis) -> Redis:
    """The same server through a pool that gives up quickly and never tries again by itself."""
    pool: Any = connection.connection_pool
    kwargs = {
        **pool.connection_kwargs,
        "socket_timeout": REDIS_TIMEOUT,
        "socket_connect_timeout": REDIS_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
    }
    if hasattr(pool, "sentinel_manager"):  # the master is looked up through the sentinels
        for sentinel in pool.sentinel_manager.sentinels:
            sentinel.connection_pool.connection_kwargs.update(
                socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
            )
        return Redis(connection_pool=type(pool)(pool.service_name, pool.sentinel_manager, **kwargs))
    return Redis(connection_pool=type(pool)(connection_class=pool.connection_class, **kwargs))


def _forget_queues(*, setting: str, **kwargs: Any) -> None:
    if setting in {"RQ_QUEUES", "RQ", "IDEOGRAM_DJANGO"}:
        _queues.clear()


setting_changed.connect(_forget_queues, dispatch_uid="ideogram_django.wakeups.queues")
