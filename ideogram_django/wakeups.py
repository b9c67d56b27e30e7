"""Waking a worker: the only door to django-rq. The queue carries no data, only the knock."""

from __future__ import annotations

import logging
import os
from typing import Any

import django_rq
from django.core.signals import setting_changed
from django.db import transaction
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker
from rq.timeouts import JobTimeoutException

from ideogram_django import conf

__all__ = [
    "JobTimeoutException",
    "job_timeout",
    "open_gate",
    "waiting",
    "wake",
    "wake_after_commit",
    "worker_count",
]

logger = logging.getLogger(__name__)

JOB = "ideogram_django.jobs.drain"
GATE_SECONDS = 30
"""A safety net: the drain deletes the gate before its first look, so it normally opens at once."""
REDIS_TIMEOUT = 0.4
"""Seconds. A mute Redis must not hold up a page."""

_queues: dict[tuple[int, str], Any] = {}


def wake_after_commit(using: str | None = None) -> None:
    """Wake a worker once the current transaction is in; at once outside of one.

    Our own hook rather than django-rq's commit mode: that one looks at the default database
    alone, is a project's setting, and lets a Redis outage break the request after the row is in.
    """
    transaction.on_commit(wake, using=using, robust=True)


def wake(*, insist: bool = False) -> bool:
    """Put one drain on the queue unless one is waiting there. Failure is logged, never raised.

    ``insist``: look whether one really waits. A worker that dies on its way to opening the gate
    leaves it shut for :data:`GATE_SECONDS`.
    """
    settings = conf.current()
    try:
        queue = _queue(settings.QUEUE)
        opened = queue.connection.set(_gate(settings.QUEUE), "1", nx=True, ex=GATE_SECONDS)
        if not opened and not (insist and queue.count == 0):
            return True
        queue.enqueue(
            JOB,
            job_timeout=job_timeout(settings),
            result_ttl=0,
            failure_ttl=24 * 3600,
            description="ideogram_django: look for due pictures",
        )
    except (RedisError, OSError) as error:
        logger.warning("No worker could be woken (%s); ideogram_sync will see to it.", error)
        return False
    return True


def open_gate() -> None:
    """Let the next wake-up through. A drain calls it *before* its first look, so none is lost."""
    settings = conf.current()
    try:
        _queue(settings.QUEUE).connection.delete(_gate(settings.QUEUE))
    except (RedisError, OSError) as error:
        logger.warning("The wake-up gate could not be opened (%s).", error)


def waiting() -> int | None:
    """Jobs waiting in the queue; ``None`` where Redis does not answer."""
    try:
        return int(_queue(conf.current().QUEUE).count)
    except (RedisError, OSError):
        return None


def worker_count() -> int | None:
    """Workers that listen on the queue; ``None`` where Redis does not answer."""
    try:
        return int(Worker.count(queue=_queue(conf.current().QUEUE)))
    except (RedisError, OSError):
        return None


def job_timeout(settings: conf.AppSettings) -> int:
    """Seconds after which RQ breaks a drain off: its slice, the longest call, and some air."""
    longest = max(settings.REQUEST_DEADLINE, settings.DOWNLOAD_DEADLINE)
    return int(settings.DRAIN_SLICE + longest + 30)


def _gate(queue: str) -> str:
    return f"ideogram_django:wakeup:{queue}"


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
