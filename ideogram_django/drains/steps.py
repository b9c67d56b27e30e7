"""What is done with one picture, step by step: threads wait, the coordinator writes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from mimetypes import guess_type
from typing import Any
from uuid import UUID

from django.core.files.storage import storages
from django.db import transaction
from django.utils import timezone

from ideogram_django.apiframe import payloads
from ideogram_django.apiframe.client import Client, user_agent
from ideogram_django.apiframe.payloads import Account, Job, JobAccepted, JobStatus
from ideogram_django.budget.models import Charge
from ideogram_django.conf import AppSettings
from ideogram_django.drains import attaching, files, provider
from ideogram_django.drains.tasks import Task
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
from ideogram_django.lifecycle import references, sending, settling
from ideogram_django.lifecycle.sending import backoff
from ideogram_django.lifecycle.transitions import let_go
from ideogram_django.models import GeneratedImage, StoredObject
from ideogram_django.pictures import fetching, verifying
from ideogram_django.pictures.renditions import Rendition
from ideogram_django.statuses import ErrorCode

logger = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(minutes=5)
"""How far the provider's clock may be from ours when its jobs are searched by time."""
LIST_FROM = 3
"""From this many due polls on, the job list is cheaper than one GET each."""
LEAST_WAIT = 1.0
"""Seconds that a 429 is worth at least."""
MOST_PAGES = 10
EVIDENCE_PAGES = 100
MOST_CANDIDATES = 200
"""Where more than these would have to be read, there is no saying that a job does not exist."""
EXPIRED_TRIES = 4
STORAGE_TRIES = 6


