"""The naive order as a huey task: ``huey_consumer benchmarks.naive.huey_app.huey``."""

from __future__ import annotations

import os

import django
from huey import RedisHuey

django.setup()

from benchmarks.naive import jobs  # noqa: E402 - Django first

huey = RedisHuey("naive", url=os.environ.get("BENCH_REDIS_URL", "unix:///nowhere"), results=False)


@huey.task()  # type: ignore[untyped-decorator, unused-ignore]
def order(pk: int) -> None:
    jobs.order(pk)
