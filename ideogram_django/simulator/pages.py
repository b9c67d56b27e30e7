"""Pages of the job list: what belongs in, and the cursor to the next."""

import base64
import binascii
from dataclasses import dataclass

from ideogram_django.simulator.jobs import Job
from ideogram_django.simulator.validation import JobQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of jobs, newest first."""

    jobs: list[Job]
    next_cursor: str | None
    models: list[str]


def matches(job: Job, query: JobQuery, now: float) -> bool:
    """Say whether a job belongs in a list."""
    return (
        query.status in (None, job.status(now))
        and query.model in (None, job.model)
        and (query.search is None or query.search.lower() == job.id)
    )


def cursor_after(job: Job) -> str:
    """Return the opaque cursor of the page after `job`."""
    return base64.urlsafe_b64encode(f"after:{job.id}".encode()).decode().rstrip("=")


def cursor_id(cursor: str) -> str | None:
    """Return the id of the job that a cursor points behind, or None."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    return text.removeprefix("after:") if text.startswith("after:") else None
