"""Sending requests, and looking for evidence where an answer got lost."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from mimetypes import guess_type
from typing import Any
from uuid import UUID

from django.core.files.storage import storages
from django.utils import timezone

from ideogram_django.apiframe import payloads
from ideogram_django.apiframe.payloads import Job, JobAccepted, JobStatus
from ideogram_django.budget.models import Charge
from ideogram_django.drains import files, provider
from ideogram_django.drains.joblist import CLOCK_SKEW, read_each, read_list
from ideogram_django.drains.polling import Polling
from ideogram_django.drains.tasks import Answer, Task
from ideogram_django.drains.tools import Tools, task_for
from ideogram_django.exceptions import (
    AccountError,
    BlockedError,
    JobNotFoundError,
    NotSentError,
    PictureError,
    ProviderError,
    RateLimitedError,
    RejectedError,
)
from ideogram_django.lifecycle import references, sending
from ideogram_django.lifecycle.transitions import let_go
from ideogram_django.models import GeneratedImage

logger = logging.getLogger(__name__)

EVIDENCE_PAGES = 100
MOST_CANDIDATES = 200
"""Where more than these would have to be read, there is no saying that a job does not exist."""


class Submitting:
    def __init__(self, tools: Tools, polling: Polling) -> None:
        self.tools = tools
        self.polling = polling

    def send_all(self, images: Sequence[GeneratedImage]) -> Iterable[Task]:
        """Pictures that were pending: nothing of them can have reached the provider yet."""
        plain = [image for image in images if not references.own_pictures(image.parameters)]
        others = [image for image in images if image not in plain]
        return [*self._post_all(plain), *(task for image in others for task in self.send(image))]

    def send(self, image: GeneratedImage) -> Iterable[Task]:
        """One picture that was pending."""
        own = references.own_pictures(image.parameters)
        if own and not sending.was_frozen(image):
            return self._upload(image, own)
        return [self._post(image, {})]

    def recover(self, image: GeneratedImage) -> Iterable[Task]:
        """A picture that was being sent: look for evidence, unless the worker died before that."""
        if not sending.was_frozen(image):
            return self.send(image)
        charge = image.charge
        if charge is not None and charge.job_id:
            sending.accepted(image, charge.job_id, first_check=0)
            return []
        sending.suspect(image)
        return [self._look_for_evidence(image)]

    def look_again(self, image: GeneratedImage) -> Iterable[Task]:
        """A failure of unknown outcome, asked about by a person: evidence, never another POST."""
        return [self._look_for_evidence(image)]

    def _upload(self, image: GeneratedImage, own: Sequence[UUID]) -> Iterable[Task]:
        found = dict(
            GeneratedImage.objects.completed().filter(uuid__in=own).values_list("uuid", "file")
        )
        missing = [str(uuid) for uuid in own if not found.get(uuid)]
        if missing:
            sending.reference_failed(image, "")
            return []
        storage = storages[self.tools.settings.STORAGE]

        def run() -> dict[UUID, str]:
            urls = {}
            for uuid, name in found.items():
                with files.opened(storage, name) as file:
                    urls[uuid] = self.tools.client.upload(
                        file, name.rsplit("/", 1)[-1], guess_type(name)[0] or "image/png"
                    ).url
            return urls

        return [task_for(image, run, partial(self._uploaded, image))]

    def _uploaded(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        match answer:
            case PictureError() | RejectedError():
                sending.reference_failed(image, answer.detail)
            case ProviderError():
                sending.not_sent(image, after=self.tools.wait_after(image, answer))
            case _:
                return [self._post(image, answer)]
        return []

    def _post(self, image: GeneratedImage, uploads: Mapping[UUID, str]) -> Task:
        return self._post_all([image], uploads)[0]

    def _post_all(
        self, images: Sequence[GeneratedImage], uploads: Mapping[UUID, str] | None = None
    ) -> list[Task]:
        frozen = sending.freeze_all(images, self.tools.settings, uploads or {})
        return [
            task_for(
                image,
                partial(self.tools.client.submit, one.body, one.idempotency_key),
                partial(self._posted, image),
                self._posted_together,
            )
            for image, one in zip(images, frozen, strict=True)
        ]

    def _posted_together(self, answers: Sequence[Answer]) -> Iterable[Task]:
        """Most answers just name a job: those are saved at once, the others one by one."""
        named: dict[float, list[tuple[GeneratedImage, str]]] = {}
        for image, answer in answers:
            if isinstance(answer, JobAccepted):
                first_check = self._first_check(answer.status)
                named.setdefault(first_check, []).append((image, answer.job_id))
        saved: set[int] = set()
        for first_check, jobs in named.items():
            if len(jobs) > 1 and sending.accepted_together(jobs, first_check=first_check):
                saved |= {image.pk for image, _job_id in jobs}
        if saved:
            self._came_through()
        return [
            task
            for image, answer in answers
            if image.pk not in saved
            for task in self._posted(image, answer)
        ]

    def _came_through(self) -> None:
        if self.tools.was_blocked:
            provider.unblocked()
            self.tools.was_blocked = False

    def _posted(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        match answer:
            case JobAccepted():
                if not sending.accepted(
                    image, answer.job_id, first_check=self._first_check(answer.status)
                ):
                    sending.trade_keys(image, answer.job_id)
                    sending.unknown(image)
                self._came_through()
            case NotSentError() | RateLimitedError() | AccountError() | BlockedError():
                sending.not_sent(image, after=self.tools.wait_after(image, answer))
            case RejectedError():
                sending.rejected(image, answer.explained)
            case _:
                logger.warning("Nobody knows what became of %s: %s", image.uuid, answer)
                sending.unknown(image)
        return []

    def _first_check(self, status: JobStatus) -> float:
        if status in (JobStatus.COMPLETED, JobStatus.FAILED):
            return 0  # the replay of a request that was answered before
        if self.tools.settings.webhooks_enabled:
            return self.tools.settings.FIRST_POLL_WITH_WEBHOOK
        return self.tools.settings.POLL_INTERVAL

    # --- evidence -------------------------------------------------------------------------------

    def _look_for_evidence(self, image: GeneratedImage) -> Task:
        if image.job_hint:
            hint = image.job_hint
            return task_for(
                image, lambda: [self.tools.client.job(hint)], partial(self._hint_read, image)
            )
        return self._list_around(image)

    def _hint_read(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, list) and self._adopt(image, answer):
            return []
        if isinstance(answer, ProviderError) and not isinstance(answer, JobNotFoundError):
            let_go(image, after=self.tools.wait_after(image, answer) or 1)
            return []
        return [self._list_around(image)]

    def _list_around(self, image: GeneratedImage) -> Task:
        provider.count_calls(1, self.tools.settings)
        charge = image.charge
        sent = charge.first_sent_at if charge is not None else None
        since = (sent or timezone.now()) - CLOCK_SKEW
        return task_for(
            image,
            lambda: read_list(self.tools.client, since=since, pages=EVIDENCE_PAGES),
            partial(self._listed, image),
        )

    def _listed(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, ProviderError):
            if isinstance(answer, AccountError) and answer.code == "wrong_address":
                return self._no_evidence(image)  # this server lists no jobs
            let_go(image, after=self.tools.wait_after(image, answer) or 1)
            return []
        jobs = [job for job in answer.jobs if job.model in ("", image.model)]
        # Not this charge's own: with a job noted there, recover() takes it without looking.
        taken = set(
            Charge.objects.filter(job_id__in=[job.id for job in jobs]).values_list(
                "job_id", flat=True
            )
        )
        unclaimed = [job.id for job in jobs if job.id not in taken]
        candidates = unclaimed[-MOST_CANDIDATES:]  # newest first: the oldest are the likeliest
        whole = answer.whole and len(candidates) == len(unclaimed)
        if not candidates:
            return self._no_evidence(image, whole=whole)
        provider.count_calls(len(candidates), self.tools.settings)
        return [
            task_for(
                image,
                lambda: read_each(self.tools.client, candidates),
                partial(self._candidates_read, image, whole),
            )
        ]

    def _candidates_read(self, image: GeneratedImage, whole: bool, answer: Any) -> Iterable[Task]:
        if isinstance(answer, ProviderError):
            let_go(image, after=self.tools.wait_after(image, answer) or 1)
            return []
        if self._adopt(image, answer):
            return []
        return self._no_evidence(image, whole=whole)

    def _adopt(self, image: GeneratedImage, jobs: Sequence[Job]) -> bool:
        """Take the job whose input is our frozen body, if there is one; one to one.

        Our webhook address in it is the surest mark; among mere equals the oldest is taken.
        """
        body = image.charge.body.encode() if image.charge is not None else b""
        ours = [job for job in jobs if job.input and payloads.carries_address(body, job.input)]
        equal = [job for job in jobs if job.input and payloads.same_request(body, job.input)]
        for job in [*ours, *reversed(equal)]:
            if sending.accepted(image, job.id, first_check=self.tools.settings.POLL_INTERVAL):
                image.refresh_from_db()
                self.polling.apply(image, job)
                return True
        return False

    def _no_evidence(self, image: GeneratedImage, *, whole: bool = True) -> Iterable[Task]:
        if sending.is_lost(image):
            sending.still_lost(image)
            return []
        if not whole and sending.may_repeat(image, self.tools.settings):
            # Too much to read, so nothing is proven: look again, and at last ask a person.
            logger.warning("The job list is too long to look for %s", image.uuid)
            let_go(image, after=sending.MOST_WAIT)
            return []
        if not sending.may_repeat(image, self.tools.settings):
            sending.give_up_unknown(image)
            return []
        if not provider.may_send(provider.state(), self.tools.settings):
            let_go(image, after=5)
            return []
        return [self._post(image, {})]
