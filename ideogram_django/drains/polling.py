"""Asking the provider what became of its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ideogram_django.apiframe.payloads import Job
from ideogram_django.drains import provider
from ideogram_django.drains.joblist import CLOCK_SKEW, read_list
from ideogram_django.drains.tasks import Answer, Task
from ideogram_django.drains.tools import Tools, task_for
from ideogram_django.exceptions import JobNotFoundError, ProviderError
from ideogram_django.lifecycle import settling
from ideogram_django.lifecycle.transitions import let_go
from ideogram_django.lifecycle.watching import ASKED_ABOUT, age, next_check
from ideogram_django.models import GeneratedImage

LIST_FROM = 3
"""From this many due polls on, the job list is cheaper than one GET each."""


class Polling:
    def __init__(self, tools: Tools) -> None:
        self.tools = tools

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
