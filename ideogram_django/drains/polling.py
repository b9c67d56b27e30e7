"""Asking the provider what became of its jobs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ideogram_django.apiframe.payloads import Job
from ideogram_django.apiframe.signatures import key_fingerprint
from ideogram_django.drains import provider
from ideogram_django.drains.joblist import CLOCK_SKEW, MOST_PAGES, read_list, read_pages
from ideogram_django.drains.tasks import Answer, Task
from ideogram_django.drains.tools import Tools, task_for
from ideogram_django.exceptions import JobNotFoundError, ProviderError
from ideogram_django.lifecycle import settling, watching
from ideogram_django.lifecycle.transitions import claim, let_go
from ideogram_django.lifecycle.watching import ASKED_ABOUT, age, next_check
from ideogram_django.models import GeneratedImage

PAGE = 100
STRIDE = 5
"""Pages that are read before what they say is saved: a statement for many costs as for few."""
WALK_FROM = 500
"""With more due polls than these, the job list is read from its beginning to its end."""
WALK_EVERY = 10.0
"""Seconds from the end of one walk to the start of the next."""
LIST_FROM = 3
"""From this many due polls on, the job list is cheaper than one GET each."""


@dataclass
class Walk:
    """Where a reading of the whole job list has come to: it outlives a drain's slice of time.

    With thousands of due pictures a page of the list answers for a hundred of them, while each
    chunk of the longest due ones would have to be looked for from the newest job on.
    """

    is_on: bool = False
    cursor: str | None = None
    in_vain: int = 0
    """Pages in a row on which nothing was due."""
    not_before: float = 0.0

    def end(self) -> None:
        """For a while: what is due then is not in the list, or has become due since."""
        self.is_on = False
        self.not_before = time.monotonic() + WALK_EVERY


_walks: dict[tuple[str, str], Walk] = {}
"""By account: the next drain of this process goes on where the last one stopped."""


class Polling:
    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        account = (tools.settings.API_BASE_URL, key_fingerprint(tools.settings.API_KEY))
        self.walk = _walks.setdefault(account, Walk())
        self.is_reading = False
        """Pages of the walk are on their way; they are read one after another."""

    # --- the whole list -------------------------------------------------------------------------

    def walks(self, due: int) -> bool:
        """Whether the whole list is to be read now, because very many pictures are due."""
        walk = self.walk
        if due < PAGE:
            walk.is_on = False
        elif due > WALK_FROM and not walk.is_on and time.monotonic() >= walk.not_before:
            walk.is_on, walk.cursor, walk.in_vain = True, None, 0
        return walk.is_on

    def next_pages(self) -> Task:
        self.is_reading = True
        read = partial(
            read_pages, self.tools.client, cursor=self.walk.cursor, most=STRIDE, size=PAGE
        )
        return Task(images=(), run=read, done=self._pages_read)

    def _pages_read(self, answer: Any) -> Iterable[Task]:
        walk = self.walk
        self.is_reading = False
        if isinstance(answer, ProviderError):
            self.tools.note(answer)
            walk.end()
            return []
        provider.count_calls(answer.count - 1, self.tools.settings)
        images = claim(
            GeneratedImage.objects.filter(status__in=provider.POLLED, job_id__in=answer.jobs),
            limit=len(answer.jobs),
            lease=self.tools.settings.LEASE,
            only=watching.COLUMNS,
        )
        walk.in_vain = 0 if images else walk.in_vain + answer.count
        walk.cursor = answer.cursor
        if walk.cursor is None or walk.in_vain >= MOST_PAGES:
            walk.end()
        return self._polled_together([(image, answer.jobs[str(image.job_id)]) for image in images])

    # --- some pictures --------------------------------------------------------------------------

    def poll(self, images: Sequence[GeneratedImage]) -> Iterable[Task]:
        """Ask what became of these: by the job list where there are several, else one by one."""
        known = []
        for image in images:
            if image.job_id:
                known.append(image)
            else:
                let_go(image, after=self.tools.settings.GIVE_UP_AFTER)
        if len(known) < LIST_FROM:
            return [self._poll_one(image) for image in known]
        since = min(image.submitted_at or image.created_at for image in known) - CLOCK_SKEW
        wanted = {image.job_id for image in known}
        return [
            Task(
                images=known,
                run=lambda: read_list(self.tools.client, since=since, wanted=wanted),
                done=partial(self._polled_list, known),
            )
        ]

    def _polled_list(self, images: Sequence[GeneratedImage], answer: Any) -> Iterable[Task]:
        if isinstance(answer, ProviderError):
            wait = self.tools.wait_after(images[0], answer) or 1
            for image in images:
                let_go(image, after=wait)
            return []
        found = {job.id: job for job in answer.jobs}
        left = []
        there = []
        for image in images:
            job = found.get(image.job_id or "")
            if job is None:
                left.append(self._poll_one(image))
            else:
                there.append((image, job))
        provider.count_calls(len(left), self.tools.settings)
        return [*self._polled_together(there), *left]

    def _poll_one(self, image: GeneratedImage) -> Task:
        job_id = str(image.job_id)
        return task_for(
            image,
            partial(self.tools.client.job, job_id),
            partial(self._polled, image),
            self._polled_together,
        )

    def _polled_together(self, answers: Sequence[Answer]) -> Iterable[Task]:
        """Most jobs are still under way: those are saved at once, the others one by one."""
        settings = self.tools.settings
        running: list[tuple[GeneratedImage, Job, float]] = []
        others = []
        for image, answer in answers:
            if (
                isinstance(answer, Job)
                and not answer.status.is_final
                and image.status in ASKED_ABOUT
                and age(image) <= settings.GIVE_UP_AFTER
            ):
                running.append((image, answer, next_check(image, settings)))
            else:
                others.append((image, answer))
        if running:
            settling.still_running(running)
        return [task for image, answer in others for task in self._polled(image, answer)]

    def _polled(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        match answer:
            case Job():
                self.apply(image, answer)
            case JobNotFoundError():
                settling.missing(image, next_check=next_check(image, self.tools.settings))
            case ProviderError():
                let_go(image, after=self.tools.wait_after(image, answer) or 1)
        return []

    def apply(self, image: GeneratedImage, job: Job) -> None:
        settling.apply(
            image,
            job,
            next_check=next_check(image, self.tools.settings),
            give_up=age(image) > self.tools.settings.GIVE_UP_AFTER,
        )
