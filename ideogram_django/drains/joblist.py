"""Reading jobs from the provider, in a thread: one by one, or from the list."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ideogram_django.apiframe.client import Client
from ideogram_django.apiframe.payloads import Job
from ideogram_django.exceptions import JobNotFoundError

CLOCK_SKEW = timedelta(minutes=5)
"""How far the provider's clock may be from ours when its jobs are searched by time."""
MOST_PAGES = 10


def read_each(client: Client, job_ids: Sequence[str]) -> list[Job]:
    """These jobs, without those that are gone."""
    found = []
    for job_id in job_ids:
        with contextlib.suppress(JobNotFoundError):
            found.append(client.job(job_id))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """A stretch of the provider's list. ``cursor``: where it goes on; ``None`` at its end."""

    jobs: dict[str, Job]
    cursor: str | None
    count: int


def read_pages(client: Client, *, cursor: str | None, most: int, size: int) -> Pages:
    """Up to ``most`` pages of ``size`` jobs, from the cursor on."""
    jobs: dict[str, Job] = {}
    count = 0
    while count < most:
        page = client.jobs(limit=size, cursor=cursor)
        count += 1
        jobs.update((job.id, job) for job in page.jobs)
        cursor = page.next_cursor if page.has_more else None
        if cursor is None:
            break
    return Pages(jobs=jobs, cursor=cursor, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRead:
    """Jobs from the provider's list. ``whole``: nothing that was asked for can be missing."""

    jobs: list[Job]
    whole: bool


def read_list(
    client: Client,
    *,
    since: datetime,
    wanted: Collection[str | None] | None = None,
    pages: int = MOST_PAGES,
) -> JobsRead:
    """Jobs newest first, back to ``since``, or until all ``wanted`` ones are found."""
    found: list[Job] = []
    cursor = None
    left = set(wanted) if wanted is not None else None
    whole = True
    for _page in range(pages):
        page = client.jobs(limit=100, cursor=cursor)
        found.extend(page.jobs)
        whole = whole and not page.skipped
        if left is not None:
            left -= {job.id for job in page.jobs}
            if not left:
                return JobsRead(jobs=found, whole=True)
        oldest = min((job.created_at for job in page.jobs if job.created_at), default=None)
        cursor = page.next_cursor
        if not page.has_more or (oldest is not None and oldest < since):
            return JobsRead(jobs=found, whole=whole)
        if not cursor:
            break
    return JobsRead(jobs=found, whole=False)
