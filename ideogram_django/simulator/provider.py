"""The provider behind the HTTP: jobs, credits, idempotency keys, webhooks, under one lock."""

import hashlib
import json
import math
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

from ideogram_django.simulator.announcements import Announcer
from ideogram_django.simulator.answers import to_json
from ideogram_django.simulator.catalogue import catalogue
from ideogram_django.simulator.clock import Clock
from ideogram_django.simulator.faults import Faults, Mischief
from ideogram_django.simulator.jobs import Job
from ideogram_django.simulator.ledger import Account, Charge, Ledger
from ideogram_django.simulator.options import Options
from ideogram_django.simulator.outcomes import decide_outcome
from ideogram_django.simulator.pages import Page, cursor_after, cursor_id, matches
from ideogram_django.simulator.timetable import Timetable
from ideogram_django.simulator.validation import JobQuery
from ideogram_django.simulator.webhooks import Letter

# Idempotency keys are remembered for 24 hours (Apiframe OpenAPI, IdempotencyKey).
_KEY_LIFETIME = 24 * 60 * 60
_SLOWNESS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A submission that made no job."""

    reason: Literal["credits", "conflict", "concurrency"]
    required: int = 0
    available: int = 0


class Provider:
    """All state. Every public method is safe to call from any thread."""

    def __init__(self, options: Options, clock: Clock, faults: Faults) -> None:
        self.options = options
        self.clock = clock
        self.mischief = Mischief(faults)
        self.models = catalogue(options.prices)
        self.base_url = ""
        self.lock = threading.RLock()
        self.timetable = Timetable(clock, self.lock)
        self.announcer = Announcer(options, clock, self.timetable, self.lock)
        self._ledger = Ledger()
        self._jobs: dict[str, Job] = {}
        self._by_number: list[Job] = []
        self._running: dict[str, Job] = {}
        self._keys: OrderedDict[tuple[str, str], tuple[Job, bytes]] = OrderedDict()

    def submit(
        self, account: Account, api_key: str, body: dict[str, Any], raw: bytes, key: str | None
    ) -> Job | Refused:
        """Make and charge a job, or return the one that this idempotency key made before."""
        digest = hashlib.sha256(to_json(_sorted(body))).digest()
        if not self.options.honours_idempotency:
            key = None
        with self.lock:
            now = self.clock.now()
            earlier = self._replayed(api_key, key, now)
            if earlier is not None:
                job, first_digest = earlier
                self._look(job, now)
                if self.options.conflict_on_reuse and digest != first_digest:
                    return Refused(reason="conflict")
                return job
            most = self.options.max_concurrent_jobs
            if most is not None:
                self.timetable.run_due()
                if sum(job.account is account for job in self._running.values()) >= most:
                    return Refused(reason="concurrency")
            price = self.models[body["model"]].price(body.get("ideogramParams", {}))
            self.timetable.run_due()
            if price > account.credits:
                return Refused(reason="credits", required=price, available=account.credits)
            job = self._make(account, api_key, body, raw, key, price, now)
            if key is not None:
                self._keys[api_key, key] = (job, digest)
            return job

    def job(self, job_id: str) -> Job | None:
        """Return a job as it stands now."""
        with self.lock:
            job = self._jobs.get(job_id)
            if job is not None:
                self._look(job, self.clock.now())
            return job

    def public(self, job: Job, *, with_input: bool = False) -> dict[str, object]:
        """Return what the API shows of a job."""
        with self.lock:
            now = self.clock.now()
            self._look(job, now)
            options = self.options
            shown = job.public(now, self.base_url, options.result_shape, options.result_ttl)
            if with_input:
                shown["input"] = json.loads(job.body)
            return shown

    def page(self, account: Account, query: JobQuery) -> Page | None:
        """Return a page of the account's jobs; None for a cursor that is not ours."""
        with self.lock:
            start = len(self._by_number)
            if query.cursor is not None:
                last = self._jobs.get(cursor_id(query.cursor) or "")
                if last is None or last.account is not account:
                    return None
                start = last.number
            now = self.clock.now()
            found: list[Job] = []
            for number in range(start - 1, -1, -1):
                job = self._by_number[number]
                if job.account is not account:
                    continue
                self._look(job, now)
                if matches(job, query, now):
                    found.append(job)
                    if len(found) > query.limit:
                        break
            more = len(found) > query.limit
            found = found[: query.limit]
            models = (
                sorted({job.model for job in self._by_number if job.account is account})
                if query.include_models
                else []
            )
            cursor = cursor_after(found[-1]) if more else None
            return Page(jobs=found, next_cursor=cursor, models=models)

    def jobs(self) -> list[Job]:
        """Return every job, oldest first."""
        with self.lock:
            self.timetable.run_due()
            return list(self._by_number)

    def charges(self) -> list[Charge]:
        """Return every charge, oldest first."""
        with self.lock:
            self.timetable.run_due()
            return self._ledger.charges()

    def credits(self, account: Account) -> int:
        """Return an account's balance."""
        with self.lock:
            self.timetable.run_due()
            return account.credits

    def webhook_attempted(self, letter: Letter, delivered: bool) -> None:
        """Book the outcome of a delivery."""
        with self.lock:
            self.announcer.attempted(letter, self._jobs[letter.job_id], delivered=delivered)

    def listen_at(self, base_url: str) -> None:
        """Make this the address in results and uploads."""
        self.base_url = self.announcer.base_url = base_url

    def finish(self, job_id: str | None = None) -> int:
        """End one running job now, or all; those that never end stay. Returns how many ended."""
        with self.lock:
            now = self.clock.now()
            running = [j for j in self._running.values() if job_id in (None, j.id)]
            ending = [job for job in running if not math.isinf(job.duration)]
            for job in ending:
                job.duration = min(job.duration, now - job.created_at)
                self._settle(job)
            return len(ending)

    def _make(
        self,
        account: Account,
        api_key: str,
        body: dict[str, Any],
        raw: bytes,
        key: str | None,
        price: int,
        now: float,
    ) -> Job:
        faults = self.mischief.for_job(body["prompt"])
        outcome, error = decide_outcome(body, faults)
        url = body.get("webhookUrl")
        # The default for images is not documented; for training it is these two.
        events = tuple(body.get("webhookEvents", ("completed", "failed"))) if url else ()
        job = Job(
            id=str(uuid.uuid4()),
            number=len(self._by_number),
            account=account,
            api_key=api_key,
            model=self.models[body["model"]].id,
            prompt=body["prompt"],
            body=raw,
            idempotency_key=key,
            price=price,
            created_at=now,
            duration=self._duration(body["model"], faults),
            outcome=outcome,
            error=error,
            faults=faults,
            webhook_url=url,
            webhook_events=events,
            webhook_status="pending" if url else None,
        )
        self._jobs[job.id] = self._running[job.id] = job
        self._by_number.append(job)
        charge = Charge(
            job_id=job.id,
            model=job.model,
            credits=price,
            refunded=False,
            idempotency_key=key,
            prompt=job.prompt,
            at=now,
        )
        self._ledger.charge(account, charge)
        if not math.isinf(job.duration):
            self.timetable.at(job.due_at, self._settle, job)
            if "progress" in events:
                self.announcer.plan_progress(job)
        return job

    def _duration(self, model: str, faults: frozenset[str]) -> float:
        if "forever" in faults:
            return math.inf
        seconds = self.options.seconds_per_job
        if seconds is None:
            seconds = self.models[model].seconds / self.options.speed
        return seconds * (_SLOWNESS if "slow" in faults else 1)

    def _replayed(self, api_key: str, key: str | None, now: float) -> tuple[Job, bytes] | None:
        while self._keys:
            oldest = next(iter(self._keys))
            if now < self._keys[oldest][0].created_at + _KEY_LIFETIME:
                break
            del self._keys[oldest]
        return None if key is None else self._keys.get((api_key, key))

    def _look(self, job: Job, now: float) -> None:
        # Whoever looks sees the truth, even when the timetable's thread has not come to it yet.
        if not job.settled and now >= job.due_at:
            self._settle(job)

    def _settle(self, job: Job) -> None:
        if job.settled:
            return
        job.settled = True
        job.completed_at = job.due_at
        del self._running[job.id]
        if job.outcome != "COMPLETED":
            self._ledger.refund(job.account, job.id)
        self.announcer.tell_end(job)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