class Steps:
    """The steps with what they need: settings as of now, one client, one download session."""

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.client = Client(
            api_key=settings.API_KEY,
            base_url=settings.API_BASE_URL,
            connect_timeout=settings.CONNECT_TIMEOUT,
            deadline=settings.REQUEST_DEADLINE,
            pool_size=settings.CONCURRENCY,
            proxies=settings.PROXIES,
        )
        self.rules = fetching.FetchRules(
            hosts=tuple(settings.RESULT_HOSTS),
            exempt_origin=settings.API_BASE_URL,
            max_bytes=settings.MAX_IMAGE_BYTES,
            connect_timeout=settings.CONNECT_TIMEOUT,
            deadline=settings.DOWNLOAD_DEADLINE,
            proxies=settings.PROXIES,
        )
        self.was_blocked = provider.state().blocks > 0
        self.downloads = fetching.open_session(
            self.rules, pool_size=settings.CONCURRENCY, user_agent=user_agent()
        )

    def close(self) -> None:
        self.client.close()
        self.downloads.close()

    # --- sending --------------------------------------------------------------------------------

    def send(self, image: GeneratedImage) -> Iterable[Task]:
        """A picture that was pending: nothing of it can have reached the provider yet."""
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

    def _upload(self, image: GeneratedImage, own: Sequence[UUID]) -> Iterable[Task]:
        found = dict(
            GeneratedImage.objects.completed().filter(uuid__in=own).values_list("uuid", "file")
        )
        missing = [str(uuid) for uuid in own if not found.get(uuid)]
        if missing:
            sending.reference_failed(image, "")
            return []
        storage = storages[self.settings.STORAGE]

        def run() -> dict[UUID, str]:
            urls = {}
            for uuid, name in found.items():
                with files.opened(storage, name) as file:
                    urls[uuid] = self.client.upload(
                        file, name.rsplit("/", 1)[-1], guess_type(name)[0] or "image/png"
                    ).url
            return urls

        return [self._task(image, run, partial(self._uploaded, image))]

    def _uploaded(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        match answer:
            case PictureError() | RejectedError():
                sending.reference_failed(image, answer.detail)
            case ProviderError():
                sending.not_sent(image, after=self._wait_after(image, answer))
            case _:
                return [self._post(image, answer)]
        return []

    def _post(self, image: GeneratedImage, uploads: Mapping[UUID, str]) -> Task:
        frozen = sending.freeze(image, self.settings, uploads)
        return self._task(
            image,
            lambda: self.client.submit(frozen.body, frozen.idempotency_key),
            partial(self._posted, image),
        )

    def _posted(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        match answer:
            case JobAccepted():
                if not sending.accepted(
                    image, answer.job_id, first_check=self._first_check(answer.status)
                ):
                    sending.trade_keys(image, answer.job_id)
                    sending.unknown(image)
                if self.was_blocked:
                    provider.unblocked()
                    self.was_blocked = False
            case NotSentError() | RateLimitedError() | AccountError() | BlockedError():
                sending.not_sent(image, after=self._wait_after(image, answer))
            case RejectedError():
                sending.rejected(image, answer.explained)
            case _:
                logger.warning("Nobody knows what became of %s: %s", image.uuid, answer)
                sending.unknown(image)
        return []

    def _first_check(self, status: JobStatus) -> float:
        if status in (JobStatus.COMPLETED, JobStatus.FAILED):
            return 0  # the replay of a request that was answered before
        if self.settings.webhooks_enabled:
            return self.settings.FIRST_POLL_WITH_WEBHOOK
        return self.settings.POLL_INTERVAL

    def _wait_after(self, image: GeneratedImage, error: ProviderError) -> float:
        """Seconds until the next try, after what concerns the whole provider was noted."""
        match error:
            case RateLimitedError():
                wait = max(error.retry_after, LEAST_WAIT)  # "0" and dates gone by are said, too
                provider.hold_off(wait)
                return wait
            case AccountError():
                provider.pause_for(error)
                return 0
            case BlockedError():
                self.was_blocked = True
                return provider.blocked()
        return backoff(image.checks + 1)

    # --- evidence -------------------------------------------------------------------------------

    def _look_for_evidence(self, image: GeneratedImage) -> Task:
        if image.job_hint:
            hint = image.job_hint
            return self._task(
                image, lambda: [self.client.job(hint)], partial(self._hint_read, image)
            )
        return self._list_around(image)

    def _hint_read(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, list) and self._adopt(image, answer):
            return []
        if isinstance(answer, ProviderError) and not isinstance(answer, JobNotFoundError):
            let_go(image, after=self._wait_after(image, answer) or 1)
            return []
        return [self._list_around(image)]

    def _list_around(self, image: GeneratedImage) -> Task:
        provider.count_calls(1, self.settings)
        charge = image.charge
        sent = charge.first_sent_at if charge is not None else None
        since = (sent or timezone.now()) - CLOCK_SKEW
        return self._task(
            image,
            lambda: read_list(self.client, since=since, pages=EVIDENCE_PAGES),
            partial(self._listed, image),
        )

    def _listed(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, ProviderError):
            if isinstance(answer, AccountError) and answer.code == "wrong_address":
                return self._no_evidence(image)  # this server lists no jobs
            let_go(image, after=self._wait_after(image, answer) or 1)
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
        provider.count_calls(len(candidates), self.settings)
        return [
            self._task(
                image,
                lambda: read_each(self.client, candidates),
                partial(self._candidates_read, image, whole),
            )
        ]

    def _candidates_read(self, image: GeneratedImage, whole: bool, answer: Any) -> Iterable[Task]:
        if isinstance(answer, ProviderError):
            let_go(image, after=self._wait_after(image, answer) or 1)
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
            if sending.accepted(image, job.id, first_check=self.settings.POLL_INTERVAL):
                image.refresh_from_db()
                self._apply(image, job)
                return True
        return False

    def _no_evidence(self, image: GeneratedImage, *, whole: bool = True) -> Iterable[Task]:
        if not whole and sending.may_repeat(image, self.settings):
            # Too much to read, so nothing is proven: look again, and at last ask a person.
            logger.warning("The job list is too long to look for %s", image.uuid)
            let_go(image, after=sending.MOST_WAIT)
            return []
        if not sending.may_repeat(image, self.settings):
            sending.give_up_unknown(image)
            return []
        if not provider.may_send(provider.state(), self.settings):
            let_go(image, after=5)
            return []
        return [self._post(image, {})]

    # --- polling --------------------------------------------------------------------------------

    def poll(self, images: Sequence[GeneratedImage]) -> Iterable[Task]:
        """Ask what became of these: by the job list where there are several, else one by one."""
        known = []
        for image in images:
            if image.job_id:
                known.append(image)
            else:
                let_go(image, after=self.settings.GIVE_UP_AFTER)
        if len(known) < LIST_FROM:
            return [self._poll_one(image) for image in known]
        since = min(image.submitted_at or image.created_at for image in known) - CLOCK_SKEW
        wanted = {image.job_id for image in known}
        return [
            Task(
                images=known,
                run=lambda: read_list(self.client, since=since, wanted=wanted),
                done=partial(self._polled_list, known),
            )
        ]

    def _polled_list(self, images: Sequence[GeneratedImage], answer: Any) -> Iterable[Task]:
        if isinstance(answer, ProviderError):
            wait = self._wait_after(images[0], answer) or 1
            for image in images:
                let_go(image, after=wait)
            return []
        found = {job.id: job for job in answer.jobs}
        left = []
        for image in images:
            job = found.get(image.job_id or "")
            if job is None:
                left.append(self._poll_one(image))
            else:
                self._apply(image, job)
        provider.count_calls(len(left), self.settings)
        return left

    def _poll_one(self, image: GeneratedImage) -> Task:
        job_id = str(image.job_id)
        return self._task(image, lambda: self.client.job(job_id), partial(self._polled, image))

    def _polled(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        match answer:
            case Job():
                self._apply(image, answer)
            case JobNotFoundError():
                settling.missing(image, next_check=self._next_check(image))
            case ProviderError():
                let_go(image, after=self._wait_after(image, answer) or 1)
        return []

    def _apply(self, image: GeneratedImage, job: Job) -> None:
        settling.apply(
            image,
            job,
            next_check=self._next_check(image),
            give_up=self._age(image) > self.settings.GIVE_UP_AFTER,
        )

    def _next_check(self, image: GeneratedImage) -> float:
        """Seconds to the next poll: a fifth of its age, so that a slow job costs few calls."""
        return min(max(self._age(image) / 5, self.settings.POLL_INTERVAL), 300)

    @staticmethod
    def _age(image: GeneratedImage) -> float:
        return (timezone.now() - (image.submitted_at or image.created_at)).total_seconds()

    # --- the file -------------------------------------------------------------------------------

    def fetch(self, image: GeneratedImage) -> Iterable[Task]:
        """Bring the file home: note a name, download and check, store, link, then the widths."""
        old = files.leftovers(image)
        noted = files.note_original(image, self.settings.STORAGE)
        storage = storages[self.settings.STORAGE]
        settings, url = self.settings, image.result_url

        def run() -> _Download:
            gone = files.remove(old)
            with files.kept(files.private_file(storage, noted.name)) as keeper:
                fetched = fetching.fetch(self.downloads, url, keeper.file, self.rules)
                verified = verifying.verify(
                    keeper.file, max_pixels=settings.MAX_IMAGE_PIXELS, widths=settings.WIDTHS
                )
                keeper.keep()
            return _Download(gone=gone, fetched=fetched, verified=verified, keeper=keeper)

        return [self._task(image, run, partial(self._downloaded, image, noted))]

    def _downloaded(
        self, image: GeneratedImage, noted: StoredObject, answer: Any
    ) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            self._fetch_failed(image, answer)
            return []
        files.forget(answer.gone)
        files.rename(noted, answer.verified.extension)
        storage = storages[noted.storage]

        def run() -> str:
            try:
                return files.save_original(storage, noted.name, answer.keeper.file)
            finally:
                answer.keeper.close()

        return [self._task(image, run, partial(self._stored, image, noted, answer))]

    def _stored(
        self, image: GeneratedImage, noted: StoredObject, download: _Download, answer: Any
    ) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            self._fetch_failed(image, answer)
            return []
        files.take_names([noted], [answer])
        verified, fetched = download.verified, download.fetched
        with transaction.atomic():
            done = settling.completed(
                image,
                name=answer,
                width=verified.width,
                height=verified.height,
                format=verified.format,
                size=fetched.size,
                sha256=fetched.sha256,
            )
            if done:
                files.link([noted], [answer])
        if not done:
            if StoredObject.objects.filter(pk=noted.pk, linked_at__isnull=False).exists():
                # Done before: the commit went through and only its confirmation was lost.
                return []
            # Another claim took over: what this one wrote belongs to nobody.
            return [self._remove(image, [noted])]
        image.refresh_from_db()
        return self._store_widths(image, verified.renditions)

    def _fetch_failed(self, image: GeneratedImage, error: PictureError) -> None:
        tries = image.checks + 1
        expired = error.code == ErrorCode.RESULT_EXPIRED and tries >= EXPIRED_TRIES
        unstorable = error.code == ErrorCode.STORAGE_FAILED and tries >= STORAGE_TRIES
        too_old = tries >= EXPIRED_TRIES and self._age(image) > self.settings.GIVE_UP_AFTER
        if error.permanent or expired or unstorable:
            settling.unusable(image, ErrorCode(error.code), error.detail)
        elif too_old:
            settling.unusable(image, ErrorCode.GAVE_UP, error.detail)
        else:
            let_go(image, after=backoff(tries))

    def finish(self, image: GeneratedImage) -> Iterable[Task]:
        """A finished picture with something left to do: the widths, then its record's own field."""
        if image.renditions or not image.file or not self.settings.WIDTHS:
            return self._attach(image)
        storage = storages[self.settings.STORAGE]
        name, settings = str(image.file.name), self.settings

        def run() -> tuple[Rendition, ...]:
            with files.opened(storage, name) as file:
                return verifying.make_renditions(
                    file, widths=settings.WIDTHS, max_pixels=settings.MAX_IMAGE_PIXELS
                )

        return [self._task(image, run, partial(self._widths_made, image))]

    def _widths_made(self, image: GeneratedImage, answer: Any) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            if answer.permanent or image.checks + 1 >= STORAGE_TRIES:
                logger.error("No smaller widths for %s: %s", image.uuid, answer)
                return self._attach(image)
            let_go(image, after=backoff(image.checks + 1))
            return []
        return self._store_widths(image, answer)

    def _store_widths(
        self, image: GeneratedImage, renditions: Sequence[Rendition]
    ) -> Iterable[Task]:
        if not renditions:
            return self._attach(image)
        old = files.leftovers(image)
        noted = files.note_widths(
            image,
            str(image.file.name),
            self.settings.STORAGE,
            [rendition.width for rendition in renditions],
        )
        storage = storages[self.settings.STORAGE]

        def run() -> tuple[list[StoredObject], list[str]]:
            gone = files.remove(old)
            return gone, files.save_widths(storage, [one.name for one in noted], renditions)

        return [self._task(image, run, partial(self._widths_stored, image, noted, renditions))]

    def _widths_stored(
        self,
        image: GeneratedImage,
        noted: Sequence[StoredObject],
        renditions: Sequence[Rendition],
        answer: Any,
    ) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            if image.checks + 1 >= STORAGE_TRIES:
                return self._attach(image)
            let_go(image, after=backoff(image.checks + 1))
            return []
        gone, names = answer
        files.forget(gone)
        files.take_names(noted, names)
        facts = [
            {"name": name, "width": rendition.width, "height": rendition.height}
            for name, rendition in zip(names, renditions, strict=True)
        ]
        with transaction.atomic():
            mine = settling.widths_stored(image, facts)
            if mine:
                files.link(noted, names)
        return self._attach(image) if mine else [self._remove(image, noted)]

    def _attach(self, image: GeneratedImage) -> Iterable[Task]:
        copy = attaching.prepare(image)
        if copy is None:
            settling.nothing_left(image)
            return []
        return [self._task(image, copy.write, partial(self._attached, image, copy))]

    def _attached(self, image: GeneratedImage, copy: attaching.Copy, answer: Any) -> Iterable[Task]:
        if isinstance(answer, PictureError):
            if image.checks + 1 < STORAGE_TRIES:
                let_go(image, after=backoff(image.checks + 1))
            else:
                logger.error("The file of %s could not be copied to its record", image.uuid)
                settling.nothing_left(image)
            return []
        with transaction.atomic():
            copy.link(answer)
            settling.nothing_left(image, attached_at=timezone.now())
        return []

    def _remove(self, image: GeneratedImage, objects: Sequence[StoredObject]) -> Task:
        return self._task(image, lambda: files.remove(objects), lambda gone: files.forget(gone))

    # --- the account ----------------------------------------------------------------------------

    def ask_account(self) -> Task:
        """``/v2/me``: the balance, and whether a paused account is well again."""
        return Task(images=(), run=self.client.me, done=self._account_answered)

    def _account_answered(self, answer: Any) -> None:
        match answer:
            case Account():
                provider.account_is_well(answer.credits, self.settings)
            case AccountError():
                provider.pause_for(answer)
            case RateLimitedError():
                provider.hold_off(max(answer.retry_after, LEAST_WAIT))

    @staticmethod
    def _task(image: GeneratedImage, run: Any, done: Any) -> Task:
        return Task(images=(image,), run=run, done=done, bulk=image.bulk)


class _Download:
    """A checked file on its way from the network into the storage."""

    def __init__(
        self,
        *,
        gone: list[StoredObject],
        fetched: fetching.Fetched,
        verified: verifying.Verified,
        keeper: files.Keeper,
    ) -> None:
        self.gone = gone
        self.fetched = fetched
        self.verified = verified
        self.keeper = keeper


def read_each(client: Client, job_ids: Sequence[str]) -> list[Job]:
    """These jobs, without those that are gone."""
    found = []
    for job_id in job_ids:
        with contextlib.suppress(JobNotFoundError):
            found.append(client.job(job_id))
    return found


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
