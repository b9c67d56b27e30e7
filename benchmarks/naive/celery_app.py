"""The naive order as a Celery task: ``celery -A benchmarks.naive.celery_app worker``."""

from __future__ import annotations

import os

import django
from celery import Celery

django.setup()

from benchmarks.naive import jobs  # noqa: E402 - Django first

url = os.environ.get("BENCH_REDIS_URL", "").replace("unix://", "redis+socket://")
app = Celery("naive", broker=url)
app.conf.task_ignore_result = True


@app.task  # type: ignore[untyped-decorator, unused-ignore]
def order(pk: int) -> None:
    jobs.order(pk)
